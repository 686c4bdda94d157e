//! Data directories of every format version that was ever written can be read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::one;
use serde_json::Value;
use weir_query::{Answer, Shape};
use weir_schema::{FORMAT_VERSION, Table};
use weir_store::conformance::rows::Row;
use weir_store::conformance::{HOUR_MS, question_of};
use weir_store::{Store, Stored};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// The rows that a golden holds, by table. The first format knew one table.
fn expected_rows(golden: &Path) -> Vec<(Table, Vec<Row>)> {
    let text = fs::read(golden.join("rows.json")).unwrap();
    match serde_json::from_slice::<Value>(&text).unwrap() {
        Value::Object(tables) => {
            let table = |(name, rows): (String, Value)| {
                (Table::parse(&name).unwrap(), serde_json::from_value(rows).unwrap())
            };
            tables.into_iter().map(table).collect()
        }
        rows => vec![(Table::L4Flows, serde_json::from_value(rows).unwrap())],
    }
}

fn check(golden: &Path) {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden.join("data"), dir.path());
    let expected = expected_rows(golden);
    let store = crate::support::open(dir.path());
    let status = store.status().unwrap();
    assert_eq!(status.rows, expected.iter().map(|(_, rows)| rows.len() as u64).sum::<u64>());
    assert!(status.journal_rows > 0 && status.files > 0, "{status:?}");
    for (table, expected) in &expected {
        check_rows(&store, *table, expected);
        check_quantiles(&store, *table);
    }
    // Sequences are known too.
    assert_eq!(store.ingest(&one(1, 0, 1)).unwrap(), Stored::Duplicate);
    assert_eq!(store.ingest(&one(3, 0, 1)).unwrap(), Stored::New);
}

fn check_rows(store: &dyn Store, table: Table, expected: &[Row]) {
    let mut newest_first = question_of(table, Shape::Rows { cursor: None, limit: 100, sort: None });
    newest_first.window.to_ms += HOUR_MS;
    let Answer::Rows(found) = store.ask(&newest_first).unwrap() else { panic!("not rows") };
    assert_eq!(found.rows.len(), expected.len());
    for (found, expected) in found.rows.iter().zip(expected.iter().rev()) {
        for (name, value) in found {
            if table.columns().iter().any(|column| column.name == name) {
                assert_eq!(value, expected.get(name).unwrap_or(&Value::Null), "{name}");
            }
        }
    }
    assert_eq!(found.incomplete, []);
}

/// Sketches of the golden are read as they were written.
fn check_quantiles(store: &dyn Store, table: Table) {
    let metric = match table {
        Table::L7Flows => "response_us_p50",
        Table::DnsFlows => "dns_us_p50",
        Table::L4Flows | Table::L7Samples => return,
    };
    let shape = Shape::Groups {
        by: Vec::new(),
        metrics: vec![metric.to_owned()],
        sort: None,
        limit: 1,
        offset: 0,
    };
    let mut question = question_of(table, shape);
    question.window.to_ms += HOUR_MS;
    let Answer::Groups(groups) = store.ask(&question).unwrap() else { panic!("not groups") };
    let median = groups.totals[0].unwrap();
    assert!((median - 30.0).abs() <= 1.5, "{metric}: {median}");
}

#[test]
fn every_version_can_be_read() {
    let mut versions = 0;
    for entry in fs::read_dir(goldens()).unwrap() {
        check(&entry.unwrap().path());
        versions += 1;
    }
    assert_eq!(versions, FORMAT_VERSION);
}

#[test]
fn the_current_version_has_a_golden() {
    let golden = goldens().join(format!("v{FORMAT_VERSION}"));
    assert!(
        golden.join("rows.json").exists(),
        "cargo run -p weir-store-parquet --example golden -- {}",
        golden.display()
    );
}
