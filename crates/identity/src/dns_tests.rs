//! Tests of the DNS table: what is learnt, for whom, how long, and what garbage does.

use std::str::FromStr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;

use weir_model::{Process, Transport};

use super::*;

const HOST: Netns = Netns(1);
const OTHER: Netns = Netns(2);

fn name(text: &str) -> Name {
    Name::from_str(text).expect("a name")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Records as `OWNER TTL DATA`: an address, or the name that the owner is an alias of.
fn response(question: &str, records: &[&str]) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(name(question), RecordType::A));
    for record in records {
        let words: Vec<&str> = record.split(' ').collect();
        let data = match words[2].parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => RData::A(A(v4)),
            Ok(IpAddr::V6(v6)) => RData::AAAA(AAAA(v6)),
            Err(_) => RData::CNAME(CNAME(name(words[2]))),
        };
        let ttl = words[1].parse().expect("a TTL");
        message.add_answer(Record::from_rdata(name(words[0]), ttl, data));
    }
    message.to_vec().expect("encoded")
}

fn message(netns: Netns, pid: Option<u32>, payload: Vec<u8>) -> DnsMessage {
    DnsMessage {
        dialled: None,
        transport: Transport::Udp,
        way: Way::Received,
        socket: 1,
        netns,
        local: "192.0.2.2:40000".parse().expect("an end"),
        remote: "192.0.2.53:53".parse().expect("an end"),
        process: pid.map(|pid| Process { pid, name: Arc::from("curl") }),
        cgroup_id: None,
        mono_ns: 0,
        payload,
        truncated: false,
    }
}

fn table() -> DnsNames {
    DnsNames::new(DnsLimits { addresses_max: 16, hold_ms_min: 60_000 })
}

fn learn(names: &mut DnsNames, question: &str, records: &[&str], at_ms: i64) {
    names.observe(&message(HOST, Some(9), response(question, records)), at_ms);
}

fn look(names: &mut DnsNames, address: &str, at_ms: i64) -> String {
    let found = names.name(HOST, ip(address), Some(9), at_ms);
    found.as_deref().unwrap_or("-").to_owned()
}

#[test]
fn addresses_get_the_name_that_was_asked_for() {
    let cases: &[(&str, &[&str], &str, &str)] = &[
        ("shop.example.", &["shop.example. 60 198.51.100.1"], "198.51.100.1", "shop.example"),
        ("Shop.EXAMPLE.", &["shop.example. 60 198.51.100.1"], "198.51.100.1", "shop.example"),
        ("v6.example.", &["v6.example. 60 2001:db8::1"], "2001:db8::1", "v6.example"),
        (
            "www.example.",
            &[
                "www.example. 60 edge.cdn.test.",
                "edge.cdn.test. 60 e7.cdn.test.",
                "e7.cdn.test. 60 198.51.100.2",
            ],
            "198.51.100.2",
            "www.example",
        ),
        (
            "two.example.",
            &["two.example. 60 198.51.100.3", "two.example. 60 198.51.100.4"],
            "198.51.100.4",
            "two.example",
        ),
        // not an answer to the question
        ("a.example.", &["b.example. 60 198.51.100.5"], "198.51.100.5", "-"),
        ("null.example.", &["null.example. 60 0.0.0.0"], "0.0.0.0", "-"),
        ("none.example.", &[], "198.51.100.6", "-"),
    ];
    for (question, records, address, expected) in cases {
        let mut names = table();
        learn(&mut names, question, records, 0);
        assert_eq!(look(&mut names, address, 10), *expected, "{question}");
        assert_eq!(names.losses(), [], "{question}");
    }
}

#[test]
fn names_live_for_their_ttl_or_the_hold() {
    let mut names = table();
    learn(&mut names, "short.example.", &["short.example. 5 198.51.100.1"], 0);
    learn(&mut names, "long.example.", &["long.example. 600 198.51.100.2"], 0);
    assert_eq!(look(&mut names, "198.51.100.1", -5_000), "-", "before the answer");
    assert_eq!(look(&mut names, "198.51.100.2", 599_999), "long.example");
    assert_eq!(look(&mut names, "198.51.100.1", 60_001), "-", "past TTL and hold");
}

#[test]
fn a_flow_in_use_keeps_its_name() {
    let mut names = table();
    learn(&mut names, "db.example.", &["db.example. 5 198.51.100.1"], 0);
    for window in 0..50 {
        assert_eq!(look(&mut names, "198.51.100.1", window * 10_000), "db.example");
    }
    assert_eq!(look(&mut names, "198.51.100.1", 490_000 + 60_001), "-");
}

#[test]
fn each_client_has_its_own_answers() {
    let mut names = table();
    let answer = |question: &str| response(question, &[&format!("{question} 60 198.51.100.1")]);
    names.observe(&message(HOST, Some(1), answer("a.example.")), 0);
    names.observe(&message(HOST, Some(2), answer("b.example.")), 1);
    names.observe(&message(OTHER, Some(3), answer("c.example.")), 2);
    let mut look = |netns, pid| {
        names.name(netns, ip("198.51.100.1"), pid, 10).as_deref().unwrap_or("-").to_owned()
    };
    assert_eq!(look(HOST, Some(1)), "a.example");
    assert_eq!(look(HOST, Some(2)), "b.example");
    assert_eq!(look(HOST, Some(7)), "b.example", "the latest where the process did not ask");
    assert_eq!(look(HOST, None), "b.example");
    assert_eq!(look(OTHER, None), "c.example");
    assert_eq!(look(Netns(3), None), "c.example", "the host's latest where the netns did not ask");
}

#[test]
fn the_latest_answer_wins_even_when_it_is_an_old_name() {
    let mut names = table();
    for (at_ms, question) in [(0, "a.example."), (1, "b.example."), (2, "a.example.")] {
        learn(&mut names, question, &[&format!("{question} 60 198.51.100.1")], at_ms);
    }
    assert_eq!(look(&mut names, "198.51.100.1", 10), "a.example");
}

#[test]
fn failures_and_queries_teach_nothing() {
    let mut names = table();
    let mut failure = Message::new(7, MessageType::Response, OpCode::Query);
    failure.metadata.response_code = ResponseCode::NXDomain;
    failure.add_query(Query::query(name("gone.example."), RecordType::A));
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(name("asked.example."), RecordType::A));
    for teaches_nothing in [failure, query] {
        let payload = teaches_nothing.to_vec().expect("encoded");
        names.observe(&message(HOST, None, payload), 0);
    }
    assert!(names.by_host.is_empty());
    assert_eq!(names.losses(), []);
}

#[test]
fn what_a_name_server_sends_teaches_nothing() {
    let mut names = table();
    let mut sent = message(HOST, None, response("a.example.", &["a.example. 60 198.51.100.1"]));
    sent.way = Way::Sent;
    sent.truncated = true;
    assert!(names.observe(&sent, 0).is_some_and(|reading| reading.is_answer));
    assert!(names.by_host.is_empty());
    assert_eq!(names.losses(), []);
}

#[test]
fn cut_messages_teach_what_is_left_and_are_counted() {
    let records = ["a.example. 60 198.51.100.1", "a.example. 60 198.51.100.2"];
    let whole = response("a.example.", &records);
    let mut names = table();
    let mut cut = message(HOST, None, whole[..whole.len() - 3].to_vec());
    cut.truncated = true;
    names.observe(&cut, 0);
    assert_eq!(look(&mut names, "198.51.100.1", 1), "a.example");
    assert_eq!(look(&mut names, "198.51.100.2", 1), "-");
    let losses = names.losses();
    assert_eq!((losses.len(), losses[0].reason.as_str(), losses[0].count), (1, "truncated", 1));
    assert_eq!(names.losses(), [], "counted once");
}

#[test]
fn a_full_table_forgets_and_counts() {
    let mut names = table();
    for n in 0..40 {
        let record = format!("n{n}.example. 60 198.51.100.{n}");
        learn(&mut names, &format!("n{n}.example."), &[&record], n);
    }
    assert!(names.by_netns.len() <= 16 && names.by_host.len() <= 16);
    assert_eq!(look(&mut names, "198.51.100.39", 50), "n39.example");
    let full: Vec<u64> = names.losses().iter().map(|loss| loss.count).collect();
    assert_eq!(full, [24]);
}

#[test]
fn an_address_has_a_bounded_number_of_names() {
    let mut names = table();
    for n in 0..100 {
        let question = format!("n{n}.example.");
        learn(&mut names, &question, &[&format!("{question} 60 198.51.100.1")], n);
    }
    let known = names.by_host.peek(&ip("198.51.100.1")).expect("known");
    assert_eq!(known.len(), NAMES_PER_ADDRESS_MAX);
    assert_eq!(look(&mut names, "198.51.100.1", 100), "n99.example");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn noise_never_panics(payload in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut names = table();
        names.observe(&message(HOST, None, payload), 0);
    }

    #[test]
    fn damaged_answers_never_panic(
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let records =
            ["w.example. 60 e.test.", "e.test. 60 198.51.100.1", "e.test. 60 2001:db8::1"];
        let mut payload = response("w.example.", &records);
        for (index, byte) in damage {
            let at = index.index(payload.len());
            payload[at] = byte;
        }
        payload.truncate(cut.index(payload.len()) + 1);
        let mut names = table();
        names.observe(&message(HOST, None, payload), 0);
        prop_assert!(names.by_host.len() <= 2);
    }
}
