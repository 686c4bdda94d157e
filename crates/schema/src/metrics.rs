//! The metrics: what pages show, and how each is made from columns.

use serde::Serialize;
use weir_model::Layer;

use crate::columns::Unit;

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

const fn mirrored(mut metric: Metric, other: &'static str) -> Metric {
    metric.mirror = Some(other);
    metric
}

use Unit::{Bytes, Count, Microseconds, Packets};

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

/// The metrics of a layer.
pub fn metrics(layer: Layer) -> &'static [Metric] {
    match layer {
        Layer::L4 => L4_METRICS,
        Layer::L7 => &[],
    }
}

/// Looks a metric up by its name.
pub fn metric(layer: Layer, name: &str) -> Option<&'static Metric> {
    metrics(layer).iter().find(|m| m.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Table;

    #[test]
    fn formulas_name_stored_columns() {
        let known = |name| Table::L4Flows.columns().iter().any(|c| c.name == name);
        for metric in L4_METRICS {
            match metric.formula {
                Formula::Sum { column }
                | Formula::Min { column }
                | Formula::Max { column }
                | Formula::Last { column } => assert!(known(column), "{column}"),
                Formula::Ratio { numerator, denominator } => {
                    assert!(known(numerator) && known(denominator), "{}", metric.name)
                }
            }
        }
    }

    #[test]
    fn mirrors_are_mutual() {
        for metric in L4_METRICS {
            if let Some(other) = metric.mirror {
                let back = super::metric(Layer::L4, other).and_then(|m| m.mirror);
                assert_eq!(back, Some(metric.name));
            }
        }
    }
}
