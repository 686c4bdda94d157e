//! The TCP programs against sockets that know what they sent and received. Needs root.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use weir_model::{L4Counters, L4Record, ListenRecord, Netns, Role};
use weir_testkit::{Host, Lab, Need, missing, trouble, witness};

use super::TcpProbe;
use crate::collector::{Options, Sink};
use crate::object;

const NEEDS: [Need; 3] = [Need::Root, Need::Btf, Need::Program("ip")];
const DROPPING: [Need; 5] =
    [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("nft"), Need::Program("ss")];
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Seen {
    records: Vec<L4Record>,
    listeners: Vec<ListenRecord>,
}

impl Sink for Seen {
    fn l4(&mut self, record: L4Record) {
        self.records.push(record);
    }

    fn listen(&mut self, record: ListenRecord) {
        self.listeners.push(record);
    }
}

/// A probe and all that it has told so far.
struct Watch {
    probe: TcpProbe,
    seen: Seen,
}

impl Watch {
    fn new(options: &Options) -> Self {
        object::take_libbpf_log();
        let probe = TcpProbe::start(options, None).expect("the TCP probe starts");
        Self { probe, seen: Seen::default() }
    }

    fn drain(&mut self) {
        self.probe.drain(&mut self.seen).expect("the probe is drained");
    }

    fn records(&self, host: &Host, role: Role, server_port: u16) -> Vec<&L4Record> {
        let netns = netns(host);
        let port = |r: &L4Record| if role == Role::Client { r.remote.port } else { r.local.port };
        let wanted = |r: &&L4Record| r.netns == netns && r.role == role && port(r) == server_port;
        self.seen.records.iter().filter(wanted).collect()
    }

    /// All that one end of a server's port was told; active connections as last told.
    fn total(&self, host: &Host, role: Role, server_port: u16) -> L4Counters {
        let mut total = L4Counters::default();
        for record in self.records(host, role, server_port) {
            total.merge(&record.counters);
            total.active_connections = record.counters.active_connections;
        }
        total
    }

    /// Drains until that end has closed as often as expected.
    fn closed(&mut self, host: &Host, role: Role, port: u16, closures: u64) -> L4Counters {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.drain();
            let total = self.total(host, role, port);
            if total.closures >= closures || Instant::now() > deadline {
                return total;
            }
        }
    }

    fn lost(&mut self) -> Vec<(String, u64)> {
        self.probe.losses().into_iter().map(|loss| (loss.reason, loss.count)).collect()
    }
}

fn netns(host: &Host) -> Netns {
    let inode = host.run(|| std::fs::metadata("/proc/thread-self/ns/net").map(|of| of.ino()));
    let inode = inode.expect("a host can be entered").expect("a namespace has an inode");
    Netns(u32::try_from(inode).expect("inodes of nsfs have 32 bits"))
}

fn listen(host: &Host, address: IpAddr) -> (TcpListener, u16) {
    let listener = host.run(|| TcpListener::bind((address, 0))).expect("a host can be entered");
    let listener = listener.expect("a socket can listen");
    let port = listener.local_addr().expect("a listener has an address").port();
    (listener, port)
}

fn connect(host: &Host, to: SocketAddr) -> TcpStream {
    let stream = host.run(|| TcpStream::connect(to)).expect("a host can be entered");
    stream.expect("a client connects")
}

/// Accepts `count` connections; reads each to its end and answers `answer` bytes.
fn serve(listener: TcpListener, count: usize, answer: usize) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut received = 0;
        for _ in 0..count {
            let (mut stream, _) = listener.accept().expect("a server accepts");
            received += drain_stream(&mut stream);
            stream.write_all(&vec![7; answer]).expect("a server answers");
        }
        received
    })
}

fn drain_stream(stream: &mut TcpStream) -> u64 {
    std::io::copy(stream, &mut std::io::sink()).expect("a stream can be read to its end")
}

fn ask(host: &Host, to: SocketAddr, bytes: usize) -> u64 {
    let mut stream = connect(host, to);
    stream.write_all(&vec![3; bytes]).expect("a client sends");
    stream.shutdown(Shutdown::Write).expect("a client ends its sending");
    drain_stream(&mut stream)
}

fn sent_and_received(counters: &L4Counters) -> (u64, u64) {
    (counters.bytes_sent, counters.bytes_received)
}

fn opened_and_closed(counters: &L4Counters) -> (u64, u64) {
    (counters.connections, counters.closures)
}

#[test]
fn both_ends_count_every_byte_in_every_family() {
    if missing("both_ends_count_every_byte_in_every_family", &NEEDS) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let mut watch = Watch::new(&Options::default());
    let (near, far) = (lab.host(0), lab.host(1));
    let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mapped = IpAddr::V6(near.ipv4.to_ipv6_mapped());
    let cases = [
        (far, near.ipv4.into(), near.ipv4.into()),
        (far, near.ipv6.into(), near.ipv6.into()),
        (far, any6, near.ipv4.into()),
        (far, any6, mapped),
        (near, Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
        (near, any6, Ipv6Addr::LOCALHOST.into()),
    ];
    for (client, bound, dialled) in cases {
        let (listener, port) = listen(near, bound);
        let server = serve(listener, 2, 130_003);
        let received: u64 = (0..2).map(|_| ask(client, (dialled, port).into(), 70_001)).sum();
        let served = server.join().expect("the server ends");
        assert_eq!((received, served), (260_006, 140_002));

        let dialled_ip: IpAddr = dialled.to_canonical();
        for (host, role, bytes) in
            [(client, Role::Client, (served, received)), (near, Role::Server, (received, served))]
        {
            let total = watch.closed(host, role, port, 2);
            let what = format!("{role} of {dialled} at {bound}: {total:?}");
            assert_eq!(sent_and_received(&total), bytes, "{what}");
            assert_eq!(opened_and_closed(&total), (2, 2), "{what}");
            assert_eq!(total.active_connections, 0, "{what}");
            assert!(total.packets_sent > 0 && total.packets_received > 0, "{what}");
            assert!(total.rtt_us.count > 0 && total.jitter_us.count > 0, "{what}");
            assert_eq!(total.connect_us.count, if role == Role::Client { 2 } else { 0 }, "{what}");
            for record in watch.records(host, role, port) {
                let server = if role == Role::Client { record.remote } else { record.local };
                assert_eq!(server.ip, dialled_ip, "{record:?}");
                let process = record.process.as_ref().expect("a process");
                assert_eq!(process.pid, std::process::id(), "{record:?}");
                assert!(record.cgroup_id.is_some(), "{record:?}");
            }
        }
    }
    assert_eq!(watch.lost(), []);
}

#[test]
fn a_storm_of_short_connections_is_counted_whole() {
    if missing("a_storm_of_short_connections_is_counted_whole", &NEEDS) {
        return;
    }
    const CONNECTIONS: usize = 10_000;
    let lab = Lab::new(2).expect("a lab");
    let mut watch = Watch::new(&Options::default());
    let (near, far) = (lab.host(0), lab.host(1));
    let (listener, port) = listen(near, near.ipv4.into());
    let server = serve(listener, CONNECTIONS, 200);
    let to = SocketAddr::from((near.ipv4, port));
    let client = far.spawn(move || {
        let mut received = 0;
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(to)?;
            stream.write_all(&[3; 100])?;
            stream.shutdown(Shutdown::Write)?;
            received += std::io::copy(&mut stream, &mut std::io::sink())?;
        }
        Ok(received)
    });
    let client = client.expect("a host can be entered");
    // Reading while it happens must neither lose nor double anything.
    while !client.is_finished() {
        watch.drain();
    }
    let received = client.join().expect("no panic").expect("the client ends");
    let served = server.join().expect("the server ends");
    let count = CONNECTIONS as u64;
    assert_eq!((received, served), (200 * count, 100 * count));
    for (host, role, bytes) in
        [(far, Role::Client, (served, received)), (near, Role::Server, (received, served))]
    {
        let total = watch.closed(host, role, port, count);
        assert_eq!(opened_and_closed(&total), (count, count), "{role}");
        assert_eq!(sent_and_received(&total), bytes, "{role}");
        assert_eq!(total.active_connections, 0, "{role}");
    }
    assert_eq!(watch.lost(), []);
}

#[test]
fn failed_attempts_have_their_reason() {
    if missing("failed_attempts_have_their_reason", &DROPPING) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let (near, far) = (lab.host(0), lab.host(1));
    near.sysctl("net.ipv4.tcp_syn_retries", "1").expect("a setting");
    trouble::drop_port(far, 7201).expect("a rule");
    trouble::prohibit_port(far, 7202).expect("a rule");
    let mut watch = Watch::new(&Options::default());
    let attempt = |port: u16, patience| {
        let to = SocketAddr::from((far.ipv4, port));
        let outcome = near.run(|| TcpStream::connect_timeout(&to, patience));
        outcome.expect("a host can be entered").expect_err("nobody answers").kind()
    };
    assert_eq!(attempt(7203, PATIENCE), ErrorKind::ConnectionRefused);
    assert_eq!(attempt(7201, PATIENCE), ErrorKind::TimedOut);
    assert_eq!(attempt(7202, PATIENCE), ErrorKind::HostUnreachable);
    watch.drain();
    let total = |port| watch.total(near, Role::Client, port);
    let failures = |c: L4Counters| {
        [c.connect_refused, c.connect_timeout, c.connect_reset, c.connect_failed_other]
    };
    assert_eq!(failures(total(7203)), [1, 0, 0, 0]);
    assert_eq!(failures(total(7201)), [0, 1, 0, 0]);
    assert_eq!(failures(total(7202)), [0, 0, 0, 1]);
    assert_eq!(total(7203).resets_received, 1);
    let kernel = witness::kernel_counters(near).expect("counters");
    assert!(kernel["Tcp.RetransSegs"] > 0, "the SYN was repeated");
    assert_eq!(total(7201).retransmits, kernel["Tcp.RetransSegs"]);
    for port in [7201, 7202, 7203] {
        assert_eq!(opened_and_closed(&total(port)), (0, 0));
        assert_eq!(sent_and_received(&total(port)), (0, 0));
    }

    // The application loses its patience before the first repetition, then after it.
    assert_eq!(attempt(7201, Duration::from_millis(100)), ErrorKind::TimedOut);
    assert_eq!(attempt(7201, Duration::from_millis(1500)), ErrorKind::TimedOut);
    watch.drain();
    assert_eq!(failures(watch.total(near, Role::Client, 7201)), [0, 2, 0, 1]);

    // The repetition is told before it gives up.
    let to = SocketAddr::from((far.ipv4, 7201));
    let patience = Duration::from_millis(2_500);
    let attempt = near.spawn(move || Ok(TcpStream::connect_timeout(&to, patience)));
    let attempt = attempt.expect("a host can be entered");
    while !attempt.is_finished() {
        watch.drain();
        thread::sleep(Duration::from_millis(100));
    }
    let outcome = attempt.join().expect("no panic").expect("it was made");
    assert_eq!(outcome.expect_err("nobody answers").kind(), ErrorKind::TimedOut);
    watch.drain();
    assert_eq!(failures(watch.total(near, Role::Client, 7201)), [0, 3, 0, 1]);
}

#[test]
fn a_socket_that_tries_again_counts_each_attempt_once() {
    if missing("a_socket_that_tries_again_counts_each_attempt_once", &NEEDS) {
        return;
    }
    use rustix::net::{AddressFamily, SocketType, connect, socket};
    let lab = Lab::new(1).expect("a lab");
    let host = lab.host(0);
    let mut watch = Watch::new(&Options::default());
    let (listener, port) = listen(host, host.ipv4.into());
    let free = SocketAddr::from((host.ipv4, 7204));
    let outcome = host.run(|| {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        for _ in 0..3 {
            assert_eq!(connect(&fd, &free), Err(rustix::io::Errno::CONNREFUSED));
        }
        connect(&fd, &SocketAddr::from((host.ipv4, port)))
    });
    outcome.expect("a host can be entered").expect("the fourth attempt succeeds");
    drop(listener);
    let refused = watch.closed(host, Role::Client, 7204, 0);
    assert_eq!((refused.connect_refused, refused.connections), (3, 0));
    assert_eq!((refused.packets_sent, refused.packets_received), (3, 3), "each SYN and RST once");
    let total = watch.closed(host, Role::Client, port, 1);
    assert_eq!(opened_and_closed(&total), (1, 1));
}

#[test]
fn retransmissions_and_delay_are_those_of_tcp_info() {
    if missing("retransmissions_and_delay_are_those_of_tcp_info", &DROPPING) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let (near, far) = (lab.host(0), lab.host(1));
    for host in [near, far] {
        trouble::drop_packets(host, 100).expect("a rule");
    }
    let mut watch = Watch::new(&Options::default());
    let (listener, port) = listen(near, near.ipv4.into());
    let mut client = connect(far, (near.ipv4, port).into());
    let (mut server, _) = listener.accept().expect("a server accepts");
    let mut buffer = vec![0; 20_000];
    for _ in 0..60 {
        client.write_all(&buffer).expect("a client sends");
        server.read_exact(&mut buffer).expect("a server receives");
        server.write_all(&buffer).expect("a server answers");
        client.read_exact(&mut buffer).expect("a client receives");
    }
    // Silent from here on, so the kernel's own figures stand still once the last acknowledgement
    // is there.
    let settled = |host: &Host, side: &str| {
        let deadline = Instant::now() + PATIENCE;
        weir_testkit::wait_for("the connection to be quiet", deadline, || {
            let filter = format!("{side} = :{port}");
            let before = witness::sockets(host, &filter)?;
            thread::yield_now();
            let after = witness::sockets(host, &filter)?;
            let quiet = before.len() == 1 && after[0].count("unacked") == 0;
            Ok((quiet && before[0].rtt_us()? == after[0].rtt_us()?).then_some(after))
        })
        .expect("a quiet connection")
    };
    for (host, role, side) in [(far, Role::Client, "dport"), (near, Role::Server, "sport")] {
        let kernel = settled(host, side);
        watch.drain();
        let total = watch.total(host, role, port);
        assert_eq!(total.retransmits, kernel[0].retransmits(), "{role}");
        assert_eq!(sent_and_received(&total), (1_200_000, 1_200_000), "{role}");
        let last = watch.records(host, role, port).last().expect("a record").counters;
        let (rtt, jitter) = kernel[0].rtt_us().expect("rtt");
        assert_eq!((last.rtt_us.max, last.jitter_us.max), (rtt, jitter), "{role}");
    }
    let repeated = [near, far].map(|host| witness::kernel_counters(host).expect("counters"));
    assert!(repeated.iter().any(|host| host["Tcp.RetransSegs"] > 0), "nothing was dropped");
}

#[test]
fn a_connection_older_than_the_probe_keeps_its_role() {
    if missing("a_connection_older_than_the_probe_keeps_its_role", &NEEDS) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let (near, far) = (lab.host(0), lab.host(1));
    let (listener, port) = listen(near, Ipv6Addr::UNSPECIFIED.into());
    let mut client = connect(far, (near.ipv4, port).into());
    let (mut server, _) = listener.accept().expect("a server accepts");
    let mut buffer = [0; 1000];
    client.write_all(&buffer).expect("a client sends");
    server.read_exact(&mut buffer).expect("a server receives");

    let mut watch = Watch::new(&Options::default());
    watch.drain();
    for (host, role) in [(far, Role::Client), (near, Role::Server)] {
        let total = watch.total(host, role, port);
        assert_eq!((total.connections, total.active_connections), (0, 1), "{role}");
        assert_eq!(sent_and_received(&total), (0, 0), "{role}");
        let record = watch.records(host, role, port)[0];
        assert_eq!(record.process.as_ref().map(|p| p.pid), Some(std::process::id()), "{role}");
    }
    let netns = netns(near);
    let told = |l: &&ListenRecord| l.netns == netns && l.local.port == port;
    assert_eq!(watch.seen.listeners.iter().filter(told).count(), 1);

    let records = watch.seen.records.len();
    watch.drain();
    let of_lab = |r: &&L4Record| r.local.port == port || r.remote.port == port;
    assert_eq!(watch.seen.records[records..].iter().find(of_lab), None, "silence is not told");

    server.write_all(&buffer).expect("a server sends");
    client.read_exact(&mut buffer).expect("a client receives");
    drop((client, server));
    for (host, role, bytes) in [(far, Role::Client, (0, 1000)), (near, Role::Server, (1000, 0))] {
        let total = watch.closed(host, role, port, 1);
        assert_eq!(sent_and_received(&total), bytes, "{role}");
        assert_eq!((total.connections, total.active_connections), (0, 0), "{role}");
    }
}

#[test]
fn a_reset_is_counted_at_both_ends() {
    if missing("a_reset_is_counted_at_both_ends", &NEEDS) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let (near, far) = (lab.host(0), lab.host(1));
    let mut watch = Watch::new(&Options::default());
    let (listener, port) = listen(near, near.ipv4.into());
    let mut client = connect(far, (near.ipv4, port).into());
    let (server, _) = listener.accept().expect("a server accepts");
    client.write_all(&[1; 500]).expect("a client sends");
    let mut peeked = [0; 500];
    while server.peek(&mut peeked).expect("a server looks") < peeked.len() {}
    drop(server);
    assert_eq!(client.read(&mut peeked).map_err(|err| err.kind()), Err(ErrorKind::ConnectionReset));
    let server = watch.closed(near, Role::Server, port, 1);
    let client = watch.closed(far, Role::Client, port, 1);
    assert_eq!((server.resets_sent, server.resets_received), (1, 0));
    assert_eq!((client.resets_sent, client.resets_received), (0, 1));
    assert_eq!((client.bytes_sent, server.bytes_received), (500, 500));
    assert_eq!((opened_and_closed(&client), opened_and_closed(&server)), ((1, 1), (1, 1)));
}

#[test]
fn a_transfer_read_often_adds_up() {
    if missing("a_transfer_read_often_adds_up", &NEEDS) {
        return;
    }
    const BYTES: u64 = 300_000_000;
    let lab = Lab::new(2).expect("a lab");
    let (near, far) = (lab.host(0), lab.host(1));
    let mut watch = Watch::new(&Options::default());
    let (listener, port) = listen(near, near.ipv6.into());
    let server = serve(listener, 1, 0);
    let mut stream = connect(far, (near.ipv6, port).into());
    let client = thread::spawn(move || {
        let mut source = std::io::repeat(5).take(BYTES);
        std::io::copy(&mut source, &mut stream).expect("a client sends")
    });
    while !server.is_finished() {
        watch.drain();
    }
    assert_eq!(client.join().expect("no panic"), BYTES);
    let client = watch.closed(far, Role::Client, port, 1);
    let server = watch.closed(near, Role::Server, port, 1);
    assert_eq!((client.bytes_sent, server.bytes_received), (BYTES, BYTES));
    assert!(watch.records(far, Role::Client, port).len() > 2, "it was read while it ran");
}

#[test]
fn what_finds_no_room_is_counted_as_lost() {
    if missing("what_finds_no_room_is_counted_as_lost", &NEEDS) {
        return;
    }
    let lab = Lab::new(1).expect("a lab");
    let host = lab.host(0);
    let cases = [
        (Options { sockets_max: 1, ..Options::default() }, "sockets_full"),
        (Options { sums_max: 1, ..Options::default() }, "sums_full"),
        (Options { listeners_max: 1, ..Options::default() }, "listeners_full"),
    ];
    for (options, expected) in cases {
        let mut watch = Watch::new(&options);
        let servers: Vec<_> = (0..3).map(|_| listen(host, host.ipv4.into())).collect();
        for (listener, port) in servers {
            let server = serve(listener, 1, 10);
            ask(host, (host.ipv4, port).into(), 10);
            server.join().expect("the server ends");
        }
        watch.drain();
        let lost = watch.lost();
        assert!(lost.iter().any(|(reason, count)| reason == expected && *count > 0), "{lost:?}");
        assert_eq!(watch.lost(), [], "told once");
    }
}

#[test]
fn loopback_is_left_out_on_demand() {
    if missing("loopback_is_left_out_on_demand", &NEEDS) {
        return;
    }
    let lab = Lab::new(1).expect("a lab");
    let host = lab.host(0);
    let mut watch = Watch::new(&Options { loopback: false, ..Options::default() });
    let mut counts = Vec::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into(), host.ipv4.into()] {
        let (listener, port) = listen(host, address);
        let server = serve(listener, 1, 10);
        ask(host, (address, port).into(), 10);
        server.join().expect("the server ends");
        watch.drain();
        counts.push(watch.total(host, Role::Client, port).connections);
    }
    assert_eq!(counts, [0, 0, 1]);
}

#[test]
fn ports_of_clients_are_kept_on_demand() {
    if missing("ports_of_clients_are_kept_on_demand", &NEEDS) {
        return;
    }
    let lab = Lab::new(1).expect("a lab");
    let host = lab.host(0);
    let mut watch = Watch::new(&Options { fold_client_port: false, ..Options::default() });
    let (listener, port) = listen(host, host.ipv4.into());
    let mut client = connect(host, (host.ipv4, port).into());
    let chosen = client.local_addr().expect("an address").port();
    let server = serve(listener, 1, 10);
    client.shutdown(Shutdown::Write).expect("a client ends its sending");
    drain_stream(&mut client);
    drop(client);
    server.join().expect("the server ends");
    watch.closed(host, Role::Client, port, 1);
    watch.closed(host, Role::Server, port, 1);
    let client = &watch.records(host, Role::Client, port)[0];
    let server = &watch.records(host, Role::Server, port)[0];
    assert_eq!((client.local.port, server.remote.port), (chosen, chosen));
}
