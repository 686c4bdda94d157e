//! Services: their objects, and the rules by which every node translates their addresses.
//!
//! Owns the text of the rules; they have the shape of kube-proxy's for nftables: a chain for each
//! Service's port, one for each backend, a mark for what must be masqueraded. Pure.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::objects::{Meta, Reference};

/// Mark of packets whose source becomes the node's address.
const MASQUERADE: &str = "0x4000";

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: &'static str,
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
    pub port: u16,
    /// Port of the backends.
    pub target: u16,
    /// Port of every node that leads there too.
    pub node_port: Option<u16>,
}

impl Port {
    pub fn tcp(port: u16, target: u16) -> Self {
        Self { name: "tcp", protocol: "TCP", port, target, node_port: None }
    }

    pub fn udp(port: u16, target: u16) -> Self {
        Self { name: "udp", protocol: "UDP", port, target, node_port: None }
    }

    pub fn at_nodes(self, port: u16) -> Self {
        Self { node_port: Some(port), ..self }
    }

    fn transport(&self) -> String {
        self.protocol.to_ascii_lowercase()
    }
}

/// A Pod behind a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub ip: Ipv4Addr,
    pub pod: Reference,
    pub node: String,
    pub zone: String,
}

/// A Service with who is behind it now.
#[derive(Clone, Debug)]
pub struct Service {
    pub meta: Meta,
    /// `None`: headless.
    pub ip: Option<Ipv4Addr>,
    pub ports: Vec<Port>,
    pub backends: Vec<Backend>,
    pub slice: Meta,
}

impl Service {
    pub fn json(&self) -> Value {
        let ports = self.ports.iter().map(|port| {
            let mut json = json!({"name": port.name, "protocol": port.protocol, "port": port.port,
                "targetPort": port.target});
            if let Some(node_port) = port.node_port {
                json["nodePort"] = json!(node_port);
            }
            json
        });
        let ip = self.ip.map_or_else(|| "None".to_owned(), |ip| ip.to_string());
        let is_at_nodes = self.ports.iter().any(|port| port.node_port.is_some());
        let kind = if is_at_nodes { "NodePort" } else { "ClusterIP" };
        json!({"metadata": self.meta.json(),
            "spec": {"type": kind, "clusterIP": ip, "clusterIPs": [ip],
                "ports": ports.collect::<Vec<_>>()}})
    }

    pub fn slice_json(&self) -> Value {
        let ports = self.ports.iter();
        let ports =
            ports.map(|p| json!({"name": p.name, "protocol": p.protocol, "port": p.target}));
        let endpoints = self.backends.iter().map(|backend| {
            let Backend { ip, pod, node, zone } = backend;
            json!({"addresses": [ip], "conditions": {"ready": true}, "nodeName": node,
                "zone": zone, "targetRef": {"kind": pod.kind, "namespace": self.meta.namespace,
                    "name": pod.name, "uid": pod.uid}})
        });
        json!({"metadata": self.slice.json(), "addressType": "IPv4",
            "ports": ports.collect::<Vec<_>>(), "endpoints": endpoints.collect::<Vec<_>>()})
    }

    fn chain(&self, port: &Port) -> String {
        let Meta { namespace, name, .. } = &self.meta;
        format!("{namespace}-{name}-{}-{}", port.transport(), port.port)
    }
}

/// Where Pods and nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks {
    /// Addresses of Pods, of all nodes.
    pub pods: (Ipv4Addr, u8),
    pub services: (Ipv4Addr, u8),
}

/// The whole table of a node, which takes the place of the one before.
pub fn rules<'a>(services: impl Iterator<Item = &'a Service>, networks: &Networks) -> String {
    let (pods, bits) = networks.pods;
    let mut chains = String::new();
    let (mut known, mut at_nodes, mut refused) = (String::new(), String::new(), String::new());
    for service in services {
        for port in &service.ports {
            let (chain, transport) = (service.chain(port), port.transport());
            let mut ways = Vec::new();
            if let Some(ip) = service.ip {
                let dialled = format!("ip daddr {ip} {transport} dport {}", port.port);
                // clients from outside of the cluster's Pods, nodes included
                let mark = format!("ip saddr != {pods}/{bits} meta mark set {MASQUERADE}");
                ways.push((&mut known, dialled, mark));
            }
            if let Some(node_port) = port.node_port {
                let dialled = format!("{transport} dport {node_port}");
                ways.push((&mut at_nodes, dialled, format!("meta mark set {MASQUERADE}")));
            }
            for (list, dialled, mark) in ways {
                if service.backends.is_empty() {
                    push(&mut refused, &format!("{dialled} reject"));
                    continue;
                }
                push(list, &format!("{dialled} {mark}"));
                push(list, &format!("{dialled} goto {chain}"));
            }
            if !service.backends.is_empty() {
                chains.push_str(&backends(service, port, &chain));
            }
        }
    }
    format!(
        "table ip kube-proxy\ndelete table ip kube-proxy\ntable ip kube-proxy {{\n{chains}\
         chain services {{\n{known}fib daddr type local jump nodes\n}}\n\
         chain nodes {{\nip daddr 127.0.0.0/8 return\n{at_nodes}}}\n\
         chain refused {{\n{refused}}}\n\
         chain prerouting {{ type nat hook prerouting priority -100;\njump services\n}}\n\
         chain output {{ type nat hook output priority -100;\njump services\n}}\n\
         chain forward {{ type filter hook forward priority 0;\nct state new jump refused\n}}\n\
         chain own {{ type filter hook output priority 0;\nct state new jump refused\n}}\n\
         chain postrouting {{ type nat hook postrouting priority 100;\n\
         meta mark {MASQUERADE} masquerade\n\
         ip saddr {pods}/{bits} ip daddr != {pods}/{bits} fib daddr type != local masquerade\n\
         }}\n}}\n"
    )
}

fn push(list: &mut String, rule: &str) {
    list.push_str(rule);
    list.push('\n');
}

/// The backends take turns; one that dials itself must not see its own address as the client's.
fn backends(service: &Service, port: &Port, chain: &str) -> String {
    let (mut chains, mut turns) = (String::new(), Vec::new());
    for (turn, Backend { ip, .. }) in service.backends.iter().enumerate() {
        let one = format!("{chain}-{turn}");
        let (transport, target) = (port.transport(), port.target);
        // writing to a String cannot fail
        let _ = write!(
            chains,
            "chain {one} {{\nip saddr {ip} meta mark set {MASQUERADE}\n\
             meta l4proto {transport} counter dnat to {ip}:{target}\n}}\n"
        );
        turns.push(format!("{turn} : goto {one}"));
    }
    let (count, turns) = (turns.len(), turns.join(", "));
    format!("{chains}chain {chain} {{\nnumgen inc mod {count} vmap {{ {turns} }}\n}}\n")
}
