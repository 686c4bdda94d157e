//! The most frequent values of fields, by rows. Of a text of several lines (labels, headers) each
//! line is a value, as it is for filters.

use arrow_array::Array;
use hashbrown::HashMap;
use weir_query::{Facet, FacetValue};
use weir_schema::field;

use crate::errors::invalid;
use crate::exec::Scan;
use crate::exec::fields::{FieldColumns, columns_of};
use crate::exec::select::select;
use crate::segment::{ColumnData, ColumnId, Loaded, NULL_CODE, ScanError, View};

/// Rows by value of one field.
#[derive(Default)]
struct Counts {
    by_value: HashMap<Option<String>, u64>,
    /// Values that found no room.
    left_out: u64,
    max: usize,
}

impl Counts {
    /// Rows that have this value: once for each line of it.
    fn add(&mut self, value: Option<&str>, rows: u64) {
        if rows == 0 {
            return;
        }
        match value {
            Some(text) if text.contains('\n') => {
                for line in lines([text]) {
                    self.add_line(Some(line), rows);
                }
            }
            _ => self.add_line(value, rows),
        }
    }

    fn add_line(&mut self, value: Option<&str>, rows: u64) {
        let value = value.map(str::to_owned);
        if let Some(known) = self.by_value.get_mut(&value) {
            *known += rows;
        } else if self.by_value.len() < self.max {
            self.by_value.insert(value, rows);
        } else {
            self.left_out += 1;
        }
    }
}

/// Answers `Shape::Facets`: values by count, equal counts by text, absent after them.
pub fn answer(scan: &Scan, names: &[String], limit: usize) -> Result<Vec<Facet>, ScanError> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let known = field(scan.table(), name)
            .ok_or_else(|| invalid(format!("there is no field {name:?}")))?;
        if !known.is_key {
            let message = format!("field {name:?} is measured; only names and keys have facets");
            return Err(invalid(message).into());
        }
        columns.push(columns_of(scan.table(), &known)?);
    }
    let max = scan.shared.options.groups_max;
    let make = || columns.iter().map(|_| Counts { max, ..Counts::default() }).collect::<Vec<_>>();
    let partials = scan.fold(make, |counts, view| {
        let selection = select(scan.question, view)?;
        if selection.is_empty() {
            return Ok(());
        }
        for (counts, columns) in counts.iter_mut().zip(&columns) {
            count(counts, *columns, view, &selection)?;
        }
        Ok(())
    })?;
    let mut all = make();
    for partial in partials {
        for (all, counts) in all.iter_mut().zip(partial) {
            all.left_out += counts.left_out;
            for (value, rows) in counts.by_value {
                all.add_line(value.as_deref(), rows);
            }
        }
    }
    Ok(names.iter().zip(all).map(|(name, counts)| facet(name, counts, limit)).collect())
}

fn facet(name: &str, counts: Counts, limit: usize) -> Facet {
    let mut values: Vec<FacetValue> =
        counts.by_value.into_iter().map(|(value, count)| FacetValue { value, count }).collect();
    values.sort_unstable_by(|a, b| {
        let key = |v: &FacetValue| (std::cmp::Reverse(v.count), v.value.is_none());
        key(a).cmp(&key(b)).then_with(|| a.value.cmp(&b.value))
    });
    let left_out = counts.left_out + values.len().saturating_sub(limit) as u64;
    values.truncate(limit);
    Facet { field: name.to_owned(), values, left_out }
}

fn count(
    counts: &mut Counts,
    columns: FieldColumns,
    view: &View,
    selection: &[u32],
) -> Result<(), ScanError> {
    match columns {
        FieldColumns::One(id) => count_column(counts, &view.column(id)?, selection),
        FieldColumns::Turned { outgoing, incoming } => {
            let is_incoming = view.incoming()?;
            let (turned, straight): (Vec<u32>, Vec<u32>) =
                selection.iter().partition(|row| is_incoming[**row as usize]);
            count_column(counts, &view.column(outgoing)?, &straight);
            count_column(counts, &view.column(incoming)?, &turned);
        }
        FieldColumns::Either(local, remote) => {
            count_either(counts, local, remote, view, selection)?
        }
        FieldColumns::Computed(_) => {}
    }
    Ok(())
}

fn count_column(counts: &mut Counts, column: &Loaded, selection: &[u32]) {
    match column.as_deref() {
        None => counts.add(None, selection.len() as u64),
        Some(ColumnData::Codes { codes, values }) => {
            let mut by_code = vec![0; values.len()];
            let mut absent = 0;
            for row in selection {
                match by_code.get_mut(codes[*row as usize] as usize) {
                    Some(count) => *count += 1,
                    None => absent += 1,
                }
            }
            for (value, rows) in values.iter().zip(by_code) {
                counts.add(value, rows);
            }
            counts.add(None, absent);
        }
        Some(numbers) => {
            let mut by_number: HashMap<Option<u64>, u64> = HashMap::new();
            for row in selection {
                *by_number.entry(numbers.number(*row as usize)).or_default() += 1;
            }
            for (number, rows) in by_number {
                counts.add(number.map(|n| n.to_string()).as_deref(), rows);
            }
        }
    }
}

/// A row counts once for each distinct value of its ends; as absent only where both ends lack it.
fn count_either(
    counts: &mut Counts,
    local: ColumnId,
    remote: ColumnId,
    view: &View,
    selection: &[u32],
) -> Result<(), ScanError> {
    let (local, remote) = (view.column(local)?, view.column(remote)?);
    let mut by_pair: HashMap<(Option<u64>, Option<u64>), u64> = HashMap::new();
    let value = |column: &Loaded, row: usize| match column.as_deref() {
        None => None,
        Some(ColumnData::Codes { codes, .. }) => {
            Some(codes[row]).filter(|code| *code != NULL_CODE).map(u64::from)
        }
        Some(numbers) => numbers.number(row),
    };
    for row in selection {
        let row = *row as usize;
        *by_pair.entry((value(&local, row), value(&remote, row))).or_default() += 1;
    }
    for ((first, second), rows) in by_pair {
        let (first, second) = (text(&local, first), text(&remote, second));
        match (&first, &second) {
            (None, None) => counts.add(None, rows),
            (Some(a), Some(b)) => {
                for line in lines([a, b]) {
                    counts.add_line(Some(line), rows);
                }
            }
            _ => {
                for value in [&first, &second].into_iter().flatten() {
                    counts.add(Some(value), rows);
                }
            }
        }
    }
    Ok(())
}

/// The lines of all texts, each once.
fn lines<const N: usize>(texts: [&str; N]) -> Vec<&str> {
    let mut lines: Vec<&str> = texts.iter().flat_map(|text| text.split('\n')).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// The text of a code or number of a column.
fn text(column: &Loaded, value: Option<u64>) -> Option<String> {
    let value = value?;
    match column.as_deref() {
        Some(ColumnData::Codes { values, .. }) => Some(values.value(value as usize).to_owned()),
        _ => Some(value.to_string()),
    }
}
