//! The map, data first: a line per pair, a line per expectation.

use weir_model::{Entity, EntityKind};

use crate::{
    Cut, Edge, Flow, Focus, GroupKind, Grouping, Map, Merge, Metric, Metrics, Options, build, key,
};

// sent, received, connections, delay (a mean), its samples, smallest delay
const ALL: [Metric; 6] = [
    Metric { merge: Merge::Sum, mirror: 1 },
    Metric { merge: Merge::Sum, mirror: 0 },
    Metric { merge: Merge::Sum, mirror: 2 },
    Metric { merge: Merge::Mean { samples: 4 }, mirror: 3 },
    Metric { merge: Merge::Sum, mirror: 4 },
    Metric { merge: Merge::Min, mirror: 5 },
];
const METRICS: Metrics<'static> = Metrics { all: &ALL, weight: &[0, 1] };

/// `process:web/nginx`, `external:example.com`, `process:web/nginx@shop` with a namespace.
fn entity(text: &str) -> Entity {
    let (kind, rest) = text.split_once(':').unwrap();
    let (id, namespace) = match rest.split_once('@') {
        Some((id, namespace)) => (id, Some(namespace.to_owned())),
        None => (rest, None),
    };
    let host = (kind == "process").then(|| id.split('/').next().unwrap().to_owned());
    Entity {
        kind: EntityKind::parse(kind).unwrap(),
        id: id.to_owned(),
        name: id.rsplit('/').next().unwrap().to_owned(),
        cluster: None,
        namespace,
        host,
        workload_kind: None,
    }
}

fn edge(client: &str, server: &str, values: [f64; 6]) -> Edge {
    Edge {
        client: entity(client),
        server: entity(server),
        client_zone: None,
        server_zone: None,
        values: values.into_iter().map(|v| (v >= 0.0).then_some(v)).collect(),
    }
}

/// A pair with so many bytes each way.
fn bytes(client: &str, server: &str, sent: f64) -> Edge {
    edge(client, server, [sent, 0.0, 1.0, -1.0, 0.0, -1.0])
}

fn options() -> Options {
    Options { grouping: Grouping::None, focus: None, nodes_max: 1_000, edges_max: 1_000 }
}

fn node<'a>(map: &'a Map, key: &str) -> &'a [Option<f64>] {
    &map.nodes.iter().find(|node| node.key == key).unwrap().values
}

fn keys(map: &Map) -> Vec<&str> {
    map.nodes.iter().map(|node| node.key.as_str()).collect()
}

fn arrows(edges: &[crate::MapEdge]) -> Vec<String> {
    edges.iter().map(|edge| format!("{} > {}", edge.client, edge.server)).collect()
}

fn some(values: [f64; 6]) -> Vec<Option<f64>> {
    values.into_iter().map(|v| (v >= 0.0).then_some(v)).collect()
}

#[test]
fn a_node_sees_its_conversations_from_its_own_end() {
    let map = build(
        &METRICS,
        vec![
            edge("process:a/curl", "process:b/nginx", [10.0, 500.0, 2.0, 100.0, 1.0, 90.0]),
            edge("process:b/nginx", "process:b/app", [40.0, 7.0, 1.0, 200.0, 3.0, 20.0]),
        ],
        &options(),
    );
    assert_eq!(node(&map, "process:a/curl"), some([10.0, 500.0, 2.0, 100.0, 1.0, 90.0]));
    assert_eq!(node(&map, "process:b/nginx"), some([540.0, 17.0, 3.0, 175.0, 4.0, 20.0]));
    assert_eq!(node(&map, "process:b/app"), some([7.0, 40.0, 1.0, 200.0, 3.0, 20.0]));
    assert_eq!(keys(&map), ["process:b/nginx", "process:a/curl", "process:b/app"]);
}

#[test]
fn a_node_that_talks_to_itself_counts_each_connection_once() {
    let own = edge("process:a/redis", "process:a/redis", [10.0, 3.0, 2.0, 8.0, 2.0, 8.0]);
    let map = build(&METRICS, vec![own], &options());
    assert_eq!(node(&map, "process:a/redis"), some([13.0, 13.0, 2.0, 8.0, 2.0, 8.0]));
    assert_eq!(arrows(&map.edges), ["process:a/redis > process:a/redis"]);
}

#[test]
fn what_nobody_observed_stays_absent() {
    let udp = edge("process:a/dig", "external:9.9.9.9", [60.0, 90.0, -1.0, -1.0, -1.0, -1.0]);
    let map = build(&METRICS, vec![udp], &options());
    assert_eq!(
        node(&map, "external:9.9.9.9"),
        some([90.0, 60.0, -1.0, -1.0, -1.0, -1.0]),
        "neither connections nor delay become 0"
    );
}

#[test]
fn pairs_that_come_twice_are_one_edge() {
    let map = build(
        &METRICS,
        vec![
            edge("host:a", "host:b", [1.0, 2.0, 1.0, 10.0, 1.0, 10.0]),
            edge("host:a", "host:b", [1.0, 2.0, 1.0, 40.0, 2.0, 30.0]),
        ],
        &options(),
    );
    assert_eq!(map.edges.len(), 1);
    assert_eq!(map.edges[0].values, some([2.0, 4.0, 2.0, 30.0, 3.0, 10.0]));
}

/// lb calls web1 and web2, both call db, db calls disk; cron calls db.
fn chain() -> Vec<Edge> {
    vec![
        bytes("host:lb", "host:web1", 100.0),
        bytes("host:lb", "host:web2", 90.0),
        bytes("host:web1", "host:db", 80.0),
        bytes("host:web2", "host:db", 70.0),
        bytes("host:cron", "host:db", 60.0),
        bytes("host:db", "host:disk", 50.0),
    ]
}

#[test]
fn a_focus_keeps_what_is_within_reach() {
    let check = |flow, depth, expected: &[&str]| {
        let focus = Some(Focus { key: "host:web1".to_owned(), flow, depth });
        let map = build(&METRICS, chain(), &Options { focus, ..options() });
        assert_eq!(arrows(&map.edges), expected, "{flow:?} {depth}");
        assert!(map.focus_found);
        assert_eq!(map.nodes[0].key, "host:web1", "the focused entity comes first");
    };
    check(Flow::Both, 1, &["host:lb > host:web1", "host:web1 > host:db"]);
    check(Flow::Upstream, 3, &["host:lb > host:web1"]);
    check(Flow::Downstream, 1, &["host:web1 > host:db"]);
    check(Flow::Downstream, 2, &["host:web1 > host:db", "host:db > host:disk"]);
}

#[test]
fn a_focused_node_keeps_the_totals_of_the_whole_map() {
    let focus = Some(Focus { key: "host:web1".to_owned(), flow: Flow::Downstream, depth: 1 });
    let map = build(&METRICS, chain(), &Options { focus, ..options() });
    assert_eq!(node(&map, "host:db")[1], Some(210.0));
}

#[test]
fn a_focus_on_nobody_is_an_empty_map_that_says_so() {
    let focus = Some(Focus { key: "host:gone".to_owned(), flow: Flow::Both, depth: 1 });
    let map = build(&METRICS, chain(), &Options { focus, ..options() });
    assert!(!map.focus_found && map.nodes.is_empty() && map.edges.is_empty());
}

#[test]
fn cycles_end() {
    let ring = vec![
        bytes("host:a", "host:b", 1.0),
        bytes("host:b", "host:c", 1.0),
        bytes("host:c", "host:a", 1.0),
    ];
    let focus = Some(Focus { key: "host:a".to_owned(), flow: Flow::Both, depth: 3 });
    assert_eq!(build(&METRICS, ring, &Options { focus, ..options() }).edges.len(), 3);
}

#[test]
fn the_lightest_are_cut_and_counted() {
    let map = build(&METRICS, chain(), &Options { nodes_max: 3, edges_max: 1, ..options() });
    assert_eq!(keys(&map), ["host:db", "host:lb", "host:web1"]);
    assert_eq!(arrows(&map.edges), ["host:lb > host:web1"]);
    assert_eq!(map.cut, Cut { nodes: 3, nodes_total: 6, edges: 1, edges_total: 2 });

    let focus = Some(Focus { key: "host:disk".to_owned(), flow: Flow::Upstream, depth: 1 });
    let map = build(&METRICS, chain(), &Options { nodes_max: 1, focus, ..options() });
    assert_eq!(keys(&map), ["host:disk"], "what was asked for is never cut");
}

#[test]
fn groups_by_host_hold_their_nodes_and_their_traffic() {
    let pairs = vec![
        edge("process:a/curl", "process:b/nginx", [10.0, 500.0, 1.0, 4.0, 1.0, 4.0]),
        edge("process:a/wget", "process:b/nginx", [20.0, 600.0, 1.0, 8.0, 3.0, 2.0]),
        edge("process:b/nginx", "process:b/app", [5.0, 6.0, 1.0, -1.0, 0.0, -1.0]),
        edge("process:b/app", "external:example.com", [7.0, 8.0, 1.0, -1.0, 0.0, -1.0]),
    ];
    let map = build(&METRICS, pairs, &Options { grouping: Grouping::Host, ..options() });
    let groups: Vec<_> =
        map.groups.iter().map(|g| (g.id.as_str(), g.kind, g.name.as_str(), g.nodes)).collect();
    assert_eq!(
        groups,
        [
            ("host:b", GroupKind::Host, "b", 2),
            ("host:a", GroupKind::Host, "a", 2),
            ("external", GroupKind::External, "external", 1),
        ]
    );
    assert_eq!(map.groups[0].values, some([1118.0, 49.0, 4.0, 7.0, 4.0, 2.0]));
    assert_eq!(arrows(&map.group_edges), ["host:a > host:b", "host:b > external"]);
    assert_eq!(map.group_edges[0].values, some([30.0, 1100.0, 2.0, 7.0, 4.0, 2.0]));
    assert!(map.nodes.iter().all(|node| node.group.is_some()));
}

#[test]
fn a_node_without_a_namespace_stands_for_itself() {
    let pairs = vec![bytes("process:a/cart@shop", "process:a/sshd", 9.0)];
    let map = build(&METRICS, pairs, &Options { grouping: Grouping::Namespace, ..options() });
    assert_eq!(map.groups.len(), 1);
    assert_eq!(map.groups[0].id, "namespace:shop");
    assert_eq!(arrows(&map.group_edges), ["namespace:shop > process:a/sshd"]);
    let sshd = map.nodes.iter().find(|node| node.key == "process:a/sshd").unwrap();
    assert_eq!(sshd.group, None);
}

#[test]
fn zones_come_with_the_pairs() {
    let mut pair = bytes("host:a", "host:b", 9.0);
    pair.client_zone = Some("eu-1".to_owned());
    let map = build(&METRICS, vec![pair], &Options { grouping: Grouping::Zone, ..options() });
    assert_eq!(arrows(&map.group_edges), ["zone:eu-1 > host:b"]);
}

#[test]
fn auto_groups_only_what_is_too_much_to_read() {
    let star = |n: usize| -> Vec<Edge> {
        (0..n).map(|i| bytes(&format!("process:a/p{i}"), "process:b/hub", 1.0)).collect()
    };
    let auto = Options { grouping: Grouping::Auto, ..options() };
    assert!(build(&METRICS, star(149), &auto).groups.is_empty());
    assert_eq!(build(&METRICS, star(150), &auto).groups.len(), 2);
    let mut named = star(150);
    named[0].client.namespace = Some("shop".to_owned());
    let map = build(&METRICS, named, &auto);
    assert_eq!(map.groups[0].kind, GroupKind::Namespace);
}

#[test]
fn nothing_in_nothing_out() {
    let map = build(&METRICS, Vec::new(), &options());
    assert!(map.nodes.is_empty() && map.groups.is_empty() && map.focus_found);
}

#[test]
fn keys_tell_kinds_apart() {
    assert_eq!(key(&entity("host:a")), "host:a");
    assert_ne!(key(&entity("host:a")), key(&entity("external:a")));
}

#[test]
fn what_cannot_be_merged_is_kept_only_where_it_is_alone() {
    let all = [Metric { merge: Merge::Sum, mirror: 0 }, Metric { merge: Merge::Never, mirror: 1 }];
    let metrics = Metrics { all: &all, weight: &[0] };
    let pair = |client: &str, server: &str, value: Option<f64>| Edge {
        client: entity(client),
        server: entity(server),
        client_zone: None,
        server_zone: None,
        values: vec![Some(1.0), value],
    };
    let pairs = vec![
        pair("host:a", "host:b", Some(5.0)),
        pair("host:a", "host:c", Some(7.0)),
        pair("host:a", "host:d", Some(9.0)),
        // Twice the same pair: its edge has no value, nor has its node.
        pair("host:d", "host:e", Some(1.0)),
        pair("host:d", "host:e", Some(2.0)),
        pair("host:f", "host:b", None),
    ];
    let map = build(&metrics, pairs, &options());
    let value = |key: &str| node(&map, key)[1];
    assert_eq!(
        ["host:a", "host:b", "host:c", "host:d", "host:e"].map(value),
        [None, Some(5.0), Some(7.0), None, None]
    );
    let twice = map.edges.iter().find(|edge| edge.server == "host:e").unwrap();
    assert_eq!(twice.values, [Some(2.0), None]);
    let once = map.edges.iter().find(|edge| edge.server == "host:d").unwrap();
    assert_eq!(once.values, [Some(1.0), Some(9.0)]);
}
