//! Values of an answer, named.

use super::types::{Measure, Metrics};

/// The values under their metrics' names, in the same order.
pub fn named(names: &[String], values: &[Option<f64>]) -> Metrics {
    let values = values.iter().map(|value| value.map(Measure));
    Metrics(names.iter().cloned().zip(values).collect())
}
