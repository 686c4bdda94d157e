//! A cluster with Weir in it: an agent on each of some nodes, and a server that watches the API.
//!
//! The server runs outside of the cluster, open on the machine's loopback; agents reach it through
//! tunnels.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Cluster;
use super::node::Node;
use super::spot::Spot;
use super::tunnel::Tunnel;
use crate::actors::Actors;
use crate::child::{Running, workspace_program};
use crate::namespace::Place;
use crate::wait_for;
use crate::weir::WeirProcess;

/// Loading and attaching programs may take this long on a busy machine, once for each agent.
const START: Duration = Duration::from_secs(60);
/// A window, its journal entry and some of a busy machine's leisure.
const SETTLE: Duration = Duration::from_secs(60);

/// Weir at work in a cluster; dropped, it stops.
pub struct Observed {
    // Dropped in this order: agents before what they send to.
    agents: Vec<Agent>,
    pub weir: WeirProcess,
    actors: Actors,
}

struct Agent {
    running: Running,
    node: String,
    /// Where what marks a moment runs.
    marks: Spot,
    _tunnel: Tunnel,
    _data: TempDir,
}

impl Observed {
    /// Starts a server, which listens at `listen`, and agents on `nodes`; returns once all were
    /// heard of.
    pub fn start(cluster: &Cluster, nodes: &[usize], listen: &str) -> Result<Self> {
        let weir = serve(cluster, listen)?;
        let server = weir.base().trim_start_matches("http://").parse::<SocketAddr>()?;
        let agents = nodes.iter().map(|node| Agent::start(cluster.node(*node), server));
        let agents = agents.collect::<Result<Vec<_>>>()?;
        let observed = Self { agents, weir, actors: Actors::new()? };
        for agent in &observed.agents {
            observed.wait_heard(agent)?;
        }
        Ok(observed)
    }

    fn wait_heard(&self, agent: &Agent) -> Result<()> {
        wait_for("an agent to be heard of", Instant::now() + START, || {
            let status = self.weir.api("/status")?;
            let mut agents = status["agents"].as_array().into_iter().flatten();
            Ok(agents.any(|known| known["host"] == agent.node.as_str()).then_some(()))
        })
        .with_context(|| format!("the agent of {} said: {}", agent.node, agent.running.stderr()))
    }

    /// Returns once everything that happened before this call can be asked for: a connection
    /// within each node was seen closed at both ends.
    pub fn settle(&self) -> Result<()> {
        for agent in &self.agents {
            let port = agent.mark(&self.actors)?;
            let filter = format!("transport:tcp (local_port:{port} OR remote_port:{port})");
            wait_for("the mark to be seen closed at both ends", Instant::now() + SETTLE, || {
                let rows = self.weir.flows(&filter)?.with("local_host", &agent.node);
                Ok((rows.sum("closures") >= 2).then_some(()))
            })
            .with_context(|| {
                let said = (agent.running.stderr(), self.weir.stderr());
                format!("on {}: the agent said: {}; the server: {}", agent.node, said.0, said.1)
            })?;
        }
        Ok(())
    }

    /// What the agents wrote to standard error.
    pub fn said(&self) -> String {
        self.agents.iter().map(|agent| agent.running.stderr()).collect()
    }
}

fn serve(cluster: &Cluster, listen: &str) -> Result<WeirProcess> {
    let api = cluster.api();
    let (ca_file, token_file) = (api.ca_file(), api.token_file());
    let (ca_file, token_file) = (ca_file.to_string_lossy(), token_file.to_string_lossy());
    let args = [
        ("--listen", listen),
        ("--kubernetes-url", &api.url()),
        ("--kubernetes-ca-file", &ca_file),
        ("--kubernetes-token-file", &token_file),
        ("--kubernetes-cluster", "lab"),
    ];
    WeirProcess::serve(&args.iter().flat_map(|(flag, value)| [*flag, *value]).collect::<Vec<_>>())
}

impl Agent {
    fn start(node: &Node, server: SocketAddr) -> Result<Self> {
        let tunnel = Tunnel::open(&node.network, server)?;
        let data = crate::scratch_dir()?;
        let mut command = Command::new(workspace_program("weir", "weir", "WEIR_BIN")?);
        command.args(["agent", "--window", "1s", "--host", node.name()]);
        command.args(["--server", &format!("http://{}", tunnel.address)]);
        command.args(["--cgroup", &node.group.path()?]).arg("--data-dir").arg(data.path());
        let running = node.service("weir-agent")?.start(&mut command)?;
        let (node, marks) = (node.name().to_owned(), node.service("weir-mark")?);
        Ok(Self { running, node, marks, _tunnel: tunnel, _data: data })
    }

    /// Makes a connection within the node; gives the server's port.
    fn mark(&self, actors: &Actors) -> Result<u16> {
        let server = actors.serve(&self.marks, "mark", "tcp-serve --listen 127.0.0.1:0")?;
        let words = format!("tcp-send --upload 1 --download 1 --to {}", server.address);
        actors.send(&self.marks, "mark", &words)?;
        let port = server.port();
        server.finish()?;
        Ok(port)
    }
}
