//! Turns errors of SQLite, files and Parquet into the store's kinds.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use weir_store::{StoreError, StoreErrorKind};

/// An error about the batch or question itself.
pub fn invalid(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, message)
}

/// An error of a file operation: what was tried on which path.
pub fn io_error(tried: &str, path: &Path, error: io::Error) -> StoreError {
    let message = format!("cannot {tried} {}", path.display());
    StoreError::with_source(StoreErrorKind::Io, message, error)
}

/// An error of the catalogue database.
pub fn sqlite_error(tried: &str, error: rusqlite::Error) -> StoreError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
        _ => StoreErrorKind::Io,
    };
    StoreError::with_source(kind, format!("cannot {tried}"), error)
}

/// The same error once more, for each of the callers that share a failed transaction.
pub fn repeat(error: &StoreError) -> StoreError {
    let message = match &error.source {
        Some(source) => format!("{}: {source}", error.message),
        None => error.message.clone(),
    };
    StoreError::new(error.kind, message)
}
