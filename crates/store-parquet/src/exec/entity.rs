//! The entity at one end of a row: its level's fall-backs, and the folding of external ends.

use std::cmp::Ordering;
use std::net::IpAddr;

use arrow_buffer::ScalarBuffer;
use hashbrown::HashMap;
use weir_model::{Entity, EntityKind, Level};
use weir_schema::Side;

use crate::exec::keys::{Interner, KeyPart};
use crate::segment::{ColumnData, Loaded, NULL_CODE, ScanError, View};

/// External destinations are kept apart by domain below this server port; above it the same host
/// name stands for many unrelated listeners.
const FOLD_PORT_MIN: u64 = 10_000;

/// One way to name an end: every column of `needs` must be there.
struct Step {
    kind: EntityKind,
    needs: &'static [&'static str],
    with: &'static [&'static str],
}

const PROCESS: Step = Step { kind: EntityKind::Process, needs: &["process", "host"], with: &[] };
const HOST: Step = Step { kind: EntityKind::Host, needs: &["host"], with: &[] };
const POD: Step = Step { kind: EntityKind::Pod, needs: &["pod"], with: &["namespace", "cluster"] };
const WORKLOAD: Step = Step {
    kind: EntityKind::Workload,
    needs: &["deployment"],
    with: &["namespace", "cluster", "workload_kind", "host"],
};
const SERVICE: Step =
    Step { kind: EntityKind::Service, needs: &["service"], with: &["namespace", "cluster"] };

fn steps(level: Level) -> &'static [Step] {
    match level {
        Level::Process => &[PROCESS, HOST],
        Level::Host => &[HOST],
        // A Service's address of which nobody knows who answered.
        Level::Pod => &[POD, HOST, SERVICE],
        Level::Deployment => &[WORKLOAD, HOST, SERVICE],
        Level::Service => &[SERVICE, WORKLOAD, HOST],
    }
}

/// Most columns that a step reads.
const STEP_COLUMNS_MAX: usize = 5;
/// What an entity of a segment is made from: end, way to name it, codes.
type MemoKey = [u32; STEP_COLUMNS_MAX + 2];

const BY_DOMAIN: u32 = 100;
const BY_IP: u32 = 101;
const INTERNET: u32 = 102;
const PRIVATE: u32 = 103;

/// Which entity a grouping reads.
#[derive(Clone, Copy, Debug)]
pub struct EntityOf {
    pub side: Side,
    pub level: Level,
    pub fold_external: bool,
}

/// The columns of one end.
struct End {
    prefix: &'static str,
    steps: Vec<Vec<TextColumn>>,
    domain: TextColumn,
    ip: TextColumn,
    /// Of each distinct address, whether it is private; only where ends are folded.
    is_private: Vec<bool>,
}

impl End {
    fn of(view: &View, prefix: &'static str, entity: EntityOf) -> Result<Self, ScanError> {
        let column = |name: &str| view.named(&format!("{prefix}_{name}")).map(TextColumn::new);
        let mut columns = Vec::new();
        for step in steps(entity.level) {
            let names = step.needs.iter().chain(step.with);
            columns.push(names.map(|name| column(name)).collect::<Result<Vec<_>, _>>()?);
        }
        let ip = column("ip")?;
        let is_private = match ip.column.as_deref() {
            Some(ColumnData::Codes { values, .. }) if entity.fold_external => {
                values.iter().map(|ip| ip.is_some_and(is_private)).collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { prefix, steps: columns, domain: column("domain")?, ip, is_private })
    }
}

/// A text column with its codes at hand.
struct TextColumn {
    codes: Option<ScalarBuffer<u32>>,
    column: Loaded,
}

impl TextColumn {
    fn new(column: Loaded) -> Self {
        let codes = match column.as_deref() {
            Some(ColumnData::Codes { codes, .. }) => Some(codes.clone()),
            _ => None,
        };
        Self { codes, column }
    }

    fn code(&self, row: usize) -> u32 {
        self.codes.as_ref().map_or(NULL_CODE, |codes| codes[row])
    }

    fn text(&self, row: usize) -> Option<String> {
        self.column.as_deref().and_then(|column| column.text(row)).map(str::to_owned)
    }
}

/// Gives the entity ids of one segment's rows.
pub struct EntityIds {
    entity: EntityOf,
    /// Local and remote; one of them where the side is fixed.
    ends: [Option<End>; 2],
    ports: [Loaded; 2],
    memo: HashMap<MemoKey, u32>,
    last: Option<(MemoKey, u32)>,
}

const LOCAL: usize = 0;
const REMOTE: usize = 1;

impl EntityIds {
    pub fn of(view: &View, entity: EntityOf) -> Result<Self, ScanError> {
        let end = |prefix, unless| {
            if entity.side == unless { Ok(None) } else { End::of(view, prefix, entity).map(Some) }
        };
        Ok(Self {
            entity,
            ends: [end("local", Side::Remote)?, end("remote", Side::Local)?],
            ports: [view.named("local_port")?, view.named("remote_port")?],
            memo: HashMap::new(),
            last: None,
        })
    }

    /// The id of a row's entity.
    pub fn id(&mut self, row: usize, is_incoming: bool, interner: &mut Interner) -> u32 {
        let place = match self.entity.side {
            Side::Local => LOCAL,
            Side::Remote => REMOTE,
            Side::Client => usize::from(is_incoming),
            _ => usize::from(!is_incoming),
        };
        let Some(end) = &self.ends[place] else { return Interner::BEYOND };
        let server_port = || {
            let port = &self.ports[usize::from(!is_incoming)];
            port.as_deref().and_then(|port| port.number(row))
        };
        let key = memo_key(end, place, row, self.entity, server_port);
        if let Some((last, id)) = &self.last
            && *last == key
        {
            return *id;
        }
        let build = || interner.id(KeyPart::Entity(build(end, row, &key, self.entity.level)));
        let id = *self.memo.entry(key).or_insert_with(build);
        self.last = Some((key, id));
        id
    }
}

fn memo_key(
    end: &End,
    place: usize,
    row: usize,
    entity: EntityOf,
    server_port: impl Fn() -> Option<u64>,
) -> MemoKey {
    let mut key = [0; STEP_COLUMNS_MAX + 2];
    key[0] = place as u32;
    for (number, (step, columns)) in steps(entity.level).iter().zip(&end.steps).enumerate() {
        if columns[..step.needs.len()].iter().any(|column| column.code(row) == NULL_CODE) {
            continue;
        }
        key[1] = number as u32;
        for (slot, column) in key[2..].iter_mut().zip(columns) {
            *slot = column.code(row);
        }
        return key;
    }
    let (domain, ip) = (end.domain.code(row), end.ip.code(row));
    let keeps_domain =
        !entity.fold_external || server_port().is_some_and(|port| port < FOLD_PORT_MIN);
    if domain != NULL_CODE && keeps_domain {
        key[1] = BY_DOMAIN;
        key[2] = domain;
    } else if entity.fold_external {
        let is_private = end.is_private.get(ip as usize).copied().unwrap_or(false);
        key[1] = if is_private { PRIVATE } else { INTERNET };
    } else {
        key[1] = BY_IP;
        key[2] = ip;
    }
    key
}

fn build(end: &End, row: usize, key: &MemoKey, level: Level) -> Entity {
    match key[1] {
        BY_DOMAIN => named(EntityKind::External, end.domain.text(row).unwrap_or_default()),
        BY_IP => named(EntityKind::External, end.ip.text(row).unwrap_or_default()),
        INTERNET => named(EntityKind::ExternalGroup, "internet".to_owned()),
        PRIVATE => named(EntityKind::ExternalGroup, "private".to_owned()),
        number => {
            let step = &steps(level)[number as usize];
            let names: Vec<&str> = step.needs.iter().chain(step.with).copied().collect();
            let value = |name: &str| {
                let place = names.iter().position(|known| *known == name)?;
                end.steps[number as usize][place].text(row)
            };
            known(step.kind, value, end.prefix)
        }
    }
}

fn named(kind: EntityKind, name: String) -> Entity {
    Entity {
        kind,
        id: name.clone(),
        name,
        cluster: None,
        namespace: None,
        host: None,
        workload_kind: None,
    }
}

/// An entity that is observed. Ids: `host/process`, `host`, and of what Kubernetes names
/// `cluster/namespace/name` as far as they are known; a workload outside Kubernetes is `host/name`.
fn known(kind: EntityKind, value: impl Fn(&str) -> Option<String>, prefix: &'static str) -> Entity {
    let of = |name: &str| value(name).unwrap_or_default();
    let (name, host) = match kind {
        EntityKind::Process => (of("process"), value("host")),
        EntityKind::Host => (of("host"), None),
        EntityKind::Pod => (of("pod"), None),
        EntityKind::Workload if value("namespace").is_none() => (of("deployment"), value("host")),
        EntityKind::Workload => (of("deployment"), None),
        EntityKind::Service => (of("service"), None),
        EntityKind::External | EntityKind::ExternalGroup => (prefix.to_owned(), None),
    };
    let (cluster, namespace) = (value("cluster"), value("namespace"));
    let parts = [cluster.as_deref(), namespace.as_deref(), host.as_deref(), Some(&name)];
    let id = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
    Entity { kind, id, name, cluster, namespace, host, workload_kind: value("workload_kind") }
}

/// Whether an address is not of the public internet: RFC 1918, RFC 6598 (CGNAT), RFC 3927 and
/// RFC 4291 link-local, RFC 4193 unique local, loopback, multicast, broadcast, unspecified.
pub fn is_private(text: &str) -> bool {
    match text.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_unspecified()
                || (a == 100 && b & 0xc0 == 64)
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
                || ip.is_unspecified()
        }
        Err(_) => false,
    }
}

/// How entities are ordered: by name, then by what tells equal names apart.
pub fn compare(a: &Entity, b: &Entity) -> Ordering {
    a.name.cmp(&b.name).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_classes() {
        let private = [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.53",
            "224.0.0.251",
            "255.255.255.255",
            "::1",
            "fd12::1",
            "fe80::1",
            "ff02::fb",
        ];
        for ip in private {
            assert!(is_private(ip), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2001:db8::1", "x"] {
            assert!(!is_private(ip), "{ip}");
        }
    }
}
