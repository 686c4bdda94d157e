//! Metrics over time, one line for everything or one a group.

use hashbrown::HashMap;
use weir_query::{GroupBy, MAX_STEPS, Series, SeriesLine};

use crate::errors::invalid;
use crate::exec::Scan;
use crate::exec::groups::{compare_keys, compare_metrics, group};
use crate::exec::keys::{Interner, KeyPart, KeyPlan, Keys};
use crate::exec::last::{LastWindows, Steps};
use crate::exec::metrics::{MetricPlan, Totals};
use crate::exec::select::select;
use crate::segment::{ScanError, View};

/// Most values of one metric in one answer: lines times steps.
const CELLS_MAX: usize = 2_000_000;

/// The lines of a series by key; the line after the last takes all other groups.
struct Lines {
    keys: Vec<Vec<KeyPart>>,
    by_key: HashMap<Vec<KeyPart>, usize>,
    has_rest: bool,
}

struct Partial {
    keys: Keys,
    /// Of each group number of `keys`, its line once known.
    lines: Vec<Option<usize>>,
    totals: Totals,
}

/// Answers `Shape::Series`.
pub fn answer(
    scan: &Scan,
    by: &[GroupBy],
    metrics: &[String],
    step_ms: i64,
    limit: usize,
) -> Result<Series, ScanError> {
    if step_ms <= 0 {
        return Err(invalid(format!("a step of {step_ms} ms is not positive")).into());
    }
    let steps = Steps::aligned(scan.question.window, step_ms);
    if steps.count > MAX_STEPS {
        let count = steps.count;
        let message = format!("{count} steps of {step_ms} ms; at most {MAX_STEPS}: a longer step");
        return Err(invalid(message).into());
    }
    let key_plan = KeyPlan::new(scan.table(), by, scan.shared.options.groups_max)?;
    let plan = MetricPlan::new(scan.table(), metrics, key_plan.is_local, step_ms)?;
    let lines = if by.is_empty() {
        Lines { keys: vec![Vec::new()], by_key: HashMap::new(), has_rest: false }
    } else {
        heaviest(scan, &key_plan, metrics, limit)?
    };
    let cells = (lines.keys.len() + 1) * steps.count;
    if cells > CELLS_MAX {
        let message = format!("{cells} values in one answer; fewer lines or a longer step");
        return Err(invalid(message).into());
    }
    let totals = fill(scan, &key_plan, &plan, &lines, steps)?;
    let times = (0..steps.count as i64).map(|step| steps.first_ms + step * steps.step_ms);
    Ok(Series {
        step_ms,
        times_ms: times.collect(),
        lines: render(&lines, &totals, steps, metrics.len()),
        incomplete: scan.incomplete.clone(),
    })
}

/// The groups with the most of the first metric.
fn heaviest(
    scan: &Scan,
    key_plan: &KeyPlan,
    metrics: &[String],
    limit: usize,
) -> Result<Lines, ScanError> {
    let first = &metrics[..metrics.len().min(1)];
    let range_ms = scan.question.window.length_ms();
    let plan = MetricPlan::new(scan.table(), first, key_plan.is_local, range_ms)?;
    let grouped = group(scan, key_plan, &plan)?;
    let weight = |group: u32| {
        if first.is_empty() { None } else { grouped.totals.metric(group as usize, 0) }
    };
    let mut groups: Vec<u32> = (1..=grouped.keys.count() as u32).collect();
    groups.sort_unstable_by(|a, b| {
        compare_metrics(weight(*a), weight(*b), true)
            .then_with(|| compare_keys(&grouped.keys.key(*a), &grouped.keys.key(*b)))
    });
    let has_rest = groups.len() > limit || grouped.beyond_rows() > 0;
    groups.truncate(limit);
    let key = |group: &u32| grouped.keys.key(*group).into_iter().cloned().collect();
    let keys: Vec<Vec<KeyPart>> = groups.iter().map(key).collect();
    let by_key = keys.iter().enumerate().map(|(line, key)| (key.clone(), line)).collect();
    Ok(Lines { keys, by_key, has_rest })
}

fn fill(
    scan: &Scan,
    key_plan: &KeyPlan,
    plan: &MetricPlan,
    lines: &Lines,
    steps: Steps,
) -> Result<Totals, ScanError> {
    let last = match plan.needs_last() {
        true => Some(LastWindows::find(scan, steps)?),
        false => None,
    };
    let cells = (lines.keys.len() + 1) * steps.count;
    let make = || {
        let mut totals = scan.totals(plan);
        totals.grow(cells);
        Partial { keys: Keys::new(key_plan), lines: Vec::new(), totals }
    };
    let partials = scan.fold(make, |partial, view| {
        let selection = select(scan.question, view)?;
        if selection.is_empty() {
            return Ok(());
        }
        let cells = partial.cells(view, &selection, lines, steps)?;
        let is_last = match &last {
            Some(last) => last.mark(steps, view, &selection)?,
            None => Vec::new(),
        };
        partial.totals.add(view, &selection, &cells, &is_last)
    })?;
    let mut all = scan.totals(plan);
    all.grow(cells);
    for partial in partials {
        for cell in 0..cells {
            all.merge(cell, &partial.totals, cell)?;
        }
    }
    Ok(all)
}

impl Partial {
    /// The cell of each selected row: its line and step.
    fn cells(
        &mut self,
        view: &View,
        selection: &[u32],
        lines: &Lines,
        steps: Steps,
    ) -> Result<Vec<u32>, ScanError> {
        let mut cells = self.keys.groups(view, selection)?;
        self.lines.resize(self.keys.count() + 1, None);
        let Some(times) = view.times()? else { return Ok(cells) };
        for (cell, row) in cells.iter_mut().zip(selection) {
            let group = *cell;
            let line = match self.lines[group as usize] {
                Some(line) => line,
                None => {
                    let line = line_of(&self.keys, group, lines);
                    self.lines[group as usize] = Some(line);
                    line
                }
            };
            *cell = (line * steps.count + steps.of(times[*row as usize])) as u32;
        }
        Ok(cells)
    }
}

fn line_of(keys: &Keys, group: u32, lines: &Lines) -> usize {
    let rest = lines.keys.len();
    if lines.by_key.is_empty() && rest == 1 {
        return 0;
    }
    if group == Interner::BEYOND {
        return rest;
    }
    let key: Vec<KeyPart> = keys.key(group).into_iter().cloned().collect();
    lines.by_key.get(&key).copied().unwrap_or(rest)
}

fn render(lines: &Lines, totals: &Totals, steps: Steps, metrics: usize) -> Vec<SeriesLine> {
    let count = lines.keys.len() + usize::from(lines.has_rest);
    let line = |line: usize| {
        let value = |metric| move |step| totals.metric(line * steps.count + step, metric);
        let key = lines.keys.get(line);
        SeriesLine {
            key: key.map_or(Vec::new(), |key| key.iter().map(KeyPart::to_value).collect()),
            is_rest: key.is_none(),
            values: (0..metrics).map(|m| (0..steps.count).map(value(m)).collect()).collect(),
        }
    };
    (0..count).map(line).collect()
}
