//! What a store must answer, worked out row by row from JSON objects, with no thought of speed.
//!
//! Shares no code with any executor: it is the second opinion.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use weir_model::{Entity, EntityKind, Level, Perspective};
use weir_query::{
    EntityKey, Expr, Facet, FacetValue, Group, GroupBy, GroupValue, Question, SeriesLine, Sort,
};
use weir_schema::{ColumnType, Field, FieldKind, Formula, Merge, Side, Table, field, metric};

use super::rows::{Row, values_of};

fn get<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    row.get(name).filter(|value| !value.is_null())
}

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    get(row, name).and_then(Value::as_str)
}

fn number(row: &Row, name: &str) -> Option<u64> {
    get(row, name).and_then(Value::as_u64)
}

fn is_incoming(row: &Row) -> bool {
    text(row, "direction") == Some("incoming")
}

/// The prefix of the end that a side means in this row.
fn prefix(row: &Row, side: Side) -> &'static str {
    match (side, is_incoming(row)) {
        (Side::Local, _) | (Side::Client, false) | (Side::Server, true) => "local",
        _ => "remote",
    }
}

fn time(table: Table, row: &Row) -> i64 {
    number(row, table.time_column()).unwrap_or_default() as i64
}

fn in_range(row: &Row, question: &Question) -> bool {
    let time = time(question.table, row);
    time >= question.window.from_ms && time < question.window.to_ms
}

fn is_seen(row: &Row, perspective: Perspective) -> bool {
    let both = get(row, "remote_agent").is_some();
    let end = |side: &str| {
        let (ip, port) = (format!("{side}_ip"), format!("{side}_port"));
        (text(row, &ip).map(str::to_owned), number(row, &port))
    };
    match (text(row, "direction").unwrap_or_default(), perspective) {
        (_, Perspective::Both) | ("incoming", Perspective::Server) => true,
        ("incoming", Perspective::Merged) => !both,
        (_, Perspective::Server) | ("incoming", Perspective::Client) => false,
        ("unknown", _) => !both || end("local") <= end("remote"),
        _ => true,
    }
}

/// What a row's columns give of a metric that is no column.
fn computed_of_row(table: Table, row: &Row, name: &str) -> Option<Option<f64>> {
    let ratio = |above: &str, below: &str, factor: f64| {
        let (sum, count) = (number(row, above)?, number(row, below)?);
        (count > 0).then(|| sum as f64 * factor / count as f64)
    };
    match metric(table, name)?.formula {
        Formula::Ratio { numerator, denominator } => Some(ratio(numerator, denominator, 1.0)),
        Formula::PerSecond { column } => Some(ratio(column, "window_ms", 1_000.0)),
        Formula::Quantile { column, percent } => Some(quantile(&[row], column, percent)),
        _ => None,
    }
}

/// The value of rank `ceil(percent / 100 * n)` of all that the rows' sketches counted.
fn quantile(rows: &[&Row], column: &str, percent: u8) -> Option<f64> {
    let lists = rows.iter().filter_map(|row| values_of(get(row, column)?));
    let mut values: Vec<u64> = lists.flatten().collect();
    values.sort_unstable();
    let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
    values.get(rank - 1).map(|value| *value as f64)
}

/// Whether an answer is the value that the oracle worked out: a quantile may be off by 5 %.
pub fn is_answer(table: Table, name: &str, found: Option<f64>, exact: Option<f64>) -> bool {
    let formula = metric(table, name).map(|known| known.formula);
    match (formula, found, exact) {
        (Some(Formula::Quantile { .. }), Some(found), Some(exact)) => {
            (found - exact).abs() <= 0.05 * exact.max(1.0)
        }
        (Some(Formula::PerSecond { .. }), Some(found), Some(exact)) => {
            (found - exact).abs() <= 1e-9 * exact.abs()
        }
        (_, found, exact) => found == exact,
    }
}

/// The values that a field has in a row: two for either end.
fn values(table: Table, row: &Row, field: &Field) -> Vec<Option<Value>> {
    let of = |name: String| get(row, &name).cloned();
    match field.side {
        Side::Flow => match computed_of_row(table, row, field.column) {
            Some(value) => vec![value.map(Value::from)],
            None => vec![of(field.column.to_owned())],
        },
        Side::Either => {
            vec![of(format!("local_{}", field.column)), of(format!("remote_{}", field.column))]
        }
        side => vec![of(format!("{}_{}", prefix(row, side), field.column))],
    }
}

fn matches(table: Table, expr: &Expr, row: &Row) -> bool {
    match expr {
        Expr::And(parts) => parts.iter().all(|part| matches(table, part, row)),
        Expr::Or(parts) => parts.iter().any(|part| matches(table, part, row)),
        Expr::Not(inner) => !matches(table, inner, row),
        Expr::Match { field, predicate } => {
            let mut values = values(table, row, field);
            values.extend(field.also.map(|also| get(row, also).cloned()));
            values.into_iter().flatten().any(|value| match &value {
                Value::String(text) if field.kind == FieldKind::Ip => predicate.matches_ip(text),
                Value::String(text) => predicate.matches_text(text),
                value => value.as_f64().is_some_and(|value| predicate.matches_number(value)),
            })
        }
        Expr::Anywhere(pattern) => table.columns().iter().any(|column| {
            let is_text = matches!(column.ty, ColumnType::Text | ColumnType::Ip);
            let value = text(row, column.name).filter(|_| is_text && column.merge == Merge::Key);
            value.is_some_and(|value| pattern.matches(value))
        }),
    }
}

/// The rows that a question reads.
pub fn selected<'a>(rows: &'a [Row], question: &Question) -> Vec<&'a Row> {
    rows.iter()
        .filter(|row| in_range(row, question))
        .filter(|row| is_seen(row, question.perspective))
        .filter(|row| matches(question.table, &question.filter, row))
        .collect()
}

fn plain(kind: EntityKind, id: &str) -> Entity {
    Entity {
        kind,
        id: id.to_owned(),
        name: id.to_owned(),
        cluster: None,
        namespace: None,
        host: None,
        workload_kind: None,
    }
}

fn entity(row: &Row, side: Side, level: Level, fold_external: bool) -> Entity {
    let end = prefix(row, side);
    let own = |name: &str| text(row, &format!("{end}_{name}")).map(str::to_owned);
    let host = own("host");
    let (cluster, namespace) = (own("cluster"), own("namespace"));
    let named = |kind, name: String, host: Option<String>| {
        let parts = [cluster.clone(), namespace.clone(), host.clone(), Some(name.clone())];
        let id = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
        let (cluster, namespace) = (cluster.clone(), namespace.clone());
        Entity { kind, id, name, cluster, namespace, host, workload_kind: None }
    };
    let workload = || {
        let name = own("deployment")?;
        let host = host.clone().filter(|_| namespace.is_none());
        let workload_kind = own("workload_kind");
        Some(Entity { workload_kind, ..named(EntityKind::Workload, name, host) })
    };
    let known = match level {
        Level::Process => own("process").zip(host.clone()).map(|(process, host)| Entity {
            id: format!("{host}/{process}"),
            name: process,
            host: Some(host),
            ..plain(EntityKind::Process, "")
        }),
        Level::Host => None,
        Level::Pod => own("pod").map(|pod| named(EntityKind::Pod, pod, None)),
        Level::Deployment => workload(),
        Level::Service => {
            own("service").map(|s| named(EntityKind::Service, s, None)).or_else(workload)
        }
    };
    if let Some(known) = known {
        return known;
    }
    if let Some(host) = host {
        return plain(EntityKind::Host, &host);
    }
    let has_services = matches!(level, Level::Pod | Level::Deployment);
    if let Some(service) = own("service").filter(|_| has_services) {
        return named(EntityKind::Service, service, None);
    }
    let (domain, ip) = (own("domain"), own("ip").unwrap_or_default());
    if !fold_external {
        return plain(EntityKind::External, &domain.unwrap_or(ip));
    }
    let server_port = number(row, &format!("{}_port", prefix(row, Side::Server)));
    match domain {
        Some(domain) if server_port.is_some_and(|port| port < 10_000) => {
            plain(EntityKind::External, &domain)
        }
        _ if is_private(&ip) => plain(EntityKind::ExternalGroup, "private"),
        _ => plain(EntityKind::ExternalGroup, "internet"),
    }
}

fn is_private(ip: &str) -> bool {
    const BLOCKS: [(&str, u8); 14] = [
        ("10.0.0.0", 8),
        ("172.16.0.0", 12),
        ("192.168.0.0", 16),
        ("100.64.0.0", 10),
        ("169.254.0.0", 16),
        ("127.0.0.0", 8),
        ("224.0.0.0", 4),
        ("255.255.255.255", 32),
        ("0.0.0.0", 32),
        ("fc00::", 7),
        ("fe80::", 10),
        ("ff00::", 8),
        ("::1", 128),
        ("::", 128),
    ];
    BLOCKS.iter().any(|(block, prefix)| {
        let addr: IpAddr = block.parse().expect("a block of the table");
        weir_query::Predicate::Cidr { addr, prefix: *prefix }.matches_ip(ip)
    })
}

/// A group's key in an order of its own: absent values last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Entity(String, Entity),
    Number(u64),
    Text(String),
    Absent(bool),
}

fn part(table: Table, row: &Row, by: &GroupBy) -> Part {
    match by {
        GroupBy::Entity { side, level, fold_external } => {
            let entity = entity(row, *side, *level, *fold_external);
            Part::Entity(entity.name.clone(), entity)
        }
        GroupBy::Field(name) => {
            let field = field(table, name).expect("a field of the table");
            match values(table, row, &field).remove(0) {
                Some(Value::String(text)) => Part::Text(text),
                Some(value) => Part::Number(value.as_u64().unwrap_or_default()),
                None => Part::Absent(field.kind == FieldKind::Number),
            }
        }
    }
}

fn value(part: &Part) -> GroupValue {
    match part {
        Part::Entity(_, entity) => GroupValue::Entity(EntityKey(entity.clone())),
        Part::Number(number) => GroupValue::Number(Some(*number)),
        Part::Text(text) => GroupValue::Text(Some(text.clone())),
        Part::Absent(true) => GroupValue::Number(None),
        Part::Absent(false) => GroupValue::Text(None),
    }
}

fn is_local(table: Table, by: &[GroupBy]) -> bool {
    by.iter().any(|by| {
        let side = match by {
            GroupBy::Entity { side, .. } => *side,
            GroupBy::Field(name) => field(table, name).expect("a field of the table").side,
        };
        matches!(side, Side::Local | Side::Remote)
    })
}

/// What tells which rows are of their agent's last window.
struct LastWindows<'a> {
    rows: &'a [Row],
    question: &'a Question,
    /// [`i64::MAX`]: the whole range.
    step_ms: i64,
}

impl LastWindows<'_> {
    fn has(&self, row: &Row) -> bool {
        let start = |row: &Row| time(self.question.table, row);
        let step = |row: &Row| start(row).div_euclid(self.step_ms);
        let agent = text(row, "agent");
        let others = self.rows.iter().filter(|other| {
            in_range(other, self.question)
                && text(other, "agent") == agent
                && step(other) == step(row)
        });
        others.map(start).max() == Some(start(row))
    }
}

fn computed(rows: &[&Row], name: &str, is_local: bool, last: &LastWindows) -> Option<f64> {
    let question = last.question;
    let known = metric(question.table, name).expect("a metric");
    let column = |row: &Row, column: &'static str| match known.mirror {
        Some(mirror) if !is_local && is_incoming(row) => number(row, mirror),
        _ => number(row, column),
    };
    let of = |name: &'static str| rows.iter().filter_map(move |row| column(row, name));
    let sum = |values: Vec<u64>| values.into_iter().reduce(u64::saturating_add);
    match known.formula {
        Formula::Sum { column } => sum(of(column).collect()).map(|sum| sum as f64),
        Formula::Min { column } => of(column).min().map(|min| min as f64),
        Formula::Max { column } => of(column).max().map(|max| max as f64),
        Formula::Last { column } => {
            let rows = rows.iter().filter(|row| last.has(row));
            sum(rows.filter_map(|row| number(row, column)).collect()).map(|sum| sum as f64)
        }
        Formula::Ratio { numerator, denominator } => {
            let count = sum(of(denominator).collect())?;
            let sum = sum(of(numerator).collect())?;
            (count > 0).then(|| sum as f64 / count as f64)
        }
        Formula::PerSecond { column } => {
            let length_ms = match last.step_ms {
                i64::MAX => question.window.length_ms(),
                step_ms => step_ms,
            };
            sum(of(column).collect()).map(|sum| sum as f64 / (length_ms as f64 / 1_000.0))
        }
        Formula::Quantile { column, percent } => quantile(rows, column, percent),
    }
}

fn absent_last(a: Option<f64>, b: Option<f64>, descending: bool) -> std::cmp::Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.is_none().cmp(&b.is_none()),
    }
}

/// Every group in order, and the totals.
pub fn groups(
    rows: &[Row],
    question: &Question,
    by: &[GroupBy],
    metrics: &[String],
    sort: Option<&Sort>,
) -> (Vec<Group>, Vec<Option<f64>>) {
    let last = LastWindows { rows, question, step_ms: i64::MAX };
    let selected = selected(rows, question);
    let mut by_key: BTreeMap<Vec<Part>, Vec<&Row>> = BTreeMap::new();
    if by.is_empty() {
        by_key.insert(Vec::new(), Vec::new());
    }
    for row in &selected {
        by_key
            .entry(by.iter().map(|by| part(question.table, row, by)).collect())
            .or_default()
            .push(row);
    }
    let is_local = is_local(question.table, by);
    let all = |rows: &[&Row]| -> Vec<Option<f64>> {
        metrics.iter().map(|name| computed(rows, name, is_local, &last)).collect()
    };
    let mut groups: Vec<(Vec<Part>, Vec<&Row>)> = by_key.into_iter().collect();
    if let Some(Sort { by, descending }) = sort {
        let weight = |rows: &[&Row]| computed(rows, by, is_local, &last);
        groups.sort_by(|a, b| absent_last(weight(&a.1), weight(&b.1), *descending));
    }
    let group = |(key, rows): &(Vec<Part>, Vec<&Row>)| Group {
        key: key.iter().map(value).collect(),
        metrics: all(rows),
    };
    (groups.iter().map(group).collect(), all(&selected))
}

/// The lines of a series.
pub fn series(
    rows: &[Row],
    question: &Question,
    by: &[GroupBy],
    metrics: &[String],
    step_ms: i64,
    limit: usize,
) -> (Vec<i64>, Vec<SeriesLine>) {
    let window = question.window;
    let first = window.from_ms.div_euclid(step_ms);
    let steps: Vec<i64> = (first..).take_while(|step| step * step_ms < window.to_ms).collect();
    let last = LastWindows { rows, question, step_ms };
    let heaviest = Sort { by: metrics[0].clone(), descending: true };
    let (ordered, _) = groups(rows, question, by, metrics, Some(&heaviest));
    let chosen: Vec<Vec<GroupValue>> = ordered.into_iter().map(|group| group.key).collect();
    let kept = if by.is_empty() { 1 } else { limit.min(chosen.len()) };
    let selected = selected(rows, question);
    let key = |row: &Row| -> Vec<GroupValue> {
        by.iter().map(|by| value(&part(question.table, row, by))).collect()
    };
    let line = |key_of_line: Vec<GroupValue>, is_rest: bool, rows: Vec<&Row>| {
        let cell = |name: &String, step: &i64| {
            let in_step = |row: &&&Row| time(question.table, row).div_euclid(step_ms) == *step;
            let rows: Vec<&Row> = rows.iter().filter(in_step).copied().collect();
            computed(&rows, name, is_local(question.table, by), &last)
        };
        let values = metrics.iter().map(|m| steps.iter().map(|s| cell(m, s)).collect());
        SeriesLine { key: key_of_line, is_rest, values: values.collect() }
    };
    let mut lines = Vec::new();
    for chosen in &chosen[..kept] {
        let rows = selected.iter().filter(|row| key(row) == *chosen).copied().collect();
        lines.push(line(chosen.clone(), false, rows));
    }
    if kept < chosen.len() {
        let is_rest = |row: &&&Row| !chosen[..kept].contains(&key(row));
        lines.push(line(Vec::new(), true, selected.iter().filter(is_rest).copied().collect()));
    }
    (steps.iter().map(|step| step * step_ms).collect(), lines)
}

/// The values of a field; of a text of several lines, each line.
pub fn facet(rows: &[Row], question: &Question, name: &str, limit: usize) -> Facet {
    let field = field(question.table, name).expect("a field of the table");
    let mut counts: BTreeMap<(bool, String), u64> = BTreeMap::new();
    for row in selected(rows, question) {
        let mut found: Vec<String> = values(question.table, row, &field)
            .into_iter()
            .flatten()
            .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
            .flat_map(|value| value.split('\n').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            *counts.entry((true, String::new())).or_default() += 1;
        }
        for value in found {
            *counts.entry((false, value)).or_default() += 1;
        }
    }
    let mut values: Vec<FacetValue> = counts
        .into_iter()
        .map(|((is_absent, value), count)| FacetValue {
            value: (!is_absent).then_some(value),
            count,
        })
        .collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.count));
    let left_out = values.len().saturating_sub(limit) as u64;
    values.truncate(limit);
    Facet { field: name.to_owned(), values, left_out }
}
