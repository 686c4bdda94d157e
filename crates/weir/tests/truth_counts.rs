//! T1: known bytes over TCP and UDP, in each family, on loopback and between hosts: exact at both
//! ends, with the right process and direction. The witness is what the sockets' own calls
//! returned.

use anyhow::{Context, Result};
use weir_testkit::traffic::{Exchange, Tally};
use weir_testkit::{Actors, Host, Lab, Need, Rows, WeirProcess, missing};

const SERVER: &str = "shop-server";
const CLIENT: &str = "shop-client";
/// Longer than the 15 bytes that the kernel keeps of a name.
const LONG_NAME: &str = "inventory-service-of-the-shop";

/// One conversation: where it is listened for and what is dialled.
struct Case {
    what: &'static str,
    listen: String,
    dial: String,
    /// Addresses as they are on the wire.
    server_ip: String,
    client_ip: String,
    across: bool,
}

fn cases(server: &Host, client: &Host) -> Vec<Case> {
    let case = |what, listen: &str, dial: &str, server_ip: &str, client_ip: &str, across| Case {
        what,
        listen: listen.to_owned(),
        dial: dial.to_owned(),
        server_ip: server_ip.to_owned(),
        client_ip: client_ip.to_owned(),
        across,
    };
    let (server4, client4) = (server.ipv4.to_string(), client.ipv4.to_string());
    let (server6, client6) = (server.ipv6.to_string(), client.ipv6.to_string());
    let (in6, mapped) = (format!("[{server6}]"), format!("[::ffff:{server4}]"));
    vec![
        case("IPv4 between hosts", &server4, &server4, &server4, &client4, true),
        case("IPv6 between hosts", &in6, &in6, &server6, &client6, true),
        case("v4-mapped at the server", "[::]", &server4, &server4, &client4, true),
        case("v4-mapped at both ends", "[::]", &mapped, &server4, &client4, true),
        case("IPv4 loopback", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", false),
        case("IPv6 loopback", "[::1]", "[::1]", "::1", "::1", false),
        case("v4-mapped loopback", "[::]", "[::ffff:127.0.0.1]", "127.0.0.1", "127.0.0.1", false),
    ]
}

/// A finished conversation with what both ends counted.
struct Done {
    what: String,
    transport: &'static str,
    port: u16,
    server_ip: String,
    client_ip: String,
    client: Tally,
    server: Tally,
}

fn converse(
    case: &Case,
    (serving, calling): (&Host, &Host),
    actors: &Actors,
    (transport, serve, send): (&'static str, &str, &str),
) -> Result<Done> {
    let what = format!("{} {send}", case.what);
    let server = actors.serve(serving, SERVER, &format!("{serve} --listen {}:0", case.listen))?;
    let port = server.port();
    let client = actors
        .send(calling, CLIENT, &format!("{send} --to {}:{port}", case.dial))
        .with_context(|| what.clone())?;
    Ok(Done {
        what,
        transport,
        port,
        server_ip: case.server_ip.clone(),
        client_ip: case.client_ip.clone(),
        client,
        server: server.finish()?,
    })
}

/// Whether this kernel's hooks do not tell the address of a UDP socket that is bound to none.
fn loses_udp_addresses() -> Result<bool> {
    let check = WeirProcess::check()?;
    let hooks = check["hooks"].as_array().context("weir check lists hooks")?;
    Ok(hooks.iter().any(|hook| {
        let lost = hook["lost"].as_str().unwrap_or("");
        hook["probe"] == "udp" && lost.contains("local address of sockets bound to none")
    }))
}

/// The rows of one local end; where the kernel does not tell the address of a socket that is bound
/// to none, the socket's own stands for it.
fn rows_of(rows: &Rows, local: &str, may_be_unspecified: bool) -> Rows {
    let mut found = rows.with("local_ip", local);
    if may_be_unspecified {
        found.0.extend(rows.with("local_ip", "0.0.0.0").0);
        found.0.extend(rows.with("local_ip", "::").0);
    }
    found
}

fn judge(weir: &WeirProcess, done: &Done, loses_udp_addresses: bool) -> Result<()> {
    let port = done.port;
    let rows = weir.flows(&format!("transport:{} port:{port}", done.transport))?;
    let ends = [
        ("outgoing", "remote_port", &done.client_ip, &done.server_ip, CLIENT, done.client),
        ("incoming", "local_port", &done.server_ip, &done.client_ip, SERVER, done.server),
    ];
    for (direction, port_column, local, remote, process, made) in ends {
        let what = format!("{} ({direction}): {rows:?}", done.what);
        let may_be_unspecified = loses_udp_addresses && done.transport == "udp";
        let rows = rows_of(&rows.with("direction", direction), local, may_be_unspecified);
        let rows = rows.with("remote_ip", remote).with_number(port_column, port.into());
        assert_eq!(rows.sum("bytes_sent"), made.bytes_sent, "bytes sent: {what}");
        assert_eq!(rows.sum("bytes_received"), made.bytes_received, "bytes received: {what}");
        assert_eq!(rows.sum("connections"), made.connections, "connections: {what}");
        assert_eq!(rows.sum("closures"), made.connections, "closures: {what}");
        if done.transport == "udp" {
            assert_eq!(rows.sum("packets_sent"), made.datagrams_sent, "sent: {what}");
            assert_eq!(rows.sum("packets_received"), made.datagrams_received, "received: {what}");
        }
        let names: Vec<_> = rows.values("local_process").into_keys().collect();
        assert_eq!(names, [process], "process: {what}");
        let family = if local.contains(':') { "ipv6" } else { "ipv4" };
        assert_eq!(rows.values("family").into_keys().collect::<Vec<_>>(), [family], "{what}");
    }
    assert_eq!(rows.sum("bytes_sent"), done.client.bytes_sent + done.server.bytes_sent);
    Ok(())
}

#[test]
fn t1_every_byte_has_its_ends_process_and_direction() -> Result<()> {
    if missing("T1", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let kinds = [
        (
            "tcp",
            "tcp-serve --connections 4",
            "tcp-send --connections 4 --upload 70001 --download 130003",
        ),
        ("udp", "udp-serve --datagrams 9 --reply 1203", "udp-send --datagrams 9 --size 77"),
        (
            "udp",
            "udp-serve --datagrams 7 --reply 11",
            "udp-send --unconnected --datagrams 7 --size 1101",
        ),
    ];
    let mut finished = Vec::new();
    for case in cases(lab.host(0), lab.host(1)) {
        let calling = if case.across { lab.host(1) } else { lab.host(0) };
        for kind in kinds {
            finished.push(converse(&case, (lab.host(0), calling), &actors, kind)?);
        }
    }
    weir.settle()?;
    let loses_udp_addresses = loses_udp_addresses()?;
    for done in &finished {
        judge(&weir, done, loses_udp_addresses)?;
    }
    println!("T1: {} conversations exact at both ends", finished.len());
    Ok(())
}

#[test]
fn t1_a_long_process_name_is_told_in_full() -> Result<()> {
    if missing("T1 long names", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let listen = format!("tcp-serve --listen {}:0", lab.host(0).ipv4);
    let server = actors.serve(lab.host(0), LONG_NAME, &listen)?;
    let mut client = actors.converse(lab.host(1), CLIENT, server.address)?;
    client.exchange(Exchange { upload_bytes: 10, download_bytes: 10 })?;
    weir.settle()?;
    let rows = weir.flows(&format!("local_port:{}", server.port()))?;
    let names: Vec<_> = rows.values("local_process").into_keys().collect();
    assert_eq!(names, [LONG_NAME], "{rows:?}");
    client.finish()?;
    server.finish()?;
    Ok(())
}
