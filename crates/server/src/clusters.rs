//! The clusters whose objects are known: those that this server watches, and those that a
//! `weir cluster-watch` tells of.
//!
//! Owns which cluster an agent belongs to, and when what is missing may still come. What the
//! objects mean is `weir-kubernetes`'s, what rows get of them `ingest::names`'s.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use weir_kubernetes::{
    Access, Client, Counts, Directory, DirectoryLimits, Kind, Problem, Taker, Told, WatchOptions,
    WatchStatus, Watcher,
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
    /// What another program tells.
    teller: Mutex<Option<Teller>>,
}

/// A `weir cluster-watch` and how far it has come.
struct Teller {
    session: String,
    next: u64,
    statuses: Vec<WatchStatus>,
    heard: Instant,
    swept: Instant,
}

/// Why a message about a cluster was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It does not follow the last one: everything is to be told from the beginning.
    Gap,
    /// This server watches the cluster itself.
    Watched,
    /// As many clusters as this server takes are told of by others.
    Full,
}

/// Silence after which what a cluster's watcher told last counts as old.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Clusters of which other programs tell.
const TOLD_MAX: usize = 100;

/// One kind of a cluster's objects, for `/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindView {
    pub watch: WatchStatus,
    pub counts: Counts,
}

impl Cluster {
    fn new(name: &str, access: Option<Access>) -> Self {
        let directory = Arc::new(RwLock::new(Directory::new(DirectoryLimits::default())));
        let (watcher, teller) = (Mutex::new(None), Mutex::new(None));
        Self { name: name.into(), access, directory, watcher, teller }
    }

    /// What is known now; held for a batch or an answer, not longer.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
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
        // First: whoever tells of the cluster holds its state while it waits for the directory.
        let statuses = self.statuses();
        let directory = self.directory();
        let view = |watch: WatchStatus| KindView { counts: directory.counts(watch.kind), watch };
        statuses.into_iter().map(view).collect()
    }

    fn statuses(&self) -> Vec<WatchStatus> {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = watcher.as_ref() {
            return watcher.status();
        }
        let teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        teller.as_ref().map(Teller::statuses).unwrap_or_default()
    }

    /// Takes what another program tells, at the server's `now_ms`.
    fn take(&self, told: Told, now_ms: i64) -> Result<(), NotTaken> {
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if told.sequence == 0 && teller.as_ref().is_none_or(|known| known.session != told.session) {
            let Told { session, statuses, .. } = &told;
            let (session, statuses) = (session.clone(), statuses.clone());
            *teller = Some(Teller { session, next: 0, statuses, heard: now, swept: now });
        }
        let Some(teller) = teller.as_mut().filter(|known| known.session == told.session) else {
            return Err(NotTaken::Gap);
        };
        if told.sequence > teller.next || told.sequence + 1 < teller.next {
            return Err(NotTaken::Gap);
        }
        teller.heard = now;
        teller.statuses = told.statuses;
        if told.sequence == teller.next {
            // else it was taken before, and only the answer was lost
            teller.next += 1;
            self.directory.take(told.changes, now_ms);
        }
        if now.duration_since(teller.swept) > SWEEP_EVERY {
            teller.swept = now;
            self.directory.sweep(now_ms);
        }
        Ok(())
    }
}

impl Teller {
    /// As they were told, or that nothing was told for too long.
    fn statuses(&self) -> Vec<WatchStatus> {
        let silence = self.heard.elapsed();
        let mut statuses = self.statuses.clone();
        if silence > SILENCE_MAX {
            for status in &mut statuses {
                let text = format!("weir cluster-watch was last heard {} s ago", silence.as_secs());
                status.problem.get_or_insert((0, text));
            }
        }
        statuses
    }
}

/// All clusters.
#[derive(Default)]
pub struct Clusters {
    watched: Vec<Arc<Cluster>>,
    told: RwLock<Vec<Arc<Cluster>>>,
}

impl Clusters {
    pub fn new(options: &[ClusterOptions]) -> Self {
        let cluster = |options: &ClusterOptions| {
            Arc::new(Cluster::new(&options.name, Some(options.access.clone())))
        };
        Self { watched: options.iter().map(cluster).collect(), told: RwLock::default() }
    }

    pub fn all(&self) -> Vec<Arc<Cluster>> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        self.watched.iter().chain(told.iter()).cloned().collect()
    }

    /// Takes what another program tells of a cluster, at the server's `now_ms`.
    pub fn take(&self, name: &str, told: Told, now_ms: i64) -> Result<(), NotTaken> {
        if self.watched.iter().any(|cluster| *cluster.name == *name) {
            return Err(NotTaken::Watched);
        }
        if let Some(cluster) = self.named(name) {
            return cluster.take(told, now_ms);
        }
        if told.sequence != 0 {
            return Err(NotTaken::Gap);
        }
        let mut known = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOLD_MAX {
            return Err(NotTaken::Full);
        }
        let cluster = Arc::new(Cluster::new(name, None));
        known.push(cluster.clone());
        drop(known);
        cluster.take(told, now_ms)
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
