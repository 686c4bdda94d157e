//! T8: what was dialled and who answered are both right, at both ends, on whichever nodes these
//! are, and the Service is the one that was dialled.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use weir_testkit::cluster::Port;
use weir_testkit::missing;

use crate::world::{End, Expected, NEEDS, NODE_A, NODE_B, TARGET, World, finish};

/// Connections to each backend in each case.
const EACH: u64 = 5;
const NODE_PORT: u16 = 30_080;

#[test]
fn t8_cluster_services_lead_to_pods_on_any_node() -> Result<()> {
    if missing("T8 cluster Services", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let client = world.pod("client", NODE_A)?;
    let on_host = world.host_pod("on-host", NODE_B)?;
    let near = world.pod("near", NODE_A)?;
    let far = world.pod("far", NODE_B)?;
    let cart = world.service("cart", &[&near, &far])?;
    // one Pod behind two Services
    let other = world.service("checkout", &[&far])?;
    // near: cart twice and itself; far: the same, the other Service, and by its own address
    let (served_near, served_far) = (2 * EACH + EACH, 2 * EACH + EACH + 2 * EACH);
    let servers = (world.serve(&near, served_near)?, world.serve(&far, served_far)?);
    world.dial(&client, cart, 2 * EACH)?;
    world.dial(&on_host, cart, 2 * EACH)?;
    world.dial(&near, cart, 2 * EACH)?; // each second connection is to itself
    world.dial(&client, other, EACH)?;
    world.dial(&client, SocketAddr::from((far.ip, TARGET)), EACH)?;
    finish(servers.0, served_near)?;
    finish(servers.1, served_far)?;
    let translated = [world.cluster.node(0).translated()?, world.cluster.node(1).translated()?];
    assert_eq!(translated, [5 * EACH, 2 * EACH], "as nftables counted");

    let rows = world.rows()?;
    let cases = [
        (&client, &near, Some(cart), "cart"),
        (&client, &far, Some(cart), "cart"),
        (&on_host, &near, Some(cart), "cart"),
        (&on_host, &far, Some(cart), "cart"),
        (&near, &near, Some(cart), "cart"),
        (&near, &far, Some(cart), "cart"),
        (&client, &far, Some(other), "checkout"),
        // by its own address: a Pod behind two Services is behind neither for certain
        (&client, &far, None, ""),
    ];
    for (from, to, dialled, service) in cases {
        let (client, server) = (End::of(from), End::of(to));
        let expected = Expected { client, server, dialled, service, connections: EACH };
        expected.assert_at(&expected.among(&rows), "outgoing")?;
        if from.node == to.node {
            expected.assert_at(&expected.among(&rows), "incoming")?;
        }
    }
    // what another node translates, the server's does not know
    for (from, to, client, connections, service) in [
        (&client, &far, End::of(&client), 3 * EACH, ""),
        (&near, &far, End::of(&near), EACH, ""),
        (&on_host, &near, End::node_of(&on_host), EACH, "cart"),
    ] {
        let server = End::of(to);
        let expected = Expected { client, server, dialled: None, service, connections };
        expected
            .assert_at(&expected.among(&rows), "incoming")
            .with_context(|| format!("{} to {}", from.name(), to.name()))?;
    }
    // the merged view has the client's word for it
    for (service, connections) in [("cart", 6 * EACH), ("checkout", EACH)] {
        world.assert_seen(&format!("server_service:{service}"), &[("merged", connections)])?;
    }
    let all = served_near + served_far;
    let once = [("merged", all), ("client", all), ("server", all)];
    world.assert_seen(&format!("transport:tcp server_port:{TARGET}"), &once)
}

#[test]
fn t8_cluster_ports_of_nodes_lead_to_pods() -> Result<()> {
    if missing("T8 cluster nodePort", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let near = world.pod("near", NODE_A)?;
    let far = world.pod("far", NODE_B)?;
    let ports = [Port::tcp(80, TARGET).at_nodes(NODE_PORT)];
    world.cluster.service("shop", "cart", &ports)?;
    world.cluster.set_backends("shop", "cart", &[&near, &far])?;
    let servers = (world.serve(&near, EACH)?, world.serve(&far, EACH)?);
    let node = world.cluster.node(NODE_A).ip;
    let dialled = SocketAddr::from((node, NODE_PORT));
    let (outside, outside_ip) = world.cluster.outside();
    world.dial(outside, dialled, 2 * EACH)?;
    finish(servers.0, EACH)?;
    finish(servers.1, EACH)?;
    assert_eq!(world.cluster.node(NODE_A).translated()?, 2 * EACH, "as nftables counted");

    let rows = world.rows()?;
    // where the node that translates is the server's own, the masquerade hides nothing
    let stranger = |ip: Ipv4Addr| End { ip, pod: "", host: "", zone: "" };
    let expected = Expected {
        client: stranger(outside_ip),
        server: End::of(&near),
        dialled: Some(dialled),
        service: "cart",
        connections: EACH,
    };
    expected.assert_at(&rows.with("local_pod", near.name()), "incoming")?;
    // elsewhere the client is the node that translated, which alone knows more
    let expected = Expected {
        client: End { ip: node, pod: "", host: "node-a", zone: "zone-1" },
        server: End::of(&far),
        dialled: None,
        service: "cart",
        connections: EACH,
    };
    expected.assert_at(&rows.with("local_pod", far.name()), "incoming")?;
    // nobody observes the clients, so the servers' rows are all that there is
    let filter = format!("transport:tcp server_port:{TARGET}");
    world.assert_seen(&filter, &[("server", 2 * EACH), ("merged", 2 * EACH)])
}
