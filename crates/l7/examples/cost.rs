//! What an exchange costs in user space: `cargo run --release -p weir-l7 --example cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use weir_l7::{Connection, Skim, Templates};
use weir_model::{L7Protocol, Payload, Role, Way};

/// Exchanges for one figure; the best of so many rounds is told.
const BATCHES: usize = 1000;
const BATCH: usize = 100;
const ROUNDS: usize = 5;

type Call = (Way, Vec<u8>, u32);

fn call(way: Way, bytes: impl AsRef<[u8]>) -> Call {
    let bytes = bytes.as_ref().to_vec();
    let length = bytes.len() as u32;
    (way, bytes, length)
}

fn feed(connection: &mut Connection, calls: &[Call], mono_ns: &mut u64) -> usize {
    let mut exchanges = 0;
    for (way, bytes, length) in calls {
        *mono_ns += 1000;
        let payload = Payload { way: *way, mono_ns: *mono_ns, length: *length, bytes };
        connection.feed(&payload, &mut |exchange| {
            black_box(exchange);
            exchanges += 1;
        });
    }
    exchanges
}

/// Plays the calls of one exchange after the other on one connection and tells the time of one.
/// They are made batch by batch, outside of the time: what a probe hands over is in the cache.
fn measure(name: &str, hello: &[Call], calls: impl Fn(usize) -> Vec<Call>) {
    let best = (0..ROUNDS).map(|_| {
        let mut connection = Connection::new(Role::Client);
        let (mut mono_ns, mut exchanges, mut took) = (0, 0, Duration::ZERO);
        feed(&mut connection, hello, &mut mono_ns);
        for batch in 0..BATCHES {
            let calls: Vec<Call> = (0..BATCH).flat_map(|i| calls(batch * BATCH + i)).collect();
            let began = Instant::now();
            exchanges += feed(&mut connection, &calls, &mut mono_ns);
            took += began.elapsed();
        }
        assert_eq!(exchanges, BATCHES * BATCH, "{name}");
        took.as_nanos() as f64 / exchanges as f64
    });
    println!("{name:<48} {:7.0} ns an exchange", best.fold(f64::MAX, f64::min));
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

fn http1() {
    let small = "GET /a HTTP/1.1\r\nHost: host\r\n\r\n";
    let small_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    measure("HTTP/1, smallest heads", &[], |_| {
        vec![call(Way::Sent, small), call(Way::Received, small_answer)]
    });
    let usual = "GET /api/v1/users/4711/orders?limit=50 HTTP/1.1\r\nHost: orders.example:8080\r\n\
                 User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\n\
                 Accept: */*\r\nConnection: keep-alive\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nServer: nginx/1.26.2\r\nDate: Sun, 22 Nov 2026 01:19:48 GMT\r\n\
                  Content-Type: application/json\r\nContent-Length: 4000\r\n\
                  Connection: keep-alive\r\nETag: \"66f3a1b2-fa0\"\r\n\r\n";
    let mut body = answer.as_bytes().to_vec();
    body.resize(1024, b'x');
    let length = answer.len() as u32 + 4000;
    measure("HTTP/1, usual heads, body cut at 1 KiB", &[], |_| {
        vec![call(Way::Sent, usual), (Way::Received, body.clone(), length)]
    });
    let traced = usual.replace(
        "\r\n\r\n",
        "\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    );
    measure("HTTP/1, usual heads, traceparent", &[], |_| {
        vec![call(Way::Sent, &traced), (Way::Received, body.clone(), length)]
    });
}

fn http2() {
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    // What a gRPC client and server send from the second request on: nearly all is in the tables.
    let mut request = vec![0x40, 0x0c];
    request.extend(b"content-type\x10application/grpc\x44\x11/package.Svc/Call\x83\x86");
    let mut trailers = vec![0x40, 0x0b];
    trailers.extend(b"grpc-status\x010");
    let hello = [
        call(Way::Sent, [preface, frame(1, 5, 1, &request)].concat()),
        call(Way::Received, [frame(4, 0, 0, &[]), frame(1, 4, 1, &[0x88])].concat()),
        call(Way::Received, frame(1, 5, 1, &trailers)),
    ];
    measure("gRPC, from the tables, three calls", &hello, |i| {
        let id = 2 * i as u32 + 3;
        let message = [b'x'; 60];
        let asked = [frame(1, 4, id, &[0x83, 0x86, 0xbe, 0xbf]), frame(0, 1, id, &message)];
        let answered = [frame(1, 4, id, &[0x88]), frame(0, 0, id, &message)];
        vec![
            call(Way::Sent, asked.concat()),
            call(Way::Received, answered.concat()),
            call(Way::Received, frame(1, 5, id, &[0xbe])),
        ]
    });
    // `:path /index/7890/x?q=12`-like, Huffman-coded and not kept, as browsers send it.
    let coded =
        [0x04, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
    let block = [&[0x82, 0x86][..], &coded].concat();
    measure("HTTP/2, a Huffman-coded path, two calls", &hello, |i| {
        let id = 2 * i as u32 + 3;
        vec![
            call(Way::Sent, frame(1, 5, id, &block)),
            call(Way::Received, [frame(1, 4, id, &[0x88]), frame(0, 1, id, &[0; 60])].concat()),
        ]
    });
}

/// The same heads as usual ones are, of exchanges that are not read.
fn skimmed() {
    let asked = format!("GET /api/v1/users/4711/orders HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(150));
    let answered = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(900));
    let best = (0..ROUNDS).map(|_| {
        let mut skim = Skim::new(Way::Sent);
        let mut exchanges = 0;
        let began = Instant::now();
        for (way, text) in [(Way::Sent, &asked), (Way::Received, &answered)].repeat(BATCH * BATCHES)
        {
            let bytes = black_box(text.as_bytes());
            let payload = Payload { way, mono_ns: 1, length: bytes.len() as u32, bytes };
            skim.feed(&payload, &mut |skimmed| {
                black_box(skimmed);
                exchanges += 1;
            });
        }
        assert_eq!(exchanges, BATCHES * BATCH);
        began.elapsed().as_nanos() as f64 / exchanges as f64
    });
    println!("{:<48} {:7.0} ns an exchange", "HTTP/1, skimmed", best.fold(f64::MAX, f64::min));
}

fn templates() {
    let paths: Vec<String> =
        (0..BATCH * BATCHES).map(|i| format!("/api/v1/users/{i}/orders/{}", i % 97)).collect();
    let mut templates = Templates::new();
    let best = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        for path in &paths {
            black_box(templates.fold(&1u64, L7Protocol::Http11, path));
        }
        began.elapsed().as_nanos() as f64 / paths.len() as f64
    });
    println!("{:<48} {:7.0} ns a path", "templates", best.fold(f64::MAX, f64::min));
}

fn main() {
    http1();
    skimmed();
    http2();
    templates();
}
