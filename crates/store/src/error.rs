//! Errors of a store: a kind for whoever decides, a sentence for whoever reads.

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The question or batch itself is wrong; repeating it will not help.
    Invalid,
    /// Too much at once; the same call may succeed later.
    Busy,
    /// The medium failed: disk full, permission, network.
    Io,
    /// Stored data cannot be read.
    Corrupt,
    /// Data of a newer format than this program knows.
    TooNew,
}

/// An error of a store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub fn with_source(
        kind: StoreErrorKind,
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(Box::new(source)) }
    }
}
