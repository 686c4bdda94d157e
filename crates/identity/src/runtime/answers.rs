//! What Docker's API answers, which Podman speaks, too. Pure.
//!
//! Docker Engine API: `ContainerList`, `ContainerInspect` and `SystemEvents`.

use serde_json::Value;

/// Digits of an OCI id.
const ID_DIGITS: usize = 64;
/// Longest name that is believed; Docker and Podman take at most 253 for a host name.
const NAME_CHARS_MAX: usize = 253;

/// A container and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// What `GET /containers/json` answers; none where it is no list.
pub fn listed(body: &[u8]) -> Option<Vec<Named>> {
    let Ok(Value::Array(containers)) = serde_json::from_slice(body) else { return None };
    let named = containers.iter().filter_map(|container| {
        let names = container.get("Names")?.as_array()?;
        // links give a container more names, below those of others: /other/alias
        let own = names.iter().filter_map(|name| own_name(name.as_str()?)).next()?;
        Some(Named { id: id(container.get("Id")?)?, name: own })
    });
    Some(named.collect())
}

/// What `GET /containers/ID/json` answers.
pub fn inspected(body: &[u8]) -> Option<Named> {
    let container: Value = serde_json::from_slice(body).ok()?;
    Some(Named { id: id(container.get("Id")?)?, name: own_name(container.get("Name")?.as_str()?)? })
}

/// A line of `GET /events`, where it names a container.
pub fn happened(line: &[u8]) -> Option<Named> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let actor =
        event.get("Actor").filter(|_| event.get("Type").is_some_and(|t| t == "container"))?;
    let name = actor.get("Attributes")?.get("name")?.as_str()?;
    Some(Named { id: id(actor.get("ID")?)?, name: own_name(name)? })
}

fn id(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_id =
        text.len() == ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| text.to_owned())
}

/// A name as the runtimes allow them (`[a-zA-Z0-9][a-zA-Z0-9_.-]+`), without the slash before it.
fn own_name(text: &str) -> Option<String> {
    let name = text.strip_prefix('/').unwrap_or(text);
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

    fn named(name: &str) -> Named {
        Named { id: ID.to_owned(), name: name.to_owned() }
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
