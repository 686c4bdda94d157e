//! Which columns a filter field or a metric of a single row reads, and how.

use std::sync::Arc;

use weir_model::Sketch;
use weir_schema::{Field, Formula, Side, Table, metric};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::segment::{ColumnData, ColumnId, Loaded, ScanError, View, column_id};

/// The columns behind a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldColumns {
    One(ColumnId),
    /// The first of an outgoing or unknown row, the second of an incoming one.
    Turned {
        outgoing: ColumnId,
        incoming: ColumnId,
    },
    Either(ColumnId, ColumnId),
    Computed(RowMetric),
}

/// A metric that a row's columns give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowMetric {
    Ratio { numerator: ColumnId, denominator: ColumnId },
    PerSecond { column: ColumnId, window: ColumnId },
    Quantile { column: ColumnId, percent: u8 },
}

fn column_of(table: Table, name: &str) -> Result<ColumnId, StoreError> {
    column_id(table, name)
        .ok_or_else(|| invalid(format!("table {} has no column {name:?}", table.name())))
}

impl RowMetric {
    /// `None` for what a stored column gives.
    pub fn of(table: Table, formula: Formula) -> Result<Option<Self>, StoreError> {
        let column = |name| column_of(table, name);
        Ok(match formula {
            Formula::Sum { .. }
            | Formula::Min { .. }
            | Formula::Max { .. }
            | Formula::Last { .. } => None,
            Formula::Ratio { numerator, denominator } => Some(Self::Ratio {
                numerator: column(numerator)?,
                denominator: column(denominator)?,
            }),
            Formula::PerSecond { column: name } => {
                Some(Self::PerSecond { column: column(name)?, window: column("window_ms")? })
            }
            Formula::Quantile { column: name, percent } => {
                Some(Self::Quantile { column: column(name)?, percent })
            }
        })
    }
}

/// The values of a [`RowMetric`] in one segment.
pub enum RowValues {
    Ratio { numerator: Loaded, denominator: Loaded, factor: f64 },
    Quantile { column: Loaded, share: f64 },
}

impl RowValues {
    pub fn of(view: &View, metric: RowMetric) -> Result<Self, ScanError> {
        Ok(match metric {
            RowMetric::Ratio { numerator, denominator } => Self::Ratio {
                numerator: view.column(numerator)?,
                denominator: view.column(denominator)?,
                factor: 1.0,
            },
            RowMetric::PerSecond { column, window } => Self::Ratio {
                numerator: view.column(column)?,
                denominator: view.column(window)?,
                factor: 1_000.0,
            },
            RowMetric::Quantile { column, percent } => {
                Self::Quantile { column: view.column(column)?, share: f64::from(percent) / 100.0 }
            }
        })
    }

    /// Absent where a part is, or where nothing was sampled.
    pub fn value(&self, row: usize) -> Option<f64> {
        let number = |column: &Option<Arc<ColumnData>>| column.as_deref()?.number(row);
        match self {
            Self::Ratio { numerator, denominator, factor } => {
                let (sum, count) = (number(numerator)?, number(denominator)?);
                (count > 0).then(|| sum as f64 * factor / count as f64)
            }
            Self::Quantile { column, share } => {
                Sketch::decode(column.as_deref()?.blob(row)?).ok()?.quantile(*share)
            }
        }
    }
}

/// Resolves a field of the table.
pub fn columns_of(table: Table, field: &Field) -> Result<FieldColumns, StoreError> {
    let local = || column_of(table, &format!("local_{}", field.column));
    let remote = || column_of(table, &format!("remote_{}", field.column));
    Ok(match field.side {
        Side::Local => FieldColumns::One(local()?),
        Side::Remote => FieldColumns::One(remote()?),
        Side::Client => FieldColumns::Turned { outgoing: local()?, incoming: remote()? },
        Side::Server => FieldColumns::Turned { outgoing: remote()?, incoming: local()? },
        Side::Either => FieldColumns::Either(local()?, remote()?),
        Side::Flow => return flow_columns(table, field),
    })
}

fn flow_columns(table: Table, field: &Field) -> Result<FieldColumns, StoreError> {
    if let Some(known) = metric(table, field.column)
        && let Some(computed) = RowMetric::of(table, known.formula)?
    {
        return Ok(FieldColumns::Computed(computed));
    }
    Ok(FieldColumns::One(column_of(table, field.column)?))
}
