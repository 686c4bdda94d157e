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

#[test]
fn http2_is_copied_far_and_from_many_buffers() {
    let name = "http2_is_copied_far_and_from_many_buffers";
    if missing(name, &NEEDS) {
        return;
    }
    let mut watch = Watch::new(1, PayloadOptions::default());
    watch.play(
        0,
        "c, a = pair(7300)\n\
         c.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes(9)); a.recv(99)\n\
         a.sendmsg([bytes([n]) * 100 for n in range(90)]); take(c, 9000)\n\
         c.sendall(b'f' * 20000); n = a.recv(20000, socket.MSG_WAITALL)\n\
         a.sendmsg([b'1' * 9, b'2' * 16000, b'3']); take(c, 16010)",
    );
    let of_port = watch.of_port(0, Role::Server, 7300);
    let [told] = of_port[..] else { panic!("{of_port:?}") };
    let many: Vec<u8> = (0..64).flat_map(|n| [n; 100]).collect();
    let split = [vec![b'1'; 9], vec![b'2'; 8192]].concat();
    let expected: [Expected<'_>; 4] = [
        ('<', 0, 33, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0\0\0\0\0\0"),
        ('>', 0, 9000, &many),
        ('<', 33, 20000, &[b'f'; 16384]),
        ('>', 9000, 16010, &split),
    ];
    assert_eq!(shown(&told.calls[..4]), expected);
    assert_eq!(watch.lost(), []);
}
