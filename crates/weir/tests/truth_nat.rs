//! T8 and the translated part of T12: DNAT to one of several backends, hairpin, masquerade, ports
//! of a node. What was dialled and who answered are both right, from both ends, and the merged view
//! has each connection once, in IPv4 and in IPv6. Witnesses are the sockets' own counts and the counters of nftables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use serde_json::Value;
use weir_testkit::traffic::Tally;
use weir_testkit::{Actors, Host, Lab, Need, Rows, Server, WeirProcess, missing, run};

const NEEDS: [Need; 4] = [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("nft")];
/// A Service's address in either family: nobody has it, the node translates it.
const SERVICE_IPV4: Ipv4Addr = Ipv4Addr::new(10, 96, 57, 1);
const SERVICE_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd96, 0x57, 0, 0, 0, 0, 0, 1);
const SERVICE_PORT: u16 = 80;
const NODE_PORT: u16 = 30_080;
const UPLOAD: u64 = 3_000;
const DOWNLOAD: u64 = 5_000;
const HEADER: u64 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

use Family::{Ipv4, Ipv6};

/// Three Pods whose only way is through their node, as kube-proxy and a bridge have it.
struct Cluster {
    family: Family,
    lab: Lab,
    actors: Actors,
}

impl Cluster {
    const NODE: usize = 0;
    const CLIENT: usize = 1;
    const BACKENDS: [usize; 2] = [2, 3];

    fn new(family: Family) -> Result<Self> {
        let cluster = Self { family, lab: Lab::new(4)?, actors: Actors::new()? };
        let node = cluster.node();
        node.sysctl("net.ipv4.ip_forward", "1")?;
        node.sysctl("net.ipv4.conf.all.send_redirects", "0")?;
        node.sysctl("net.ipv4.conf.eth0.send_redirects", "0")?;
        node.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        for index in 1..4 {
            // a way past the node would be past its translations
            cluster.lab.host(index).sysctl("net.ipv6.conf.eth0.accept_redirects", "0")?;
            cluster.route(index, cluster.service(), Self::NODE)?;
            for other in (1..4).filter(|other| *other != index) {
                cluster.route(index, cluster.address(other), Self::NODE)?;
            }
        }
        Ok(cluster)
    }

    fn route(&self, from: usize, to: IpAddr, via: usize) -> Result<()> {
        let (to, via) = (to.to_string(), self.address(via).to_string());
        self.lab.host(from).output("ip", &["route", "add", &to, "via", &via])?;
        Ok(())
    }

    fn node(&self) -> &Host {
        self.lab.host(Self::NODE)
    }

    fn address(&self, index: usize) -> IpAddr {
        let host = self.lab.host(index);
        match self.family {
            Ipv4 => host.ipv4.into(),
            Ipv6 => host.ipv6.into(),
        }
    }

    fn service(&self) -> IpAddr {
        match self.family {
            Ipv4 => SERVICE_IPV4.into(),
            Ipv6 => SERVICE_IPV6.into(),
        }
    }

    /// The family as nft calls it.
    fn table(&self) -> &'static str {
        match self.family {
            Ipv4 => "ip",
            Ipv6 => "ip6",
        }
    }

    fn dialled(&self) -> SocketAddr {
        SocketAddr::from((self.service(), SERVICE_PORT))
    }

    /// Rules of the node: `service` is how the Service's address and the node's port are
    /// translated, `masquerade` whose packets get the node's address. Every new connection that is
    /// translated is counted by the rules.
    fn translate(&self, backends: &[SocketAddr], masquerade: &str) -> Result<()> {
        let (node, ip) = (self.node(), self.table());
        let choice: Vec<String> = backends
            .iter()
            .enumerate()
            .map(|(place, to)| format!("{place} : {} . {}", to.ip(), to.port()))
            .collect();
        let count = backends.len();
        let dnat =
            format!("counter dnat {ip} to numgen inc mod {count} map {{ {} }}", choice.join(", "));
        let (service, here) = (self.service(), self.address(Self::NODE));
        let service = format!("{ip} daddr {service} tcp dport {SERVICE_PORT}");
        let port = format!("{ip} daddr {here} tcp dport {NODE_PORT}");
        let rules = format!(
            "table {ip} t8 {{\n\
             chain services {{\n{service} {dnat}\n{port} {dnat}\n}}\n\
             chain before {{ type nat hook prerouting priority -100;\njump services\n}}\n\
             chain local {{ type nat hook output priority -100;\njump services\n}}\n\
             chain after {{ type nat hook postrouting priority 100;\n{masquerade}\n}}\n}}\n"
        );
        node.run(|| {
            let file = tempfile_with(&rules)?;
            run("nft", &["-f", &file.path().to_string_lossy()])
        })??;
        Ok(())
    }

    /// New connections that the rules have translated.
    fn translated(&self) -> Result<u64> {
        let words = ["-j", "list", "chain", self.table(), "t8", "services"];
        let text = self.node().output("nft", &words)?;
        let listed: Value = serde_json::from_str(&text)?;
        let mut sum = 0;
        for rule in listed["nftables"].as_array().context("rules are listed")? {
            let parts = rule["rule"]["expr"].as_array().into_iter().flatten();
            sum += parts.filter_map(|part| part["counter"]["packets"].as_u64()).sum::<u64>();
        }
        Ok(sum)
    }

    fn backend(&self, index: usize, connections: u64) -> Result<Server> {
        let (host, listen) = (self.lab.host(index), SocketAddr::from((self.address(index), 0)));
        let words = format!("tcp-serve --connections {connections} --listen {listen}");
        self.actors.serve(host, &format!("nat-server-{index}"), &words)
    }

    fn dial(&self, from: usize, to: SocketAddr, connections: u64) -> Result<Tally> {
        let words = format!(
            "tcp-send --connections {connections} --upload {UPLOAD} --download {DOWNLOAD} --to {to}"
        );
        self.actors.send(self.lab.host(from), "nat-client", &words)
    }
}

fn in_each_family(check: impl Fn(&Cluster) -> Result<()>) -> Result<()> {
    [Ipv4, Ipv6].into_iter().try_for_each(|family| check(&Cluster::new(family)?))
}

fn tempfile_with(text: &str) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    Ok(file)
}

/// What the rows of one backend must say, from both ends.
struct Expected {
    client: IpAddr,
    dialled: SocketAddr,
    backend: SocketAddr,
    connections: u64,
}

fn assert_rows(rows: &Rows, expected: &Expected) {
    let Expected { client, dialled, backend, connections } = expected;
    let (client, server) = (client.to_string(), backend.ip().to_string());
    for (direction, local, remote, sent, received) in [
        ("outgoing", &client, &server, UPLOAD + HEADER, DOWNLOAD),
        ("incoming", &server, &client, DOWNLOAD, UPLOAD + HEADER),
    ] {
        let port = if direction == "outgoing" { "remote_port" } else { "local_port" };
        let found = rows
            .with("direction", direction)
            .with("local_ip", local)
            .with("remote_ip", remote)
            .with_number(port, backend.port().into())
            .with("dialled_ip", &dialled.ip().to_string())
            .with_number("dialled_port", dialled.port().into());
        let what = format!("{direction} {local} {remote}: {found:?} of {rows:?}");
        assert_eq!(found.sum("connections"), *connections, "{what}");
        assert_eq!(found.sum("closures"), *connections, "{what}");
        assert_eq!(found.sum("bytes_sent"), connections * sent, "{what}");
        assert_eq!(found.sum("bytes_received"), connections * received, "{what}");
        let other = if direction == "outgoing" { "nat-server" } else { "nat-client" };
        let names = found.values("remote_process");
        assert!(names.keys().all(|name| name.starts_with(other)), "{names:?} {what}");
    }
}

/// Connections, and bytes from clients, that a perspective has.
fn seen(weir: &WeirProcess, filter: &str, perspective: &str) -> Result<(u64, u64)> {
    let totals = &weir.summary(filter, perspective)?["totals"];
    let sum = |metric: &str| totals[metric].as_u64().unwrap_or(0);
    Ok((sum("connections"), sum("bytes_sent")))
}

fn assert_counted_once(weir: &WeirProcess, ports: &[u16], connections: u64) -> Result<()> {
    let ports: Vec<String> = ports.iter().map(|port| format!("server_port:{port}")).collect();
    let filter = format!("({})", ports.join(" OR "));
    let once = (connections, connections * (UPLOAD + HEADER));
    for perspective in ["merged", "client", "server"] {
        assert_eq!(seen(weir, &filter, perspective)?, once, "{perspective} of {filter}");
    }
    Ok(())
}

/// Dials `dialled` from `from`, and compares what both backends and the rules counted with what is
/// told.
fn check(cluster: &Cluster, from: usize, dialled: SocketAddr, masquerade: &str) -> Result<()> {
    const EACH: u64 = 5;
    let servers = Cluster::BACKENDS.map(|index| cluster.backend(index, EACH));
    let [one, two] = servers;
    let servers = [one?, two?];
    let backends = [servers[0].address, servers[1].address];
    cluster.translate(&backends, masquerade)?;
    let weir = WeirProcess::start(&[])?;
    let sent = cluster.dial(from, dialled, 2 * EACH)?;
    assert_eq!(sent.connections, 2 * EACH);
    assert_eq!(cluster.translated()?, 2 * EACH, "as nftables counted");
    for server in servers {
        assert_eq!(server.finish()?.connections, EACH, "as the servers counted");
    }
    weir.settle()?;
    let ports = backends.map(|backend| backend.port());
    let rows = weir.flows(&format!("transport:tcp (port:{} OR port:{})", ports[0], ports[1]))?;
    for backend in backends {
        let client = cluster.address(from);
        assert_rows(&rows, &Expected { client, dialled, backend, connections: EACH });
    }
    assert_counted_once(&weir, &ports, 2 * EACH)
}

#[test]
fn t8_a_service_is_answered_by_its_backends() -> Result<()> {
    if missing("T8 service", &NEEDS) {
        return Ok(());
    }
    in_each_family(|cluster| check(cluster, Cluster::CLIENT, cluster.dialled(), ""))
}

#[test]
fn t8_a_masquerade_hides_no_client() -> Result<()> {
    if missing("T8 masquerade", &NEEDS) {
        return Ok(());
    }
    in_each_family(|cluster| check(cluster, Cluster::CLIENT, cluster.dialled(), "masquerade"))
}

#[test]
fn t8_a_port_of_the_node_leads_to_the_backends() -> Result<()> {
    if missing("T8 nodePort", &NEEDS) {
        return Ok(());
    }
    in_each_family(|cluster| {
        let dialled = SocketAddr::from((cluster.address(Cluster::NODE), NODE_PORT));
        check(cluster, Cluster::CLIENT, dialled, "masquerade")
    })
}

#[test]
fn t8_a_process_of_the_node_itself_dials_a_service() -> Result<()> {
    if missing("T8 host network", &NEEDS) {
        return Ok(());
    }
    in_each_family(|cluster| {
        // an address that is routed somewhere, so that the socket can choose its own
        cluster.route(Cluster::NODE, cluster.service(), Cluster::CLIENT)?;
        check(cluster, Cluster::NODE, cluster.dialled(), "")
    })
}

#[test]
fn t8_a_pod_reaches_itself_through_its_service() -> Result<()> {
    if missing("T8 hairpin", &NEEDS) {
        return Ok(());
    }
    in_each_family(|cluster| {
        let index = Cluster::BACKENDS[0];
        let (pod, ip) = (cluster.address(index), cluster.table());
        let server = cluster.backend(index, 4)?;
        let backend = server.address;
        cluster.translate(&[backend], &format!("{ip} saddr {pod} {ip} daddr {pod} masquerade"))?;
        let weir = WeirProcess::start(&[])?;
        let dialled = cluster.dialled();
        cluster.dial(index, dialled, 4)?;
        assert_eq!(cluster.translated()?, 4);
        assert_eq!(server.finish()?.connections, 4);
        weir.settle()?;
        let rows = weir.flows(&format!("transport:tcp port:{}", backend.port()))?;
        assert_rows(&rows, &Expected { client: pod, dialled, backend, connections: 4 });
        assert_counted_once(&weir, &[backend.port()], 4)
    })
}

#[test]
fn t8_a_connection_older_than_the_agent_is_told_by_its_real_ends() -> Result<()> {
    if missing("T8 adopted", &NEEDS) {
        return Ok(());
    }
    in_each_family(check_adopted)
}

/// A connection that is there when the agent starts.
fn check_adopted(cluster: &Cluster) -> Result<()> {
    let index = Cluster::BACKENDS[0];
    let server = cluster.backend(index, 1)?;
    let backend = server.address;
    cluster.translate(&[backend], "masquerade")?;
    let host = cluster.lab.host(Cluster::CLIENT);
    let mut talker = cluster.actors.converse(host, "nat-client", cluster.dialled())?;
    let weir = WeirProcess::start(&[])?;
    let exchange =
        weir_testkit::traffic::Exchange { upload_bytes: UPLOAD, download_bytes: DOWNLOAD };
    talker.exchange(exchange)?;
    talker.finish()?;
    server.finish()?;
    weir.settle()?;
    let rows = weir.flows(&format!("transport:tcp port:{}", backend.port()))?;
    let told = rows.with("dialled_ip", &cluster.service().to_string());
    let sent = |direction: &str| told.with("direction", direction).sum("bytes_sent");
    assert_eq!((sent("outgoing"), sent("incoming")), (UPLOAD + HEADER, DOWNLOAD), "{rows:?}");
    let clients = told.with("direction", "incoming").values("remote_ip");
    let client = cluster.address(Cluster::CLIENT).to_string();
    assert_eq!(clients.into_keys().collect::<Vec<_>>(), [client]);
    Ok(())
}

#[test]
fn t8_without_nat_connections_are_told_as_their_sockets_see_them() -> Result<()> {
    if missing("T8 off", &NEEDS) {
        return Ok(());
    }
    let cluster = Cluster::new(Ipv4)?;
    let server = cluster.backend(Cluster::BACKENDS[0], 2)?;
    cluster.translate(&[server.address], "masquerade")?;
    let weir = WeirProcess::start(&["--nat", "false"])?;
    cluster.dial(Cluster::CLIENT, cluster.dialled(), 2)?;
    let port = server.port();
    server.finish()?;
    weir.settle()?;
    let dialled = weir.flows(&format!("transport:tcp server_ip:{SERVICE_IPV4}"))?;
    assert_eq!(dialled.sum("connections"), 2, "{dialled:?}");
    let served = weir.flows(&format!("transport:tcp local_port:{port}"))?;
    let clients = served.values("remote_ip").into_keys().collect::<Vec<_>>();
    assert_eq!(clients, [cluster.node().ipv4.to_string()], "{served:?}");
    Ok(())
}
