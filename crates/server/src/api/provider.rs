//! Which cloud hosts run in: as their agents say, else as their clusters' nodes say.

use std::collections::HashMap;
use std::sync::Arc;

use super::entity::provider_of;
use crate::clusters::Cluster;
use crate::state::AppState;

/// The clouds of hosts, as far as anybody has said them by now.
pub struct Providers {
    by_host: HashMap<String, String>,
    clusters: Vec<Arc<Cluster>>,
}

impl Providers {
    pub fn known(state: &AppState) -> Self {
        let mut agents = state.registry.view(state.now_ms());
        // of two agents on hosts of one name the one that was heard last is believed
        agents.sort_by_key(|agent| agent.last_seen_ms);
        let said =
            agents.into_iter().filter_map(|agent| Some((agent.host?, agent.place?.provider?)));
        Self { by_host: said.collect(), clusters: state.clusters.all() }
    }

    /// `aws`, `gcp`...: the word for the cloud.
    pub fn of(&self, host: &str) -> Option<String> {
        let of_node = |cluster: &Arc<Cluster>| {
            let directory = cluster.directory();
            let id = directory.node_named(host)?.provider_id.as_deref()?;
            Some(provider_of(id)?.0)
        };
        self.by_host.get(host).cloned().or_else(|| self.clusters.iter().find_map(of_node))
    }
}
