//! HTTP/1 where only the first bytes of calls were copied, where messages are too large, and
//! where the beginning was not seen.

use crate::script::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const GET: &str = "GET /a HTTP/1.1\r\n\r\n";

fn body(head: &str, length: usize) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

#[test]
fn bodies_are_stepped_over_by_their_length() {
    let large = body("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 50_000);
    check_whole(
        "length over two calls",
        &[
            asks(GET),
            says(&large).cut_at(1024),
            says([b'x'; 50_000]).cut_at(1024),
            asks(GET),
            says(OK),
        ],
        &["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /a 200 answered at 3 +1"],
        "",
    );
    check_whole(
        "broken off in a hole",
        &[asks(GET), says(&large).cut_at(1024), Resets],
        &["http/1.1 GET /a 200 aborted at 0 +1"],
        "",
    );
    check_whole(
        "upload",
        &[
            asks(body("PUT /f HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", 5000)).cut_at(100),
            says(OK),
            asks(GET),
            says(OK),
        ],
        &["http/1.1 PUT /f 200 answered at 0 +1", "http/1.1 GET /a 200 answered at 2 +1"],
        "",
    );
    check_whole(
        "body until the end",
        &[asks(GET), says(body("HTTP/1.1 200 OK\r\n\r\n", 9000)).cut_at(100), Closes],
        &["http/1.1 GET /a 200 answered at 0 +1"],
        "",
    );
}

#[test]
fn chunked_bodies_with_holes() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut one = body(&format!("{head}1000\r\n"), 4096);
    one.extend(b"\r\n");
    let mut with_end = one.clone();
    with_end.extend(b"0\r\n\r\n");
    let mut many = one.clone();
    many.extend(&body("800\r\n", 2048));
    let answered = ["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /a 404 answered at 4 +1"];
    let not_found = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    for (name, first, then) in [
        ("a chunk a call", &one, "0\r\n\r\n"),
        ("the end in the hole", &with_end, "\r\n"),
        ("chunks in the hole, a chunk behind", &many, "5\r\nhello\r\n0\r\n\r\n"),
        ("chunks in the hole, data behind", &many, "more data"),
    ] {
        check_whole(
            name,
            &[asks(GET), says(first).cut_at(1024), says(then), Expires, asks(GET), says(not_found)],
            &[answered[0], "http/1.1 GET /a 404 answered at 4 +1"],
            "",
        );
    }
    check_whole(
        "broken off within a chunk",
        &[asks(GET), says(body(&format!("{head}ffff\r\n"), 4096)).cut_at(512), Resets],
        &["http/1.1 GET /a 200 aborted at 0 +1"],
        "",
    );
    check_whole(
        "end not known, closed",
        &[asks(GET), says(&many).cut_at(512), Closes],
        &["http/1.1 GET /a 200 answered at 0 +1"],
        "",
    );
    check_whole(
        "upload",
        &[
            asks(body("PUT /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n", 3000))
                .cut_at(100),
            asks("something"),
            says(OK),
            asks(GET),
            says(OK),
        ],
        &["http/1.1 PUT /f 200 answered at 0 +2", "http/1.1 GET /a 200 answered at 3 +1"],
        "",
    );
    check_whole(
        "bodies of requests and answers",
        &[
            asks(body("PUT /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n", 3000))
                .cut_at(100),
            asks(GET),
            says(&many).cut_at(512),
            says(not_found),
            asks(GET),
            says(not_found),
        ],
        &["http/1.1 PUT /f 200 answered at 0 +2", "http/1.1 GET /a 404 answered at 4 +1"],
        "",
    );
}

#[test]
fn heads_in_holes_are_counted() {
    let long = format!("GET /long?{} HTTP/1.1\r\nHost: x\r\n\r\n", "q".repeat(3000));
    check_whole(
        "a head is longer than what is copied",
        &[
            asks(&long).cut_at(1024),
            says(OK),
            asks(GET),
            says(format!("HTTP/1.1 302 Go\r\nSet-Cookie: {}\r\n\r\n", "c".repeat(3000)))
                .cut_at(1024),
            asks(GET),
            says(OK),
        ],
        &[
            "http/1.1 GET /long 200 answered at 0 +1",
            "http/1.1 GET /a 302 answered at 2 +1",
            "http/1.1 GET /a 200 answered at 4 +1",
        ],
        "cut 2",
    );
    check_whole(
        "answers of a pipeline in a hole pair with nothing",
        &[
            asks(GET.repeat(3)),
            says(OK.repeat(3)).cut_at(OK.len()),
            asks("GET /b HTTP/1.1\r\n\r\n"),
            says(OK),
        ],
        &["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /b 200 answered at 2 +1"],
        "cut 2",
    );
    check_whole(
        "a call that was missed whole",
        &[asks(GET), says(OK).cut_at(0), asks("GET /b HTTP/1.1\r\n\r\n"), says(OK)],
        &["http/1.1 GET /b 200 answered at 2 +1"],
        "cut 1",
    );
    check_whole(
        "the first call was missed",
        &[asks(GET).cut_at(0), says(OK), asks("GET /b HTTP/1.1\r\n\r\n"), says(OK)],
        &["http/1.1 GET /b 200 answered at 2 +1"],
        "no_request 1",
    );
    check_whole(
        "bytes of a body that were never given",
        &[
            asks(GET),
            says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhi"),
            asks("GET /b HTTP/1.1\r\n\r\n"),
            says(OK),
        ],
        &["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /b 200 answered at 2 +1"],
        "",
    );
}

#[test]
fn heads_that_are_too_long() {
    let line = format!("X-Long: {}\r\n", "x".repeat(1000));
    let head = format!("POST /huge HTTP/1.1\r\nTraceparent: {}\r\n", "0".repeat(10));
    let huge = format!("{head}{}\r\n", line.repeat(1000));
    let too_large = "HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n";
    let steps: Vec<Step> = huge.as_bytes().chunks(4000).map(asks).collect();
    let expected = format!("http/1.1 POST /huge 431 answered at 0 +{}", steps.len());
    let expected = [&*expected];
    check_whole("1 MB", &[steps, vec![says(too_large)]].concat(), &expected, "head_max 1");
    check_whole(
        "many lines",
        &[asks(format!("GET /l HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500))), says(OK)],
        &["http/1.1 GET /l 200 answered at 0 +1"],
        "head_max 1",
    );
    check_whole(
        "a line without an end",
        &[asks(format!("GET /{}", "a".repeat(40_000))), says(too_large), asks(GET), says(OK)],
        &[
            &format!("http/1.1 GET /{} 431 answered at 0 +1", "a".repeat(2047)),
            "http/1.1 GET /a 200 answered at 2 +1",
        ],
        "head_max 1",
    );
}

#[test]
fn garbage_amid_http() {
    check_whole(
        "on the way of requests",
        &[asks(GET), says(OK), asks(b"\x00\x01\x02"), asks(GET), says(OK)],
        &["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /a 200 answered at 3 +1"],
        "garbage 1",
    );
    check_whole(
        "instead of an answer",
        &[asks(GET), says("garbage"), asks(GET), says(OK)],
        &["http/1.1 GET /a 200 answered at 2 +1"],
        "garbage 1",
    );
    check_whole(
        "in a chunked body",
        &[
            asks(GET),
            says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            asks(GET),
            says(OK),
        ],
        &["http/1.1 GET /a 200 answered at 0 +1", "http/1.1 GET /a 200 answered at 2 +1"],
        "garbage 1",
    );
    check_whole(
        "an answer that nobody asked for",
        &[asks(GET), says(OK), says("HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n"), Closes],
        &["http/1.1 GET /a 200 answered at 0 +1"],
        "no_request 1",
    );
    let many: Vec<Step> = (0..300).map(|_| asks(GET)).collect();
    let found = play_once(&[many, vec![Closes]].concat(), false);
    assert_eq!((found.exchanges.len(), &*found.losses), (256, "pipeline_max 44"));
}

#[test]
fn joined_in_the_middle() {
    check_joined(
        "within a body",
        &[says("part of a body"), says("more of it"), asks(GET), says(OK)],
        &["http/1.1 GET /a 200 answered at 2 +1"],
        "",
    );
    check_joined(
        "between request and answer",
        &[says(OK), asks(GET), says(OK)],
        &["http/1.1 GET /a 200 answered at 1 +1"],
        "no_request 1",
    );
    check_joined(
        "an answer without a body to a request that was not seen",
        &[
            says("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
            asks(GET),
            says(OK),
            asks(GET),
            says(OK),
        ],
        &["http/1.1 GET /a 200 answered at 1 +1", "http/1.1 GET /a 200 answered at 3 +1"],
        "no_request 1",
    );
    let noise: Vec<Step> = (0..weir_l7::JOIN_CALLS_MAX).map(|_| says("noise")).collect();
    assert!(!play_once(&noise, true).is_given_up);
    assert!(play_once(&[noise, vec![says("noise")]].concat(), true).is_given_up);
}
