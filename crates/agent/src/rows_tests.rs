//! Tests of the columns: each value in its place, and absent where it is not known.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt64Type};

use weir_identity::Workload;
use weir_model::{Direction, Endpoint, Netns, Process, Samples};
use weir_schema::Origin;

use super::*;

fn end(text: &str) -> Endpoint {
    Endpoint::from(text.parse::<std::net::SocketAddr>().expect("an end"))
}

fn row(transport: Transport) -> FlowRow {
    FlowRow {
        key: FlowKey {
            direction: Direction::Outgoing,
            transport,
            local: end("10.0.0.1:0"),
            remote: end("[2001:db8::2]:443"),
            dialled: None,
            netns: Netns(7),
            process: Some(Process { pid: 42, name: Arc::from("containerd-shim") }),
            cgroup_id: Some(5),
        },
        counters: L4Counters {
            bytes_sent: 100,
            packets_sent: 3,
            connections: 1,
            rtt_us: Samples::one(250),
            ..L4Counters::default()
        },
        local: Owner {
            process: Some(Arc::from("containerd-shim-runc-v2")),
            pod_uid: None,
            container: None,
            workload: Some(Workload { name: Arc::from("containerd.service"), kind: "systemd" }),
        },
        remote: Owner { process: Some(Arc::from("nginx")), ..Owner::default() },
        remote_is_here: true,
        remote_domain: None,
    }
}

fn build(rows: &[FlowRow]) -> RecordBatch {
    let udp = [Signal::Bytes, Signal::Packets].into_iter().collect();
    let context = RowContext {
        span: Span { start_ms: 1_000, length_ms: 10_000, from_ms: 1_000, to_ms: 11_000 },
        agent: "a1",
        host: "shop-1",
        tcp_signals: Signal::ALL.into_iter().filter(|s| *s != Signal::Jitter).collect(),
        udp_signals: udp,
    };
    record_batch(rows, &context).expect("a batch")
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name).expect("a column").as_dictionary::<UInt32Type>();
    let values = column.values().as_string::<i32>();
    column.key(row).map(|key| values.value(key).to_owned())
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<u64> {
    let column = batch.column_by_name(name).expect("a column").as_primitive::<UInt64Type>();
    column.is_valid(row).then(|| column.value(row))
}

#[test]
fn values_stand_in_their_columns() {
    let batch = build(&[row(Transport::Tcp)]);
    for (name, expected) in [
        ("agent", Some("a1")),
        ("direction", Some("outgoing")),
        ("transport", Some("tcp")),
        ("family", Some("ipv6")),
        ("local_ip", Some("10.0.0.1")),
        ("remote_ip", Some("2001:db8::2")),
        ("local_process", Some("containerd-shim-runc-v2")),
        ("remote_process", Some("nginx")),
        ("local_container", None),
        ("local_host", Some("shop-1")),
        ("remote_host", Some("shop-1")),
        ("remote_agent", Some("a1")),
        ("remote_domain", None),
        ("local_deployment", Some("containerd.service")),
        ("local_workload_kind", Some("systemd")),
        ("remote_deployment", None),
    ] {
        assert_eq!(text(&batch, name, 0).as_deref(), expected, "{name}");
    }
    let start = batch.column_by_name("window_start_ms").expect("a column");
    assert_eq!(start.as_primitive::<TimestampMillisecondType>().value(0), 1_000);
    let port = |name| batch.column_by_name(name).expect("a column").as_primitive::<UInt16Type>();
    assert!(port("local_port").is_null(0), "folded");
    assert_eq!(port("remote_port").value(0), 443);
    let number = |name| number(&batch, name, 0);
    assert_eq!(number("bytes_sent"), Some(100));
    assert_eq!(number("bytes_received"), Some(0), "known to be nothing");
    assert_eq!(number("rtt_us_min"), Some(250));
}

#[test]
fn what_a_kernel_cannot_give_is_null() {
    let mut unsampled = row(Transport::Tcp);
    unsampled.counters.rtt_us = Samples::default();
    let batch = build(&[row(Transport::Tcp), row(Transport::Udp), unsampled]);
    let values = |name| [0, 1, 2].map(|row| number(&batch, name, row));
    assert_eq!(values("packets_sent"), [Some(3), Some(3), Some(3)]);
    assert_eq!(values("connections"), [Some(1), None, Some(1)]);
    assert_eq!(values("rtt_samples"), [Some(1), None, Some(0)]);
    assert_eq!(values("rtt_us_max"), [Some(250), None, None]);
    assert_eq!(values("jitter_us_sum"), [None, None, None]);
}

#[test]
fn a_remote_end_elsewhere_has_no_agent() {
    let mut elsewhere = row(Transport::Tcp);
    elsewhere.remote_is_here = false;
    elsewhere.remote = Owner::default();
    elsewhere.remote_domain = Some(Arc::from("shop.example"));
    let batch = build(&[elsewhere]);
    for name in ["remote_agent", "remote_host", "remote_process"] {
        assert_eq!(text(&batch, name, 0), None, "{name}");
    }
    assert_eq!(text(&batch, "remote_domain", 0).as_deref(), Some("shop.example"));
}

/// A column that agents own and that this room forgot would be silently empty.
#[test]
fn every_column_of_the_agent_is_filled() {
    let mut full = row(Transport::Tcp);
    full.key.local = end("10.0.0.1:5");
    full.key.dialled = Some(end("10.96.0.1:80"));
    full.local.container = Some(Arc::from("c1"));
    full.local.pod_uid = Some(Arc::from("u1"));
    full.remote = full.local.clone();
    full.remote_domain = Some(Arc::from("shop.example"));
    let udp = SignalSet::empty();
    let context = RowContext {
        span: Span { start_ms: 0, length_ms: 1, from_ms: 0, to_ms: 1 },
        agent: "a1",
        host: "shop-1",
        tcp_signals: Signal::ALL.into_iter().collect(),
        udp_signals: udp,
    };
    let batch = record_batch(&[full], &context).expect("a batch");
    // nobody but a directory of services can tell what the local end is called by others
    let unknowable = ["local_domain"];
    for column in Table::L4Flows.columns().iter().filter(|c| c.origin != Origin::Server) {
        let values = batch.column_by_name(column.name).expect("a column");
        let is_filled = values.null_count() == 0;
        assert_eq!(is_filled, !unknowable.contains(&column.name), "{}", column.name);
    }
}

#[test]
fn no_rows_make_an_empty_batch() {
    assert_eq!(build(&[]).num_rows(), 0);
}
