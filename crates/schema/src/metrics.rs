//! The metrics: what pages show, and how each is made from columns.

use serde::Serialize;
use weir_model::Layer;

use crate::column::Unit;
use crate::columns::Table;

/// How a metric is made from stored columns; right after any merge of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Formula {
    Sum {
        column: &'static str,
    },
    Min {
        column: &'static str,
    },
    Max {
        column: &'static str,
    },
    /// Value in the last window of the range, summed over keys.
    Last {
        column: &'static str,
    },
    /// `sum(numerator) / sum(denominator)`, absent where the denominator is 0.
    Ratio {
        numerator: &'static str,
        denominator: &'static str,
    },
    /// `sum(column)` / seconds of the range that was asked for, or of the step of a series; of a
    /// single row, of its window.
    PerSecond {
        column: &'static str,
    },
    /// What `percent` percent of the values do not exceed, from the merged sketch.
    Quantile {
        column: &'static str,
        percent: u8,
    },
}

impl Formula {
    /// Whether the value is no stored column of a row but made from some.
    pub fn is_computed(self) -> bool {
        match self {
            Formula::Sum { .. }
            | Formula::Min { .. }
            | Formula::Max { .. }
            | Formula::Last { .. } => false,
            Formula::Ratio { .. } | Formula::PerSecond { .. } | Formula::Quantile { .. } => true,
        }
    }
}

/// One metric of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    pub name: &'static str,
    pub unit: Unit,
    pub layer: Layer,
    pub formula: Formula,
    /// The metric that this one is when the conversation is read from its other end
    /// (`bytes_sent` and `bytes_received`); `None`: the same from both ends.
    pub mirror: Option<&'static str>,
    /// Short label of a table column.
    pub label: &'static str,
    pub doc: &'static str,
}

const fn metric_row(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    formula: Formula,
    doc: &'static str,
) -> Metric {
    Metric { name, unit, layer: Layer::L4, formula, mirror: None, label, doc }
}

const fn sum(name: &'static str, label: &'static str, unit: Unit, doc: &'static str) -> Metric {
    metric_row(name, label, unit, Formula::Sum { column: name }, doc)
}

const fn of(mut metric: Metric, layer: Layer) -> Metric {
    metric.layer = layer;
    metric
}

const fn mirrored(mut metric: Metric, other: &'static str) -> Metric {
    metric.mirror = Some(other);
    metric
}

use Unit::{Bytes, Count, Microseconds, Packets, PerSecond, Ratio};

/// The L4 metrics, in the order in which pages offer them.
pub const L4_METRICS: &[Metric] = &[
    mirrored(
        sum("bytes_sent", "Sent", Bytes, "payload bytes from client to server"),
        "bytes_received",
    ),
    mirrored(
        sum("bytes_received", "Received", Bytes, "payload bytes from server to client"),
        "bytes_sent",
    ),
    metric_row(
        "rtt_us",
        "TCP delay",
        Microseconds,
        Formula::Ratio { numerator: "rtt_us_sum", denominator: "rtt_samples" },
        "mean of the smoothed round trip times sampled at each window and at close",
    ),
    metric_row(
        "rtt_us_min",
        "TCP delay min",
        Microseconds,
        Formula::Min { column: "rtt_us_min" },
        "smallest sampled smoothed round trip time",
    ),
    metric_row(
        "rtt_us_max",
        "TCP delay max",
        Microseconds,
        Formula::Max { column: "rtt_us_max" },
        "largest sampled smoothed round trip time",
    ),
    metric_row(
        "jitter_us",
        "TCP jitter",
        Microseconds,
        Formula::Ratio { numerator: "jitter_us_sum", denominator: "jitter_samples" },
        "mean of the sampled round trip time variations (tcp_info.tcpi_rttvar)",
    ),
    sum("connections", "Connections", Count, "TCP connections established"),
    sum("closures", "Closures", Count, "established TCP connections that closed"),
    metric_row(
        "active_connections",
        "Active",
        Count,
        Formula::Last { column: "active_connections" },
        "TCP connections open at the end of the range",
    ),
    sum("retransmits", "Retransmissions", Count, "retransmitted TCP segments"),
    metric_row(
        "connect_us",
        "Connect time",
        Microseconds,
        Formula::Ratio { numerator: "connect_us_sum", denominator: "connect_samples" },
        "mean time from SYN to ESTABLISHED, measured at the client",
    ),
    sum("connect_refused", "Refused", Count, "connection attempts that were refused"),
    sum("connect_timeout", "Timed out", Count, "connection attempts that timed out"),
    sum("connect_reset", "Reset", Count, "connection attempts that were reset"),
    sum(
        "connect_failed_other",
        "Failed otherwise",
        Count,
        "connection attempts that failed for another reason",
    ),
    mirrored(
        sum("resets_sent", "Resets sent", Count, "RST segments from client to server"),
        "resets_received",
    ),
    mirrored(
        sum("resets_received", "Resets received", Count, "RST segments from server to client"),
        "resets_sent",
    ),
    mirrored(
        sum(
            "packets_sent",
            "Packets sent",
            Packets,
            "TCP segments or UDP datagrams from client to server",
        ),
        "packets_received",
    ),
    mirrored(
        sum(
            "packets_received",
            "Packets received",
            Packets,
            "TCP segments or UDP datagrams from server to client",
        ),
        "packets_sent",
    ),
    // What the means above are means of: whoever merges means (a map's node) needs their weights.
    sum("rtt_samples", "Delay samples", Count, "samples in the TCP delay"),
    sum("jitter_samples", "Jitter samples", Count, "samples in the TCP jitter"),
    sum("connect_samples", "Connect samples", Count, "samples in the connect time"),
];

const fn l7(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    formula: Formula,
    doc: &'static str,
) -> Metric {
    of(metric_row(name, label, unit, formula, doc), Layer::L7)
}

const fn l7_count(name: &'static str, label: &'static str, doc: &'static str) -> Metric {
    of(sum(name, label, Count, doc), Layer::L7)
}

const fn response(
    name: &'static str,
    label: &'static str,
    percent: u8,
    doc: &'static str,
) -> Metric {
    l7(name, label, Microseconds, Formula::Quantile { column: "response_sketch", percent }, doc)
}

/// The L7 metrics, in the order in which pages offer them.
pub const L7_METRICS: &[Metric] = &[
    l7_count("requests", "Requests", "requests, however they ended"),
    l7(
        "requests_per_s",
        "Requests/s",
        PerSecond,
        Formula::PerSecond { column: "requests" },
        "requests divided by the length of the range, busy or not; in a series, of the step",
    ),
    l7_count(
        "errors",
        "Errors",
        "answers 4xx and 5xx, gRPC status other than 0, and requests not answered to their end",
    ),
    l7(
        "error_rate",
        "Error rate",
        Ratio,
        Formula::Ratio { numerator: "errors", denominator: "requests" },
        "errors divided by requests",
    ),
    l7_count("status_1xx", "1xx", "final answers with status 100 to 199 (protocol upgrades)"),
    l7_count("status_2xx", "2xx", "answers with status 200 to 299"),
    l7_count("status_3xx", "3xx", "answers with status 300 to 399"),
    l7_count("status_4xx", "4xx", "answers with status 400 to 499"),
    l7_count("status_5xx", "5xx", "answers with status 500 to 599"),
    l7_count("unanswered", "Unanswered", "requests that never got an answer"),
    l7_count("aborted", "Aborted", "requests whose answer began and broke off"),
    l7(
        "response_us",
        "Response time",
        Microseconds,
        Formula::Ratio { numerator: "response_us_sum", denominator: "response_samples" },
        "mean time from the first byte of the request to the first byte of the answer",
    ),
    l7(
        "response_us_min",
        "Response time min",
        Microseconds,
        Formula::Min { column: "response_us_min" },
        "shortest response time",
    ),
    l7(
        "response_us_max",
        "Response time max",
        Microseconds,
        Formula::Max { column: "response_us_max" },
        "longest response time",
    ),
    response(
        "response_us_p50",
        "Response time P50",
        50,
        "half of the requests were answered within this time; error below 5 %",
    ),
    response(
        "response_us_p90",
        "Response time P90",
        90,
        "90 % of the requests were answered within this time; error below 5 %",
    ),
    response(
        "response_us_p95",
        "Response time P95",
        95,
        "95 % of the requests were answered within this time; error below 5 %",
    ),
    response(
        "response_us_p99",
        "Response time P99",
        99,
        "99 % of the requests were answered within this time; error below 5 %",
    ),
    l7_count("response_samples", "Response samples", "requests in the response time"),
];

/// Metrics of single requests: a row counts as often as its weight says.
pub const L7_SAMPLE_METRICS: &[Metric] = &[l7(
    "requests",
    "Requests",
    Count,
    Formula::Sum { column: "weight" },
    "requests that the rows stand for",
)];

const fn dns(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    formula: Formula,
    doc: &'static str,
) -> Metric {
    of(metric_row(name, label, unit, formula, doc), Layer::Dns)
}

const fn dns_count(name: &'static str, label: &'static str, doc: &'static str) -> Metric {
    of(sum(name, label, Count, doc), Layer::Dns)
}

const fn dns_time(
    name: &'static str,
    label: &'static str,
    percent: u8,
    doc: &'static str,
) -> Metric {
    dns(name, label, Microseconds, Formula::Quantile { column: "dns_us_sketch", percent }, doc)
}

/// The DNS metrics, in the order in which pages offer them.
pub const DNS_METRICS: &[Metric] = &[
    dns_count("dns_queries", "Lookups", "name lookups, however they ended"),
    dns(
        "dns_queries_per_s",
        "Lookups/s",
        PerSecond,
        Formula::PerSecond { column: "dns_queries" },
        "lookups divided by the length of the range, busy or not; in a series, of the step",
    ),
    dns_count("dns_failures", "Failures", "answers with a code other than NOERROR"),
    dns_count(
        "dns_timeouts",
        "Timeouts",
        "lookups that got no answer within 6 s of their last query",
    ),
    dns(
        "dns_us",
        "Lookup time",
        Microseconds,
        Formula::Ratio { numerator: "dns_us_sum", denominator: "dns_us_samples" },
        "mean time from query to answer",
    ),
    dns(
        "dns_us_min",
        "Lookup time min",
        Microseconds,
        Formula::Min { column: "dns_us_min" },
        "shortest time from query to answer",
    ),
    dns(
        "dns_us_max",
        "Lookup time max",
        Microseconds,
        Formula::Max { column: "dns_us_max" },
        "longest time from query to answer",
    ),
    dns_time(
        "dns_us_p50",
        "Lookup time P50",
        50,
        "half of the lookups were answered within this time; error below 5 %",
    ),
    dns_time(
        "dns_us_p95",
        "Lookup time P95",
        95,
        "95 % of the lookups were answered within this time; error below 5 %",
    ),
    dns_count("dns_us_samples", "Lookup samples", "answers in the lookup time"),
];

/// The metrics of a table.
pub fn metrics(table: Table) -> &'static [Metric] {
    match table {
        Table::L4Flows => L4_METRICS,
        Table::L7Flows => L7_METRICS,
        Table::L7Samples => L7_SAMPLE_METRICS,
        Table::DnsFlows => DNS_METRICS,
    }
}

/// Looks a metric up by its name.
pub fn metric(table: Table, name: &str) -> Option<&'static Metric> {
    metrics(table).iter().find(|m| m.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Merge;

    #[test]
    fn formulas_name_stored_columns() {
        for table in Table::ALL {
            let known = |name| {
                let column = table.columns().iter().find(|c| c.name == name);
                column.unwrap_or_else(|| panic!("{} lacks {name}", table.name())).merge
            };
            for metric in metrics(table) {
                assert_eq!(metric.layer, table.layer());
                let (found, expected) = match metric.formula {
                    Formula::Sum { column } | Formula::PerSecond { column } => {
                        (known(column), Merge::Sum)
                    }
                    Formula::Min { column } => (known(column), Merge::Min),
                    Formula::Max { column } => (known(column), Merge::Max),
                    Formula::Last { column } => (known(column), Merge::Last),
                    Formula::Quantile { column, percent } => {
                        assert!(percent <= 100);
                        (known(column), Merge::Sketch)
                    }
                    Formula::Ratio { numerator, denominator } => {
                        assert_eq!(known(numerator), Merge::Sum);
                        // Whoever merges means needs their weights.
                        assert!(super::metric(table, denominator).is_some(), "{denominator}");
                        (known(denominator), Merge::Sum)
                    }
                };
                assert_eq!(found, expected, "{}", metric.name);
            }
        }
    }

    #[test]
    fn mirrors_are_mutual() {
        for table in Table::ALL {
            for metric in metrics(table) {
                if let Some(other) = metric.mirror {
                    let back = super::metric(table, other).and_then(|m| m.mirror);
                    assert_eq!(back, Some(metric.name));
                }
            }
        }
    }
}
