//! HTTP/1 with all bytes copied: each case also cut at every byte.

use crate::script::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn requests_and_answers() {
    check(
        "get",
        &[asks("GET /a?q=1 HTTP/1.1\r\nHost: x\r\n\r\n"), says(OK)],
        &["http/1.1 GET /a 200 answered at 0 +1"],
        "",
    );
    check(
        "keep-alive",
        &[
            asks("GET /a HTTP/1.1\r\n\r\n"),
            says(OK),
            asks("POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
            says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            asks("GET /c HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
            asks("DELETE /d HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 204 No Content\r\n\r\n"),
            asks("GET /e HTTP/1.1\r\n\r\n"),
            says(OK),
        ],
        &[
            "http/1.1 GET /a 200 answered at 0 +1",
            "http/1.1 POST /b 404 answered at 2 +1",
            "http/1.1 GET /c 304 answered at 4 +1",
            "http/1.1 DELETE /d 204 answered at 6 +1",
            "http/1.1 GET /e 200 answered at 8 +1",
        ],
        "",
    );
    check(
        "head and body in calls of their own",
        &[
            asks("POST /up HTTP/1.1\r\ncontent-length: 10\r\n\r\n"),
            asks("01234"),
            asks("56789"),
            says("HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\n"),
            says("abc"),
            asks("GET / HTTP/1.1\r\n\r\n"),
            says(OK),
        ],
        &["http/1.1 POST /up 201 answered at 0 +3", "http/1.1 GET / 200 answered at 5 +1"],
        "",
    );
    check(
        "lines that end in LF, empty lines behind a body",
        &[
            asks("POST /a HTTP/1.1\nContent-Length: 1\n\nx\r\n\r\n"),
            says(OK),
            asks("GET /b  HTTP/1.1\n\n"),
            says(OK),
        ],
        &["http/1.1 POST /a 200 answered at 0 +1", "http/1.1 GET /b 200 answered at 2 +1"],
        "",
    );
    check(
        "targets",
        &[
            asks("GET http://u:p@host:80/a/b?c#d HTTP/1.1\r\n\r\n"),
            says(OK),
            asks("OPTIONS * HTTP/1.1\r\n\r\n"),
            says(OK),
            asks("M-SEARCH /x HTTP/1.1\r\n\r\n"),
            says(OK),
        ],
        &[
            "http/1.1 GET /a/b 200 answered at 0 +1",
            "http/1.1 OPTIONS * 200 answered at 2 +1",
            "http/1.1 M-SEARCH /x 200 answered at 4 +1",
        ],
        "",
    );
    check(
        "traceparent",
        &[
            asks(
                "GET / HTTP/1.1\r\nCookie: secret\r\nTraceparent: \
                 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
            ),
            says(OK),
        ],
        &["http/1.1 GET / 200 answered at 0 +1 4bf92f3577b34da6a3ce929d0e0e4736"],
        "",
    );
}

#[test]
fn pipelines() {
    check(
        "three at once, answered at once",
        &[
            asks("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
            says(format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{OK}")),
        ],
        &[
            "http/1.1 GET /1 200 answered at 0 +1",
            "http/1.1 HEAD /2 200 answered at 0 +1",
            "http/1.1 GET /3 200 answered at 0 +1",
        ],
        "",
    );
    check(
        "asked before the first is answered",
        &[asks("GET /1 HTTP/1.1\r\n\r\n"), asks("GET /2 HTTP/1.1\r\n\r\n"), says(OK), says(OK)],
        &["http/1.1 GET /1 200 answered at 0 +2", "http/1.1 GET /2 200 answered at 1 +2"],
        "",
    );
}

#[test]
fn ends_of_bodies() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n\
                   5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    check(
        "chunked both ways",
        &[
            asks("PUT /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            says(chunked),
            asks("GET /d HTTP/1.1\r\n\r\n"),
            says(chunked),
        ],
        &["http/1.1 PUT /c 200 answered at 0 +1", "http/1.1 GET /d 200 answered at 2 +1"],
        "",
    );
    check(
        "a coding overrides a length",
        &[
            asks("GET /c HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
            says("1\r\nx\r\n0\r\n\r\n"),
            Closes,
        ],
        &["http/1.1 GET /c 200 answered at 0 +1"],
        "",
    );
    check(
        "HTTP/1.0 until the end",
        &[
            asks("GET /old HTTP/1.0\r\n\r\n"),
            says("HTTP/1.0 200 OK\r\n\r\nsome text\r\n\r\nHTTP/1.1 500 is text"),
            says("more"),
            Closes,
        ],
        &["http/1.0 GET /old 200 answered at 0 +1"],
        "",
    );
    check(
        "a body that looks like a message",
        &[
            asks("POST /log HTTP/1.1\r\nContent-Length: 18\r\n\r\n"),
            asks("GET / HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n"),
            says("HTTP/1.1 500 No\r\n\r\n"),
            Closes,
        ],
        &["http/1.1 POST /log 200 answered at 0 +2"],
        "",
    );
    check(
        "larger than 32 bits",
        &[
            asks("GET /iso HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nxxx"),
            Closes,
        ],
        &["http/1.1 GET /iso 200 aborted at 0 +1"],
        "",
    );
}

#[test]
fn answers_that_are_not_final() {
    check(
        "100-continue and early hints",
        &[
            asks("POST /big HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"),
            says("HTTP/1.1 100 Continue\r\n\r\n"),
            asks("data"),
            says("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
            says(OK),
        ],
        &["http/1.1 POST /big 200 answered at 0 +4"],
        "",
    );
    check(
        "hints and answer in one call",
        &[asks("GET / HTTP/1.1\r\n\r\n"), says(format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}"))],
        &["http/1.1 GET / 200 answered at 0 +1"],
        "",
    );
}

#[test]
fn upgrades_and_tunnels_end_http() {
    let upgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    check(
        "websocket",
        &[
            asks(upgrade),
            says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02"),
            asks("GET /not-a-request HTTP/1.1\r\n\r\n"),
            says(OK),
            Closes,
        ],
        &["http/1.1 GET /ws 101 answered at 0 +1"],
        "",
    );
    check(
        "refused upgrade",
        &[asks(upgrade), says(OK), asks("GET /b HTTP/1.1\r\n\r\n"), says(OK)],
        &["http/1.1 GET /ws 200 answered at 0 +1", "http/1.1 GET /b 200 answered at 2 +1"],
        "",
    );
    check(
        "tunnel",
        &[
            asks("CONNECT host:443 HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 200 Connection established\r\n\r\n"),
            asks("\x16\x03\x01 and so on"),
            Closes,
        ],
        &["http/1.1 CONNECT host:443 200 answered at 0 +1"],
        "",
    );
    check(
        "refused tunnel",
        &[
            asks("CONNECT host:443 HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"),
            asks("CONNECT host:443 HTTP/1.1\r\n\r\n"),
            says("HTTP/1.1 200 OK\r\n\r\n"),
        ],
        &[
            "http/1.1 CONNECT host:443 407 answered at 0 +1",
            "http/1.1 CONNECT host:443 200 answered at 2 +1",
        ],
        "",
    );
    let found = play_once(&[asks(upgrade), says("HTTP/1.1 101 Go\r\n\r\n")], false);
    assert!(found.is_given_up, "nothing is read of what it became");
    assert_eq!(found.protocol, Some("http/1.1"));
}

#[test]
fn connections_that_end_too_early() {
    let get = "GET /a HTTP/1.1\r\n\r\n";
    for (name, steps, expected, losses) in [
        ("no answer", vec![asks(get), Closes], vec!["GET /a unanswered at 0"], ""),
        ("reset", vec![asks(get), Resets], vec!["GET /a unanswered at 0"], ""),
        (
            "two without an answer",
            vec![asks(format!("{get}{get}")), Closes],
            vec!["GET /a unanswered at 0", "GET /a unanswered at 0"],
            "",
        ),
        (
            "only continued",
            vec![asks(get), says("HTTP/1.1 100 Continue\r\n\r\n"), Closes],
            vec!["GET /a unanswered at 0"],
            "",
        ),
        (
            "short body",
            vec![asks(get), says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), Closes],
            vec!["GET /a 200 aborted at 0 +1"],
            "",
        ),
        (
            "no last chunk",
            vec![
                asks(get),
                says("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"),
                Closes,
            ],
            vec!["GET /a 500 aborted at 0 +1"],
            "",
        ),
        (
            "reset before the end",
            vec![asks(get), says("HTTP/1.1 200 OK\r\n\r\nhi"), Resets],
            vec!["GET /a 200 aborted at 0 +1"],
            "",
        ),
        (
            "broken status line",
            vec![asks(get), says("HTTP/1.1 20"), Closes],
            vec!["GET /a unanswered at 0"],
            "",
        ),
        (
            "broken head",
            vec![asks(get), says("HTTP/1.1 502 Bad\r\nContent-Le"), Resets],
            vec!["GET /a 502 aborted at 0 +1"],
            "",
        ),
        ("half a request", vec![asks("GET /a HTTP/1.1\r\nHost: "), Closes], vec![], "unfinished 1"),
        ("nothing", vec![Closes], vec![], ""),
    ] {
        let expected: Vec<String> =
            expected.iter().map(|line| format!("http/1.1 {line}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(name, &steps, &expected, losses);
    }
}

#[test]
fn waiting_ends() {
    check(
        "an answer after the wait is swallowed, the next pair is right",
        &[
            asks("GET /slow HTTP/1.1\r\n\r\n"),
            Expires,
            asks("GET /next HTTP/1.1\r\n\r\n"),
            says(OK),
            says("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
            Closes,
        ],
        &["http/1.1 GET /slow unanswered at 0", "http/1.1 GET /next 404 answered at 2 +2"],
        "",
    );
}

#[test]
fn other_protocols_are_given_up() {
    for (name, steps) in [
        ("TLS", vec![asks("\x16\x03\x01\x02\x00\x01\x00\x01\x00\x03\x03")]),
        ("SSH", vec![says("SSH-2.0-OpenSSH_9.6\r\n")]),
        ("SMTP", vec![says("220 mail ESMTP\r\n"), asks("EHLO host\r\n")]),
        ("PostgreSQL", vec![asks(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")]),
        ("MySQL", vec![says(b"\x4a\x00\x00\x00\x0a8.0.36\x00")]),
        ("Redis", vec![asks("*1\r\n$4\r\nPING\r\n")]),
        ("memcached", vec![asks("get key\r\n")]),
        (
            "MongoDB",
            vec![asks(b"\x3a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xd4\x07\x00\x00")],
        ),
        ("lower case", vec![asks("get / http/1.1\r\n\r\n")]),
        ("zeros", vec![asks([0; 64])]),
    ] {
        let found = play_once(&steps, false);
        assert!(found.is_given_up, "{name}");
        assert_eq!(found.protocol, None, "{name}");
        check(name, &[steps, vec![asks("GET / HTTP/1.1\r\n\r\n"), says(OK)]].concat(), &[], "");
    }
    for (name, request) in
        [("RTSP", "OPTIONS * RTSP/1.0\r\n\r\n"), ("SIP", "OPTIONS /sip SIP/2.0\r\n\r\n")]
    {
        check(name, &[asks(request), says(OK)], &[], "garbage 1");
    }
}
