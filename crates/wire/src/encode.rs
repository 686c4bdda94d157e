//! Batch to bytes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::Schema;

use weir_schema::{metadata_key, wire_schema};

use crate::batch::Batch;
use crate::error::WireError;

/// Writes a batch. Fails only when the rows have other columns than the table's wire schema.
pub fn encode(batch: &Batch) -> Result<Vec<u8>, WireError> {
    let wire = wire_schema(batch.table);
    if batch.rows.schema().fields() != wire.fields() {
        return Err(WireError::Encode(format!(
            "the rows do not have the columns of table {}",
            batch.table.name()
        )));
    }
    let header = serde_json::to_string(&batch.header).map_err(encode_error)?;
    let mut metadata: std::collections::HashMap<String, String> =
        wire.metadata().iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    metadata.insert(metadata_key("batch"), header);
    let schema = Arc::new(Schema::new_with_metadata(wire.fields().clone(), metadata));
    let rows = RecordBatch::try_new(schema.clone(), batch.rows.columns().to_vec())
        .map_err(encode_error)?;

    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::ZSTD))
        .map_err(encode_error)?;
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &schema, options).map_err(encode_error)?;
    writer.write(&rows).map_err(encode_error)?;
    writer.finish().map_err(encode_error)?;
    writer.into_inner().map_err(encode_error)
}

fn encode_error(err: impl std::fmt::Display) -> WireError {
    WireError::Encode(err.to_string())
}
