//! Each limit, and what happens when it is reached.

use std::fs;
use std::process::Command;

use crate::support::{bytes_sent, flow, groups, one, open, parquet_files};
use serde_json::json;
use weir_query::{GroupBy, Shape};
use weir_schema::Table;
use weir_store::conformance::rows::{batch, batch_of, row_of};
use weir_store::conformance::{HOUR_MS, START_MS, question_of, settle};
use weir_store::{Store, StoreErrorKind, Stored};
use weir_store_parquet::{Options, ParquetStore};

fn open_with(dir: &std::path::Path, change: impl FnOnce(&mut Options)) -> ParquetStore {
    let mut options = Options::new(dir);
    change(&mut options);
    ParquetStore::open(options).expect("the store opens")
}

#[test]
fn rows_in_memory_are_flushed_when_they_are_many() {
    for by_count in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let store = open_with(dir.path(), |options| {
            if by_count { options.hot_batches_max = 3 } else { options.hot_bytes_max = 2_000 }
        });
        for sequence in 0..40 {
            store.ingest(&one(sequence, 0, 1)).unwrap();
            let status = store.status().unwrap();
            assert_eq!(status.rows, sequence + 1);
            assert!(status.journal_rows < 20, "{status:?}");
        }
        assert_eq!(bytes_sent(&store), Some(40.0));
    }
}

#[test]
fn rows_that_cannot_be_written_are_refused_at_the_limit_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| options.hot_batches_max = 3);
    let in_the_way = dir.path().join("l4_flows");
    fs::write(&in_the_way, "").unwrap();
    for sequence in 0..3 {
        assert_eq!(store.ingest(&one(sequence, 0, 1)).unwrap(), Stored::New);
    }
    let error = store.ingest(&one(3, 0, 1)).expect_err("there is no room");
    assert_eq!(error.kind, StoreErrorKind::Busy, "{error}");
    assert_eq!(bytes_sent(&store), Some(3.0));
    fs::remove_file(in_the_way).unwrap();
    assert_eq!(store.ingest(&one(3, 0, 1)).unwrap(), Stored::New);
    assert_eq!(bytes_sent(&store), Some(4.0));
    assert_eq!(parquet_files(dir.path()).len(), 1);
}

#[test]
fn a_batch_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| options.batch_rows_max = 2);
    let rows = [flow(0, 1), flow(0, 1), flow(0, 1)];
    let error = store.ingest(&batch("a", 1, &rows)).expect_err("too many rows");
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    store.ingest(&batch("a", 1, &rows[..2])).unwrap();
    let error = store.ingest(&batch("a", 2, &[flow(0, 1), flow(8_640, 1)])).expect_err("too long");
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    let mut lossy = one(2, 0, 1);
    let loss = weir_model::Loss {
        kind: weir_model::LossKind::Lost,
        component: "window".to_owned(),
        reason: "full".to_owned(),
        count: 1,
    };
    lossy.losses = vec![loss; 1_001];
    let error = store.ingest(&lossy).expect_err("too many losses");
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert_eq!(bytes_sent(&store), Some(2.0));
}

#[test]
fn groups_beyond_the_limit_count_in_the_totals_and_the_answer_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| {
        options.groups_max = 10;
        options.row_group_rows_max = 7;
        options.thread_rows_min = 1;
        options.question_threads_max = 2;
    });
    let mut rows = Vec::new();
    for pid in 0..100_u64 {
        let mut row = flow(0, 1);
        row.insert("pid".to_owned(), pid.into());
        rows.push(row);
    }
    store.ingest(&batch("a", 1, &rows)).unwrap();
    settle(&store);
    for by in [&["pid"][..], &["transport", "pid"]] {
        let answer = groups(&store, by);
        assert_eq!((answer.total, answer.groups.len()), (10, 10), "{by:?}");
        assert_eq!(answer.totals, [Some(100.0)], "{by:?}");
        let cut = &answer.incomplete[0];
        assert_eq!((&*cut.kind, &*cut.reason), ("cut", "groups_max"), "{by:?}");
        assert_eq!(cut.count, 90, "{by:?}");
    }
}

#[test]
fn quantiles_of_too_many_groups_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| {
        options.sketch_bytes_max = 100_000;
        options.thread_rows_min = 1;
        options.row_group_rows_max = 100;
        options.question_threads_max = 2;
    });
    let row = |pid: u64| {
        let values: Vec<u64> = (0..20).map(|n| 1 << n).collect();
        row_of(Table::L7Flows, START_MS, json!({"pid": pid, "response_sketch": values}))
    };
    let rows: Vec<_> = (0..1_000).map(row).collect();
    store.ingest(&batch_of(Table::L7Flows, "a", 1, &rows)).unwrap();
    let ask = |by: &[&str], metric: &str| {
        let by = by.iter().map(|name| GroupBy::Field((*name).to_owned())).collect();
        let metrics = vec![metric.to_owned()];
        let shape = Shape::Groups { by, metrics, sort: None, limit: 10, offset: 0 };
        store.ask(&question_of(Table::L7Flows, shape))
    };
    for state in ["just stored", "settled"] {
        let error = ask(&["pid"], "response_us_p95").expect_err("too much memory");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{state}: {error}");
        assert!(error.to_string().contains("leave the quantiles out"), "{state}: {error}");
        assert!(ask(&["pid"], "response_us").is_ok(), "{state}");
        assert!(ask(&[], "response_us_p95").is_ok(), "{state}");
        settle(&store);
    }
}

#[test]
fn retention_can_be_set_by_table() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| {
        let hours = std::time::Duration::from_secs(3 * 3_600);
        options.retention.insert(weir_schema::Table::L4Flows, hours);
    });
    store.ingest(&one(1, 0, 1)).unwrap();
    store.ingest(&one(2, 360, 10)).unwrap();
    settle(&store);
    assert_eq!(parquet_files(dir.path()).len(), 2);
    store.maintain(START_MS + 4 * HOUR_MS - 1).unwrap();
    assert_eq!(bytes_sent(&store), Some(11.0), "an hour that is not over whole is kept");
    store.maintain(START_MS + 4 * HOUR_MS).unwrap();
    assert_eq!(bytes_sent(&store), Some(10.0));
    assert_eq!(parquet_files(dir.path()).len(), 1);
    store.maintain(START_MS + 5 * HOUR_MS).unwrap();
    assert_eq!(bytes_sent(&store), None);
    assert!(!dir.path().join("l4_flows").exists(), "empty directories go as well");
}

#[test]
fn past_hours_are_joined_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), |options| options.hot_batches_max = 2);
    for sequence in 0..20 {
        let window = if sequence % 2 == 0 { 0 } else { 360 };
        store.ingest(&one(sequence, window, 1)).unwrap();
    }
    assert!(parquet_files(dir.path()).len() > 10);
    store.maintain(START_MS + HOUR_MS + 300_000).unwrap();
    assert!(parquet_files(dir.path()).len() > 10, "late rows may still come");
    settle(&store);
    assert_eq!(parquet_files(dir.path()).len(), 2);
    assert_eq!(bytes_sent(&store), Some(20.0));
    drop(store);
    assert_eq!(bytes_sent(&open(dir.path())), Some(20.0));
}

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(dir.path());
        let output = mount.output().map_err(|error| format!("no mount command: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk is unmounted");
    }
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_stays() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("skipped: cannot mount a small file system ({reason})");
            return;
        }
    };
    let dir = disk.0.path().join("data");
    let store = open(&dir);
    let mut stored = 0;
    let error = loop {
        let rows: Vec<_> = (0..50).map(|n| flow(stored % 300 + n, 1)).collect();
        match store.ingest(&batch("a", stored as u64, &rows)) {
            Ok(Stored::New) => stored += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(stored < 10_000, "two megabytes hold no end of batches");
    };
    assert_eq!(error.kind, StoreErrorKind::Io, "{error}");
    let cause = error.source.as_ref().map(ToString::to_string);
    let says_full = format!("{error} {cause:?}").contains("full");
    assert!(says_full, "{error:?}");
    assert_eq!(bytes_sent(&store), Some(50.0 * stored as f64));
    drop(store);
    let store = open(&dir);
    assert_eq!(bytes_sent(&store), Some(50.0 * stored as f64));
}
