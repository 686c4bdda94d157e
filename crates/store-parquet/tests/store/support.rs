//! What several tests of this crate need.

use std::path::{Path, PathBuf};

use serde_json::json;
use weir_query::{Answer, GroupBy, Groups, Shape};
use weir_store::conformance::rows::{Row, batch, row};
use weir_store::conformance::{START_MS, WINDOW_MS, question};
use weir_store::{Store, StoreBatch};
use weir_store_parquet::{Options, ParquetStore};

pub fn open(dir: &Path) -> ParquetStore {
    ParquetStore::open(Options::new(dir)).expect("the store opens")
}

/// A row of the window with this number that weighs `bytes`.
pub fn flow(window: i64, bytes: u64) -> Row {
    row(START_MS + window * WINDOW_MS, json!({ "bytes_sent": bytes }))
}

/// A batch of one row.
pub fn one(sequence: u64, window: i64, bytes: u64) -> StoreBatch {
    batch("a", sequence, &[flow(window, bytes)])
}

/// `bytes_sent` over the suite's days, by fields.
pub fn groups(store: &dyn Store, by: &[&str]) -> Groups {
    let mut question = question(Shape::Groups {
        by: by.iter().map(|name| GroupBy::Field((*name).to_owned())).collect(),
        metrics: vec!["bytes_sent".to_owned()],
        sort: None,
        limit: 50_000,
        offset: 0,
    });
    question.window.to_ms += 1_000 * 3_600_000;
    match store.ask(&question).expect("an answer") {
        Answer::Groups(groups) => groups,
        other => panic!("not groups: {other:?}"),
    }
}

/// Sum of `bytes_sent` of everything that is stored.
pub fn bytes_sent(store: &dyn Store) -> Option<f64> {
    groups(store, &[]).totals[0]
}

/// Every file below a directory, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { pending.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The Parquet files in use below a data directory.
pub fn parquet_files(dir: &Path) -> Vec<PathBuf> {
    let is_parquet = |path: &PathBuf| path.extension().is_some_and(|e| e == "parquet");
    files(dir).into_iter().filter(is_parquet).collect()
}
