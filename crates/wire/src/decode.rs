//! Bytes to batch, believing nothing.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, Schema};
use serde::Deserialize;

use weir_schema::{Table, metadata_key, wire_schema};

use crate::FORMAT;
use crate::batch::{Batch, BatchHeader};
use crate::error::WireError;
use crate::{frames, layout};

/// How much one batch may cost its reader. A batch past a limit is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size as sent.
    pub bytes_max: usize,
    /// Size of all buffers once decompressed.
    pub decoded_bytes_max: usize,
    pub rows_max: usize,
    /// Bytes of one text of the header (agent, host, a loss's reason...).
    pub text_bytes_max: usize,
    /// Entries in the header's list of losses.
    pub losses_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 32 << 20,
            decoded_bytes_max: 256 << 20,
            rows_max: 262_144,
            text_bytes_max: 256,
            losses_max: 256,
        }
    }
}

/// Reads a batch. The rows come back with exactly the columns of `wire_schema`: those that only
/// the sender knows are left out, those that the sender did not know are null.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Batch, WireError> {
    if bytes.len() > limits.bytes_max {
        return Err(WireError::TooLarge {
            bytes: bytes.len() as u64,
            what: "as sent",
            limit: "bytes_max",
            max: limits.bytes_max,
        });
    }
    let shapes = frames::check(bytes, limits)?;
    let schema = StreamReader::try_new(bytes, None).map_err(damaged)?.schema();
    let header = read_header(&schema, limits)?;
    let table = read_table(&schema)?;
    layout::check(&schema, &shapes)?;
    let wanted = wire_schema(table);
    let sources = match_columns(&schema, &wanted)?;

    let projection = sources.iter().flatten().copied().collect();
    let mut reader = StreamReader::try_new(bytes, Some(projection)).map_err(damaged)?;
    let rows = match reader.next() {
        Some(rows) => rows.map_err(damaged)?,
        None => return Err(WireError::Damaged("no record batch".to_owned())),
    };
    let rows = complete(&rows, &sources, wanted)?;
    Ok(Batch { table, header, rows })
}

fn read_header(schema: &Schema, limits: &Limits) -> Result<BatchHeader, WireError> {
    #[derive(Deserialize)]
    struct FormatOnly {
        format: u64,
    }
    let key = metadata_key("batch");
    let Some(text) = schema.metadata().get(key.as_str()) else {
        return Err(WireError::Foreign(format!("an Arrow stream without {key} in its metadata")));
    };
    let bad = |err: serde_json::Error| WireError::Header(err.to_string());
    let format = serde_json::from_str::<FormatOnly>(text).map_err(bad)?.format;
    if format > u64::from(FORMAT) {
        return Err(WireError::NewerFormat { found: format, supported: FORMAT });
    }
    let header: BatchHeader = serde_json::from_str(text).map_err(bad)?;
    check_header(&header, limits)?;
    Ok(header)
}

fn check_header(header: &BatchHeader, limits: &Limits) -> Result<(), WireError> {
    let bad = |what: String| Err(WireError::Header(what));
    if header.format == 0 {
        return bad("format 0 never existed".to_owned());
    }
    if header.agent.is_empty() {
        return bad("agent is empty".to_owned());
    }
    if header.window_ms == 0 {
        return bad("window_ms is 0".to_owned());
    }
    if header.from_ms > header.to_ms {
        return bad(format!("from_ms {} is after to_ms {}", header.from_ms, header.to_ms));
    }
    if header.losses.len() > limits.losses_max {
        return bad(format!("more than {} losses (losses_max)", limits.losses_max));
    }
    let own = [&header.agent, &header.host, &header.boot_id, &header.agent_version];
    let place = header.place.iter().flat_map(|place| {
        let ids = [&place.provider, &place.instance, &place.instance_type];
        ids.into_iter().chain([&place.zone, &place.region])
    });
    let optional = place.chain([&header.cluster]).flatten();
    let of_losses = header.losses.iter().flat_map(|loss| [&loss.component, &loss.reason]);
    if own
        .into_iter()
        .chain(optional)
        .chain(of_losses)
        .any(|text| text.len() > limits.text_bytes_max)
    {
        return bad(format!("a text is longer than {} bytes", limits.text_bytes_max));
    }
    Ok(())
}

fn read_table(schema: &Schema) -> Result<Table, WireError> {
    let key = metadata_key("table");
    let Some(name) = schema.metadata().get(key.as_str()) else {
        return Err(WireError::Foreign(format!("an Arrow stream without {key} in its metadata")));
    };
    Table::parse(name).ok_or_else(|| WireError::UnknownTable(name.to_string()))
}

/// For each wanted column the index of the sent one, `None` where the sender has none.
fn match_columns(sent: &Schema, wanted: &Schema) -> Result<Vec<Option<usize>>, WireError> {
    let mut sources = Vec::with_capacity(wanted.fields().len());
    for field in wanted.fields() {
        let found = sent.fields().iter().position(|sent| sent.name() == field.name());
        match found {
            None if !field.is_nullable() => {
                return Err(WireError::MissingColumn(field.name().clone()));
            }
            Some(index) if sent.field(index).data_type() != field.data_type() => {
                return Err(WireError::ColumnType {
                    column: field.name().clone(),
                    expected: field.data_type().to_string(),
                    found: sent.field(index).data_type().to_string(),
                });
            }
            found => sources.push(found),
        }
    }
    Ok(sources)
}

/// The wanted columns out of the projected ones, which stand in the order of `sources`.
fn complete(
    rows: &RecordBatch,
    sources: &[Option<usize>],
    wanted: Arc<Schema>,
) -> Result<RecordBatch, WireError> {
    let mut projected = rows.columns().iter();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(sources.len());
    for (source, field) in sources.iter().zip(wanted.fields()) {
        let column = match source.and_then(|_| projected.next()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), rows.num_rows()),
        };
        if !field.is_nullable() && column.logical_null_count() > 0 {
            return Err(WireError::MissingValue(field.name().clone()));
        }
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(wanted, columns, &options).map_err(damaged)
}

fn damaged(err: ArrowError) -> WireError {
    WireError::Damaged(err.to_string())
}
