//! Which connections are told, by whom, and how they end.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use weir_model::{L7Ends, Role};
use weir_testkit::{Host, Lab, missing};

use super::{GET, NEEDS, OK, PayloadOptions, Told, Watch, Way, options};
use crate::collector::Options;
use crate::payload::Processes;

/// Whether a request and its answer on the port are told, at the server's end.
fn is_told(watch: &mut Watch, port: u16, script: &str) -> bool {
    watch.play(0, &format!("c, a = pair({port})\n{script}"));
    let is_of_port = |told: &&Told| told.ends.local.port == port || told.ends.remote.port == port;
    watch.seen.told.values().any(|told| is_of_port(&told))
}

const EXCHANGE: &str = "c.sendall(GET); a.recv(99); a.sendall(OK); c.recv(99)";

#[test]
fn only_what_speaks_http_is_told() {
    if missing("only_what_speaks_http_is_told", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    let later = "; a.sendall(b'y'); c.recv(1); c.sendall(GET); a.recv(99); a.sendall(OK)";
    let silent = [
        ("random bytes", r"c.sendall(bytes(range(200, 256)) * 9); a.recv(999)"),
        ("a server that speaks first", r"a.sendall(b'220 mail\r\n'); c.recv(99)"),
        ("redis", r"c.sendall(b'*1\r\n$4\r\nPING\r\n'); a.recv(99)"),
        ("redis, by hand", r"c.sendall(b'GET key\r\n'); a.recv(99)"),
        ("postgres", r"c.sendall(b'\0\0\0\x29\0\x03\0\0user\0me\0'); a.recv(99)"),
        ("mysql", r"a.sendall(b'J\0\0\0\x0a8.0.36\0'); c.recv(99)"),
        ("tls", r"c.sendall(b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'); a.recv(99)"),
        ("a word that never ends", r"c.sendall(b'A' * 99); a.recv(99)"),
        ("capitals, one by one", "for _ in range(40): c.send(b'A'); a.recv(1)\nNone"),
    ];
    for (port, (name, script)) in (7400u16..).zip(silent) {
        assert!(!is_told(&mut watch, port, &format!("{script}{later}")), "{name}");
    }
    let told = [
        ("get", EXCHANGE),
        ("a method of its own", r"c.sendall(b'M-SEARCH * HTTP/1.1\r\n\r\n'); a.recv(99)"),
        ("to a proxy", r"c.sendall(b'GET http://x/ HTTP/1.1\r\n\r\n'); a.recv(99)"),
        ("tunnel", r"c.sendall(b'CONNECT x:443 HTTP/1.1\r\n\r\n'); a.recv(99)"),
        ("http2", r"c.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'); a.recv(99)"),
        ("http2, server first", r"a.sendall(b'\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64'); c.recv(99)"),
        (
            "behind a proxy's line",
            r"c.sendall(b'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'); a.recv(99); c.sendall(GET); a.recv(99)",
        ),
        (
            "behind a proxy's header",
            r"c.sendall(b'\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c' + bytes(12)); a.recv(28); c.sendall(GET); a.recv(99)",
        ),
    ];
    for (port, (name, script)) in (7500u16..).zip(told) {
        assert!(is_told(&mut watch, port, script), "{name}");
        let [told] = watch.of_port(0, Role::Server, port)[..] else { panic!("{name}") };
        assert_eq!(told.closed, Some(false), "{name}");
        let process = told.ends.process.as_ref().map(|process| &*process.name);
        assert_eq!(process, Some("python3"), "{name}");
        assert!(!told.ends.is_tls, "{name}");
    }
    assert_eq!(watch.lost(), []);
}

#[test]
fn what_is_left_out_is_not_told() {
    if missing("what_is_left_out_is_not_told", &NEEDS) {
        return;
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let default = PayloadOptions::default;
    let cases = [
        ("nothing", default(), true),
        ("its port", PayloadOptions { excluded_ports: vec![1, 7600], ..default() }, false),
        ("other ports", PayloadOptions { excluded_ports: vec![1, 7601], ..default() }, true),
        (
            "its process",
            PayloadOptions { processes: Processes::AllBut(names(&["x", "python3"])), ..default() },
            false,
        ),
        (
            "other processes",
            PayloadOptions { processes: Processes::AllBut(names(&["x"])), ..default() },
            true,
        ),
        (
            "all but its process",
            PayloadOptions { processes: Processes::Only(names(&["python3"])), ..default() },
            true,
        ),
        (
            "all but another process",
            PayloadOptions { processes: Processes::Only(names(&["python"])), ..default() },
            false,
        ),
    ];
    for (name, payload, expected) in cases {
        let mut watch = Watch::new(1, payload);
        assert_eq!(is_told(&mut watch, 7600, EXCHANGE), expected, "left out: {name}");
    }
    let options = Options { loopback: false, ..options(default()) };
    let mut watch = Watch::of(Lab::new(1).expect("a lab"), &options);
    assert!(!is_told(&mut watch, 7600, EXCHANGE), "left out: loopback");
}

#[test]
fn a_control_group_can_be_left_out_and_let_in() {
    if missing("a_control_group_can_be_left_out_and_let_in", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    assert!(is_told(&mut watch, 7610, EXCHANGE));
    let cgroup_id = watch.of_port(0, Role::Server, 7610)[0].ends.cgroup_id.expect("a cgroup");
    watch.probe.exclude_cgroup(cgroup_id, true).expect("it can be left out");
    assert!(!is_told(&mut watch, 7611, EXCHANGE));
    watch.probe.exclude_cgroup(cgroup_id, false).expect("it can be let in");
    watch.probe.exclude_cgroup(cgroup_id, false).expect("it is let in already");
    assert!(is_told(&mut watch, 7612, EXCHANGE));
}

fn listen(host: &Host, address: IpAddr) -> (TcpListener, SocketAddr) {
    let listener = host.run(|| TcpListener::bind((address, 0))).expect("a host can be entered");
    let listener = listener.expect("a socket can listen");
    let address = listener.local_addr().expect("a listener has an address");
    (listener, address)
}

fn connect(host: &Host, to: SocketAddr) -> TcpStream {
    let stream = host.run(|| TcpStream::connect(to)).expect("a host can be entered");
    stream.expect("a client connects")
}

/// A request and its answer; both sockets.
fn converse(client: &mut TcpStream, server: &mut TcpStream) {
    let mut buffer = [0; 99];
    client.write_all(GET.as_bytes()).expect("a client asks");
    assert_eq!(server.read(&mut buffer).expect("a server reads"), GET.len());
    server.write_all(OK.as_bytes()).expect("a server answers");
    assert_eq!(client.read(&mut buffer).expect("a client reads"), OK.len());
}

#[test]
fn of_two_ends_on_one_host_the_servers_is_told() {
    if missing("of_two_ends_on_one_host_the_servers_is_told", &NEEDS) {
        return;
    }
    for one_end in [true, false] {
        let payload = PayloadOptions { one_end, ..PayloadOptions::default() };
        let mut watch = Watch::new(2, payload);
        let loopback = [Ipv4Addr::LOCALHOST.into(), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let far = watch.lab.host(1);
        let cases = [
            (0, loopback[0]),
            (0, loopback[1]),
            (0, watch.lab.host(0).ipv4.into()),
            (1, far.ipv4.into()),
            (1, far.ipv6.into()),
        ];
        let mut ports = Vec::new();
        for (server_host, address) in cases {
            let (listener, to) = listen(watch.lab.host(server_host), address);
            ports.push(to.port());
            let mut client = connect(watch.lab.host(0), to);
            let (mut server, from) = listener.accept().expect("a server accepts");
            for _ in 0..3 {
                converse(&mut client, &mut server);
                watch.poll();
            }
            drop((client, server));
            watch.until(|watch| {
                let told = watch.of_port(server_host, Role::Server, to.port());
                told.first().is_some_and(|told| told.closed.is_some())
            });
            let [told] = watch.of_port(server_host, Role::Server, to.port())[..] else {
                panic!("{to}: no server's end")
            };
            assert_eq!(told.stream(Way::Received), (GET.repeat(3).into_bytes(), true), "{to}");
            assert_eq!(told.stream(Way::Sent), (OK.repeat(3).into_bytes(), true), "{to}");
            assert_eq!((told.ends.local.ip, told.ends.local.port), (address, to.port()));
            assert_eq!((told.ends.remote.ip, told.ends.remote.port), (from.ip(), from.port()));
            let pid = told.ends.process.as_ref().map(|process| process.pid);
            assert_eq!(pid, Some(std::process::id()), "{to}");
            let clients = watch.of_port(0, Role::Client, to.port());
            assert_eq!(clients.len(), usize::from(!one_end), "{to}");
            for told in clients {
                assert_eq!(told.stream(Way::Sent), (GET.repeat(3).into_bytes(), true), "{to}");
                assert_eq!(told.stream(Way::Received), (OK.repeat(3).into_bytes(), true));
            }
        }
        // Others on this machine may have pairs, too.
        let is_ours = |ends: &&L7Ends| ports.contains(&ends.remote.port);
        let withdrawn = watch.seen.withdrawn.iter().filter(is_ours).count();
        assert_eq!(withdrawn, if one_end { cases.len() } else { 0 });
        assert_eq!(watch.lost(), []);
    }
}

#[test]
fn a_connection_in_its_middle_is_told_from_then_on() {
    if missing("a_connection_in_its_middle_is_told_from_then_on", &NEEDS) {
        return;
    }
    let lab = Lab::new(1).expect("a lab");
    let mut conversations: Vec<_> = (0..3)
        .map(|_| {
            let (listener, to) = listen(lab.host(0), Ipv4Addr::LOCALHOST.into());
            let mut client = connect(lab.host(0), to);
            let (mut server, _) = listener.accept().expect("a server accepts");
            converse(&mut client, &mut server);
            client.write_all(b"half of something ").expect("a client sends");
            (client, server, to.port())
        })
        .collect();
    let mut watch = Watch::of(lab, &options(PayloadOptions::default()));
    let mut buffer = [0; 99];
    for (client, server, _) in &mut conversations {
        assert_eq!(server.read(&mut buffer).expect("a server reads"), 18);
        client.write_all(b"and the rest").expect("a client sends");
        assert_eq!(server.read(&mut buffer).expect("a server reads"), 12);
        converse(client, server);
        converse(client, server);
    }
    watch.poll();
    for (_, _, port) in &conversations {
        let [told] = watch.of_port(0, Role::Server, *port)[..] else { panic!("not told") };
        let received: Vec<_> =
            told.calls.iter().filter(|call| call.way == Way::Received).cloned().collect();
        assert_eq!(received.len(), 2);
        for (call, position) in received.iter().zip([30, 60]) {
            assert_eq!((call.position, &*call.bytes), (position, GET.as_bytes()));
        }
        assert_eq!(told.stream(Way::Sent), (OK.repeat(2).into_bytes(), true));
    }
    assert_eq!(watch.lost(), []);
}

#[test]
fn an_end_says_whether_it_was_a_reset_and_how_much_passed() {
    if missing("an_end_says_whether_it_was_a_reset_and_how_much_passed", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    let linger = "setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))";
    let cases = [
        ("client closes", "c.close(); a.recv(9); a.close()".to_owned(), false),
        ("server closes", "a.close(); c.recv(9); c.close()".to_owned(), false),
        ("half closed", "c.shutdown(1); a.recv(9); a.sendall(b'z'); a.close()".to_owned(), false),
        ("client resets", format!("c.{linger}; c.close(); a.close()"), true),
        ("server resets", format!("a.{linger}; a.close(); c.close()"), true),
        ("unread by the server", "c.sendall(b'more'); a.close()".to_owned(), true),
        ("at exit", "None".to_owned(), false),
    ];
    for (port, (name, end, is_reset)) in (7700u16..).zip(cases) {
        assert!(is_told(&mut watch, port, &format!("{EXCHANGE}\n{end}")), "{name}");
        watch.until(|watch| watch.of_port(0, Role::Server, port)[0].closed.is_some());
        let [told] = watch.of_port(0, Role::Server, port)[..] else { panic!("{name}") };
        assert_eq!(told.closed, Some(is_reset), "{name}");
        let ends: Vec<_> = told.calls[told.calls.len() - 2..]
            .iter()
            .map(|call| (call.way, call.position, call.length))
            .collect();
        let sent = 40 + u64::from(name == "half closed");
        assert_eq!(ends, [(Way::Sent, sent, 0), (Way::Received, 30, 0)], "{name}");
    }
}

#[test]
fn a_connection_of_which_there_is_enough_is_silent() {
    if missing("a_connection_of_which_there_is_enough_is_silent", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    let (listener, to) = listen(watch.lab.host(0), Ipv4Addr::LOCALHOST.into());
    let mut client = connect(watch.lab.host(0), to);
    let (mut server, _) = listener.accept().expect("a server accepts");
    converse(&mut client, &mut server);
    watch.poll();
    // others on this machine may speak HTTP, too
    let is_it = |told: &Told| told.ends.role == Role::Server && told.ends.local.port == to.port();
    let (id, told) = watch.seen.told.iter().find(|(_, told)| is_it(told)).expect("it is told");
    let (id, calls) = (*id, told.calls.len());
    watch.probe.ignore(id);
    for _ in 0..3 {
        converse(&mut client, &mut server);
        watch.poll();
    }
    drop((client, server));
    watch.poll();
    let told = &watch.seen.told[&id];
    assert_eq!((told.calls.len(), told.closed), (calls, None));
}

#[test]
fn what_finds_no_room_is_counted_and_leaves_a_gap() {
    if missing("what_finds_no_room_is_counted_and_leaves_a_gap", &NEEDS) {
        return;
    }
    let payload = PayloadOptions { ring_bytes_max: 1 << 16, ..PayloadOptions::default() };
    let mut watch = Watch::new(1, payload);
    let (listener, to) = listen(watch.lab.host(0), Ipv4Addr::LOCALHOST.into());
    let mut client = connect(watch.lab.host(0), to);
    let (mut server, _) = listener.accept().expect("a server accepts");
    for _ in 0..1000 {
        converse(&mut client, &mut server);
    }
    watch.poll();
    converse(&mut client, &mut server);
    watch.poll();
    let [told] = watch.of_port(0, Role::Server, to.port())[..] else { panic!("not told") };
    let told = told.calls.clone();
    let last = &told[told.len() - 2..];
    assert_eq!((last[0].position, &*last[0].bytes), (30_000, GET.as_bytes()));
    assert_eq!((last[1].position, &*last[1].bytes), (40_000, OK.as_bytes()));
    let lost = watch.lost();
    let ring_full = lost.iter().find(|(reason, _)| reason == "ring_full").map_or(0, |l| l.1);
    // Others on this machine may speak HTTP, too.
    assert!(ring_full + told.len() as u64 >= 2002, "{} told, {lost:?}", told.len());
    assert!(ring_full > 0, "{lost:?}");
}
