//! The flows that a window's requests or lookups belong to, each kept once.

use std::collections::HashMap;

use crate::flows::FlowKey;

/// A flow of one window: its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowId(u32);

impl FlowId {
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// Flows of one window that are told apart unless somebody says otherwise.
const FLOWS_MAX: usize = 65_536;

/// Flows in the order in which they came. Past the maximum new ones lose their ends.
#[derive(Debug)]
pub struct FlowIds {
    flows: Vec<FlowKey>,
    ids: HashMap<FlowKey, FlowId, foldhash::quality::RandomState>,
    flows_max: usize,
}

impl Default for FlowIds {
    fn default() -> Self {
        Self::new(FLOWS_MAX)
    }
}

impl FlowIds {
    pub fn new(flows_max: usize) -> Self {
        Self { flows: Vec::new(), ids: HashMap::default(), flows_max }
    }

    /// The flow's place in this window; it is another one after [`Self::take`].
    pub fn id_of(&mut self, flow: FlowKey) -> FlowId {
        if let Some(id) = self.ids.get(&flow) {
            return *id;
        }
        match self.flows.len() < self.flows_max {
            true => self.add(flow),
            false => self.id_without_ends(flow),
        }
    }

    /// The place of what is left of a flow without its ends: there are only a few such, one for
    /// each direction, transport and family.
    pub fn id_without_ends(&mut self, flow: FlowKey) -> FlowId {
        let flow = flow.without_ends();
        match self.ids.get(&flow) {
            Some(id) => *id,
            None => self.add(flow),
        }
    }

    fn add(&mut self, flow: FlowKey) -> FlowId {
        let id = FlowId(self.flows.len() as u32);
        self.flows.push(flow.clone());
        self.ids.insert(flow, id);
        id
    }

    /// The flow of an id of this window.
    pub fn flow(&self, id: FlowId) -> &FlowKey {
        &self.flows[id.place()]
    }

    /// The window's flows, by [`FlowId::place`]; there are none afterwards.
    pub fn take(&mut self) -> Vec<FlowKey> {
        self.ids.clear();
        std::mem::take(&mut self.flows)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use weir_model::{Direction, Endpoint, Netns, Transport};

    use super::*;

    #[test]
    fn past_the_maximum_new_flows_lose_their_ends_and_known_ones_stay() {
        let flow = |port| FlowKey {
            direction: Direction::Incoming,
            transport: Transport::Tcp,
            local: Endpoint::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 80))),
            remote: Endpoint::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            dialled: None,
            netns: Netns(1),
            process: None,
            cgroup_id: None,
        };
        let mut ids = FlowIds::new(4);
        let places: Vec<usize> = (1..100).map(|port| ids.id_of(flow(port)).place()).collect();
        assert_eq!(places[..6], [0, 1, 2, 3, 4, 4]);
        assert_eq!(ids.id_of(flow(2)).place(), 1);
        let flows = ids.take();
        assert_eq!(flows.len(), 5, "4 and one for the rest");
        assert_eq!(flows[4], flow(7).without_ends());
    }
}
