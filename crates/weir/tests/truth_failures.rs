//! T4: connections that fail: each under its own reason and never as a connection. The witnesses
//! are the error that the client's own call returned and the kernel's SNMP counters.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use anyhow::Result;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use weir_testkit::traffic::PATIENCE;
use weir_testkit::{Actors, Lab, Need, Rows, WeirProcess, missing, trouble, witness};

const REASONS: [&str; 4] =
    ["connect_refused", "connect_timeout", "connect_reset", "connect_failed_other"];

/// Exactly these counts, each other reason 0.
fn assert_failures(rows: &Rows, expected: &[(&str, u64)]) {
    for reason in REASONS {
        let count =
            expected.iter().find(|(name, _)| *name == reason).map_or(0, |(_, count)| *count);
        assert_eq!(rows.sum(reason), count, "{reason}: {rows:?}");
    }
}

/// Attempts that nobody answers end after 1 + 2 seconds.
fn lab() -> Result<Lab> {
    let lab = Lab::new(2)?;
    lab.host(1).sysctl("net.ipv4.tcp_syn_retries", "1")?;
    Ok(lab)
}

#[test]
fn t4_refused_and_unanswered_attempts_have_their_reason() -> Result<()> {
    if missing("T4 attempts", &[Need::Root, Need::Btf, Need::Program("nft")]) {
        return Ok(());
    }
    let lab = lab()?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [server, client] = [lab.host(0), lab.host(1)];
    trouble::drop_port(server, 7103)?;
    trouble::prohibit_port(server, 7104)?;
    let attempts = [
        (SocketAddr::from((server.ipv4, 7101)), "ConnectionRefused", "connect_refused"),
        (SocketAddr::from((server.ipv6, 7102)), "ConnectionRefused", "connect_refused"),
        (SocketAddr::from((server.ipv4, 7103)), "TimedOut", "connect_timeout"),
        (SocketAddr::from((server.ipv4, 7104)), "HostUnreachable", "connect_failed_other"),
        (SocketAddr::from(([127, 0, 0, 1], 7105)), "ConnectionRefused", "connect_refused"),
    ];
    for (to, outcome, _) in attempts {
        assert_eq!(actors.fail(client, "unlucky", to)?, outcome, "{to}");
    }
    weir.settle()?;
    for (to, _, reason) in attempts {
        let rows = weir.flows(&format!("remote_port:{}", to.port()))?;
        assert_failures(&rows, &[(reason, 1)]);
        assert_eq!(rows.sum("connections") + rows.sum("closures"), 0, "{to}: {rows:?}");
        assert_eq!(rows.sum("bytes_sent") + rows.sum("bytes_received"), 0, "{to}: {rows:?}");
        assert_eq!(rows.values("direction").into_keys().collect::<Vec<_>>(), ["outgoing"]);
        assert_eq!(rows.values("local_process").into_keys().collect::<Vec<_>>(), ["unlucky"]);
        assert_eq!(rows.with("remote_ip", &to.ip().to_string()).0.len(), rows.0.len());
    }
    Ok(())
}

#[test]
fn t4_a_connection_reset_by_its_peer_was_a_connection() -> Result<()> {
    if missing("T4 reset", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = lab()?;
    let weir = WeirProcess::start(&[])?;
    let [server, client] = [lab.host(0), lab.host(1)];
    let listener = server.run(|| TcpListener::bind((server.ipv4, 0)))??;
    let to = listener.local_addr()?;
    let mut stream = client.run(|| TcpStream::connect_timeout(&to, PATIENCE))??;
    let (accepted, _) = listener.accept()?;
    stream.write_all(&[1; 1000])?;
    let mut seen = [0; 1000];
    // Waits until the bytes are there; closed with bytes unread, a socket answers with RST.
    while accepted.peek(&mut seen)? < seen.len() {}
    drop(accepted);
    let deadline = std::time::Instant::now() + PATIENCE;
    weir_testkit::wait_for("the reset to arrive", deadline, || {
        Ok((witness::kernel_counters(client)?["Tcp.EstabResets"] == 1).then_some(()))
    })?;
    drop(stream);
    weir.settle()?;

    assert_eq!(witness::kernel_counters(server)?["Tcp.OutRsts"], 1);
    let rows = weir.flows(&format!("port:{}", to.port()))?;
    assert_failures(&rows, &[]);
    let (out, into) = (rows.with("direction", "outgoing"), rows.with("direction", "incoming"));
    for rows in [&out, &into] {
        assert_eq!((rows.sum("connections"), rows.sum("closures")), (1, 1), "{rows:?}");
    }
    assert_eq!((out.sum("bytes_sent"), into.sum("bytes_received")), (1000, 1000));
    assert_eq!((out.sum("resets_received"), out.sum("resets_sent")), (1, 0), "{out:?}");
    assert_eq!((into.sum("resets_sent"), into.sum("resets_received")), (1, 0), "{into:?}");
    Ok(())
}

#[test]
fn t4_half_open_attempts_are_no_connections_at_the_server() -> Result<()> {
    if missing("T4 half open", &[Need::Root, Need::Btf, Need::Program("nft")]) {
        return Ok(());
    }
    let lab = lab()?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [server, client] = [lab.host(0), lab.host(1)];
    let listener = server.run(|| TcpListener::bind((server.ipv4, 0)))??;
    let to = listener.local_addr()?;
    // The answers to its SYNs never reach the client.
    trouble::drop_answers(client, to.port())?;
    assert_eq!(actors.fail(client, "half-open", to)?, "TimedOut");
    assert!(trouble::dropped(client)? > 0, "the server did answer");
    weir.settle()?;
    let rows = weir.flows(&format!("port:{}", to.port()))?;
    assert_failures(&rows, &[("connect_timeout", 1)]);
    assert_eq!(rows.sum("connections") + rows.sum("closures"), 0, "{rows:?}");
    assert!(rows.with("direction", "incoming").0.is_empty(), "{rows:?}");
    Ok(())
}

#[test]
fn t4_a_full_backlog_lets_some_in_and_times_out_the_rest() -> Result<()> {
    if missing("T4 backlog", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    // A backlog of 1 holds two; the first two fill it, one after the other.
    const WELCOME: usize = 2;
    const TURNED_AWAY: usize = 3;
    let lab = lab()?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [server, client] = [lab.host(0), lab.host(1)];
    let listening = server.run(|| -> rustix::io::Result<_> {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&fd, &SocketAddr::new(IpAddr::V4(server.ipv4), 0))?;
        listen(&fd, 1)?;
        Ok(fd)
    })??;
    let to = SocketAddr::try_from(getsockname(&listening)?)?;
    let connect = move || TcpStream::connect_timeout(&to, PATIENCE);
    let open = client.run(|| (0..WELCOME).map(|_| connect()).collect::<Result<Vec<_>, _>>())??;
    let threads: Vec<_> =
        (0..TURNED_AWAY).map(|_| client.spawn(move || Ok(connect()))).collect::<Result<_>>()?;
    for thread in threads {
        let outcome = thread.join().expect("no panic")?.map_err(|err| err.kind());
        assert_eq!(outcome.err(), Some(ErrorKind::TimedOut));
    }
    assert!(witness::kernel_counters(server)?["TcpExt.ListenOverflows"] > 0);
    // This test's threads are one process; an attempt by another one has a name of its own.
    assert_eq!(actors.fail(client, "too-late", to)?, "TimedOut");
    weir.settle()?;
    let rows = weir.flows(&format!("port:{}", to.port()))?;
    let out = rows.with("direction", "outgoing");
    assert_failures(&rows, &[("connect_timeout", TURNED_AWAY as u64 + 1)]);
    assert_eq!(out.sum("connections"), open.len() as u64, "{rows:?}");
    assert_eq!(out.with("local_process", "too-late").sum("connect_timeout"), 1, "{rows:?}");
    Ok(())
}
