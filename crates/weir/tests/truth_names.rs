//! T10: what a client resolved names the flows that follow: A, AAAA, aliases, per client. The
//! witnesses are the name server's own list of questions and `tshark` on the client's interface.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use weir_testkit::witness::Capture;
use weir_testkit::{
    Actors, Host, Lab, NameServer, Need, Rows, WeirProcess, Zone, missing, resolve,
};

/// Resolves `name` as a program would and connects to the address of the wanted family.
fn visit(
    actors: &Actors,
    (client, server): (&Host, &Host),
    name: &str,
    ipv6: bool,
) -> Result<SocketAddr> {
    let found = resolve(client, server.ipv4.into(), name)?;
    let ip = found.iter().find(|ip| ip.is_ipv6() == ipv6).context("no address of that family")?;
    let listen = SocketAddr::new(*ip, 0);
    let serving = actors.serve(server, "named-server", &format!("tcp-serve --listen {listen}"))?;
    let to = serving.address;
    actors.send(client, "visitor", &format!("tcp-send --to {to} --upload 10 --download 20"))?;
    serving.finish()?;
    Ok(to)
}

fn domains(rows: &Rows) -> Vec<String> {
    rows.with("direction", "outgoing").values("remote_domain").into_keys().collect()
}

#[test]
fn t10_flows_carry_the_name_that_their_client_resolved() -> Result<()> {
    let needs = [Need::Root, Need::Btf, Need::Program("unshare"), Need::Program("tshark")];
    if missing("T10", &needs) {
        return Ok(());
    }
    let lab = Lab::new(3)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [server, first, second] = [lab.host(0), lab.host(1), lab.host(2)];
    let addresses = [IpAddr::from(server.ipv4), IpAddr::from(server.ipv6)];
    let zone = Zone::new(300)
        .host("plain.shop.test", &addresses)
        .host("pod-17.backend.shop.test", &addresses)
        .alias("lb.shop.test", "pod-17.backend.shop.test")
        .alias("www.shop.test", "lb.shop.test")
        .host("other.shop.test", &addresses);
    let socket = server.run(|| UdpSocket::bind((server.ipv4, 53)))??;
    let names = NameServer::start(socket, zone)?;
    let fields = ["dns.qry.name", "dns.flags.rcode"];
    let mut capture = Capture::start(first, "eth0", "udp src port 53", &fields)?;

    // One after the other: each flow must carry the name of the latest question before it.
    let visits = [
        (first, "plain.shop.test", false),
        (first, "plain.shop.test", true),
        (second, "other.shop.test", false),
        (first, "www.shop.test", false),
        (first, "www.shop.test", true),
    ];
    let mut expected = Vec::new();
    for (client, name, ipv6) in visits {
        let to = visit(&actors, (client, server), name, ipv6)?;
        weir.settle()?;
        expected.push((to.port(), client.ipv4, name));
    }
    assert!(resolve(first, server.ipv4.into(), "missing.shop.test")?.is_empty());
    weir.settle()?;
    for (port, client, name) in expected {
        let rows = weir.flows(&format!("remote_port:{port}"))?;
        assert_eq!(domains(&rows), [name], "of {client}: {rows:?}");
    }
    assert!(
        weir.flows("domain:*missing*")?.0.is_empty(),
        "a name that does not exist names nothing"
    );

    let packet = capture.packet()?;
    assert!(packet.starts_with("plain.shop.test"), "tshark saw `{packet}`");
    let asked = names.asked();
    for (_, name, _) in visits {
        assert!(asked.iter().any(|question| question.name == name), "{name} of {asked:?}");
    }
    let questions = weir.flows("transport:udp remote_port:53")?;
    let sent = questions.with("remote_ip", &server.ipv4.to_string()).sum("packets_sent");
    assert_eq!(sent, asked.len() as u64, "one datagram a question: {questions:?}");
    Ok(())
}
