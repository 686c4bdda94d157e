//! T12: conversations of which agents observe both ends, one, or none: the merged view has each
//! once, each perspective what its end saw.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};
use weir_testkit::missing;
use weir_testkit::traffic;

use crate::world::{End, Expected, NEEDS, NODE_A, NODE_B, TARGET, World, finish};

const EACH: u64 = 4;

#[test]
fn t12_cluster_both_ends_count_once() -> Result<()> {
    if missing("T12 cluster both", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let clients = [world.pod("client", NODE_A)?, world.host_pod("proxy", NODE_A)?];
    let servers = [world.pod("server", NODE_B)?, world.host_pod("gate", NODE_B)?];
    // a server on its node's network is known by its Service
    world.service("server", &[&servers[0]])?;
    world.service("gate", &[&servers[1]])?;
    for server in &servers {
        let serving = world.serve(server, 2 * EACH)?;
        for client in &clients {
            world.dial(client, SocketAddr::from((server.ip, TARGET)), EACH)?;
        }
        finish(serving, 2 * EACH)?;
    }
    let rows = world.rows()?;
    for from in &clients {
        for (to, service) in servers.iter().zip(["server", "gate"]) {
            let (client, server) = (End::of(from), End::of(to));
            let expected = Expected { client, server, dialled: None, service, connections: EACH };
            expected.assert_at(&expected.among(&rows), "outgoing")?;
        }
    }
    // Seen from another node, a Pod with its node's address is the node; and so is every Pod that
    // dials a node, because what leaves the Pods' network is masqueraded.
    let node = || End::node_of(&clients[1]);
    for (client, to, service, connections) in [
        (End::of(&clients[0]), &servers[0], "server", EACH),
        (node(), &servers[0], "server", EACH),
        (node(), &servers[1], "gate", 2 * EACH),
    ] {
        let server = End::of(to);
        let expected = Expected { client, server, dialled: None, service, connections };
        expected.assert_at(&expected.among(&rows), "incoming")?;
    }
    let all = 4 * EACH;
    let filter = format!("transport:tcp server_port:{TARGET}");
    world.assert_seen(&filter, &[("merged", all), ("client", all), ("server", all)])
}

#[test]
fn t12_cluster_one_end_or_none() -> Result<()> {
    if missing("T12 cluster one", &NEEDS) {
        return Ok(());
    }
    let mut world = World::observing(&[NODE_A])?;
    let seen = world.pod("seen", NODE_A)?;
    let unseen = [world.pod("unseen-1", NODE_B)?, world.pod("unseen-2", NODE_B)?];
    let service = world.service("unseen", &[&unseen[0]])?;
    let servers = (world.serve(&seen, EACH)?, world.serve(&unseen[0], 3 * EACH)?);
    world.dial(&seen, service, EACH)?;
    world.dial(&seen, SocketAddr::from((unseen[0].ip, TARGET)), EACH)?;
    world.dial(&unseen[1], SocketAddr::from((seen.ip, TARGET)), EACH)?;
    world.dial(&unseen[1], SocketAddr::from((unseen[0].ip, TARGET)), EACH)?;
    finish(servers.0, EACH)?;
    finish(servers.1, 3 * EACH)?;
    let rows = world.rows()?;
    let ends = || (End::of(&seen), End::of(&unseen[0]));
    let (client, server) = ends();
    // the cluster names what nobody observes
    let out =
        Expected { client, server, dialled: Some(service), service: "unseen", connections: EACH };
    out.assert_at(&out.among(&rows), "outgoing")?;
    let (client, server) = ends();
    let direct = Expected { client, server, dialled: None, service: "unseen", connections: EACH };
    direct.assert_at(&direct.among(&rows), "outgoing")?;
    let (client, server) = (End::of(&unseen[1]), End::of(&seen));
    let back = Expected { client, server, dialled: None, service: "", connections: EACH };
    back.assert_at(&back.among(&rows), "incoming")?;

    let pair = |client: &str, server: &str| {
        format!("transport:tcp client_pod:{client} server_pod:{server} server_port:{TARGET}")
    };
    let (seen, [one, two]) = (seen.name(), [unseen[0].name(), unseen[1].name()]);
    for (filter, merged, client, server) in [
        (pair(seen, one), 2 * EACH, 2 * EACH, 0),
        (pair(two, seen), EACH, 0, EACH),
        (pair(two, one), 0, 0, 0),
        (format!("transport:tcp server_port:{TARGET}"), 3 * EACH, 2 * EACH, EACH),
    ] {
        let expected = [("merged", merged), ("client", client), ("server", server)];
        world.assert_seen(&filter, &expected)?;
    }
    Ok(())
}

#[test]
fn t12_cluster_what_leaves_it_is_seen_at_one_end() -> Result<()> {
    if missing("T12 cluster outside", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let client = world.pod("client", NODE_A)?;
    let (outside, ip) = world.cluster.outside();
    let listener = outside.run(|| TcpListener::bind((ip, TARGET)))?.context("listen outside")?;
    let serving = std::thread::spawn(move || traffic::tcp_server(&listener, EACH, 1));
    world.dial(&client, SocketAddr::from((ip, TARGET)), EACH)?;
    let served = serving.join().expect("the server's thread")?;
    assert_eq!(served.connections, EACH);
    let rows = world.rows()?;
    let stranger = |ip: Ipv4Addr| End { ip, pod: "", host: "", zone: "" };
    let expected = Expected {
        client: End::of(&client),
        server: stranger(ip),
        dialled: None,
        service: "",
        connections: EACH,
    };
    expected.assert_at(&rows, "outgoing")?;
    let filter = format!("transport:tcp server_port:{TARGET}");
    world.assert_seen(&filter, &[("merged", EACH), ("client", EACH), ("server", 0)])
}
