//! HTTP/2 with holes, with garbage, and joined in the middle.

use crate::frames::*;
use crate::script::*;

fn hello() -> [Step; 2] {
    [asks([PREFACE, &settings()].concat()), says(settings())]
}

fn check2(name: &str, steps: impl IntoIterator<Item = Step>, exchanges: &[&str], losses: &str) {
    let steps: Vec<Step> = hello().into_iter().chain(steps).collect();
    check_whole(name, &steps, exchanges, losses);
}

#[test]
fn data_is_stepped_over() {
    let large = |flags| [headers(4, 1, status("200")), data(flags, 1, 16_000)].concat();
    check2(
        "the rest of a frame was not copied",
        [
            asks(headers(WHOLE, 1, get("/1"))),
            says(large(0)).cut_at(1000),
            says(data(END_STREAM, 1, 16_000)).cut_at(1000),
            asks(headers(WHOLE, 3, get("/3"))),
            says(headers(WHOLE, 3, status("200"))),
        ],
        &["http/2 GET /1 200 answered at 2 +1", "http/2 GET /3 200 answered at 5 +1"],
        "",
    );
    let trailers = headers(WHOLE, 1, fields(&[("grpc-status", "0")]));
    check2(
        "trailers behind it neither: taken as answered when the wait ends",
        [
            asks(headers(WHOLE, 1, grpc("/a.B/C"))),
            says([large(0), trailers.clone()].concat()).cut_at(1000),
            asks(headers(WHOLE, 3, grpc("/a.B/D"))),
            says(headers(WHOLE, 3, [status("200"), fields(&[("grpc-status", "5")])].concat())),
            Expires,
        ],
        &["grpc POST /a.B/D 200 grpc 5 answered at 4 +1", "grpc POST /a.B/C 200 answered at 2 +1"],
        "cut 1",
    );
    check2(
        "nor the answer: counted, not called unanswered",
        [
            asks([headers(WHOLE, 1, get("/1")), headers(WHOLE, 3, get("/3"))].concat()),
            says([large(1), headers(WHOLE, 3, status("200"))].concat()).cut_at(1000),
            Closes,
        ],
        &["http/2 GET /1 200 answered at 2 +1"],
        "cut 2",
    );
}

#[test]
fn answers_that_may_have_passed_unseen_are_not_said_to_be_missing() {
    let answer = [headers(4, 1, status("200")), data(0, 1, 3000), data(1, 1, 3000)].concat();
    check2(
        "streams that begin while frames are passed over",
        [
            asks(headers(WHOLE, 1, get("/1"))),
            says(answer).cut_at(100),
            asks([3, 5, 7].map(|id| headers(WHOLE, id, get(&format!("/{id}")))).concat()),
            says("in the middle of a frame, with whole ones behind"),
            asks(reset(5)),
            says([headers(WHOLE, 7, status("404")), data(1, 3, 10)].concat()),
            Closes,
        ],
        &["http/2 GET /7 404 answered at 4 +3", "http/2 GET /1 200 answered at 2 +1"],
        "cut 3",
    );
}

#[test]
fn blocks_in_holes_make_the_table_unknown() {
    let long = fields(&[("x", &"y".repeat(5000))]);
    let block = [kept(&[(":path", "/kept")]), long, kept(&[(":method", "LOCK")])].concat();
    check2(
        "what was added before the hole and in it is not known, what comes later is",
        [
            asks(headers(WHOLE, 1, block)).cut_at(1000),
            asks(headers(WHOLE, 3, [&[0x80 | 63][..], &kept(&[(":method", "COPY")])].concat())),
            asks(headers(WHOLE, 5, [0x80 | 62, 0x80 | 64])),
            says([1, 3, 5].map(|id| headers(WHOLE, id, [0x88])).concat()),
        ],
        &[
            "http/2  /kept 200 answered at 2 +3",
            "http/2 COPY  200 answered at 3 +2",
            "http/2 COPY  200 answered at 4 +1",
        ],
        "cut 1",
    );
    check2(
        "a call that was missed whole",
        [
            asks(headers(WHOLE, 1, kept(&[(":path", "/one"), (":method", "GET")]))),
            asks(headers(WHOLE, 3, kept(&[(":path", "/two")]))).cut_at(0),
            asks(headers(WHOLE, 5, [0x80 | 62, 0x80 | 63])),
            says([headers(WHOLE, 1, [0x88]), headers(WHOLE, 5, [0x88])].concat()),
        ],
        &["http/2 GET /one 200 answered at 2 +3", "http/2   200 answered at 4 +1"],
        "cut 1",
    );
    check2(
        "a block that is too long",
        [
            asks(
                [
                    headers(END_STREAM, 1, get("/long")),
                    continuation(0, 1, fields(&[("x", &"y".repeat(16_000))])),
                    continuation(END_HEADERS, 1, fields(&[("x", &"y".repeat(16_000))])),
                    headers(WHOLE, 3, get("/3")),
                ]
                .concat(),
            ),
            says([headers(WHOLE, 1, status("431")), headers(WHOLE, 3, status("200"))].concat()),
        ],
        &["http/2 GET /long 431 answered at 2 +1", "http/2 GET /3 200 answered at 2 +1"],
        "head_max 1",
    );
}

#[test]
fn garbage_amid_frames() {
    check2(
        "reading goes on at the next call",
        [
            asks(headers(WHOLE, 1, get("/1"))),
            says([headers(4, 1, status("200")), vec![0xff; 40]].concat()),
            says("and more"),
            asks(headers(WHOLE, 3, get("/3"))),
            says([frame(6, 1, 0, [0; 8]), headers(WHOLE, 3, status("200"))].concat()),
            Closes,
        ],
        &["http/2 GET /3 200 answered at 5 +1", "http/2 GET /1 200 answered at 2 +1"],
        "garbage 1",
    );
    check2(
        "a frame between a block's parts",
        [
            asks([headers(0, 1, get("/1")), data(0, 1, 3)].concat()),
            asks(headers(WHOLE, 3, get("/3"))),
            says(headers(WHOLE, 3, status("200"))),
        ],
        &["http/2 GET /3 200 answered at 3 +1"],
        "garbage 1",
    );
    check2(
        "padding longer than the frame, a part of no block",
        [
            asks(headers(WHOLE | PADDED, 1, [200, 0x82])),
            asks(continuation(END_HEADERS, 1, [0x82])),
            says(headers(WHOLE, 1, status("200"))),
        ],
        &[],
        "garbage 2, no_request 1",
    );
}

#[test]
fn joined_in_the_middle() {
    let window = frame(8, 0, 0, [0, 0, 255, 255]);
    let unknown = [asks(headers(WHOLE, 101, [0xbe, 0xbf])), says(headers(WHOLE, 101, [0x88]))];
    let found = play_once(&unknown, true);
    assert_eq!(found.exchanges, ["http/2   200 answered at 0 +1"], "method and path as unknown");
    check_joined(
        "names that were kept before are not known",
        &[
            asks(headers(WHOLE, 103, [&[0x82][..], &kept(&[(":path", "/new")])].concat())),
            says(headers(WHOLE, 103, [0xbe])),
            asks(headers(WHOLE, 105, [0x82, 0xbe])),
            says(headers(WHOLE, 105, status("404"))),
            asks(headers(WHOLE, 107, [0x82, 0xc0])),
            says(headers(WHOLE, 107, [0x89])),
        ],
        &[
            "http/2 GET /new answered at 0 +1",
            "http/2 GET /new 404 answered at 2 +1",
            "http/2 GET  204 answered at 4 +1",
        ],
        "",
    );
    // Names at 70 and 71, values beside them.
    let trace = [&[0x7f, 0x07, 55][..], b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"];
    let trailers = [&[0x7f, 0x08, 2][..], b"13", &[0x0f, 0x38, 5], b"error"];
    check_joined(
        "what names must be by their values",
        &[
            asks(headers(WHOLE, 9, [grpc("/a.B/C"), trace.concat()].concat())),
            says(headers(END_HEADERS, 9, [0x88])),
            says(headers(WHOLE, 9, trailers.concat())),
            asks(headers(WHOLE, 11, [grpc("/a.B/C"), vec![0xbe]].concat())),
            says(headers(END_HEADERS, 11, [0x88])),
            says(headers(WHOLE, 11, [0xbe])),
        ],
        &[
            "grpc POST /a.B/C 200 grpc 13 answered at 0 +1 4bf92f3577b34da6a3ce929d0e0e4736",
            "grpc POST /a.B/C 200 grpc 13 answered at 3 +1 4bf92f3577b34da6a3ce929d0e0e4736",
        ],
        "",
    );
    check_joined(
        "within an answer, and of which the request was not seen",
        &[
            says("the rest of some data"),
            says(data(END_STREAM, 7, 20)),
            says(window.clone()),
            says(headers(WHOLE, 9, status("200"))),
            asks(headers(WHOLE, 11, get("/11"))),
            says(headers(WHOLE, 11, status("200"))),
        ],
        &["http/2 GET /11 200 answered at 4 +1"],
        "no_request 1",
    );
    check_joined(
        "trailers of a request that began before",
        &[
            asks([window, data(0, 5, 4), headers(WHOLE, 5, fields(&[("x", "y")]))].concat()),
            asks(headers(WHOLE, 7, get("/7"))),
            says(headers(WHOLE, 7, status("200"))),
        ],
        &["http/2 GET /7 200 answered at 1 +1"],
        "",
    );
}

#[test]
fn binary_protocols_are_not_taken_for_frames() {
    for (name, call) in [
        ("zeros", vec![0; 64]),
        ("a small length and zeros", vec![0, 0, 4, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 1, 2]),
        ("PostgreSQL", b"Q\x00\x00\x00\x0dSELECT 1\x00".to_vec()),
        ("Kafka", b"\x00\x00\x00\x23\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07console".to_vec()),
        ("DNS", b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a".to_vec()),
    ] {
        let steps = vec![asks(&call); weir_l7::JOIN_CALLS_MAX as usize + 1];
        let found = play_once(&steps, true);
        assert!(found.is_given_up && found.losses.is_empty(), "{name}: {found:?}");
    }
}
