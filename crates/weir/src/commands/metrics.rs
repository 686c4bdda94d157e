//! The agent's counters in Prometheus' text format, for the `/metrics` of `weir up`.

use std::fmt::Write;
use std::sync::Arc;

use weir_agent::AgentStats;
use weir_server::MetricsSource;

use super::watching::HandleCell;

/// A source that is empty while no agent runs.
pub fn source(handle: HandleCell) -> MetricsSource {
    Arc::new(move || handle.stats().map(|stats| text(&stats)).unwrap_or_default())
}

fn text(stats: &AgentStats) -> String {
    let mut out = String::new();
    let mut put = |kind: &str, name: &str, help: &str, value: u64| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "# HELP weir_agent_{name} {help}\n# TYPE weir_agent_{name} {kind}\n\
             weir_agent_{name} {value}"
        );
    };
    put("counter", "windows_total", "Windows closed.", stats.windows_total);
    put("counter", "windows_late_total", "Windows that ended late.", stats.windows_late_total);
    put("counter", "records_total", "Records read from the probes.", stats.records_total);
    put("counter", "rows_total", "Rows made of them.", stats.rows_total);
    put("counter", "dns_messages_total", "DNS messages read.", stats.dns_messages_total);
    put("counter", "cpu_microseconds_total", "Run time of its threads.", stats.cpu_us_total);
    put("counter", "requests_read_total", "Requests read.", stats.requests_read_total);
    put(
        "counter",
        "requests_sampled_total",
        "Requests of which only the status was read.",
        stats.requests_sampled_total,
    );
    put("gauge", "requests_one_in", "Of so many requests one is read.", stats.requests_one_in);
    put("counter", "batches_sent_total", "Batches acknowledged.", stats.batches_sent_total);
    put("counter", "sent_bytes_total", "Bytes of those batches.", stats.bytes_sent_total);
    put("counter", "batches_rejected_total", "Batches refused.", stats.batches_rejected_total);
    put("counter", "send_errors_total", "Attempts that failed.", stats.send_errors_total);
    put("gauge", "spool_batches", "Batches that wait for the server.", stats.spool_batches);
    put("gauge", "spool_bytes", "Bytes of those batches.", stats.spool_bytes);
    if !stats.losses.is_empty() {
        let _ = writeln!(
            out,
            "# HELP weir_agent_losses_total What went missing, by kind and reason.\n\
             # TYPE weir_agent_losses_total counter"
        );
    }
    for loss in &stats.losses {
        let kind = format!("{:?}", loss.kind).to_lowercase();
        let _ = writeln!(
            out,
            "weir_agent_losses_total{{kind=\"{kind}\",component=\"{}\",reason=\"{}\"}} {}",
            loss.component, loss.reason, loss.count
        );
    }
    out
}
