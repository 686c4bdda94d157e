//! Data directories of every format version that was ever written can be read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::one;
use serde_json::Value;
use weir_query::{Answer, Shape};
use weir_schema::FORMAT_VERSION;
use weir_store::conformance::rows::Row;
use weir_store::conformance::{HOUR_MS, question};
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

fn check(golden: &Path) {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden.join("data"), dir.path());
    let expected: Vec<Row> =
        serde_json::from_slice(&fs::read(golden.join("rows.json")).unwrap()).unwrap();
    let store = crate::support::open(dir.path());
    let status = store.status().unwrap();
    assert_eq!(status.rows, expected.len() as u64);
    assert!(status.journal_rows > 0 && status.files > 0, "{status:?}");
    let mut newest_first = question(Shape::Rows { cursor: None, limit: 100, sort: None });
    newest_first.window.to_ms += HOUR_MS;
    let Answer::Rows(found) = store.ask(&newest_first).unwrap() else { panic!("not rows") };
    assert_eq!(found.rows.len(), expected.len());
    for (found, expected) in found.rows.iter().zip(expected.iter().rev()) {
        for (name, value) in found {
            let is_stored = weir_schema::L4_FLOWS.iter().any(|column| column.name == name);
            if is_stored {
                assert_eq!(value, expected.get(name).unwrap_or(&Value::Null), "{name}");
            }
        }
    }
    assert_eq!(found.incomplete, []);
    // Sequences are known too.
    assert_eq!(store.ingest(&one(1, 0, 1)).unwrap(), Stored::Duplicate);
    assert_eq!(store.ingest(&one(3, 0, 1)).unwrap(), Stored::New);
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
