//! The conversations of one entity, in the filter language.
//!
//! A level falls back from what is finest to what is known (process, host, domain, address), so an
//! entity's clauses also say which finer names its rows lack.

use weir_model::{EntityKind, Level};
use weir_query::{Expr, parse_filter};
use weir_schema::Table;

use crate::problem::Problem;

/// Addresses that are not of the public internet; the store folds external ends by the same list.
const PRIVATE: [&str; 14] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "224.0.0.0/4",
    "255.255.255.255",
    "0.0.0.0",
    "::1",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
    "::",
];
/// External destinations keep their domain below this server port when they are folded.
const FOLD_PORT_MIN: u32 = 10_000;

/// The end of a conversation that the entity is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

impl End {
    fn field(self, name: &str) -> String {
        match self {
            End::Client => format!("client_{name}"),
            End::Server => format!("server_{name}"),
        }
    }
}

/// A value between quotes: nothing in it is a wildcard.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Filter text of the conversations that have the entity at that end.
pub fn text(end: End, level: Level, kind: EntityKind, id: &str) -> String {
    let is = |name: &str, value: &str| format!("{}:{}", end.field(name), quoted(value));
    let lacks = |name: &str| format!("-{}:*", end.field(name));
    let mut clauses: Vec<String> = Vec::new();
    match kind {
        EntityKind::Process => {
            let (host, name) = id.split_once('/').unwrap_or(("", id));
            clauses.extend([is("host", host), is("process", name)]);
        }
        EntityKind::Host => {
            clauses.push(is("host", id));
            clauses.extend(finer(level).iter().map(|name| lacks(name)));
        }
        EntityKind::Pod => clauses.extend(placed(end, "pod", id)),
        EntityKind::Workload => {
            clauses.extend(placed(end, "deployment", id));
            if level == Level::Service {
                clauses.push(lacks("service"));
            }
        }
        EntityKind::Service => {
            clauses.extend(placed(end, "service", id));
            if has_services(level) {
                clauses.extend(finer(level).iter().chain(&["host"]).map(|name| lacks(name)));
            }
        }
        EntityKind::External => {
            if id.parse::<std::net::IpAddr>().is_ok() {
                clauses.extend([is("ip", id), lacks("domain")]);
            } else {
                clauses.push(is("domain", id));
            }
            clauses.extend(unobserved(level).map(lacks));
        }
        EntityKind::ExternalGroup => {
            let sign = if id == "private" { "" } else { "-" };
            let private = PRIVATE.map(quoted).join(" OR ");
            clauses.push(format!("{sign}{}:({private})", end.field("ip")));
            let domain = end.field("domain");
            clauses.push(format!("-({domain}:* server_port:<{FOLD_PORT_MIN})"));
            clauses.extend(unobserved(level).map(lacks));
        }
    }
    clauses.join(" ")
}

/// What a host stands for at the level because it is not known.
fn finer(level: Level) -> &'static [&'static str] {
    match level {
        Level::Process => &["process"],
        Level::Host => &[],
        Level::Pod => &["pod"],
        Level::Deployment => &["deployment"],
        Level::Service => &["service", "deployment"],
    }
}

/// What an external end has none of. A process is known only where its host is.
fn unobserved(level: Level) -> impl Iterator<Item = &'static str> {
    let names = if level == Level::Process { &[] } else { finer(level) };
    let service = has_services(level).then_some("service");
    names.iter().copied().chain(["host"]).chain(service)
}

/// Whether an end is its Service there where nobody knows who answered for it.
fn has_services(level: Level) -> bool {
    matches!(level, Level::Pod | Level::Deployment)
}

/// `cluster/namespace/name`, `namespace/name`, or `host/name` of what is outside Kubernetes.
fn placed(end: End, name_field: &str, id: &str) -> Vec<String> {
    let is = |name: &str, value: &str| format!("{}:{}", end.field(name), quoted(value));
    let parts: Vec<&str> = id.rsplitn(3, '/').collect();
    match parts.as_slice() {
        [name, place, cluster] => {
            vec![is(name_field, name), is("namespace", place), is("cluster", cluster)]
        }
        [name, place] => vec![
            is(name_field, name),
            format!("({} OR {})", is("namespace", place), is("host", place)),
        ],
        _ => vec![is(name_field, id)],
    }
}

/// Reads text that this module composed.
pub fn parse(table: Table, text: &str) -> Result<Expr, Problem> {
    parse_filter(table, text)
        .map_err(|error| Problem::internal(format!("own filter `{text}`: {error}")))
}

/// Two filters at once, for a link.
pub fn both(given: Option<&str>, own: &str) -> String {
    match given.map(str::trim).filter(|text| !text.is_empty()) {
        Some(given) if own.is_empty() => given.to_owned(),
        Some(given) => format!("({given}) ({own})"),
        None => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entity_has_a_filter_that_parses() {
        let ids = [
            (EntityKind::Process, "web/kworker/0:1"),
            (EntityKind::Process, "web/a \"quoted\" \\ name*"),
            (EntityKind::Host, "web"),
            (EntityKind::Pod, "prod/shop/cart-1"),
            (EntityKind::Workload, "shop/cart"),
            (EntityKind::Service, "cart"),
            (EntityKind::External, "example.com"),
            (EntityKind::External, "2001:db8::1"),
            (EntityKind::ExternalGroup, "internet"),
            (EntityKind::ExternalGroup, "private"),
        ];
        for (kind, id) in ids {
            for level in Level::ALL {
                for end in [End::Client, End::Server] {
                    let text = text(end, *level, kind, id);
                    for table in Table::ALL {
                        let parsed = parse(table, &text);
                        assert!(parsed.is_ok(), "{text}: {:?}", parsed.err());
                    }
                }
            }
        }
    }

    #[test]
    fn fall_backs_exclude_finer_names() {
        let host = |level| text(End::Client, level, EntityKind::Host, "web");
        assert_eq!(host(Level::Host), "client_host:\"web\"");
        assert_eq!(host(Level::Process), "client_host:\"web\" -client_process:*");
        assert_eq!(
            text(End::Server, Level::Process, EntityKind::External, "example.com"),
            "server_domain:\"example.com\" -server_host:*"
        );
        assert_eq!(
            text(End::Server, Level::Process, EntityKind::Process, "web/kworker/0:1"),
            "server_host:\"web\" server_process:\"kworker/0:1\""
        );
        let service = |level| text(End::Server, level, EntityKind::Service, "dns");
        assert_eq!(service(Level::Service), "server_service:\"dns\"");
        assert_eq!(service(Level::Pod), "server_service:\"dns\" -server_pod:* -server_host:*");
    }
}
