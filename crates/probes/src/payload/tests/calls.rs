//! Every way to pass bytes, as the server's end is told of it.

use weir_model::Role;
use weir_testkit::missing;

use super::{Call, GET, NEEDS, OK, PayloadOptions, Watch, Way};

/// One call: `<` received or `>` sent, position, length, and the bytes captured.
type Expected<'a> = (char, u64, u32, &'a [u8]);

fn shown(calls: &[Call]) -> Vec<Expected<'_>> {
    let show = |call: &Call| if call.way == Way::Received { '<' } else { '>' };
    calls.iter().map(|call| (show(call), call.position, call.length, &*call.bytes)).collect()
}

/// Plays each script with a connection `c`, `a` of its own, then compares what its server told
/// before the close.
fn check(name: &str, cases: &[(&str, &str, Vec<Expected<'_>>)]) {
    if missing(name, &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    let ports = || 7000u16..;
    for (port, (name, script, _)) in ports().zip(cases) {
        watch.play(0, &format!("# {name}\nc, a = pair({port})\n{script}"));
    }
    for (port, (name, _, expected)) in ports().zip(cases) {
        let of_port = watch.of_port(0, Role::Server, port);
        let [told] = of_port[..] else { panic!("{name}: {of_port:?}") };
        let (told, ends) = told.calls.split_at(told.calls.len().saturating_sub(2));
        assert_eq!(shown(told), *expected, "{name}");
        for (end, way) in ends.iter().zip(['>', '<']) {
            let of_way = expected.iter().filter(|call| call.0 == way);
            let passed = of_way.map(|call| call.1 + u64::from(call.2)).max().unwrap_or(0);
            assert_eq!(shown(std::slice::from_ref(end)), [(way, passed, 0, &[][..])], "{name}");
        }
        assert!(watch.of_port(0, Role::Client, port).is_empty(), "{name}: the client's is told");
    }
    assert_eq!(watch.lost(), []);
}

/// A request, and its answer passed by other means than `send`.
fn exchange(answer: Vec<Expected<'_>>) -> Vec<Expected<'_>> {
    [vec![('<', 0, 30, GET.as_bytes())], answer].concat()
}

fn whole(text: &str) -> Vec<Expected<'_>> {
    vec![('>', 0, text.len() as u32, text.as_bytes())]
}

/// A FIN takes a sequence number, and may be read with the last bytes.
#[test]
fn a_call_that_reads_the_end_reads_no_more_than_its_bytes() {
    let script = "for _ in range(2): c.sendall(GET); a.recv(99); a.sendall(OK); c.recv(99)\n\
                  c.sendall(GET); c.shutdown(1); time.sleep(0.2); a.recv(99); a.recv(9)";
    let (get, ok) = (GET.as_bytes(), OK.as_bytes());
    let expected = vec![
        ('<', 0, 30, get),
        ('>', 0, 40, ok),
        ('<', 30, 30, get),
        ('>', 40, 40, ok),
        ('<', 60, 30, get),
    ];
    check(
        "a_call_that_reads_the_end_reads_no_more_than_its_bytes",
        &[("the last request comes with the end", script, expected)],
    );
}

#[test]
fn every_call_hands_over_its_bytes() {
    let receive = "c.sendall(GET); a.recv(999); ";
    let script = |answer: &str| format!("{receive}{answer}; c.recv(999)");
    let sends = [
        ("send", "a.send(OK)"),
        ("write", "os.write(a.fileno(), OK)"),
        ("sendto", "a.sendto(OK, a.getpeername())"),
        ("sendmsg", "a.sendmsg([OK])"),
        ("sendmsg of three", "a.sendmsg([OK[:20], OK[20:21], OK[21:]])"),
        ("sendmsg of forty", "a.sendmsg([OK[i:i + 1] for i in range(40)])"),
        ("sendmsg with nothing between", "a.sendmsg([OK[:20], b'', OK[20:]])"),
        ("writev", "os.writev(a.fileno(), [OK[:9], OK[9:]])"),
    ];
    let mut scripts: Vec<_> = sends.map(|(name, send)| (name, script(send))).into();
    let receives = [
        ("recv_into", "b = bytearray(50); a.recv_into(b)"),
        ("read", "os.read(a.fileno(), 99)"),
        ("recvmsg", "a.recvmsg(99)"),
        ("recvmsg into three", "a.recvmsg_into([bytearray(4), bytearray(1), bytearray(99)])"),
        ("readv", "os.readv(a.fileno(), [bytearray(7), bytearray(99)])"),
        ("peeked at first", "a.recv(9, socket.MSG_PEEK); a.recv(99)"),
    ];
    scripts.extend(receives.map(|(name, receive)| {
        (name, format!("c.sendall(GET); {receive}; a.sendall(OK); c.recv(999)"))
    }));
    let case =
        |(name, script): &'static (&'static str, String)| (*name, &**script, exchange(whole(OK)));
    let scripts: &'static [_] = Vec::leak(scripts);
    check("every_call_hands_over_its_bytes", &scripts.iter().map(case).collect::<Vec<_>>());
}

#[test]
fn what_has_no_buffer_is_told_by_its_length() {
    let get = GET.as_bytes();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    let cases = [
        (
            "sendfile",
            "c.sendall(GET); a.recv(99)\n\
             a.send(OK.replace(b': 2', b': 5000')[:-2])\n\
             f = os.memfd_create('f'); os.write(f, b'f' * 5000)\n\
             os.sendfile(a.fileno(), f, 0, 5000); take(c, 5041)",
            vec![('<', 0, 30, get), ('>', 0, 41, &head[..]), ('>', 41, 5000, &[][..])],
        ),
        (
            "thrown away",
            "c.sendall(GET); a.recv(20); a.recv(10, socket.MSG_TRUNC); c.sendall(GET); a.recv(99)",
            vec![('<', 0, 20, &get[..20]), ('<', 20, 10, &[][..]), ('<', 30, 30, get)],
        ),
    ];
    check("what_has_no_buffer_is_told_by_its_length", &cases);
}

#[test]
fn what_no_hook_saw_leaves_a_gap_of_its_size() {
    let get = GET.as_bytes();
    let cases = [(
        "spliced",
        "c.sendall(GET); a.recv(99); c.sendall(b'x' * 3000); r, w = os.pipe()\n\
         n = 0\n\
         while n < 3000: n += os.splice(a.fileno(), w, 3000 - n)\n\
         c.sendall(GET); a.recv(99)",
        vec![('<', 0, 30, get), ('<', 3030, 30, get)],
    )];
    check("what_no_hook_saw_leaves_a_gap_of_its_size", &cases);
}

#[test]
fn a_head_is_copied_further_than_a_body() {
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(6000));
    let (long, body) = (long.as_bytes(), vec![b'b'; 3000]);
    let answer = [&b"HTTP/1.1 200 OK\r\n"[..], &b"h"[..].repeat(3000)].concat();
    let cases = [
        (
            "a long request",
            "c.sendall(b'GET /' + b'a' * 6000 + b' HTTP/1.1\\r\\n'); take(a, 6016)",
            vec![('<', 0, 6016, &long[..4096])],
        ),
        (
            "a long answer, and its body",
            "c.sendall(GET); a.recv(99)\n\
             a.send(b'HTTP/1.1 200 OK\\r\\n' + b'h' * 3000)\n\
             for _ in range(6): a.send(b'b' * 3000)\n\
             take(c, 21017)",
            exchange(
                [vec![('>', 0, 3017, &answer[..1024])]]
                    .into_iter()
                    .chain((0..6).map(|n| {
                        let captured = if n < 4 { 1024 } else { 256 };
                        vec![('>', 3017 + n * 3000, 3000, &body[..captured])]
                    }))
                    .collect::<Vec<_>>()
                    .concat(),
            ),
        ),
    ];
    check("a_head_is_copied_further_than_a_body", &cases);
}

#[test]
fn pipelined_requests_are_one_call() {
    let three = GET.repeat(3);
    let answers = OK.repeat(3);
    let cases = [(
        "three at once",
        "c.sendall(GET * 3); a.recv(999); a.sendall(OK * 3); take(c, 120)",
        vec![('<', 0, 90, three.as_bytes()), ('>', 0, 120, answers.as_bytes())],
    )];
    check("pipelined_requests_are_one_call", &cases);
}

#[test]
fn a_request_of_single_bytes_is_told_whole() {
    let name = "a_request_of_single_bytes_is_told_whole";
    if missing(name, &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    watch.play(
        0,
        "c, a = pair(7100)\n\
         for n in range(len(GET)): c.send(GET[n:n + 1]); a.recv(1)\n\
         for n in range(len(OK)): a.send(OK[n:n + 1]); c.recv(1)",
    );
    let of_port = watch.of_port(0, Role::Server, 7100);
    let [told] = of_port[..] else { panic!("{of_port:?}") };
    assert_eq!(told.stream(Way::Received), (GET.into(), true));
    assert_eq!(told.stream(Way::Sent), (OK.into(), true));
    assert_eq!(told.calls[0].length, 4, "what came before it could be told for a request");
    assert_eq!(watch.lost(), []);
}

#[test]
fn a_megabyte_is_accounted_for_to_the_byte() {
    let name = "a_megabyte_is_accounted_for_to_the_byte";
    if missing(name, &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    watch.play(
        0,
        "c, a = pair(7200)\n\
         t = threading.Thread(target=lambda: c.sendall(b'POST / HTTP/1.1\\r\\n\\r\\n' + b'p' * (1 << 20)))\n\
         t.start(); take(a, (1 << 20) + 19); t.join()\n\
         t = threading.Thread(target=lambda: a.sendall(OK[:-2] + b'b' * (1 << 20)))\n\
         t.start(); take(c, (1 << 20) + 38); t.join()",
    );
    let of_port = watch.of_port(0, Role::Server, 7200);
    let [told] = of_port[..] else { panic!("{of_port:?}") };
    for (way, head) in [(Way::Received, 19), (Way::Sent, 38)] {
        let mut position = 0;
        for call in told.calls.iter().filter(|call| call.way == way) {
            assert_eq!(call.position, position, "{way:?}");
            assert!(call.bytes.len() <= 4096, "{way:?}: {} bytes", call.bytes.len());
            position += u64::from(call.length);
        }
        assert_eq!(position, (1 << 20) + head, "{way:?}");
    }
    assert_eq!(watch.lost(), []);
}

/// A frame on stream 1, as `frame()` of [`FRAMES`] makes it.
fn frame(kind: u8, size: u32) -> Vec<u8> {
    let [_, length @ ..] = size.to_be_bytes();
    [&length[..], &[kind, 0, 0, 0, 0, 1], &vec![b'd'; size as usize]].concat()
}

const FRAMES: &str = r"
def frame(kind, size):
    return size.to_bytes(3, 'big') + bytes([kind, 0, 0, 0, 0, 1]) + b'd' * size
DATA, HEADERS = 0, 1
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
";

/// What the server's end tells one way, with what both ends do after the preface.
fn http2_told(name: &str, port: u16, way: Way, script: &str) -> Option<Vec<Call>> {
    if missing(name, &NEEDS) {
        return None;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    let begin = format!("c, a = pair({port})\nc.sendall(PREFACE); a.recv(99)");
    watch.play(0, &format!("{FRAMES}\n{begin}\n{script}"));
    let of_port = watch.of_port(0, Role::Server, port);
    let [told] = of_port[..] else { panic!("{of_port:?}") };
    let mut calls: Vec<_> = told.calls.iter().filter(|call| call.way == way).cloned().collect();
    let end = calls.pop().expect("the close is told");
    assert_eq!((end.length, end.bytes.len()), (0, 0), "{end:?}");
    assert_eq!(watch.lost(), []);
    Some(calls)
}

/// Bodies of which a window has only a part are told by their length; all else is copied.
#[test]
fn of_http2_all_is_copied_but_long_bodies() {
    let name = "of_http2_all_is_copied_but_long_bodies";
    let script = "call = frame(DATA, 16384) + frame(HEADERS, 20) + frame(DATA, 50000)\n\
                  c.sendall(call + frame(HEADERS, 3000))\n\
                  a.recv(len(call) - 30000, socket.MSG_WAITALL); a.recv(30000 + 3009, \
                  socket.MSG_WAITALL)";
    let Some(calls) = http2_told(name, 7300, Way::Received, script) else { return };
    let long = frame(1, 3000);
    let seam = [&frame(1, 20)[..], &frame(0, 50_000)[..9]].concat();
    let expected: Vec<Expected<'_>> = vec![
        ('<', 0, 24, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ('<', 24, 16_393, &[0, 0x40, 0, 0, 0, 0, 0, 0, 1]),
        ('<', 16_417, 20_038, &seam),
        ('<', 36_455, 30_000, &[]),
        ('<', 66_455, 1024, &long[..1024]),
        ('<', 67_479, 1985, &long[1024..]),
    ];
    assert_eq!(shown(&calls), expected);
}

/// Bodies are left out of which a window has only a part: buffers begin and end anywhere in it.
#[test]
fn http2_is_followed_through_many_buffers() {
    let name = "http2_is_followed_through_many_buffers";
    let script = "many = [frame(DATA, 91)] * 90 + [frame(DATA, 16000)[:9], b'2' * 16000]\n\
                  a.sendmsg(many + [bytes([n]) for n in frame(HEADERS, 100)]); take(c, 25118)";
    let Some(calls) = http2_told(name, 7301, Way::Sent, script) else { return };
    let body = [&frame(0, 16_000)[..9], &[b'2'; 16_000]].concat();
    let stream = [frame(0, 91).repeat(90), body, frame(1, 100)].concat();
    let mut end = 0;
    let mut left_out = 0;
    for call in &calls {
        assert_eq!(call.position, end, "{calls:?}");
        end += u64::from(call.length);
        let of_stream = &stream[call.position as usize..end as usize];
        let (copied, rest) = of_stream.split_at(call.bytes.len());
        assert_eq!(call.bytes, copied, "at {}", call.position);
        assert!(rest.iter().all(|byte| [b'd', b'2'].contains(byte)), "bodies alone: {rest:?}");
        assert!(end <= 25_009 || rest.is_empty(), "the header block is copied: {rest:?}");
        left_out += rest.len();
    }
    assert_eq!(end, 25_118);
    assert!((16_000 - 4096..16_000 + 9 * 91).contains(&left_out), "{left_out} are left out");
}

#[test]
fn frames_of_http2_are_found_behind_headers_in_two_calls_and_what_has_no_buffer() {
    let name = "frames_of_http2_are_found_behind_headers_in_two_calls_and_what_has_no_buffer";
    let script = "one = frame(DATA, 5000) + frame(HEADERS, 9)\n\
                  for at in (3, 5): a.send(one[:at]); a.send(one[at:])\n\
                  a.send(one[:9])\n\
                  f = os.memfd_create('f'); os.write(f, b'f' * 5000)\n\
                  os.sendfile(a.fileno(), f, 0, 5000)\n\
                  a.send(one[5009:]); take(c, 3 * 5027)";
    let Some(calls) = http2_told(name, 7302, Way::Sent, script) else { return };
    let (data, headers) = (frame(0, 5000), frame(1, 9));
    let expected: Vec<Expected<'_>> = vec![
        ('>', 0, 3, &data[..3]),
        ('>', 3, 5006, &data[3..9]),
        ('>', 5009, 18, &headers),
        ('>', 5027, 5, &data[..5]),
        ('>', 5032, 5004, &data[5..9]),
        ('>', 10_036, 18, &headers),
        ('>', 10_054, 9, &data[..9]),
        ('>', 10_063, 5000, &[]),
        ('>', 15_063, 18, &headers),
    ];
    assert_eq!(shown(&calls), expected);
}

/// What is no frame is copied as far as it is known not to be, and the next frame is found again.
#[test]
fn frames_of_http2_that_were_lost_are_found_where_a_call_begins_with_one() {
    let name = "frames_of_http2_that_were_lost_are_found_where_a_call_begins_with_one";
    let script = "a.send(frame(DATA, 9) + b'f' * 20000)\n\
                  a.send(b'f' * 20000)\n\
                  a.send(frame(DATA, 5000) + frame(HEADERS, 9)); take(c, 45045)";
    let Some(calls) = http2_told(name, 7303, Way::Sent, script) else { return };
    let (data, headers) = (frame(0, 5000), frame(1, 9));
    let first = [&frame(0, 9)[..], &[b'f'; 1006]].concat();
    let expected: Vec<Expected<'_>> = vec![
        ('>', 0, 20_018, &first),
        ('>', 20_018, 20_000, &[b'f'; 16_384]),
        ('>', 40_018, 5009, &data[..9]),
        ('>', 45_027, 18, &headers),
    ];
    assert_eq!(shown(&calls), expected);
}
