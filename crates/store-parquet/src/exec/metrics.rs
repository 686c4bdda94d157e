//! Metrics: which columns they read and how rows add up to them.

use weir_schema::{Formula, Metric, Table, metric};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::exec::sketches::Sketches;
use crate::segment::{ColumnData, ColumnId, ScanError, View, column_id};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Sum,
    Min,
    Max,
    /// A sum over the rows of each agent's last window.
    Last,
}

impl Fold {
    /// The value of nothing.
    fn start(self) -> u64 {
        match self {
            Fold::Sum | Fold::Last | Fold::Max => 0,
            Fold::Min => u64::MAX,
        }
    }

    fn combine(self, a: u64, b: u64) -> u64 {
        match self {
            Fold::Sum | Fold::Last => a.saturating_add(b),
            Fold::Min => a.min(b),
            Fold::Max => a.max(b),
        }
    }
}

/// One running value of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    fold: Fold,
    column: ColumnId,
    /// Read instead of `column` of an incoming row.
    mirror: ColumnId,
}

#[derive(Clone, Copy, Debug)]
enum Output {
    Value(usize),
    Ratio(usize, usize),
    PerSecond(usize),
    /// Of which sketch, and which share of its values.
    Quantile(usize, f64),
}

/// What a question computes.
#[derive(Clone, Debug, Default)]
pub struct MetricPlan {
    slots: Vec<Slot>,
    /// Columns of sketches, each once whatever the number of its quantiles.
    sketches: Vec<ColumnId>,
    outputs: Vec<Output>,
    /// What a metric per second divides by.
    seconds: f64,
}

impl MetricPlan {
    /// `is_local`: the metrics are read from local to remote, not from client to server.
    /// `range_ms`: length of the range, or of the step, that a value is of.
    pub fn new(
        table: Table,
        names: &[String],
        is_local: bool,
        range_ms: i64,
    ) -> Result<Self, StoreError> {
        let mut plan = Self { seconds: range_ms as f64 / 1_000.0, ..Self::default() };
        for name in names {
            let known = metric(table, name)
                .ok_or_else(|| invalid(format!("table {} has no metric {name:?}", table.name())))?;
            let output = match known.formula {
                Formula::Sum { column } => {
                    let mirror = mirror(table, known, is_local);
                    Output::Value(plan.slot(table, Fold::Sum, column, mirror)?)
                }
                Formula::Min { column } => {
                    Output::Value(plan.slot(table, Fold::Min, column, None)?)
                }
                Formula::Max { column } => {
                    Output::Value(plan.slot(table, Fold::Max, column, None)?)
                }
                Formula::Last { column } => {
                    Output::Value(plan.slot(table, Fold::Last, column, None)?)
                }
                Formula::Ratio { numerator, denominator } => Output::Ratio(
                    plan.slot(table, Fold::Sum, numerator, None)?,
                    plan.slot(table, Fold::Sum, denominator, None)?,
                ),
                Formula::PerSecond { column } => {
                    Output::PerSecond(plan.slot(table, Fold::Sum, column, None)?)
                }
                Formula::Quantile { column, percent } => {
                    Output::Quantile(plan.sketch(table, column)?, f64::from(percent) / 100.0)
                }
            };
            plan.outputs.push(output);
        }
        Ok(plan)
    }

    fn slot(
        &mut self,
        table: Table,
        fold: Fold,
        column: &str,
        mirror: Option<&str>,
    ) -> Result<usize, StoreError> {
        let id = |name: &str| known_column(table, name);
        let column = id(column)?;
        let slot = Slot { fold, column, mirror: mirror.map_or(Ok(column), id)? };
        if let Some(place) = self.slots.iter().position(|known| *known == slot) {
            return Ok(place);
        }
        self.slots.push(slot);
        Ok(self.slots.len() - 1)
    }

    fn sketch(&mut self, table: Table, column: &str) -> Result<usize, StoreError> {
        let column = known_column(table, column)?;
        if let Some(place) = self.sketches.iter().position(|known| *known == column) {
            return Ok(place);
        }
        self.sketches.push(column);
        Ok(self.sketches.len() - 1)
    }

    /// Whether a metric counts only the rows of each agent's last window.
    pub fn needs_last(&self) -> bool {
        self.slots.iter().any(|slot| slot.fold == Fold::Last)
    }
}

fn known_column(table: Table, name: &str) -> Result<ColumnId, StoreError> {
    column_id(table, name).ok_or_else(|| invalid(format!("table {} lacks {name:?}", table.name())))
}

/// The column that stands for a metric when the row is read from its other end.
fn mirror(table: Table, known: &Metric, is_local: bool) -> Option<&'static str> {
    let other = known.mirror.filter(|_| !is_local)?;
    match metric(table, other)?.formula {
        Formula::Sum { column } => Some(column),
        _ => None,
    }
}

/// Running values of many groups, slot by slot.
#[derive(Debug)]
pub struct Totals {
    plan: MetricPlan,
    /// Of each group, its rows.
    rows: Vec<u64>,
    slots: Vec<Running>,
    sketches: Vec<Sketches>,
    /// Room of all sketches together.
    sketch_bytes_max: u64,
}

/// The running values of one slot, by group.
#[derive(Clone, Debug, Default)]
struct Running {
    values: Vec<u64>,
    is_present: Vec<bool>,
}

impl Running {
    fn grow(&mut self, count: usize, start: u64) {
        self.values.resize(count, start);
        self.is_present.resize(count, false);
    }

    #[inline]
    fn fold(&mut self, group: usize, value: u64, combine: impl Fn(u64, u64) -> u64) {
        self.values[group] = combine(self.values[group], value);
        self.is_present[group] = true;
    }
}

impl Totals {
    pub fn new(plan: &MetricPlan, sketch_bytes_max: u64) -> Self {
        let slots = vec![Running::default(); plan.slots.len()];
        let sketches = plan.sketches.iter().map(|_| Sketches::default()).collect();
        Self { plan: plan.clone(), rows: Vec::new(), slots, sketches, sketch_bytes_max }
    }

    /// Makes room for groups up to `count`.
    pub fn grow(&mut self, count: usize) {
        if count > self.rows.len() {
            self.rows.resize(count, 0);
            for (running, slot) in self.slots.iter_mut().zip(&self.plan.slots) {
                running.grow(count, slot.fold.start());
            }
        }
    }

    /// Adds selected rows, each to its group. `is_last` is needed where the plan says so.
    pub fn add(
        &mut self,
        view: &View,
        selection: &[u32],
        groups: &[u32],
        is_last: &[bool],
    ) -> Result<(), ScanError> {
        let mut columns = Vec::with_capacity(self.plan.slots.len());
        for slot in &self.plan.slots {
            columns.push((view.column(slot.column)?, view.column(slot.mirror)?));
        }
        let incoming = view.incoming()?;
        groups.iter().for_each(|group| self.rows[*group as usize] += 1);
        let slots = self.slots.iter_mut().zip(&self.plan.slots);
        for ((running, slot), (column, mirror)) in slots.zip(columns) {
            let (column, mirror) = (Numbers::of(column.as_deref()), Numbers::of(mirror.as_deref()));
            let turned = slot.column != slot.mirror;
            let taken =
                selection.iter().zip(groups).enumerate().filter_map(|(index, (row, group))| {
                    if slot.fold == Fold::Last && !is_last[index] {
                        return None;
                    }
                    let row = *row as usize;
                    let numbers = if turned && incoming[row] { &mirror } else { &column };
                    numbers.get(row).map(|value| (*group as usize, value))
                });
            // The choice is made once a column, so that each loop is a tight one.
            match slot.fold {
                Fold::Sum | Fold::Last => {
                    taken
                        .for_each(|(group, value)| running.fold(group, value, u64::saturating_add));
                }
                Fold::Min => taken.for_each(|(group, value)| running.fold(group, value, u64::min)),
                Fold::Max => taken.for_each(|(group, value)| running.fold(group, value, u64::max)),
            }
        }
        self.add_sketches(view, selection, groups)
    }

    fn add_sketches(
        &mut self,
        view: &View,
        selection: &[u32],
        groups: &[u32],
    ) -> Result<(), ScanError> {
        let each_max = self.sketch_bytes_max / self.sketches.len().max(1) as u64;
        for (sketches, column) in self.sketches.iter_mut().zip(&self.plan.sketches) {
            let Some(column) = view.column(*column)? else { continue };
            for (row, group) in selection.iter().zip(groups) {
                if let Some(bytes) = column.blob(*row as usize) {
                    sketches.add(*group, bytes, each_max)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a group of another thread to a group of this one.
    pub fn merge(&mut self, group: usize, other: &Totals, from: usize) -> Result<(), StoreError> {
        self.rows[group] += other.rows[from];
        let slots = self.slots.iter_mut().zip(&other.slots).zip(&self.plan.slots);
        for ((running, theirs), slot) in slots {
            if theirs.is_present[from] {
                running.fold(group, theirs.values[from], |a, b| slot.fold.combine(a, b));
            }
        }
        let each_max = self.sketch_bytes_max / self.sketches.len().max(1) as u64;
        for (sketches, theirs) in self.sketches.iter_mut().zip(&other.sketches) {
            sketches.merge(group as u32, theirs.get(from as u32), each_max)?;
        }
        Ok(())
    }

    /// Groups there is room for.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows of a group.
    pub fn rows(&self, group: usize) -> u64 {
        self.rows[group]
    }

    fn value(&self, group: usize, place: usize) -> Option<u64> {
        let running = &self.slots[place];
        running.is_present[group].then(|| running.values[group])
    }

    /// The metrics of a group, in the order of the question.
    pub fn metrics(&self, group: usize) -> Vec<Option<f64>> {
        (0..self.plan.outputs.len()).map(|output| self.metric(group, output)).collect()
    }

    /// One metric of a group.
    pub fn metric(&self, group: usize, output: usize) -> Option<f64> {
        match self.plan.outputs[output] {
            Output::Value(place) => self.value(group, place).map(|value| value as f64),
            Output::Ratio(numerator, denominator) => {
                let (sum, count) = (self.value(group, numerator)?, self.value(group, denominator)?);
                (count > 0).then(|| sum as f64 / count as f64)
            }
            Output::PerSecond(place) => {
                self.value(group, place).map(|value| value as f64 / self.plan.seconds)
            }
            Output::Quantile(place, share) => {
                self.sketches[place].get(group as u32)?.quantile(share)
            }
        }
    }
}

/// A column of numbers, or none.
struct Numbers<'a> {
    values: &'a [u64],
    nulls: Option<&'a arrow_buffer::NullBuffer>,
}

impl<'a> Numbers<'a> {
    fn of(column: Option<&'a ColumnData>) -> Self {
        match column {
            Some(ColumnData::Numbers { values, nulls }) => Self { values, nulls: nulls.as_ref() },
            _ => Self { values: &[], nulls: None },
        }
    }

    fn get(&self, row: usize) -> Option<u64> {
        let value = *self.values.get(row)?;
        self.nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(value)
    }
}
