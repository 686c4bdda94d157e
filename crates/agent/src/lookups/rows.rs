//! Lookups to the columns of a batch.
//!
//! Owns which value goes into which column of `dns_flows`. The columns of the two ends are those of
//! the flow that a lookup belongs to.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, UInt64Array};
use arrow_schema::ArrowError;

use weir_identity::{dns_code_name, dns_type_name};
use weir_schema::Table;

use crate::lookups::table::{LookupCounters, LookupKey};
use crate::rows::{FlowRow, RowContext, batch, texts};

type Row = (LookupKey, LookupCounters);

/// Rows of `dns_flows`; `flows` has the flow of each, in the same order.
pub fn lookups_batch(
    flows: &[FlowRow],
    rows: &[Row],
    context: &RowContext<'_>,
) -> Result<RecordBatch, ArrowError> {
    batch(Table::DnsFlows, flows, context, |field| {
        key_column(field.name(), rows).or_else(|| counter_column(field.name(), rows))
    })
}

fn key_column(name: &str, rows: &[Row]) -> Option<ArrayRef> {
    Some(match name {
        "dns_name" => texts(rows, |(key, _)| Some(&key.name)),
        "dns_type" => words(rows, |key| Some(dns_type_name(key.kind))),
        "rcode" => words(rows, |key| key.code.map(dns_code_name)),
        _ => return None,
    })
}

fn words(rows: &[Row], word: impl Fn(&LookupKey) -> Option<Cow<'static, str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    rows.iter().for_each(|(key, _)| builder.append_option(word(key)));
    Arc::new(builder.finish())
}

type Counter = fn(&LookupCounters) -> Option<u64>;

fn counter_column(name: &str, rows: &[Row]) -> Option<ArrayRef> {
    let counter: Counter = match name {
        "dns_queries" => |c| Some(c.queries),
        "dns_failures" => |c| Some(c.failures),
        "dns_timeouts" => |c| Some(c.timeouts),
        "dns_us_sum" => |c| Some(c.took.sum),
        "dns_us_samples" => |c| Some(c.took.count),
        "dns_us_min" => |c| (c.took.count > 0).then_some(c.took.min),
        "dns_us_max" => |c| (c.took.count > 0).then_some(c.took.max),
        "dns_us_sketch" => {
            let sketch = |c: &LookupCounters| (!c.sketch.is_empty()).then(|| c.sketch.encode());
            let sketches = rows.iter().map(|(_, counters)| sketch(counters));
            return Some(Arc::new(BinaryArray::from_iter(sketches)));
        }
        _ => return None,
    };
    let values = rows.iter().map(|(_, counters)| counter(counters));
    Some(Arc::new(UInt64Array::from_iter(values)))
}
