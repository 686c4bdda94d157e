//! The last window of each agent, within the range or within each step of a series.

use arrow_array::Array;
use hashbrown::HashMap;
use weir_query::TimeWindow;

use crate::exec::Scan;
use crate::exec::filter::Mask;
use crate::exec::select::in_window;
use crate::segment::{ColumnData, ScanError, View};

/// Steps of equal length that cover a range; one step for a question that is not a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub first_ms: i64,
    pub step_ms: i64,
    pub count: usize,
}

impl Steps {
    /// The whole range as one step.
    pub fn one(window: TimeWindow) -> Self {
        Self { first_ms: window.from_ms, step_ms: window.length_ms(), count: 1 }
    }

    /// Steps aligned to multiples of their length.
    pub fn aligned(window: TimeWindow, step_ms: i64) -> Self {
        let first_ms = window.from_ms.div_euclid(step_ms) * step_ms;
        let count = (window.to_ms - first_ms + step_ms - 1) / step_ms;
        Self { first_ms, step_ms, count: count as usize }
    }

    /// The step that a time within the range lies in.
    pub fn of(&self, time_ms: u64) -> usize {
        if self.count == 1 {
            return 0;
        }
        ((time_ms as i64 - self.first_ms) / self.step_ms) as usize
    }
}

/// Of each agent and step, the start of the last window; 0 where it has none.
#[derive(Debug, Default)]
pub struct LastWindows {
    by_agent: HashMap<String, Vec<u64>>,
}

impl LastWindows {
    /// Looks through every row of the range, whatever the question's filter.
    pub fn find(scan: &Scan, steps: Steps) -> Result<Self, ScanError> {
        let partials = scan.fold(Self::default, |found, view| found.add(scan, steps, view))?;
        let mut partials = partials.into_iter();
        let mut all = partials.next().unwrap_or_default();
        for partial in partials {
            for (agent, starts) in partial.by_agent {
                let known = all.by_agent.entry(agent).or_insert_with(|| vec![0; steps.count]);
                known.iter_mut().zip(starts).for_each(|(known, start)| *known = start.max(*known));
            }
        }
        Ok(all)
    }

    fn add(&mut self, scan: &Scan, steps: Steps, view: &View) -> Result<(), ScanError> {
        let mask = in_window(scan.question, view)?;
        let (agents, starts) = (view.named("agent")?, view.times()?);
        let (Some(ColumnData::Codes { codes, values }), Some(starts)) = (agents.as_deref(), starts)
        else {
            return Ok(());
        };
        let mut found = vec![Vec::new(); values.len()];
        for (row, (code, start)) in codes.iter().zip(starts.iter()).enumerate() {
            let taken = match &mask {
                Mask::All => true,
                Mask::Nothing => false,
                Mask::Rows(rows) => rows[row],
            };
            let Some(windows) = found.get_mut(*code as usize).filter(|_| taken) else { continue };
            if windows.is_empty() {
                windows.resize(steps.count, 0);
            }
            let window: &mut u64 = &mut windows[steps.of(*start)];
            *window = (*window).max(*start);
        }
        for (agent, windows) in values.iter().zip(found) {
            let (Some(agent), false) = (agent, windows.is_empty()) else { continue };
            match self.by_agent.get_mut(agent) {
                Some(known) => {
                    known.iter_mut().zip(windows).for_each(|(k, start)| *k = start.max(*k));
                }
                None => {
                    self.by_agent.insert(agent.to_owned(), windows);
                }
            }
        }
        Ok(())
    }

    /// Of each selected row, whether it is of its agent's last window.
    pub fn mark(
        &self,
        steps: Steps,
        view: &View,
        selection: &[u32],
    ) -> Result<Vec<bool>, ScanError> {
        let (agents, starts) = (view.named("agent")?, view.times()?);
        let (Some(ColumnData::Codes { codes, values }), Some(starts)) = (agents.as_deref(), starts)
        else {
            return Ok(vec![false; selection.len()]);
        };
        let windows: Vec<Option<&Vec<u64>>> =
            values.iter().map(|agent| self.by_agent.get(agent.unwrap_or_default())).collect();
        let is_last = |row: &u32| {
            let row = *row as usize;
            let windows = windows.get(codes[row] as usize).copied().flatten();
            windows.is_some_and(|windows| windows[steps.of(starts[row])] == starts[row])
        };
        Ok(selection.iter().map(is_last).collect())
    }
}
