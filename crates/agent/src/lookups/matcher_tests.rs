//! What becomes of queries and answers, in whatever order they come.

use std::sync::Arc;

use weir_model::{Netns, Transport};

use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// A message at a client's end: time in ms, `?` or `!`, id, name, code.
type Said = (u64, char, u16, &'static str, u8);

fn message(socket: u64, way: Way, at_ms: u64) -> DnsMessage {
    DnsMessage {
        transport: Transport::Udp,
        way,
        socket,
        netns: Netns(1),
        local: "192.0.2.2:40000".parse().unwrap(),
        remote: "192.0.2.53:53".parse().unwrap(),
        dialled: None,
        process: None,
        cgroup_id: None,
        mono_ns: at_ms * MS,
        payload: Vec::new(),
        truncated: false,
    }
}

fn reading(is_answer: bool, id: u16, name: &str, code: u8) -> DnsReading {
    let question = DnsQuestion { name: Arc::from(name), kind: 1 };
    DnsReading {
        id,
        is_answer,
        is_lookup: true,
        code,
        is_partial: false,
        question: (!name.is_empty()).then_some(question),
        addresses: Vec::new(),
        is_cut: false,
    }
}

fn outcome(lookup: &Lookup) -> String {
    let name = &lookup.question.name;
    match lookup.outcome {
        Outcome::Answered { code, took_us: Some(us) } => format!("{name} {code} {}ms", us / 1000),
        Outcome::Answered { code, took_us: None } => format!("{name} {code} ?"),
        Outcome::Abandoned => format!("{name} abandoned"),
        Outcome::TimedOut => format!("{name} timeout"),
    }
}

/// Everything that the messages come to, in order, with what times out long after the last one.
fn play(said: &[Said]) -> Vec<String> {
    let mut matcher = Matcher::new(8, true);
    let mut ended = Vec::new();
    for (at_ms, what, id, name, code) in said {
        matcher.expire(at_ms * MS, &mut |lookup| ended.push(outcome(&lookup)));
        let is_answer = *what == '!';
        let way = if is_answer { Way::Received } else { Way::Sent };
        let found = matcher.take(&message(1, way, *at_ms), &reading(is_answer, *id, name, *code));
        ended.extend(found.as_ref().map(outcome));
    }
    matcher.expire(u64::MAX, &mut |lookup| ended.push(outcome(&lookup)));
    assert!(matcher.waiting.is_empty() && matcher.waiting_count == 0);
    ended
}

#[test]
fn each_lookup_counts_once() {
    let cases: &[(&str, &[Said], &[&str])] = &[
        ("answered", &[(0, '?', 1, "a", 0), (20, '!', 1, "a", 0)], &["a 0 20ms"]),
        ("no such name", &[(0, '?', 1, "a", 0), (5, '!', 1, "a", 3)], &["a 3 5ms"]),
        ("never answered", &[(0, '?', 1, "a", 0)], &["a timeout"]),
        (
            "repeated: from the first query on",
            &[(0, '?', 1, "a", 0), (5_005, '?', 1, "a", 0), (5_010, '!', 1, "a", 0)],
            &["a 0 5010ms"],
        ),
        (
            "repeated, and both answered",
            &[(0, '?', 1, "a", 0), (1, '?', 1, "a", 0), (2, '!', 1, "a", 0), (3, '!', 1, "a", 0)],
            &["a 0 2ms"],
        ),
        ("answered too late", &[(0, '?', 1, "a", 0), (6_000, '!', 1, "a", 0)], &["a timeout"]),
        ("not asked for", &[(0, '!', 1, "a", 0)], &[]),
        (
            "two questions at once, answered crosswise",
            &[(0, '?', 1, "a", 0), (0, '?', 2, "b", 0), (3, '!', 2, "b", 3), (4, '!', 1, "a", 0)],
            &["b 3 3ms", "a 0 4ms"],
        ),
        (
            "two questions of one id",
            &[(0, '?', 7, "a", 0), (1, '?', 7, "b", 0), (3, '!', 7, "b", 0), (4, '!', 7, "a", 0)],
            &["b 0 2ms", "a 0 4ms"],
        ),
        (
            "an answer to another question is none",
            &[(0, '?', 1, "a", 0), (3, '!', 1, "b", 0)],
            &["a timeout"],
        ),
        ("an error without its question", &[(0, '?', 1, "a", 0), (3, '!', 1, "", 1)], &["a 1 3ms"]),
        (
            "asked again once answered",
            &[
                (0, '?', 1, "a", 0),
                (3, '!', 1, "a", 0),
                (100, '?', 1, "a", 0),
                (104, '!', 1, "a", 0),
            ],
            &["a 0 3ms", "a 0 4ms"],
        ),
        ("told in the wrong order", &[(10, '!', 1, "a", 0), (10, '?', 1, "a", 0)], &["a 0 ?"]),
        (
            "an old answer is not a new query's",
            &[(0, '!', 1, "a", 0), (200, '?', 1, "a", 0), (210, '!', 1, "a", 3)],
            &["a 3 10ms"],
        ),
    ];
    for (case, said, expected) in cases {
        assert_eq!(play(said), *expected, "{case}");
    }
}

#[test]
fn what_a_partial_answer_makes_pointless_is_no_timeout() {
    let mut matcher = Matcher::new(8, true);
    let mut take = |socket, way, at_ms, reading| {
        matcher.take(&message(socket, way, at_ms), &reading).as_ref().map(outcome)
    };
    // a resolver asks for A and AAAA, and goes to TCP with the first answer
    assert_eq!(take(1, Way::Sent, 0, reading(false, 1, "a", 0)), None);
    assert_eq!(take(1, Way::Sent, 0, reading(false, 2, "aaaa", 0)), None);
    assert_eq!(take(2, Way::Sent, 0, reading(false, 3, "other", 0)), None);
    let partial = DnsReading { is_partial: true, ..reading(true, 1, "a", 0) };
    assert_eq!(take(1, Way::Received, 5, partial).as_deref(), Some("a 0 5ms"));
    assert_eq!(take(1, Way::Sent, 7, reading(false, 4, "later", 0)), None);
    let mut ended = Vec::new();
    matcher.expire(6_010 * MS, &mut |lookup| ended.push(outcome(&lookup)));
    ended.sort();
    assert_eq!(ended, ["aaaa abandoned", "later timeout", "other timeout"]);
    assert!(matcher.partial_ns.is_empty());
}

#[test]
fn sockets_and_ends_are_told_apart() {
    let mut matcher = Matcher::new(8, true);
    let mut take = |socket, way, at_ms, is_answer| {
        matcher.take(&message(socket, way, at_ms), &reading(is_answer, 1, "a", 0))
    };
    // the same query at the client's socket, another's, and the server's
    assert_eq!(take(1, Way::Sent, 0, false), None);
    assert_eq!(take(2, Way::Sent, 1, false), None);
    assert_eq!(take(3, Way::Received, 2, false), None);
    let at_server = take(3, Way::Sent, 3, true).expect("the server has answered");
    assert_eq!(at_server.flow.direction, Direction::Incoming);
    assert_eq!((at_server.flow.local.port, at_server.flow.remote.port), (40000, 0));
    let at_client = take(2, Way::Received, 5, true).expect("the second client was answered");
    assert_eq!(at_client.flow.direction, Direction::Outgoing);
    assert_eq!((at_client.flow.local.port, at_client.flow.remote.port), (0, 53));
    assert_eq!(outcome(&at_client), "a 0 4ms");
    assert_eq!(outcome(&at_server), "a 0 1ms");
}

#[test]
fn updates_and_empty_queries_are_no_lookups() {
    let mut matcher = Matcher::new(8, true);
    let update = DnsReading { is_lookup: false, ..reading(false, 1, "a", 0) };
    matcher.take(&message(1, Way::Sent, 0), &update);
    matcher.take(&message(1, Way::Sent, 0), &reading(false, 2, "", 0));
    matcher.expire(u64::MAX, &mut |lookup| panic!("{lookup:?}"));
}

#[test]
fn memory_is_bounded_and_what_finds_no_room_is_counted() {
    let mut matcher = Matcher::new(8, true);
    for id in 0..20 {
        assert_eq!(matcher.take(&message(1, Way::Sent, 0), &reading(false, id, "a", 0)), None);
    }
    for id in 100..300 {
        let answer = reading(true, id, "a", 0);
        assert_eq!(matcher.take(&message(1, Way::Received, 1), &answer), None);
    }
    assert_eq!((matcher.waiting_count, matcher.take_not_kept()), (8, 12));
    assert_eq!(matcher.early.len(), EARLY_MAX);
    let mut timeouts = 0;
    matcher.expire(6 * S - 1, &mut |_| timeouts += 100);
    matcher.expire(6 * S, &mut |_| timeouts += 1);
    assert_eq!((timeouts, matcher.take_not_kept()), (8, 0));
}
