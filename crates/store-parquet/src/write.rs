//! Writes a Parquet file so that it is whole and durable before anyone names it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt32Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use weir_schema::{FORMAT_VERSION, Table, metadata_key};
use weir_store::{StoreError, StoreErrorKind};

use crate::catalogue::FileRow;
use crate::errors::io_error;
use crate::files::{create_parents, relative_path, sync_dir};

/// What a file is called and how it is laid out.
pub struct Layout {
    pub table: Table,
    pub hour_ms: i64,
    pub id: i64,
    pub row_group_rows_max: usize,
}

/// Writes the rows of one hour, which [`crate::merge`] has sorted. They are at least one.
pub fn write_file(
    data_dir: &Path,
    layout: &Layout,
    rows: &RecordBatch,
) -> Result<FileRow, StoreError> {
    let Layout { table, hour_ms, id, .. } = *layout;
    let relative = relative_path(table, hour_ms, id)?;
    create_parents(data_dir, &relative)?;
    let path = data_dir.join(&relative);
    let unfinished = path.with_extension("tmp");
    let (bytes, crc32) = write_and_sync(&unfinished, layout, rows).inspect_err(|_| {
        // What cannot be removed now is removed as an orphan at the next open.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, &path).map_err(|error| io_error("name", &path, error))?;
    sync_dir(path.parent().unwrap_or(data_dir))?;
    let (min_ms, max_ms) = time_bounds(table, rows);
    Ok(FileRow {
        id,
        table,
        path: relative,
        format: FORMAT_VERSION,
        hour_ms,
        rows: rows.num_rows() as u64,
        bytes,
        crc32,
        min_ms,
        max_ms,
        window_ms_max: window_ms_max(rows),
        corrupt: false,
    })
}

fn write_and_sync(
    path: &Path,
    layout: &Layout,
    rows: &RecordBatch,
) -> Result<(u64, u32), StoreError> {
    let file = File::create(path).map_err(|error| io_error("create", path, error))?;
    let hashing = HashingWriter { file, hasher: crc32fast::Hasher::new(), bytes: 0 };
    let write = || {
        let mut writer = ArrowWriter::try_new(hashing, rows.schema(), Some(properties(layout)?))?;
        writer.write(rows)?;
        writer.into_inner()
    };
    let mut written = write().map_err(|error| {
        let message = format!("cannot write {}", path.display());
        StoreError::with_source(StoreErrorKind::Io, message, error)
    })?;
    let synced = written.flush().and_then(|()| written.file.sync_all());
    synced.map_err(|error| io_error("sync", path, error))?;
    Ok((written.bytes, written.hasher.finalize()))
}

fn properties(layout: &Layout) -> Result<WriterProperties, ParquetError> {
    let metadata = vec![
        KeyValue::new(metadata_key("table"), layout.table.name().to_owned()),
        KeyValue::new(metadata_key("format"), FORMAT_VERSION.to_string()),
    ];
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(layout.row_group_rows_max))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by("weir".to_owned())
        .set_key_value_metadata(Some(metadata))
        .build();
    Ok(properties)
}

fn time_bounds(table: Table, rows: &RecordBatch) -> (i64, i64) {
    let Some(column) = rows.column_by_name(table.time_column()) else { return (0, 0) };
    let values = column.as_primitive::<TimestampMillisecondType>().values();
    let min = values.iter().min().copied().unwrap_or(0);
    (min, values.iter().max().copied().unwrap_or(min))
}

fn window_ms_max(rows: &RecordBatch) -> i64 {
    let Some(column) = rows.column_by_name("window_ms") else { return 0 };
    let longest = column.as_primitive::<UInt32Type>().values().iter().max().copied();
    i64::from(longest.unwrap_or(0))
}

/// Counts and checksums what goes into the file.
struct HashingWriter {
    file: File,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Write for HashingWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data)?;
        self.hasher.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
