//! JSON of the Kubernetes API to the objects that are kept. Pure.
//!
//! Only the fields that are kept are read; the rest (specs, managed fields, annotations) is passed
//! over without being stored. Unknown fields and kinds of values are no error, an object without
//! a uid is.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use weir_model::Transport;

use crate::names::Names;
use crate::objects::{
    About, Container, ContainerId, Controller, Endpoint, EndpointSlice, Event, Kind, Labels, Meta,
    Namespace, Node, Object, OwnerRef, Pod, Service, ServicePort,
};
use crate::raw::{
    RawAddress, RawEvent, RawMeta, RawNode, RawObject, RawPod, RawService, RawSlice, RawStatuses,
    RawWithMeta,
};

/// Most labels of an object, containers or addresses of a Pod, and endpoints of a slice that are
/// kept; the rest is left out. Kubernetes' own limit for endpoints is 1,000.
const LABELS_MAX: usize = 64;
const CONTAINERS_MAX: usize = 64;
const IPS_MAX: usize = 16;
const ENDPOINTS_MAX: usize = 1_000;
const PORTS_MAX: usize = 256;
/// Longest message of an event; Kubernetes' own limit is 1,024 bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

const ZONE_LABELS: [&str; 2] =
    ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
const REGION_LABELS: [&str; 2] =
    ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];
const INSTANCE_LABELS: [&str; 2] =
    ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"];
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("not an object of the kind that was asked for: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an object without metadata.uid")]
    NoUid,
}

/// Reads one object of the kind.
pub fn read(kind: Kind, json: &str, names: &mut Names) -> Result<Object, ReadError> {
    let object = match kind {
        Kind::Namespace => Object::Namespace(Namespace { meta: plain(json, names)? }),
        Kind::ReplicaSet => Object::ReplicaSet(Controller { meta: plain(json, names)? }),
        Kind::Job => Object::Job(Controller { meta: plain(json, names)? }),
        Kind::Node => Object::Node(node(parse(json)?, names)?),
        Kind::Pod => Object::Pod(pod(parse(json)?, names)?),
        Kind::Service => Object::Service(service(parse(json)?, names)?),
        Kind::EndpointSlice => Object::EndpointSlice(slice(parse(json)?, names)?),
        Kind::Event => Object::Event(event(parse(json)?, names)?),
    };
    Ok(object)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, ReadError> {
    Ok(serde_json::from_str(json)?)
}

fn plain(json: &str, names: &mut Names) -> Result<Meta, ReadError> {
    meta(&parse::<RawWithMeta>(json)?.metadata, names)
}

fn meta(raw: &RawMeta, names: &mut Names) -> Result<Meta, ReadError> {
    if raw.uid.is_empty() {
        return Err(ReadError::NoUid);
    }
    let owners = raw.owner_references.iter();
    let owner = owners.filter(|owner| owner.controller.unwrap_or_default()).map(|owner| OwnerRef {
        kind: names.get(&owner.kind),
        name: names.get(&owner.name),
        uid: names.get(&owner.uid),
    });
    let owner = owner.last(); // there is at most one
    let labels: Labels = raw
        .labels
        .iter()
        .flatten()
        .take(LABELS_MAX)
        .map(|(key, value)| (names.get(key), names.get(value)))
        .collect();
    Ok(Meta {
        uid: names.get(&raw.uid),
        namespace: names.get(&raw.namespace),
        name: names.get(&raw.name),
        labels,
        created_ms: time(raw.creation_timestamp.as_deref()).unwrap_or_default(),
        owner,
    })
}

fn pod(raw: RawObject<RawPod, RawStatuses>, names: &mut Names) -> Result<Pod, ReadError> {
    let annotations = raw.metadata.annotations.as_ref();
    let mirror = annotations.and_then(|all| all.mirror.as_deref());
    let statuses = &raw.status;
    let mut containers: Vec<Container> = Vec::new();
    let mut ended_ms = None;
    for status in statuses.containers() {
        for ended in [&status.state, &status.last_state].into_iter().filter_map(|s| s.ended()) {
            ended_ms = ended_ms.max(time(ended.finished_at.as_deref()));
        }
        let ids = [Some(&status.container_id), status.state.id(), status.last_state.id()];
        for id in ids.into_iter().flatten().filter_map(|id| container_id(id)) {
            let is_known = containers.iter().any(|container| container.id == id);
            if !is_known && containers.len() < CONTAINERS_MAX {
                containers.push(Container { name: names.get(&status.name), id });
            }
        }
    }
    let mut ips = ips(statuses.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()));
    if let (true, Some(Ok(ip))) = (ips.is_empty(), statuses.pod_ip.as_deref().map(str::parse)) {
        ips = Box::from([ip]);
    }
    Ok(Pod {
        meta: meta(&raw.metadata, names)?,
        node: some(raw.spec.node_name.as_deref(), names),
        has_host_network: raw.spec.host_network.unwrap_or_default(),
        ips,
        containers: containers.into(),
        static_uid: some(mirror, names),
        is_over: matches!(statuses.phase.as_deref(), Some("Succeeded" | "Failed")),
        ended_ms,
    })
}

fn service(raw: RawService, names: &mut Names) -> Result<Service, ReadError> {
    let spec = &raw.spec;
    let one = spec.cluster_ip.as_deref().filter(|_| spec.cluster_ips.is_none());
    // headless Services say `None` in the place of an address
    let cluster = spec.cluster_ips.iter().flatten().map(String::as_str).chain(one);
    let ingress = raw.status.load_balancer.ingress.iter().flatten();
    let external = spec.external_ips.iter().flatten().map(String::as_str);
    let external = external.chain(ingress.filter_map(|ingress| ingress.ip.as_deref()));
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        Some(ServicePort {
            transport: transport(port.protocol.as_deref())?,
            port: port.port?,
            node_port: port.node_port.filter(|port| *port != 0),
        })
    });
    Ok(Service {
        meta: meta(&raw.metadata, names)?,
        cluster_ips: ips(cluster),
        external_ips: ips(external),
        ports: ports.take(PORTS_MAX).collect(),
    })
}

fn slice(raw: RawSlice, names: &mut Names) -> Result<EndpointSlice, ReadError> {
    let meta = meta(&raw.metadata, names)?;
    let service = meta.labels.iter().find(|(key, _)| **key == *SERVICE_LABEL);
    let ports = raw.ports.iter().flatten();
    let ports = ports.filter_map(|port| Some((port.port?, transport(port.protocol.as_deref())?)));
    let endpoints = raw.endpoints.iter().flatten().take(ENDPOINTS_MAX);
    let endpoints = endpoints.map(|endpoint| Endpoint {
        ips: ips(endpoint.addresses.iter().map(String::as_str)),
        pod_uid: endpoint
            .target_ref
            .as_ref()
            .filter(|target| target.kind == "Pod" && !target.uid.is_empty())
            .map(|target| names.get(&target.uid)),
    });
    let endpoints = endpoints.collect();
    let service = service.map(|(_, name)| name.clone());
    Ok(EndpointSlice { service, ports: ports.take(PORTS_MAX).collect(), endpoints, meta })
}

fn node(raw: RawObject<RawNode, RawAddress>, names: &mut Names) -> Result<Node, ReadError> {
    let meta = meta(&raw.metadata, names)?;
    let label = |wanted: [&str; 2]| {
        let find = |key: &&str| meta.labels.iter().find(|(known, _)| **known == **key);
        wanted.iter().find_map(find).map(|(_, value)| value.clone())
    };
    let addresses = raw.status.addresses.iter().flatten();
    let addresses = addresses.filter(|address| address.kind.ends_with("IP"));
    Ok(Node {
        ips: ips(addresses.map(|address| address.address.as_str())),
        zone: label(ZONE_LABELS),
        region: label(REGION_LABELS),
        instance_type: label(INSTANCE_LABELS),
        provider_id: some(raw.spec.provider_id.as_deref(), names),
        boot_id: some(raw.status.node_info.boot_id.as_deref(), names),
        meta,
    })
}

/// Events of `v1` and of `events.k8s.io` have the same objects; old and new writers fill other
/// fields of them.
fn event(raw: RawEvent, names: &mut Names) -> Result<Event, ReadError> {
    if raw.metadata.uid.is_empty() {
        return Err(ReadError::NoUid);
    }
    let series = raw.series.unwrap_or_default();
    let created = time(raw.metadata.creation_timestamp.as_deref());
    let first = time(raw.first_timestamp.as_deref()).or(time(raw.event_time.as_deref()));
    let first_ms = first.or(created).unwrap_or_default();
    let last = time(series.last_observed_time.as_deref()).or(time(raw.last_timestamp.as_deref()));
    let source = raw.source.component.as_deref().filter(|text| !text.is_empty());
    Ok(Event {
        uid: Arc::from(&*raw.metadata.uid),
        about: About {
            kind: names.get(&raw.involved_object.kind),
            namespace: names.get(&raw.involved_object.namespace),
            name: names.get(&raw.involved_object.name),
        },
        severity: names.get(raw.severity.as_deref().unwrap_or_default()),
        reason: names.get(raw.reason.as_deref().unwrap_or_default()),
        message: Arc::from(cut(raw.message.as_deref().unwrap_or_default())),
        source: some(source.or(raw.reporting_component.as_deref()), names),
        count: series.count.or(raw.count).unwrap_or(1).max(1),
        first_ms,
        last_ms: last.unwrap_or(first_ms).max(first_ms),
    })
}

fn cut(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

fn some(text: Option<&str>, names: &mut Names) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(|text| names.get(text))
}

/// Addresses in order, each once.
fn ips<'a>(texts: impl Iterator<Item = &'a str>) -> Box<[IpAddr]> {
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in texts.filter_map(|text| text.parse().ok()).take(IPS_MAX) {
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    found.into()
}

/// `None`: SCTP, which is not watched.
fn transport(protocol: Option<&str>) -> Option<Transport> {
    match protocol {
        None | Some("TCP") => Some(Transport::Tcp),
        Some("UDP") => Some(Transport::Udp),
        Some(_) => None,
    }
}

/// RFC 3339, to milliseconds since 1970-01-01 UTC.
fn time(text: Option<&str>) -> Option<i64> {
    text?.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
}

/// The digits of `containerd://3f9a...`, or alone.
pub fn container_id(text: &str) -> Option<ContainerId> {
    let digits = text.rsplit('/').next().unwrap_or(text);
    let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
