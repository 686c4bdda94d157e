//! Objects as an API server writes them.

use super::*;

fn one(kind: Kind, json: &str) -> Object {
    read(kind, json, &mut Names::default()).expect("an object")
}

fn text(text: &Option<Arc<str>>) -> Option<&str> {
    text.as_deref()
}

const WEB: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-7c9d-x2b","generateName":"web-7c9d-",
 "namespace":"shop","uid":"2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55","resourceVersion":"4711",
 "creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"web","pod-template-hash":"7c9d"},
 "annotations":{"prometheus.io/scrape":"true"},
 "ownerReferences":[{"apiVersion":"v1","kind":"Thing","name":"t","uid":"t-1"},
  {"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7c9d","uid":"rs-1","controller":true,"blockOwnerDeletion":true}],
 "managedFields":[{"manager":"kubelet","operation":"Update","fieldsV1":{"f:status":{}}}]},
 "spec":{"containers":[{"name":"nginx","image":"nginx"}],"nodeName":"node-a"},
 "status":{"phase":"Running","podIP":"10.244.1.7","podIPs":[{"ip":"10.244.1.7"},{"ip":"fd00::7"}],
 "startTime":"2026-01-02T03:04:05Z","containerStatuses":[{"name":"nginx","restartCount":1,
  "containerID":"containerd://3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0",
  "state":{"running":{"startedAt":"2026-01-02T03:05:00Z"}},
  "lastState":{"terminated":{"exitCode":1,"finishedAt":"2026-01-02T03:04:59Z",
   "containerID":"containerd://00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}}}]}}"#;

#[test]
fn a_pod_is_read_with_its_controller_and_containers() {
    let Object::Pod(pod) = one(Kind::Pod, WEB) else { panic!("no Pod") };
    assert_eq!((&*pod.meta.name, &*pod.meta.namespace), ("web-7c9d-x2b", "shop"));
    assert_eq!(pod.meta.created_ms, 1_767_323_045_000);
    assert_eq!(pod.meta.owner.as_ref().map(|owner| &*owner.name), Some("web-7c9d"));
    assert_eq!(pod.meta.labels.len(), 2);
    assert_eq!(text(&pod.node), Some("node-a"));
    assert_eq!(
        pod.ips.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
        ["10.244.1.7", "fd00::7"]
    );
    let ids: Vec<u8> = pod.containers.iter().map(|container| container.id[0]).collect();
    assert_eq!(ids, [0x3f, 0x00], "the container before the restart is known too");
    assert!(!pod.is_over && !pod.has_host_network && pod.static_uid.is_none());
}

#[test]
fn a_pod_that_is_over_says_when() {
    let json = r#"{"metadata":{"uid":"u","name":"n"},"spec":{},"status":{"phase":"Succeeded",
      "podIP":"10.0.0.9","containerStatuses":[
      {"name":"a","state":{"terminated":{"finishedAt":"1970-01-01T00:00:05Z","containerID":null}}},
      {"name":"b","state":{"terminated":{"finishedAt":"1970-01-01T00:00:03Z"}}}]}}"#;
    let Object::Pod(pod) = one(Kind::Pod, json) else { panic!("no Pod") };
    assert_eq!((pod.is_over, pod.ended_ms, pod.ips.len()), (true, Some(5_000), 1));
}

#[test]
fn a_static_pods_mirror_tells_what_kubelet_calls_it() {
    let json = r#"{"metadata":{"uid":"u","name":"etcd-a","namespace":"kube-system",
      "annotations":{"kubernetes.io/config.mirror":"6d9bd1b6e5a5ff7d5a5a0b0f0c0a0b0c"},
      "ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"a","uid":"n","controller":true}]},
      "spec":{"hostNetwork":true,"nodeName":"a"},"status":{"podIP":"192.168.0.1"}}"#;
    let Object::Pod(pod) = one(Kind::Pod, json) else { panic!("no Pod") };
    assert_eq!(text(&pod.static_uid), Some("6d9bd1b6e5a5ff7d5a5a0b0f0c0a0b0c"));
    assert!(pod.has_host_network);
}

#[test]
fn a_service_has_its_addresses_and_ports() {
    let json = r#"{"metadata":{"uid":"s","name":"web","namespace":"shop"},"spec":{"type":"LoadBalancer",
      "clusterIP":"10.96.0.10","clusterIPs":["10.96.0.10","fd00:96::a"],"externalIPs":["203.0.113.7"],
      "ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":"http","nodePort":30080},
       {"name":"quic","protocol":"UDP","port":443},{"name":"s","protocol":"SCTP","port":9}]},
      "status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.4"},{"hostname":"x.example"}]}}}"#;
    let Object::Service(service) = one(Kind::Service, json) else { panic!("no Service") };
    assert_eq!((service.cluster_ips.len(), service.external_ips.len()), (2, 2));
    let ports: Vec<_> = service.ports.iter().map(|p| (p.transport, p.port, p.node_port)).collect();
    assert_eq!(ports, [(Transport::Tcp, 80, Some(30_080)), (Transport::Udp, 443, None)]);

    let json = r#"{"metadata":{"uid":"s","name":"db"},"spec":{"clusterIP":"None","clusterIPs":["None"]},
      "status":{"loadBalancer":{}}}"#;
    let Object::Service(service) = one(Kind::Service, json) else { panic!("no Service") };
    assert!(service.cluster_ips.is_empty(), "headless");
}

#[test]
fn a_slice_names_its_service_and_pods() {
    let json = r#"{"metadata":{"uid":"e","name":"web-x","namespace":"shop",
      "labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
      "ports":[{"name":"http","port":8080,"protocol":"TCP"},{"name":"any"}],
      "endpoints":[{"addresses":["10.244.1.7"],"conditions":{"ready":true},"nodeName":"node-a",
       "targetRef":{"kind":"Pod","namespace":"shop","name":"web-1","uid":"p-1"}},
       {"addresses":["192.0.2.1"]}]}"#;
    let Object::EndpointSlice(slice) = one(Kind::EndpointSlice, json) else { panic!("no slice") };
    assert_eq!(text(&slice.service), Some("web"));
    assert_eq!(*slice.ports, [(8_080, Transport::Tcp)]);
    let pods: Vec<_> = slice.endpoints.iter().map(|endpoint| text(&endpoint.pod_uid)).collect();
    assert_eq!(pods, [Some("p-1"), None]);
    let empty = r#"{"metadata":{"uid":"e"},"ports":null,"endpoints":null}"#;
    assert!(matches!(one(Kind::EndpointSlice, empty), Object::EndpointSlice(_)));
}

#[test]
fn a_node_has_a_place() {
    let json = r#"{"metadata":{"uid":"n","name":"node-a","labels":{"topology.kubernetes.io/zone":"eu-1a",
      "failure-domain.beta.kubernetes.io/region":"eu-1","node.kubernetes.io/instance-type":"m5.large"}},
      "spec":{"providerID":"aws:///eu-1a/i-0abc"},"status":{"addresses":[
      {"type":"InternalIP","address":"192.168.0.1"},{"type":"Hostname","address":"192.168.0.9"},
      {"type":"ExternalIP","address":"203.0.113.1"}]}}"#;
    let Object::Node(node) = one(Kind::Node, json) else { panic!("no node") };
    assert_eq!((text(&node.zone), text(&node.region)), (Some("eu-1a"), Some("eu-1")));
    assert_eq!(text(&node.provider_id), Some("aws:///eu-1a/i-0abc"));
    assert_eq!((node.ips.len(), text(&node.instance_type)), (2, Some("m5.large")));
}

#[test]
fn events_of_old_and_new_writers_are_read() {
    let old = r#"{"metadata":{"uid":"e1"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1",
      "uid":"p-1"},"reason":"BackOff","message":"Back-off restarting","type":"Warning","count":7,
      "firstTimestamp":"1970-01-01T00:00:01Z","lastTimestamp":"1970-01-01T00:00:09Z","eventTime":null,
      "source":{"component":"kubelet","host":"a"},"reportingComponent":"kubelet"}"#;
    let Object::Event(event) = one(Kind::Event, old) else { panic!("no event") };
    assert_eq!((event.count, event.first_ms, event.last_ms), (7, 1_000, 9_000));
    assert_eq!((text(&event.source), &*event.severity), (Some("kubelet"), "Warning"));
    let new = r#"{"metadata":{"uid":"e2"},"involvedObject":{"kind":"Pod","name":"web-1"},"source":{},
      "reason":"Scheduled","eventTime":"1970-01-01T00:00:02.500000Z","firstTimestamp":null,
      "lastTimestamp":null,"reportingComponent":"default-scheduler",
      "series":{"count":3,"lastObservedTime":"1970-01-01T00:00:04.000000Z"}}"#;
    let Object::Event(event) = one(Kind::Event, new) else { panic!("no event") };
    assert_eq!((event.count, event.first_ms, event.last_ms), (3, 2_500, 4_000));
    assert_eq!(text(&event.source), Some("default-scheduler"));
}

#[test]
fn what_is_no_object_is_an_error() {
    let mut names = Names::default();
    assert!(matches!(read(Kind::Pod, "7", &mut names), Err(ReadError::Json(_))));
    assert!(matches!(read(Kind::Node, "{}", &mut names), Err(ReadError::NoUid)));
    assert!(matches!(read(Kind::Event, "{}", &mut names), Err(ReadError::NoUid)));
    assert_eq!(cut(&"é".repeat(600)).len(), 1_024);
}

#[test]
fn container_ids_are_read_of_every_runtime() {
    let digits = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
    for text in ["containerd://", "cri-o://", "docker://", ""] {
        assert_eq!(container_id(&format!("{text}{digits}")).map(|id| id[0]), Some(0x3f));
    }
    assert_eq!((container_id(""), container_id("docker://abc")), (None, None));
}
