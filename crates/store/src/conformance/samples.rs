//! Single requests: in the order in which they began, each with the weight that it has.

use serde_json::{Value, json};
use weir_query::{Answer, GroupBy, Question, Rows, Shape, Sort, TimeWindow};
use weir_schema::Table;

use super::groups::{groups, lines, shape};
use super::rows::{Row, batch_of, row_of};
use super::{Open, START_MS, ask, filter_of, over_of, question_of, settle, store_rows_of};
use crate::{Store, StoreErrorKind};

const TABLE: Table = Table::L7Samples;

fn at(after_ms: i64, changes: Value) -> Row {
    row_of(TABLE, START_MS + after_ms, changes)
}

fn page(store: &dyn Store, question: &Question) -> Rows {
    match ask(store, question) {
        Answer::Rows(rows) => rows,
        other => panic!("not rows: {other:?}"),
    }
}

fn rows_shape(limit: usize, sort: Option<(&str, bool)>) -> Shape {
    let sort = sort.map(|(by, descending)| Sort { by: by.to_owned(), descending });
    Shape::Rows { cursor: None, limit, sort }
}

fn traces(rows: &Rows) -> Vec<&str> {
    rows.rows.iter().map(|row| row["trace_id"].as_str().unwrap_or("-")).collect()
}

pub fn requests_come_newest_first_by_when_they_began(open: Open) {
    let rows = [
        at(1_004, json!({"trace_id": "c"})),
        at(1, json!({"trace_id": "a", "response_us": 250, "status": 503, "pid": 7})),
        at(1_003, json!({"trace_id": "b"})),
        at(9_999, json!({"trace_id": "d", "outcome": "unanswered", "status": null})),
    ];
    over_of(TABLE, open, &rows, |store, state| {
        let all = page(store, &question_of(TABLE, rows_shape(10, None)));
        assert_eq!(traces(&all), ["d", "c", "b", "a"], "{state}");
        let first = page(store, &question_of(TABLE, rows_shape(3, None)));
        let cursor = first.next_cursor.clone();
        assert!(cursor.is_some(), "{state}");
        let next = Shape::Rows { cursor, limit: 3, sort: None };
        assert_eq!(traces(&page(store, &question_of(TABLE, next))), ["a"], "{state}");
        let row = &all.rows[3];
        for (name, expected) in [
            ("began_ms", json!(START_MS + 1)),
            ("response_us", json!(250)),
            ("status", json!(503)),
            ("weight", json!(1)),
            ("client_ip", json!("10.0.0.1")),
            ("server_port", json!(80)),
            ("grpc_status", Value::Null),
        ] {
            assert_eq!(row.get(name), Some(&expected), "{state}: {name}");
        }
        assert!(!row.contains_key("window_start_ms"), "{state}");
        // The range is that of the beginnings, to the millisecond.
        let mut narrow = question_of(TABLE, rows_shape(10, None));
        narrow.window = TimeWindow { from_ms: START_MS + 1_003, to_ms: START_MS + 1_004 };
        assert_eq!(traces(&page(store, &narrow)), ["b"], "{state}");
    });
}

pub fn requests_weigh_what_they_stand_for(open: Open) {
    let rows = [
        at(0, json!({"status": 200, "weight": 90})),
        at(15_000, json!({"status": 200, "weight": 10})),
        at(19_999, json!({"status": 500, "weight": 3})),
    ];
    over_of(TABLE, open, &rows, |store, state| {
        let mut question = question_of(
            TABLE,
            Shape::Series {
                by: vec![GroupBy::Field("status".to_owned())],
                metrics: vec!["requests".to_owned()],
                step_ms: 10_000,
                limit: 5,
            },
        );
        question.window.to_ms = START_MS + 20_000;
        let Answer::Series(series) = ask(store, &question) else { panic!("not a series") };
        let values: Vec<_> = series.lines.iter().map(|line| line.values[0].clone()).collect();
        let expected = [vec![Some(90.0), Some(10.0)], vec![None, Some(3.0)]];
        assert_eq!(values, expected, "{state}");
    });
}

pub fn a_path_is_looked_for_as_sent_and_as_template(open: Open) {
    let rows = [
        at(0, json!({"trace_id": "a", "path": "/users/42", "template": "/users/{id}"})),
        at(1, json!({"trace_id": "b", "path": "/users/43", "template": "/users/{id}"})),
        at(2, json!({"trace_id": "c", "path": null, "template": "{other}"})),
    ];
    let cases = [
        ("path:/users/{id}", "b a"),
        ("path:/users/42", "a"),
        ("-path:/users/42", "c b"),
        ("template:/users/42", ""),
        ("template:/users/*", "b a"),
        ("path:*", "c b a"),
        ("trace_id:(a OR c)", "c a"),
    ];
    over_of(TABLE, open, &rows, |store, state| {
        for (text, expected) in cases {
            let mut question = question_of(TABLE, rows_shape(10, None));
            question.filter = filter_of(TABLE, text);
            assert_eq!(traces(&page(store, &question)).join(" "), expected, "{state}: {text}");
        }
    });
}

pub fn requests_sort_and_group_by_what_they_have(open: Open) {
    let rows = [
        at(0, json!({"trace_id": "a", "response_us": 900, "method": "PUT"})),
        at(1, json!({"trace_id": "b", "response_us": 1_000, "method": "GET", "weight": 4})),
        at(2, json!({"trace_id": "c", "method": "DELETE", "outcome": "unanswered"})),
    ];
    over_of(TABLE, open, &rows, |store, state| {
        for (sort, expected) in [
            (("response_us", true), ["b", "a", "c"]),
            (("response_us", false), ["a", "b", "c"]),
            (("method", false), ["c", "b", "a"]),
            (("began_ms", false), ["a", "b", "c"]),
        ] {
            let sorted = page(store, &question_of(TABLE, rows_shape(10, Some(sort))));
            assert_eq!(traces(&sorted), expected, "{state}: {sort:?}");
        }
        let by = vec![GroupBy::Field("outcome".to_owned())];
        let grouped = groups(store, &question_of(TABLE, shape(by, &["requests"])));
        assert_eq!(lines(&grouped), ["answered = 5", "unanswered = 1"], "{state}");
    });
    // A request belongs to its batch by when it began.
    let opened = open();
    let mut batch = batch_of(TABLE, "a", 1, &[at(0, json!({}))]);
    batch.from_ms += 1;
    batch.to_ms += 1;
    let error = opened.store.ingest(&batch).expect_err("a time that is not the row's");
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    store_rows_of(TABLE, &*opened.store, 1, &[at(0, json!({}))]);
    settle(&*opened.store);
    assert_eq!(page(&*opened.store, &question_of(TABLE, rows_shape(5, None))).rows.len(), 1);
}
