//! The clusters whose objects are known, and the watch over the server's own.
//!
//! Owns which cluster an agent belongs to, and when what is missing may still come. What the
//! objects mean is `weir-kubernetes`'s, what rows get of them `ingest::names`'s.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use weir_kubernetes::{
    Access, Client, Counts, Directory, DirectoryLimits, Kind, Problem, WatchOptions, WatchStatus,
    Watcher,
};
use weir_wire::BatchHeader;

use crate::server::Clock;

/// A cluster to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    pub name: String,
    pub access: Access,
}

/// What is known of one cluster.
pub struct Cluster {
    pub name: Arc<str>,
    /// `None`: another program watches it and tells this server.
    access: Option<Access>,
    directory: Arc<RwLock<Directory>>,
    /// `None` before the server starts.
    watcher: Mutex<Option<Watcher>>,
}

/// One kind of a cluster's objects, for `/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindView {
    pub watch: WatchStatus,
    pub counts: Counts,
}

impl Cluster {
    fn new(name: &str, access: Option<Access>) -> Self {
        let directory = Arc::new(RwLock::new(Directory::new(DirectoryLimits::default())));
        Self { name: name.into(), access, directory, watcher: Mutex::new(None) }
    }

    /// What is known now; held for a batch or an answer, not longer.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known.
    pub fn change<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        change(&mut self.directory.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// A way to ask the API server; `None`: this server does not reach it.
    pub fn client(&self) -> Option<Result<Client, Problem>> {
        self.access.clone().map(Client::new)
    }

    /// Whether what is new in the cluster comes in: its Pods were listed and nothing is wrong.
    pub fn is_followed(&self) -> bool {
        let is_well = |status: &WatchStatus| status.listed_ms.is_some() && status.problem.is_none();
        self.statuses().iter().any(|status| status.kind == Kind::Pod && is_well(status))
    }

    /// Whether its Pods are about to be listed for the first time.
    pub fn is_beginning(&self) -> bool {
        let is_new = |status: &WatchStatus| status.listed_ms.is_none() && status.problem.is_none();
        self.statuses().iter().any(is_new)
    }

    /// How the watch of each kind is.
    pub fn view(&self) -> Vec<KindView> {
        let directory = self.directory();
        let view = |watch: WatchStatus| KindView { counts: directory.counts(watch.kind), watch };
        self.statuses().into_iter().map(view).collect()
    }

    fn statuses(&self) -> Vec<WatchStatus> {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        watcher.as_ref().map(Watcher::status).unwrap_or_default()
    }
}

/// All clusters.
#[derive(Default)]
pub struct Clusters {
    watched: Vec<Arc<Cluster>>,
}

impl Clusters {
    pub fn new(options: &[ClusterOptions]) -> Self {
        let cluster = |options: &ClusterOptions| {
            Arc::new(Cluster::new(&options.name, Some(options.access.clone())))
        };
        Self { watched: options.iter().map(cluster).collect() }
    }

    pub fn all(&self) -> Vec<Arc<Cluster>> {
        self.watched.clone()
    }

    /// The cluster of that name.
    pub fn named(&self, name: &str) -> Option<Arc<Cluster>> {
        self.all().into_iter().find(|cluster| *cluster.name == *name)
    }

    /// The cluster that an agent's host is a node of: as it says, else the only one that has such
    /// a node.
    pub fn of(&self, header: &BatchHeader, times: &Range<i64>) -> Option<Arc<Cluster>> {
        if let Some(name) = &header.cluster {
            return self.named(name);
        }
        let has_node = |cluster: &Arc<Cluster>| {
            cluster.directory().node_of_host(&header.host, &header.boot_id, times).is_some()
        };
        let mut found = self.all().into_iter().filter(has_node);
        let cluster = found.next()?;
        found.next().is_none().then_some(cluster)
    }

    /// Begins to watch; to be called within a tokio runtime.
    pub fn start(&self, clock: &Clock) -> Result<(), Problem> {
        for cluster in &self.watched {
            let Some(client) = cluster.client() else { continue };
            let client = client?;
            let (directory, clock) = (cluster.directory.clone(), clock.clone());
            let mut watcher = Watcher::new(client, directory, clock, WatchOptions::default());
            watcher.start();
            *cluster.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        }
        Ok(())
    }

    /// Ends the watching; what is known stays known.
    pub async fn stop(&self) {
        for cluster in &self.watched {
            let watcher = cluster.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(watcher) = watcher {
                watcher.stop().await;
            }
        }
    }
}
