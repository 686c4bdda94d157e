//! What the Kubernetes Container Runtime Interface asks and answers. Pure.
//!
//! `runtime.v1` of `k8s.io/cri-api`: the fields of `ListContainers` that are used, by the numbers
//! that they have there.

use bytes::Bytes;
use prost::Message;

use super::name::{ContainerName, Named, id, word};

/// The only call that is made.
pub const LIST: &str = "/runtime.v1.RuntimeService/ListContainers";

/// What kubelet tells a runtime of the Pod, on each of its containers.
const POD_LABEL: &[u8] = b"io.kubernetes.pod.name";
const NAMESPACE_LABEL: &[u8] = b"io.kubernetes.pod.namespace";

#[derive(Clone, PartialEq, Message)]
struct ListContainersRequest {
    #[prost(message, optional, tag = "1")]
    filter: Option<ContainerFilter>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerFilter {
    #[prost(string, tag = "1")]
    id: String,
}

/// Containers are read one after the other, so that a list needs the room of its bytes, and a
/// container that makes no sense does not hide the others.
#[derive(Clone, PartialEq, Message)]
struct ListContainersResponse {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    containers: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Container {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "3")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, repeated, tag = "8")]
    labels: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
}

/// An entry of a map is a message of key and value. What others write into labels need not be
/// text.
#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// Asks for all containers, or for the one of this id.
pub fn list_request(id: Option<&str>) -> Vec<u8> {
    let filter = id.map(|id| ContainerFilter { id: id.to_owned() });
    ListContainersRequest { filter }.encode_to_vec()
}

/// The containers of an answer; none where it is no list.
pub fn listed(message: Bytes) -> Option<Vec<Named>> {
    let response = ListContainersResponse::decode(message).ok()?;
    Some(response.containers.into_iter().filter_map(named).collect())
}

fn named(container: Bytes) -> Option<Named> {
    let container = Container::decode(container).ok()?;
    let id = id(&container.id)?;
    let own = word(&container.metadata.as_ref()?.name)?;
    let label = |key: &[u8]| {
        let label = container.labels.iter().find(|label| label.key == key)?;
        word(std::str::from_utf8(&label.value).ok()?)
    };
    let name = match (label(POD_LABEL), label(NAMESPACE_LABEL)) {
        (Some(pod), Some(namespace)) => ContainerName::in_pod(own, pod, namespace),
        _ => ContainerName::from(own),
    };
    Some(Named { id, name })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

    /// A field that has a length.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = bytes.len();
        assert!(length < 1 << 14, "two bytes of length are enough here");
        let mut out = vec![number << 3 | 2, length as u8 & 0x7f | 0x80, (length >> 7) as u8];
        out.extend(bytes);
        out
    }

    fn label(key: &[u8], value: &[u8]) -> Vec<u8> {
        field(8, &[field(1, key), field(2, value)].concat())
    }

    fn metadata(name: &[u8]) -> Vec<u8> {
        // attempt 2, after the name
        field(3, &[field(1, name), vec![0x10, 2]].concat())
    }

    fn container(fields: &[Vec<u8>]) -> Vec<u8> {
        field(1, &[&[field(1, ID.as_bytes())], fields].concat().concat())
    }

    fn names(containers: &[Vec<u8>]) -> Vec<String> {
        let listed = listed(containers.concat().into()).expect("a list");
        assert!(listed.iter().all(|named| named.id == ID));
        listed.iter().map(|named| named.name.full().to_string()).collect()
    }

    #[test]
    fn requests_are_written() {
        assert_eq!(list_request(None), [] as [u8; 0]);
        assert_eq!(list_request(Some("abc")), [10, 5, 10, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn lists_are_read() {
        let pod = label(POD_LABEL, b"web-7d4b9.x");
        let namespace = label(NAMESPACE_LABEL, b"shop");
        // sandbox, image, state, time and annotation, which are not used
        let beside = [
            field(2, b"sandbox"),
            field(4, &field(1, b"registry/nginx")),
            vec![0x30, 1, 0x38, 0xff, 0xff, 0x7f],
            field(9, &[field(1, b"a"), field(2, b"\xff")].concat()),
        ];
        let whole = [&[pod.clone(), metadata(b"nginx"), namespace.clone()], &beside[..]].concat();
        assert_eq!(names(&[container(&whole)]), ["web-7d4b9.x_shop_nginx"]);
        assert_eq!(names(&[container(&[metadata(b"alone")])]), ["alone"]);
        assert_eq!(names(&[container(&[metadata(b"half"), pod.clone()])]), ["half"]);
        assert_eq!(names(&[container(&[metadata(b"half"), namespace])]), ["half"]);
        assert_eq!(listed(Bytes::new()), Some(vec![]));
        let named = listed(container(&whole).into()).expect("a list").remove(0).name;
        assert_eq!((named.own(), &**named.full()), ("nginx", "web-7d4b9.x_shop_nginx"));
    }

    #[test]
    fn what_makes_no_sense_does_not_hide_the_others() {
        let good = container(&[metadata(b"good")]);
        let strange = [
            field(1, b""),
            field(1, b"\xff\xff\xff"),
            field(1, &[field(1, b"short"), metadata(b"x")].concat()),
            container(&[]),
            container(&[metadata(b"")]),
            container(&[metadata(b"esc\x1b[31m")]),
            container(&[metadata(b"\xff\xfe")]),
            container(&[metadata("caf\u{e9}".as_bytes())]),
            container(&[metadata(&[b'x'; 254])]),
            // a field with another type than it has
            container(&[vec![0x18, 1]]),
            field(15, b"unknown"),
        ];
        assert_eq!(names(&[strange.concat(), good.clone()]), ["good"]);
        let labels = [label(POD_LABEL, b"\xff"), label(NAMESPACE_LABEL, b"shop/../x")];
        assert_eq!(names(&[container(&[&[metadata(b"plain")], &labels[..]].concat())]), ["plain"]);
        // the list itself is broken
        for broken in [&b"\x0a"[..], b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01", b"\xff"] {
            assert_eq!(listed([&good, broken].concat().into()), None, "{broken:x?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let framed = listed(field(1, &bytes).into());
            prop_assert!(framed.is_some_and(|list| list.len() <= 1));
            for named in listed(bytes.into()).unwrap_or_default() {
                prop_assert_eq!(named.id.len(), ID.len());
            }
        }

        #[test]
        fn a_list_cut_or_changed_anywhere_is_survived(at in 0_usize..200, byte: u8) {
            let list = [container(&[metadata(b"one")]), container(&[metadata(b"two")])].concat();
            let at = at % list.len();
            let cut = listed(list[..at].to_vec().into()).unwrap_or_default();
            prop_assert!(cut.len() <= 1);
            let mut changed = list;
            changed[at] = byte;
            prop_assert!(listed(changed.into()).is_none_or(|list| list.len() <= 2));
        }
    }
}
