//! The server: takes agents' batches, answers questions over HTTP and serves the UI.
//!
//! Owns ingest (decode, resolve, store), the HTTP API with its OpenAPI description, access control,
//! the embedded UI and the server's own metrics. Does not own how flows are stored and questions
//! are executed (`weir-store`), nor the filter language (`weir-query`), nor the map's arithmetic
//! (`weir-topology`), nor configuration and signals (the binary).

pub mod auth;

mod api;
mod ask;
mod clusters;
mod ingest;
mod links;
mod listener;
mod metrics;
mod options;
mod problem;
mod server;
mod serving;
mod state;
mod suggest;
mod ui;

pub use api::openapi_json;
pub use clusters::ClusterOptions;
pub use ingest::{IngestError, Ingested, Ingester};
pub use links::Link;
pub use metrics::MetricsSource;
pub use options::{AuthMode, Limits, Options};
pub use server::{Clock, Running, Server, ServerError};
pub use weir_kubernetes::Access as ClusterAccess;
