//! The closed family of questions that every store answers.

use weir_model::{Level, Perspective};
use weir_schema::{Side, Table};

use crate::ast::Expr;

/// Most groups that one answer holds; what exceeds it is cut with "N of M".
pub const MAX_GROUPS: usize = 50_000;
/// Most steps of a series.
pub const MAX_STEPS: usize = 2_000;

/// Half-open time range `[from_ms, to_ms)`, Unix milliseconds. A row belongs to it when its
/// window starts in it; a single request, when it began in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    pub from_ms: i64,
    pub to_ms: i64,
}

impl TimeWindow {
    pub fn length_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }

    /// The range of the same length that ends where this one begins.
    pub fn previous(&self) -> Self {
        Self { from_ms: self.from_ms - self.length_ms(), to_ms: self.from_ms }
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What the rows are; it also says which metrics and filter fields there are.
    pub table: Table,
    pub window: TimeWindow,
    pub perspective: Perspective,
    pub filter: Expr,
    pub shape: Shape,
}

/// What the answer looks like.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Grouped metrics: summary, map, connections, totals (`by` empty: one group).
    Groups {
        by: Vec<GroupBy>,
        /// Metric names of the table.
        metrics: Vec<String>,
        sort: Option<Sort>,
        limit: usize,
        offset: usize,
    },
    /// Metrics over time, optionally one line per group (the heaviest `limit` groups by the first
    /// metric, the rest folded into one line whose group is empty).
    Series { by: Vec<GroupBy>, metrics: Vec<String>, step_ms: i64, limit: usize },
    /// Most frequent values of each named filter field, by number of rows.
    Facets { fields: Vec<String>, limit: usize },
    /// Raw rows, newest first.
    Rows { cursor: Option<Cursor>, limit: usize, sort: Option<Sort> },
}

/// One grouping column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The entity at one end (`Client`, `Server`, `Local` or `Remote`) at a level, with its
    /// fall-backs (see [`crate::EntityKey`]).
    Entity { side: Side, level: Level, fold_external: bool },
    /// Any key field of the filter language except [`Side::Either`] ones.
    Field(String),
}

/// Order of groups or rows. Ties are broken by the group's own key so that pages are stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// A metric, a key field that is grouped by, or `client`/`server` for the entity's name.
    pub by: String,
    pub descending: bool,
}

/// Where the next page of rows begins: opaque to everyone but the store that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// The step of a series that draws `window` with at most `points` points: the smallest of 10 s,
/// 30 s, 1 min, 5 min, 10 min, 30 min, 1 h, 3 h, 6 h, 1 day that does, never below `resolution_ms`.
pub fn choose_step_ms(window: TimeWindow, resolution_ms: i64, points: usize) -> i64 {
    const STEPS_S: [i64; 10] = [10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];
    let wanted = window.length_ms() / points.max(1) as i64;
    let fine = STEPS_S.into_iter().map(|s| s * 1_000);
    let chosen = fine.into_iter().find(|step| *step >= wanted && *step >= resolution_ms);
    chosen.unwrap_or_else(|| {
        let day = 86_400_000;
        day * ((wanted + day - 1) / day).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fit_the_window() {
        let step = |minutes: i64| {
            choose_step_ms(TimeWindow { from_ms: 0, to_ms: minutes * 60_000 }, 10_000, 120)
        };
        assert_eq!(step(5), 10_000);
        assert_eq!(step(15), 10_000);
        assert_eq!(step(60), 30_000);
        assert_eq!(step(48 * 60), 1_800_000);
        assert_eq!(step(400 * 24 * 60), 4 * 86_400_000);
    }
}
