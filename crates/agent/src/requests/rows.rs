//! Requests to the columns of a batch.
//!
//! Owns which value goes into which column of `l7_flows` and `l7_samples`. The columns of the two
//! ends are those of the flow that a request belongs to.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, RecordBatch, TimestampMillisecondArray, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow_schema::ArrowError;

use weir_schema::Table;

use crate::requests::table::{RequestCounters, RequestKey, Sample};
use crate::rows::{FlowRow, RowContext, batch, texts};

/// Rows of `l7_flows`; `flows` has the flow of each, in the same order.
pub fn flows_batch(
    flows: &[FlowRow],
    rows: &[(RequestKey, RequestCounters)],
    context: &RowContext<'_>,
) -> Result<RecordBatch, ArrowError> {
    batch(Table::L7Flows, flows, context, |field| {
        key_column(field.name(), rows).or_else(|| counter_column(field.name(), rows))
    })
}

/// Rows of `l7_samples`; `flows` has the flow of each, in the same order. `unix_ms` turns
/// nanoseconds since boot into Unix milliseconds.
pub fn samples_batch(
    flows: &[FlowRow],
    samples: &[(Sample, u32)],
    context: &RowContext<'_>,
    unix_ms: impl Fn(u64) -> i64,
) -> Result<RecordBatch, ArrowError> {
    batch(Table::L7Samples, flows, context, |field| match field.name().as_str() {
        "began_ms" => {
            let times = samples.iter().map(|(sample, _)| unix_ms(sample.exchange.began_ns));
            Some(Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC")))
        }
        name => sample_column(name, samples),
    })
}

fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn encryption(is_tls: bool) -> Option<&'static str> {
    Some(if is_tls { "tls" } else { "none" })
}

fn key_column(name: &str, rows: &[(RequestKey, RequestCounters)]) -> Option<ArrayRef> {
    Some(match name {
        "protocol" => texts(rows, |(key, _)| Some(key.protocol.as_str())),
        "encryption" => texts(rows, |(key, _)| encryption(key.is_tls)),
        "method" => texts(rows, |(key, _)| known(&key.method)),
        "path" => texts(rows, |(key, _)| known(&key.template)),
        "status" => Arc::new(UInt16Array::from_iter(rows.iter().map(|(key, _)| key.status))),
        "grpc_status" => {
            Arc::new(UInt16Array::from_iter(rows.iter().map(|(key, _)| key.grpc_status)))
        }
        _ => return None,
    })
}

type Counter = fn(&RequestCounters) -> Option<u64>;

fn counter_column(name: &str, rows: &[(RequestKey, RequestCounters)]) -> Option<ArrayRef> {
    let counter: Counter = match name {
        "requests" => |c| Some(c.requests),
        "errors" => |c| Some(c.errors),
        "status_1xx" => |c| Some(c.classes[0]),
        "status_2xx" => |c| Some(c.classes[1]),
        "status_3xx" => |c| Some(c.classes[2]),
        "status_4xx" => |c| Some(c.classes[3]),
        "status_5xx" => |c| Some(c.classes[4]),
        "unanswered" => |c| Some(c.unanswered),
        "aborted" => |c| Some(c.aborted),
        "response_us_sum" => |c| Some(c.response.sum),
        "response_samples" => |c| Some(c.response.count),
        "response_us_min" => |c| (c.response.count > 0).then_some(c.response.min),
        "response_us_max" => |c| (c.response.count > 0).then_some(c.response.max),
        "response_sketch" => {
            let sketch = |c: &RequestCounters| (!c.sketch.is_empty()).then(|| c.sketch.encode());
            let sketches = rows.iter().map(|(_, counters)| sketch(counters));
            return Some(Arc::new(BinaryArray::from_iter(sketches)));
        }
        _ => return None,
    };
    let values = rows.iter().map(|(_, counters)| counter(counters));
    Some(Arc::new(UInt64Array::from_iter(values)))
}

fn sample_column(name: &str, samples: &[(Sample, u32)]) -> Option<ArrayRef> {
    let status = |sample: &Sample| sample.exchange.status;
    Some(match name {
        "protocol" => texts(samples, |(s, _)| Some(s.exchange.protocol.as_str())),
        "encryption" => texts(samples, |(s, _)| encryption(s.is_tls)),
        "method" => texts(samples, |(s, _)| known(&s.exchange.asked.method)),
        "path" => texts(samples, |(s, _)| known(&s.exchange.asked.path)),
        "template" => texts(samples, |(s, _)| known(&s.template)),
        "outcome" => texts(samples, |(s, _)| Some(s.exchange.outcome.as_str())),
        "headers" => texts(samples, |(s, _)| known(&s.exchange.asked.headers)),
        "trace_id" => texts(samples, |(s, _)| s.exchange.asked.trace_id.as_deref()),
        "status" => Arc::new(UInt16Array::from_iter(samples.iter().map(|(s, _)| status(s)))),
        "grpc_status" => {
            Arc::new(UInt16Array::from_iter(samples.iter().map(|(s, _)| s.exchange.grpc_status)))
        }
        "response_us" => {
            Arc::new(UInt64Array::from_iter(samples.iter().map(|(s, _)| s.exchange.response_us)))
        }
        "weight" => {
            Arc::new(UInt32Array::from_iter_values(samples.iter().map(|(_, weight)| *weight)))
        }
        _ => return None,
    })
}
