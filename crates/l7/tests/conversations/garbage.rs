//! Bytes that nobody would send: no panic, and memory within a bound.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_l7::Connection;
use weir_model::{Payload, Role, Way};

use crate::frames::*;
use crate::targets::TARGETS;

/// What one connection may hold: HTTP/2 with both tables at their largest and 1024 streams with
/// the longest paths is the worst.
const HELD_BYTES_MAX: usize = 4 << 20;

/// Pieces of real conversations, so that the random ones get beyond the first byte.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = vec![
        b"GET /a HTTP/1.1\r\n".to_vec(),
        b"Content-Length: 5\r\n".to_vec(),
        b"Transfer-Encoding: chunked\r\n\r\n".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"5\r\nhello\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\n\r\n".to_vec(),
        PREFACE.to_vec(),
        settings(),
        headers(WHOLE, 1, get("/a")),
        headers(0, 3, kept(&[(":path", "/b")])),
        continuation(END_HEADERS, 3, status("200")),
        headers(WHOLE, 1, [0xbe, 0x3f, 0xe1, 0xff, 0x03]),
        data(END_STREAM, 1, 9),
        goaway(1),
        reset(3),
    ];
    prop_oneof![vec(any::<u8>(), 0..40), prop::sample::select(known)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn anything_at_all(
        calls in vec((any::<bool>(), vec(piece(), 1..6), 0u32..3000, 0usize..200), 1..40),
        is_joined in any::<bool>(),
    ) {
        let mut connection = match is_joined {
            true => Connection::joined(Role::Unknown),
            false => Connection::new(Role::Client),
        };
        let mut out = |_| {};
        for (at, (is_sent, pieces, missing, copied)) in calls.into_iter().enumerate() {
            let bytes = pieces.concat();
            let way = if is_sent { Way::Sent } else { Way::Received };
            // Mostly whole calls.
            let copied = if copied < 180 { bytes.len() } else { copied.min(bytes.len()) };
            let missing = if missing < 2000 { 0 } else { missing };
            let length = bytes.len() as u32 + missing;
            let bytes = &bytes[..copied];
            connection.feed(&Payload { way, mono_ns: at as u64, length, bytes }, &mut out);
        }
        prop_assert!(connection.held_bytes() < 64 << 10, "{}", connection.held_bytes());
        connection.expire(u64::MAX, &mut out);
        connection.close(true, &mut out);
    }
}

fn held_after(calls: impl Iterator<Item = (Way, Vec<u8>)>) -> usize {
    let mut connection = Connection::new(Role::Client);
    for (at, (way, bytes)) in calls.enumerate() {
        let length = bytes.len() as u32;
        let payload = Payload { way, mono_ns: at as u64, length, bytes: &bytes };
        connection.feed(&payload, &mut |_| {});
    }
    connection.held_bytes()
}

#[test]
fn memory_is_bounded_whatever_is_sent() {
    let path = format!("/{}", "p".repeat(8000));
    let preface = [PREFACE, &settings()].concat();
    // Tables of the largest size, full of paths; then as many streams.
    let mut streams = vec![(Way::Sent, preface.clone())];
    for i in 0..3000 {
        let block = [&[0x3f, 0xe1, 0xff, 0x03][..], &kept(&[(":path", &path)])].concat();
        streams.push((Way::Sent, headers(WHOLE, 2 * i + 1, block)));
    }
    let mut blocks = vec![(Way::Sent, preface), (Way::Sent, headers(0, 1, get("/")))];
    blocks.extend((0..1000).map(|_| (Way::Sent, continuation(0, 1, [0x82; 16_000]))));
    let requests = (0..3000).map(|_| (Way::Sent, format!("GET {path} HTTP/1.1\r\n\r\n").into()));
    let line = format!("X: {}\r\n", "x".repeat(1000)).into_bytes();
    let lines = [(Way::Sent, b"GET / HTTP/1.1\r\n".to_vec())]
        .into_iter()
        .chain((0..1000).map(|_| (Way::Sent, line.clone())));
    for (name, held, most) in [
        ("streams", held_after(streams.into_iter()), HELD_BYTES_MAX),
        ("a block without end", held_after(blocks.into_iter()), 64 << 10),
        ("a pipeline without answers", held_after(requests), 1 << 20),
        ("a head without end", held_after(lines), 64 << 10),
        ("zeros", held_after((0..1000).map(|_| (Way::Sent, vec![0; 1000]))), 0),
        ("one byte at a time", held_after((0..1000).map(|_| (Way::Sent, b"A".to_vec()))), 0),
    ] {
        assert!(held <= most, "{name}: {held} bytes");
    }
}

#[test]
fn what_the_fuzzer_begins_with_is_without_a_finding() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let files = fs::read_dir(corpus.join(name)).expect("a corpus for each target");
        let mut ways: Vec<u64> = files
            .map(|file| target(&fs::read(file.expect("a file").path()).expect("an input")))
            .collect();
        let inputs = ways.len();
        ways.sort_unstable();
        ways.dedup();
        assert!(ways.len() * 2 > inputs, "{name}: most inputs lead to something of their own");
    }
}
