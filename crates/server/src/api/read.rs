//! Values of parameters, from text; every error names the parameter and what would be right.

use std::ops::RangeInclusive;

use weir_model::{EntityKind, Layer};
use weir_query::Sort;
use weir_schema::{Field, Side, Table, fields, is_known_field, metric, metrics};

use crate::problem::Problem;
use crate::suggest::nearest;

/// One of a closed set of words, or the default.
pub fn word<T: Copy>(
    name: &str,
    given: Option<&str>,
    known: &[T],
    text: fn(T) -> &'static str,
    default: T,
) -> Result<T, Problem> {
    let Some(given) = given else { return Ok(default) };
    if let Some(value) = known.iter().find(|value| text(**value) == given) {
        return Ok(*value);
    }
    let words: Vec<&str> = known.iter().map(|value| text(*value)).collect();
    Err(Problem::parameter(name, format!("`{given}` is not a {name}"))
        .expected(words.join(", "))
        .did_you_mean(nearest(given, words.iter().copied())))
}

/// A whole number in a range, or the default.
pub fn whole(
    name: &str,
    given: Option<&str>,
    range: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Problem> {
    let Some(given) = given else { return Ok(default) };
    match given.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(Problem::parameter(name, format!("`{given}` is not a valid {name}"))
            .expected(format!("a whole number from {} to {}", range.start(), range.end()))),
    }
}

/// A comma-separated list, blanks left out.
pub fn list(given: Option<&str>) -> Vec<&str> {
    let items = given.unwrap_or_default().split(',');
    items.map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Metrics by name, each once, in the order given, or the default ones.
pub fn metric_names(
    table: Table,
    given: Option<&str>,
    default: &[&str],
) -> Result<Vec<String>, Problem> {
    let given = list(given);
    let wanted = if given.is_empty() { default } else { &given };
    let mut found: Vec<String> = Vec::new();
    for name in wanted {
        check_metric(table, "metrics", name)?;
        if !found.iter().any(|known| known == name) {
            found.push((*name).to_owned());
        }
    }
    Ok(found)
}

fn check_metric(table: Table, parameter: &str, name: &str) -> Result<(), Problem> {
    if metric(table, name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = metrics(table).iter().map(|metric| metric.name).collect();
    let layer = table.layer();
    let problem = match other_layer(table, name) {
        Some(other) => Problem::parameter(
            parameter,
            format!("`{name}` is a metric of layer {other}, and layer {layer} is asked for"),
        )
        .expected(format!("layer={other}, or metrics of layer {layer}: {}", known.join(", "))),
        None => Problem::parameter(parameter, format!("`{name}` is not a metric"))
            .expected(known.join(", ")),
    };
    Err(problem.did_you_mean(nearest(name, known.iter().copied())))
}

/// The layer that a metric is of, where it is not one of the table's.
fn other_layer(table: Table, name: &str) -> Option<Layer> {
    let others = Layer::ALL.iter().filter(|layer| **layer != table.layer());
    others.copied().find(|layer| metric(Table::of_flows(*layer), name).is_some())
}

/// `-metric` for largest first, or one of the `keys` by name.
pub fn sort(
    table: Table,
    given: Option<&str>,
    keys: &[&str],
    default: &str,
) -> Result<Sort, Problem> {
    let given = given.unwrap_or(default);
    let (name, descending) = match given.strip_prefix('-') {
        Some(name) => (name, true),
        None => (given, false),
    };
    if !keys.contains(&name) && metric(table, name).is_none() {
        if other_layer(table, name).is_some() {
            check_metric(table, "sort", name)?;
        }
        let known = metrics(table).iter().map(|metric| metric.name);
        let known: Vec<&str> = keys.iter().copied().chain(known).collect();
        return Err(Problem::parameter("sort", format!("`{name}` cannot be sorted by"))
            .expected(format!("{}; `-` in front for largest first", known.join(", ")))
            .did_you_mean(nearest(name, known.iter().copied())));
    }
    Ok(Sort { by: name.to_owned(), descending })
}

/// A field that rows can be grouped by or counted by value.
pub fn key_field(
    table: Table,
    parameter: &str,
    name: &str,
    is_groupable: bool,
) -> Result<Field, Problem> {
    let all = fields(table);
    let is_wanted = |field: &&Field| field.is_key && (!is_groupable || field.side != Side::Either);
    if let Some(field) = all.iter().filter(is_wanted).find(|field| field.name == name) {
        return Ok(field.clone());
    }
    let known: Vec<&str> = all.iter().filter(is_wanted).map(|f| f.name.as_str()).collect();
    let mut others = Table::ALL.into_iter().filter(|other| other.layer() != table.layer());
    let of_other = others.find(|other| is_known_field(*other, name));
    let detail = match of_other.map(Table::layer) {
        Some(other) => format!("`{name}` is a field of layer {other}, not of {}", table.layer()),
        None => format!("`{name}` is not such a field"),
    };
    Err(Problem::parameter(parameter, detail)
        .expected(known.join(", "))
        .did_you_mean(nearest(name, known.iter().copied())))
}

/// `kind:id` of an entity.
pub fn entity(parameter: &str, text: &str) -> Result<(EntityKind, String), Problem> {
    let found = text.split_once(':').filter(|(_, id)| !id.is_empty());
    let kind = found.and_then(|(kind, id)| EntityKind::parse(kind).zip(Some(id)));
    if let Some((kind, id)) = kind {
        return Ok((kind, id.to_owned()));
    }
    let kinds: Vec<&str> = EntityKind::ALL.iter().map(|kind| kind.as_str()).collect();
    Err(Problem::parameter(parameter, format!("`{text}` does not name an entity"))
        .expected(format!("KIND:ID with a kind of {}", kinds.join(", ")))
        .did_you_mean(nearest(text.split(':').next().unwrap_or_default(), kinds.iter().copied())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const L4: Table = Table::L4Flows;

    fn said(problem: Problem) -> (String, String, Option<String>) {
        let expected = problem.expected.clone().unwrap_or_default();
        (problem.detail.clone(), expected, problem.did_you_mean.clone())
    }

    #[test]
    fn whole_numbers_stay_in_their_range() {
        assert_eq!(whole("limit", None, 1..=10, 5).ok(), Some(5));
        assert_eq!(whole("limit", Some("10"), 1..=10, 5).ok(), Some(10));
        for bad in ["0", "11", "-1", "1.5", "ten", "99999999999999999999"] {
            let (detail, expected, _) = said(whole("limit", Some(bad), 1..=10, 5).unwrap_err());
            assert_eq!(expected, "a whole number from 1 to 10");
            assert!(detail.contains(bad), "{detail}");
        }
    }

    #[test]
    fn metrics_keep_their_order_and_come_once() {
        let names = metric_names(L4, Some("rtt_us, bytes_sent,,rtt_us"), &[]).unwrap();
        assert_eq!(names, ["rtt_us", "bytes_sent"]);
        assert_eq!(metric_names(L4, None, &["closures"]).unwrap(), ["closures"]);
        let (_, expected, meant) = said(metric_names(L4, Some("byte_sent"), &[]).unwrap_err());
        assert_eq!(meant.as_deref(), Some("bytes_sent"));
        assert!(expected.contains("jitter_us"));
    }

    #[test]
    fn a_metric_of_another_layer_names_it() {
        let (detail, expected, _) =
            said(metric_names(Table::L7Flows, Some("requests,rtt_us"), &[]).unwrap_err());
        assert_eq!(detail, "`rtt_us` is a metric of layer l4, and layer l7 is asked for");
        assert!(expected.starts_with("layer=l4, or metrics of layer l7: requests"), "{expected}");
        let (detail, _, _) = said(sort(L4, Some("-dns_us"), &[], "-bytes_sent").unwrap_err());
        assert_eq!(detail, "`dns_us` is a metric of layer dns, and layer l4 is asked for");
        let (detail, _, _) = said(key_field(L4, "group_by", "path", true).unwrap_err());
        assert_eq!(detail, "`path` is a field of layer l7, not of l4");
    }

    #[test]
    fn sorting_by_metric_or_key() {
        let by = |text| sort(L4, Some(text), &["client", "server"], "-bytes_sent");
        assert_eq!(by("-rtt_us").unwrap(), Sort { by: "rtt_us".to_owned(), descending: true });
        assert_eq!(by("client").unwrap(), Sort { by: "client".to_owned(), descending: false });
        assert_eq!(said(by("cliet").unwrap_err()).2.as_deref(), Some("client"));
        assert!(by("--rtt_us").is_err());
    }

    #[test]
    fn fields_that_mean_either_end_cannot_be_grouped_by() {
        assert!(key_field(L4, "fields", "process", false).is_ok());
        assert!(key_field(L4, "group_by", "process", true).is_err());
        assert!(key_field(L4, "group_by", "server_process", true).is_ok());
        assert!(key_field(L4, "fields", "bytes_sent", false).is_err());
    }

    #[test]
    fn entities_have_a_kind_and_an_id() {
        let (kind, id) = entity("focus", "external:2001:db8::1").unwrap();
        assert_eq!((kind, id.as_str()), (EntityKind::External, "2001:db8::1"));
        for bad in ["nginx", "process:", "proces:a/b", ""] {
            assert!(entity("focus", bad).is_err(), "{bad}");
        }
        assert_eq!(said(entity("focus", "proces:a").unwrap_err()).2.as_deref(), Some("process"));
    }
}
