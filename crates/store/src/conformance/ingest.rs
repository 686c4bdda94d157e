//! What becomes of batches: once, durable, checked, kept as long as said.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use serde_json::json;
use weir_model::{Loss, LossKind};
use weir_query::{Answer, Shape, TimeWindow};
use weir_schema::Table;

use super::rows::{Row, batch, record_batch, row};
use super::{HOUR_MS, Open, START_MS, WINDOW_MS, ask, question, settle, store_rows};
use crate::{Store, StoreErrorKind, Stored};

/// Far beyond the suite's rows and any default retention.
const LATER_MS: i64 = START_MS + 1_000 * HOUR_MS;

/// Sum of `bytes_sent` of everything that is stored.
fn bytes_sent(store: &dyn Store) -> Option<f64> {
    let mut question = question(Shape::Groups {
        by: Vec::new(),
        metrics: vec!["bytes_sent".to_owned()],
        sort: None,
        limit: 1,
        offset: 0,
    });
    question.window = TimeWindow { from_ms: 0, to_ms: 2 * LATER_MS };
    match ask(store, &question) {
        Answer::Groups(groups) => groups.totals[0],
        other => panic!("not groups: {other:?}"),
    }
}

fn with_bytes(start_ms: i64, bytes: u64) -> Row {
    row(start_ms, json!({ "bytes_sent": bytes }))
}

pub fn a_batch_sent_twice_counts_once(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let first = batch("a", 7, &[with_bytes(START_MS, 1)]);
    let other_agent = batch("b", 7, &[with_bytes(START_MS, 10)]);
    let last_number = batch("a", u64::MAX, &[with_bytes(START_MS, 100)]);
    for expected in [Stored::New, Stored::Duplicate] {
        assert_eq!(store.ingest(&first).unwrap(), expected);
        assert_eq!(store.ingest(&other_agent).unwrap(), expected);
        assert_eq!(store.ingest(&last_number).unwrap(), expected);
    }
    assert_eq!(bytes_sent(store), Some(111.0));
    settle(store);
    assert_eq!(store.ingest(&first).unwrap(), Stored::Duplicate);
    // The number decides, not what the batch holds.
    let other_rows = batch("a", 7, &[with_bytes(START_MS, 1_000)]);
    assert_eq!(store.ingest(&other_rows).unwrap(), Stored::Duplicate);
    assert_eq!(bytes_sent(store), Some(111.0));
}

pub fn batches_that_do_not_fit_the_schema_are_refused(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let good = batch("a", 1, &[with_bytes(START_MS, 1)]);
    let with_column = |name: &str, column: ArrayRef| {
        let mut columns: Vec<(String, ArrayRef, bool)> = Vec::new();
        for (field, array) in good.rows.schema().fields().iter().zip(good.rows.columns()) {
            if field.name() != name {
                columns.push((field.name().clone(), array.clone(), field.is_nullable()));
            }
        }
        columns.push((name.to_owned(), column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let mut wrong = vec![
        ("an unknown column", with_column("colour", numbers.clone())),
        ("a column of another type", with_column("local_ip", numbers)),
    ];
    let agent = good.rows.schema().index_of("agent").unwrap();
    let mut without = good.rows.clone();
    without.remove_column(agent);
    wrong.push(("a required column missing", without));
    for (name, rows) in wrong {
        let mut batch = good.clone();
        batch.rows = rows;
        let error = store.ingest(&batch).expect_err(name);
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{name}: {error}");
    }
    for (from_ms, to_ms) in [
        (START_MS + 1, START_MS + WINDOW_MS),
        (START_MS - WINDOW_MS, START_MS),
        (START_MS + WINDOW_MS, START_MS),
        (-1, START_MS + WINDOW_MS),
        (0, i64::MAX),
    ] {
        let mut batch = good.clone();
        (batch.from_ms, batch.to_ms) = (from_ms, to_ms);
        let error = store.ingest(&batch).expect_err("a time that is not the rows'");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{from_ms}..{to_ms}: {error}");
    }
    assert_eq!(bytes_sent(store), None);
    // The number of a refused batch is not used up.
    assert_eq!(store.ingest(&good).unwrap(), Stored::New);
    assert_eq!(bytes_sent(store), Some(1.0));
}

pub fn columns_may_be_missing_from_a_batch(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let mut lean = batch("a", 1, &[with_bytes(START_MS, 5)]);
    let required: Vec<usize> = (0..lean.rows.num_columns())
        .filter(|id| {
            let schema = lean.rows.schema();
            let field = schema.field(*id);
            !field.is_nullable() || field.name() == "bytes_sent"
        })
        .collect();
    lean.rows = lean.rows.project(&required).unwrap();
    assert_eq!(store.ingest(&lean).unwrap(), Stored::New);
    assert_eq!(bytes_sent(store), Some(5.0));
    settle(store);
    assert_eq!(bytes_sent(store), Some(5.0));
}

pub fn an_empty_batch_is_stored(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let mut empty = batch("a", 1, &[with_bytes(START_MS, 1)]);
    empty.rows = record_batch(Table::L4Flows, &[]);
    empty.losses = vec![loss("spool", 3)];
    assert_eq!(store.ingest(&empty).unwrap(), Stored::New);
    assert_eq!(store.ingest(&empty).unwrap(), Stored::Duplicate);
    settle(store);
    assert_eq!(bytes_sent(store), None);
    assert_eq!(store.losses(START_MS, START_MS + 1).unwrap().len(), 1);
}

fn loss(component: &str, count: u64) -> Loss {
    let is_of_spool = component == "spool";
    Loss {
        kind: if is_of_spool { LossKind::Dropped } else { LossKind::Sampled },
        component: component.to_owned(),
        reason: "full".to_owned(),
        count,
    }
}

pub fn losses_are_kept_with_their_time(open: Open) {
    let opened = open();
    let store = &*opened.store;
    for (sequence, start_ms) in [(1, START_MS), (2, START_MS + WINDOW_MS)] {
        let mut batch = batch("a", sequence, &[with_bytes(start_ms, 1)]);
        batch.losses = vec![loss("spool", sequence), loss("window", 1)];
        store.ingest(&batch).unwrap();
        assert_eq!(store.ingest(&batch).unwrap(), Stored::Duplicate);
    }
    let check = |state: &str| {
        let of = |from_ms, to_ms| {
            let mut losses = store.losses(from_ms, to_ms).unwrap();
            losses.sort();
            losses
        };
        let a = |losses: &[Loss]| -> Vec<(String, Loss)> {
            losses.iter().map(|loss| ("a".to_owned(), loss.clone())).collect()
        };
        let both = of(START_MS, START_MS + HOUR_MS);
        assert_eq!(both, a(&[loss("spool", 3), loss("window", 2)]), "{state}");
        let second = of(START_MS + WINDOW_MS, START_MS + HOUR_MS);
        assert_eq!(second, a(&[loss("spool", 2), loss("window", 1)]), "{state}");
        assert_eq!(of(START_MS - HOUR_MS, START_MS), [], "{state}");
    };
    check("just stored");
    settle(store);
    check("settled");
}

pub fn what_is_older_than_the_retention_is_gone_and_stays_gone(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let mut old = batch("a", 1, &[with_bytes(START_MS, 1)]);
    old.losses = vec![loss("spool", 1)];
    let still_hot = batch("a", 2, &[with_bytes(START_MS + WINDOW_MS, 10)]);
    let young = batch("a", 3, &[with_bytes(LATER_MS - WINDOW_MS, 100)]);
    store.ingest(&old).unwrap();
    settle(store);
    store.ingest(&still_hot).unwrap();
    store.ingest(&young).unwrap();
    assert_eq!(bytes_sent(store), Some(111.0));
    store.maintain(LATER_MS).unwrap();
    assert_eq!(bytes_sent(store), Some(100.0));
    assert_eq!(store.losses(0, LATER_MS).unwrap(), []);
    // Its number is forgotten, so that the memory of numbers is bounded; yet it does not return.
    assert_eq!(store.ingest(&old).unwrap(), Stored::Expired);
    assert_eq!(store.ingest(&young).unwrap(), Stored::Duplicate);
    assert_eq!(bytes_sent(store), Some(100.0));
}

pub fn status_counts_what_is_stored(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let empty = store.status().unwrap();
    assert_eq!((empty.rows, empty.oldest_ms, empty.newest_ms), (0, None, None));
    let rows = [with_bytes(START_MS, 1), with_bytes(START_MS + HOUR_MS, 1)];
    store_rows(store, 1, &rows);
    for state in ["just stored", "settled"] {
        let status = store.status().unwrap();
        assert_eq!(status.rows, 2, "{state}");
        assert_eq!(status.oldest_ms, Some(START_MS), "{state}");
        assert_eq!(status.newest_ms, Some(START_MS + HOUR_MS), "{state}");
        assert_eq!(status.corrupt_files, 0, "{state}");
        assert!(status.retention_s > 0 && status.bytes > 0, "{state}: {status:?}");
        settle(store);
    }
}

pub fn a_closed_store_says_so(open: Open) {
    let opened = open();
    let store = &*opened.store;
    store_rows(store, 1, &[with_bytes(START_MS, 1)]);
    store.close().unwrap();
    store.close().unwrap();
    assert!(store.ingest(&batch("a", 2, &[with_bytes(START_MS, 1)])).is_err());
    assert!(store.maintain(LATER_MS).is_err());
}
