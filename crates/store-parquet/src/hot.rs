//! Rows that are journalled but not yet in a file.
//!
//! Owns the check of a batch against the schema and its form in memory. What is all null takes no
//! memory.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use weir_model::Sketch;
use weir_schema::{Table, stored_schema};
use weir_store::{StoreError, StoreErrorKind};

use crate::errors::invalid;
use crate::segment::{ColumnData, ColumnId, Loaded, ScanError, column_id};

/// Sketches are merged when a question comes: what is no sketch must not get that far.
fn check_sketches(name: &str, column: Option<&ArrayRef>) -> Result<(), StoreError> {
    let Some(column) = column.and_then(|column| column.as_binary_opt::<i32>()) else {
        return Ok(());
    };
    for bytes in column.iter().flatten() {
        if let Err(error) = Sketch::decode(bytes) {
            return Err(invalid(format!("column {name:?} holds {error}")));
        }
    }
    Ok(())
}

/// A journalled batch.
#[derive(Debug)]
pub struct HotBatch {
    pub journal_id: i64,
    pub table: Table,
    pub rows: usize,
    /// Earliest and latest time of a row.
    pub min_ms: i64,
    pub max_ms: i64,
    /// End of the latest window.
    pub to_ms: i64,
    pub window_ms_max: i64,
    /// Memory that the rows take.
    pub bytes: u64,
    columns: Vec<Option<ArrayRef>>,
}

impl HotBatch {
    /// Checks rows against the stored schema and takes them over.
    pub fn new(table: Table, to_ms: i64, rows: &RecordBatch) -> Result<Self, StoreError> {
        let schema = stored_schema(table);
        for field in rows.schema().fields() {
            let known = schema.field_with_name(field.name()).map_err(|_| {
                invalid(format!("table {} has no column {:?}", table.name(), field.name()))
            })?;
            if known.data_type() != field.data_type() {
                let message = format!(
                    "column {:?} is of type {}, and {} was expected",
                    field.name(),
                    field.data_type(),
                    known.data_type()
                );
                return Err(invalid(message));
            }
        }
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column = rows.column_by_name(field.name());
            let nulls = column.map_or(rows.num_rows(), |c| c.logical_null_count());
            if nulls > 0 && !field.is_nullable() {
                return Err(invalid(format!("column {:?} lacks values", field.name())));
            }
            check_sketches(field.name(), column)?;
            columns.push(column.filter(|c| nulls < c.len()).cloned());
        }
        let mut batch = Self {
            journal_id: 0,
            table,
            rows: rows.num_rows(),
            min_ms: i64::MAX,
            max_ms: i64::MIN,
            to_ms,
            window_ms_max: 0,
            bytes: 0,
            columns,
        };
        batch.measure()?;
        Ok(batch)
    }

    /// The batch as the journal numbered it.
    pub fn journalled(self, journal_id: i64) -> Self {
        Self { journal_id, ..self }
    }

    fn measure(&mut self) -> Result<(), StoreError> {
        for column in self.columns.iter().flatten() {
            let data = ColumnData::from_array(column).map_err(invalid)?;
            self.bytes += data.map_or(0, |data| data.bytes());
        }
        let numbers = |name| -> Vec<u64> {
            let column = column_id(self.table, name).and_then(|id| self.columns[id].as_ref());
            match column.and_then(|c| ColumnData::from_array(c).ok().flatten()) {
                Some(ColumnData::Numbers { values, .. }) => values.to_vec(),
                _ => Vec::new(),
            }
        };
        let times = numbers(self.table.time_column());
        let lengths = numbers("window_ms");
        self.min_ms = times.iter().min().map_or(i64::MAX, |v| *v as i64);
        self.max_ms = times.iter().max().map_or(i64::MIN, |v| *v as i64);
        self.window_ms_max = lengths.iter().max().map_or(0, |v| *v as i64);
        Ok(())
    }

    /// A column in the executor's form.
    pub fn column(&self, id: ColumnId) -> Result<Loaded, ScanError> {
        let Some(array) = &self.columns[id] else { return Ok(None) };
        let data = ColumnData::from_array(array)
            .map_err(|reason| StoreError::new(StoreErrorKind::Corrupt, reason))?;
        Ok(data.map(Arc::new))
    }

    /// The rows without the columns that are all null, as the journal keeps them.
    pub fn to_record_batch(&self) -> Result<RecordBatch, StoreError> {
        let schema: SchemaRef = stored_schema(self.table);
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for (field, column) in schema.fields().iter().zip(&self.columns) {
            if let Some(array) = column {
                fields.push(field.clone());
                arrays.push(array.clone());
            }
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|error| {
            StoreError::with_source(StoreErrorKind::Invalid, "cannot take over the rows", error)
        })
    }
}
