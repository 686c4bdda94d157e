//! A focus: the map shrinks to one entity and what it is connected to.

use crate::build::Links;

/// Which way a focus looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Who calls the entity, and who calls those.
    Upstream,
    /// Whom the entity calls, and whom those call.
    Downstream,
    Both,
}

/// What to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// `kind:id` of the entity.
    pub key: String,
    pub flow: Flow,
    /// Steps away from it, 1 to [`crate::FOCUS_DEPTH_MAX`].
    pub depth: u8,
}

/// Marks the edges that lie within reach of the node `start`.
pub(crate) fn reach(links: &[Links], nodes: usize, start: usize, focus: &Focus) -> Vec<bool> {
    let mut kept = vec![false; links.len()];
    if focus.flow != Flow::Downstream {
        walk(links, nodes, start, focus.depth, |link| (link.server, link.client), &mut kept);
    }
    if focus.flow != Flow::Upstream {
        walk(links, nodes, start, focus.depth, |link| (link.client, link.server), &mut kept);
    }
    kept
}

fn walk(
    links: &[Links],
    nodes: usize,
    start: usize,
    depth: u8,
    step: impl Fn(&Links) -> (usize, usize),
    kept: &mut [bool],
) {
    let mut reached = vec![false; nodes];
    reached[start] = true;
    for _ in 0..depth.min(crate::FOCUS_DEPTH_MAX) {
        let mut next = reached.clone();
        for (index, link) in links.iter().enumerate() {
            let (near, far) = step(link);
            if reached[near] {
                kept[index] = true;
                next[far] = true;
            }
        }
        reached = next;
    }
}
