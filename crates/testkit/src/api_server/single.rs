//! Single objects and logs of the double of an API server.

use std::io::Write;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Asked, Shared, State, Stream, answer, close, lock, status};

/// Kinds that are in no namespace.
pub const OF_THE_CLUSTER: [&str; 3] = ["nodes", "clusterroles", "clusterrolebindings"];

/// Splits `.../namespaces/NAMESPACE/RESOURCE/NAME`, or `.../nodes/NAME`, into the list over all
/// namespaces, the namespace and the name.
fn named(path: &str) -> Option<(String, &str, &str)> {
    let (front, name) = path.rsplit_once('/')?;
    if let Some((root, rest)) = front.split_once("/namespaces/") {
        let (namespace, resource) = rest.split_once('/')?;
        return Some((format!("{root}/{resource}"), namespace, name));
    }
    let (_, resource) = front.rsplit_once('/')?;
    OF_THE_CLUSTER.contains(&resource).then(|| (front.to_owned(), "", name))
}

/// A single object by its path; `None` where the path is that of a list.
pub fn object(state: &State, asked: &Asked) -> Option<(u16, Value)> {
    let (list, namespace, name) = named(&asked.list)?;
    if state.forbidden.contains(&list) {
        return Some((403, status(403, &format!("cannot get {list}"))));
    }
    let mut objects = state.objects.iter().filter(|((known, _), _)| *known == list);
    let is_it = |object: &Value| {
        let meta = &object["metadata"];
        meta["name"] == name && meta["namespace"].as_str().unwrap_or_default() == namespace
    };
    let found = objects.find(|(_, object)| is_it(object)).map(|(_, object)| object.clone());
    Some(found.map_or_else(|| (404, status(404, "not found")), |object| (200, object)))
}

/// The log of a Pod: its last lines, and those that come while it is followed.
pub fn log(stream: &mut Stream, shared: &Shared, asked: &Asked) -> Result<()> {
    let path = asked.list.trim_end_matches("/log");
    let (_, namespace, name) = named(path).context("the path of a Pod")?;
    let key = format!("{namespace}/{name}");
    if lock(shared).forbidden.contains(&"pods/log".to_owned()) {
        return answer(stream, 403, &status(403, "cannot get pods/log"));
    }
    let Some(lines) = lock(shared).logs.get(&key).cloned() else {
        return answer(stream, 404, &status(404, &format!("pods {name:?} not found")));
    };
    let last = asked.query.get("tailLines").and_then(|text| text.parse().ok());
    let mut told = lines.len().saturating_sub(last.unwrap_or(lines.len()));
    let is_followed = asked.query.get("follow").is_some_and(|text| text == "true");
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n")?;
    write!(stream, "transfer-encoding: chunked\r\nconnection: close\r\n\r\n")?;
    stream.flush()?;
    loop {
        let new: Vec<String> = {
            let state = lock(shared);
            let lines = state.logs.get(&key).map(Vec::as_slice).unwrap_or_default();
            lines.get(told..).unwrap_or_default().to_vec()
        };
        told += new.len();
        for line in new {
            write!(stream, "{:x}\r\n{line}\n\r\n", line.len() + 1)?;
            stream.flush()?;
        }
        let state = lock(shared);
        if !is_followed || state.is_over || state.is_down {
            break;
        }
        let pause = Duration::from_millis(50);
        drop(shared.1.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner));
    }
    write!(stream, "0\r\n\r\n")?;
    close(stream)
}
