//! DNS messages as the programs hand them over, at both ends, whatever call passed them.

use weir_model::{DnsMessage, Transport, Way};

use super::*;

/// What a message must be: way, whether the client's end told it, first byte, bytes, whether cut.
type Told = (Way, bool, u8, usize, bool);

use Way::{Received, Sent};

impl Watch {
    /// Messages that the host's sockets passed, once `count` have come or time is up.
    fn messages(&mut self, host: usize, count: usize) -> Vec<DnsMessage> {
        let netns = netns(self.lab.host(host));
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut messages = Vec::new();
        while messages.len() < count && Instant::now() < deadline {
            self.dns.poll(Duration::from_millis(50), &mut |message| {
                if message.netns == netns {
                    messages.push(message);
                }
            });
        }
        messages
    }
}

fn told(message: &DnsMessage) -> Told {
    let is_client = message.remote.port() == 53;
    let first = message.payload.first().copied().unwrap_or_default();
    (message.way, is_client, first, message.payload.len(), message.truncated)
}

fn check(messages: &[DnsMessage], expected: &[Told], transport: Transport) {
    let got: Vec<Told> = messages.iter().map(told).collect();
    assert_eq!(got, expected);
    for message in messages {
        let (ours, theirs) = (message.local, message.remote);
        let server = if theirs.port() == 53 { theirs } else { ours };
        assert_eq!(server, SocketAddr::from(([127, 0, 0, 1], 53)));
        assert_eq!(message.local.ip(), IpAddr::from([127, 0, 0, 1]));
        let name = message.process.as_ref().map(|process| process.name.to_string());
        assert_eq!(name.as_deref(), Some("python3"));
        assert_eq!(message.transport, transport);
        assert!(message.socket != 0 && message.cgroup_id.is_some() && message.mono_ns > 0);
    }
}

#[test]
fn whatever_call_receives_a_datagram_it_is_handed_over() {
    if missing("whatever_call_receives_a_datagram_it_is_handed_over", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let calls = [
        "c.recvfrom(2000)",
        "c.recv(2000)",
        "c.recvmsg(2000)",
        "os.read(c.fileno(), 2000)",
        "os.readv(c.fileno(), [bytearray(1500), bytearray(500)])",
        "libc.recvmmsg(c.fileno(), m, 4, 0x10000, None)",
        "c.recvfrom(2000, socket.MSG_PEEK); c.recvfrom(2000)",
    ];
    let mut script =
        "s, c, to = sockets(53)\nc.connect(to)\nm, b, i = vector(4, 2000)\n".to_owned();
    let mut expected = Vec::new();
    let question = [(Sent, true, b'?', 1, false), (Received, false, b'?', 1, false)];
    for (number, call) in (0u8..).zip(calls) {
        script += &format!(
            "c.send(b'?'); s.sendto(b'{number}' * (100 + {number}), s.recvfrom(9)[1])\n{call}\n"
        );
        let (byte, bytes) = (b'0' + number, 100 + usize::from(number));
        expected.extend(question);
        expected.extend([(Sent, false, byte, bytes, false), (Received, true, byte, bytes, false)]);
    }
    script += "c.send(b'?'); a = s.recvfrom(9)[1]\n\
               for n in (200, 201, 202): s.sendto(b'v' * n, a)\n\
               libc.recvmmsg(c.fileno(), m, 4, 0x10000, None)\n\
               c.send(b'?'); s.sendto(b'z' * 1400, s.recvfrom(9)[1]); c.recv(2000)\n\
               s, c, to = sockets(54)\nc.sendto(b'?', to)\n\
               s.sendto(b'no', s.recvfrom(9)[1]); c.recv(9)";
    expected.extend(question);
    expected.extend([200, 201, 202].map(|bytes| (Sent, false, b'v', bytes, false)));
    expected.extend([200, 201, 202].map(|bytes| (Received, true, b'v', bytes, false)));
    expected.extend(question);
    // of what a server sends, the question is enough
    expected.extend([(Sent, false, b'z', 288, true), (Received, true, b'z', 1232, true)]);
    play(&watch, &script);
    check(&watch.messages(0, expected.len()), &expected, Transport::Udp);
    assert_eq!(watch.lost(), []);
}

#[test]
fn whatever_call_sends_a_datagram_it_is_handed_over() {
    if missing("whatever_call_sends_a_datagram_it_is_handed_over", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let calls = [
        ("c.sendto(b'a' * 30, to)", vec![(b'a', 30)]),
        ("c.connect(to); c.send(b'b' * 31)", vec![(b'b', 31)]),
        ("c.sendmsg([b'c' * 32])", vec![(b'c', 32)]),
        ("os.write(c.fileno(), b'd' * 33)", vec![(b'd', 33)]),
        ("os.writev(c.fileno(), [b'e' * 34])", vec![(b'e', 34)]),
        (
            "b[0][:40] = b'f' * 40; b[1][:41] = b'g' * 41\n\
             i[0].len = 40; i[1].len = 41\n\
             assert libc.sendmmsg(c.fileno(), m, 2, 0) == 2",
            vec![(b'f', 40), (b'g', 41)],
        ),
        // a busy socket is still looked at
        ("for _ in range(20): c.send(b'h' * 35)", vec![(b'h', 35); 20]),
    ];
    let mut script = "s, c, to = sockets(53)\nm, b, i = vector(2, 50)\n".to_owned();
    let mut expected: Vec<Told> = Vec::new();
    for (call, sent) in &calls {
        script += &format!("{call}\nfor _ in range({}): s.recvfrom(99)\n", sent.len());
        expected.extend(sent.iter().map(|(byte, bytes)| (Sent, true, *byte, *bytes, false)));
    }
    play(&watch, &script);
    let messages = watch.messages(0, 2 * expected.len());
    let (sent, received): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.way == Sent);
    check(&sent, &expected, Transport::Udp);
    let received_as: Vec<Told> = expected
        .iter()
        .map(|(_, _, byte, bytes, is_cut)| (Received, false, *byte, *bytes, *is_cut))
        .collect();
    check(&received, &received_as, Transport::Udp);
    assert_eq!(watch.lost(), []);
}

/// A server's connection `s` at port 53 and its client `c`; `frame` puts the length before a
/// message, `got` reads until so many bytes have come.
const STREAMS: &str = "
l = socket.create_server(('127.0.0.1', 53))
c = socket.create_connection(('127.0.0.1', 53))
s = l.accept()[0]
def frame(message): return struct.pack('>H', len(message)) + message
def got(d, count):
    while count: count -= len(d.recv(count))
";

#[test]
fn messages_over_tcp_are_put_together_again() {
    if missing("messages_over_tcp_are_put_together_again", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options::default());
    let script = format!(
        "{STREAMS}
c.sendall(frame(b'a' * 30)); got(s, 32)
s.sendmsg([struct.pack('>H', 900), b'b' * 900]); got(c, 2); got(c, 900)
os.writev(c.fileno(), [b'\\0', b'\\x1f', b'c' * 20, b'c' * 5, b'c' * 6]); got(s, 33)
for byte in frame(b'd' * 40): s.send(bytes([byte]))
c.recv(42, socket.MSG_PEEK | socket.MSG_WAITALL)
os.readv(c.fileno(), [bytearray(2), bytearray(20), bytearray(20)])
c.sendall(frame(b'e' * 50) + frame(b'f' * 51)); s.recv(500, socket.MSG_PEEK); got(s, 105)
s.sendall(frame(b'g' * 5000)); got(c, 5002)
"
    );
    let both = |is_from_client: bool, byte, bytes, is_cut| {
        let sent = (Sent, is_from_client, byte, bytes, is_cut);
        [sent, (Received, !is_from_client, byte, bytes, is_cut)]
    };
    let mut expected: Vec<Told> = [
        both(true, b'a', 30, false),
        both(false, b'b', 900, false),
        both(true, b'c', 31, false),
        both(false, b'd', 40, false),
        both(true, b'e', 50, false),
        both(true, b'f', 51, false),
        both(false, b'g', 1230, true),
    ]
    .concat();
    // of the buffers of a call the first four are read
    expected[4] = (Sent, true, b'c', 25, true);
    play(&watch, &script);
    let mut messages = watch.messages(0, expected.len());
    let order = |told: &Told| (told.2, told.0 == Received);
    messages.sort_by_key(|message| order(&told(message)));
    expected.sort_by_key(order);
    check(&messages, &expected, Transport::Tcp);
    assert_eq!(watch.lost(), []);
}

#[test]
fn nothing_is_handed_over_where_dns_is_off() {
    if missing("nothing_is_handed_over_where_dns_is_off", &PYTHON) {
        return;
    }
    let mut watch = Watch::new(1, &Options { dns: false, ..Options::default() });
    play(
        &watch,
        &format!(
            "s, c, to = sockets(53)\nfor _ in range(20): c.sendto(b'x', to); s.recvfrom(9)\n\
             {STREAMS}\nc.sendall(frame(b'a' * 30)); got(s, 32)"
        ),
    );
    let netns = netns(watch.lab.host(0));
    watch.dns.poll(Duration::ZERO, &mut |message| assert_ne!(message.netns, netns));
    watch.drain();
    assert_eq!(watch.counts(0, Role::Client, 53), [20, 20, 0, 0]);
    let stats = watch.probe.program_stats();
    assert!(stats.iter().all(|stats| !stats.name.starts_with("dns_")), "{stats:?}");
}
