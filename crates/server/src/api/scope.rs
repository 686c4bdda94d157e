//! The scope of a question: range, level, filter and perspective, read from the parameters that
//! all questions share.

use axum::http::StatusCode;
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
    pub filter: Expr,
    pub perspective: Perspective,
}

impl Scope {
    pub fn read(params: &ScopeParams, now_ms: i64) -> Result<Self, Problem> {
        let layer = params.layer.as_deref();
        let layer = read::word("layer", layer, Layer::ALL, Layer::as_str, Layer::L4)?;
        if layer == Layer::L7 {
            return Err(no_l7());
        }
        let level = params.level.as_deref();
        let level = read::word("level", level, Level::ALL, Level::as_str, Level::Process)?;
        let filter = params.filter.as_deref().unwrap_or_default();
        let filter = parse_filter(Table::L4Flows, filter).map_err(|e| Problem::filter(&e))?;
        let perspective = read::word(
            "perspective",
            params.perspective.as_deref(),
            Perspective::ALL,
            Perspective::as_str,
            default_perspective(&filter),
        )?;
        Ok(Self { window: range(params, now_ms)?, level, filter, perspective })
    }

    /// A question about this scope.
    pub fn question(&self, shape: Shape) -> Question {
        Question {
            layer: Layer::L4,
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

fn no_l7() -> Problem {
    let mut problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "not-recorded",
        "The layer is not recorded",
        "this version records the transport layer only: no requests, paths or status codes",
    );
    problem.parameter = Some("layer".to_owned());
    problem.expected("l4")
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
