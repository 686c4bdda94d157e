//! Busy connected sockets, which count in a table of their own with the `calls` hooks.

use std::thread;

use super::*;

/// A client `c` and two servers, `s` at `to` and `t` at `to2`; `n(count, call)` repeats a call.
const SOCKETS: &str = "
import resource, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
def n(count, call):
    for _ in range(count): call()
def fails(call):
    try: call()
    except OSError: return
    assert False
def client():
    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.connect(to)
    return d
def busy(d):
    n(40, lambda: d.send(b'x' * 10))
def meet():
    c.connect(to); c.send(b'')
    s.connect(s.recvfrom(9)[1])
def talk(count):
    for _ in range(count): c.send(b'x' * 10); s.recv(99); s.send(b'y' * 7); c.recv(99)
";

/// What happens, and what each server's port must count: clients' ends, servers' ends.
type Case = (&'static str, &'static str, [(Counts, Counts); 2]);

const NOTHING: (Counts, Counts) = ([0; 4], [0; 4]);

const fn sent(bytes: u64, packets: u64) -> (Counts, Counts) {
    ([bytes, packets, 0, 0], [0; 4])
}

const CASES: [Case; 12] = [
    (
        "connected at both ends",
        "meet(); talk(300)",
        [([3000, 301, 2100, 300], [2100, 300, 3000, 301]), NOTHING],
    ),
    (
        "IPv6 sockets that speak IPv4",
        "c, s = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in 'cs']\n\
         s.bind(('::ffff:127.0.0.1', to3[1])); to = s.getsockname()\nmeet(); talk(300)",
        [NOTHING, NOTHING],
    ),
    (
        "connected anew, there and back",
        "c.connect(to); busy(c); c.connect(to2); busy(c); c.connect(to); busy(c)",
        [sent(800, 80), sent(400, 40)],
    ),
    (
        "disconnected",
        "c.connect(to); busy(c)\nassert libc.connect(c.fileno(), bytes(16), 16) == 0\n\
         fails(lambda: c.send(b'x')); n(30, lambda: c.sendto(b'z', to2)); c.connect(to); busy(c)",
        [sent(800, 80), sent(30, 30)],
    ),
    (
        "two threads at one socket",
        "c.connect(to)\nall = [threading.Thread(target=n, args=(9000, lambda: c.send(b'x' * 3)))\n       \
         for _ in range(2)]\nfor a in all: a.start()\nfor a in all: a.join()",
        [sent(54000, 18000), NOTHING],
    ),
    (
        "another socket at the same address right away",
        "for i in range(300):\n    d = client()\n    if i % 2: d.connect(to2)\n    busy(d); d.close()",
        [sent(60000, 6000), sent(60000, 6000)],
    ),
    (
        "more sockets than slots",
        "all = [client() for _ in range(12000)]\nfor d in all: busy(d)\nfor d in all: busy(d)\nfor d in all: d.close()",
        [sent(9_600_000, 960_000), NOTHING],
    ),
    (
        "corked meanwhile",
        "c.connect(to); busy(c)\nfor _ in range(20): c.send(b'a' * 10, 0x8000); c.send(b'b' * 20)\n\
         busy(c)",
        [sent(1400, 100), NOTHING],
    ),
    (
        "another remote named meanwhile",
        "c.connect(to); busy(c)\nfor _ in range(20): c.sendto(b'y' * 7, to2); c.send(b'x')\n\
         c.sendto(b'own', to); busy(c)",
        [sent(823, 101), sent(140, 20)],
    ),
    (
        "peeked, empty, failed and not there",
        "meet(); talk(30)\nc.send(b'123'); s.recv(9, socket.MSG_PEEK); s.recv(9)\n\
         s.send(b''); c.recv(9); c.setblocking(False); fails(lambda: c.recv(9))\n\
         fails(lambda: c.send(b'x' * 70000)); talk(0)",
        [([303, 32, 210, 31], [210, 31, 303, 32]), NOTHING],
    ),
    (
        "segmented and merged",
        "meet(); talk(30)\n\
         c.sendmsg([b'x' * 1050], [(SOL_UDP, SEGMENT, struct.pack('H', 100))])\n\
         n(11, lambda: s.recv(2000)); s.setsockopt(SOL_UDP, GRO, 1)\n\
         c.setsockopt(SOL_UDP, SEGMENT, 100); c.send(b'x' * 1050); got = 0\n\
         while got < 1050: got += len(s.recvmsg(4000, 64)[0])",
        [([2400, 53, 210, 30], [210, 30, 2400, 53]), NOTHING],
    ),
    (
        "many in one call",
        "meet(); talk(30); m, b, i = vector(5, 70)\n\
         assert libc.sendmmsg(c.fileno(), m, 5, 0) == 5\nr, b, i = vector(8, 200)\n\
         assert libc.recvmmsg(s.fileno(), r, 8, 0x40, None) == 5",
        [([650, 36, 210, 30], [210, 30, 650, 36]), NOTHING],
    ),
];

const PORTS: u16 = 1_000;
/// From a case's first port to its second, and to its third.
const FURTHER: u16 = 2_000;

fn hot_sockets(probe: &UdpProbe) -> usize {
    let table = probe.skel.maps.bss_hot_data.as_deref().expect("the object has hot sockets");
    table.hot_sockets.iter().filter(|slot| slot.owner != 0).count()
}

fn script() -> String {
    let mut script = format!("{PRELUDE}\n{SOCKETS}");
    for (port, (name, actions, _)) in (PORTS..).zip(&CASES) {
        let (second, third) = (port + FURTHER, port + 2 * FURTHER);
        script += &format!(
            "# {name}\ns, c, to = sockets({port})\nt, c, to2 = sockets({second})\n\
             to3 = ('127.0.0.1', {third})\n{actions}\n"
        );
    }
    script
}

#[test]
fn busy_sockets_are_counted_exactly_whatever_becomes_of_them() {
    if missing("busy_sockets_are_counted_exactly_whatever_becomes_of_them", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let script = script();
    let mut hot_most = 0;
    // Reading goes on meanwhile, so that sockets are released and set beside it.
    thread::scope(|scope| {
        let host = watch.lab.host(0);
        let playing = scope.spawn(|| host.output("python3", &["-c", &script]).map(drop));
        while !playing.is_finished() {
            watch.probe.drain(&mut watch.seen).expect("the probe is drained");
            hot_most = hot_most.max(hot_sockets(&watch.probe));
            thread::yield_now();
        }
        playing.join().expect("no panic").expect("the script runs");
    });
    watch.drain();
    for (port, (name, _, ports)) in (PORTS..).zip(CASES) {
        for (port, (client, server)) in [port, port + FURTHER].into_iter().zip(ports) {
            assert_eq!(watch.counts(0, Role::Client, port), client, "client of {port}: {name}");
            assert_eq!(watch.counts(0, Role::Server, port), server, "server {port}: {name}");
        }
    }
    let mapped = PORTS + 1 + 2 * FURTHER;
    assert_eq!(watch.counts(0, Role::Client, mapped), [3000, 301, 2100, 300]);
    assert_eq!(watch.counts(0, Role::Server, mapped), [2100, 300, 3000, 301]);
    assert_eq!(watch.lost(), []);
    if watch.probe.hook_set() == HookSet::Calls {
        assert!(hot_most > 1000, "{hot_most} of 12000 busy sockets had a slot");
        // The machine's other busy sockets have theirs.
        let left = hot_sockets(&watch.probe);
        assert!(left < 100, "{left} slots are not free again");
    }
}
