//! Flows to the columns of a batch.
//!
//! Owns which value goes into which column. A signal that the probes do not deliver for a flow's
//! transport is null, never 0; a column of the schema that no agent measures is null too.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchOptions, TimestampMillisecondArray, UInt16Array, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow_schema::{ArrowError, Field};

use weir_identity::Owner;
use weir_model::{L4Counters, Signal, SignalSet, Transport};
use weir_schema::{Table, wire_schema};

use crate::flows::FlowKey;
use crate::window::Span;

/// A flow with its names.
#[derive(Clone, Debug)]
pub struct FlowRow {
    pub key: FlowKey,
    pub counters: L4Counters,
    pub local: Owner,
    /// The owner of the other end where that end is on this host.
    pub remote: Owner,
    /// Whether the other end is on this host.
    pub remote_is_here: bool,
    pub remote_domain: Option<Arc<str>>,
}

/// What all rows of a batch have in common.
#[derive(Clone, Debug)]
pub struct RowContext<'a> {
    pub span: Span,
    pub agent: &'a str,
    pub host: &'a str,
    pub tcp_signals: SignalSet,
    pub udp_signals: SignalSet,
}

/// Builds the record batch of `weir_schema::wire_schema(Table::L4Flows)`.
pub fn record_batch(rows: &[FlowRow], context: &RowContext<'_>) -> Result<RecordBatch, ArrowError> {
    batch(Table::L4Flows, rows, context, |_| None)
}

/// A batch whose columns are `own` where that has one, else the flow's.
pub fn batch(
    table: Table,
    flows: &[FlowRow],
    context: &RowContext<'_>,
    own: impl Fn(&Field) -> Option<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let schema = wire_schema(table);
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| own(field).unwrap_or_else(|| flow_column(field, flows, context)))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(flows.len()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// The column of that name as far as it is a flow's; else one of nulls.
fn flow_column(field: &Field, rows: &[FlowRow], context: &RowContext<'_>) -> ArrayRef {
    let name = field.name().as_str();
    if let Some((signal, value)) = counter(name) {
        return measured(rows, context, signal, value);
    }
    if let Some(text) = shared_text(name, context) {
        return texts(rows, |_| Some(text));
    }
    if let Some(text) = row_text(name) {
        return texts(rows, text);
    }
    let here = |row: &FlowRow| row.remote_is_here;
    match name {
        "window_start_ms" => Arc::new(
            TimestampMillisecondArray::from_value(context.span.start_ms, rows.len())
                .with_timezone("UTC"),
        ),
        "window_ms" => Arc::new(UInt32Array::from_value(context.span.length_ms, rows.len())),
        "local_ip" => addresses(rows, |row| Some(row.key.local.ip)),
        "remote_ip" => addresses(rows, |row| Some(row.key.remote.ip)),
        "local_port" => ports(rows, |row| row.key.local.port),
        "remote_port" => ports(rows, |row| row.key.remote.port),
        "dialled_ip" => addresses(rows, |row| row.key.dialled.map(|end| end.ip)),
        "dialled_port" => ports(rows, |row| row.key.dialled.map_or(0, |end| end.port)),
        "netns" => Arc::new(UInt32Array::from_iter(
            rows.iter().map(|row| Some(row.key.netns.0).filter(|netns| *netns != 0)),
        )),
        "pid" => Arc::new(UInt32Array::from_iter(
            rows.iter().map(|row| row.key.process.as_ref().map(|process| process.pid)),
        )),
        "remote_host" => texts(rows, |row| here(row).then_some(context.host)),
        "remote_agent" => texts(rows, |row| here(row).then_some(context.agent)),
        _ => new_null_array(field.data_type(), rows.len()),
    }
}

fn shared_text<'a>(name: &str, context: &RowContext<'a>) -> Option<&'a str> {
    match name {
        "agent" => Some(context.agent),
        "local_host" => Some(context.host),
        _ => None,
    }
}

type RowText = fn(&FlowRow) -> Option<&str>;

fn row_text(name: &str) -> Option<RowText> {
    let text: RowText = match name {
        "direction" => |row| Some(row.key.direction.as_str()),
        "transport" => |row| Some(row.key.transport.as_str()),
        "family" => |row| Some(row.key.remote.family().as_str()),
        "local_process" => |row| row.local.process.as_deref(),
        "remote_process" => |row| row.remote.process.as_deref(),
        "local_container" => |row| row.local.container.as_deref(),
        "remote_container" => |row| row.remote.container.as_deref(),
        "local_pod_uid" => |row| row.local.pod_uid.as_deref(),
        "remote_pod_uid" => |row| row.remote.pod_uid.as_deref(),
        "local_deployment" => |row| row.local.workload.as_ref().map(|w| &*w.name),
        "remote_deployment" => |row| row.remote.workload.as_ref().map(|w| &*w.name),
        "local_workload_kind" => |row| row.local.workload.as_ref().map(|w| w.kind),
        "remote_workload_kind" => |row| row.remote.workload.as_ref().map(|w| w.kind),
        "remote_domain" => |row| row.remote_domain.as_deref(),
        _ => return None,
    };
    Some(text)
}

type Counter = fn(&L4Counters) -> Option<u64>;

/// The signal that a counter column needs, and its value.
fn counter(name: &str) -> Option<(Signal, Counter)> {
    let counter: (Signal, Counter) = match name {
        "bytes_sent" => (Signal::Bytes, |c| Some(c.bytes_sent)),
        "bytes_received" => (Signal::Bytes, |c| Some(c.bytes_received)),
        "packets_sent" => (Signal::Packets, |c| Some(c.packets_sent)),
        "packets_received" => (Signal::Packets, |c| Some(c.packets_received)),
        "connections" => (Signal::Connections, |c| Some(c.connections)),
        "closures" => (Signal::Connections, |c| Some(c.closures)),
        "active_connections" => (Signal::Connections, |c| Some(c.active_connections)),
        "connect_refused" => (Signal::ConnectFailures, |c| Some(c.connect_refused)),
        "connect_timeout" => (Signal::ConnectFailures, |c| Some(c.connect_timeout)),
        "connect_reset" => (Signal::ConnectFailures, |c| Some(c.connect_reset)),
        "connect_failed_other" => (Signal::ConnectFailures, |c| Some(c.connect_failed_other)),
        "resets_sent" => (Signal::ResetsSent, |c| Some(c.resets_sent)),
        "resets_received" => (Signal::ResetsReceived, |c| Some(c.resets_received)),
        "retransmits" => (Signal::Retransmits, |c| Some(c.retransmits)),
        "rtt_us_sum" => (Signal::Rtt, |c| Some(c.rtt_us.sum)),
        "rtt_samples" => (Signal::Rtt, |c| Some(c.rtt_us.count)),
        "rtt_us_min" => (Signal::Rtt, |c| (c.rtt_us.count > 0).then_some(c.rtt_us.min)),
        "rtt_us_max" => (Signal::Rtt, |c| (c.rtt_us.count > 0).then_some(c.rtt_us.max)),
        "jitter_us_sum" => (Signal::Jitter, |c| Some(c.jitter_us.sum)),
        "jitter_samples" => (Signal::Jitter, |c| Some(c.jitter_us.count)),
        "connect_us_sum" => (Signal::ConnectTime, |c| Some(c.connect_us.sum)),
        "connect_samples" => (Signal::ConnectTime, |c| Some(c.connect_us.count)),
        _ => return None,
    };
    Some(counter)
}

fn measured(
    rows: &[FlowRow],
    context: &RowContext<'_>,
    signal: Signal,
    value: Counter,
) -> ArrayRef {
    let values = rows.iter().map(|row| {
        let signals = match row.key.transport {
            Transport::Tcp => context.tcp_signals,
            Transport::Udp => context.udp_signals,
        };
        signals.has(signal).then(|| value(&row.counters)).flatten()
    });
    Arc::new(UInt64Array::from_iter(values))
}

/// A dictionary-encoded column of texts.
pub fn texts<'a, R>(rows: &'a [R], text: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    rows.iter().for_each(|row| builder.append_option(text(row)));
    Arc::new(builder.finish())
}

fn addresses(rows: &[FlowRow], ip: impl Fn(&FlowRow) -> Option<IpAddr>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    let mut text = String::new();
    for row in rows {
        text.clear();
        match ip(row) {
            Some(ip) => {
                // writing to a String cannot fail
                let _ = write!(text, "{ip}");
                builder.append_value(&text);
            }
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn ports(rows: &[FlowRow], port: impl Fn(&FlowRow) -> u16) -> ArrayRef {
    let ports = rows.iter().map(|row| Some(port(row)).filter(|port| *port != 0));
    Arc::new(UInt16Array::from_iter(ports))
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
