//! The scope of a question: range, level, filter and perspective, read from the parameters that
//! all questions share.

use weir_model::{Layer, Level, Perspective};
use weir_query::{Expr, GroupBy, Question, Shape, TimeWindow, parse_filter, parse_time_ms};
use weir_schema::{Side, Table};

use super::params::ScopeParams;
use super::read;
use super::types::Window;
use crate::problem::Problem;

/// Length of the range when only its end, or nothing, is given.
const DEFAULT_RANGE_MS: i64 = 15 * 60_000;

/// What part of the data a question is about.
#[derive(Clone, Debug)]
pub struct Scope {
    pub window: TimeWindow,
    pub level: Level,
    pub table: Table,
    pub filter: Expr,
    pub perspective: Perspective,
}

impl Scope {
    /// Of what is summed up: pairs, series, facets, the map.
    pub fn read(params: &ScopeParams, now_ms: i64) -> Result<Self, Problem> {
        Self::of(params, now_ms, Table::of_flows(layer(params)?))
    }

    /// Of single rows, on a path that is of one layer.
    pub fn of_rows(params: &ScopeParams, now_ms: i64, own: Layer) -> Result<Self, Problem> {
        if params.layer.is_some() && layer(params)? != own {
            let detail = format!("this path has the flows of layer {own}");
            let expected = match own {
                Layer::L4 => "l4; the requests of layer l7 are at /api/v1/flows/l7",
                _ => "l7; the flows of layer l4 are at /api/v1/flows/l4",
            };
            return Err(Problem::parameter("layer", detail).expected(expected));
        }
        Self::of(params, now_ms, Table::of_rows(own))
    }

    /// Of what is summed up, or of single rows where only these have what is asked for: the filter
    /// of a list of requests may name a trace.
    pub fn either<T>(
        params: &ScopeParams,
        now_ms: i64,
        also: impl Fn(&Self) -> Result<T, Problem>,
    ) -> Result<(Self, T), Problem> {
        let of = |table| {
            let scope = Self::of(params, now_ms, table)?;
            let asked = also(&scope)?;
            Ok((scope, asked))
        };
        let layer = layer(params)?;
        of(Table::of_flows(layer)).or_else(|problem| of(Table::of_rows(layer)).map_err(|_| problem))
    }

    fn of(params: &ScopeParams, now_ms: i64, table: Table) -> Result<Self, Problem> {
        let level = params.level.as_deref();
        let level = read::word("level", level, Level::ALL, Level::as_str, Level::Process)?;
        let filter = params.filter.as_deref().unwrap_or_default();
        let filter = parse_filter(table, filter).map_err(|e| Problem::filter(&e))?;
        let perspective = read::word(
            "perspective",
            params.perspective.as_deref(),
            Perspective::ALL,
            Perspective::as_str,
            default_perspective(&filter),
        )?;
        Ok(Self { window: range(params, now_ms)?, level, table, filter, perspective })
    }

    /// A question about this scope.
    pub fn question(&self, shape: Shape) -> Question {
        Question {
            table: self.table,
            window: self.window,
            perspective: self.perspective,
            filter: self.filter.clone(),
            shape,
        }
    }

    /// The same scope with a filter that holds in addition.
    pub fn narrowed(&self, filter: Expr) -> Self {
        Self { filter: self.filter.clone().and(filter), ..self.clone() }
    }

    /// The same scope over the range of the same length before.
    pub fn previous(&self) -> Self {
        Self { window: self.window.previous(), ..self.clone() }
    }

    /// The entity at one end, at the level of this scope.
    pub fn entity(&self, side: Side, fold_external: bool) -> GroupBy {
        GroupBy::Entity { side, level: self.level, fold_external }
    }

    /// The range as answers show it.
    pub fn window(&self, resolution_ms: i64) -> Window {
        let TimeWindow { from_ms, to_ms } = self.window;
        Window { from_ms, to_ms, resolution_s: resolution_ms / 1_000 }
    }
}

/// A filter that speaks of an observing end asks for rows as that end observed them: leaving out
/// the server's rows would answer `local_port:443` with nothing where both ends are observed.
fn default_perspective(filter: &Expr) -> Perspective {
    if filter.names(&|field| {
        matches!(field.side, Side::Local | Side::Remote) || field.column == "direction"
    }) {
        Perspective::Both
    } else {
        Perspective::Merged
    }
}

fn range(params: &ScopeParams, now_ms: i64) -> Result<TimeWindow, Problem> {
    let time = |name: &str, text: &Option<String>| match text {
        Some(text) => parse_time_ms(text, now_ms).map(Some).map_err(|e| Problem::time(name, &e)),
        None => Ok(None),
    };
    let to_ms = time("to", &params.to)?.unwrap_or(now_ms);
    let from_ms = time("from", &params.from)?.unwrap_or(to_ms - DEFAULT_RANGE_MS);
    if from_ms >= to_ms {
        let detail = format!("the range begins at {from_ms} ms and ends at {to_ms} ms since 1970");
        return Err(Problem::parameter("from", detail).expected("`from` before `to`"));
    }
    Ok(TimeWindow { from_ms, to_ms })
}

fn layer(params: &ScopeParams) -> Result<Layer, Problem> {
    read::word("layer", params.layer.as_deref(), Layer::ALL, Layer::as_str, Layer::L4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(from: Option<&str>, to: Option<&str>) -> ScopeParams {
        let text = |text: Option<&str>| text.map(str::to_owned);
        ScopeParams { from: text(from), to: text(to), ..ScopeParams::default() }
    }

    #[test]
    fn a_filter_on_an_observing_end_takes_the_rows_of_both_ends() {
        let check = |filter: &str, given: Option<&str>, expected| {
            let params = ScopeParams {
                filter: Some(filter.to_owned()),
                perspective: given.map(str::to_owned),
                ..ScopeParams::default()
            };
            let scope = Scope::read(&params, 1_000_000_000).map(|scope| scope.perspective);
            assert_eq!(scope.ok(), Some(expected), "{filter}");
        };
        check("", None, Perspective::Merged);
        check("server_port:443 transport:tcp", None, Perspective::Merged);
        check("local_port:443", None, Perspective::Both);
        check("a OR -(direction:incoming)", None, Perspective::Both);
        check("local_port:443", Some("merged"), Perspective::Merged);
    }

    #[test]
    fn the_layer_picks_the_table() {
        let asked = |layer: &str, filter: &str| ScopeParams {
            layer: Some(layer.to_owned()),
            filter: Some(filter.to_owned()),
            ..ScopeParams::default()
        };
        let now = 1_000_000_000;
        for (layer, flows) in
            [("l4", Table::L4Flows), ("l7", Table::L7Flows), ("dns", Table::DnsFlows)]
        {
            assert_eq!(Scope::read(&asked(layer, ""), now).map(|s| s.table).ok(), Some(flows));
        }
        let rows = |layer: &str, own| Scope::of_rows(&asked(layer, ""), now, own).map(|s| s.table);
        assert_eq!(rows("l7", Layer::L7).ok(), Some(Table::L7Samples));
        assert_eq!(rows("", Layer::L4).ok(), None, "an empty word is no layer");
        assert!(rows("l4", Layer::L7).is_err());
        let either = |filter: &str| {
            let found = Scope::either(&asked("l7", filter), now, |_| Ok(()));
            found.map(|(scope, ())| scope.table)
        };
        assert_eq!(either("path:/a").ok(), Some(Table::L7Flows));
        assert_eq!(either("trace_id:*").ok(), Some(Table::L7Samples));
        let wrong = either("trace_id:* rtt_us>5").unwrap_err();
        assert!(wrong.expected.as_deref().is_some_and(|text| text.contains("single requests")));
    }

    #[test]
    fn ranges() {
        let now = 100_000_000;
        let check = |from, to, expected: Option<(i64, i64)>| {
            let window = Scope::read(&params(from, to), now).ok().map(|scope| scope.window);
            assert_eq!(window.map(|w| (w.from_ms, w.to_ms)), expected, "{from:?} {to:?}");
        };
        check(None, None, Some((now - 900_000, now)));
        check(Some("now-5m"), None, Some((now - 300_000, now)));
        check(None, Some("50000000"), Some((49_100_000, 50_000_000)));
        check(Some("1970-01-01T00:00:01Z"), Some("2000"), Some((1_000, 2_000)));
        check(Some("now"), Some("now-1m"), None);
        check(Some("now"), None, None);
        check(Some("soon"), None, None);
    }
}
