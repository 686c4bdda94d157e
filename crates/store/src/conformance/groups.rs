//! `Shape::Groups`: the values are worked out by hand.

use serde_json::{Value, json};
use weir_model::{Entity, EntityKind, Level};
use weir_query::{Answer, EntityKey, GroupBy, GroupValue, Groups, Question, Shape, Sort};
use weir_schema::Side;

use super::rows::{Row, row};
use super::{Open, START_MS, WINDOW_MS, ask, filter, over, question};
use crate::{Store, StoreErrorKind};

pub(super) fn entity(side: Side, level: Level) -> GroupBy {
    GroupBy::Entity { side, level, fold_external: false }
}

pub(super) fn shape(by: Vec<GroupBy>, metrics: &[&str]) -> Shape {
    let metrics = metrics.iter().map(|metric| (*metric).to_owned()).collect();
    Shape::Groups { by, metrics, sort: None, limit: 1_000, offset: 0 }
}

pub(super) fn groups(store: &dyn Store, question: &Question) -> Groups {
    match ask(store, question) {
        Answer::Groups(groups) => groups,
        other => panic!("not groups: {other:?}"),
    }
}

/// A group as text: its key's parts and metrics.
pub(super) fn lines(groups: &Groups) -> Vec<String> {
    let part = |part: &GroupValue| match part {
        GroupValue::Entity(EntityKey(entity)) => format!("{}:{}", entity.kind, entity.id),
        GroupValue::Text(text) => text.clone().unwrap_or("-".to_owned()),
        GroupValue::Number(number) => number.map_or("-".to_owned(), |number| number.to_string()),
    };
    let number = |metric: &Option<f64>| metric.map_or("-".to_owned(), |metric| metric.to_string());
    let line = |group: &weir_query::Group| {
        let key: Vec<String> = group.key.iter().map(part).collect();
        let metrics: Vec<String> = group.metrics.iter().map(number).collect();
        format!("{} = {}", key.join(" > "), metrics.join(" "))
    };
    groups.groups.iter().map(line).collect()
}

fn at(window: i64, changes: Value) -> Row {
    row(START_MS + window * WINDOW_MS, changes)
}

pub fn an_empty_store_answers(open: Open) {
    let opened = open();
    let answer = groups(&*opened.store, &question(shape(vec![], &["bytes_sent", "rtt_us"])));
    assert_eq!(lines(&answer), [" = - -"]);
    assert_eq!((answer.total, answer.totals), (1, vec![None, None]));
    assert_eq!(answer.incomplete, []);
    let by = vec![GroupBy::Field("transport".to_owned())];
    let answer = groups(&*opened.store, &question(shape(by, &["bytes_sent"])));
    assert_eq!((answer.total, answer.groups.len(), answer.totals), (0, 0, vec![None]));
}

pub fn totals_add_up_what_is_there(open: Open) {
    let rows = [
        at(
            0,
            json!({"bytes_sent": 10, "rtt_us_sum": 900, "rtt_samples": 3,
                     "rtt_us_min": 100, "rtt_us_max": 500, "retransmits": 0}),
        ),
        at(
            1,
            json!({"bytes_sent": u64::MAX, "rtt_us_sum": 100, "rtt_samples": 1,
                     "rtt_us_min": 90, "rtt_us_max": 100}),
        ),
        // No kernel of this row gives anything: it adds nothing, not even zeroes.
        at(2, json!({"connect_us_sum": 0, "connect_samples": 0})),
    ];
    let metrics = [
        "bytes_sent",
        "rtt_us",
        "rtt_us_min",
        "rtt_us_max",
        "retransmits",
        "resets_sent",
        "connect_us",
        "jitter_us",
    ];
    over(open, &rows, |store, state| {
        let answer = groups(store, &question(shape(vec![], &metrics)));
        let expected = [
            Some(u64::MAX as f64),
            Some(250.0),
            Some(90.0),
            Some(500.0),
            Some(0.0),
            None,
            None,
            None,
        ];
        assert_eq!(answer.totals, expected, "{state}");
        assert_eq!(answer.groups[0].metrics, expected, "{state}");
        assert_eq!(answer.resolution_ms, WINDOW_MS, "{state}");
    });
}

/// Two hosts, each watched; `curl` on h1 asks `nginx` on h2, which both agents see.
fn both_ends() -> Vec<Row> {
    vec![
        at(
            0,
            json!({"agent": "a1", "local_host": "h1", "local_process": "curl",
                     "remote_host": "h2", "remote_process": "nginx", "remote_agent": "a2",
                     "bytes_sent": 100, "bytes_received": 2_000, "connections": 1}),
        ),
        at(
            0,
            json!({"agent": "a2", "direction": "incoming", "local_host": "h2",
                     "local_process": "nginx", "local_ip": "10.0.0.2", "local_port": 80,
                     "remote_ip": "10.0.0.1", "remote_port": null, "remote_host": "h1",
                     "remote_process": "curl", "remote_agent": "a1",
                     "bytes_sent": 2_000, "bytes_received": 100, "connections": 1}),
        ),
        // A stranger asks nginx as well: only h2 sees it.
        at(
            1,
            json!({"agent": "a2", "direction": "incoming", "local_host": "h2",
                     "local_process": "nginx", "local_ip": "10.0.0.2", "local_port": 80,
                     "remote_ip": "203.0.113.9", "remote_port": null,
                     "bytes_sent": 50, "bytes_received": 7, "connections": 1}),
        ),
    ]
}

pub fn pairs_of_processes_read_from_client_to_server(open: Open) {
    let by = vec![entity(Side::Client, Level::Process), entity(Side::Server, Level::Process)];
    over(open, &both_ends(), |store, state| {
        let metrics = ["bytes_sent", "bytes_received", "connections"];
        let answer = groups(store, &question(shape(by.clone(), &metrics)));
        let expected = [
            "external:203.0.113.9 > process:h2/nginx = 7 50 1",
            "process:h1/curl > process:h2/nginx = 100 2000 1",
        ];
        assert_eq!(lines(&answer), expected, "{state}");
        assert_eq!(answer.totals, [Some(107.0), Some(2050.0), Some(2.0)], "{state}");
        let GroupValue::Entity(EntityKey(client)) = &answer.groups[1].key[0] else {
            panic!("{state}: not an entity");
        };
        let expected = Entity {
            kind: EntityKind::Process,
            id: "h1/curl".to_owned(),
            name: "curl".to_owned(),
            cluster: None,
            namespace: None,
            host: Some("h1".to_owned()),
            workload_kind: None,
        };
        assert_eq!(*client, expected, "{state}");
    });
}

pub fn the_end_that_is_not_observed_is_named_by_what_is_known(open: Open) {
    let rows = [
        at(0, json!({"remote_domain": "example.com", "bytes_sent": 1})),
        at(0, json!({"remote_host": "h9", "remote_domain": "example.com", "bytes_sent": 2})),
        at(0, json!({"remote_host": "h9", "remote_process": "sshd", "bytes_sent": 4})),
        at(0, json!({"remote_ip": "2001:db8::1", "bytes_sent": 8})),
        // A process name without a host names nothing that is unique.
        at(0, json!({"remote_process": "sshd", "bytes_sent": 16})),
    ];
    over(open, &rows, |store, state| {
        let by = vec![entity(Side::Server, Level::Process)];
        let expected = [
            "external:10.0.0.2 = 16",
            "external:2001:db8::1 = 8",
            "external:example.com = 1",
            "host:h9 = 2",
            "process:h9/sshd = 4",
        ];
        let answer = groups(store, &question(shape(by, &["bytes_sent"])));
        assert_eq!(lines(&answer), expected, "{state}");
        let by = vec![entity(Side::Server, Level::Host)];
        let answer = groups(store, &question(shape(by, &["bytes_sent"])));
        assert_eq!(lines(&answer)[3..], ["host:h9 = 6"], "{state}");
    });
}

pub fn external_ends_fold_by_domain_and_class(open: Open) {
    let known = json!({"remote_domain": "example.com", "remote_port": 9_999, "bytes_sent": 1});
    let incoming = json!({"direction": "incoming", "local_port": 443, "remote_port": null,
                          "remote_ip": "8.8.8.8", "remote_domain": "dns.google",
                          "bytes_received": 32});
    let rows = [
        at(0, known),
        at(
            0,
            json!({"remote_domain": "p2p.net", "remote_port": 10_000, "remote_ip": "8.8.4.4",
                     "bytes_sent": 2}),
        ),
        at(0, json!({"remote_ip": "2001:db8::1", "bytes_sent": 4})),
        at(0, json!({"remote_ip": "192.168.7.7", "bytes_sent": 8})),
        at(
            0,
            json!({"remote_domain": "x.org", "remote_port": null, "remote_ip": "fe80::1",
                     "bytes_sent": 16}),
        ),
        // The server's port counts, also where the server is the local end.
        at(0, incoming),
        at(0, json!({"remote_host": "h2", "remote_ip": "8.8.8.8", "bytes_sent": 64})),
    ];
    let fold = |side| vec![GroupBy::Entity { side, level: Level::Host, fold_external: true }];
    over(open, &rows, |store, state| {
        let answer = groups(store, &question(shape(fold(Side::Remote), &["bytes_sent"])));
        let expected = [
            "external:dns.google = -",
            "external:example.com = 1",
            "host:h2 = 64",
            "external_group:internet = 6",
            "external_group:private = 24",
        ];
        assert_eq!(lines(&answer), expected, "{state}");
        let mut clients = question(shape(fold(Side::Client), &["bytes_sent"]));
        clients.filter = filter("direction:incoming");
        let answer = groups(store, &clients);
        assert_eq!(lines(&answer), ["external:dns.google = 32"], "{state}");
    });
}

pub fn levels_fall_back(open: Open) {
    let rows = [
        at(
            0,
            json!({"local_pod": "web-1", "local_namespace": "shop", "local_cluster": "c1",
                     "local_deployment": "web", "local_workload_kind": "Deployment",
                     "local_service": "front", "bytes_sent": 1}),
        ),
        at(
            0,
            json!({"local_pod": "web-2", "local_namespace": "shop", "local_cluster": "c1",
                     "local_deployment": "web", "local_workload_kind": "Deployment",
                     "local_host": "h2", "bytes_sent": 2}),
        ),
        at(
            0,
            json!({"local_deployment": "ssh.service", "local_workload_kind": "systemd",
                     "bytes_sent": 4}),
        ),
        at(0, json!({"bytes_sent": 8})),
    ];
    let cases: [(Level, &[&str]); 4] = [
        (Level::Pod, &["host:h1 = 12", "pod:c1/shop/web-1 = 1", "pod:c1/shop/web-2 = 2"]),
        (
            Level::Deployment,
            &["host:h1 = 8", "workload:h1/ssh.service = 4", "workload:c1/shop/web = 3"],
        ),
        (
            Level::Service,
            &[
                "service:c1/shop/front = 1",
                "host:h1 = 8",
                "workload:h1/ssh.service = 4",
                "workload:c1/shop/web = 2",
            ],
        ),
        (Level::Host, &["host:h1 = 13", "host:h2 = 2"]),
    ];
    over(open, &rows, |store, state| {
        for (level, expected) in cases {
            let by = vec![entity(Side::Client, level)];
            let answer = groups(store, &question(shape(by, &["bytes_sent"])));
            assert_eq!(lines(&answer), expected, "{state}, {level}");
        }
    });
}

pub fn local_and_remote_ends_are_not_turned(open: Open) {
    over(open, &both_ends(), |store, state| {
        let by = vec![entity(Side::Local, Level::Process)];
        let answer = groups(store, &question(shape(by, &["bytes_sent"])));
        // Of the conversation seen twice, merged takes the client's row.
        assert_eq!(lines(&answer), ["process:h1/curl = 100", "process:h2/nginx = 50"], "{state}");
        let by = vec![GroupBy::Field("remote_ip".to_owned())];
        let answer = groups(store, &question(shape(by, &["bytes_sent"])));
        assert_eq!(lines(&answer), ["10.0.0.2 = 100", "203.0.113.9 = 50"], "{state}");
        let by = vec![GroupBy::Field("client_ip".to_owned())];
        let answer = groups(store, &question(shape(by, &["bytes_sent"])));
        assert_eq!(lines(&answer), ["10.0.0.1 = 100", "203.0.113.9 = 7"], "{state}");
    });
}

pub fn fields_group_by_text_and_number(open: Open) {
    let rows = [
        at(0, json!({"pid": 10, "local_process": "b", "bytes_sent": 1})),
        at(1, json!({"pid": 9, "local_process": "a", "bytes_sent": 2})),
        at(2, json!({"local_process": "a", "bytes_sent": 4})),
        at(3, json!({"pid": 9, "bytes_sent": 8})),
        at(4, json!({"pid": 9, "local_process": "a", "bytes_sent": 16})),
    ];
    let by = ["pid", "client_process"].map(|name| GroupBy::Field(name.to_owned())).to_vec();
    over(open, &rows, |store, state| {
        let answer = groups(store, &question(shape(by.clone(), &["bytes_sent"])));
        let expected = ["9 > a = 18", "9 > - = 8", "10 > b = 1", "- > a = 4"];
        assert_eq!(lines(&answer), expected, "{state}");
    });
}

pub fn sort_limit_and_offset_cut_pages(open: Open) {
    let mut rows = Vec::new();
    for (name, bytes) in [("a", Some(5)), ("b", Some(9)), ("c", None), ("d", Some(5))] {
        let changes = json!({"local_process": name, "bytes_sent": bytes, "closures": 1});
        rows.push(at(0, changes));
    }
    rows.push(at(0, json!({"bytes_sent": 7, "closures": 1})));
    let cases: [(&str, bool, &str); 6] = [
        ("bytes_sent", true, "b - a d c"),
        ("bytes_sent", false, "a d - b c"),
        ("local_process", false, "a b c d -"),
        ("local_process", true, "d c b a -"),
        ("closures", true, "a b c d -"),
        ("rtt_us", true, "a b c d -"),
    ];
    over(open, &rows, |store, state| {
        for (by, descending, expected) in cases {
            let names: Vec<&str> = expected.split(' ').collect();
            for (limit, offset) in [(10, 0), (2, 0), (2, 1), (2, 4), (2, 9), (0, 0)] {
                let question = question(Shape::Groups {
                    by: vec![GroupBy::Field("local_process".to_owned())],
                    metrics: vec!["bytes_sent".to_owned()],
                    sort: Some(Sort { by: by.to_owned(), descending }),
                    limit,
                    offset,
                });
                let answer = groups(store, &question);
                let key = |line: String| line.split(' ').next().unwrap().to_owned();
                let found: Vec<String> = lines(&answer).into_iter().map(key).collect();
                let page: Vec<&str> = names.iter().skip(offset).take(limit).copied().collect();
                assert_eq!(found, page, "{state}: by {by}, {descending}, {limit}, {offset}");
                assert_eq!((answer.total, &answer.totals[..]), (5, &[Some(26.0)][..]), "{state}");
            }
        }
    });
}

pub fn active_connections_count_the_last_window_of_each_agent(open: Open) {
    let active = |window, agent: &str, process: &str, active: u64| {
        at(
            window,
            json!({"agent": agent, "local_process": process,
                          "active_connections": active}),
        )
    };
    let rows = [
        active(0, "a1", "x", 100),
        active(1, "a1", "x", 3),
        active(2, "a1", "x", 1),
        active(2, "a1", "y", 2),
        active(1, "a1", "gone", 50),
        // Its last window is older than a1's.
        active(1, "a2", "x", 10),
        active(0, "a2", "x", 1_000),
    ];
    over(open, &rows, |store, state| {
        let by = vec![GroupBy::Field("local_process".to_owned())];
        let answer = groups(store, &question(shape(by, &["active_connections"])));
        assert_eq!(lines(&answer), ["gone = -", "x = 11", "y = 2"], "{state}");
        assert_eq!(answer.totals, [Some(13.0)], "{state}");
        let mut gone = question(shape(vec![], &["active_connections"]));
        gone.filter = filter("local_process:gone");
        assert_eq!(groups(store, &gone).totals, [None], "{state}");
        let mut earlier = question(shape(vec![], &["active_connections"]));
        earlier.window.to_ms = START_MS + 2 * WINDOW_MS;
        assert_eq!(groups(store, &earlier).totals, [Some(63.0)], "{state}");
    });
}

pub fn what_is_not_a_question_is_refused(open: Open) {
    let opened = open();
    let field = |name: &str| vec![GroupBy::Field(name.to_owned())];
    let mut questions = vec![
        question(shape(vec![], &["no_metric"])),
        question(shape(field("no_field"), &["bytes_sent"])),
        question(shape(field("host"), &["bytes_sent"])),
        question(shape(field("bytes_sent"), &["bytes_sent"])),
        question(shape(vec![entity(Side::Either, Level::Host)], &["bytes_sent"])),
        question(Shape::Facets { fields: vec!["no_field".to_owned()], limit: 1 }),
        question(Shape::Facets { fields: vec!["bytes_sent".to_owned()], limit: 1 }),
    ];
    let by = |by: &str| Some(Sort { by: by.to_owned(), descending: false });
    questions.push(question(Shape::Rows { cursor: None, limit: 1, sort: by("no_column") }));
    let (metrics, sort) = (vec!["bytes_sent".to_owned()], by("client"));
    let unsorted = Shape::Groups { by: field("pid"), metrics, sort, limit: 1, offset: 0 };
    questions.push(question(unsorted));
    let mut empty = question(shape(vec![], &["bytes_sent"]));
    empty.window.to_ms = empty.window.from_ms;
    questions.push(empty);
    for question in questions {
        let error = opened.store.ask(&question).expect_err(&format!("{question:?}"));
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{question:?}: {error}");
    }
}
