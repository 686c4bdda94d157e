//! Metrics: which columns they read and how rows add up to them.

use weir_model::Layer;
use weir_schema::{Formula, Metric, Table, metric};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::segment::{ColumnData, ColumnId, ScanError, View, column_id};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Sum,
    Min,
    Max,
    /// A sum over the rows of each agent's last window.
    Last,
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
}

/// Most running values: presence is kept in the bits of one word.
const SLOTS_MAX: usize = 64;

/// What a question computes.
#[derive(Clone, Debug, Default)]
pub struct MetricPlan {
    slots: Vec<Slot>,
    outputs: Vec<Output>,
}

impl MetricPlan {
    /// `is_local`: the metrics are read from local to remote, not from client to server.
    pub fn new(
        table: Table,
        layer: Layer,
        names: &[String],
        is_local: bool,
    ) -> Result<Self, StoreError> {
        let mut plan = Self::default();
        for name in names {
            let known =
                metric(layer, name).ok_or_else(|| invalid(format!("no metric {name:?}")))?;
            let output = match known.formula {
                Formula::Sum { column } => {
                    Output::Value(plan.slot(table, Fold::Sum, column, mirror(known, is_local))?)
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
        let id = |name: &str| {
            column_id(table, name)
                .ok_or_else(|| invalid(format!("table {} lacks {name:?}", table.name())))
        };
        let column = id(column)?;
        let slot = Slot { fold, column, mirror: mirror.map_or(Ok(column), id)? };
        if let Some(place) = self.slots.iter().position(|known| *known == slot) {
            return Ok(place);
        }
        if self.slots.len() == SLOTS_MAX {
            return Err(invalid("too many metrics in one question"));
        }
        self.slots.push(slot);
        Ok(self.slots.len() - 1)
    }

    /// Whether a metric counts only the rows of each agent's last window.
    pub fn needs_last(&self) -> bool {
        self.slots.iter().any(|slot| slot.fold == Fold::Last)
    }
}

/// The column that stands for a metric when the row is read from its other end.
fn mirror(metric: &Metric, is_local: bool) -> Option<&'static str> {
    let other = metric.mirror.filter(|_| !is_local)?;
    match weir_schema::metric(metric.layer, other)?.formula {
        Formula::Sum { column } => Some(column),
        _ => None,
    }
}

/// Running values of many groups.
#[derive(Debug)]
pub struct Totals {
    plan: MetricPlan,
    /// Of each group, its rows.
    rows: Vec<u64>,
    /// Of each group, a bit for each slot that has a value.
    present: Vec<u64>,
    /// `values[group * slots + slot]`.
    values: Vec<u64>,
}

impl Totals {
    pub fn new(plan: &MetricPlan) -> Self {
        Self { plan: plan.clone(), rows: Vec::new(), present: Vec::new(), values: Vec::new() }
    }

    /// Makes room for groups up to `count`.
    pub fn grow(&mut self, count: usize) {
        if count > self.present.len() {
            self.rows.resize(count, 0);
            self.present.resize(count, 0);
            self.values.resize(count * self.plan.slots.len(), 0);
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
        let slots = self.plan.slots.clone();
        let mut columns = Vec::with_capacity(slots.len());
        for slot in &slots {
            columns.push((view.column(slot.column)?, view.column(slot.mirror)?));
        }
        let incoming = view.incoming()?;
        groups.iter().for_each(|group| self.rows[*group as usize] += 1);
        for (place, (slot, (column, mirror))) in slots.iter().zip(columns).enumerate() {
            let turned = slot.column != slot.mirror;
            let (column, mirror) = (Numbers::of(column.as_deref()), Numbers::of(mirror.as_deref()));
            for (index, (row, group)) in selection.iter().zip(groups).enumerate() {
                if slot.fold == Fold::Last && !is_last[index] {
                    continue;
                }
                let row = *row as usize;
                let numbers = if turned && incoming[row] { &mirror } else { &column };
                if let Some(value) = numbers.get(row) {
                    self.fold(*group as usize, place, slot.fold, value);
                }
            }
        }
        Ok(())
    }

    fn fold(&mut self, group: usize, place: usize, fold: Fold, value: u64) {
        let running = &mut self.values[group * self.plan.slots.len() + place];
        let bit = 1 << place;
        if self.present[group] & bit == 0 {
            self.present[group] |= bit;
            *running = value;
            return;
        }
        *running = match fold {
            Fold::Sum | Fold::Last => running.saturating_add(value),
            Fold::Min => value.min(*running),
            Fold::Max => value.max(*running),
        };
    }

    /// Adds a group of another thread to a group of this one.
    pub fn merge(&mut self, group: usize, other: &Totals, from: usize) {
        self.rows[group] += other.rows[from];
        let slots = self.plan.slots.len();
        for place in 0..slots {
            if other.present[from] & (1 << place) != 0 {
                let value = other.values[from * slots + place];
                self.fold(group, place, self.plan.slots[place].fold, value);
            }
        }
    }

    /// Groups there is room for.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Rows of a group.
    pub fn rows(&self, group: usize) -> u64 {
        self.rows[group]
    }

    fn value(&self, group: usize, place: usize) -> Option<u64> {
        let is_present = self.present[group] & (1 << place) != 0;
        is_present.then(|| self.values[group * self.plan.slots.len() + place])
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
