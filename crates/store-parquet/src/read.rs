//! Reads Parquet files: verifies, opens, decodes one column of one row group.
//!
//! Owns the decision what is damage (the file is set aside) and what is a failing medium (the
//! question fails). Damage is: missing, another length or checksum than the catalogue says, or not
//! decodable.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use weir_schema::FORMAT_VERSION;
use weir_store::{StoreError, StoreErrorKind};

use crate::catalogue::FileRow;
use crate::errors::io_error;
use crate::files::remove_file_and_empty_parents;
use crate::segment::{ColumnData, ColumnId, Loaded, ScanError, Segment, Source};

/// A file of the catalogue. Whoever holds it can read it: a file that was replaced or has expired
/// is removed when its last holder lets go.
#[derive(Debug)]
pub struct StoredFile {
    pub row: FileRow,
    data_dir: PathBuf,
    opened: Mutex<Option<Arc<Opened>>>,
    remove_on_drop: AtomicBool,
}

#[derive(Debug)]
struct Opened {
    metadata: ArrowReaderMetadata,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    rows: usize,
    min_ms: i64,
    max_ms: i64,
}

impl StoredFile {
    pub fn new(data_dir: PathBuf, row: FileRow) -> Self {
        let opened = Mutex::new(None);
        Self { row, data_dir, opened, remove_on_drop: AtomicBool::new(false) }
    }

    pub fn path(&self) -> PathBuf {
        self.data_dir.join(&self.row.path)
    }

    /// Says that the catalogue names the file no more.
    pub fn remove_when_unused(&self) {
        self.remove_on_drop.store(true, Ordering::Release);
    }

    /// The row groups as segments. The first call of a process verifies the whole file.
    pub fn segments(self: &Arc<Self>) -> Result<Vec<Segment>, ScanError> {
        let opened = self.opened()?;
        let groups = opened.groups.iter().enumerate();
        let segments = groups.map(|(group, found)| Segment {
            table: self.row.table,
            rows: found.rows,
            min_ms: found.min_ms,
            max_ms: found.max_ms,
            window_ms_max: self.row.window_ms_max,
            source: Source::Group { file: self.clone(), group },
        });
        Ok(segments.collect())
    }

    fn opened(self: &Arc<Self>) -> Result<Arc<Opened>, ScanError> {
        let mut slot = self.opened.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(opened) = &*slot {
            return Ok(opened.clone());
        }
        if self.row.format > FORMAT_VERSION {
            let message = format!(
                "{} has row format {}, and this program knows up to {FORMAT_VERSION}",
                self.path().display(),
                self.row.format
            );
            return Err(StoreError::new(StoreErrorKind::TooNew, message).into());
        }
        self.verify()?;
        let file = self.open_file()?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|error| self.corrupt(error.to_string()))?;
        let groups = metadata.metadata().row_groups().iter().map(|g| self.group(g)).collect();
        let opened = Arc::new(Opened { metadata, groups });
        *slot = Some(opened.clone());
        Ok(opened)
    }

    fn group(&self, metadata: &RowGroupMetaData) -> Group {
        let mut bounds = None;
        for column in metadata.columns() {
            if column.column_path().string() != self.row.table.time_column() {
                continue;
            }
            if let Some(Statistics::Int64(found)) = column.statistics() {
                bounds = found.min_opt().copied().zip(found.max_opt().copied());
            }
        }
        let (min_ms, max_ms) = bounds.unwrap_or((self.row.min_ms, self.row.max_ms));
        Group { rows: metadata.num_rows() as usize, min_ms, max_ms }
    }

    fn open_file(self: &Arc<Self>) -> Result<File, ScanError> {
        let path = self.path();
        match File::open(&path) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.corrupt("the file is missing".to_owned()))
            }
            Err(error) => Err(io_error("open", &path, error).into()),
        }
    }

    fn verify(self: &Arc<Self>) -> Result<(), ScanError> {
        let mut file = self.open_file()?;
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 256 * 1024];
        let mut bytes = 0;
        loop {
            let read =
                file.read(&mut buffer).map_err(|error| io_error("read", &self.path(), error))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            hasher.update(&buffer[..read]);
        }
        if bytes != self.row.bytes {
            let expected = self.row.bytes;
            return Err(self.corrupt(format!("{bytes} bytes instead of {expected}")));
        }
        if hasher.finalize() != self.row.crc32 {
            return Err(self.corrupt("the checksum differs".to_owned()));
        }
        Ok(())
    }

    /// Decodes a column of a row group; `None` where it is all null or younger than the file.
    pub fn load(self: &Arc<Self>, group: usize, column: ColumnId) -> Result<Loaded, ScanError> {
        let opened = self.opened()?;
        let name = self.row.table.columns()[column].name;
        let Ok(leaf) = opened.metadata.schema().index_of(name) else { return Ok(None) };
        let rows = opened.groups[group].rows;
        let chunk = opened.metadata.metadata().row_group(group).column(leaf);
        let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        if nulls == Some(rows as u64) {
            return Ok(None);
        }
        let file = self.open_file()?;
        let decode = || -> Result<Loaded, String> {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, opened.metadata.clone());
            let mask = ProjectionMask::leaves(builder.parquet_schema(), [leaf]);
            let mut reader = builder
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_batch_size(rows.max(1))
                .build()
                .map_err(|error| error.to_string())?;
            let batch = match reader.next() {
                Some(batch) => batch.map_err(|error| error.to_string())?,
                None => return Err("the row group is empty".to_owned()),
            };
            let data = ColumnData::from_array(batch.column(0))?;
            match data {
                Some(data) if data.len() != rows => {
                    Err(format!("column {name:?} has {} rows instead of {rows}", data.len()))
                }
                data => Ok(data.map(Arc::new)),
            }
        };
        decode().map_err(|reason| self.corrupt(reason))
    }

    fn corrupt(self: &Arc<Self>, reason: String) -> ScanError {
        ScanError::Corrupt { file: self.clone(), reason }
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        if !*self.remove_on_drop.get_mut() {
            return;
        }
        let path = self.path();
        if let Err(error) = remove_file_and_empty_parents(&self.data_dir, &path) {
            // Whatever stays is removed as an orphan at the next open.
            let missing = fs::exists(&path).is_ok_and(|exists| !exists);
            if !missing {
                tracing::warn!(path = %path.display(), %error, "cannot remove an unused file");
            }
        }
    }
}
