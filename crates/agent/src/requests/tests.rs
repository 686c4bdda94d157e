//! Sampling: what is counted with it and without it, and the bounds of what is held.

use std::collections::BTreeMap;

use weir_model::{Netns, Process};

use super::table::{RequestCounters, Sample};
use super::*;

/// A connection that asks `path` so many times and is answered with `status`.
struct Client {
    path: &'static str,
    status: u16,
    requests: u64,
}

const UNEQUAL: &[Client] = &[
    Client { path: "/much", status: 200, requests: 20_000 },
    Client { path: "/some", status: 200, requests: 3_000 },
    Client { path: "/little", status: 200, requests: 170 },
    Client { path: "/wrong", status: 404, requests: 2_100 },
    Client { path: "/broken", status: 500, requests: 1 },
];

fn ends(port: u16) -> L7Ends {
    let end = |text: String| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
    L7Ends {
        role: Role::Server,
        local: end("10.0.0.1:80".to_owned()),
        remote: end(format!("10.0.0.2:{port}")),
        dialled: None,
        netns: Netns(1),
        cgroup_id: None,
        process: Some(Process { pid: 7, name: Arc::from("nginx") }),
        is_tls: false,
    }
}

fn watch(limits: RequestLimits, one_in: u64) -> RequestWatch {
    let headers = Headers::standard().clone();
    let mut watch = RequestWatch::new(limits, headers, true, 4711, Arc::default());
    watch.read_one_in(one_in);
    watch
}

/// A connection as the probe tells of it.
struct Told<'a> {
    watch: &'a mut RequestWatch,
    id: u64,
    positions: [u64; 2],
    now_ns: u64,
}

impl<'a> Told<'a> {
    fn open(watch: &'a mut RequestWatch, id: u64) -> Self {
        watch.opened(id, ends(id as u16));
        Self { watch, id, positions: [0; 2], now_ns: 1 }
    }

    fn pass(&mut self, way: Way, bytes: &[u8]) {
        let position = &mut self.positions[way as usize];
        self.now_ns += 50_000;
        let length = bytes.len() as u32;
        let payload = Payload { way, mono_ns: self.now_ns, length, bytes };
        self.watch.payload(self.id, *position, &payload);
        *position += u64::from(length);
    }

    /// `ask(n)` is the `n`th head.
    fn exchange(&mut self, head: &str, status: u16) {
        self.pass(Way::Received, format!("GET {head} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let head = format!("HTTP/1.1 {status} Word\r\nContent-Length: 4\r\n\r\n");
        self.pass(Way::Sent, head.as_bytes());
        self.pass(Way::Sent, b"GET ");
    }
}

fn play(one_in: u64, clients: &[Client]) -> Requests {
    let mut watch = watch(RequestLimits::default(), one_in);
    for (id, client) in clients.iter().enumerate() {
        let mut told = Told::open(&mut watch, id as u64 + 1);
        (0..client.requests).for_each(|_| told.exchange(client.path, client.status));
        watch.closed(id as u64 + 1, 9, false);
    }
    watch.take(0)
}

/// Requests by a word of their key.
fn sums<K: Ord>(found: &Requests, key: impl Fn(&RequestKey) -> K) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    found.rows.iter().for_each(|(k, row)| *sums.entry(key(k)).or_default() += row.requests);
    sums
}

#[test]
fn counts_by_status_are_exact_however_few_are_read() {
    let exact = play(1, UNEQUAL);
    assert_eq!((exact.read, exact.unread), (25_271, 0));
    for one_in in [2, 8, 64] {
        let found = play(one_in, UNEQUAL);
        assert_eq!(found.read + found.unread, 25_271);
        let expected = 25_271 / one_in;
        assert!(found.read.abs_diff(expected) < expected / 4, "{} of 25,271 read", found.read);
        let statuses = |found: &Requests| sums(found, |key| key.status);
        assert_eq!(statuses(&found), statuses(&exact), "1 in {one_in}");
        let total = |found: &Requests, of: fn(&RequestCounters) -> u64| {
            found.rows.iter().map(|(_, row)| of(row)).sum::<u64>()
        };
        for of in [
            (|row| row.errors) as fn(&RequestCounters) -> u64,
            |row| row.classes[1],
            |row| row.classes[3],
            |row| row.classes[4],
            |row| row.unanswered,
        ] {
            assert_eq!(total(&found, of), total(&exact, of), "1 in {one_in}");
        }
        let weights: u64 = found.samples.iter().map(|(_, weight)| u64::from(*weight)).sum();
        // errors have samples of their own
        let is_error = |sample: &Sample| sample.exchange.is_error();
        assert!(found.samples.iter().any(|(sample, _)| is_error(sample)));
        assert_eq!(weights, 25_271, "samples stand for all");
    }
}

/// The row of the exchange before is tried first; only what is alike may be counted there.
#[test]
fn exchanges_of_one_connection_are_counted_each_in_its_row() {
    let mut watch = watch(RequestLimits::default(), 1);
    let mut told = Told::open(&mut watch, 1);
    for _ in 0..2 {
        for (path, status) in
            [("/a", 200), ("/a", 200), ("/b", 200), ("/a", 404), ("/a", 200), ("/users/1", 200)]
        {
            told.exchange(path, status);
        }
        (2..=4).for_each(|n| told.exchange(&format!("/users/{n}"), 200));
        told.pass(Way::Received, b"POST /a HTTP/1.1\r\nHost: a\r\n\r\n");
        told.pass(Way::Sent, b"HTTP/1.1 200 Word\r\nContent-Length: 0\r\n\r\n");
        let found = told.watch.take(0);
        let key = |k: &RequestKey| format!("{} {} {}", k.method, k.template, k.status.unwrap_or(0));
        let expected = [
            ("GET /a 200", 3),
            ("GET /a 404", 1),
            ("GET /b 200", 1),
            ("GET /users/{id} 200", 4),
            ("POST /a 200", 1),
        ];
        let expected = expected.map(|(key, requests)| (key.to_owned(), requests));
        assert_eq!(sums(&found, key), BTreeMap::from(expected));
    }
}

#[test]
fn a_path_that_becomes_a_name_leaves_its_row() {
    let mut watch = watch(RequestLimits::default(), 1);
    let mut told = Told::open(&mut watch, 1);
    told.exchange("/things/first", 200);
    let Told { id, positions, now_ns, .. } = told;
    let mut other = Told::open(&mut watch, 2);
    for letter in 'a'..='z' {
        other.exchange(&format!("/things/thing-{letter}"), 200);
    }
    // the connection has asked that before, and it was another template then
    Told { watch: &mut watch, id, positions, now_ns }.exchange("/things/first", 200);
    let found = sums(&watch.take(0), |key| key.template.to_string());
    assert_eq!(found.get("/things/first"), Some(&1), "{found:?}");
    assert_eq!(found.get("/things/{name}"), Some(&8), "{found:?}");
}

#[test]
fn what_is_estimated_is_close() {
    let exact = sums(&play(1, UNEQUAL), |key| key.template.clone());
    let found = play(8, UNEQUAL);
    let times = found.rows.iter().map(|(_, row)| row.response.count).sum::<u64>();
    assert!(times.abs_diff(25_271) <= 1, "only what has no like has no time: {times}");
    for (path, requests) in sums(&found, |key| key.template.clone()) {
        // three standard deviations of choosing one in eight
        let near = 3.0 * (8.0 * requests as f64).sqrt();
        let known = exact.get(&path).copied().unwrap_or(1);
        assert!((known.abs_diff(requests) as f64) <= near, "{path}: {requests} for {known}");
    }
    for (_, row) in &found.rows {
        assert_eq!(row.sketch.count(), row.response.count);
        assert!(row.response.sum.abs_diff(row.response.count * 50) <= 50, "rounded down");
    }
}

#[test]
fn it_starts_and_ends_in_the_middle_of_connections() {
    let mut watch = watch(RequestLimits::default(), 1);
    let mut told = Told::open(&mut watch, 1);
    let mut asked = 0;
    for one_in in [1, 16, 1, 2, 1] {
        told.watch.read_one_in(one_in);
        (0..300).for_each(|n| told.exchange(&format!("/users/{n}"), 200));
        let found = told.watch.take(0);
        asked += 300;
        assert_eq!(sums(&found, |key| key.status), BTreeMap::from([(Some(200), 300)]), "{asked}");
        assert_eq!(found.unread > 0, one_in > 1);
    }
    assert_eq!(told.watch.losses.totals().iter().filter(|loss| loss.component == "l7").count(), 1);
}

#[test]
fn connections_of_one_request_are_sampled_too() {
    let mut watch = watch(RequestLimits::default(), 4);
    for id in 1..=4_000 {
        let mut told = Told::open(&mut watch, id);
        told.exchange("/once", 200);
        watch.closed(id, 9, false);
    }
    let found = watch.take(0);
    assert_eq!(sums(&found, |key| key.template.to_string()), [("/once".to_owned(), 4_000)].into());
    assert!((800..1_200).contains(&found.read), "{} read", found.read);
}

#[test]
fn what_is_no_plain_http1_is_read_in_any_case() {
    let mut watch = watch(RequestLimits::default(), 1_000_000);
    let mut told = Told::open(&mut watch, 1);
    let head = b"GET /p HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    for _ in 0..10 {
        told.pass(Way::Received, &head);
        let answers = b"HTTP/1.1 204 No Content\r\n\r\n".repeat(3);
        told.pass(Way::Sent, &answers);
    }
    let found = watch.take(0);
    assert_eq!(sums(&found, |key| key.status), BTreeMap::from([(Some(204), 30)]));
    assert_eq!(found.unread, 3, "a pipeline is noticed at its first call");

    let mut told = Told::open(&mut watch, 2);
    told.exchange("/", 200);
    told.pass(Way::Received, b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    told.pass(Way::Sent, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
    told.pass(Way::Sent, b"\x81\x05hello");
    assert!(!watch.connections.contains_key(&2), "it is no longer HTTP");
    assert_eq!(sums(&watch.take(0), |key| key.status), [(Some(101), 1), (Some(200), 1)].into());
}

#[test]
fn a_request_that_dies_unread_is_unanswered() {
    let mut watch = watch(RequestLimits::default(), 1_000_000);
    for id in 1..=2 {
        let mut told = Told::open(&mut watch, id);
        told.pass(Way::Received, b"GET / HTTP/1.1\r\n\r\n");
    }
    watch.closed(1, 9, true);
    let found = watch.take(ANSWER_NS_MAX + 1_000_000_000);
    let rows: Vec<_> = found.rows.iter().map(|(_, row)| row).collect();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.requests, row.errors, row.unanswered), (2, 2, 2), "one died, one waited");
    watch.closed(2, 9, true);
    assert!(watch.take(0).rows.is_empty(), "counted once");
}

#[test]
fn connections_are_bounded_and_what_is_beyond_is_told() {
    let limits = RequestLimits { connections_max: 3, ..RequestLimits::default() };
    let mut watch = watch(limits, 1);
    (1..=5).for_each(|id| Told::open(&mut watch, id).exchange("/", 200));
    assert_eq!(watch.connections.len(), 3);
    assert_eq!(sums(&watch.take(0), |key| key.status), [(Some(200), 3)].into());
    let losses = watch.losses.totals();
    let told = losses.iter().find(|loss| loss.reason == "connections_max").expect("told");
    assert_eq!((told.kind, told.count), (LossKind::Discarded, 2));
}

#[test]
fn rows_flows_and_samples_are_bounded_with_and_without_sampling() {
    for one_in in [1, 1_000_000] {
        let limits = RequestLimits { rows_max: 16, samples_max: 10, connections_max: 1_000 };
        let mut watch = watch(limits, one_in);
        for id in 1..=500 {
            let mut ends = ends(1);
            ends.remote.ip = std::net::Ipv4Addr::from(0x0a01_0000 + id as u32).into();
            watch.opened(id, ends);
            let mut told = Told { watch: &mut watch, id, positions: [0; 2], now_ns: 1 };
            told.exchange(&format!("/path-{}", id % 50), 200);
        }
        let found = watch.take(0);
        assert_eq!(sums(&found, |key| key.status), [(Some(200), 500)].into());
        assert!(found.rows.len() <= 16 + 16 / 8 + 1, "{} rows", found.rows.len());
        assert!(found.flows.len() <= 17, "{} flows", found.flows.len());
        assert!(found.samples.len() <= 10);
        assert!(found.folded > 0);
    }
}
