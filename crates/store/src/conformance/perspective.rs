//! Which rows a question reads.

use serde_json::{Value, json};
use weir_model::Perspective;

use super::groups::{groups, shape};
use super::rows::{Row, row};
use super::{HOUR_MS, Open, START_MS, WINDOW_MS, over, question};
use crate::Store;

fn sum(store: &dyn Store, perspective: Perspective) -> Option<f64> {
    let mut question = question(shape(vec![], &["connections"]));
    question.perspective = perspective;
    groups(store, &question).totals[0]
}

fn check(open: Open, rows: &[Row], merged: f64, client: Option<f64>, server: Option<f64>) {
    over(open, rows, |store, state| {
        assert_eq!(sum(store, Perspective::Merged), Some(merged), "merged, {state}");
        assert_eq!(sum(store, Perspective::Client), client, "client, {state}");
        assert_eq!(sum(store, Perspective::Server), server, "server, {state}");
    });
}

fn flow(connections: u64, changes: Value) -> Row {
    let mut row = row(START_MS, changes);
    row.insert("connections".to_owned(), connections.into());
    row
}

pub fn both_ends_observed_count_once(open: Open) {
    let rows = [
        flow(1, json!({"direction": "outgoing", "remote_agent": "b"})),
        flow(2, json!({"direction": "incoming", "remote_agent": "b"})),
        flow(4, json!({"direction": "outgoing"})),
        flow(8, json!({"direction": "incoming"})),
    ];
    check(open, &rows, 13.0, Some(5.0), Some(10.0));
    over(open, &rows, |store, state| {
        assert_eq!(sum(store, Perspective::Both), Some(15.0), "both, {state}");
    });
    // Nobody's other end is observed: the column is absent as a whole.
    check(open, &rows[2..], 12.0, Some(4.0), Some(8.0));
    check(open, &rows[3..], 8.0, None, Some(8.0));
}

pub fn unknown_direction_observed_twice_counts_once(open: Open) {
    let ends = |local: (&str, Option<u16>), remote: (&str, Option<u16>), agent: Option<&str>| {
        json!({"direction": "unknown", "local_ip": local.0, "local_port": local.1,
               "remote_ip": remote.0, "remote_port": remote.1, "remote_agent": agent})
    };
    let (low, high) = (("10.0.0.1", Some(9_000)), ("10.0.0.2", Some(100)));
    let (first, second) = (("127.0.0.1", Some(7)), ("127.0.0.1", Some(70)));
    let (folded, open_port) = (("127.0.0.1", None), ("127.0.0.1", Some(1)));
    let rows = [
        flow(1, ends(low, high, Some("b"))),
        flow(2, ends(high, low, Some("a"))),
        flow(4, ends(first, second, Some("a"))),
        flow(8, ends(second, first, Some("a"))),
        flow(16, ends(folded, open_port, Some("a"))),
        flow(32, ends(open_port, folded, Some("a"))),
        // Observed at one end only: it stands for itself.
        flow(64, ends(high, low, None)),
    ];
    check(open, &rows, 85.0, Some(85.0), None);
}

pub fn the_range_is_half_open(open: Open) {
    let at = |start_ms: i64, connections: u64| {
        let mut row = flow(connections, json!({}));
        row.insert("window_start_ms".to_owned(), start_ms.into());
        row
    };
    let rows = [
        at(START_MS - WINDOW_MS, 1),
        at(START_MS, 2),
        at(START_MS + HOUR_MS - WINDOW_MS, 4),
        at(START_MS + HOUR_MS, 8),
        at(START_MS + 3 * HOUR_MS, 16),
    ];
    check(open, &rows, 6.0, Some(6.0), None);
}
