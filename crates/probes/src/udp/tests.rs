//! The UDP programs against sockets that know what they sent and received. Needs root.

mod dns;
mod hot;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use weir_model::{L4Record, ListenRecord, Netns, Role};
use weir_testkit::{Host, Lab, Need, missing};

use super::UdpProbe;
use super::support::HookSet;
use crate::collector::{Options, Sink};
use crate::dns::DnsProbe;
use crate::object;

const NEEDS: [Need; 3] = [Need::Root, Need::Btf, Need::Program("ip")];
const PYTHON: [Need; 4] = [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("python3")];
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Payload bytes and datagrams: sent, then received.
type Counts = [u64; 4];

/// A lab under watch.
struct Watch {
    lab: Lab,
    probe: UdpProbe,
    dns: DnsProbe,
    seen: Seen,
}

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

impl Watch {
    fn new(hosts: usize, options: &Options) -> Self {
        Self::of(Lab::new(hosts).expect("a lab"), options)
    }

    fn of(lab: Lab, options: &Options) -> Self {
        object::take_libbpf_log();
        let probe = UdpProbe::start(options).expect("the UDP probe starts");
        let dns = probe.dns().expect("the ring buffer can be read");
        Self { lab, probe, dns, seen: Seen::default() }
    }

    fn drain(&mut self) {
        self.probe.drain(&mut self.seen).expect("the probe is drained");
    }

    /// What one role of one host counted on a server's port.
    fn counts(&self, host: usize, role: Role, server_port: u16) -> Counts {
        let netns = netns(self.lab.host(host));
        let mut sums = [0; 4];
        for record in &self.seen.records {
            let port = if role == Role::Client { record.remote.port } else { record.local.port };
            if record.netns == netns && record.role == role && port == server_port {
                let counters = &record.counters;
                sums[0] += counters.bytes_sent;
                sums[1] += counters.packets_sent;
                sums[2] += counters.bytes_received;
                sums[3] += counters.packets_received;
            }
        }
        sums
    }

    /// Losses of the whole machine, on which others may well receive without asking from whom.
    fn lost(&mut self) -> Vec<(String, u64)> {
        let losses = self.probe.losses().into_iter().map(|loss| (loss.reason, loss.count));
        losses.filter(|(reason, _)| reason != "remote_unknown").collect()
    }
}

fn netns(host: &Host) -> Netns {
    let inode = host.run(|| std::fs::metadata("/proc/thread-self/ns/net").map(|of| of.ino()));
    let inode = inode.expect("a host can be entered").expect("a namespace has an inode");
    Netns(u32::try_from(inode).expect("inodes of nsfs have 32 bits"))
}

fn bind(host: &Host, address: IpAddr) -> UdpSocket {
    let socket = host.run(|| UdpSocket::bind((address, 0))).expect("a host can be entered");
    let socket = socket.expect("a socket can be bound");
    socket.set_read_timeout(Some(ANSWER_WITHIN)).expect("a timeout can be set");
    socket
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("a bound socket has an address").port()
}

const MAPPED: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Three questions of 101 bytes and answers of 57 between two sockets; gives both ends' counts.
fn exchange(server: &UdpSocket, client: &UdpSocket, to: SocketAddr, is_connected: bool) {
    let mut buffer = [0; 2048];
    if is_connected {
        client.connect(to).expect("a client connects");
    }
    for _ in 0..3 {
        let sent =
            if is_connected { client.send(&[1; 101]) } else { client.send_to(&[1; 101], to) };
        assert_eq!(sent.expect("a client sends"), 101);
        let (_, from) = server.recv_from(&mut buffer).expect("a server receives");
        server.send_to(&[2; 57], from).expect("a server answers");
        let received = if is_connected {
            client.recv(&mut buffer)
        } else {
            client.recv_from(&mut buffer).map(|(bytes, _)| bytes)
        };
        assert_eq!(received.expect("a client receives"), 57);
    }
}

#[test]
fn both_ends_count_every_byte_in_every_family() {
    if missing("both_ends_count_every_byte_in_every_family", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(2, &Options::default());
    let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let far = watch.lab.host(1);
    let (far4, far6) = (IpAddr::V4(far.ipv4), IpAddr::V6(far.ipv6));
    let (near4, near6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let mapped = |ip: Ipv4Addr| IpAddr::V6(ip.to_ipv6_mapped());
    let cases = [
        ("ipv4", 1, far4, any4, far4),
        ("ipv4, server bound to none", 1, any4, any4, far4),
        ("ipv6", 1, far6, any6, far6),
        ("client mapped", 1, far4, any6, mapped(far.ipv4)),
        ("server mapped", 1, MAPPED, any4, far4),
        ("loopback ipv4", 0, near4, any4, near4),
        ("loopback ipv6", 0, near6, any6, near6),
        ("loopback mapped", 0, near4, any6, mapped(Ipv4Addr::LOCALHOST)),
    ];
    for (name, server_host, server_bind, client_bind, to) in cases {
        for is_connected in [true, false] {
            let server = bind(watch.lab.host(server_host), server_bind);
            let client = bind(watch.lab.host(0), client_bind);
            let to = SocketAddr::new(to, port(&server));
            exchange(&server, &client, to, is_connected);
            watch.drain();
            let case = format!("{name}, connected: {is_connected}");
            let counted = watch.counts(0, Role::Client, to.port());
            assert_eq!(counted, [303, 3, 171, 3], "client, {case}");
            let counted = watch.counts(server_host, Role::Server, to.port());
            assert_eq!(counted, [171, 3, 303, 3], "server, {case}");
            let of_port = |record: &&L4Record| record.remote.port == to.port();
            let client_end = watch.seen.records.iter().rfind(of_port).expect("a client's record");
            assert_eq!(client_end.remote.ip, to.ip().to_canonical(), "{case}");
            let near = match to.ip().to_canonical() {
                ip if ip.is_loopback() => ip,
                IpAddr::V4(_) => watch.lab.host(0).ipv4.into(),
                IpAddr::V6(_) => watch.lab.host(0).ipv6.into(),
            };
            assert_eq!(client_end.local.ip, near, "{case}");
            let pid = client_end.process.as_ref().map(|process| process.pid);
            assert_eq!(pid, Some(std::process::id()), "{case}");
            let listened = watch.seen.listeners.iter().any(|l| l.local.port == to.port());
            assert!(listened, "{case}");
        }
    }
    assert_eq!(watch.lost(), []);
}

/// What every script begins with: a server's socket `s` at `to` and a client's socket `c`.
const PRELUDE: &str = "
import ctypes, os, socket, struct
def sockets(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.1', port))
    s.settimeout(10)
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    c.settimeout(10)
    return s, c, ('127.0.0.1', port)
SOL_UDP, SEGMENT, GRO = 17, 103, 104
class iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
class msghdr(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint),
                ('iov', ctypes.POINTER(iovec)), ('iovlen', ctypes.c_size_t),
                ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t),
                ('flags', ctypes.c_int)]
class mmsghdr(ctypes.Structure):
    _fields_ = [('hdr', msghdr), ('len', ctypes.c_uint)]
libc = ctypes.CDLL(None, use_errno=True)
def vector(count, size):
    buffers = [ctypes.create_string_buffer(size) for _ in range(count)]
    iovecs = [iovec(ctypes.cast(b, ctypes.c_void_p), size) for b in buffers]
    messages = (mmsghdr * count)()
    for message, vec in zip(messages, iovecs):
        message.hdr.iov = ctypes.pointer(vec)
        message.hdr.iovlen = 1
    return messages, buffers, iovecs
";

fn play(watch: &Watch, script: &str) {
    let script = format!("{PRELUDE}\n{script}");
    watch.lab.host(0).output("python3", &["-c", &script]).expect("the script runs");
}

#[test]
fn every_way_to_pass_datagrams_is_counted_once() {
    if missing("every_way_to_pass_datagrams_is_counted_once", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let whole = watch.probe.hook_set() == HookSet::Functions;
    let cases: [(&str, &str, Counts, Counts); 12] = [
        (
            "segmented by the socket's option",
            "c.setsockopt(SOL_UDP, SEGMENT, 100)\nc.sendto(b'x' * 1050, to)\n\
             for _ in range(11): s.recvfrom(2000)",
            [1050, 11, 0, 0],
            [0, 0, 1050, 11],
        ),
        (
            "segmented by the message",
            "c.sendmsg([b'x' * 1050], [(SOL_UDP, SEGMENT, struct.pack('H', 100))], 0, to)\n\
             for _ in range(11): s.recvfrom(2000)",
            [1050, 11, 0, 0],
            [0, 0, 1050, 11],
        ),
        (
            "merged when received",
            "s.setsockopt(SOL_UDP, GRO, 1)\nc.setsockopt(SOL_UDP, SEGMENT, 100)\n\
             c.sendto(b'x' * 1050, to)\nn = 0\n\
             while n < 1050: n += len(s.recvmsg(4000, 64)[0])",
            [1050, 11, 0, 0],
            [0, 0, 1050, 11],
        ),
        (
            "many in one call",
            "c.connect(to)\nm, b, i = vector(5, 70)\n\
             assert libc.sendmmsg(c.fileno(), m, 5, 0) == 5\n\
             s.connect(c.getsockname())\nr, b, i = vector(8, 200)\n\
             assert libc.recvmmsg(s.fileno(), r, 8, 0x40, None) == 5",
            [350, 5, 0, 0],
            [0, 0, 350, 5],
        ),
        (
            "peeked at",
            "c.sendto(b'x' * 33, to)\ns.recvfrom(100, socket.MSG_PEEK)\n\
             s.recv(100, socket.MSG_PEEK)\ns.recvfrom(100)",
            [33, 1, 0, 0],
            [0, 0, 33, 1],
        ),
        (
            "calls that fail",
            "s.setblocking(False)\nc.connect(to)\n\
             def fails(call):\n    try: call()\n    except OSError: return\n    assert False\n\
             fails(lambda: s.recv(9))\nfails(lambda: c.send(b'x' * 70000))\n\
             c.send(b'x' * 10)\ns.close()\nc.send(b'x' * 20)\nfails(lambda: c.recv(9))",
            [30, 2, 0, 0],
            [0; 4],
        ),
        (
            "of no bytes",
            "for _ in range(3): c.sendto(b'', to)\nfor _ in range(3): s.recvfrom(9)",
            [0, 3, 0, 0],
            [0, 0, 0, 3],
        ),
        (
            "put together from several calls",
            "c.sendto(b'a' * 10, 0x8000, to)\nc.sendto(b'b' * 20, to)\n\
             assert len(s.recvfrom(100)[0]) == 30",
            [30, 1, 0, 0],
            [0, 0, 30, 1],
        ),
        (
            "named although connected",
            "o = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             o.bind(('127.0.0.1', 0))\nc.connect(o.getsockname())\n\
             for _ in range(4): c.send(b'x'); c.sendto(b'y' * 7, to); s.recvfrom(9)",
            [28, 4, 0, 0],
            [0, 0, 28, 4],
        ),
        (
            "received without asking from whom",
            "c.sendto(b'x' * 21, to)\nc.sendto(b'x' * 22, to)\n\
             s.recv(100)\nos.read(s.fileno(), 99)",
            [43, 2, 0, 0],
            [0, 0, 43, 2],
        ),
        (
            "longer than the buffer",
            "c.sendto(b'x' * 100, to)\ns.recvfrom(40)",
            [100, 1, 0, 0],
            [0, 0, if whole { 100 } else { 40 }, 1],
        ),
        (
            "from many sockets to many",
            "for n in range(50):\n    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    \
             for _ in range(n):\n        d.sendto(b'z' * n, to)\n        \
             s.sendto(b'y', s.recvfrom(99)[1])\n    \
             for _ in range(n): d.recvfrom(9)",
            [40425, 1225, 1225, 1225],
            [1225, 1225, 40425, 1225],
        ),
    ];
    let ports = || 9000u16..;
    let script: Vec<_> = ports()
        .zip(&cases)
        .map(|(port, (name, script, ..))| {
            format!("# {name}\ns, c, to = sockets({port})\n{script}\n")
        })
        .collect();
    play(&watch, &script.concat());
    watch.drain();
    for (port, (name, _, client, server)) in ports().zip(cases) {
        assert_eq!(watch.counts(0, Role::Client, port), client, "client: {name}");
        assert_eq!(watch.counts(0, Role::Server, port), server, "server: {name}");
    }
    let losses = watch.probe.losses();
    let unknown = losses.iter().find(|loss| loss.reason == "remote_unknown");
    let unknown = unknown.map_or(0, |loss| loss.count);
    assert!(whole || unknown >= 2, "two datagrams had no known sender: {losses:?}");
}

#[test]
fn ten_thousand_clients_are_one_key() {
    if missing("ten_thousand_clients_are_one_key", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let script = "s, c, to = sockets(9100)\nfor n in range(10000):\n    \
                  d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    \
                  d.sendto(b'x' * 10, to)\n    s.recvfrom(99)\n    d.close()";
    play(&watch, script);
    watch.drain();
    assert_eq!(watch.counts(0, Role::Client, 9100), [100_000, 10_000, 0, 0]);
    assert_eq!(watch.counts(0, Role::Server, 9100), [0, 0, 100_000, 10_000]);
    assert_eq!(watch.seen.records.iter().filter(|r| r.remote.port == 9100).count(), 1);
    assert_eq!(watch.seen.records.iter().filter(|r| r.local.port == 9100).count(), 1);
    assert_eq!(watch.lost(), []);
}

#[test]
fn what_finds_no_room_is_counted_as_lost() {
    if missing("what_finds_no_room_is_counted_as_lost", &PYTHON) {
        return;
    }
    let options = Options { sums_max: 8, ..Options::default() };
    let mut watch = Watch::new(1, &options);
    let script =
        "s, c, to = sockets(9200)\nfor n in range(1000): c.sendto(b'x', ('127.0.0.1', 20000 + n))";
    play(&watch, script);
    watch.drain();
    let netns = netns(watch.lab.host(0));
    let of_host = watch.seen.records.iter().filter(|record| record.netns == netns);
    let counted: u64 = of_host.map(|record| record.counters.packets_sent).sum();
    let lost = watch.lost();
    let sums_full = lost.iter().find(|(reason, _)| reason == "sums_full").map_or(0, |l| l.1);
    assert!(counted < 1000, "{counted} of 1000 found room for 8");
    assert!(counted + sums_full >= 1000, "{counted} counted, {lost:?}");
}

#[test]
fn sockets_that_exist_at_start_keep_their_roles() {
    if missing("sockets_that_exist_at_start_keep_their_roles", &NEEDS) {
        return;
    }
    let lab = Lab::new(2).expect("a lab");
    let server = bind(lab.host(1), lab.host(1).ipv4.into());
    let client = bind(lab.host(0), Ipv4Addr::UNSPECIFIED.into());
    let to = server.local_addr().expect("a bound socket has an address");
    client.send_to(&[1; 9], to).expect("a client sends");
    let (_, from) = server.recv_from(&mut [0; 9]).expect("a server receives");
    let mut watch = Watch::of(lab, &Options::default());
    for _ in 0..2 {
        server.send_to(&[2; 50], from).expect("a server answers");
        client.recv_from(&mut [0; 99]).expect("a client receives");
    }
    watch.drain();
    assert_eq!(watch.counts(0, Role::Client, to.port()), [0, 0, 100, 2]);
    assert_eq!(watch.counts(1, Role::Server, to.port()), [100, 2, 0, 0]);
}

#[test]
fn an_answer_after_the_window_of_its_question_is_still_a_servers() {
    if missing("an_answer_after_the_window_of_its_question_is_still_a_servers", &NEEDS) {
        return;
    }
    let mut watch = Watch::new(2, &Options::default());
    let server = bind(watch.lab.host(1), watch.lab.host(1).ipv4.into());
    let clients = [0, 1].map(|host| bind(watch.lab.host(host), Ipv4Addr::UNSPECIFIED.into()));
    let to = server.local_addr().expect("a bound socket has an address");
    let froms = clients.each_ref().map(|client| {
        client.send_to(&[1; 9], to).expect("a client sends");
        server.recv_from(&mut [0; 9]).expect("a server receives").1
    });
    watch.drain();
    watch.seen.records.clear();
    for from in froms {
        server.send_to(&[2; 50], from).expect("a server answers");
    }
    watch.drain();
    assert_eq!(watch.counts(1, Role::Server, to.port()), [100, 2, 0, 0]);
}

#[test]
fn loopback_is_left_out_when_told_so() {
    if missing("loopback_is_left_out_when_told_so", &NEEDS) {
        return;
    }
    let options = Options { loopback: false, ..Options::default() };
    let mut watch = Watch::new(2, &options);
    for (server_host, ip) in [(0, Ipv4Addr::LOCALHOST), (1, watch.lab.host(1).ipv4)] {
        let server = bind(watch.lab.host(server_host), ip.into());
        let client = bind(watch.lab.host(0), Ipv4Addr::UNSPECIFIED.into());
        exchange(&server, &client, server.local_addr().expect("it is bound"), false);
        watch.drain();
        let expected = if server_host == 0 { [0; 4] } else { [303, 3, 171, 3] };
        assert_eq!(watch.counts(0, Role::Client, port(&server)), expected);
    }
}
