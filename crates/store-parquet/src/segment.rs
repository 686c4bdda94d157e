//! A run of rows in the form that the executor reads: codes and numbers, column by column.
//!
//! Owns [`ColumnData`] and [`Segment`] (a hot batch or one row group of a file) with its columns
//! loaded on demand. Knows nothing of questions.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, BinaryArray, StringArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use weir_schema::Table;
use weir_store::StoreError;

use crate::cache::{CacheKey, ColumnCache};
use crate::hot::HotBatch;
use crate::read::StoredFile;

/// Code of an absent value.
pub const NULL_CODE: u32 = u32::MAX;

/// Place of a column in its table.
pub type ColumnId = usize;

/// Place of a column by name; only for names that the schema is known to have.
pub fn column_id(table: Table, name: &str) -> Option<ColumnId> {
    table.columns().iter().position(|column| column.name == name)
}

/// The values of one column of one segment.
#[derive(Clone, Debug)]
pub enum ColumnData {
    /// Text: each row's place in `values`, [`NULL_CODE`] where absent.
    Codes { codes: ScalarBuffer<u32>, values: StringArray },
    /// Numbers and times.
    Numbers { values: ScalarBuffer<u64>, nulls: Option<NullBuffer> },
    /// Encoded sketches.
    Bytes(BinaryArray),
}

impl ColumnData {
    /// The column of an Arrow array, `None` where every value is null. The error is for a person.
    pub fn from_array(array: &dyn Array) -> Result<Option<Self>, String> {
        if array.null_count() == array.len() && !array.is_empty() {
            return Ok(None);
        }
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let numbers = |values| Ok(Some(Self::Numbers { values, nulls }));
        match array.data_type() {
            DataType::UInt64 => numbers(array.as_primitive::<UInt64Type>().values().clone()),
            DataType::UInt32 => {
                let values = array.as_primitive::<UInt32Type>().values();
                numbers(values.iter().map(|v| u64::from(*v)).collect())
            }
            DataType::UInt16 => {
                let values = array.as_primitive::<UInt16Type>().values();
                numbers(values.iter().map(|v| u64::from(*v)).collect())
            }
            DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, _) => {
                let values = array.as_primitive::<TimestampMillisecondType>().values();
                numbers(values.iter().map(|v| (*v).max(0) as u64).collect())
            }
            DataType::Dictionary(_, _) => Self::from_dictionary(array).map(Some),
            DataType::Binary => Ok(Some(Self::Bytes(array.as_binary::<i32>().clone()))),
            other => Err(format!("columns of type {other} are not stored")),
        }
    }

    fn from_dictionary(array: &dyn Array) -> Result<Self, String> {
        let wrong = || format!("columns of type {} are not stored", array.data_type());
        let dictionary = array.as_dictionary_opt::<UInt32Type>().ok_or_else(wrong)?;
        let values = dictionary.values().as_string_opt::<i32>().ok_or_else(wrong)?.clone();
        let keys = dictionary.keys();
        if keys.null_count() == 0 && values.null_count() == 0 {
            return Ok(Self::Codes { codes: keys.values().clone(), values });
        }
        let code = |row: usize| {
            let code = keys.value(row);
            let absent = keys.is_null(row) || values.is_null(code as usize);
            if absent { NULL_CODE } else { code }
        };
        let codes = (0..keys.len()).map(code).collect();
        Ok(Self::Codes { codes, values })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Codes { codes, .. } => codes.len(),
            Self::Numbers { values, .. } => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    /// Bytes that keeping it takes.
    pub fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Codes { codes, values } => {
                codes.len() * 4 + values.value_data().len() + (values.len() + 1) * 4
            }
            Self::Numbers { values, nulls } => {
                values.len() * 8 + nulls.as_ref().map_or(0, |n| n.len().div_ceil(8))
            }
            Self::Bytes(values) => {
                let offsets = values.value_offsets();
                let bytes = offsets.last().unwrap_or(&0) - offsets.first().unwrap_or(&0);
                bytes as usize + offsets.len() * 4 + values.len().div_ceil(8)
            }
        };
        bytes as u64
    }

    /// The text of a row; `None` where absent or not text.
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Codes { codes, values } => {
                let code = codes[row];
                (code != NULL_CODE).then(|| values.value(code as usize))
            }
            Self::Numbers { .. } | Self::Bytes(_) => None,
        }
    }

    /// The number of a row; `None` where absent or not a number.
    pub fn number(&self, row: usize) -> Option<u64> {
        match self {
            Self::Numbers { values, nulls } => {
                nulls.as_ref().is_none_or(|n| n.is_valid(row)).then(|| values[row])
            }
            Self::Codes { .. } | Self::Bytes(_) => None,
        }
    }

    /// The bytes of a row; `None` where absent or of another type.
    pub fn blob(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Bytes(values) => values.is_valid(row).then(|| values.value(row)),
            Self::Codes { .. } | Self::Numbers { .. } => None,
        }
    }
}

/// Where a segment's rows are.
#[derive(Clone)]
pub enum Source {
    Hot(Arc<HotBatch>),
    /// A row group of a file.
    Group {
        file: Arc<StoredFile>,
        group: usize,
    },
}

/// Rows that are read together.
#[derive(Clone)]
pub struct Segment {
    pub table: Table,
    pub rows: usize,
    /// Earliest and latest time of a row.
    pub min_ms: i64,
    pub max_ms: i64,
    pub window_ms_max: i64,
    pub source: Source,
}

impl Segment {
    pub fn hot(batch: Arc<HotBatch>) -> Self {
        Self {
            table: batch.table,
            rows: batch.rows,
            min_ms: batch.min_ms,
            max_ms: batch.max_ms,
            window_ms_max: batch.window_ms_max,
            source: Source::Hot(batch),
        }
    }
}

/// Why a segment could not be read.
#[derive(Debug)]
pub enum ScanError {
    Store(StoreError),
    /// The file is damaged: it is to be set aside and the question asked again.
    Corrupt {
        file: Arc<StoredFile>,
        reason: String,
    },
}

impl From<StoreError> for ScanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A column that may be absent as a whole: all null, or younger than the file.
pub type Loaded = Option<Arc<ColumnData>>;

/// A segment in the hands of one thread, with the columns it has loaded so far.
pub struct View<'a> {
    pub segment: &'a Segment,
    cache: &'a ColumnCache,
    loaded: RefCell<Vec<Option<Loaded>>>,
    incoming: OnceCell<Rc<[bool]>>,
}

impl<'a> View<'a> {
    pub fn new(segment: &'a Segment, cache: &'a ColumnCache) -> Self {
        let columns = segment.table.columns().len();
        Self {
            segment,
            cache,
            loaded: RefCell::new(vec![None; columns]),
            incoming: OnceCell::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.segment.rows
    }

    /// A column, decoded once.
    pub fn column(&self, id: ColumnId) -> Result<Loaded, ScanError> {
        if let Some(loaded) = &self.loaded.borrow()[id] {
            return Ok(loaded.clone());
        }
        let column = match &self.segment.source {
            Source::Hot(batch) => batch.column(id)?,
            Source::Group { file, group } => {
                let key = CacheKey { file: file.row.id, group: *group, column: id };
                self.cache.get_or_load(key, || file.load(*group, id))?
            }
        };
        self.loaded.borrow_mut()[id] = Some(column.clone());
        Ok(column)
    }

    /// A column by its schema name.
    pub fn named(&self, name: &str) -> Result<Loaded, ScanError> {
        match column_id(self.segment.table, name) {
            Some(id) => self.column(id),
            None => Ok(None),
        }
    }

    /// When each row happened; `None` where the segment has no rows.
    pub fn times(&self) -> Result<Option<ScalarBuffer<u64>>, ScanError> {
        match self.named(self.segment.table.time_column())?.as_deref() {
            Some(ColumnData::Numbers { values, .. }) => Ok(Some(values.clone())),
            _ => Ok(None),
        }
    }

    /// Of each row, whether the local end is the server.
    pub fn incoming(&self) -> Result<Rc<[bool]>, ScanError> {
        if let Some(incoming) = self.incoming.get() {
            return Ok(incoming.clone());
        }
        let incoming: Rc<[bool]> = match self.named("direction")?.as_deref() {
            Some(ColumnData::Codes { codes, values }) => {
                let is_incoming: Vec<bool> =
                    values.iter().map(|value| value == Some("incoming")).collect();
                let of = |code: &u32| is_incoming.get(*code as usize).copied().unwrap_or(false);
                codes.iter().map(of).collect()
            }
            _ => vec![false; self.rows()].into(),
        };
        Ok(self.incoming.get_or_init(|| incoming).clone())
    }
}
