//! From payload to rows of requests.

mod common;

use std::sync::Arc;

use common::{OwnedRow, PayloadEvent, Script, Server, end, lock, options, record, wait_for};
use weir_agent::{Agent, AgentOptions, Headers};
use weir_model::{L7Ends, Netns, Process, Role, Way};
use weir_schema::Table;

fn ends(role: Role, local: &str, remote: &str, process: &str) -> L7Ends {
    L7Ends {
        role,
        local: end(local),
        remote: end(remote),
        dialled: None,
        netns: Netns(1),
        cgroup_id: None,
        process: Some(Process { pid: 1_000_000_009, name: Arc::from(process) }),
        is_tls: false,
    }
}

fn passed(id: u64, way: Way, mono_ms: u64, text: &str) -> PayloadEvent {
    PayloadEvent::Passed(id, way, mono_ms * 1_000_000, text.as_bytes().to_vec())
}

/// Plays the events in one window, and gives the rows of requests and of samples.
fn played(events: Vec<PayloadEvent>, expected: usize) -> (Vec<OwnedRow>, Vec<OwnedRow>) {
    played_with(events, expected, |_| {})
}

fn played_with(
    events: Vec<PayloadEvent>,
    expected: usize,
    change: impl FnOnce(&mut AgentOptions),
) -> (Vec<OwnedRow>, Vec<OwnedRow>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    // a flow of their own makes these addresses this host's
    script.play(record(Role::Server, "10.0.0.2:80", "198.51.100.9:0", "nginx", 1));
    script.play(record(Role::Client, "10.0.0.1:0", "198.51.100.9:443", "curl", 1));
    lock(&script.0).payload = events;
    let mut options = options(dir.path());
    change(&mut options);
    let agent = Agent::new(options, script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    let rows = |table| server.rows_of(table, |_| true);
    wait_for("the rows", || (rows(Table::L7Flows).len() >= expected).then_some(()));
    agent.stop();
    (rows(Table::L7Flows), rows(Table::L7Samples))
}

#[test]
fn requests_of_one_template_are_one_row_and_samples_are_whole() {
    let mut events = vec![PayloadEvent::Opened(
        7,
        ends(Role::Server, "10.0.0.2:80", "198.51.100.7:40000", "nginx"),
    )];
    for (user, at_ms) in [(1, 1_000), (2, 2_000)] {
        let head = format!("GET /users/{user}?key=secret HTTP/1.1\r\nHost: a\r\n\r\n");
        events.push(passed(7, Way::Received, at_ms, &head));
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        events.push(passed(7, Way::Sent, at_ms + 25, answer));
    }
    let (rows, samples) = played(events, 1);
    assert_eq!(rows.len(), 1);
    let row = rows[0].get();
    assert_eq!(
        ["direction", "protocol", "encryption", "method", "path", "local_process"]
            .map(|name| row.text(name)),
        ["incoming", "http/1.1", "none", "GET", "/users/{id}", "nginx"]
    );
    assert_eq!((row.number("local_port"), row.number("remote_port")), (Some(80), None));
    assert_eq!(
        ["status", "requests", "errors", "status_2xx", "unanswered", "response_us_sum"]
            .map(|name| row.number(name)),
        [Some(200), Some(2), Some(0), Some(2), Some(0), Some(50_000)]
    );
    let mut paths: Vec<_> = samples.iter().map(|row| row.get().text("path")).collect();
    paths.sort();
    assert_eq!(paths, ["/users/1", "/users/2"], "whole, but for the query");
    assert!(samples.iter().all(|row| row.get().number("weight") == Some(1)));
    assert!(samples.iter().all(|row| row.get().number("response_us") == Some(25_000)));
}

#[test]
fn what_one_end_told_is_counted_at_both_ends_of_this_host() {
    let events = vec![
        PayloadEvent::Opened(1, ends(Role::Client, "10.0.0.1:5000", "10.0.0.2:80", "curl")),
        PayloadEvent::Opened(2, ends(Role::Server, "10.0.0.2:80", "10.0.0.1:5000", "nginx")),
        PayloadEvent::Withdrawn(1, 2),
        passed(2, Way::Received, 1_000, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        passed(2, Way::Sent, 1_003, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        PayloadEvent::Closed(2, false),
    ];
    let (mut rows, samples) = played(events, 2);
    rows.sort_by_key(|row| row.get().text("direction"));
    let [served, asked] = &rows[..] else { panic!("{} rows", rows.len()) };
    for (row, direction, local, remote) in
        [(served, "incoming", "nginx", "curl"), (asked, "outgoing", "curl", "nginx")]
    {
        let row = row.get();
        assert_eq!(row.text("direction"), direction);
        assert_eq!(
            (row.text("local_process"), row.text("remote_process")),
            (local.into(), remote.into())
        );
        assert!(!row.text("remote_agent").is_empty(), "the other end is watched too");
        assert_eq!((row.number("requests"), row.number("errors")), (Some(1), Some(1)));
        assert_eq!(row.number("response_us_sum"), Some(3_000));
    }
    assert_eq!(samples.len(), 2, "one seen from each end");
}

#[test]
fn a_client_told_of_after_the_answer_is_counted_all_the_same() {
    for is_over in [false, true] {
        let mut events = vec![
            PayloadEvent::Opened(2, ends(Role::Server, "10.0.0.2:80", "10.0.0.1:5000", "nginx")),
            passed(2, Way::Received, 1_000, "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n"),
        ];
        let (answer, status) = match is_over {
            true => ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
            false => ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        };
        events.extend([
            passed(2, Way::Sent, 1_003, answer),
            PayloadEvent::Opened(1, ends(Role::Client, "10.0.0.1:5000", "10.0.0.2:80", "curl")),
            PayloadEvent::Withdrawn(1, 2),
            PayloadEvent::Closed(2, false),
        ]);
        let (mut rows, _) = played(events, 2);
        rows.sort_by_key(|row| row.get().text("direction"));
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.get().text("direction"), row.get().number("requests")))
            .collect();
        assert_eq!(told, [("incoming".into(), Some(1)), ("outgoing".into(), Some(1))]);
        assert!(rows.iter().all(|row| row.get().number("status") == Some(status)));
    }
}

#[test]
fn a_request_that_died_with_its_connection_is_counted() {
    let events = vec![
        PayloadEvent::Opened(3, ends(Role::Client, "10.0.0.1:5000", "198.51.100.1:80", "curl")),
        passed(3, Way::Sent, 1_000, "POST /orders HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        PayloadEvent::Closed(3, true),
    ];
    let (rows, _) = played(events, 1);
    let row = rows[0].get();
    assert_eq!((row.text("method"), row.text("path")), ("POST".into(), "/orders".into()));
    assert_eq!(
        ["status", "requests", "errors", "unanswered", "response_samples"]
            .map(|name| row.number(name)),
        [None, Some(1), Some(1), Some(1), Some(0)]
    );
}

#[test]
fn of_headers_only_those_of_the_list_are_kept() {
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let told = |list: &[&str]| {
        let client = ends(Role::Client, "10.0.0.1:5000", "198.51.100.1:80", "curl");
        let head = format!(
            "POST /orders HTTP/1.1\r\nHost: a\r\nX-Request-Id: r-7\r\nCookie: session=1\r\n\
             traceparent: 00-{ID}-00f067aa0ba902b7-01\r\nUser-Agent: curl/8\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let events = vec![
            PayloadEvent::Opened(3, client),
            passed(3, Way::Sent, 1_000, &head),
            passed(3, Way::Received, 1_001, "HTTP/1.1 204 No Content\r\nX-Request-Id: s\r\n\r\n"),
        ];
        let headers = Headers::new(list).expect("a list");
        let (_, samples) = played_with(events, 1, |options| options.headers = headers);
        let row = samples[0].get();
        (row.text("trace_id"), row.text("headers"))
    };
    let texts = |id: &str, headers: &str| (id.to_owned(), headers.to_owned());
    assert_eq!(told(&["traceparent"]), texts(ID, ""), "the default");
    assert_eq!(told(&[]), texts("", ""));
    let lines = "x-request-id: r-7\nuser-agent: curl/8";
    assert_eq!(told(&["user-agent", "X-Request-Id"]), texts("", lines));
}
