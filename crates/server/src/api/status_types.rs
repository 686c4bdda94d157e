//! Shapes of `GET /status` and `GET /schema`.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use weir_model::{Layer, Level};
use weir_schema::Table;

use super::types::{Incomplete, words};

/// State of the server, its agents and its store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    pub version: &'static str,
    pub now_ms: i64,
    pub started_ms: i64,
    /// Levels that the stored data can be grouped by.
    pub levels: Vec<&'static str>,
    pub agents: Vec<Agent>,
    /// Tokens that let agents send.
    pub agent_tokens: Vec<AgentTokenState>,
    /// Clusters whose API servers are watched for names.
    pub clusters: Vec<ClusterState>,
    /// What was lost, dropped, discarded or sampled in the last 15 minutes.
    pub losses: Vec<Incomplete>,
    pub store: StoreState,
}

/// One agent as the server knows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Agent {
    pub agent: String,
    /// `null` where it has sent nothing since this server started.
    pub host: Option<String>,
    pub version: Option<String>,
    /// Whether its program is `same`, `older` or `newer` than this server's; with one number, by
    /// the version of its columns.
    #[schema(schema_with = version_orders)]
    pub version_is: Option<&'static str>,
    /// Cluster that its host is a node of.
    pub cluster: Option<String>,
    /// As the cluster's node says, else its cloud.
    pub zone: Option<String>,
    pub region: Option<String>,
    /// Cloud that its host is in, and the kind of machine that it is there.
    pub provider: Option<String>,
    pub instance_type: Option<String>,
    /// Id of the token that its last batch came with; `null` where that was the operator's, or none.
    pub token: Option<String>,
    /// When a batch of it arrived last; after a restart of the server the end of its last stored
    /// window, until it sends again.
    pub last_seen_ms: i64,
    /// End of its last window, as it is stored.
    pub last_window_ms: Option<i64>,
    /// Sequence number of its last batch.
    pub sequence: Option<u64>,
    /// How far its clock is ahead of the server's, milliseconds: the middle of its last sends.
    /// `null` where it does not say, as an agent in the same program has the same clock.
    pub clock_ahead_ms: Option<i64>,
    /// What its times are put right by; `null` where they are taken as they are.
    pub clock_corrected_ms: Option<i64>,
    /// Nothing came for so long that its data are missing.
    pub is_stale: bool,
    /// Since this server started.
    pub rows: u64,
    pub losses: Vec<Incomplete>,
    /// When it reported something `lost` last; `null`: never since this server started.
    pub last_lost_ms: Option<i64>,
}

/// A token that lets agents send and nothing else.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentTokenState {
    pub id: String,
    /// Cluster that whatever comes with it belongs to.
    pub cluster: Option<String>,
    pub note: Option<String>,
    #[schema(schema_with = standings)]
    pub standing: &'static str,
    /// `null` for one in a file of the operator's.
    pub created_ms: Option<i64>,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
    /// Agents whose last batch came with it.
    pub agents: u64,
}

fn version_orders() -> Object {
    words(["same", "older", "newer"])
}

fn standings() -> Object {
    words(["good", "expired", "revoked"])
}

/// What is known of one cluster.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClusterState {
    pub name: String,
    pub kinds: Vec<ClusterKind>,
}

/// How one kind of a cluster's objects is watched.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClusterKind {
    /// Resource as in RBAC rules: `pods`, `services`...
    pub resource: &'static str,
    /// Objects that exist, and that are gone and still known for flows that come late.
    pub objects: u64,
    pub gone: u64,
    /// Objects that found no room: their flows stay without these names.
    pub refused: u64,
    /// When the list was complete for the first time; `null` until then.
    pub listed_ms: Option<i64>,
    /// What is wrong now; what is known is not renewed since `problem_since_ms`.
    pub problem: Option<String>,
    pub problem_since_ms: Option<i64>,
    pub lists: u64,
    pub changes: u64,
    /// Objects that could not be read.
    pub unreadable: u64,
    pub failures: u64,
}

/// State of the store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreState {
    /// `parquet` or `clickhouse`.
    pub kind: &'static str,
    pub rows: u64,
    pub bytes: u64,
    pub files: u64,
    /// Rows that are durable in the journal and not yet in a file.
    pub journal_rows: u64,
    /// Earliest and latest time of a row that is stored.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
    /// The longest of the tables'.
    pub retention_s: u64,
    /// Files that were found unreadable and set aside.
    pub corrupt_files: u64,
    pub tables: Vec<TableState>,
}

/// What is stored of one table.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TableState {
    #[schema(schema_with = tables)]
    pub table: &'static str,
    #[schema(schema_with = layers)]
    pub layer: &'static str,
    /// In files and in the journal.
    pub rows: u64,
    /// Of its files.
    pub bytes: u64,
    pub files: u64,
    pub journal_rows: u64,
    /// Earliest and latest time of a row.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
    pub retention_s: u64,
}

impl From<weir_store::TableStatus> for TableState {
    fn from(status: weir_store::TableStatus) -> Self {
        Self {
            table: status.table.name(),
            layer: status.table.layer().as_str(),
            rows: status.rows,
            bytes: status.bytes,
            files: status.files,
            journal_rows: status.journal_rows,
            oldest_ms: status.oldest_ms,
            newest_ms: status.newest_ms,
            retention_s: status.retention_s,
        }
    }
}

fn tables() -> Object {
    words(Table::ALL.iter().map(|table| table.name()))
}

impl From<weir_store::StoreStatus> for StoreState {
    fn from(status: weir_store::StoreStatus) -> Self {
        Self {
            kind: status.kind,
            rows: status.rows,
            bytes: status.bytes,
            files: status.files,
            journal_rows: status.journal_rows,
            oldest_ms: status.oldest_ms,
            newest_ms: status.newest_ms,
            retention_s: status.retention_s,
            corrupt_files: status.corrupt_files,
            tables: status.tables.into_iter().map(TableState::from).collect(),
        }
    }
}

/// The schema: what is stored, what a filter may name, which metrics there are, which links.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemaAnswer {
    pub format_version: u32,
    pub tables: Vec<TableSchema>,
    pub metrics: Vec<MetricSchema>,
    #[schema(schema_with = level_list)]
    pub levels: Vec<&'static str>,
    /// Links to logs and traces elsewhere that the operator set.
    pub links: Vec<LinkTemplate>,
}

/// A link with placeholders `{kind} {name} {namespace} {cluster} {host} {pod} {trace_id} {from_ms}
/// {to_ms}`, each to be replaced by its percent-encoded value; of use where all have one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkTemplate {
    pub name: String,
    #[schema(example = "https://logs.example/?q={namespace}/{pod}&from={from_ms}")]
    pub url: String,
}

/// One table.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TableSchema {
    pub name: &'static str,
    pub columns: Vec<ColumnSchema>,
    pub fields: Vec<FieldSchema>,
}

/// One stored column.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ColumnSchema {
    pub name: &'static str,
    /// `u16`, `u32`, `u64`, `timestamp_ms`, `text`, `ip` or `sketch`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub ty: weir_schema::ColumnType,
    /// `none`, `bytes`, `packets`, `count`, `microseconds`, `milliseconds`, `ratio` (0 to 1) or
    /// `per_second`.
    #[schema(value_type = String)]
    pub unit: weir_schema::Unit,
    /// How rows merge: `key`, `sum`, `min`, `max`, `last` or `sketch`.
    #[schema(value_type = String)]
    pub merge: weir_schema::Merge,
    pub nullable: bool,
    pub filterable: bool,
    pub since: u32,
    pub doc: &'static str,
}

/// One field of the filter language.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldSchema {
    pub name: String,
    /// `text`, `ip` or `number`.
    #[schema(value_type = String)]
    pub kind: weir_schema::FieldKind,
    /// `flow`, `local`, `remote`, `client`, `server` or `either`.
    #[schema(value_type = String)]
    pub side: weir_schema::Side,
    pub column: &'static str,
    /// Identity: it can be grouped by and has facets.
    pub is_key: bool,
    pub doc: String,
}

/// One metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricSchema {
    pub name: &'static str,
    #[schema(schema_with = layers)]
    pub layer: &'static str,
    #[schema(value_type = String)]
    pub unit: weir_schema::Unit,
    /// The metric that this one is when the conversation is read from its other end.
    pub mirror: Option<&'static str>,
    pub label: &'static str,
    pub doc: &'static str,
}

fn layers() -> Object {
    words(Layer::ALL.iter().map(|layer| layer.as_str()))
}

fn level_list() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::ArrayBuilder::new()
        .items(words(Level::ALL.iter().map(|level| level.as_str())))
        .build()
}
