//! Raw rows in order, page by page.
//!
//! Keeps only as many rows as a page needs, and skips what is older than the oldest of them.

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicI64};

use weir_query::{Cursor, MAX_GROUPS, Rows, Sort};
use weir_schema::{Formula, Side, Table, field, metric};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::exec::Scan;
use crate::exec::cursor::{PageEnd, Place, SortValue};
use crate::exec::fields::{FieldColumns, RowMetric, RowValues, columns_of};
use crate::exec::render::render;
use crate::exec::select::select;
use crate::segment::{ColumnData, Loaded, NULL_CODE, ScanError, Segment, View, column_id};

struct Candidate<'a> {
    place: Place,
    segment: &'a Segment,
    row: usize,
}

/// The first `len` candidates in order, with some more that wait to be dropped.
struct Page<'a> {
    candidates: Vec<Candidate<'a>>,
    len: usize,
    descending: bool,
    /// The last place of a full page: what comes after it is not wanted.
    bound: Option<Place>,
}

impl<'a> Page<'a> {
    fn is_wanted(&self, place: &Place) -> bool {
        let compare = |bound: &Place| place.compare_value_and_time(bound, self.descending);
        self.bound.as_ref().is_none_or(|bound| compare(bound).is_le())
    }

    fn add(&mut self, candidate: Candidate<'a>) {
        self.candidates.push(candidate);
        if self.candidates.len() >= self.len * 2 {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.len == 0 || self.candidates.len() < self.len {
            return;
        }
        let descending = self.descending;
        let compare = |a: &Candidate, b: &Candidate| a.place.compare(&b.place, descending);
        self.candidates.select_nth_unstable_by(self.len - 1, compare);
        self.candidates.truncate(self.len);
        self.bound = self.candidates.last().map(|last| last.place.clone());
    }
}

/// Answers `Shape::Rows`.
pub fn answer(
    scan: &Scan,
    cursor: Option<&Cursor>,
    limit: usize,
    sort: Option<&Sort>,
) -> Result<Rows, ScanError> {
    let limit = limit.clamp(1, MAX_GROUPS);
    let sort_columns = sort.map(|sort| sort_columns(scan.table(), sort)).transpose()?;
    let descending = sort.is_some_and(|sort| sort.descending);
    let after = cursor.map(|cursor| PageEnd::from_cursor(cursor, sort.is_some())).transpose()?;
    // One more than the page says whether there is a next one; rows of the cursor's own place are
    // found again and skipped.
    let len = limit.saturating_add(1).saturating_add(after.as_ref().map_or(0, |end| end.seen));
    let oldest_wanted = AtomicI64::new(i64::MIN);
    let make = || Page { candidates: Vec::new(), len, descending, bound: None };
    let partials = scan.fold(make, |page, view| {
        let is_late = view.segment.max_ms < oldest_wanted.load(atomic::Ordering::Relaxed);
        if sort.is_none() && is_late {
            return Ok(());
        }
        collect(scan, page, view, sort_columns, after.as_ref())?;
        page.shrink();
        if let Some(bound) = &page.bound {
            oldest_wanted.fetch_max(bound.time_ms as i64, atomic::Ordering::Relaxed);
        }
        Ok(())
    })?;
    let mut candidates: Vec<Candidate> =
        partials.into_iter().flat_map(|page| page.candidates).collect();
    candidates.sort_by(|a, b| a.place.compare(&b.place, descending));
    if let Some(after) = &after {
        let mut seen = 0;
        candidates.retain(|candidate| {
            let again = seen < after.seen && candidate.place == after.place;
            seen += usize::from(again);
            !again
        });
    }
    let has_more = candidates.len() > limit;
    candidates.truncate(limit);
    let next_cursor = has_more.then(|| page_end(&candidates, after.as_ref())).flatten();
    Ok(Rows {
        rows: materialise(scan, &candidates)?,
        next_cursor: next_cursor.map(|end| end.to_cursor()),
        incomplete: scan.incomplete.clone(),
    })
}

fn page_end(candidates: &[Candidate], after: Option<&PageEnd>) -> Option<PageEnd> {
    let place = &candidates.last()?.place;
    let on_page = candidates.iter().rev().take_while(|c| c.place == *place).count();
    let before = after.filter(|after| after.place == *place).map_or(0, |after| after.seen);
    Some(PageEnd { place: place.clone(), seen: on_page + before })
}

fn materialise(
    scan: &Scan,
    candidates: &[Candidate],
) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, ScanError> {
    let mut out = vec![serde_json::Map::new(); candidates.len()];
    // Segment by segment, so that each column is decoded once.
    for segment in &scan.segments {
        let mut view = None;
        for (row, candidate) in out.iter_mut().zip(candidates) {
            if std::ptr::eq(candidate.segment, segment) {
                let view = view.get_or_insert_with(|| View::new(segment, &scan.shared.cache));
                *row = render(view, candidate.row)?;
            }
        }
    }
    Ok(out)
}

fn collect<'a>(
    scan: &Scan,
    page: &mut Page<'a>,
    view: &View<'a>,
    sort: Option<FieldColumns>,
    after: Option<&PageEnd>,
) -> Result<(), ScanError> {
    let selection = select(scan.question, view)?;
    if selection.is_empty() {
        return Ok(());
    }
    let Some(times) = view.times()? else { return Ok(()) };
    let sort_values = sort.map(|columns| SortValues::of(view, columns)).transpose()?;
    let mut identities = None;
    for row in selection {
        let row = row as usize;
        let sort = sort_values.as_ref().map_or(SortValue::Unsorted, |values| values.value(row));
        let mut place = Place { sort, time_ms: times[row], identity: 0 };
        if !page.is_wanted(&place) {
            continue;
        }
        let identities = match &identities {
            Some(identities) => identities,
            None => identities.insert(Identities::of(view)?),
        };
        place.identity = identities.identity(row);
        if after.is_some_and(|end| place.compare(&end.place, page.descending) == Ordering::Less) {
            continue;
        }
        page.add(Candidate { place, segment: view.segment, row });
    }
    Ok(())
}

/// What rows can be sorted by: a metric (the row's own value), a field, or the time.
fn sort_columns(table: Table, sort: &Sort) -> Result<FieldColumns, StoreError> {
    let column = |name: &str| {
        column_id(table, name).ok_or_else(|| invalid(format!("rows have no {name:?}")))
    };
    if sort.by == table.time_column() {
        return Ok(FieldColumns::One(column(&sort.by)?));
    }
    if let Some(known) = metric(table, &sort.by) {
        if let Some(computed) = RowMetric::of(table, known.formula)? {
            return Ok(FieldColumns::Computed(computed));
        }
        if let Formula::Sum { column: name }
        | Formula::Min { column: name }
        | Formula::Max { column: name }
        | Formula::Last { column: name } = known.formula
        {
            return Ok(FieldColumns::One(column(name)?));
        }
    }
    match field(table, &sort.by).filter(|field| field.side != Side::Either) {
        Some(field) => columns_of(table, &field),
        None => Err(invalid(format!("rows cannot be sorted by {:?}", sort.by))),
    }
}

/// The sort values of a segment's rows.
enum SortValues {
    Column(Loaded),
    Turned { outgoing: Loaded, incoming: Loaded, is_incoming: std::rc::Rc<[bool]> },
    Computed(RowValues),
}

impl SortValues {
    fn of(view: &View, columns: FieldColumns) -> Result<Self, ScanError> {
        Ok(match columns {
            FieldColumns::One(id) | FieldColumns::Either(id, _) => Self::Column(view.column(id)?),
            FieldColumns::Turned { outgoing, incoming } => Self::Turned {
                outgoing: view.column(outgoing)?,
                incoming: view.column(incoming)?,
                is_incoming: view.incoming()?,
            },
            FieldColumns::Computed(metric) => Self::Computed(RowValues::of(view, metric)?),
        })
    }

    fn value(&self, row: usize) -> SortValue {
        let number = |column: &Loaded| column.as_deref().and_then(|column| column.number(row));
        let column = match self {
            Self::Column(column) => column,
            Self::Turned { outgoing, incoming, is_incoming } => {
                if is_incoming[row] {
                    incoming
                } else {
                    outgoing
                }
            }
            Self::Computed(values) => {
                return values.value(row).map_or(SortValue::Absent, SortValue::Number);
            }
        };
        match column.as_deref() {
            Some(column @ ColumnData::Codes { .. }) => {
                column.text(row).map_or(SortValue::Absent, |t| SortValue::Text(t.to_owned()))
            }
            _ => number(column).map_or(SortValue::Absent, |n| SortValue::Number(n as f64)),
        }
    }
}

/// Hashes of whole rows: the same in every process and wherever the row lies. Rows with the same
/// hash hold the same, so that it does not matter which of them a page takes.
struct Identities {
    columns: Vec<(Loaded, Vec<u64>)>,
}

impl Identities {
    fn of(view: &View) -> Result<Self, ScanError> {
        let mut columns = Vec::new();
        for id in 0..view.segment.table.columns().len() {
            let loaded = view.column(id)?;
            let hashes = match loaded.as_deref() {
                Some(ColumnData::Codes { values, .. }) => {
                    values.iter().map(|t| t.map_or(0, |text| fnv_1a(text.as_bytes()))).collect()
                }
                _ => Vec::new(),
            };
            columns.push((loaded, hashes));
        }
        Ok(Self { columns })
    }

    fn identity(&self, row: usize) -> u64 {
        let mut identity = 0_u64;
        for (column, hashes) in &self.columns {
            let part = match column.as_deref() {
                Some(ColumnData::Codes { codes, .. }) if codes[row] != NULL_CODE => {
                    hashes[codes[row] as usize]
                }
                Some(bytes @ ColumnData::Bytes(_)) => bytes.blob(row).map_or(0, fnv_1a),
                Some(numbers) => numbers.number(row).map_or(0, |number| number.wrapping_add(1)),
                None => 0,
            };
            identity = (identity.rotate_left(23) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        identity
    }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv).
fn fnv_1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| step(hash, *byte))
}
