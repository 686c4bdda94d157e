//! How metrics of edges merge into metrics of nodes, groups and group edges.

/// How two values of a metric become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    Sum,
    Min,
    Max,
    /// A mean; the metric at this index counts its samples.
    Mean {
        samples: usize,
    },
    /// Two values do not make one, a quantile for instance: kept where it is the only one.
    Never,
}

/// One metric of the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub merge: Merge,
    /// Index of the metric that this one is when the conversation is read from its other end
    /// (sent and received); its own index where both ends see the same.
    pub mirror: usize,
}

/// The metrics of the edges, in the order of their values.
#[derive(Clone, Copy, Debug)]
pub struct Metrics<'a> {
    pub all: &'a [Metric],
    /// Indexes of the metrics whose sum is an edge's weight: what is heaviest is kept and is first.
    pub weight: &'a [usize],
}

/// One conversation as seen from one of its ends, or from both when it stays inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Client,
    Server,
    /// Both ends belong to the same node or group: sent and received are both counted, what both
    /// ends see alike is counted once.
    Inside,
}

/// Values being merged; a mean is held as its sum until [`Self::finish`].
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    values: Vec<Option<f64>>,
}

impl Totals {
    pub fn new(metrics: &Metrics<'_>) -> Self {
        Self { values: vec![None; metrics.all.len()] }
    }

    pub fn add(&mut self, metrics: &Metrics<'_>, values: &[Option<f64>], view: View) {
        for (index, metric) in metrics.all.iter().enumerate() {
            let mirrored = metric.mirror != index;
            if view != View::Server || !mirrored {
                self.merge(metric.merge, index, index, values);
            }
            if mirrored && view != View::Client {
                self.merge(metric.merge, index, metric.mirror, values);
            }
        }
    }

    fn merge(&mut self, merge: Merge, into: usize, from: usize, values: &[Option<f64>]) {
        let Some(value) = values.get(from).copied().flatten() else { return };
        let old = self.values[into];
        let merged = match merge {
            Merge::Sum => old.unwrap_or(0.0) + value,
            Merge::Min => old.map_or(value, |old| old.min(value)),
            Merge::Max => old.map_or(value, |old| old.max(value)),
            Merge::Mean { samples } => {
                let count = values.get(samples).copied().flatten().unwrap_or(0.0);
                old.unwrap_or(0.0) + value * count
            }
            // Remembered, so that a third value is not taken for the only one.
            Merge::Never => old.map_or(value, |_| f64::NAN),
        };
        self.values[into] = Some(merged);
    }

    pub fn finish(self, metrics: &Metrics<'_>) -> Vec<Option<f64>> {
        let finish = |index: usize, metric: &Metric| match metric.merge {
            Merge::Mean { samples } => {
                let count = self.values.get(samples).copied().flatten()?;
                (count > 0.0).then(|| self.values[index].map(|sum| sum / count))?
            }
            _ => self.values[index],
        };
        metrics.all.iter().enumerate().map(|(index, metric)| finish(index, metric)).collect()
    }
}

/// Values as they are shown: without those that did not make one.
pub(crate) fn known(values: &[Option<f64>]) -> Vec<Option<f64>> {
    values.iter().map(|value| value.filter(|value| !value.is_nan())).collect()
}

/// What an edge or node is worth when some must go.
pub(crate) fn weight(metrics: &Metrics<'_>, values: &[Option<f64>]) -> f64 {
    let value = |index: &usize| values.get(*index).copied().flatten().unwrap_or(0.0);
    metrics.weight.iter().map(value).sum()
}
