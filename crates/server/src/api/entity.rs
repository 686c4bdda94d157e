//! `GET /entity` and `GET /entity/events`: what is known of one entity, and what its cluster says
//! happened to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use weir_kubernetes::{About, Directory, Event, Labels, Meta, Pod};
use weir_model::EntityKind;

use super::entity_live::{live_of, of_kind};
use super::entity_types::{
    AgentOf, EntityDetails, EntityEvent, EntityEvents, Machine, Owner, PodOf, ServicePort,
};
use super::params::Only;
use super::read;
use crate::clusters::Cluster;
use crate::ingest::labels_of_rows;
use crate::problem::Problem;
use crate::state::AppState;

const PODS_MAX: usize = 200;
const EVENTS_MAX: usize = 200;

/// Parameters of `GET /entity` and `GET /entity/events`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntityParams {
    /// `kind:id` of the entity.
    #[param(example = "pod:kubernetes/shop/cart-7d4b9")]
    pub entity: String,
}

/// An entity by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub kind: EntityKind,
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    pub name: String,
}

impl Named {
    /// Reads `kind:id`.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let (kind, id) = read::entity("entity", text)?;
        let named = |cluster: Option<&str>, namespace: Option<&str>, name: &str| Self {
            kind,
            cluster: cluster.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        if !matches!(kind, EntityKind::Pod | EntityKind::Workload | EntityKind::Service) {
            return Ok(named(None, None, &id));
        }
        let parts: Vec<&str> = id.rsplitn(3, '/').collect();
        Ok(match parts.as_slice() {
            [name, namespace, cluster] => named(Some(cluster), Some(namespace), name),
            [name, namespace] => named(None, Some(namespace), name),
            _ => named(None, None, &id),
        })
    }

    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

/// What is known of one entity.
#[utoipa::path(
    get,
    path = "/api/v1/entity",
    params(EntityParams),
    responses(
        (status = OK, body = EntityDetails),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn entity(
    State(state): State<AppState>,
    Only(params): Only<EntityParams>,
) -> Result<Json<EntityDetails>, Problem> {
    let named = Named::read(&params.entity)?;
    let mut details = EntityDetails {
        kind: named.kind.as_str(),
        name: named.name.clone(),
        cluster: named.cluster.clone(),
        namespace: named.namespace.clone(),
        ..EntityDetails::default()
    };
    let cluster = cluster_of(&state, &named);
    if let Some(cluster) = &cluster {
        describe(&mut details, &named, cluster);
    }
    if named.kind == EntityKind::Host {
        describe_host(&mut details, &state);
    }
    if let Some(cluster) = cluster.filter(|_| details.is_known) {
        let kind = of_kind(named.kind, details.workload_kind.as_deref());
        match live_of(&cluster, kind, named.namespace(), &named.name).await {
            Ok(live) => details.live = live,
            Err(problem) => details.live_problem = Some(problem),
        }
    }
    Ok(Json(details))
}

/// The cluster that the entity is of: as its id says, else the one that knows it.
pub fn cluster_of(state: &AppState, named: &Named) -> Option<Arc<Cluster>> {
    if let Some(name) = &named.cluster {
        return state.clusters.named(name);
    }
    let clusters = state.clusters.all().into_iter();
    clusters.into_iter().find(|cluster| {
        let directory = cluster.directory();
        match named.kind {
            EntityKind::Host => directory.node_named(&named.name).is_some(),
            EntityKind::Pod => directory.pod_named(named.namespace(), &named.name).is_some(),
            EntityKind::Workload => {
                directory.pods_of_workload(named.namespace(), &named.name).next().is_some()
            }
            EntityKind::Service => {
                directory.service_named(named.namespace(), &named.name).is_some()
            }
            _ => false,
        }
    })
}

fn describe(details: &mut EntityDetails, named: &Named, cluster: &Cluster) {
    let directory = cluster.directory();
    let directory = &*directory;
    details.cluster = Some(cluster.name.to_string());
    match named.kind {
        EntityKind::Pod => {
            if let Some(pod) = directory.pod_named(named.namespace(), &named.name) {
                describe_pod(details, directory, pod);
            }
        }
        EntityKind::Workload => {
            let pods = directory.pods_of_workload(named.namespace(), &named.name);
            let pods: Vec<&Arc<Pod>> = pods.collect();
            if let Some(first) = pods.first() {
                details.is_known = true;
                details.workload_kind = Some(directory.workload_of(first).kind.to_owned());
                details.labels = common_labels(&pods);
                set_flow_labels(details, first);
                details.is_living = pods.iter().any(|pod| directory.is_living(pod));
            }
            set_pods(details, directory, &pods);
        }
        EntityKind::Service => describe_service(details, directory, named),
        EntityKind::Host => describe_node(details, directory, named),
        _ => {}
    }
}

fn describe_meta(details: &mut EntityDetails, meta: &Meta) {
    details.is_known = true;
    details.created_ms = Some(meta.created_ms);
    details.labels = texts(&meta.labels);
}

fn describe_pod(details: &mut EntityDetails, directory: &Directory, pod: &Arc<Pod>) {
    describe_meta(details, &pod.meta);
    set_flow_labels(details, pod);
    details.is_living = directory.is_living(pod);
    details.workload_kind = Some(directory.workload_of(pod).kind.to_owned());
    details.node = pod.node.as_deref().map(str::to_owned);
    let node = pod.node.as_deref().and_then(|name| directory.node_named(name));
    if let Some(node) = node {
        details.zone = node.zone.as_deref().map(str::to_owned);
        details.region = node.region.as_deref().map(str::to_owned);
    }
    details.addresses = pod.ips.iter().map(ToString::to_string).collect();
    let owner = |owner: &weir_kubernetes::OwnerRef| Owner {
        kind: owner.kind.to_string(),
        name: owner.name.to_string(),
    };
    details.owners = directory.owners_of(pod).into_iter().map(owner).collect();
    details.containers = pod.containers.iter().map(|one| one.name.to_string()).collect();
}

fn describe_service(details: &mut EntityDetails, directory: &Directory, named: &Named) {
    let Some(service) = directory.service_named(named.namespace(), &named.name) else { return };
    describe_meta(details, &service.meta);
    details.is_living = true;
    details.addresses = service.cluster_ips.iter().map(ToString::to_string).collect();
    details.external_addresses = service.external_ips.iter().map(ToString::to_string).collect();
    let port = |port: &weir_kubernetes::ServicePort| ServicePort {
        port: port.port,
        transport: port.transport.as_str(),
        node_port: port.node_port,
    };
    details.ports = service.ports.iter().map(port).collect();
    set_pods(details, directory, &directory.pods_of_service(named.namespace(), &named.name));
}

fn describe_node(details: &mut EntityDetails, directory: &Directory, named: &Named) {
    let Some(node) = directory.node_named(&named.name) else { return };
    describe_meta(details, &node.meta);
    details.is_living = true;
    details.zone = node.zone.as_deref().map(str::to_owned);
    details.region = node.region.as_deref().map(str::to_owned);
    details.addresses = node.ips.iter().map(ToString::to_string).collect();
    if let Some((provider, instance)) = node.provider_id.as_deref().and_then(provider_of) {
        details.machine = Some(Machine {
            provider: Some(provider),
            instance,
            instance_type: node.instance_type.as_deref().map(str::to_owned),
        });
    }
    let pods: Vec<&Arc<Pod>> = directory.pods_on(&named.name).collect();
    set_pods(details, directory, &pods);
}

/// Provider and instance of `PROVIDER://.../INSTANCE`, by the names that agents use for clouds.
pub fn provider_of(id: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = id.split_once("://")?;
    let provider = match scheme {
        "gce" => "gcp",
        "alicloud" => "alibaba",
        "qcloud" | "tencentcloud" => "tencent",
        "huaweicloud" => "huawei",
        other => other,
    };
    let instance = rest.rsplit('/').next().filter(|text| !text.is_empty());
    Some((provider.to_owned(), instance.map(str::to_owned)))
}

/// What the agent on a host says.
fn describe_host(details: &mut EntityDetails, state: &AppState) {
    let agents = state.registry.view(state.now_ms());
    let mut own: Vec<_> =
        agents.into_iter().filter(|agent| agent.host.as_deref() == Some(&details.name)).collect();
    own.sort_by_key(|agent| std::cmp::Reverse(agent.last_seen_ms));
    let Some(agent) = own.into_iter().next() else { return };
    details.is_known = true;
    details.is_living |= !agent.is_stale;
    if let Some(place) = agent.place {
        details.zone = details.zone.take().or(place.zone);
        details.region = details.region.take().or(place.region);
        let machine = details.machine.take();
        let (provider, instance, instance_type) =
            machine.map(|m| (m.provider, m.instance, m.instance_type)).unwrap_or_default();
        details.machine = Some(Machine {
            provider: provider.or(place.provider),
            instance: instance.or(place.instance),
            instance_type: instance_type.or(place.instance_type),
        });
    }
    details.agent = Some(AgentOf {
        agent: agent.agent,
        version: agent.version,
        last_seen_ms: agent.last_seen_ms,
        is_stale: agent.is_stale,
    });
}

fn set_pods(details: &mut EntityDetails, directory: &Directory, pods: &[&Arc<Pod>]) {
    let id = |pod: &Pod| {
        let cluster = details.cluster.as_deref().unwrap_or_default();
        format!("{cluster}/{}/{}", pod.meta.namespace, pod.meta.name)
    };
    let of = |pod: &&Arc<Pod>| PodOf {
        id: id(pod),
        name: pod.meta.name.to_string(),
        node: pod.node.as_deref().map(str::to_owned),
        addresses: pod.ips.iter().map(ToString::to_string).collect(),
        is_living: directory.is_living(pod),
    };
    let mut shown: Vec<PodOf> = pods.iter().map(of).collect();
    shown.sort_by(|a, b| b.is_living.cmp(&a.is_living).then_with(|| a.name.cmp(&b.name)));
    shown.truncate(PODS_MAX);
    details.pods_left = (pods.len() - shown.len()) as u64;
    details.pods = shown;
}

fn texts(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Which of its labels the rows of a Pod have.
fn set_flow_labels(details: &mut EntityDetails, pod: &Pod) {
    let of_rows = labels_of_rows(&pod.meta.labels).map(|(name, _)| name);
    details.flow_labels =
        of_rows.filter(|name| details.labels.contains_key(*name)).map(str::to_owned).collect();
}

/// Labels that all Pods of a workload have, with one value.
fn common_labels(pods: &[&Arc<Pod>]) -> BTreeMap<String, String> {
    let mut pods = pods.iter();
    let mut common = pods.next().map(|pod| texts(&pod.meta.labels)).unwrap_or_default();
    for pod in pods {
        let labels = texts(&pod.meta.labels);
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}

/// What the entity's cluster says happened to it and, of a workload, to its Pods.
#[utoipa::path(
    get,
    path = "/api/v1/entity/events",
    params(EntityParams),
    responses(
        (status = OK, body = EntityEvents),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn events(
    State(state): State<AppState>,
    Only(params): Only<EntityParams>,
) -> Result<Json<EntityEvents>, Problem> {
    let named = Named::read(&params.entity)?;
    let Some(cluster) = cluster_of(&state, &named) else {
        return Ok(Json(EntityEvents { events: Vec::new(), is_watched: false }));
    };
    let directory = cluster.directory();
    let mut found: Vec<&Event> =
        abouts(&directory, &named).iter().flat_map(|about| directory.events_of(about)).collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.last_ms));
    found.truncate(EVENTS_MAX);
    let events = found.into_iter().map(event).collect();
    Ok(Json(EntityEvents { events, is_watched: true }))
}

/// The objects whose events are the entity's.
fn abouts(directory: &Directory, named: &Named) -> Vec<About> {
    let about = |kind: &str, name: &str| About {
        kind: kind.into(),
        namespace: named.namespace().into(),
        name: name.into(),
    };
    match named.kind {
        EntityKind::Pod => vec![about("Pod", &named.name)],
        EntityKind::Service => vec![about("Service", &named.name)],
        EntityKind::Host => vec![about("Node", &named.name)],
        EntityKind::Workload => {
            let mut abouts = Vec::new();
            for pod in directory.pods_of_workload(named.namespace(), &named.name) {
                abouts.push(about("Pod", &pod.meta.name));
                let owners = directory.owners_of(pod);
                abouts.extend(owners.into_iter().map(|owner| about(&owner.kind, &owner.name)));
            }
            abouts.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
            abouts.dedup();
            abouts
        }
        _ => Vec::new(),
    }
}

fn event(event: &Event) -> EntityEvent {
    EntityEvent {
        severity: event.severity.to_string(),
        reason: event.reason.to_string(),
        message: event.message.to_string(),
        source: event.source.as_deref().map(str::to_owned),
        about_kind: event.about.kind.to_string(),
        about_name: event.about.name.to_string(),
        count: event.count,
        first_ms: event.first_ms,
        last_ms: event.last_ms,
    }
}

/// An entity that is no Pod has no log.
pub fn no_log(named: &Named) -> Problem {
    let title = "Only Pods have logs";
    let detail = format!("{} is a {}", named.name, named.kind.as_str());
    Problem::new(StatusCode::BAD_REQUEST, "no-log", title, detail)
        .expected("an entity `pod:CLUSTER/NAMESPACE/NAME`")
}
