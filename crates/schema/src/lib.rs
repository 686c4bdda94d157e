//! One row per stored column and one per metric; everything else is made from them.
//!
//! Owns the column tables and what is derived: Arrow schemas, filter fields, the metric table of
//! the API and the TypeScript types. Knows nothing of files, SQL or how a value is measured.

mod arrow;
mod column;
mod columns;
mod fields;
mod losses;
mod metrics;
pub mod typescript;

pub use arrow::{arrow_schema, metadata_key, stored_schema, wire_schema};
pub use column::{Column, ColumnType, Merge, Origin, Unit};
pub use columns::{DNS_FLOWS, L4_FLOWS, L7_FLOWS, L7_SAMPLES, Table};
pub use fields::{Field, FieldKind, Side, field, fields, is_known_field};
pub use losses::{LOSSES, LossMeaning, loss_meaning};
pub use metrics::{DNS_METRICS, Formula, L4_METRICS, L7_METRICS, Metric, metric, metrics};

/// Version of the stored and sent columns. A reader accepts every version up to its own and
/// fills columns that are younger than the data with nulls.
pub const FORMAT_VERSION: u32 = 5;
