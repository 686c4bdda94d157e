//! What is stored: the tables, one row a column.
//!
//! The tables share their first columns, those that say when and who; a table is these and its
//! own.

use serde::Serialize;
use weir_model::Layer;

use crate::column::{Column, ColumnType, Merge, Origin, Unit};

/// A stored table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Transport flows: bytes, delays, connections of a window.
    L4Flows,
    /// Requests of a window, summed up by path and status.
    L7Flows,
    /// Single requests, each standing for `weight` of them.
    L7Samples,
    /// Name lookups of a window, summed up by name.
    DnsFlows,
}

impl Table {
    pub const ALL: [Table; 4] = [Table::L4Flows, Table::L7Flows, Table::L7Samples, Table::DnsFlows];

    /// Name in files, catalogue, wire and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Table::L4Flows => "l4_flows",
            Table::L7Flows => "l7_flows",
            Table::L7Samples => "l7_samples",
            Table::DnsFlows => "dns_flows",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Table::ALL.into_iter().find(|t| t.name() == name)
    }

    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::L4Flows => L4_FLOWS,
            Table::L7Flows => L7_FLOWS,
            Table::L7Samples => L7_SAMPLES,
            Table::DnsFlows => DNS_FLOWS,
        }
    }

    /// What one row is, for a person.
    pub fn doc(self) -> &'static str {
        match self {
            Table::L4Flows => {
                "One row per (window, agent, direction, transport, local end, remote end, process, \
                 container)."
            }
            Table::L7Flows => {
                "One row per (window, both ends as in `l4_flows`, protocol, encryption, method, \
                 path template, status)."
            }
            Table::L7Samples => {
                "One row per request that was kept whole. What is kept is chosen by chance where \
                 there are too many: `weight` says how many requests a row stands for."
            }
            Table::DnsFlows => {
                "One row per (window, both ends as in `l4_flows`, name, type, code of the answer). \
                 The client is who asked, the server is the name server."
            }
        }
    }

    pub fn layer(self) -> Layer {
        match self {
            Table::L4Flows => Layer::L4,
            Table::L7Flows | Table::L7Samples => Layer::L7,
            Table::DnsFlows => Layer::Dns,
        }
    }

    /// The table that answers what is summed up: pairs, series, facets, the map.
    pub fn of_flows(layer: Layer) -> Self {
        match layer {
            Layer::L4 => Table::L4Flows,
            Layer::L7 => Table::L7Flows,
            Layer::Dns => Table::DnsFlows,
        }
    }

    /// The table that answers with rows.
    pub fn of_rows(layer: Layer) -> Self {
        match layer {
            Layer::L7 => Table::L7Samples,
            other => Table::of_flows(other),
        }
    }

    /// The column that says when a row happened: rows are partitioned, selected and ordered by it.
    pub fn time_column(self) -> &'static str {
        match self {
            Table::L7Samples => "began_ms",
            _ => "window_start_ms",
        }
    }
}

const fn text(name: &'static str, doc: &'static str) -> Column {
    Column::new(name, ColumnType::Text, Merge::Key, doc)
}

const fn count(name: &'static str, doc: &'static str) -> Column {
    Column::new(name, ColumnType::U64, Merge::Sum, doc).unit(Unit::Count)
}

const fn micros(name: &'static str, merge: Merge, doc: &'static str) -> Column {
    Column::new(name, ColumnType::U64, merge, doc).unit(Unit::Microseconds)
}

const fn sketch(name: &'static str, doc: &'static str) -> Column {
    Column::new(name, ColumnType::Sketch, Merge::Sketch, doc).unit(Unit::Microseconds).internal()
}

use ColumnType::{Ip, TimestampMs, U16, U32, U64};
use Merge::Key;
use Origin::{AgentOrServer, Server};

const fn length(parts: &[&[Column]]) -> usize {
    let (mut part, mut sum) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// The parts one after the other, no column older than the table.
const fn joined<const N: usize>(parts: &[&[Column]], since: u32) -> [Column; N] {
    let mut out = [parts[0][0]; N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            let column = parts[part][i];
            out[at] = column.since(if column.since > since { column.since } else { since });
            i += 1;
            at += 1;
        }
        part += 1;
    }
    out
}

const WINDOW: &[Column] = &[
    Column::new("window_start_ms", TimestampMs, Key, "start of the window, aligned to the clock")
        .unit(Unit::Milliseconds)
        .required()
        .internal(),
    Column::new("window_ms", U32, Key, "length of the window")
        .unit(Unit::Milliseconds)
        .required()
        .internal(),
];

/// Who: the observing agent, and both ends with all that names them.
const ENDS: &[Column] = &[
    text("agent", "id of the agent that observed the flow").required(),
    text("direction", "outgoing: the local end is the client; incoming: it is the server; unknown")
        .required(),
    text("transport", "tcp or udp").required(),
    text("family", "ipv4 or ipv6, as on the wire").required(),
    Column::new("local_ip", Ip, Key, "address of the observed end").required(),
    Column::new("local_port", U16, Key, "port of the observed end; absent where folded"),
    Column::new(
        "remote_ip",
        Ip,
        Key,
        "address of the other end, behind translated addresses (NAT)",
    )
    .required(),
    Column::new("remote_port", U16, Key, "port of the other end; absent where folded"),
    Column::new("dialled_ip", Ip, Key, "address that the client dialled, where another answered")
        .since(4),
    Column::new("dialled_port", U16, Key, "port that the client dialled, where another answered")
        .since(4),
    Column::new("netns", U32, Key, "network namespace of the socket (inode number)"),
    Column::new("pid", U32, Key, "process id (thread group) that owns the local end"),
    text("local_process", "command name of the process at the local end"),
    text("remote_process", "command name at the other end, where that end is observed too")
        .origin(AgentOrServer),
    text("local_container", "container id at the local end, from its cgroup"),
    text("remote_container", "container id at the other end").origin(AgentOrServer),
    text("local_pod_uid", "uid of the Pod that the local end's control group was made for")
        .since(5),
    text("remote_pod_uid", "uid of the other end's Pod, where that end is on the same host")
        .since(5),
    text("local_host", "host of the local end").required(),
    text("remote_host", "host of the other end, where an agent watches it").origin(AgentOrServer),
    text("remote_agent", "agent that observes the other end of the same conversation")
        .origin(AgentOrServer),
    text("local_domain", "domain name of the local end, as its clients resolved it"),
    text("remote_domain", "domain name that the local end resolved to the remote address"),
    text("local_pod", "Pod of the local end").origin(Server),
    text("remote_pod", "Pod of the other end").origin(Server),
    text("local_namespace", "Kubernetes namespace of the local end").origin(Server),
    text("remote_namespace", "Kubernetes namespace of the other end").origin(Server),
    text("local_deployment", "workload of the local end: Deployment, ..., systemd unit, container")
        .origin(AgentOrServer),
    text("remote_deployment", "workload of the other end").origin(AgentOrServer),
    text("local_workload_kind", "kind of the workload of the local end").origin(AgentOrServer),
    text("remote_workload_kind", "kind of the workload of the other end").origin(AgentOrServer),
    text("local_service", "Service that the local end answers for").origin(Server),
    text("remote_service", "Service that the other end answers for").origin(Server),
    text("local_zone", "zone of the local end").origin(Server),
    text("remote_zone", "zone of the other end").origin(Server),
    text("local_region", "region of the local end").origin(Server),
    text("remote_region", "region of the other end").origin(Server),
    text("local_cluster", "cluster of the local end").origin(Server),
    text("remote_cluster", "cluster of the other end").origin(Server),
    text("local_labels", "labels of the local end's Pod, a line `name=value` each")
        .origin(Server)
        .since(5),
    text("remote_labels", "labels of the other end's Pod, a line `name=value` each")
        .origin(Server)
        .since(5),
];

const L4_COUNTERS: &[Column] = &[
    count("bytes_sent", "payload bytes from the local end, retransmissions not counted again")
        .unit(Unit::Bytes),
    count("bytes_received", "payload bytes to the local end").unit(Unit::Bytes),
    count("packets_sent", "TCP segments or UDP datagrams from the local end").unit(Unit::Packets),
    count("packets_received", "TCP segments or UDP datagrams to the local end").unit(Unit::Packets),
    count("connections", "TCP connections established in the window"),
    count("closures", "established TCP connections that closed in the window"),
    Column::new("active_connections", U64, Merge::Last, "TCP connections open at window end")
        .unit(Unit::Count),
    count("connect_refused", "connection attempts that were refused"),
    count("connect_timeout", "connection attempts that timed out"),
    count("connect_reset", "connection attempts that were reset"),
    count("connect_failed_other", "connection attempts that failed for another reason"),
    count("resets_sent", "RST segments sent"),
    count("resets_received", "RST segments received"),
    count("retransmits", "retransmitted TCP segments (tcp_info.tcpi_total_retrans)"),
    micros("rtt_us_sum", Merge::Sum, "sum of the smoothed round trip times (tcp_info.tcpi_rtt)")
        .internal(),
    count("rtt_samples", "samples in rtt_us_sum").internal(),
    micros("rtt_us_min", Merge::Min, "smallest sampled smoothed round trip time"),
    micros("rtt_us_max", Merge::Max, "largest sampled smoothed round trip time"),
    micros("jitter_us_sum", Merge::Sum, "sum of the variations (tcp_info.tcpi_rttvar)").internal(),
    count("jitter_samples", "samples in jitter_us_sum").internal(),
    micros("connect_us_sum", Merge::Sum, "sum of the times from SYN to ESTABLISHED").internal(),
    count("connect_samples", "samples in connect_us_sum").internal(),
];

const L4_PARTS: &[&[Column]] = &[WINDOW, ENDS, L4_COUNTERS];
pub const L4_FLOWS: &[Column] = &joined::<{ length(L4_PARTS) }>(L4_PARTS, 1);

const PROTOCOL: &[Column] = &[
    text("protocol", "http/1.0, http/1.1, http/2 or grpc").required(),
    text("encryption", "tls: read inside the TLS library; none: clear text"),
    text("method", "request method; absent where it was not seen"),
];

const STATUS: &[Column] = &[
    Column::new("status", U16, Key, "HTTP status of the final answer; absent without one"),
    Column::new("grpc_status", U16, Key, "status of a gRPC call, from its trailers"),
];

const L7_COUNTERS: &[Column] = &[
    count("requests", "requests whose end was seen in the window, however they ended"),
    count("errors", "4xx, 5xx, gRPC status other than 0, and what was not answered to its end"),
    count("status_1xx", "final answers with status 100 to 199"),
    count("status_2xx", "answers with status 200 to 299"),
    count("status_3xx", "answers with status 300 to 399"),
    count("status_4xx", "answers with status 400 to 499"),
    count("status_5xx", "answers with status 500 to 599"),
    count("unanswered", "requests that never got an answer"),
    count("aborted", "requests whose answer began and broke off"),
    micros("response_us_sum", Merge::Sum, "sum of the response times").internal(),
    count("response_samples", "requests in response_us_sum").internal(),
    micros("response_us_min", Merge::Min, "shortest response time"),
    micros("response_us_max", Merge::Max, "longest response time"),
    sketch("response_sketch", "distribution of the response times"),
];

const TEMPLATE: &[Column] = &[text("path", "path as a template: ids and the like folded")];

const L7_PARTS: &[&[Column]] = &[WINDOW, ENDS, PROTOCOL, TEMPLATE, STATUS, L7_COUNTERS];
pub const L7_FLOWS: &[Column] = &joined::<{ length(L7_PARTS) }>(L7_PARTS, 2);

const BEGAN: &[Column] = &[Column::new("began_ms", TimestampMs, Key, "when the request began")
    .unit(Unit::Milliseconds)
    .required()
    .internal()];

const SAMPLE: &[Column] = &[
    text("path", "path as it was sent, without the query; a filter looks at the template too")
        .also("template"),
    text("template", "the path with ids and the like folded, as l7_flows has it"),
];

const ONE_ANSWER: &[Column] = &[
    text("outcome", "answered, unanswered or aborted").required(),
    micros(
        "response_us",
        Merge::Max,
        "first byte of the request to first byte of the answer; absent without one",
    ),
    text("trace_id", "trace id from the request's traceparent header"),
    text(
        "headers",
        "headers of the request that agent.l7_headers asks for, a line `name: value` each",
    )
    .since(3),
    Column::new("weight", U32, Merge::Sum, "how many requests the row stands for")
        .unit(Unit::Count)
        .required(),
];

const SAMPLE_PARTS: &[&[Column]] = &[BEGAN, ENDS, PROTOCOL, SAMPLE, STATUS, ONE_ANSWER];
pub const L7_SAMPLES: &[Column] = &joined::<{ length(SAMPLE_PARTS) }>(SAMPLE_PARTS, 2);

const LOOKUPS: &[Column] = &[
    text("dns_name", "name that was asked for, in lower case, without the dot at its end"),
    text("dns_type", "type of record that was asked for: A, AAAA, PTR..."),
    text("rcode", "code of the answer: NOERROR, NXDOMAIN, SERVFAIL...; absent without an answer"),
    count("dns_queries", "lookups whose end was seen in the window, however they ended"),
    count("dns_failures", "answers with a code other than NOERROR"),
    count("dns_timeouts", "lookups that got no answer within 6 s of their last query"),
    micros("dns_us_sum", Merge::Sum, "sum of the times from query to answer").internal(),
    count("dns_us_samples", "answers in dns_us_sum").internal(),
    micros("dns_us_min", Merge::Min, "shortest time from query to answer"),
    micros("dns_us_max", Merge::Max, "longest time from query to answer"),
    sketch("dns_us_sketch", "distribution of the times from query to answer"),
];

const DNS_PARTS: &[&[Column]] = &[WINDOW, ENDS, LOOKUPS];
pub const DNS_FLOWS: &[Column] = &joined::<{ length(DNS_PARTS) }>(DNS_PARTS, 2);
