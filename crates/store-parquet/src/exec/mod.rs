//! Answers questions over segments: select rows, group them, add up.
//!
//! Owns what an answer means (see [`weir_store::Store`]) and the use of threads. A damaged file is
//! set aside and the question asked again over the rest, so that an answer never holds a part of
//! a file.

mod cursor;
mod entity;
mod facets;
mod fields;
mod filter;
mod groups;
mod keys;
mod last;
mod metrics;
mod render;
mod rows;
mod scan;
mod select;
mod series;
mod sketches;

use weir_query::{Answer, Incomplete, Question, Shape};
use weir_schema::Table;
use weir_store::StoreError;

use crate::errors::invalid;
use crate::exec::metrics::{MetricPlan, Totals};
use crate::segment::{ScanError, Segment};
use crate::state::{Shared, Snapshot};

/// A question with what is needed to answer it.
pub(crate) struct Scan<'a> {
    pub shared: &'a Shared,
    pub question: &'a Question,
    /// Those that overlap the question's range, newest first.
    pub segments: Vec<Segment>,
    pub incomplete: Vec<Incomplete>,
}

/// Answers a question.
pub fn ask(shared: &Shared, question: &Question) -> Result<Answer, StoreError> {
    let window = question.window;
    if window.from_ms >= window.to_ms {
        let (from, to) = (window.from_ms, window.to_ms);
        return Err(invalid(format!("the range {from}..{to} ms is empty: from is not before to")));
    }
    loop {
        let snapshot = shared.snapshot(question.table, window);
        match ask_once(shared, question, &snapshot) {
            Ok(answer) => return Ok(answer),
            Err(ScanError::Store(error)) => return Err(error),
            Err(ScanError::Corrupt { file, reason }) => shared.set_aside(&file, &reason)?,
        }
    }
}

impl Scan<'_> {
    pub fn table(&self) -> Table {
        self.question.table
    }

    /// Running values of this question's groups.
    pub fn totals(&self, plan: &MetricPlan) -> Totals {
        Totals::new(plan, self.shared.options.sketch_bytes_max)
    }
}

fn ask_once(
    shared: &Shared,
    question: &Question,
    snapshot: &Snapshot,
) -> Result<Answer, ScanError> {
    let window = question.window;
    let mut segments = Vec::new();
    for file in &snapshot.files {
        segments.extend(file.segments()?);
    }
    segments.extend(snapshot.hot.iter().map(|batch| Segment::hot(batch.clone())));
    segments.retain(|s| s.min_ms < window.to_ms && s.max_ms >= window.from_ms);
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.max_ms));
    let incomplete = corrupt_files(snapshot);
    let scan = Scan { shared, question, segments, incomplete };
    match &question.shape {
        Shape::Groups { by, metrics, sort, limit, offset } => {
            let page = groups::Page { sort: sort.as_ref(), limit: *limit, offset: *offset };
            groups::answer(&scan, by, metrics, &page).map(Answer::Groups)
        }
        Shape::Series { by, metrics, step_ms, limit } => {
            series::answer(&scan, by, metrics, *step_ms, *limit).map(Answer::Series)
        }
        Shape::Facets { fields, limit } => {
            facets::answer(&scan, fields, *limit).map(Answer::Facets)
        }
        Shape::Rows { cursor, limit, sort } => {
            rows::answer(&scan, cursor.as_ref(), *limit, sort.as_ref()).map(Answer::Rows)
        }
    }
}

fn corrupt_files(snapshot: &Snapshot) -> Vec<Incomplete> {
    let rows: u64 = snapshot.corrupt.iter().map(|row| row.rows).sum();
    let files = snapshot.corrupt.len();
    if files == 0 {
        return Vec::new();
    }
    vec![Incomplete {
        kind: "corrupt".to_owned(),
        component: "store".to_owned(),
        reason: "file_unreadable".to_owned(),
        count: rows,
        message: format!("{rows} rows are in {files} stored files that cannot be read"),
    }]
}
