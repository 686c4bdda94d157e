//! The API's answers as JSON, each with its OpenAPI schema.
//!
//! Owns the shapes that clients see and nothing else: they are filled by the handlers beside this
//! file, and the web UI's TypeScript types are generated from them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use weir_model::EntityKind;

/// A string schema that takes exactly these words.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// As [`words`], with a description: the derive macros drop that of what has its own schema.
pub fn described<'a>(doc: &str, words: impl IntoIterator<Item = &'a str>) -> Object {
    let builder = ObjectBuilder::new().schema_type(Type::String).description(Some(doc));
    builder.enum_values(Some(words)).build()
}

fn entity_kinds() -> Object {
    words(EntityKind::ALL.iter().map(|kind| kind.as_str()))
}

/// A measured number. Whole numbers are written without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure(pub f64);

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT_MAX {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Metrics by name. `null`: nothing was observed that gives a value, which is not 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(value_type = BTreeMap<String, Option<f64>>)]
pub struct Metrics(pub BTreeMap<String, Option<Measure>>);

/// One named end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entity {
    #[schema(schema_with = entity_kinds)]
    pub kind: &'static str,
    /// Unique together with `kind` and stable over time: `host/name` for a process, the name for a
    /// host, the domain or the address for an external destination.
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Kind of a workload: `Deployment`, `systemd`, `container`...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_kind: Option<String>,
}

impl From<weir_model::Entity> for Entity {
    fn from(entity: weir_model::Entity) -> Self {
        Self {
            kind: entity.kind.as_str(),
            id: entity.id,
            name: entity.name,
            cluster: entity.cluster,
            namespace: entity.namespace,
            host: entity.host,
            workload_kind: entity.workload_kind,
        }
    }
}

/// The time range that was answered: half open, a flow belongs to it when its window starts in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Window {
    /// Unix milliseconds.
    pub from_ms: i64,
    pub to_ms: i64,
    /// Length of the windows of the data that answered.
    pub resolution_s: i64,
}

/// Why an answer does not hold everything that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Incomplete {
    /// `lost` (we failed to record it), `dropped` (the kernel dropped a packet), `discarded` (we
    /// chose not to keep it), `sampled` (counted, with details that are estimated), `cut` (this
    /// answer was shortened), `corrupt` (a stored file could not be read) or `stale` (an agent is
    /// silent).
    #[schema(example = "cut")]
    pub kind: String,
    pub component: String,
    pub reason: String,
    pub count: u64,
    /// A sentence for a person.
    pub message: String,
}

impl From<weir_query::Incomplete> for Incomplete {
    fn from(from: weir_query::Incomplete) -> Self {
        let weir_query::Incomplete { kind, component, reason, count, message } = from;
        Self { kind, component, reason, count, message }
    }
}

/// Pairs of entities with their metrics. In a pair, sent means client to server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Summary {
    pub window: Window,
    /// The period before, present with `compare=previous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_window: Option<Window>,
    /// Pairs that matched, whatever `limit` and `offset`.
    pub total: u64,
    pub rows: Vec<Pair>,
    /// The metrics over everything that matched.
    pub totals: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_totals: Option<Metrics>,
    pub incomplete: Vec<Incomplete>,
}

/// One pair of entities.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pair {
    pub client: Entity,
    pub server: Entity,
    pub metrics: Metrics,
    /// The metrics of the same pair in the period before; absent where it did not talk then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Metrics>,
}

/// Metrics over time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Series {
    pub window: Window,
    pub step_s: f64,
    /// Start of each step, Unix milliseconds.
    pub times_ms: Vec<i64>,
    pub series: Vec<SeriesLine>,
    pub incomplete: Vec<Incomplete>,
}

/// One line of a series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesLine {
    /// Value of each field of `group_by` (entities as `kind:id`); `null` for the line of
    /// everything and for the rest.
    pub group: Option<BTreeMap<String, Option<String>>>,
    /// This line sums what is beyond the `limit` heaviest groups.
    pub is_rest: bool,
    /// For each metric one value per step; `null` where nothing was observed.
    #[schema(value_type = BTreeMap<String, Vec<Option<f64>>>)]
    pub metrics: BTreeMap<String, Vec<Option<Measure>>>,
}

/// Most frequent values of fields.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Facets {
    pub window: Window,
    /// In the order asked for.
    pub facets: Vec<Facet>,
    pub incomplete: Vec<Incomplete>,
}

/// Most frequent values of one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Facet {
    pub field: String,
    pub values: Vec<FacetValue>,
    /// Distinct values beyond `limit`.
    pub left: u64,
}

/// One value and the number of rows that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FacetValue {
    /// `null`: the rows that have no value.
    pub value: Option<String>,
    pub count: u64,
}

/// Flow rows, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Flows {
    pub window: Window,
    /// Flat objects whose keys are the columns of `GET /api/v1/schema`.
    #[schema(value_type = Vec<super::flow_row::FlowRow>)]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Pass as `cursor` to go on; `null` at the end.
    pub next_cursor: Option<String>,
    pub incomplete: Vec<Incomplete>,
}

/// Single requests, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Requests {
    pub window: Window,
    /// Flat objects whose keys are the columns of `l7_samples` in `GET /api/v1/schema`.
    #[schema(value_type = Vec<super::flow_row::RequestRow>)]
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Pass as `cursor` to go on; `null` at the end.
    pub next_cursor: Option<String>,
    pub incomplete: Vec<Incomplete>,
}

/// The other ends of one pair or one entity.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Connections {
    pub window: Window,
    pub rows: Vec<Connection>,
    /// Rows beyond the 100 that are returned at most.
    pub left: u64,
    /// The conversations of this answer in the filter language, for a link to their flows.
    pub filter: String,
    pub incomplete: Vec<Incomplete>,
}

/// Conversations with one remote address, or with one port of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Connection {
    #[schema(schema_with = directions)]
    pub direction: &'static str,
    pub ip: String,
    /// `null` with `by=ip`, and where client ports are folded.
    pub port: Option<u64>,
    /// `tcp` or `udp`; `null` with `by=ip`.
    pub transport: Option<String>,
    pub metrics: Metrics,
    /// This row's conversations in the filter language.
    pub filter: String,
}

fn directions() -> Object {
    let doc = "`outgoing`: the remote end is the server; `incoming`: it is the client";
    described(doc, ["outgoing", "incoming"])
}

/// The service map.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Map {
    pub window: Window,
    pub nodes: Vec<MapNode>,
    pub edges: Vec<MapEdge>,
    pub groups: Vec<MapGroup>,
    /// Traffic between groups, for drawing them closed; traffic inside a group is in its metrics.
    pub group_edges: Vec<MapEdge>,
    pub incomplete: Vec<Incomplete>,
}

/// One entity on the map.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MapNode {
    /// `kind:id`, what edges refer to.
    pub key: String,
    pub entity: Entity,
    /// From the node's own view: sent is what it sent, received what it received, over all its
    /// conversations, whichever end opened them.
    pub metrics: Metrics,
    /// Id of its group, `null` where it has none.
    pub group: Option<String>,
    /// The cloud that a host runs in: `aws`, `gcp`, `azure`, `alibaba`, `tencent`, `huawei`,
    /// `openstack` or another name that its cluster has for it; `null` where there is none.
    pub provider: Option<String>,
}

/// Traffic from a client to a server; sent means client to server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MapEdge {
    /// `key` of the client node (`id` of the client group).
    pub client: String,
    pub server: String,
    pub metrics: Metrics,
}

/// Nodes that are drawn together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MapGroup {
    pub id: String,
    pub name: String,
    #[schema(schema_with = group_kinds)]
    pub kind: &'static str,
    pub nodes: u64,
    pub metrics: Metrics,
}

fn group_kinds() -> Object {
    let kinds = weir_topology::GroupKind::ALL.iter().map(|kind| kind.as_str());
    described("what its nodes have in common", kinds)
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct IngestAnswer {
    #[schema(schema_with = ingest_results)]
    pub result: &'static str,
    pub agent: String,
    pub sequence: u64,
    pub rows: u64,
}

fn ingest_results() -> Object {
    let doc = "`stored`: durable from here on; `duplicate`: it was stored before and counts once; \
        `expired`: it is older than the retention and was not kept";
    described(doc, ["stored", "duplicate", "expired"])
}
