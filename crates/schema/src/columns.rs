//! The columns: name, type, unit, merge rule, origin, filterable, meaning.

use serde::Serialize;

/// Storage type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    U16,
    U32,
    U64,
    /// Milliseconds since 1970-01-01 UTC.
    TimestampMs,
    /// Text of low cardinality, dictionary-encoded (`UInt32` codes).
    Text,
    /// An IP address in its canonical text form, dictionary-encoded like `Text`.
    Ip,
}

/// Unit of a value, as pages and docs print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    None,
    Bytes,
    Packets,
    Count,
    Microseconds,
    Milliseconds,
}

/// How the column behaves when rows are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Part of the row's identity.
    Key,
    Sum,
    Min,
    Max,
    /// Value of the last window; summed over the keys of that window.
    Last,
}

/// Who fills the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Sent by the agent.
    Agent,
    /// Sent by the agent where it knows, completed by the server at ingest where it does not.
    AgentOrServer,
    /// Resolved by the server at ingest; never sent.
    Server,
}

/// A stored table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    L4Flows,
}

impl Table {
    pub const ALL: [Table; 1] = [Table::L4Flows];

    /// Name in files, catalogue, wire and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Table::L4Flows => "l4_flows",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Table::ALL.into_iter().find(|t| t.name() == name)
    }

    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::L4Flows => L4_FLOWS,
        }
    }
}

/// One stored column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: &'static str,
    #[serde(rename = "type")]
    pub ty: ColumnType,
    pub unit: Unit,
    pub merge: Merge,
    pub origin: Origin,
    pub nullable: bool,
    /// Whether the filter language takes the name.
    pub filterable: bool,
    /// [`crate::FORMAT_VERSION`] in which the column appeared.
    pub since: u32,
    pub doc: &'static str,
}

impl Column {
    const fn new(name: &'static str, ty: ColumnType, merge: Merge, doc: &'static str) -> Self {
        Column {
            name,
            ty,
            unit: Unit::None,
            merge,
            origin: Origin::Agent,
            nullable: true,
            filterable: true,
            since: 1,
            doc,
        }
    }

    const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    const fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    const fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Not offered to the filter language: a metric's formula stands for it.
    const fn internal(mut self) -> Self {
        self.filterable = false;
        self
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

use ColumnType::{Ip, TimestampMs, U16, U32};
use Merge::Key;
use Origin::{AgentOrServer, Server};

/// One row per (window, agent, direction, transport, local end, remote end, process, container).
pub const L4_FLOWS: &[Column] = &[
    Column::new("window_start_ms", TimestampMs, Key, "start of the window, aligned to the clock")
        .unit(Unit::Milliseconds)
        .required()
        .internal(),
    Column::new("window_ms", U32, Key, "length of the window")
        .unit(Unit::Milliseconds)
        .required()
        .internal(),
    text("agent", "id of the agent that observed the flow").required(),
    text("direction", "outgoing: the local end is the client; incoming: it is the server; unknown")
        .required(),
    text("transport", "tcp or udp").required(),
    text("family", "ipv4 or ipv6, as on the wire").required(),
    Column::new("local_ip", Ip, Key, "address of the observed end").required(),
    Column::new("local_port", U16, Key, "port of the observed end; absent where folded"),
    Column::new("remote_ip", Ip, Key, "address of the other end").required(),
    Column::new("remote_port", U16, Key, "port of the other end; absent where folded"),
    Column::new("netns", U32, Key, "network namespace of the socket (inode number)"),
    Column::new("pid", U32, Key, "process id (thread group) that owns the local end"),
    text("local_process", "command name of the process at the local end"),
    text("remote_process", "command name at the other end, where that end is observed too")
        .origin(AgentOrServer),
    text("local_container", "container id at the local end, from its cgroup"),
    text("remote_container", "container id at the other end").origin(AgentOrServer),
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
    count("bytes_sent", "payload bytes from the local end, retransmissions not counted again")
        .unit(Unit::Bytes),
    count("bytes_received", "payload bytes to the local end").unit(Unit::Bytes),
    count("packets_sent", "TCP segments or UDP datagrams from the local end").unit(Unit::Packets),
    count("packets_received", "TCP segments or UDP datagrams to the local end").unit(Unit::Packets),
    count("connections", "TCP connections established in the window"),
    count("closures", "established TCP connections that closed in the window"),
    Column::new(
        "active_connections",
        ColumnType::U64,
        Merge::Last,
        "TCP connections open at window end",
    )
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
