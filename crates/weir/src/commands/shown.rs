//! The columns of the tables that a shell shows, by layer.

use crate::table::{Cell, Column};

const fn column(heading: &'static str, cell: Cell, path: &'static str) -> Column {
    Column { heading, cell, path }
}

const L4_FLOWS: &[Column] = &[
    column("TIME (UTC)", Cell::Time, "window_start_ms"),
    column("DIRECTION", Cell::Text, "direction"),
    column("PROTO", Cell::Text, "transport"),
    column("PROCESS", Cell::Text, "local_process"),
    column("PID", Cell::Count, "pid"),
    column("LOCAL", Cell::Text, "local_ip"),
    column("PORT", Cell::Count, "local_port"),
    column("REMOTE", Cell::Text, "remote_ip"),
    column("PORT", Cell::Count, "remote_port"),
    column("NAME", Cell::Text, "remote_domain"),
    column("SENT", Cell::Bytes, "bytes_sent"),
    column("RECEIVED", Cell::Bytes, "bytes_received"),
    column("DELAY", Cell::Micros, "rtt_us"),
    column("CONNS", Cell::Count, "connections"),
];

const L4_PAIRS: &[Column] = &[
    column("CLIENT", Cell::Text, "client.name"),
    column("CLIENT HOST", Cell::Text, "client.host"),
    column("SERVER", Cell::Text, "server.name"),
    column("SERVER HOST", Cell::Text, "server.host"),
    column("SENT", Cell::Bytes, "metrics.bytes_sent"),
    column("RECEIVED", Cell::Bytes, "metrics.bytes_received"),
    column("DELAY", Cell::Micros, "metrics.rtt_us"),
    column("JITTER", Cell::Micros, "metrics.jitter_us"),
    column("CONNS", Cell::Count, "metrics.connections"),
    column("CLOSED", Cell::Count, "metrics.closures"),
    column("RETRANS", Cell::Count, "metrics.retransmits"),
];

const L4_EDGES: &[Column] = &[
    column("CLIENT", Cell::Text, "client"),
    column("SERVER", Cell::Text, "server"),
    column("SENT", Cell::Bytes, "metrics.bytes_sent"),
    column("RECEIVED", Cell::Bytes, "metrics.bytes_received"),
    column("DELAY", Cell::Micros, "metrics.rtt_us"),
    column("CONNS", Cell::Count, "metrics.connections"),
];

const REQUESTS: &[Column] = &[
    column("BEGAN (UTC)", Cell::Time, "began_ms"),
    column("DIRECTION", Cell::Text, "direction"),
    column("CLIENT", Cell::Text, "client_process"),
    column("IP", Cell::Text, "client_ip"),
    column("SERVER", Cell::Text, "server_process"),
    column("IP", Cell::Text, "server_ip"),
    column("PORT", Cell::Count, "server_port"),
    column("PROTOCOL", Cell::Text, "protocol"),
    column("METHOD", Cell::Text, "method"),
    column("PATH", Cell::Text, "path"),
    column("STATUS", Cell::Count, "status"),
    column("OUTCOME", Cell::Text, "outcome"),
    column("TIME", Cell::Micros, "response_us"),
    column("WEIGHT", Cell::Count, "weight"),
];

const L7_PAIRS: &[Column] = &[
    column("CLIENT", Cell::Text, "client.name"),
    column("CLIENT HOST", Cell::Text, "client.host"),
    column("SERVER", Cell::Text, "server.name"),
    column("SERVER HOST", Cell::Text, "server.host"),
    column("REQUESTS", Cell::Count, "metrics.requests"),
    column("PER S", Cell::Rate, "metrics.requests_per_s"),
    column("3XX", Cell::Count, "metrics.status_3xx"),
    column("4XX", Cell::Count, "metrics.status_4xx"),
    column("5XX", Cell::Count, "metrics.status_5xx"),
    column("ERRORS", Cell::Share, "metrics.error_rate"),
    column("MEAN", Cell::Micros, "metrics.response_us"),
    column("P95", Cell::Micros, "metrics.response_us_p95"),
];

const L7_EDGES: &[Column] = &[
    column("CLIENT", Cell::Text, "client"),
    column("SERVER", Cell::Text, "server"),
    column("REQUESTS", Cell::Count, "metrics.requests"),
    column("PER S", Cell::Rate, "metrics.requests_per_s"),
    column("ERRORS", Cell::Share, "metrics.error_rate"),
    column("MEAN", Cell::Micros, "metrics.response_us"),
];

const DNS_PAIRS: &[Column] = &[
    column("CLIENT", Cell::Text, "client.name"),
    column("CLIENT HOST", Cell::Text, "client.host"),
    column("NAME SERVER", Cell::Text, "server.name"),
    column("LOOKUPS", Cell::Count, "metrics.dns_queries"),
    column("FAILED", Cell::Count, "metrics.dns_failures"),
    column("TIMED OUT", Cell::Count, "metrics.dns_timeouts"),
    column("MEAN", Cell::Micros, "metrics.dns_us"),
    column("P50", Cell::Micros, "metrics.dns_us_p50"),
    column("P95", Cell::Micros, "metrics.dns_us_p95"),
];

const DNS_EDGES: &[Column] = &[
    column("CLIENT", Cell::Text, "client"),
    column("NAME SERVER", Cell::Text, "server"),
    column("LOOKUPS", Cell::Count, "metrics.dns_queries"),
    column("FAILED", Cell::Count, "metrics.dns_failures"),
    column("TIMED OUT", Cell::Count, "metrics.dns_timeouts"),
    column("MEAN", Cell::Micros, "metrics.dns_us"),
];

/// Rows of `weir flows`.
pub fn flows(layer: &str) -> &'static [Column] {
    if layer == "l7" { REQUESTS } else { L4_FLOWS }
}

/// Rows of `weir summary`.
pub fn pairs(layer: &str) -> &'static [Column] {
    match layer {
        "l7" => L7_PAIRS,
        "dns" => DNS_PAIRS,
        _ => L4_PAIRS,
    }
}

/// Rows of `weir map`.
pub fn edges(layer: &str) -> &'static [Column] {
    match layer {
        "l7" => L7_EDGES,
        "dns" => DNS_EDGES,
        _ => L4_EDGES,
    }
}
