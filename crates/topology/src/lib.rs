//! The service map: pairs of entities in, nodes, edges and groups out.
//!
//! Owns how the metrics of edges add up at nodes and groups, what a focus keeps and what is cut
//! when there is too much. Pure: knows no store, no API and no column; the caller says how each
//! metric merges.

mod build;
mod cut;
mod focus;
mod group;
mod metric;
#[cfg(test)]
mod tests;

pub use build::{Edge, Map, MapEdge, MapNode, Options, build};
pub use cut::Cut;
pub use focus::{Flow, Focus};
pub use group::{Group, GroupKind, Grouping};
pub use metric::{Merge, Metric, Metrics};

/// Above this many nodes [`Grouping::Auto`] groups.
pub const UNGROUPED_NODES_MAX: usize = 150;
/// Most steps that a focus goes away from its entity.
pub const FOCUS_DEPTH_MAX: u8 = 3;

/// `kind:id`: what tells two entities apart.
pub fn key(entity: &weir_model::Entity) -> String {
    format!("{}:{}", entity.kind.as_str(), entity.id)
}
