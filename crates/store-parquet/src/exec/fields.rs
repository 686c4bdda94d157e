//! Which columns a filter field reads, and how.

use weir_schema::{Field, Formula, Side, Table, metric};

use crate::errors::invalid;
use crate::segment::{ColumnId, column_id};
use weir_model::Layer;
use weir_store::StoreError;

/// The columns behind a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldColumns {
    One(ColumnId),
    /// The first of an outgoing or unknown row, the second of an incoming one.
    Turned {
        outgoing: ColumnId,
        incoming: ColumnId,
    },
    Either(ColumnId, ColumnId),
    Ratio {
        numerator: ColumnId,
        denominator: ColumnId,
    },
}

/// Resolves a field of the table.
pub fn columns_of(table: Table, field: &Field) -> Result<FieldColumns, StoreError> {
    let column = |name: &str| {
        column_id(table, name)
            .ok_or_else(|| invalid(format!("table {} has no column {name:?}", table.name())))
    };
    let local = || column(&format!("local_{}", field.column));
    let remote = || column(&format!("remote_{}", field.column));
    Ok(match field.side {
        Side::Local => FieldColumns::One(local()?),
        Side::Remote => FieldColumns::One(remote()?),
        Side::Client => FieldColumns::Turned { outgoing: local()?, incoming: remote()? },
        Side::Server => FieldColumns::Turned { outgoing: remote()?, incoming: local()? },
        Side::Either => FieldColumns::Either(local()?, remote()?),
        Side::Flow => match metric(Layer::L4, field.column).map(|metric| metric.formula) {
            Some(Formula::Ratio { numerator, denominator }) => FieldColumns::Ratio {
                numerator: column(numerator)?,
                denominator: column(denominator)?,
            },
            _ => FieldColumns::One(column(field.column)?),
        },
    })
}
