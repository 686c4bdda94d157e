//! Evaluates a filter over a segment: once for each distinct text, then by code.

use weir_query::{Expr, Predicate, TextPattern};
use weir_schema::{ColumnType, FieldKind, Merge};

use crate::exec::fields::{FieldColumns, RowValues, columns_of};
use crate::segment::{ColumnData, ColumnId, NULL_CODE, ScanError, View, column_id};

/// Which rows a filter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    All,
    Nothing,
    Rows(Vec<bool>),
}

impl Mask {
    pub fn and(self, other: Mask) -> Mask {
        match (self, other) {
            (Mask::All, mask) | (mask, Mask::All) => mask,
            (Mask::Nothing, _) | (_, Mask::Nothing) => Mask::Nothing,
            (Mask::Rows(mut rows), Mask::Rows(more)) => {
                rows.iter_mut().zip(more).for_each(|(row, more)| *row &= more);
                Mask::Rows(rows)
            }
        }
    }

    fn or(self, other: Mask) -> Mask {
        match (self, other) {
            (Mask::All, _) | (_, Mask::All) => Mask::All,
            (Mask::Nothing, mask) | (mask, Mask::Nothing) => mask,
            (Mask::Rows(mut rows), Mask::Rows(more)) => {
                rows.iter_mut().zip(more).for_each(|(row, more)| *row |= more);
                Mask::Rows(rows)
            }
        }
    }

    fn not(self) -> Mask {
        match self {
            Mask::All => Mask::Nothing,
            Mask::Nothing => Mask::All,
            Mask::Rows(mut rows) => {
                rows.iter_mut().for_each(|row| *row = !*row);
                Mask::Rows(rows)
            }
        }
    }

    fn takes(&self, row: usize) -> bool {
        match self {
            Mask::All => true,
            Mask::Nothing => false,
            Mask::Rows(rows) => rows[row],
        }
    }
}

/// The rows that the expression takes.
pub fn evaluate(expr: &Expr, view: &View) -> Result<Mask, ScanError> {
    match expr {
        Expr::And(parts) => {
            let mut mask = Mask::All;
            for part in parts {
                if mask == Mask::Nothing {
                    break;
                }
                mask = mask.and(evaluate(part, view)?);
            }
            Ok(mask)
        }
        Expr::Or(parts) => {
            let mut mask = Mask::Nothing;
            for part in parts {
                if mask == Mask::All {
                    break;
                }
                mask = mask.or(evaluate(part, view)?);
            }
            Ok(mask)
        }
        Expr::Not(inner) => Ok(evaluate(inner, view)?.not()),
        Expr::Match { field, predicate } => {
            let table = view.segment.table;
            let columns = columns_of(table, field)?;
            let mask = match_field(columns, field.kind, predicate, view)?;
            match field.also.and_then(|also| column_id(table, also)) {
                Some(also) => Ok(mask.or(match_column(also, field.kind, predicate, view)?)),
                None => Ok(mask),
            }
        }
        Expr::Anywhere(pattern) => anywhere(pattern, view),
    }
}

fn match_field(
    columns: FieldColumns,
    kind: FieldKind,
    predicate: &Predicate,
    view: &View,
) -> Result<Mask, ScanError> {
    let column = |id| match_column(id, kind, predicate, view);
    match columns {
        FieldColumns::One(id) => column(id),
        FieldColumns::Either(a, b) => Ok(column(a)?.or(column(b)?)),
        FieldColumns::Turned { outgoing, incoming } => {
            let (outgoing, incoming) = (column(outgoing)?, column(incoming)?);
            if outgoing == incoming && !matches!(outgoing, Mask::Rows(_)) {
                return Ok(outgoing);
            }
            let is_incoming = view.incoming()?;
            let take = |(row, is_incoming): (usize, &bool)| {
                if *is_incoming { incoming.takes(row) } else { outgoing.takes(row) }
            };
            Ok(Mask::Rows(is_incoming.iter().enumerate().map(take).collect()))
        }
        FieldColumns::Computed(metric) => {
            let values = RowValues::of(view, metric)?;
            let take = |row| values.value(row).is_some_and(|v| predicate.matches_number(v));
            Ok(Mask::Rows((0..view.rows()).map(take).collect()))
        }
    }
}

fn match_column(
    id: ColumnId,
    kind: FieldKind,
    predicate: &Predicate,
    view: &View,
) -> Result<Mask, ScanError> {
    let Some(column) = view.column(id)? else { return Ok(Mask::Nothing) };
    let mask = match &*column {
        ColumnData::Codes { codes, values } => {
            let matches = |text: Option<&str>| {
                text.is_some_and(|text| match kind {
                    FieldKind::Ip => predicate.matches_ip(text),
                    _ => predicate.matches_text(text),
                })
            };
            let table: Vec<bool> = values.iter().map(matches).collect();
            by_code(codes, &table)
        }
        ColumnData::Numbers { values, nulls } => {
            let mut rows: Vec<bool> =
                values.iter().map(|value| predicate.matches_number(*value as f64)).collect();
            if let Some(nulls) = nulls {
                rows.iter_mut().zip(nulls.iter()).for_each(|(row, valid)| *row &= valid);
            }
            Mask::Rows(rows)
        }
        ColumnData::Bytes(_) => Mask::Nothing,
    };
    Ok(mask)
}

/// The rows whose code is in the table.
pub fn by_code(codes: &[u32], table: &[bool]) -> Mask {
    if !table.contains(&true) {
        return Mask::Nothing;
    }
    if !table.contains(&false) && !codes.contains(&NULL_CODE) {
        return Mask::All;
    }
    let take = |code: &u32| table.get(*code as usize).copied().unwrap_or(false);
    Mask::Rows(codes.iter().map(take).collect())
}

fn anywhere(pattern: &TextPattern, view: &View) -> Result<Mask, ScanError> {
    let mut mask = Mask::Nothing;
    for (id, column) in view.segment.table.columns().iter().enumerate() {
        let is_text = matches!(column.ty, ColumnType::Text | ColumnType::Ip);
        if !is_text || column.merge != Merge::Key {
            continue;
        }
        let Some(data) = view.column(id)? else { continue };
        if let ColumnData::Codes { codes, values } = &*data {
            let matches = |text: Option<&str>| text.is_some_and(|text| pattern.matches(text));
            let table: Vec<bool> = values.iter().map(matches).collect();
            mask = mask.or(by_code(codes, &table));
        }
        if mask == Mask::All {
            break;
        }
    }
    Ok(mask)
}
