//! Requests of which only the status is known, added to those that were read.
//!
//! Each row of a status is scaled by how many of that status there were for one that was read. All
//! arithmetic is in integers and what rounding takes from one row goes to the next one, so that
//! the rows of a status add up to exactly the number of its requests.

use crate::requests::table::RequestCounters;

/// Scales the rows of one status, one after the other.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Requests that were read, and what they stand for.
    read: u64,
    all: u64,
    /// What was passed until now, by figure.
    passed: [u64; FIGURES],
}

/// Those of [`RequestCounters`]: requests, errors, five classes, unanswered, aborted, response
/// count and sum.
const FIGURES: usize = 11;

impl Scale {
    pub fn new(read: u64, all: u64) -> Self {
        Self { read: read.max(1), all, passed: [0; FIGURES] }
    }

    /// Makes a row stand for its share of all.
    pub fn apply(&mut self, row: &mut RequestCounters) {
        let [one, two, three, four, five] = &mut row.classes;
        let figures: [&mut u64; FIGURES] = [
            &mut row.requests,
            &mut row.errors,
            one,
            two,
            three,
            four,
            five,
            &mut row.unanswered,
            &mut row.aborted,
            &mut row.response.count,
            &mut row.response.sum,
        ];
        for (figure, passed) in figures.into_iter().zip(&mut self.passed) {
            let before = *passed;
            *passed = passed.saturating_add(*figure);
            *figure = share(*passed, self.read, self.all) - share(before, self.read, self.all);
        }
        // each figure is rounded for itself, and a part is never more than the whole
        let requests = row.requests;
        let parts =
            [&mut row.errors, &mut row.unanswered, &mut row.aborted, &mut row.response.count];
        parts.into_iter().for_each(|part| *part = (*part).min(requests));
        row.sketch.scale_to(row.response.count);
    }
}

/// `part * all / read`, rounded down.
fn share(part: u64, read: u64, all: u64) -> u64 {
    let share = u128::from(part) * u128::from(all) / u128::from(read);
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use weir_model::{Samples, Sketch};

    use super::*;

    fn row(requests: u64, aborted: u64) -> RequestCounters {
        let mut sketch = Sketch::default();
        sketch.add_n(200, requests);
        RequestCounters {
            requests,
            errors: aborted,
            classes: [0, requests, 0, 0, 0],
            unanswered: 0,
            aborted,
            response: Samples { count: requests, sum: 200 * requests, min: 200, max: 200 },
            sketch,
        }
    }

    #[test]
    fn rows_add_up_to_all_whatever_the_parts() {
        for (parts, all) in [
            (&[1][..], 1_000_003),
            (&[1, 1, 1], 10),
            (&[7, 3, 1, 1, 1, 90], 104),
            (&[1, 999_983, 17], 1 << 40),
        ] {
            let mut scale = Scale::new(parts.iter().sum(), all);
            let mut rows: Vec<_> = parts.iter().map(|part| row(*part, part / 2)).collect();
            rows.iter_mut().for_each(|row| scale.apply(row));
            let sum = |of: fn(&RequestCounters) -> u64| rows.iter().map(of).sum::<u64>();
            assert_eq!(sum(|row| row.requests), all);
            assert_eq!(sum(|row| row.classes[1]), all);
            assert_eq!(sum(|row| row.response.count), all);
            assert_eq!(sum(|row| row.sketch.count()), all);
            for (row, part) in rows.iter().zip(parts) {
                assert!(row.errors <= row.requests && row.aborted <= row.requests);
                let read: u64 = parts.iter().sum();
                assert!(row.requests.abs_diff(share(*part, read, all)) <= 1);
            }
        }
    }
}
