//! HTTP/2 and gRPC with all bytes copied: each case also cut at every byte.

use crate::frames::*;
use crate::script::*;

fn hello() -> [Step; 2] {
    [asks([PREFACE, &settings()].concat()), says([settings(), frame(4, 1, 0, [])].concat())]
}

fn check2(name: &str, steps: impl IntoIterator<Item = Step>, exchanges: &[&str], losses: &str) {
    let steps: Vec<Step> = hello().into_iter().chain(steps).collect();
    check(name, &steps, exchanges, losses);
}

#[test]
fn requests_and_answers() {
    check2(
        "bodies both ways",
        [
            asks([headers(END_HEADERS, 1, get("/a?q=1")), data(END_STREAM, 1, 5)].concat()),
            says(headers(END_HEADERS, 1, status("200"))),
            says([data(0, 1, 10), data(END_STREAM, 1, 0)].concat()),
            asks(headers(WHOLE, 3, get("/b"))),
            says(headers(WHOLE, 3, status("404"))),
            Closes,
        ],
        &["http/2 GET /a 200 answered at 2 +1", "http/2 GET /b 404 answered at 5 +1"],
        "",
    );
    check2(
        "streams interleaved, answered in another order",
        [
            asks([headers(WHOLE, 1, get("/1")), headers(WHOLE, 3, get("/3"))].concat()),
            asks(headers(END_HEADERS, 5, get("/5"))),
            says(headers(END_HEADERS, 5, status("200"))),
            says(headers(WHOLE, 3, status("204"))),
            says(headers(END_HEADERS, 1, status("500"))),
            asks(data(END_STREAM, 5, 3)),
            says([data(0, 5, 3), data(END_STREAM, 1, 3), data(END_STREAM, 5, 3)].concat()),
        ],
        &[
            "http/2 GET /3 204 answered at 2 +3",
            "http/2 GET /1 500 answered at 2 +4",
            "http/2 GET /5 200 answered at 3 +1",
        ],
        "",
    );
    let padded = [&[3][..], &get("/p"), &[0; 3]].concat();
    let with_priority = [&[0, 0, 0, 0, 16][..], &get("/w")].concat();
    let both = [&[2, 0x80, 0, 0, 1, 255][..], &get("/b"), &[0; 2]].concat();
    check2(
        "padding and priority",
        [
            asks(headers(WHOLE | PADDED, 1, padded)),
            asks(headers(WHOLE | PRIORITY, 3, with_priority)),
            asks(headers(WHOLE | PADDED | PRIORITY, 5, both)),
            says([1, 3, 5].map(|id| headers(WHOLE, id, status("200"))).concat()),
        ],
        &[
            "http/2 GET /p 200 answered at 2 +3",
            "http/2 GET /w 200 answered at 3 +2",
            "http/2 GET /b 200 answered at 4 +1",
        ],
        "",
    );
    let block = get("/a-longer-path");
    let ping = frame(6, 0, 0, [0; 8]);
    check2(
        "continuation, and frames that say nothing of requests",
        [
            asks(
                [
                    frame(8, 0, 0, [0, 0, 255, 255]),
                    headers(END_STREAM, 1, &block[..7]),
                    continuation(0, 1, &block[7..9]),
                    continuation(END_HEADERS, 1, &block[9..]),
                    ping.clone(),
                    frame(2, 0, 3, [0; 5]),
                    frame(0x2a, 7, 9, [1, 2, 3]),
                ]
                .concat(),
            ),
            says(
                [headers(END_STREAM, 1, []), continuation(END_HEADERS, 1, status("200"))].concat(),
            ),
        ],
        &["http/2 GET /a-longer-path 200 answered at 2 +1"],
        "",
    );
    check2(
        "answers that are not final",
        [
            asks(headers(END_HEADERS, 1, get("/"))),
            says(headers(END_HEADERS, 1, status("100"))),
            says(headers(END_HEADERS, 1, status("103"))),
            says(headers(WHOLE, 1, status("200"))),
        ],
        &["http/2 GET / 200 answered at 2 +3"],
        "",
    );
}

#[test]
fn servers_that_speak_first() {
    check(
        "settings before the preface",
        &[
            says(settings()),
            asks([PREFACE, &settings(), &headers(WHOLE, 1, get("/"))].concat()),
            says(headers(WHOLE, 1, status("200"))),
        ],
        &["http/2 GET / 200 answered at 1 +1"],
        "",
    );
}

#[test]
fn tables_of_names() {
    let request = kept(&[(":path", "/kept?secret"), ("x-other", "x"), (":method", "REPORT")]);
    check2(
        "what was kept is named by its index, each way for itself",
        [
            asks(headers(WHOLE, 1, request)),
            says(headers(WHOLE, 1, kept(&[(":status", "418"), ("x", "y")]))),
            // 62 is the newest: REPORT, x-other, /kept.
            asks(headers(WHOLE, 3, [0x80 | 62, 0x80 | 63, 0x80 | 64])),
            says(headers(WHOLE, 3, [0x80 | 63])),
        ],
        &["http/2 REPORT /kept 418 answered at 2 +1", "http/2 REPORT /kept 418 answered at 4 +1"],
        "",
    );
    // A larger table, as the settings allow: 31 + 128 bits follow the prefix.
    let grow = [&[0x3f, 0xe1, 0xff, 0x03][..], &kept(&[(":path", "/first")])].concat();
    let fill: Vec<u8> = (0..60).flat_map(|_| kept(&[("x", &"y".repeat(95))])).collect();
    check2(
        "a table larger than 4096",
        [
            asks(headers(WHOLE, 1, [grow, fill].concat())),
            // 62 + 60, beyond what 4096 bytes hold.
            asks(headers(WHOLE, 3, [0x82, 0x80 | 122])),
            says([headers(WHOLE, 1, [0x88]), headers(WHOLE, 3, [0x8d])].concat()),
        ],
        &["http/2  /first 200 answered at 2 +2", "http/2 GET /first 404 answered at 3 +1"],
        "",
    );
    check2(
        "an index that nothing stands at",
        [
            asks(headers(WHOLE, 1, [0x82, 0x80 | 70])),
            asks(headers(WHOLE, 3, [0x82, 0x84])),
            says([headers(WHOLE, 1, [0x88]), headers(WHOLE, 3, [0x88])].concat()),
        ],
        &["http/2 GET  200 answered at 2 +2", "http/2 GET / 200 answered at 3 +1"],
        "hpack 1",
    );
}

#[test]
fn grpc_has_a_status_of_its_own() {
    let trailers = |status| fields(&[("grpc-status", status), ("grpc-message", "m")]);
    check2(
        "in trailers, alone, and streaming",
        [
            asks([headers(END_HEADERS, 1, grpc("/p.S/M")), data(END_STREAM, 1, 7)].concat()),
            says([headers(END_HEADERS, 1, status("200")), data(0, 1, 9)].concat()),
            says(headers(WHOLE, 1, trailers("0"))),
            asks(headers(WHOLE, 3, grpc("/p.S/Missing"))),
            says(headers(WHOLE, 3, [status("200"), trailers("12")].concat())),
            asks(headers(END_HEADERS, 5, grpc("/p.S/Chat"))),
            says(headers(END_HEADERS, 5, status("200"))),
            asks(data(0, 5, 7)),
            says(data(0, 5, 7)),
            asks(data(END_STREAM, 5, 7)),
            says(headers(WHOLE, 5, trailers("14"))),
        ],
        &[
            "grpc POST /p.S/M 200 grpc 0 answered at 2 +1",
            "grpc POST /p.S/Missing 200 grpc 12 answered at 5 +1",
            "grpc POST /p.S/Chat 200 grpc 14 answered at 7 +1",
        ],
        "",
    );
    let found = play_once(&[&hello()[..], &[asks(headers(4, 1, grpc("/a.B/C")))]].concat(), false);
    assert_eq!(found.protocol, Some("grpc"));
}

#[test]
fn streams_that_end_too_early() {
    check2(
        "reset by either, before and within the answer",
        [
            asks([1, 3, 5, 7].map(|id| headers(WHOLE, id, get(&format!("/{id}")))).concat()),
            says([headers(4, 1, status("200")), headers(4, 5, status("200"))].concat()),
            asks([reset(1), reset(3)].concat()),
            says([data(0, 5, 3), reset(5), reset(7), reset(9)].concat()),
            Closes,
        ],
        &[
            "http/2 GET /1 200 aborted at 2 +1",
            "http/2 GET /3 unanswered at 2",
            "http/2 GET /5 200 aborted at 2 +1",
            "http/2 GET /7 unanswered at 2",
        ],
        "",
    );
    check2(
        "going away",
        [
            asks([1, 3, 5].map(|id| headers(WHOLE, id, get(&format!("/{id}")))).concat()),
            says([goaway(i32::MAX as u32), goaway(3)].concat()),
            says(headers(WHOLE, 1, status("200"))),
            Closes,
        ],
        &[
            "http/2 GET /5 unanswered at 2",
            "http/2 GET /1 200 answered at 2 +2",
            "http/2 GET /3 unanswered at 2",
        ],
        "",
    );
    check2(
        "closed",
        [
            asks([headers(WHOLE, 1, get("/1")), headers(WHOLE, 3, get("/3"))].concat()),
            says([headers(4, 1, status("200")), data(0, 1, 3)].concat()),
            Resets,
        ],
        &["http/2 GET /1 200 aborted at 2 +1", "http/2 GET /3 unanswered at 2"],
        "",
    );
    let cut = headers(WHOLE, 1, get("/1"));
    for (end, losses) in [(5, "unfinished 1"), (20, "unfinished 1"), (cut.len(), "")] {
        let unanswered = ["http/2 GET /1 unanswered at 2"];
        let exchanges = if losses.is_empty() { &unanswered[..] } else { &[] };
        check2("within a request's head", [asks(&cut[..end]), Closes], exchanges, losses);
    }
    check2(
        "waited for too long",
        [
            asks(headers(WHOLE, 1, get("/1"))),
            Expires,
            says(headers(WHOLE, 1, status("200"))),
            Closes,
        ],
        &["http/2 GET /1 unanswered at 2"],
        "",
    );
}

#[test]
fn upgrade_from_http1() {
    let ask = "GET /first?x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
               HTTP2-Settings: AAMAAABk\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    check(
        "the first answer comes on stream 1",
        &[
            asks(ask),
            says([&switch[..], &settings(), &headers(4, 1, status("200"))].concat()),
            asks([PREFACE, &settings(), &headers(WHOLE, 3, get("/second"))].concat()),
            says([data(END_STREAM, 1, 4), headers(WHOLE, 3, status("204"))].concat()),
        ],
        &["http/2 GET /first 200 answered at 0 +1", "http/2 GET /second 204 answered at 2 +1"],
        "",
    );
}

#[test]
fn pushed_streams_answer_nobody() {
    let promise = [&2u32.to_be_bytes()[..], &kept(&[(":path", "/pushed")])].concat();
    check2(
        "a promise is read for the table alone",
        [
            asks(headers(WHOLE, 1, get("/"))),
            says(
                [
                    frame(5, END_HEADERS, 1, promise),
                    headers(END_HEADERS, 2, status("200")),
                    data(END_STREAM, 2, 9),
                    headers(WHOLE, 1, kept(&[(":status", "201")])),
                ]
                .concat(),
            ),
            asks(headers(WHOLE, 3, get("/3"))),
            says(headers(WHOLE, 3, [0x80 | 62])),
        ],
        &["http/2 GET / 201 answered at 2 +1", "http/2 GET /3 201 answered at 4 +1"],
        "",
    );
}

#[test]
fn more_streams_than_are_kept() {
    let steps: Vec<Step> = hello()
        .into_iter()
        .chain((0..1100).map(|i| asks(headers(WHOLE, 2 * i + 1, get("/")))))
        .chain([Closes])
        .collect();
    let found = play_once(&steps, false);
    assert_eq!((found.exchanges.len(), &*found.losses), (1024, "streams_max 76"));
}
