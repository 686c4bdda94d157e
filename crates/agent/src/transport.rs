//! How a batch gets to a server, whoever carries it.

use std::time::Duration;

use thiserror::Error;

/// Why a batch was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The server cannot be reached or asks to come back; the batch is sent again.
    #[error("{detail}")]
    Unavailable {
        detail: String,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server does not know this agent's token; the batch is sent again, as the token may be
    /// put right.
    #[error("{detail}")]
    Unauthorized { detail: String },
    /// The server will never take this batch; it is set aside.
    #[error("{detail}")]
    Rejected { detail: String },
}

/// Carries encoded batches. `Ok` means that the server answers for the batch from now on.
pub trait Transport: Send + Sync {
    fn send(&self, batch: &[u8]) -> Result<(), TransportError>;
}

impl<F> Transport for F
where
    F: Fn(&[u8]) -> Result<(), TransportError> + Send + Sync,
{
    fn send(&self, batch: &[u8]) -> Result<(), TransportError> {
        self(batch)
    }
}
