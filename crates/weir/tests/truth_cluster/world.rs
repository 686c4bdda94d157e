//! Two nodes in two zones, each with an agent, and what is asked of them.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use weir_testkit::cluster::{Cluster, NodePlan, Observed, Pod, PodPlan, Port, Workload};
use weir_testkit::traffic::Tally;
use weir_testkit::{Actors, Need, Place, Rows, Server};

pub const NEEDS: [Need; 5] =
    [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("nft"), Need::Program("unshare")];

/// Every server listens there, whatever was dialled.
pub const TARGET: u16 = 8080;
/// Of each connection, payload.
pub const UPLOAD: u64 = 3_000;
pub const DOWNLOAD: u64 = 5_000;
pub const HEADER: u64 = 16;

pub const NODE_A: usize = 0;
pub const NODE_B: usize = 1;
const ZONES: [&str; 2] = ["zone-1", "zone-2"];

pub struct World {
    // Dropped in this order.
    pub observed: Observed,
    pub actors: Actors,
    pub cluster: Cluster,
}

impl World {
    pub fn new() -> Result<Self> {
        Self::observing(&[NODE_A, NODE_B])
    }

    /// With agents on these nodes only.
    pub fn observing(nodes: &[usize]) -> Result<Self> {
        let plans = [
            NodePlan::new("node-a", ZONES[0], "lab-1"),
            NodePlan::new("node-b", ZONES[1], "lab-1"),
        ];
        let cluster = Cluster::new(&plans)?;
        let observed = Observed::start(&cluster, nodes, "127.0.0.1:0")?;
        Ok(Self { observed, actors: Actors::new()?, cluster })
    }

    /// A Pod of a Deployment of its own.
    pub fn pod(&mut self, name: &str, node: usize) -> Result<Pod> {
        let workload = self.cluster.deployment("shop", name)?;
        self.pod_of(&workload, node)
    }

    pub fn pod_of(&mut self, workload: &Workload, node: usize) -> Result<Pod> {
        self.cluster.run(&PodPlan::of(workload)?, node)
    }

    /// A Pod that shares its node's network.
    pub fn host_pod(&mut self, name: &str, node: usize) -> Result<Pod> {
        let workload = self.cluster.direct("DaemonSet", "kube-system", name)?;
        self.cluster.run(&PodPlan::of(&workload)?.with_host_network(), node)
    }

    /// A Service of port 80 with these Pods behind it.
    pub fn service(&mut self, name: &str, backends: &[&Pod]) -> Result<SocketAddr> {
        let ip = self.cluster.service("shop", name, &[Port::tcp(80, TARGET)])?;
        self.cluster.set_backends("shop", name, backends)?;
        Ok(SocketAddr::from((ip, 80)))
    }

    pub fn serve(&self, pod: &dyn Place, connections: u64) -> Result<Server> {
        let words = format!("tcp-serve --connections {connections} --listen 0.0.0.0:{TARGET}");
        self.actors.serve(pod, "shop-server", &words)
    }

    pub fn dial(&self, from: &dyn Place, to: SocketAddr, connections: u64) -> Result<Tally> {
        self.send(from, to, connections, 0)
    }

    /// With so much rest between connections that it takes the better part of a second.
    pub fn dial_slowly(&self, from: &dyn Place, to: SocketAddr, times: u64) -> Result<Tally> {
        self.send(from, to, times, 150)
    }

    fn send(
        &self,
        from: &dyn Place,
        to: SocketAddr,
        connections: u64,
        rest_ms: u64,
    ) -> Result<Tally> {
        let words = format!(
            "tcp-send --connections {connections} --upload {UPLOAD} --download {DOWNLOAD} \
             --rest {rest_ms} --to {to}"
        );
        let sent = self.actors.send(from, "shop-client", &words)?;
        ensure!(sent.connections == connections, "{sent:?}");
        Ok(sent)
    }

    /// All rows of conversations with the Pods' servers, from both ends, once all are in.
    pub fn rows(&self) -> Result<Rows> {
        self.observed.settle()?;
        self.observed.weir.flows(&format!("transport:tcp server_port:{TARGET}"))
    }

    /// Connections and bytes to the server, by perspective.
    pub fn seen(&self, filter: &str, perspective: &str) -> Result<(u64, u64)> {
        let totals = &self.observed.weir.summary(filter, perspective)?["totals"];
        let sum = |metric: &str| totals[metric].as_u64().unwrap_or(0);
        Ok((sum("connections"), sum("bytes_sent")))
    }

    /// Fails unless these perspectives have so many connections of the kind, and all their bytes.
    pub fn assert_seen(&self, filter: &str, expected: &[(&str, u64)]) -> Result<()> {
        for (perspective, connections) in expected {
            let counted = (*connections, connections * (UPLOAD + HEADER));
            let rows = || self.observed.weir.flows(filter).map(|rows| format!("{rows:?}"));
            let seen = self.seen(filter, perspective)?;
            ensure!(
                seen == counted,
                "{perspective} of {filter}: {seen:?} is not {counted:?} of {}",
                rows()?
            );
        }
        Ok(())
    }
}

/// An end of a conversation as it must be told.
#[derive(Clone)]
pub struct End<'a> {
    pub ip: Ipv4Addr,
    pub pod: &'a str,
    pub host: &'a str,
    pub zone: &'a str,
}

impl<'a> End<'a> {
    pub fn of(pod: &'a Pod) -> Self {
        let zone = if pod.node == "node-a" { ZONES[0] } else { ZONES[1] };
        Self { ip: pod.ip, pod: pod.name(), host: &pod.node, zone }
    }

    /// The Pod's node: all that is seen from elsewhere of a client that shares its address.
    pub fn node_of(pod: &'a Pod) -> Self {
        Self { pod: "", ..Self::of(pod) }
    }
}

/// What must be told of connections of one client to one server, at each observed end.
pub struct Expected<'a> {
    pub client: End<'a>,
    pub server: End<'a>,
    /// `None`: the server itself was dialled.
    pub dialled: Option<SocketAddr>,
    /// Name of the Service; empty where it is none.
    pub service: &'a str,
    pub connections: u64,
}

impl Expected<'_> {
    /// Of all rows those of what was dialled and of the addresses of both ends.
    pub fn among(&self, rows: &Rows) -> Rows {
        let dialled = self.dialled.map(|end| end.ip().to_string()).unwrap_or_default();
        let rows = rows.with("dialled_ip", &dialled);
        let rows = rows.with("client_ip", &self.client.ip.to_string());
        rows.with("server_ip", &self.server.ip.to_string())
    }

    /// Fails unless the rows of both ends say so.
    pub fn assert_both(&self, rows: &Rows) -> Result<()> {
        self.assert_at(rows, "outgoing")?;
        self.assert_at(rows, "incoming")
    }

    /// Fails unless the rows of the client's end (`outgoing`) or the server's say so.
    pub fn assert_at(&self, rows: &Rows, direction: &str) -> Result<()> {
        let Self { client, server, dialled, service, connections } = self;
        let (sent, received) = (UPLOAD + HEADER, DOWNLOAD);
        let (local, remote, sent, received) = match direction {
            "outgoing" => (client, server, sent, received),
            _ => (server, client, received, sent),
        };
        let port = if direction == "outgoing" { "remote_port" } else { "local_port" };
        let dialled_ip = dialled.map(|end| end.ip().to_string()).unwrap_or_default();
        let mut found = rows.with("direction", direction).with_number(port, TARGET.into());
        for (column, expected) in [
            ("local_ip", &*local.ip.to_string()),
            ("remote_ip", &*remote.ip.to_string()),
            ("local_pod", local.pod),
            ("remote_pod", remote.pod),
            ("local_host", local.host),
            ("remote_host", remote.host),
            ("local_zone", local.zone),
            ("remote_zone", remote.zone),
            ("dialled_ip", &*dialled_ip),
            (if direction == "outgoing" { "remote_service" } else { "local_service" }, service),
        ] {
            let before = found.clone();
            found = found.with(column, expected);
            ensure!(
                found.sum("connections") == *connections,
                "{direction}: {connections} connections with {column}={expected} are not in \
                 {before:?}\nall: {rows:?}"
            );
        }
        if let Some(dialled) = dialled {
            let ports = found.with_number("dialled_port", dialled.port().into());
            ensure!(ports.sum("connections") == *connections, "dialled_port: {found:?}");
        }
        let counted = (found.sum("bytes_sent"), found.sum("bytes_received"));
        ensure!(counted == (connections * sent, connections * received), "{counted:?}: {found:?}");
        ensure!(found.sum("closures") == *connections, "closures: {found:?}");
        Ok(())
    }
}

/// Waits for a server's end; it must have had so many connections.
pub fn finish(server: Server, connections: u64) -> Result<()> {
    let counted = server.finish().context("a server's own count")?;
    ensure!(counted.connections == connections, "{counted:?} is not {connections} connections");
    Ok(())
}
