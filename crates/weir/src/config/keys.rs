//! Every configuration key, one row each; flags, variables, file keys, docs and checks are made
//! from this table.

/// What a key's value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Path,
    /// `address:port`; port 0 takes a free one.
    Address,
    Bool,
    /// `10s`, `48h`...: between the two bounds, in milliseconds.
    Duration {
        min_ms: i64,
        max_ms: i64,
    },
    /// `256MiB`, `1GB`, or plain bytes: between the two bounds.
    Bytes {
        min: u64,
        max: u64,
    },
    Integer {
        min: u64,
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Which commands take the key as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    pub agent: bool,
    pub server: bool,
}

const AGENT: Roles = Roles { agent: true, server: false };
const SERVER: Roles = Roles { agent: false, server: true };
const BOTH: Roles = Roles { agent: true, server: true };

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.name` in the file; the variable is `WEIR_SECTION_NAME`.
    pub name: &'static str,
    /// `--flag`.
    pub flag: &'static str,
    pub kind: Kind,
    /// `None`: not set unless somebody sets it.
    pub default: Option<&'static str>,
    pub roles: Roles,
    pub doc: &'static str,
}

impl Key {
    /// Name of the environment variable.
    pub fn variable(&self) -> String {
        format!("WEIR_{}", self.name.replace('.', "_").to_uppercase())
    }
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

const fn key(
    name: &'static str,
    flag: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    roles: Roles,
    doc: &'static str,
) -> Key {
    Key { name, flag, kind, default, roles, doc }
}

pub const KEYS: &[Key] = &[
    key(
        "data.dir",
        "data-dir",
        Kind::Path,
        None,
        BOTH,
        "folder of everything that is kept: store, spool, agent id, token hash \
         (/var/lib/weir for root, ~/.local/share/weir for others)",
    ),
    key(
        "server.listen",
        "listen",
        Kind::Address,
        Some("127.0.0.1:9347"),
        SERVER,
        "address and port of UI, API and ingest; any address but loopback demands a token",
    ),
    key(
        "server.token_file",
        "server-token-file",
        Kind::Path,
        None,
        SERVER,
        "file that holds the token to demand, on loopback too; without it one is made where one is \
         needed, and kept as a hash in the data folder",
    ),
    key(
        "server.agent_token_files",
        "agent-token-files",
        Kind::Text,
        None,
        SERVER,
        "files of tokens with which agents can send and nothing else, as CLUSTER=PATH, several with \
         commas between them; what comes with such a token belongs to its cluster. They are read \
         again when they change, and add to those that `weir token create` makes",
    ),
    key(
        "server.ingest_bytes_max",
        "ingest-bytes-max",
        Kind::Bytes { min: MIB, max: GIB },
        Some("32MiB"),
        SERVER,
        "largest batch that is accepted",
    ),
    key(
        "kubernetes.watch",
        "kubernetes-watch",
        Kind::Choice(&["auto", "on", "off"]),
        Some("auto"),
        SERVER,
        "watch the API server of a Kubernetes cluster for the names of Pods, workloads, Services and \
         nodes; auto: where `kubernetes.url` is set or the server runs in a Pod",
    ),
    key(
        "kubernetes.cluster",
        "kubernetes-cluster",
        Kind::Text,
        Some("kubernetes"),
        SERVER,
        "name of that cluster in every row",
    ),
    key(
        "kubernetes.url",
        "kubernetes-url",
        Kind::Text,
        None,
        SERVER,
        "API server, https://HOST:PORT (default: what the Pod is told)",
    ),
    key(
        "kubernetes.ca_file",
        "kubernetes-ca-file",
        Kind::Path,
        None,
        SERVER,
        "certificates that the API server's must be signed by, PEM (default: the service account's)",
    ),
    key(
        "kubernetes.token_file",
        "kubernetes-token-file",
        Kind::Path,
        None,
        SERVER,
        "file of the token for the API server, read again for each request (default: the service \
         account's)",
    ),
    key(
        "ui.links",
        "links",
        Kind::Text,
        None,
        SERVER,
        "links to logs and traces elsewhere, as NAME=URL, several with spaces between them; \
         underscores in NAME stand for spaces. {kind} {name} {namespace} {cluster} {host} {pod} \
         {trace_id} {from_ms} {to_ms} in URL are filled in; a link shows where all of its have values",
    ),
    key(
        "store.retention",
        "retention",
        Kind::Duration { min_ms: HOUR_MS, max_ms: 10 * 365 * 24 * HOUR_MS },
        Some("48h"),
        SERVER,
        "how long flows are kept; whole hours are dropped when they are older",
    ),
    key(
        "store.memory_bytes_max",
        "store-memory-max",
        Kind::Bytes { min: 16 * MIB, max: 256 * GIB },
        Some("256MiB"),
        SERVER,
        "memory for recent rows and decoded files; what exceeds it is read again from disk",
    ),
    key(
        "agent.server",
        "server",
        Kind::Text,
        None,
        AGENT,
        "address of the server, http://HOST:PORT; needed by `weir agent`",
    ),
    key(
        "agent.token_file",
        "token-file",
        Kind::Path,
        None,
        AGENT,
        "file that holds the token which the server asks for, the operator's or one that \
         `weir token create` made; read again for each batch",
    ),
    key(
        "agent.host",
        "host",
        Kind::Text,
        None,
        AGENT,
        "name of this host in every row (default: the kernel's host name)",
    ),
    key(
        "agent.cluster",
        "agent-cluster",
        Kind::Text,
        None,
        AGENT,
        "Kubernetes cluster that this host is a node of; only needed where the server watches \
         several clusters whose nodes it cannot tell apart",
    ),
    key(
        "agent.cgroup",
        "cgroup",
        Kind::Text,
        None,
        AGENT,
        "observe only sockets of this control group and of those below it, by its path as seen from \
         the mount of cgroup v2: for nodes that are containers, such as kind's, of which each has an \
         agent; without it the whole machine is observed",
    ),
    key(
        "agent.cloud",
        "cloud",
        Kind::Choice(&["auto", "off"]),
        Some("auto"),
        AGENT,
        "ask the metadata service of the cloud that the host's firmware names for instance, type, \
         zone and region, at start and once a day; nothing is asked where it names none",
    ),
    key(
        "agent.window",
        "window",
        Kind::Duration { min_ms: SECOND_MS, max_ms: 300 * SECOND_MS },
        Some("10s"),
        AGENT,
        "length of a window; windows are aligned to the clock",
    ),
    key(
        "agent.loopback",
        "loopback",
        Kind::Bool,
        Some("true"),
        AGENT,
        "observe connections over loopback too",
    ),
    key(
        "agent.udp",
        "udp",
        Kind::Bool,
        Some("true"),
        AGENT,
        "observe UDP, without which there is no DNS either",
    ),
    key(
        "agent.dns",
        "dns",
        Kind::Bool,
        Some("true"),
        AGENT,
        "read DNS messages, for lookups and the names of remote addresses",
    ),
    key(
        "agent.nat",
        "nat",
        Kind::Bool,
        Some("true"),
        AGENT,
        "listen to connection tracking, for who answers where an address is translated (NAT): the Pod \
         behind a Service's address, the client behind a masquerade; costs each new tracked \
         connection some microseconds",
    ),
    key(
        "agent.l7",
        "l7",
        Kind::Bool,
        Some("true"),
        AGENT,
        "read the heads of HTTP requests and answers, for requests, errors and response times; costs \
         each send and receive call some tens of nanoseconds",
    ),
    key(
        "agent.l7_tls",
        "l7-tls",
        Kind::Bool,
        Some("true"),
        AGENT,
        "with `agent.l7`, read what programs give to OpenSSL, BoringSSL, GnuTLS and Go's crypto/tls, \
         too; costs each call of these some microseconds. The agent keeps CAP_SYS_PTRACE and \
         CAP_DAC_READ_SEARCH then, to look into programs that begin later, and before Linux 6.6 \
         CAP_SYS_ADMIN, to hook them",
    ),
    key(
        "agent.l7_exclude_ports",
        "l7-exclude-ports",
        Kind::Text,
        None,
        AGENT,
        "ports whose payload is never looked at, such as 5432,6379",
    ),
    key(
        "agent.l7_exclude_processes",
        "l7-exclude-processes",
        Kind::Text,
        None,
        AGENT,
        "command names whose payload is never looked at, such as vault,sshd",
    ),
    key(
        "agent.l7_exclude_containers",
        "l7-exclude-containers",
        Kind::Text,
        None,
        AGENT,
        "containers whose payload is never looked at: names (of LXC and Incus; of others where \
         `agent.container_sockets` tells them, of a Pod's container its own) or ids, at least the \
         first 12 digits; a connection is not read either when it cannot be known which container \
         it is of",
    ),
    key(
        "agent.l7_headers",
        "l7-headers",
        Kind::Text,
        Some("traceparent"),
        AGENT,
        "headers of requests that are read, at most 8 and 256 bytes of each; nothing of others is \
         kept. Those beside traceparent stand in `headers` of single requests. cookie, \
         authorization and their like are refused",
    ),
    key(
        "agent.container_sockets",
        "container-sockets",
        Kind::Text,
        Some(
            "/var/run/docker.sock,/run/podman/podman.sock,/run/containerd/containerd.sock,\
             /run/k3s/containerd/containerd.sock,/var/run/crio/crio.sock",
        ),
        AGENT,
        "sockets of container runtimes, asked what their containers are called: over Docker's API \
         (Docker, Podman) or that for Kubernetes (CRI: containerd, CRI-O), whichever they speak; \
         off: none",
    ),
    key(
        "agent.cpu_max",
        "cpu-max",
        Kind::Integer { min: 1, max: 100_000 },
        Some("50"),
        AGENT,
        "CPU that the agent's threads should need, in per cent of one core, and with them its \
         programs in the kernel while kernel.bpf_stats_enabled is 1; past it requests are sampled",
    ),
    key(
        "agent.fold_client_port",
        "fold-client-port",
        Kind::Bool,
        Some("true"),
        AGENT,
        "one flow per client address instead of one per client port",
    ),
    key(
        "agent.flows_max",
        "flows-max",
        Kind::Integer { min: 1_000, max: 10_000_000 },
        Some("200000"),
        AGENT,
        "most flows in one window; what exceeds it is counted as lost",
    ),
    key(
        "agent.spool_bytes_max",
        "spool-max",
        Kind::Bytes { min: MIB, max: 1024 * GIB },
        Some("256MiB"),
        AGENT,
        "disk for batches while the server is away; the oldest are dropped first, and counted",
    ),
    key(
        "log.level",
        "log-level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Some("info"),
        BOTH,
        "least severity that is logged to standard error",
    ),
    key(
        "log.format",
        "log-format",
        Kind::Choice(&["text", "json"]),
        Some("text"),
        BOTH,
        "text for people, json for machines",
    ),
];
