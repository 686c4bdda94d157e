//! What an operator can set about the server, and every limit it keeps.

use std::net::SocketAddr;
use std::time::Duration;

use crate::auth::{AgentTokenSources, TokenHash};
use crate::clusters::ClusterOptions;
use crate::links::Link;

/// Who may use the API and the UI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Everyone who can reach the loopback address. Refused for any other address.
    LoopbackOpen,
    /// Whoever knows the token: agents and scripts send it as a bearer token, the UI trades it for
    /// a session cookie. Agents may have tokens of their own, with which they can send only.
    Token(TokenHash),
}

/// Settings of the server. [`Options::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    pub auth: AuthMode,
    /// Tokens that let agents send and nothing else.
    pub agent_tokens: AgentTokenSources,
    /// Length of a window, the finest step of a series.
    pub window: Duration,
    /// Clusters whose API servers are watched.
    pub clusters: Vec<ClusterOptions>,
    /// Links that the UI offers to logs and traces elsewhere.
    pub links: Vec<Link>,
    pub limits: Limits,
}

impl Options {
    pub fn new(listen: SocketAddr, auth: AuthMode) -> Self {
        let (window, limits) = (Duration::from_secs(10), Limits::default());
        let agent_tokens = AgentTokenSources::default();
        let (clusters, links) = (Vec::new(), Vec::new());
        Self { listen, auth, agent_tokens, window, clusters, links, limits }
    }
}

/// Everything that is bounded, and what happens at the bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; more wait in the system's accept queue.
    pub connections_max: usize,
    /// Longest time for the head of a request to arrive, and for a connection to lie idle.
    pub head_time_max: Duration,
    /// Questions that run at once; more wait.
    pub questions_max: usize,
    /// Longest wait for a question's turn; then 503 with Retry-After.
    pub question_wait_max: Duration,
    /// Logs of Pods that are looked at at once; more are told 503.
    pub logs_max: usize,
    /// Batches that are decoded and stored at once; more wait.
    pub ingests_max: usize,
    /// Bytes of batches that are being read, wait or are stored; more are told 429.
    pub ingest_bytes_max: usize,
    /// One batch.
    pub batch: weir_wire::Limits,
    /// Longest time from a batch request's first byte to its last.
    pub body_time_max: Duration,
    /// Agents remembered; the longest silent one is forgotten for a new one.
    pub agents_max: usize,
    /// Silence after which an agent's data count as missing.
    pub agent_silence_max: Duration,
    /// Addresses, and listening ports, remembered of agents; new ones are not resolved when full.
    pub addresses_max: usize,
    pub services_max: usize,
    /// Sessions of the UI; the one that ends first goes for a new one.
    pub sessions_max: usize,
    /// Life of a session.
    pub session_age_max: Duration,
    /// Rows of one answer.
    pub rows_max: usize,
    /// Nodes and edges of one map.
    pub map_nodes_max: usize,
    pub map_edges_max: usize,
    /// Longest wait for open requests when the server stops.
    pub stop_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            head_time_max: Duration::from_secs(30),
            questions_max: 4,
            question_wait_max: Duration::from_secs(10),
            logs_max: 64,
            ingests_max: 2,
            ingest_bytes_max: 128 << 20,
            batch: weir_wire::Limits::default(),
            body_time_max: Duration::from_secs(60),
            agents_max: 10_000,
            agent_silence_max: Duration::from_secs(60),
            addresses_max: 200_000,
            services_max: 200_000,
            sessions_max: 1_000,
            session_age_max: Duration::from_secs(7 * 86_400),
            rows_max: weir_query::MAX_GROUPS,
            map_nodes_max: 5_000,
            map_edges_max: 20_000,
            stop_wait_max: Duration::from_secs(10),
        }
    }
}
