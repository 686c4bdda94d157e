//! `Shape::Facets` and `Shape::Rows`.

use serde_json::{Value, json};
use weir_query::{Answer, Cursor, Facet, Question, Rows, Shape, Sort};

use super::rows::{Row, row};
use super::{Open, START_MS, WINDOW_MS, ask, filter, over, question, settle, store_rows};
use crate::{Store, StoreErrorKind};

fn facets(store: &dyn Store, question: &Question) -> Vec<Facet> {
    match ask(store, question) {
        Answer::Facets(facets) => facets,
        other => panic!("not facets: {other:?}"),
    }
}

fn page(store: &dyn Store, question: &Question) -> Rows {
    match ask(store, question) {
        Answer::Rows(rows) => rows,
        other => panic!("not rows: {other:?}"),
    }
}

fn at(window: i64, changes: Value) -> Row {
    row(START_MS + window * WINDOW_MS, changes)
}

fn rows_shape(limit: usize, cursor: Option<Cursor>, sort: Option<(&str, bool)>) -> Shape {
    let sort = sort.map(|(by, descending)| Sort { by: by.to_owned(), descending });
    Shape::Rows { cursor, limit, sort }
}

pub fn facets_count_rows(open: Open) {
    let rows = [
        at(0, json!({"local_process": "nginx", "remote_process": "curl", "remote_host": "h2"})),
        at(1, json!({"local_process": "nginx", "remote_process": "nginx", "pid": 7})),
        at(
            2,
            json!({"local_process": "curl", "direction": "incoming", "local_port": 443,
                     "remote_port": null, "pid": 7, "local_labels": "app=a\ntier=x",
                     "remote_labels": "app=b\ntier=x"}),
        ),
        at(3, json!({"pid": 10, "local_labels": "app=a"})),
    ];
    let cases: [(&str, usize, &str, u64); 9] = [
        ("local_process", 10, "nginx=2 curl=1 -=1", 0),
        ("local_process", 1, "nginx=2", 2),
        // Either end: once for each distinct value, absent where both ends lack it.
        ("process", 10, "curl=2 nginx=2 -=1", 0),
        ("server_port", 10, "80=3 443=1", 0),
        ("client_process", 10, "nginx=2 -=2", 0),
        ("pid", 10, "7=2 10=1 -=1", 0),
        ("local_zone", 10, "-=4", 0),
        // Of several lines each counts; one that both ends have, once.
        ("labels", 10, "app=a=2 -=2 app=b=1 tier=x=1", 0),
        ("client_labels", 10, "-=2 app=a=1 app=b=1 tier=x=1", 0),
    ];
    over(open, &rows, |store, state| {
        for (field, limit, expected, left_out) in cases {
            let fields = vec![field.to_owned()];
            let answer = facets(store, &question(Shape::Facets { fields, limit }));
            let value = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
            let values =
                answer[0].values.iter().map(|v| format!("{}={}", value(&v.value), v.count));
            let found: Vec<String> = values.collect();
            assert_eq!(found.join(" "), expected, "{state}: {field}, {limit}");
            assert_eq!(answer[0].left_out, left_out, "{state}: {field}, {limit}");
            assert_eq!(answer[0].field, field);
        }
        let fields = vec!["transport".to_owned(), "host".to_owned()];
        let mut both = question(Shape::Facets { fields, limit: 5 });
        both.filter = filter("remote_host:h2");
        let counts: Vec<usize> = facets(store, &both).iter().map(|f| f.values.len()).collect();
        assert_eq!(counts, [1, 2], "{state}");
    });
}

pub fn rows_come_newest_first_with_every_column(open: Open) {
    let rows = [
        at(0, json!({"bytes_sent": 1})),
        at(
            2,
            json!({"direction": "incoming", "local_port": 80, "remote_port": null,
                     "local_process": "nginx", "bytes_sent": u64::MAX, "rtt_us_sum": 9,
                     "rtt_samples": 2, "connect_us_sum": 0, "connect_samples": 0}),
        ),
        at(1, json!({"bytes_sent": 2})),
    ];
    over(open, &rows, |store, state| {
        let answer = page(store, &question(rows_shape(10, None, None)));
        let starts: Vec<&Value> = answer.rows.iter().map(|row| &row["window_start_ms"]).collect();
        let expected = [2, 1, 0].map(|window| json!(START_MS + window * WINDOW_MS));
        assert_eq!(starts, expected.iter().collect::<Vec<_>>(), "{state}");
        assert_eq!(answer.next_cursor, None, "{state}");
        let row = &answer.rows[0];
        for (name, expected) in [
            ("bytes_sent", json!(u64::MAX)),
            ("bytes_received", Value::Null),
            ("rtt_us", json!(4.5)),
            ("connect_us", Value::Null),
            ("window_ms", json!(10_000)),
            ("local_ip", json!("10.0.0.1")),
            ("client_ip", json!("10.0.0.2")),
            ("server_ip", json!("10.0.0.1")),
            ("client_port", Value::Null),
            ("server_port", json!(80)),
            ("server_process", json!("nginx")),
            ("remote_zone", Value::Null),
        ] {
            assert_eq!(row.get(name), Some(&expected), "{state}: {name}");
        }
        let columns = weir_schema::Table::L4Flows.columns();
        for column in columns {
            assert!(row.contains_key(column.name), "{state}: {}", column.name);
        }
    });
}

/// What tells the rows of a case apart.
fn ids(rows: &Rows) -> Vec<u64> {
    rows.rows.iter().map(|row| row["pid"].as_u64().unwrap_or_default()).collect()
}

pub fn pages_hold_each_row_once_while_rows_come_and_move(open: Open) {
    let mut rows: Vec<Row> = (0..40).map(|n| at(n / 7, json!({"pid": n + 1}))).collect();
    // Rows that nothing tells apart but their number.
    rows.extend((0..5).map(|_| at(2, json!({"pid": 1_000}))));
    for limit in [1, 3, 7, 100] {
        let opened = open();
        let store = &*opened.store;
        store_rows(store, 1, &rows[..20]);
        settle(store);
        store_rows(store, 2, &rows[20..]);
        let mut seen = Vec::new();
        let mut cursor = None;
        for number in 0.. {
            let answer = page(store, &question(rows_shape(limit, cursor, None)));
            seen.extend(ids(&answer));
            cursor = answer.next_cursor;
            if cursor.is_none() {
                break;
            }
            assert_eq!(answer.rows.len(), limit, "only the last page is short");
            if number == 1 {
                // Newer rows come before the pages that are still to be read.
                store_rows(store, 3, &[at(50, json!({"pid": 9_999}))]);
                settle(store);
            }
        }
        let mut expected: Vec<u64> =
            rows.iter().map(|row| row["pid"].as_u64().unwrap_or_default()).collect();
        expected.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, expected, "pages of {limit}");
    }
}

pub fn rows_sort_by_any_column(open: Open) {
    let rows = [
        at(0, json!({"pid": 1, "bytes_sent": 5, "local_process": "b"})),
        at(
            1,
            json!({"pid": 2, "bytes_sent": 7, "local_process": "a", "rtt_us_sum": 9,
                     "rtt_samples": 3}),
        ),
        at(2, json!({"pid": 3, "local_process": "c", "direction": "incoming"})),
        at(3, json!({"pid": 4, "bytes_sent": 5, "rtt_us_sum": 8, "rtt_samples": 2})),
    ];
    let cases: [((&str, bool), &[u64]); 7] = [
        (("bytes_sent", true), &[2, 4, 1, 3]),
        (("bytes_sent", false), &[4, 1, 2, 3]),
        (("local_process", false), &[2, 1, 3, 4]),
        (("local_process", true), &[3, 1, 2, 4]),
        (("rtt_us", true), &[4, 2, 3, 1]),
        (("window_start_ms", false), &[1, 2, 3, 4]),
        (("server_process", true), &[3, 4, 2, 1]),
    ];
    over(open, &rows, |store, state| {
        for (sort, expected) in cases {
            let whole = page(store, &question(rows_shape(10, None, Some(sort))));
            assert_eq!(ids(&whole), expected, "{state}: {sort:?}");
            let first = page(store, &question(rows_shape(3, None, Some(sort))));
            let next = rows_shape(3, first.next_cursor.clone(), Some(sort));
            let second = page(store, &question(next));
            assert_eq!([ids(&first), ids(&second)].concat(), expected, "{state}: {sort:?}");
            assert_eq!(second.next_cursor, None, "{state}: {sort:?}");
        }
    });
}

pub fn foreign_cursors_are_refused(open: Open) {
    let opened = open();
    for cursor in ["", "zzz", "1.2.3"] {
        let question = question(rows_shape(1, Some(Cursor(cursor.to_owned())), None));
        let error = opened.store.ask(&question).expect_err(cursor);
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{cursor:?}: {error}");
    }
}
