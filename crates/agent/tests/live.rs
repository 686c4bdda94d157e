//! The agent on the real probes: loopback traffic of known size, seen to the byte, by a thread
//! that has given up its privileges.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;

use common::{Row, Server, options, wait_for};
use weir_agent::probes::{Collector, Options};
use weir_agent::{Agent, CapabilityError, KEPT_CAPABILITIES, drop_capabilities};
use weir_testkit::{Need, missing};

/// Sends `up` bytes there and `down` bytes back over one connection.
fn converse(listener: &TcpListener, up: usize, down: usize) {
    let mut client =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let (mut served, _) = listener.accept().expect("accepted");
    let writer = std::thread::spawn(move || {
        let mut received = vec![0; up];
        served.read_exact(&mut received).expect("read");
        served.write_all(&vec![1; down]).expect("written");
    });
    client.write_all(&vec![1; up]).expect("written");
    let mut back = Vec::new();
    client.read_to_end(&mut back).expect("read");
    assert_eq!(back.len(), down);
    writer.join().expect("served");
}

/// Starts the probes, gives up privileges, starts an agent: what the program does, but in a
/// thread, because the rest of this test program keeps its privileges.
fn start_without_privileges(
    dir: std::path::PathBuf,
    server: Server,
) -> Result<weir_agent::AgentHandle, String> {
    let begin = move || {
        let collector =
            Collector::start(Options::default()).map_err(|err| format!("no probes: {err}"))?;
        match drop_capabilities(KEPT_CAPABILITIES) {
            Ok(_) => return Err("the test's main thread should have kept its own".to_owned()),
            Err(CapabilityError::OtherThreads(_)) => {}
            Err(err) => return Err(format!("privileges were not given up: {err}")),
        }
        let agent = Agent::new(options(&dir), collector, Arc::new(server));
        agent.start().map_err(|err| format!("no agent: {err}"))
    };
    std::thread::spawn(begin).join().expect("no panic")
}

/// The effective capabilities of the agent's threads.
fn agents_capabilities() -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("tasks").flatten() {
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let name = field("Name:").unwrap_or_default().to_owned();
        if name.starts_with("weir-") {
            let digits = field("CapEff:").unwrap_or_default();
            found.push((name, u64::from_str_radix(digits, 16).expect("hexadecimal")));
        }
    }
    found
}

fn is_of(row: &Row<'_>, transport: &str, direction: &str, server: SocketAddr) -> bool {
    let server_port = match direction {
        "outgoing" => "remote_port",
        _ => "local_port",
    };
    row.text("transport") == transport
        && row.text("direction") == direction
        && row.number(server_port) == Some(server.port().into())
}

#[test]
fn loopback_traffic_is_counted_to_the_byte_without_privileges() {
    let name = "loopback_traffic_is_counted_to_the_byte_without_privileges";
    if missing(name, &[Need::Root, Need::Btf]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::default();
    let agent = start_without_privileges(dir.path().to_owned(), server.clone()).expect("an agent");
    let kept = KEPT_CAPABILITIES.iter().fold(0, |mask, capability| mask | capability.bitmask());
    // A thread has its name only once it runs.
    let threads = wait_for("the agent's three threads", || {
        Some(agents_capabilities()).filter(|threads| threads.len() == 3)
    });
    assert!(threads.iter().all(|(_, held)| held & !kept == 0), "{threads:x?}");

    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let tcp = listener.local_addr().expect("an address");
    for _ in 0..20 {
        converse(&listener, 1_000, 50_000);
    }
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let udp_address = udp.local_addr().expect("an address");
    let client = UdpSocket::bind("127.0.0.1:0").expect("bound");
    client.connect(udp_address).expect("connected");
    for _ in 0..30 {
        client.send(&[1; 200]).expect("sent");
        udp.recv_from(&mut [0; 300]).expect("received");
    }

    wait_for("all connections closed at both ends", || {
        let closed = |direction| server.sum("closures", |row| is_of(row, "tcp", direction, tcp));
        (closed("outgoing") >= 20 && closed("incoming") >= 20).then_some(())
    });
    wait_for("the datagrams", || {
        let of_pair = |row: &Row<'_>| {
            row.text("transport") == "udp"
                && [row.number("local_port"), row.number("remote_port")]
                    .contains(&Some(udp_address.port().into()))
        };
        (server.sum("packets_sent", of_pair) >= 30).then_some(())
    });
    let (id, host) = (agent.agent().to_owned(), agent.host().to_owned());
    let stats = agent.stop();
    assert_eq!(stats.last_error, None);

    for (direction, sent, received) in
        [("outgoing", 20_000, 1_000_000), ("incoming", 1_000_000, 20_000)]
    {
        let sum = |column| server.sum(column, |row| is_of(row, "tcp", direction, tcp));
        assert_eq!((sum("bytes_sent"), sum("bytes_received")), (sent, received), "{direction}");
        assert_eq!((sum("connections"), sum("closures")), (20, 20), "{direction}");
        assert!(sum("rtt_samples") >= 20, "{direction}");
    }
    let rows = server.rows(|row| is_of(row, "tcp", "outgoing", tcp));
    let process = fs::read_to_string("/proc/self/comm").expect("comm");
    for row in &rows {
        let row = row.get();
        assert!(row.text("local_process").starts_with(process.trim()), "the full name");
        assert_eq!(row.text("remote_process"), row.text("local_process"));
        assert_eq!((row.text("remote_agent"), row.text("remote_host")), (id.clone(), host.clone()));
        assert_eq!(row.number("pid"), Some(std::process::id().into()));
    }
    // the probes may miss something of whatever else this machine is doing, the agent may not
    let own = stats.losses.iter().find(|loss| !loss.component.starts_with("probe_"));
    assert_eq!(own, None);
}
