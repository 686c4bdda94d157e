//! `Shape::Series`: the values are worked out by hand.

use serde_json::json;
use weir_query::{Answer, GroupBy, GroupValue, Question, Series, Shape};

use super::rows::{Row, row};
use super::{HOUR_MS, Open, START_MS, WINDOW_MS, ask, over, question};
use crate::{Store, StoreErrorKind};

fn shape(by: &[&str], metrics: &[&str], step_ms: i64, limit: usize) -> Shape {
    let by = by.iter().map(|name| GroupBy::Field((*name).to_owned())).collect();
    let metrics = metrics.iter().map(|metric| (*metric).to_owned()).collect();
    Shape::Series { by, metrics, step_ms, limit }
}

fn series(store: &dyn Store, question: &Question) -> Series {
    match ask(store, question) {
        Answer::Series(series) => series,
        other => panic!("not a series: {other:?}"),
    }
}

fn flow(window: i64, process: &str, bytes: u64) -> Row {
    let changes = json!({"local_process": process, "bytes_sent": bytes,
                         "active_connections": bytes});
    row(START_MS + window * WINDOW_MS, changes)
}

pub fn steps_are_aligned_and_hold_what_starts_in_them(open: Open) {
    let rows = [flow(0, "x", 1), flow(2, "x", 2), flow(3, "x", 4), flow(5, "x", 8)];
    over(open, &rows, |store, state| {
        let mut question = question(shape(&[], &["bytes_sent", "rtt_us"], 30_000, 10));
        // Begins within a step: what lies before it is not counted, the step is named by its start.
        question.window.from_ms = START_MS + WINDOW_MS;
        question.window.to_ms = START_MS + 7 * WINDOW_MS;
        let answer = series(store, &question);
        assert_eq!(answer.step_ms, 30_000, "{state}");
        let times = [START_MS, START_MS + 30_000, START_MS + 60_000];
        assert_eq!(answer.times_ms, times, "{state}");
        assert_eq!(answer.lines.len(), 1, "{state}");
        let line = &answer.lines[0];
        assert_eq!((&line.key[..], line.is_rest), (&[][..], false), "{state}");
        assert_eq!(line.values[0], [Some(2.0), Some(12.0), None], "{state}");
        assert_eq!(line.values[1], [None, None, None], "{state}");
    });
}

pub fn lines_beyond_the_limit_fold_into_the_rest(open: Open) {
    let rows = [
        flow(0, "small", 1),
        flow(0, "tiny", 1),
        flow(1, "large", 50),
        flow(0, "medium", 10),
        flow(1, "medium", 10),
    ];
    over(open, &rows, |store, state| {
        let line = |store: &dyn Store, limit: usize| {
            let question = {
                let mut question =
                    question(shape(&["local_process"], &["bytes_sent"], WINDOW_MS, limit));
                question.window.to_ms = START_MS + 2 * WINDOW_MS;
                question
            };
            let name = |key: &[GroupValue]| match key {
                [GroupValue::Text(Some(name))] => name.clone(),
                [] => "rest".to_owned(),
                other => panic!("{other:?}"),
            };
            let lines = series(store, &question).lines;
            for line in &lines {
                assert_eq!(line.is_rest, line.key.is_empty());
            }
            lines.into_iter().map(|l| (name(&l.key), l.values[0].clone())).collect::<Vec<_>>()
        };
        let of = |name: &str, first, second| (name.to_owned(), vec![first, second]);
        let large = of("large", None, Some(50.0));
        let medium = of("medium", Some(10.0), Some(10.0));
        let rest = of("rest", Some(2.0), None);
        assert_eq!(line(store, 2), [large.clone(), medium.clone(), rest], "{state}");
        let small = of("small", Some(1.0), None);
        let tiny = of("tiny", Some(1.0), None);
        assert_eq!(line(store, 4), [large, medium, small, tiny], "{state}");
        let all = of("rest", Some(12.0), Some(60.0));
        assert_eq!(line(store, 0), [all], "{state}");
    });
}

pub fn active_connections_are_read_once_a_step(open: Open) {
    let rows = [flow(0, "x", 7), flow(1, "x", 1), flow(1, "y", 2), flow(3, "y", 9)];
    over(open, &rows, |store, state| {
        let mut question = question(shape(&[], &["active_connections"], 20_000, 1));
        question.window.to_ms = START_MS + 60_000;
        let values = &series(store, &question).lines[0].values[0];
        assert_eq!(*values, [Some(3.0), Some(9.0), None], "{state}");
    });
}

pub fn steps_are_limited(open: Open) {
    let opened = open();
    for step_ms in [0, -10_000, 1] {
        let question = question(shape(&[], &["bytes_sent"], step_ms, 1));
        let error = opened.store.ask(&question).expect_err("too many steps");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{step_ms}: {error}");
    }
    let whole = question(shape(&[], &["bytes_sent"], HOUR_MS, 1));
    assert_eq!(series(&*opened.store, &whole).lines[0].values, [[None]]);
}
