//! The directory as changes come in, and what it answers for which time.

use std::net::IpAddr;
use std::ops::Range;

use proptest::prelude::*;
use weir_model::Transport;

use super::*;
use crate::resolve::Sighting;
use crate::{Names, read};

const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

/// A cluster that is told of in JSON, as the API server writes it.
struct Cluster(Directory);

impl Cluster {
    fn new() -> Self {
        Self::with(DirectoryLimits { slack_ms: 0, ..DirectoryLimits::default() })
    }

    fn with(limits: DirectoryLimits) -> Self {
        Self(Directory::new(limits))
    }

    fn tell(&mut self, now_ms: i64, kind: Kind, json: &str) {
        let object = read(kind, json, &mut Names::default()).expect("an object");
        self.0.apply(object, now_ms);
    }

    /// A Pod whose uid is its name, in namespace `shop` on `node-a`.
    fn pod(&mut self, now_ms: i64, name: &str, ip: &str, more: &str) {
        let created = jiff::Timestamp::from_millisecond(now_ms / 1_000 * 1_000).expect("a time");
        let json = format!(
            r#"{{"metadata":{{"uid":"{name}","name":"{name}","namespace":"shop",
            "creationTimestamp":"{created}"}},"spec":{{"nodeName":"node-a"}},
            "status":{{"phase":"Running","podIP":"{ip}"{more}}}}}"#
        );
        self.tell(now_ms, Kind::Pod, &json);
    }

    fn owned(&mut self, kind: Kind, name: &str, owner: &str) {
        let (owner_kind, owner_name) = owner.split_once('/').expect("KIND/NAME");
        let json = format!(
            r#"{{"metadata":{{"uid":"{name}","name":"{name}","namespace":"shop","ownerReferences":
            [{{"kind":"{owner_kind}","name":"{owner_name}","uid":"{owner_name}","controller":true}}]
            }},"spec":{{}},"status":{{"podIP":"10.0.0.1"}}}}"#
        );
        self.tell(1_000, kind, &json);
    }

    fn node(&mut self, name: &str, ip: &str, zone: &str) {
        let json = format!(
            r#"{{"metadata":{{"uid":"{name}-uid","name":"{name}",
            "labels":{{"topology.kubernetes.io/zone":"{zone}"}}}},"spec":{{}},
            "status":{{"addresses":[{{"type":"InternalIP","address":"{ip}"}}]}}}}"#
        );
        self.tell(0, Kind::Node, &json);
    }

    fn service(&mut self, now_ms: i64, name: &str, ip: &str, port: u16, node_port: u16) {
        let json = format!(
            r#"{{"metadata":{{"uid":"{name}-uid","name":"{name}","namespace":"shop"}},
            "spec":{{"clusterIPs":["{ip}"],"ports":[{{"port":{port},"nodePort":{node_port}}}]}}}}"#
        );
        self.tell(now_ms, Kind::Service, &json);
    }

    /// A slice of `service` with the port 8080; endpoints are `IP=POD`.
    fn slice(&mut self, now_ms: i64, service: &str, endpoints: &[&str]) {
        let endpoint = |text: &&str| {
            let (ip, pod) = text.split_once('=').expect("IP=POD");
            format!(r#"{{"addresses":["{ip}"],"targetRef":{{"kind":"Pod","uid":"{pod}"}}}}"#)
        };
        let endpoints: Vec<String> = endpoints.iter().map(endpoint).collect();
        let json = format!(
            r#"{{"metadata":{{"uid":"{service}-slice","name":"{service}-x","namespace":"shop",
            "labels":{{"kubernetes.io/service-name":"{service}"}}}},
            "ports":[{{"port":8080}}],"endpoints":[{}]}}"#,
            endpoints.join(",")
        );
        self.tell(now_ms, Kind::EndpointSlice, &json);
    }

    /// `POD SERVICE NODE`, a dash for what is not known.
    fn see(&self, seen: &Sighting<'_>) -> String {
        let found = self.0.resolve(seen).unwrap_or_default();
        let pod = found.pod.map_or("-", |pod| &*pod.meta.name);
        let service = found.service.map_or("-", |service| &*service.meta.name);
        let node = found.node.map_or("-", |node| &*node.meta.name);
        format!("{pod} {service} {node}")
    }

    fn at(&self, ip: &str, port: u16, at_ms: i64) -> String {
        self.see(&sighting(ip, Some(port), at_ms..at_ms + 1))
    }

    /// The Pod that had the address for most of the time.
    fn holder(&self, ip: &str, times: Range<i64>) -> Option<String> {
        let seen = sighting(ip, None, times);
        let found = self.0.resolve(&seen)?;
        found.pod.map(|pod| pod.meta.name.to_string())
    }
}

fn sighting(ip: &str, port: Option<u16>, times: Range<i64>) -> Sighting<'static> {
    let ip: IpAddr = ip.parse().expect("an address");
    Sighting { ip, port, transport: Transport::Tcp, pod_uid: None, container: None, times }
}

#[test]
fn an_address_is_the_pods_that_had_it_then() {
    let mut cluster = Cluster::new();
    cluster.pod(10_000, "old", "10.0.0.1", "");
    cluster.0.remove(Kind::Pod, "old", 20_000);
    cluster.pod(22_300, "new", "10.0.0.1", "");
    let holder = |at_ms: i64| cluster.holder("10.0.0.1", at_ms..at_ms + 1);
    assert_eq!(holder(9_999), None, "before it existed");
    assert_eq!(holder(19_999).as_deref(), Some("old"), "the past stays");
    assert_eq!(holder(21_000), None, "nobody's");
    assert_eq!(holder(22_100).as_deref(), Some("new"), "used before it was told of");
    assert_eq!(cluster.holder("10.0.0.1", 10_000..30_000).as_deref(), Some("old"));
    assert_eq!(cluster.holder("10.0.0.2", 10_000..30_000), None);
}

#[test]
fn a_pod_that_is_over_gives_its_address_back() {
    let mut cluster = Cluster::new();
    cluster.pod(10_000, "job", "10.0.0.1", "");
    let over = |ended: &str| {
        format!(
            r#","phase":"x","containerStatuses":[{{"name":"a","state":{{"terminated":
            {{"finishedAt":"1970-01-01T00:00:{ended}Z"}}}}}}]"#
        )
        .replace(r#","phase":"x""#, "")
    };
    let json = r#"{"metadata":{"uid":"job","name":"job","creationTimestamp":"1970-01-01T00:00:10Z"},
        "spec":{},"status":{"podIP":"10.0.0.1","phase":"Succeeded"MORE}}"#;
    cluster.tell(16_000, Kind::Pod, &json.replace("MORE", &over("15")));
    cluster.pod(18_000, "next", "10.0.0.1", "");
    assert_eq!(cluster.holder("10.0.0.1", 14_000..14_001).as_deref(), Some("job"));
    assert_eq!(cluster.holder("10.0.0.1", 18_500..18_501).as_deref(), Some("next"));
    // it may be told of again, for a label or at a new list, and must not take the address back
    cluster.tell(19_000, Kind::Pod, &json.replace("MORE", &over("15")));
    cluster.0.remove(Kind::Pod, "job", 20_000);
    assert_eq!(cluster.holder("10.0.0.1", 30_000..30_001).as_deref(), Some("next"));

    // at the start the list has both, in any order
    let mut cluster = Cluster::new();
    cluster.pod(18_000, "next", "10.0.0.1", "");
    cluster.tell(40_000, Kind::Pod, &json.replace("MORE", &over("15")));
    assert_eq!(cluster.holder("10.0.0.1", 14_000..14_001).as_deref(), Some("job"));
    assert_eq!(cluster.holder("10.0.0.1", 30_000..30_001).as_deref(), Some("next"));
}

#[test]
fn pods_of_the_hosts_network_are_told_apart_by_control_group() {
    let mut cluster = Cluster::new();
    cluster.node("node-a", "192.168.0.1", "z1");
    let json = r#"{"metadata":{"uid":"UID","name":"UID","annotations":
        {"kubernetes.io/config.mirror":"HASH"}},"spec":{"hostNetwork":true,"nodeName":"node-a"},
        "status":{"podIP":"192.168.0.1","containerStatuses":[{"name":"main","containerID":"cri-o://DIGITS"}]}}"#;
    let other = ID.replace("3f", "44");
    let text = json.replace("UID", "etcd").replace("HASH", "e7cd").replace("DIGITS", ID);
    cluster.tell(0, Kind::Pod, &text);
    let text = json.replace("UID", "proxy").replace("HASH", "9409").replace("DIGITS", &other);
    cluster.tell(0, Kind::Pod, &text);
    let seen = sighting("192.168.0.1", Some(2379), 1_000..2_000);
    assert_eq!(cluster.see(&seen), "- - node-a", "an address of the node is the node's");
    assert_eq!(cluster.see(&Sighting { pod_uid: Some("proxy"), ..seen.clone() }), "proxy - node-a");
    assert_eq!(cluster.see(&Sighting { pod_uid: Some("e7cd"), ..seen.clone() }), "etcd - node-a");
    let by_container = Sighting { container: Some(&other), ..seen.clone() };
    assert_eq!(cluster.see(&by_container), "proxy - node-a");
    let found = cluster.0.resolve(&by_container).expect("the Pod");
    assert_eq!(found.container.map(|name| &**name), Some("main"));
    assert_eq!(found.zone().map(|zone| &**zone), Some("z1"));
    let unknown = Sighting { pod_uid: Some("not yet told of"), ..seen };
    assert_eq!(cluster.see(&unknown), "- - node-a", "not another Pod");
}

#[test]
fn workloads_are_top_controllers() {
    let mut cluster = Cluster::new();
    cluster.owned(Kind::ReplicaSet, "web-7c9d", "Deployment/web");
    cluster.owned(Kind::Job, "backup-29", "CronJob/backup");
    for (pod, owner, expected) in [
        ("web-7c9d-x", "ReplicaSet/web-7c9d", "Deployment/web"),
        ("backup-29-x", "Job/backup-29", "CronJob/backup"),
        ("db-0", "StatefulSet/db", "StatefulSet/db"),
        ("early", "ReplicaSet/not-yet-told-of", "ReplicaSet/not-yet-told-of"),
        ("etcd-node-a", "Node/node-a", "Pod/etcd-node-a"),
    ] {
        cluster.owned(Kind::Pod, pod, owner);
        let pod = cluster.0.pod(pod).expect("the Pod");
        let workload = cluster.0.workload_of(pod);
        assert_eq!(format!("{}/{}", workload.kind, workload.name), expected);
    }
    let pod = cluster.0.pod("web-7c9d-x").expect("the Pod");
    assert_eq!(cluster.0.owners_of(pod).len(), 2);
    // controllers that own each other, which the API does not forbid
    cluster.owned(Kind::ReplicaSet, "a", "ReplicaSet/b");
    cluster.owned(Kind::ReplicaSet, "b", "ReplicaSet/a");
    cluster.owned(Kind::Pod, "ring", "ReplicaSet/a");
    let pod = cluster.0.pod("ring").expect("the Pod");
    assert!(cluster.0.owners_of(pod).len() <= 8);
    cluster.0.workload_of(pod);
}

#[test]
fn services_are_found_by_what_was_dialled_and_by_their_backends() {
    let mut cluster = Cluster::new();
    cluster.node("node-a", "192.168.0.1", "z1");
    cluster.service(0, "web", "10.96.0.1", 80, 30_080);
    cluster.pod(0, "web-1", "10.0.0.1", "");
    cluster.slice(0, "web", &["10.0.0.1=web-1"]);
    assert_eq!(cluster.at("10.96.0.1", 80, 500), "- web -");
    assert_eq!(cluster.at("192.168.0.1", 30_080, 500), "- web -", "a port of every node");
    assert_eq!(cluster.at("192.168.0.1", 22, 500), "- - node-a");
    assert_eq!(cluster.at("10.0.0.1", 8_080, 500), "web-1 web node-a");
    assert_eq!(cluster.at("10.0.0.1", 9_090, 500), "web-1 - node-a", "not the Service's port");
    let client = sighting("10.0.0.1", None, 500..600);
    assert_eq!(cluster.see(&client), "web-1 web node-a");

    cluster.service(0, "web-headless", "None", 8_080, 0);
    cluster.slice(0, "web-headless", &["10.0.0.1=web-1"]);
    assert_eq!(cluster.at("10.0.0.1", 8_080, 500), "web-1 web node-a", "the one with an address");
    cluster.service(0, "canary", "10.96.0.2", 80, 0);
    cluster.slice(0, "canary", &["10.0.0.1=web-1"]);
    assert_eq!(cluster.at("10.0.0.1", 8_080, 500), "web-1 - node-a", "one of two is no guess");
    cluster.slice(1_000, "canary", &[]);
    assert_eq!(cluster.at("10.0.0.1", 8_080, 1_500), "web-1 web node-a", "a backend no longer");
    assert_eq!(cluster.at("10.0.0.1", 8_080, 999), "web-1 - node-a", "the past stays");
}

#[test]
fn a_service_is_of_the_workload_that_all_its_backends_belong_to() {
    let mut cluster = Cluster::new();
    cluster.service(0, "dns", "10.96.0.1", 8_080, 0);
    let behind = |cluster: &Cluster, at_ms: i64| {
        let seen = sighting("10.96.0.1", Some(8_080), at_ms..at_ms + 1);
        let workload = cluster.0.resolve(&seen).expect("the Service").workload;
        workload.map(|workload| format!("{}/{}", workload.kind, workload.name))
    };
    assert_eq!(behind(&cluster, 500), None, "nobody is behind it");
    cluster.owned(Kind::Pod, "dns-a", "DaemonSet/dns");
    cluster.owned(Kind::Pod, "dns-b", "DaemonSet/dns");
    cluster.owned(Kind::Pod, "trial", "Deployment/trial");
    cluster.slice(1_000, "dns", &["10.0.0.1=dns-a", "10.0.0.2=dns-b"]);
    assert_eq!(behind(&cluster, 1_500).as_deref(), Some("DaemonSet/dns"));
    cluster.slice(2_000, "dns", &["10.0.0.1=dns-a", "10.0.0.2=dns-b", "10.0.0.3=trial"]);
    assert_eq!(behind(&cluster, 2_500), None, "one of two is no guess");
    assert_eq!(behind(&cluster, 1_500).as_deref(), Some("DaemonSet/dns"), "not yet then");
    cluster.slice(3_000, "dns", &["10.0.0.1=dns-a", "10.0.0.9=never-told-of"]);
    assert_eq!(behind(&cluster, 3_500), None, "one of them is not known");
}

#[test]
fn a_backend_of_the_hosts_network_is_found_at_its_port() {
    let mut cluster = Cluster::new();
    cluster.node("node-a", "192.168.0.1", "z1");
    let json = r#"{"metadata":{"uid":"dns","name":"dns"},"spec":{"hostNetwork":true,
        "nodeName":"node-a"},"status":{"podIP":"192.168.0.1"}}"#;
    cluster.tell(0, Kind::Pod, json);
    cluster.service(0, "dns", "None", 8_080, 0);
    cluster.slice(0, "dns", &["192.168.0.1=dns"]);
    assert_eq!(cluster.at("192.168.0.1", 8_080, 100), "dns dns node-a");
    assert_eq!(cluster.at("192.168.0.1", 8_081, 100), "- - node-a");
}

#[test]
fn a_service_made_anew_has_its_new_address() {
    let mut cluster = Cluster::new();
    cluster.service(1_000, "web", "10.96.0.1", 80, 0);
    cluster.0.remove(Kind::Service, "web-uid", 5_000);
    cluster.service(8_000, "other", "10.96.0.1", 80, 0);
    let named = |at_ms| cluster.at("10.96.0.1", 80, at_ms);
    assert_eq!((named(4_000).as_str(), named(9_000).as_str()), ("- web -", "- other -"));
}

#[test]
fn lists_take_away_what_went_unwatched() {
    let mut cluster = Cluster::new();
    cluster.pod(1_000, "a", "10.0.0.1", "");
    cluster.pod(1_000, "b", "10.0.0.2", "");
    cluster.owned(Kind::ReplicaSet, "rs", "Deployment/web");
    cluster.0.begin_list(Kind::Pod);
    cluster.0.begin_list(Kind::ReplicaSet);
    cluster.0.begin_list(Kind::Job);
    cluster.pod(9_000, "c", "10.0.0.1", "");
    cluster.pod(9_000, "b", "10.0.0.2", "");
    cluster.0.end_list(Kind::Pod, 9_500);
    cluster.0.end_list(Kind::Job, 9_500);
    assert_eq!(cluster.0.counts(Kind::Pod), Counts { living: 2, gone: 1, refused: 0 });
    assert_eq!(cluster.0.counts(Kind::ReplicaSet).living, 1, "the list of Jobs is none of it");
    assert_eq!(cluster.holder("10.0.0.1", 5_000..5_001).as_deref(), Some("a"));
    assert_eq!(cluster.holder("10.0.0.1", 9_100..9_101).as_deref(), Some("c"));
    cluster.0.end_list(Kind::ReplicaSet, 9_500);
    assert_eq!(cluster.0.counts(Kind::ReplicaSet), Counts { living: 0, gone: 1, refused: 0 });
}

#[test]
fn what_is_gone_is_forgotten_in_time_and_by_number() {
    let limits = DirectoryLimits { gone_max: 3, ..DirectoryLimits::default() };
    let mut cluster = Cluster::with(limits);
    let status = format!(r#","containerStatuses":[{{"name":"c","containerID":"docker://{ID}"}}]"#);
    for n in 0..100i64 {
        let (name, ip) = (format!("p{n}"), format!("10.0.0.{n}"));
        cluster.pod(n * 1_000, &name, &ip, &status);
        cluster.0.remove(Kind::Pod, &name, n * 1_000 + 500);
    }
    assert_eq!(cluster.0.counts(Kind::Pod), Counts { living: 0, gone: 3, refused: 0 });
    assert_eq!(cluster.0.addresses(), 3);
    cluster.0.sweep(99_500 + limits.gone_ms_max + 1);
    assert_eq!((cluster.0.addresses(), cluster.0.counts(Kind::Pod).gone), (0, 0));
    assert!(cluster.0.containers.is_empty());
}

#[test]
fn a_full_directory_refuses_what_is_new_and_says_so() {
    let mut cluster = Cluster::with(DirectoryLimits { pods_max: 1, ..DirectoryLimits::default() });
    cluster.pod(0, "a", "10.0.0.1", "");
    cluster.pod(0, "b", "10.0.0.2", "");
    assert_eq!(cluster.0.counts(Kind::Pod), Counts { living: 1, gone: 0, refused: 1 });
    assert_eq!(cluster.holder("10.0.0.2", 0..1_000), None);
}

#[test]
fn clocks_may_differ_a_little() {
    let mut cluster = Cluster::with(DirectoryLimits::default());
    cluster.pod(10_000, "a", "10.0.0.1", "");
    assert_eq!(cluster.holder("10.0.0.1", 6_000..6_500).as_deref(), Some("a"));
    assert_eq!(cluster.holder("10.0.0.1", 1_000..2_000), None);
}

proptest! {
    /// A few addresses handed from Pod to Pod, told of a little late: while a Pod has an address
    /// and has been told of, the address is that Pod's and no other's, then and ever after.
    #[test]
    fn addresses_are_never_another_pods(steps in prop::collection::vec((0usize..4, 1i64..4_000, 0i64..2_000), 1..80)) {
        let mut cluster = Cluster::new();
        let mut holders: [Option<(String, i64)>; 4] = Default::default();
        let mut truth: Vec<(usize, String, Range<i64>)> = Vec::new();
        let mut now_ms = 10_000;
        for (step, (slot, wait_ms, late_ms)) in steps.into_iter().enumerate() {
            now_ms += wait_ms;
            let ip = format!("10.0.0.{slot}");
            match holders[slot].take() {
                None => {
                    now_ms += late_ms;
                    let name = format!("pod-{step}");
                    cluster.pod(now_ms, &name, &ip, "");
                    holders[slot] = Some((name, now_ms));
                }
                Some((name, since_ms)) => {
                    truth.push((slot, name.clone(), since_ms..now_ms));
                    cluster.0.remove(Kind::Pod, &name, now_ms + late_ms);
                    now_ms += late_ms;
                }
            }
            for (slot, name, times) in &truth {
                let found = cluster.holder(&format!("10.0.0.{slot}"), times.clone());
                prop_assert_eq!(found.as_deref(), Some(name.as_str()));
            }
        }
    }
}
