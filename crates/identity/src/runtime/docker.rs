//! What Docker's API answers, which Podman speaks, too. Pure.
//!
//! Docker Engine API: `ContainerList`, `ContainerInspect` and `SystemEvents`.

use serde_json::Value;

use super::name::{ContainerName, Named, id, word};

/// What stands before the names that kubelet's adapter gives its containers at Docker:
/// `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, of which no part has an underscore in it.
const POD_PREFIX: &str = "k8s_";

/// What `GET /containers/json` answers; none where it is no list.
pub fn listed(body: &[u8]) -> Option<Vec<Named>> {
    let Ok(Value::Array(containers)) = serde_json::from_slice(body) else { return None };
    let named = containers.iter().filter_map(|container| {
        let names = container.get("Names")?.as_array()?;
        // links give a container more names, below those of others: /other/alias
        let own = names.iter().filter_map(|name| own_name(name.as_str()?)).next()?;
        Some(Named { id: id(container.get("Id")?.as_str()?)?, name: own })
    });
    Some(named.collect())
}

/// What `GET /containers/ID/json` answers.
pub fn inspected(body: &[u8]) -> Option<Named> {
    let container: Value = serde_json::from_slice(body).ok()?;
    let name = own_name(container.get("Name")?.as_str()?)?;
    Some(Named { id: id(container.get("Id")?.as_str()?)?, name })
}

/// A line of `GET /events`, where it names a container.
pub fn happened(line: &[u8]) -> Option<Named> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let actor =
        event.get("Actor").filter(|_| event.get("Type").is_some_and(|t| t == "container"))?;
    let name = actor.get("Attributes")?.get("name")?.as_str()?;
    Some(Named { id: id(actor.get("ID")?.as_str()?)?, name: own_name(name)? })
}

/// A name without the slash before it.
fn own_name(text: &str) -> Option<ContainerName> {
    let name = word(text.strip_prefix('/').unwrap_or(text))?;
    let parts: Vec<&str> = name.strip_prefix(POD_PREFIX).unwrap_or_default().split('_').collect();
    match parts.as_slice() {
        [container, pod, namespace, _, _] => Some(ContainerName::in_pod(container, pod, namespace)),
        _ => Some(ContainerName::from(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

    fn named(name: &str) -> Named {
        Named { id: ID.to_owned(), name: ContainerName::from(name) }
    }

    #[test]
    fn lists_are_read() {
        let body = format!(
            r#"[{{"Id": "{ID}", "Names": ["/db/web-alias", "/shop-web-1"], "Image": "nginx",
                 "Labels": {{"com.docker.compose.project": "shop"}}, "State": "running"}},
               {{"Id": "short", "Names": ["/no-id"]}}, {{"Id": "{ID}", "Names": null}}, 7]"#
        );
        assert_eq!(listed(body.as_bytes()), Some(vec![named("shop-web-1")]));
        assert_eq!(listed(b"[]"), Some(vec![]));
        assert_eq!(listed(br#"{"message": "page not found"}"#), None);
        assert_eq!(listed(b"\xff\xfe"), None);
    }

    #[test]
    fn single_answers_are_read() {
        let body = format!(r#"{{"Id": "{ID}", "Name": "/web", "State": {{"Status": "exited"}}}}"#);
        assert_eq!(inspected(body.as_bytes()), Some(named("web")));
        assert_eq!(inspected(br#"{"message": "No such container: x"}"#), None);
        let strange = format!(r#"{{"Id": "{ID}", "Name": "/web\u001b[31m"}}"#);
        assert_eq!(inspected(strange.as_bytes()), None);
    }

    #[test]
    fn containers_of_pods_have_the_names_that_kubernetes_gave_them() {
        let named = |name: &str| {
            let body = format!(r#"{{"Id": "{ID}", "Name": "/{name}"}}"#);
            inspected(body.as_bytes()).expect("a name").name
        };
        let uid = "2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55";
        let web = named(&format!("k8s_nginx_web-7d4b9.x_shop_{uid}_0"));
        assert_eq!(web, ContainerName::in_pod("nginx", "web-7d4b9.x", "shop"));
        for other in ["k8s_nginx", "k8s_a_b", "shop_web_1", "k8s_a_b_c_d_e_f"] {
            assert_eq!(named(other), ContainerName::from(other));
        }
    }

    #[test]
    fn events_are_read() {
        let event = |kind: &str| {
            format!(
                r#"{{"status": "start", "id": "{ID}", "Type": "{kind}", "Action": "start",
                    "Actor": {{"ID": "{ID}", "Attributes": {{"image": "nginx", "name": "web"}}}},
                    "scope": "local", "time": 1739811096}}"#
            )
        };
        assert_eq!(happened(event("container").as_bytes()), Some(named("web")));
        assert_eq!(happened(event("network").as_bytes()), None);
        assert_eq!(happened(b"{}"), None);
    }
}
