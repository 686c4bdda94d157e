//! Requests and lookups summed up: rates, quantiles, and the fields that only they have.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use serde_json::{Value, json};
use weir_model::Level;
use weir_query::{Answer, GroupBy, Question, Shape, TimeWindow};
use weir_schema::{Side, Table};

use super::groups::{entity, groups, lines, shape};
use super::rows::{Row, batch_of, row, row_of};
use super::{
    HOUR_MS, Open, START_MS, WINDOW_MS, ask, filter_of, over_of, question, question_of, settle,
    store_rows, store_rows_of,
};
use crate::{Store, StoreErrorKind, Stored};

const QUANTILES: [&str; 4] =
    ["response_us_p50", "response_us_p90", "response_us_p95", "response_us_p99"];

fn at(window: i64, changes: Value) -> Row {
    row_of(Table::L7Flows, START_MS + window * WINDOW_MS, changes)
}

fn by_fields(names: &[&str], metrics: &[&str]) -> Shape {
    shape(names.iter().map(|name| GroupBy::Field((*name).to_owned())).collect(), metrics)
}

fn about(shape: Shape) -> Question {
    question_of(Table::L7Flows, shape)
}

fn totals(store: &dyn Store, metrics: &[&str]) -> Vec<Option<f64>> {
    groups(store, &about(shape(vec![], metrics))).totals
}

pub fn counts_and_rates_add_up(open: Open) {
    let rows = [
        at(0, json!({"requests": 100, "errors": 4, "status_2xx": 96, "status_5xx": 4})),
        at(
            1,
            json!({"requests": 26, "errors": 2, "status_2xx": 24, "unanswered": 1, "aborted": 1}),
        ),
        // Nothing is known of its answers.
        at(2, json!({"requests": 54})),
    ];
    let metrics = [
        "requests",
        "requests_per_s",
        "errors",
        "error_rate",
        "status_2xx",
        "status_5xx",
        "status_3xx",
        "unanswered",
        "response_us",
    ];
    over_of(Table::L7Flows, open, &rows, |store, state| {
        let mut question = about(shape(vec![], &metrics));
        question.window = TimeWindow { from_ms: START_MS, to_ms: START_MS + 60_000 };
        let expected = [
            Some(180.0),
            Some(3.0),
            Some(6.0),
            Some(6.0 / 180.0),
            Some(120.0),
            Some(4.0),
            None,
            Some(1.0),
            None,
        ];
        assert_eq!(groups(store, &question).totals, expected, "{state}");
        // Whatever was busy in it: twice the range, half the rate.
        question.window.to_ms += 60_000;
        assert_eq!(groups(store, &question).totals[1], Some(1.5), "{state}");
    });
}

pub fn quantiles_are_those_of_all_requests(open: Open) {
    // 1,000 requests of 1 to 1,000 ms in rows of 10, dealt out over windows and ends.
    let millis = |from: u64| (0..10).map(|n| (from + 100 * n) * 1_000).collect::<Vec<u64>>();
    let mut rows: Vec<Row> = (1..=100)
        .map(|n| {
            let process = if n % 2 == 0 { "even" } else { "odd" };
            at(
                n as i64,
                json!({"requests": 10, "local_process": process,
                                "response_sketch": millis(n)}),
            )
        })
        .collect();
    rows.push(at(0, json!({"requests": 1, "local_process": "silent"})));
    over_of(Table::L7Flows, open, &rows, |store, state| {
        let expected = [500_000.0, 900_000.0, 950_000.0, 990_000.0];
        for (found, exact) in totals(store, &QUANTILES).into_iter().zip(expected) {
            let found = found.expect("there are requests");
            assert!((found - exact).abs() <= 0.05 * exact, "{state}: {found} for {exact}");
        }
        let exact = ["response_us", "response_us_min", "response_us_max", "response_samples"];
        let expected = [Some(500_500.0), Some(1_000.0), Some(1_000_000.0), Some(1_000.0)];
        assert_eq!(totals(store, &exact), expected, "{state}");
        let metrics = ["response_us_p95", "requests"];
        let by_process = groups(store, &about(by_fields(&["local_process"], &metrics)));
        let line = lines(&by_process)[2].clone();
        assert_eq!(line, "silent = - 1", "{state}: nothing was answered");
        for group in &by_process.groups[..2] {
            let found = group.metrics[0].expect("there are requests");
            assert!((found - 950_000.0).abs() <= 0.05 * 950_000.0, "{state}: {found}");
        }
    });
}

pub fn quantiles_do_not_depend_on_how_rows_were_batched(open: Open) {
    let row = |n: u64| {
        let values: Vec<u64> = (0..n % 7).map(|k| 1 + (n * 7_919 + k * 104_729) % 50_000).collect();
        at((n % 300) as i64, json!({"requests": n % 7, "response_sketch": values}))
    };
    let rows: Vec<Row> = (0..400).map(row).collect();
    let mut answers = Vec::new();
    for batches in [1, 4, 40] {
        let opened = open();
        for (place, part) in rows.chunks(rows.len() / batches).enumerate() {
            store_rows_of(Table::L7Flows, &*opened.store, place as u64, part);
            if place % 3 == 2 {
                settle(&*opened.store);
            }
        }
        answers.push(totals(&*opened.store, &QUANTILES));
        settle(&*opened.store);
        answers.push(totals(&*opened.store, &QUANTILES));
    }
    assert!(answers[0].iter().all(Option::is_some));
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

pub fn quantiles_of_a_series_are_those_of_its_steps(open: Open) {
    let flow = |window, path: &str, requests: u64, us: u64| {
        at(
            window,
            json!({"path": path, "requests": requests,
                          "response_sketch": vec![us; requests as usize]}),
        )
    };
    let rows =
        [flow(0, "/a", 10, 10), flow(1, "/a", 30, 20), flow(1, "/b", 5, 7), flow(3, "/a", 5, 15)];
    over_of(Table::L7Flows, open, &rows, |store, state| {
        let mut question = about(Shape::Series {
            by: vec![GroupBy::Field("path".to_owned())],
            metrics: vec!["requests_per_s".to_owned(), "response_us_p50".to_owned()],
            step_ms: 20_000,
            limit: 1,
        });
        question.window.to_ms = START_MS + 40_000;
        let Answer::Series(series) = ask(store, &question) else { panic!("not a series") };
        let values: Vec<_> = series.lines.iter().map(|line| line.values.clone()).collect();
        let close = |value: Option<f64>| value.map(f64::round);
        assert_eq!(values[0][0], [Some(2.0), Some(0.25)], "{state}");
        assert_eq!(
            values[0][1].iter().copied().map(close).collect::<Vec<_>>(),
            [Some(20.0), Some(15.0)]
        );
        assert!(series.lines[1].is_rest);
        assert_eq!(values[1][0], [Some(0.25), None], "{state}");
        assert_eq!(values[1][1].iter().copied().map(close).collect::<Vec<_>>(), [Some(7.0), None]);
    });
}

pub fn filters_and_facets_know_what_was_asked(open: Open) {
    let rows = [
        at(0, json!({"method": "GET", "path": "/users/{id}", "requests": 8, "errors": 0})),
        at(
            0,
            json!({"method": "POST", "path": "/users", "status": 500, "requests": 4, "errors": 4,
                     "response_sketch": [300_000, 400_000]}),
        ),
        at(
            1,
            json!({"protocol": "grpc", "method": "POST", "path": "/shop.Cart/Add",
                     "grpc_status": 13, "encryption": "tls", "requests": 2, "errors": 1}),
        ),
        at(
            1,
            json!({"method": null, "path": "{other}", "status": null, "requests": 1, "unanswered": 1}),
        ),
    ];
    let cases = [
        ("path:/users/{id}", 8.0),
        ("path:/users*", 12.0),
        ("method:post", 6.0),
        ("status:[500 - 599]", 4.0),
        ("-status:*", 1.0),
        ("grpc_status:13", 2.0),
        ("protocol:http/1.1 -method:GET", 5.0),
        ("encryption:tls", 2.0),
        ("error_rate>=0.5", 6.0),
        ("requests_per_s<0.3", 3.0),
        ("response_us_p95>=250ms", 4.0),
        ("unanswered>0", 1.0),
        ("cart", 2.0),
    ];
    over_of(Table::L7Flows, open, &rows, |store, state| {
        for (text, requests) in cases {
            let mut question = about(shape(vec![], &["requests"]));
            question.filter = filter_of(Table::L7Flows, text);
            assert_eq!(groups(store, &question).totals, [Some(requests)], "{state}: {text}");
        }
        let fields = ["method", "status", "protocol"].map(str::to_owned).to_vec();
        let Answer::Facets(facets) = ask(store, &about(Shape::Facets { fields, limit: 3 })) else {
            panic!("not facets")
        };
        let shown = |place: usize| -> Vec<String> {
            let value = |v: &Option<String>| v.clone().unwrap_or("-".to_owned());
            facets[place]
                .values
                .iter()
                .map(|v| format!("{}={}", value(&v.value), v.count))
                .collect()
        };
        assert_eq!(shown(0), ["POST=2", "GET=1", "-=1"], "{state}");
        assert_eq!(shown(1), ["200=2", "500=1", "-=1"], "{state}");
        assert_eq!(shown(2), ["http/1.1=3", "grpc=1"], "{state}");
        let by = groups(store, &about(by_fields(&["path", "status"], &["requests"])));
        let expected = [
            "/shop.Cart/Add > 200 = 2",
            "/users > 500 = 4",
            "/users/{id} > 200 = 8",
            "{other} > - = 1",
        ];
        assert_eq!(lines(&by), expected, "{state}");
    });
}

pub fn requests_seen_at_both_ends_count_once(open: Open) {
    let incoming = json!({"agent": "a2", "direction": "incoming", "local_host": "h2",
        "local_process": "nginx", "local_ip": "10.0.0.2", "local_port": 80, "remote_ip": "10.0.0.1",
        "remote_port": null, "remote_agent": "a", "remote_host": "h1", "remote_process": "curl",
        "requests": 7, "response_sketch": [5, 5, 5, 5, 5, 5, 5]});
    let outgoing = json!({"local_process": "curl", "remote_agent": "a2", "remote_host": "h2",
        "remote_process": "nginx", "requests": 7,
        "response_sketch": [25, 25, 25, 25, 25, 25, 25]});
    let rows = [at(0, outgoing), at(0, incoming)];
    let by = vec![entity(Side::Client, Level::Process), entity(Side::Server, Level::Process)];
    over_of(Table::L7Flows, open, &rows, |store, state| {
        let merged = about(shape(by.clone(), &["requests", "response_us_p50"]));
        let expected = ["process:h1/curl > process:h2/nginx = 7 25"];
        assert_eq!(lines(&groups(store, &merged)), expected, "{state}: the client's view");
        let server = Question { perspective: weir_model::Perspective::Server, ..merged.clone() };
        let expected = ["process:h1/curl > process:h2/nginx = 7 5"];
        assert_eq!(lines(&groups(store, &server)), expected, "{state}: the server's view");
    });
}

pub fn lookups_are_grouped_by_name_and_code(open: Open) {
    let at = |window: i64, changes| row_of(Table::DnsFlows, START_MS + window * WINDOW_MS, changes);
    let rows = [
        at(0, json!({"dns_queries": 4, "dns_failures": 0, "dns_us_sketch": [10, 10, 20, 24]})),
        at(
            1,
            json!({"dns_name": "no.example.com", "rcode": "NXDOMAIN", "dns_queries": 2,
                     "dns_failures": 2, "dns_us_sketch": [5, 7]}),
        ),
        at(
            1,
            json!({"dns_name": "no.example.com", "rcode": null, "dns_queries": 1,
                     "dns_timeouts": 1}),
        ),
    ];
    over_of(Table::DnsFlows, open, &rows, |store, state| {
        let metrics = ["dns_queries", "dns_failures", "dns_timeouts", "dns_us", "dns_us_max"];
        let by = question_of(Table::DnsFlows, by_fields(&["dns_name"], &metrics));
        let expected = ["example.com = 4 0 - 16 24", "no.example.com = 3 2 1 6 7"];
        assert_eq!(lines(&groups(store, &by)), expected, "{state}");
        let mut codes = question_of(Table::DnsFlows, by_fields(&["rcode"], &["dns_queries"]));
        codes.filter = filter_of(Table::DnsFlows, "dns_name:*.example.com");
        assert_eq!(lines(&groups(store, &codes)), ["NXDOMAIN = 2", "- = 1"], "{state}");
        let whole = question_of(Table::DnsFlows, shape(vec![], &["dns_us_p50", "dns_us_p95"]));
        assert_eq!(groups(store, &whole).totals, [Some(10.0), Some(24.0)], "{state}");
    });
}

pub fn bytes_that_are_no_sketch_are_refused(open: Open) {
    let opened = open();
    let store = &*opened.store;
    let good = batch_of(Table::L7Flows, "a", 1, &[at(0, json!({"requests": 1}))]);
    for bytes in [&[][..], &[9, 0], &[1, 5], b"not a sketch"] {
        let mut batch = good.clone();
        let place = batch.rows.schema().index_of("response_sketch").expect("the column");
        let mut columns = batch.rows.columns().to_vec();
        columns[place] = Arc::new(BinaryArray::from_iter_values([bytes])) as ArrayRef;
        batch.rows = RecordBatch::try_new(batch.rows.schema(), columns).expect("a batch");
        let error = store.ingest(&batch).expect_err("no sketch");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{bytes:?}: {error}");
    }
    assert_eq!(store.ingest(&good).expect("the number is not used up"), Stored::New);
}

/// The same number names one batch in each table; what is asked of one table is not answered by
/// another.
pub fn tables_are_apart(open: Open) {
    let opened = open();
    let store = &*opened.store;
    store_rows(store, 7, &[row(START_MS, json!({"bytes_sent": 1}))]);
    store_rows_of(Table::L7Flows, store, 7, &[at(0, json!({"requests": 2}))]);
    let sample = row_of(Table::L7Samples, START_MS, json!({"weight": 3}));
    store_rows_of(Table::L7Samples, store, 7, &[sample]);
    let lookup = row_of(Table::DnsFlows, START_MS, json!({"dns_queries": 4}));
    store_rows_of(Table::DnsFlows, store, 7, &[lookup]);
    let metric = |table: Table| match table {
        Table::L4Flows => "bytes_sent",
        Table::L7Flows | Table::L7Samples => "requests",
        Table::DnsFlows => "dns_queries",
    };
    for state in ["just stored", "settled"] {
        for (table, expected) in Table::ALL.into_iter().zip([1.0, 2.0, 3.0, 4.0]) {
            let asked = question_of(table, shape(vec![], &[metric(table)]));
            assert_eq!(groups(store, &asked).totals, [Some(expected)], "{state}: {table:?}");
            let status = store.status().expect("a status");
            let of_table = status.tables.iter().find(|t| t.table == table).expect("the table");
            assert_eq!((of_table.rows, of_table.oldest_ms), (1, Some(START_MS)), "{state}");
            assert_eq!(status.rows, 4, "{state}");
        }
        settle(store);
    }
    let wrong = [
        question(shape(vec![], &["requests"])),
        question_of(Table::L7Flows, shape(vec![], &["bytes_sent"])),
        question_of(Table::L7Samples, shape(vec![], &["response_us_p95"])),
        question_of(Table::DnsFlows, by_fields(&["path"], &["dns_queries"])),
    ];
    for question in wrong {
        let error = store.ask(&question).expect_err(&format!("{question:?}"));
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{question:?}: {error}");
    }
    // Retention is by table, and what is expired of one is not of the other.
    store.maintain(START_MS + 1_000 * HOUR_MS).expect("maintenance");
    assert_eq!(store.status().expect("a status").rows, 0);
}
