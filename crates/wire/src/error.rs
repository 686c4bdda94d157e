//! Why bytes are not a batch.

use thiserror::Error;

/// Why a batch could not be read or written. Every kind means that the batch is refused as a
/// whole; [`WireError::kind`] is the word for it in problem documents and counters.
#[derive(Debug, Error)]
pub enum WireError {
    /// Something else altogether.
    #[error("not a weir batch: {0}")]
    Foreign(String),
    #[error(
        "the batch ends after {bytes} bytes in the middle of {what}; it was cut on its way or is \
         still being written"
    )]
    Truncated { bytes: usize, what: &'static str },
    #[error("the batch is damaged: {0}")]
    Damaged(String),
    #[error("the batch header cannot be read: {0}")]
    Header(String),
    #[error("unknown table {0:?}; this server knows {known}", known = known_tables())]
    UnknownTable(String),
    #[error(
        "the batch has format {found} and this server reads formats up to {supported}; upgrade \
         the server, then the agents"
    )]
    NewerFormat { found: u64, supported: u32 },
    #[error("column {column:?} has type {found}, expected {expected}")]
    ColumnType { column: String, expected: String, found: String },
    #[error("column {0:?} is required and is not in the batch")]
    MissingColumn(String),
    #[error("column {0:?} is required and has rows without a value")]
    MissingValue(String),
    #[error("the batch has {rows} rows, the limit rows_max is {rows_max}; use smaller batches")]
    TooManyRows { rows: u64, rows_max: usize },
    #[error("the batch has {bytes} bytes {what}, the limit {limit} is {max}; use smaller batches")]
    TooLarge { bytes: u64, what: &'static str, limit: &'static str, max: usize },
    #[error("a batch could not be encoded: {0}")]
    Encode(String),
}

fn known_tables() -> String {
    weir_schema::Table::ALL.map(weir_schema::Table::name).join(", ")
}

impl WireError {
    /// A bounded snake_case word per kind.
    pub fn kind(&self) -> &'static str {
        match self {
            WireError::Foreign(_) => "foreign",
            WireError::Truncated { .. } => "truncated",
            WireError::Damaged(_) => "damaged",
            WireError::Header(_) => "bad_header",
            WireError::UnknownTable(_) => "unknown_table",
            WireError::NewerFormat { .. } => "newer_format",
            WireError::ColumnType { .. } => "column_type",
            WireError::MissingColumn(_) => "missing_column",
            WireError::MissingValue(_) => "missing_value",
            WireError::TooManyRows { .. } => "too_many_rows",
            WireError::TooLarge { .. } => "too_large",
            WireError::Encode(_) => "encode",
        }
    }
}
