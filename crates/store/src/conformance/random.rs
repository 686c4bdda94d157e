//! Random rows, random questions, compared with the oracle.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use weir_model::{Level, Perspective};
use weir_query::{Answer, Expr, GroupBy, Question, Shape, Sort, TimeWindow};
use weir_schema::{ColumnType, Formula, Merge, Side, Table, metrics};

use super::rows::{Row, row_of};
use super::{Open, START_MS, WINDOW_MS, filter_of, oracle, settle, store_rows_of};
use crate::Store;

/// Rows of one case, in two batches: one settles, one is fresh.
const ROWS_MAX: usize = 60;
const QUESTIONS: usize = 24;
const CASES: u32 = 12;

/// Filters that questions are made of, joined with AND, OR and NOT.
fn filters(table: Table) -> Vec<&'static str> {
    let ends = [
        "direction:incoming",
        "transport:udp",
        "client_host:h1",
        "-server_host:h2",
        "process:*",
        "-remote_process:*",
        "local_process:(nginx OR cu*)",
        "server_port:80",
        "port:[100 - 500]",
        "local_port:>=443",
        "remote_ip:10.0.0.0/8",
        "ip:2001:db8::/32",
        "client_ip:8.8.8.8",
        "domain:*example*",
        "exam",
        "\"10.0.0\"",
        "pid:7",
        "remote_agent:*",
        "agent:a",
        "host:h?",
    ];
    let own: &[&str] = match table {
        Table::L4Flows => {
            &["bytes_sent:>5", "bytes_received:[1 - 6]", "rtt_us:>=2", "connect_us:*"]
        }
        Table::L7Flows => &[
            "method:POST",
            "-path:/users/*",
            "status:[400 - 599]",
            "grpc_status:*",
            "protocol:(grpc OR http/2)",
            "requests>4",
            "error_rate>=0.5",
            "requests_per_s<0.5",
            "response_us_p95:*",
            "encryption:tls",
        ],
        Table::L7Samples => &[
            "method:POST",
            "path:/users/{id}",
            "-path:/users/*",
            "template:/",
            "status:500",
            "outcome:aborted",
            "trace_id:a1",
            "response_us>4",
            "weight>5",
        ],
        Table::DnsFlows => &[
            "dns_name:*.example.com",
            "rcode:NXDOMAIN",
            "-rcode:*",
            "dns_type:(A OR AAAA)",
            "dns_failures>0",
            "dns_us>=3",
            "dns_us_p50:*",
        ],
    };
    [&ends[..], own].concat()
}

fn facet_fields(table: Table) -> Vec<&'static str> {
    let ends = [
        "direction",
        "pid",
        "local_port",
        "server_port",
        "client_process",
        "process",
        "host",
        "ip",
        "port",
        "remote_domain",
        "server_service",
        "remote_agent",
        "labels",
        "client_labels",
    ];
    [&ends[..], own_fields(table)].concat()
}

fn group_fields(table: Table) -> Vec<&'static str> {
    let ends = [
        "transport",
        "direction",
        "pid",
        "client_ip",
        "server_port",
        "server_process",
        "remote_ip",
        "local_port",
        "agent",
        "client_domain",
    ];
    [&ends[..], own_fields(table)].concat()
}

fn own_fields(table: Table) -> &'static [&'static str] {
    match table {
        Table::L4Flows => &[],
        Table::L7Flows => &["protocol", "encryption", "method", "path", "status", "grpc_status"],
        Table::L7Samples => {
            &["protocol", "method", "path", "template", "status", "outcome", "trace_id"]
        }
        Table::DnsFlows => &["dns_name", "dns_type", "rcode"],
    }
}

fn cell(choices: Vec<Value>) -> impl Strategy<Value = Value> {
    select(choices)
}

fn texts(choices: &[Option<&str>]) -> impl Strategy<Value = Value> + use<> {
    cell(choices.iter().map(|choice| json!(choice)).collect())
}

fn counter() -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(Value::Null), 5 => (0_u64..10).prop_map(Value::from)]
}

fn identity() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let ips =
        ["10.0.0.1", "10.0.0.2", "127.0.0.1", "8.8.8.8", "93.184.216.34", "2001:db8::1", "fd00::1"]
            .map(Some);
    let ports = [json!(null), json!(80), json!(443), json!(20_000)].to_vec();
    let processes = [Some("nginx"), Some("curl"), Some("nginx-worker"), None, None];
    let hosts = [Some("h1"), Some("h2"), None];
    let domains = [Some("example.com"), Some("an.example.org"), None, None];
    let ends = (
        (texts(&ips), texts(&ips)),
        (cell(ports.clone()), cell(ports)),
        (texts(&processes), texts(&processes)),
        (texts(&hosts[..2]), texts(&hosts)),
        texts(&domains),
    );
    let flow = (
        texts(&[Some("outgoing"), Some("incoming"), Some("unknown")]),
        texts(&[Some("tcp"), Some("udp")]),
        texts(&[Some("a"), Some("b"), Some("c")]),
        texts(&[Some("a"), Some("b"), None, None]),
        cell(vec![json!(7), json!(8), Value::Null]),
    );
    let labels = [Some("app=a\ntier=x"), Some("app=b\ntier=x"), Some("app=a"), None];
    let names = (
        texts(&[Some("web"), None, None]),
        texts(&[Some("shop"), None]),
        texts(&[Some("p1"), None, None]),
        texts(&[Some("front"), None, None]),
        (texts(&labels), texts(&labels)),
    );
    (ends, flow, names).prop_map(|(ends, flow, names)| {
        let (ip, port, process, host, domain) = ends;
        let (direction, transport, agent, remote_agent, pid) = flow;
        let (deployment, namespace, pod, service, labels) = names;
        vec![
            ("local_ip", ip.0),
            ("remote_ip", ip.1),
            ("local_port", port.0),
            ("remote_port", port.1),
            ("local_process", process.0),
            ("remote_process", process.1),
            ("local_host", host.0),
            ("remote_host", host.1),
            ("remote_domain", domain),
            ("direction", direction),
            ("transport", transport),
            ("agent", agent),
            ("remote_agent", remote_agent),
            ("pid", pid),
            ("local_deployment", deployment),
            ("local_namespace", namespace),
            ("remote_pod", pod),
            ("remote_service", service),
            ("local_labels", labels.0),
            ("remote_labels", labels.1),
        ]
    })
}

/// Values of the key columns that only one table has.
fn own_identity(table: Table) -> BoxedStrategy<Vec<(&'static str, Value)>> {
    let paths = texts(&[Some("/"), Some("/users/{id}"), Some("/users/42"), None]);
    let methods = texts(&[Some("GET"), Some("POST"), None]);
    let statuses = cell(vec![json!(200), json!(404), json!(500), Value::Null]);
    let protocols = texts(&[Some("http/1.1"), Some("http/2"), Some("grpc")]);
    let grpc = cell(vec![json!(0), json!(13), Value::Null]);
    match table {
        Table::L4Flows => Just(Vec::new()).boxed(),
        Table::L7Flows => (methods, paths, statuses, protocols, grpc)
            .prop_map(|(method, path, status, protocol, grpc)| {
                vec![
                    ("method", method),
                    ("path", path),
                    ("status", status),
                    ("protocol", protocol),
                    ("grpc_status", grpc),
                    ("encryption", json!("tls")),
                ]
            })
            .boxed(),
        Table::L7Samples => {
            let templates = texts(&[Some("/"), Some("/users/{id}"), None]);
            let outcomes = texts(&[Some("answered"), Some("aborted")]);
            let traces = texts(&[Some("a1"), Some("b2"), None]);
            (methods, paths, templates, statuses, outcomes, traces)
                .prop_map(|(method, path, template, status, outcome, trace)| {
                    vec![
                        ("method", method),
                        ("path", path),
                        ("template", template),
                        ("status", status),
                        ("outcome", outcome),
                        ("trace_id", trace),
                    ]
                })
                .boxed()
        }
        Table::DnsFlows => {
            let names = texts(&[Some("a.example.com"), Some("b.example.com"), Some("org"), None]);
            let types = texts(&[Some("A"), Some("AAAA"), Some("PTR")]);
            let codes = texts(&[Some("NOERROR"), Some("NXDOMAIN"), None]);
            (names, types, codes)
                .prop_map(|(name, kind, code)| {
                    vec![("dns_name", name), ("dns_type", kind), ("rcode", code)]
                })
                .boxed()
        }
    }
}

/// What a sketch counted: latencies of all lengths, or nothing.
fn latencies() -> impl Strategy<Value = Value> {
    let latency = (0_u32..24, any::<u32>()).prop_map(|(bits, low)| {
        let first = 1_u64 << bits;
        first + u64::from(low) % first
    });
    prop_oneof![
        1 => Just(Value::Null),
        4 => proptest::collection::vec(latency, 0..6).prop_map(Value::from),
    ]
}

fn a_row(table: Table) -> impl Strategy<Value = Row> {
    let of = |wanted: fn(Merge) -> bool| -> Vec<&'static str> {
        let columns = table.columns().iter().filter(move |column| wanted(column.merge));
        columns.map(|column| column.name).collect()
    };
    let numbers = of(|merge| !matches!(merge, Merge::Key | Merge::Sketch));
    let sketches = of(|merge| merge == Merge::Sketch);
    let counters = proptest::collection::vec(counter(), numbers.len());
    let lists = proptest::collection::vec(latencies(), sketches.len());
    // Windows on both sides of a full hour, so that they lie in two files.
    (340_i64..380, identity(), own_identity(table), counters, lists).prop_map(
        move |(window, identity, own, counters, lists)| {
            let mut changes = serde_json::Map::new();
            for (name, value) in identity.into_iter().chain(own) {
                changes.insert(name.to_owned(), value);
            }
            for (name, value) in numbers.iter().zip(counters).chain(sketches.iter().zip(lists)) {
                changes.insert((*name).to_owned(), value);
            }
            if let Some(weight @ Value::Null) = changes.get_mut("weight") {
                *weight = json!(1);
            }
            row_of(table, START_MS + window * WINDOW_MS, Value::Object(changes))
        },
    )
}

fn a_filter(table: Table) -> impl Strategy<Value = Expr> {
    let atom = select(filters(table)).prop_map(move |text| filter_of(table, text));
    let tree = atom.prop_recursive(3, 6, 3, |inner| {
        let parts = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(Expr::And),
            parts.prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    });
    prop_oneof![1 => Just(Expr::all()), 3 => tree]
}

fn grouping(table: Table) -> impl Strategy<Value = Vec<GroupBy>> {
    let side = select(vec![Side::Client, Side::Server, Side::Local, Side::Remote]);
    let entity = (side, select(Level::ALL), any::<bool>())
        .prop_map(|(side, level, fold)| GroupBy::Entity { side, level, fold_external: fold });
    let field = select(group_fields(table)).prop_map(|name| GroupBy::Field(name.to_owned()));
    proptest::collection::vec(prop_oneof![entity, field], 0..4)
}

/// Metrics in any order. The first one orders the lines of a series: a quantile, whose estimates
/// are not in the order of the exact values, is none.
fn some_metrics(table: Table) -> impl Strategy<Value = Vec<String>> {
    let names: Vec<&'static str> = metrics(table).iter().map(|metric| metric.name).collect();
    let most = names.len().min(5);
    (select(ordering_metrics(table)), subsequence(names, 0..=most).prop_shuffle()).prop_map(
        |(first, others)| {
            let others = others.into_iter().filter(|name| *name != first);
            [first].into_iter().chain(others).map(str::to_owned).collect()
        },
    )
}

fn ordering_metrics(table: Table) -> Vec<&'static str> {
    let is_exact = |formula| !matches!(formula, Formula::Quantile { .. });
    metrics(table).iter().filter(|m| is_exact(m.formula)).map(|m| m.name).collect()
}

fn a_shape(table: Table) -> impl Strategy<Value = Shape> {
    let sorted = (any::<bool>(), any::<bool>(), any::<Index>());
    let groups = (grouping(table), some_metrics(table), sorted, 0_usize..20, 0_usize..5).prop_map(
        move |(by, metrics, (is_sorted, descending, which), limit, offset)| {
            let by_metric = (*which.get(&ordering_metrics(table))).to_owned();
            let sort = is_sorted.then_some(Sort { by: by_metric, descending });
            Shape::Groups { by, metrics, sort, limit, offset }
        },
    );
    let step_ms = select(vec![10_000_i64, 30_000, 60_000, 300_000]);
    let series = (grouping(table), some_metrics(table), step_ms, 0_usize..6)
        .prop_map(|(by, metrics, step_ms, limit)| Shape::Series { by, metrics, step_ms, limit });
    let facets =
        (subsequence(facet_fields(table), 1..4), 1_usize..6).prop_map(|(fields, limit)| {
            Shape::Facets { fields: fields.into_iter().map(str::to_owned).collect(), limit }
        });
    let rows = (1_usize..20).prop_map(|limit| Shape::Rows { cursor: None, limit, sort: None });
    prop_oneof![4 => groups, 2 => series, 1 => facets, 1 => rows]
}

fn a_question(table: Table) -> impl Strategy<Value = Question> {
    let perspective = select(Perspective::ALL);
    let window = (335_i64..360, 1_i64..50);
    (window, perspective, a_filter(table), a_shape(table)).prop_map(
        move |((from, windows), perspective, filter, shape)| Question {
            table,
            window: TimeWindow {
                from_ms: START_MS + from * WINDOW_MS + 3_000,
                to_ms: START_MS + (from + windows) * WINDOW_MS,
            },
            perspective,
            filter,
            shape,
        },
    )
}

pub fn any_question_is_answered_as_the_oracle_does(open: Open) {
    any_question_about(Table::L4Flows, open);
}

pub fn any_question_about_requests_is_answered_as_the_oracle_does(open: Open) {
    any_question_about(Table::L7Flows, open);
}

pub fn any_question_about_single_requests_is_answered_as_the_oracle_does(open: Open) {
    any_question_about(Table::L7Samples, open);
}

pub fn any_question_about_lookups_is_answered_as_the_oracle_does(open: Open) {
    any_question_about(Table::DnsFlows, open);
}

fn any_question_about(table: Table, open: Open) {
    let rows = proptest::collection::vec(a_row(table), 0..ROWS_MAX);
    let questions = proptest::collection::vec(a_question(table), QUESTIONS);
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let case = (rows, any::<Index>(), questions);
    let result = runner.run(&case, |(rows, settled, questions)| {
        let opened = open();
        let store = &*opened.store;
        let settled = if rows.is_empty() { 0 } else { settled.index(rows.len()) };
        store_rows_of(table, store, 1, &rows[..settled]);
        settle(store);
        store_rows_of(table, store, 2, &rows[settled..]);
        for question in &questions {
            check(store, &rows, question)?;
        }
        settle(store);
        for question in &questions {
            check(store, &rows, question)?;
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn check(store: &dyn Store, rows: &[Row], question: &Question) -> Result<(), TestCaseError> {
    let answer = match store.ask(question) {
        Ok(answer) => answer,
        Err(error) => return Err(TestCaseError::fail(format!("{question:?}: {error}"))),
    };
    match (&question.shape, answer) {
        (Shape::Groups { by, metrics, sort, limit, offset }, Answer::Groups(found)) => {
            let (groups, totals) = oracle::groups(rows, question, by, metrics, sort.as_ref());
            prop_assert_eq!(found.total, groups.len() as u64, "{:?}", question);
            same(question, metrics, &found.totals, &totals)?;
            let page: Vec<_> = groups.into_iter().skip(*offset).take(*limit).collect();
            prop_assert_eq!(found.groups.len(), page.len(), "{:?}", question);
            for (found, expected) in found.groups.iter().zip(&page) {
                prop_assert_eq!(&found.key, &expected.key, "{:?}", question);
                same(question, metrics, &found.metrics, &expected.metrics)?;
            }
        }
        (Shape::Series { by, metrics, step_ms, limit }, Answer::Series(found)) => {
            let (times, lines) = oracle::series(rows, question, by, metrics, *step_ms, *limit);
            prop_assert_eq!(&found.times_ms, &times, "{:?}", question);
            prop_assert_eq!(found.lines.len(), lines.len(), "{:?}", question);
            for (found, expected) in found.lines.iter().zip(&lines) {
                prop_assert_eq!(&found.key, &expected.key, "{:?}", question);
                prop_assert_eq!(found.is_rest, expected.is_rest, "{:?}", question);
                for (metric, name) in metrics.iter().enumerate() {
                    let names = vec![name.clone(); times.len()];
                    same(question, &names, &found.values[metric], &expected.values[metric])?;
                }
            }
        }
        (Shape::Facets { fields, limit }, Answer::Facets(found)) => {
            let facets: Vec<_> =
                fields.iter().map(|name| oracle::facet(rows, question, name, *limit)).collect();
            prop_assert_eq!(found, facets, "{:?}", question);
        }
        (Shape::Rows { limit, .. }, Answer::Rows(first)) => {
            let pages = all_pages(store, question, *limit, first)?;
            let expected = oracle::selected(rows, question);
            prop_assert_eq!(pages, identified(question.table, &expected));
        }
        (shape, answer) => prop_assert!(false, "{:?} was answered by {:?}", shape, answer),
    }
    Ok(())
}

/// Compares values metric by metric.
fn same(
    question: &Question,
    names: &[String],
    found: &[Option<f64>],
    expected: &[Option<f64>],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for ((name, found), expected) in names.iter().zip(found).zip(expected) {
        let is_same = oracle::is_answer(question.table, name, *found, *expected);
        prop_assert!(is_same, "{}: {:?} for {:?}, {:?}", name, found, expected, question);
    }
    Ok(())
}

/// The stored columns of rows, in an order that both sides can be brought into.
fn identified(table: Table, rows: &[&Row]) -> Vec<String> {
    let of = |row: &&Row| {
        let columns = table.columns().iter().filter(|column| column.ty != ColumnType::Sketch);
        let cells = columns.map(|column| row.get(column.name).unwrap_or(&Value::Null).to_string());
        cells.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = rows.iter().map(of).collect();
    lines.sort_unstable();
    lines
}

fn all_pages(
    store: &dyn Store,
    question: &Question,
    limit: usize,
    first: weir_query::Rows,
) -> Result<Vec<String>, TestCaseError> {
    let mut rows = Vec::new();
    let mut page = first;
    loop {
        prop_assert!(page.rows.len() <= limit);
        rows.extend(page.rows);
        let Some(cursor) = page.next_cursor else { break };
        let shape = Shape::Rows { cursor: Some(cursor), limit, sort: None };
        let next = Question { shape, ..question.clone() };
        page = match store.ask(&next) {
            Ok(Answer::Rows(rows)) => rows,
            other => return Err(TestCaseError::fail(format!("{next:?}: {other:?}"))),
        };
    }
    let time = |row: &Row| row[question.table.time_column()].as_i64().unwrap_or(i64::MIN);
    prop_assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(time(row))));
    Ok(identified(question.table, &rows.iter().collect::<Vec<_>>()))
}
