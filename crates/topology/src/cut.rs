//! What is left out when a map has too many nodes or edges: the lightest.

/// How much was kept of what there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    pub nodes: usize,
    pub nodes_total: usize,
    pub edges: usize,
    /// Edges between the nodes that were kept.
    pub edges_total: usize,
}

/// The indexes of the `max` heaviest, heaviest first; equal weights stay in their given order.
pub(crate) fn heaviest(weights: &[f64], max: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    order.truncate(max);
    order
}
