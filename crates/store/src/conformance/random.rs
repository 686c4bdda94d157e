//! Random rows, random questions, compared with the oracle.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use weir_model::{Layer, Level, Perspective};
use weir_query::{Answer, Expr, GroupBy, Question, Shape, Sort, TimeWindow};
use weir_schema::{L4_METRICS, Side};

use super::rows::{Row, row};
use super::{Open, START_MS, WINDOW_MS, filter, oracle, settle, store_rows};
use crate::Store;

/// Rows of one case, in two batches: one settles, one is fresh.
const ROWS_MAX: usize = 60;
const QUESTIONS: usize = 24;
const CASES: u32 = 12;

/// Filters that questions are made of, joined with AND, OR and NOT.
const FILTERS: &[&str] = &[
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
    "bytes_sent:>5",
    "bytes_received:[1 - 6]",
    "rtt_us:>=2",
    "connect_us:*",
    "pid:7",
    "remote_agent:*",
    "agent:a",
    "host:h?",
];

const FACETS: &[&str] = &[
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
];

const FIELDS: &[&str] = &[
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
    let names = (
        texts(&[Some("web"), None, None]),
        texts(&[Some("shop"), None]),
        texts(&[Some("p1"), None, None]),
        texts(&[Some("front"), None, None]),
    );
    (ends, flow, names).prop_map(|(ends, flow, names)| {
        let (ip, port, process, host, domain) = ends;
        let (direction, transport, agent, remote_agent, pid) = flow;
        let (deployment, namespace, pod, service) = names;
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
        ]
    })
}

fn a_row() -> impl Strategy<Value = Row> {
    let columns: Vec<&'static str> = weir_schema::L4_FLOWS
        .iter()
        .filter(|column| column.merge != weir_schema::Merge::Key)
        .map(|column| column.name)
        .collect();
    let counters = proptest::collection::vec(counter(), columns.len());
    // Windows on both sides of a full hour, so that they lie in two files.
    (340_i64..380, identity(), counters).prop_map(move |(window, identity, counters)| {
        let mut changes = serde_json::Map::new();
        changes.extend(identity.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let counters = columns.iter().map(|name| (*name).to_owned()).zip(counters);
        changes.extend(counters);
        row(START_MS + window * WINDOW_MS, Value::Object(changes))
    })
}

fn a_filter() -> impl Strategy<Value = Expr> {
    let atom = select(FILTERS).prop_map(filter);
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

fn grouping() -> impl Strategy<Value = Vec<GroupBy>> {
    let side = select(vec![Side::Client, Side::Server, Side::Local, Side::Remote]);
    let entity = (side, select(Level::ALL), any::<bool>())
        .prop_map(|(side, level, fold)| GroupBy::Entity { side, level, fold_external: fold });
    let field = select(FIELDS).prop_map(|name| GroupBy::Field(name.to_owned()));
    proptest::collection::vec(prop_oneof![entity, field], 0..4)
}

fn some_metrics() -> impl Strategy<Value = Vec<String>> {
    let names: Vec<String> = L4_METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    subsequence(names, 1..6).prop_shuffle()
}

fn a_shape() -> impl Strategy<Value = Shape> {
    let sorted = (any::<bool>(), any::<bool>(), any::<Index>());
    let groups = (grouping(), some_metrics(), sorted, 0_usize..20, 0_usize..5).prop_map(
        |(by, metrics, (is_sorted, descending, which), limit, offset)| {
            let all: Vec<&str> = L4_METRICS.iter().map(|metric| metric.name).collect();
            let by_metric = (*which.get(&all)).to_owned();
            let sort = is_sorted.then_some(Sort { by: by_metric, descending });
            Shape::Groups { by, metrics, sort, limit, offset }
        },
    );
    let step_ms = select(vec![10_000_i64, 30_000, 60_000, 300_000]);
    let series = (grouping(), some_metrics(), step_ms, 0_usize..6)
        .prop_map(|(by, metrics, step_ms, limit)| Shape::Series { by, metrics, step_ms, limit });
    let facets = (subsequence(FACETS, 1..4), 1_usize..6).prop_map(|(fields, limit)| {
        Shape::Facets { fields: fields.into_iter().map(str::to_owned).collect(), limit }
    });
    let rows = (1_usize..20).prop_map(|limit| Shape::Rows { cursor: None, limit, sort: None });
    prop_oneof![4 => groups, 2 => series, 1 => facets, 1 => rows]
}

fn a_question() -> impl Strategy<Value = Question> {
    let perspective = select(Perspective::ALL);
    let window = (335_i64..360, 1_i64..50);
    (window, perspective, a_filter(), a_shape()).prop_map(
        |((from, windows), perspective, filter, shape)| Question {
            layer: Layer::L4,
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
    let rows = proptest::collection::vec(a_row(), 0..ROWS_MAX);
    let questions = proptest::collection::vec(a_question(), QUESTIONS);
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let case = (rows, any::<Index>(), questions);
    let result = runner.run(&case, |(rows, settled, questions)| {
        let opened = open();
        let store = &*opened.store;
        let settled = if rows.is_empty() { 0 } else { settled.index(rows.len()) };
        store_rows(store, 1, &rows[..settled]);
        settle(store);
        store_rows(store, 2, &rows[settled..]);
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
            prop_assert_eq!(found.totals, totals, "{:?}", question);
            let page: Vec<_> = groups.into_iter().skip(*offset).take(*limit).collect();
            prop_assert_eq!(found.groups, page, "{:?}", question);
        }
        (Shape::Series { by, metrics, step_ms, limit }, Answer::Series(found)) => {
            let (times, lines) = oracle::series(rows, question, by, metrics, *step_ms, *limit);
            prop_assert_eq!(found.times_ms, times, "{:?}", question);
            prop_assert_eq!(found.lines, lines, "{:?}", question);
        }
        (Shape::Facets { fields, limit }, Answer::Facets(found)) => {
            let facets: Vec<_> =
                fields.iter().map(|name| oracle::facet(rows, question, name, *limit)).collect();
            prop_assert_eq!(found, facets, "{:?}", question);
        }
        (Shape::Rows { limit, .. }, Answer::Rows(first)) => {
            let pages = all_pages(store, question, *limit, first)?;
            prop_assert_eq!(pages, identified(&oracle::selected(rows, question)));
        }
        (shape, answer) => prop_assert!(false, "{:?} was answered by {:?}", shape, answer),
    }
    Ok(())
}

/// The stored columns of rows, in an order that both sides can be brought into.
fn identified(rows: &[&Row]) -> Vec<String> {
    let of = |row: &&Row| {
        let columns = weir_schema::L4_FLOWS.iter();
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
    let start = |row: &Row| row["window_start_ms"].as_i64().unwrap_or(i64::MIN);
    prop_assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(start(row))));
    Ok(identified(&rows.iter().collect::<Vec<_>>()))
}
