//! Names of both ends of a batch's rows, by the clusters' directories.
//!
//! An end on the agent's host is a Pod exactly if its control group says so: an address alone
//! would take a node's own processes for the Pods that share its network. The other end is named
//! by its address, in the agent's own cluster first. A Service is the one that the client dialled,
//! else the one that the Pod stands behind.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use weir_kubernetes::{Labels, Resolved, Sighting};
use weir_model::{Direction, Transport};
use weir_wire::BatchHeader;

use super::directory::Directory as Agents;
use super::rows::{Ends, Side};
use super::surroundings::{Held, Surroundings};

/// Longest text of a Pod's labels; what is beyond is left out.
const LABELS_BYTES_MAX: usize = 4_096;
/// Labels that are of one roll-out or one Pod and say nothing of what it is.
const LABELS_LEFT_OUT: [&str; 4] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
];

/// Where an agent's host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    pub cluster: Option<Arc<str>>,
    pub zone: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
}

impl Home {
    /// As the cluster's node says, else the host's cloud.
    pub fn of(header: &BatchHeader, cluster: Option<&Held<'_>>, times: &Range<i64>) -> Self {
        let place = header.place.as_ref();
        let said = |text: fn(&weir_model::Place) -> Option<&String>| {
            place.and_then(text).map(|text| Arc::from(text.as_str()))
        };
        let mut home = Self {
            cluster: cluster.map(|cluster| cluster.name.clone()),
            zone: said(|place| place.zone.as_ref()),
            region: said(|place| place.region.as_ref()),
        };
        let node = cluster.and_then(|cluster| {
            cluster.directory.node_of_host(&header.host, &header.boot_id, times)
        });
        if let Some(node) = node {
            home.zone = node.zone.clone().or(home.zone);
            home.region = node.region.clone().or(home.region);
        }
        home
    }
}

/// What is known of an end beyond what the agent said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndNames {
    pub pod: Option<Arc<str>>,
    pub namespace: Option<Arc<str>>,
    pub deployment: Option<Arc<str>>,
    pub workload_kind: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub host: Option<Arc<str>>,
    pub zone: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
    pub cluster: Option<Arc<str>>,
    pub labels: Option<Arc<str>>,
}

impl EndNames {
    fn at(home: &Home) -> Self {
        let Home { cluster, zone, region } = home.clone();
        Self { cluster, zone, region, ..Self::default() }
    }

    fn set_service(&mut self, service: &weir_kubernetes::Service) {
        self.service = Some(service.meta.name.clone());
        self.namespace.get_or_insert_with(|| service.meta.namespace.clone());
    }
}

/// What a row's end looks like: rows that look the same have the same names.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Look {
    is_local: bool,
    is_here: bool,
    is_server: bool,
    ip: Option<usize>,
    port: Option<u16>,
    transport: Option<Transport>,
    pod_uid: Option<usize>,
    container: Option<usize>,
    dialled: Option<(IpAddr, Option<u16>)>,
}

/// Names ends for one batch.
pub struct Namer<'a> {
    around: &'a Surroundings<'a>,
    /// What agents said of their own addresses and ports.
    agents: &'a Agents,
    found: Vec<EndNames>,
    by_look: HashMap<Look, u32>,
    labels: HashMap<Arc<str>, Option<Arc<str>>>,
}

impl<'a> Namer<'a> {
    pub fn new(around: &'a Surroundings<'_>, agents: &'a Agents) -> Self {
        Self { around, agents, found: Vec::new(), by_look: HashMap::new(), labels: HashMap::new() }
    }

    /// Names of an index that [`Self::name`] gave.
    pub fn get(&self, index: u32) -> Option<&EndNames> {
        self.found.get(index as usize)
    }

    /// The names of a row's local or remote end, by index.
    pub fn name(&mut self, ends: &Ends<'_>, row: usize, is_local: bool) -> u32 {
        let side = if is_local { &ends.local } else { &ends.remote };
        let direction = ends.direction(row);
        let is_server = match direction {
            Some(Direction::Outgoing) => !is_local,
            Some(Direction::Incoming) => is_local,
            _ => false,
        };
        let look = Look {
            is_local,
            is_here: is_local || ends.remote_agent.code(row).is_some(),
            is_server,
            ip: side.ip_code(row),
            port: side.port(row),
            transport: ends.transport(row),
            pod_uid: side.pod_uid.code(row),
            container: side.container.code(row),
            dialled: ends.dialled(row).filter(|_| is_server),
        };
        if let Some(index) = self.by_look.get(&look) {
            return *index;
        }
        let names = self.find(side, row, &look);
        let index = self.found.len() as u32;
        self.found.push(names);
        self.by_look.insert(look, index);
        index
    }

    fn find(&mut self, side: &Side<'_>, row: usize, look: &Look) -> EndNames {
        let fallback =
            if look.is_here { EndNames::at(&self.around.home) } else { EndNames::default() };
        let (Some(ip), Some(transport)) = (side.ip(row), look.transport) else { return fallback };
        let (pod_uid, container) = (side.pod_uid.get(row), side.container.get(row));
        let is_pod = pod_uid.is_some() || container.is_some();
        let seen = Sighting {
            ip,
            // A node's own process at a port where a Pod would be a backend is not that Pod.
            port: look.port.filter(|_| is_pod || !look.is_here),
            transport,
            pod_uid,
            container,
            times: self.around.times.clone(),
        };
        let mut labels = std::mem::take(&mut self.labels);
        let mut names = self.resolve(&seen, look, &mut labels).unwrap_or_default();
        if names.pod.is_none()
            && !look.is_here
            && let Some(pod) = self.listening(&seen, look, &mut labels)
        {
            names = pod;
        }
        self.labels = labels;
        if let Some((ip, port)) = look.dialled {
            let dialled = Sighting { ip, port, pod_uid: None, container: None, ..seen };
            if let Some(own) = &self.around.own
                && let Some(service) = own.directory.dialled(&dialled)
            {
                names.set_service(service);
            }
        }
        EndNames {
            zone: names.zone.or(fallback.zone),
            region: names.region.or(fallback.region),
            cluster: names.cluster.or(fallback.cluster),
            ..names
        }
    }

    /// The Pod that listens at a port of its node, as the node's agent said.
    fn listening(
        &self,
        seen: &Sighting<'_>,
        look: &Look,
        labels: &mut HashMap<Arc<str>, Option<Arc<str>>>,
    ) -> Option<EndNames> {
        let at_ms = self.around.times.start;
        let (scope, _) = self.agents.owner(&self.around.home.cluster, seen.ip, at_ms)?;
        let end = ((scope, seen.ip), seen.port?, seen.transport);
        let said = self.agents.service(&end, at_ms)?;
        let (pod_uid, container) = (said.pod_uid.as_deref(), said.container.as_deref());
        pod_uid.or(container)?;
        let seen = Sighting { pod_uid, container, ..seen.clone() };
        self.resolve(&seen, look, labels).filter(|names| names.pod.is_some())
    }

    fn resolve(
        &self,
        seen: &Sighting<'_>,
        look: &Look,
        labels: &mut HashMap<Arc<str>, Option<Arc<str>>>,
    ) -> Option<EndNames> {
        if let Some(own) = &self.around.own
            && let Some(resolved) = own.directory.resolve(seen)
        {
            return Some(names_of(own.name, &resolved, labels));
        }
        let mut found = self.around.others.iter().filter_map(|Held { name, directory }| {
            // Addresses inside of a cluster mean nothing outside of it; what kubelet and the
            // runtime name is the same everywhere.
            let is_certain = look.is_here && (seen.pod_uid.is_some() || seen.container.is_some());
            let resolved = match is_certain {
                true => directory.resolve(seen).filter(|resolved| resolved.pod.is_some()),
                false if look.is_here => None,
                false => directory.resolve_from_outside(seen),
            };
            resolved.map(|resolved| (*name, resolved))
        });
        let (cluster, resolved) = found.next()?;
        found.next().is_none().then(|| names_of(cluster, &resolved, labels))
    }
}

fn names_of(
    cluster: &Arc<str>,
    resolved: &Resolved<'_>,
    labels: &mut HashMap<Arc<str>, Option<Arc<str>>>,
) -> EndNames {
    let mut names = EndNames {
        pod: resolved.pod.map(|pod| pod.meta.name.clone()),
        namespace: resolved.namespace().cloned(),
        host: resolved.node_name.cloned(),
        zone: resolved.zone().cloned(),
        region: resolved.region().cloned(),
        cluster: Some(cluster.clone()),
        ..EndNames::default()
    };
    if let Some(workload) = resolved.workload {
        names.deployment = Some(workload.name.clone());
        names.workload_kind = Some(Arc::from(workload.kind));
    }
    if let Some(service) = resolved.service {
        names.set_service(service);
    }
    if let Some(pod) = resolved.pod {
        let text = labels.entry(pod.meta.uid.clone());
        names.labels = text.or_insert_with(|| labels_text(&pod.meta.labels)).clone();
    }
    names
}

/// A line `name=value` each, in the order of the names.
fn labels_text(labels: &Labels) -> Option<Arc<str>> {
    let lines: Vec<String> =
        labels_of_rows(labels).map(|(name, value)| format!("{name}={value}")).collect();
    (!lines.is_empty()).then(|| Arc::from(lines.join("\n")))
}

/// Those of a Pod's labels that its rows have, in the order of the names.
pub fn labels_of_rows(labels: &Labels) -> impl Iterator<Item = (&str, &str)> {
    let mut bytes = 0;
    labels.iter().map(|(name, value)| (&**name, &**value)).filter(move |(name, value)| {
        let with_this = bytes + name.len() + value.len() + 2;
        let is_kept = !LABELS_LEFT_OUT.contains(name) && with_this <= LABELS_BYTES_MAX;
        if is_kept {
            bytes = with_this;
        }
        is_kept
    })
}
