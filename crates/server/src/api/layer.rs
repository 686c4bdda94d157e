//! What a call answers with when it is not told: by layer.

use weir_model::Layer;
use weir_schema::Table;

/// Metrics of pairs, of the map and of connections.
pub fn pair_metrics(table: Table) -> &'static [&'static str] {
    match table.layer() {
        Layer::L4 => &[
            "bytes_sent",
            "bytes_received",
            "rtt_us",
            "jitter_us",
            "connections",
            "closures",
            "retransmits",
        ],
        Layer::L7 => &[
            "requests",
            "requests_per_s",
            "status_3xx",
            "status_4xx",
            "status_5xx",
            "error_rate",
            "response_us",
            "response_us_p95",
        ],
        Layer::Dns => {
            &["dns_queries", "dns_failures", "dns_timeouts", "dns_us", "dns_us_p50", "dns_us_p95"]
        }
    }
}

/// Metrics of a series.
pub fn series_metrics(table: Table) -> &'static [&'static str] {
    match table.layer() {
        Layer::L4 => &["bytes_sent", "bytes_received"],
        Layer::L7 => &["requests", "errors"],
        Layer::Dns => &["dns_queries", "dns_failures"],
    }
}

/// Metrics of the timeline above the rows.
pub fn histogram_metrics(table: Table) -> &'static [&'static str] {
    match table.layer() {
        Layer::L4 => &["bytes_sent", "bytes_received", "connections"],
        Layer::L7 => &["requests"],
        Layer::Dns => &["dns_queries"],
    }
}

/// The metrics whose sum says what is heaviest.
pub fn weight(table: Table) -> &'static [&'static str] {
    match table.layer() {
        Layer::L4 => &["bytes_sent", "bytes_received"],
        Layer::L7 => &["requests"],
        Layer::Dns => &["dns_queries"],
    }
}

/// Order of pairs and connections.
pub fn sort(table: Table) -> &'static str {
    match table.layer() {
        Layer::L4 => "-bytes_sent",
        Layer::L7 => "-requests",
        Layer::Dns => "-dns_queries",
    }
}
