//! What is asked of the API server when a person looks at an object: what the directory does not
//! keep, and logs.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{Client, error_text, page};
use crate::problem::Problem;
use crate::watch::encoded;

/// Longest time that a person waits for an object.
const OBJECT_TIME_MAX: Duration = Duration::from_secs(5);

/// The kinds that can be asked for, with API group, version and resource in a rule's words.
pub const READABLE: [(&str, &str, &str, &str); 9] = [
    ("Pod", "", "v1", "pods"),
    ("Service", "", "v1", "services"),
    ("Node", "", "v1", "nodes"),
    ("Deployment", "apps", "v1", "deployments"),
    ("StatefulSet", "apps", "v1", "statefulsets"),
    ("DaemonSet", "apps", "v1", "daemonsets"),
    ("ReplicaSet", "apps", "v1", "replicasets"),
    ("Job", "batch", "v1", "jobs"),
    ("CronJob", "batch", "v1", "cronjobs"),
];

fn resource(kind: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let found = READABLE.into_iter().find(|(known, ..)| *known == kind);
    found.map(|(_, group, version, resource)| (group, version, resource))
}

/// Which part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart<'a> {
    /// Needed for a Pod with several containers.
    pub container: Option<&'a str>,
    /// The last lines before now.
    pub lines: u32,
    /// And those that come from now on.
    pub is_followed: bool,
}

impl Client {
    /// The object, as the API server has it now. `None`: it has no such kind or no such object.
    pub async fn object(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, Problem> {
        let Some((group, version, resource)) = resource(kind) else { return Ok(None) };
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let place = match namespace {
            "" => String::new(),
            namespace => format!("/namespaces/{}", encoded(namespace)),
        };
        let path = format!("{root}/{version}{place}/{resource}/{}", encoded(name));
        let read = async {
            let response = self.get(&path).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                code => {
                    let text = error_text(response).await;
                    let (what, file) = ((group, resource), self.token_file());
                    return Err(Problem::of_answer(code.as_u16(), &text, what, "get", &file));
                }
            }
            let body = page(response).await?;
            let object = serde_json::from_slice(&body);
            object.map(Some).map_err(|err| Problem::Broken(format!("{resource} {name}: {err}")))
        };
        timeout(OBJECT_TIME_MAX, read).await.unwrap_or_else(|_| {
            let reason = format!("no answer in {OBJECT_TIME_MAX:?}");
            Err(Problem::Unreachable { url: self.url().to_owned(), reason })
        })
    }

    /// The log of a container: plain text, which goes on for as long as it is followed.
    pub async fn log(
        &self,
        namespace: &str,
        pod: &str,
        part: LogPart<'_>,
    ) -> Result<Incoming, Problem> {
        let (namespace, pod) = (encoded(namespace), encoded(pod));
        let mut path =
            format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?tailLines={}", part.lines);
        path.push_str("&timestamps=true");
        if let Some(container) = part.container {
            path.push_str("&container=");
            path.push_str(&encoded(container));
        }
        if part.is_followed {
            path.push_str("&follow=true");
        }
        let response = self.get(&path).await?;
        let code = response.status();
        if code == StatusCode::OK {
            return Ok(response.into_body());
        }
        let text = error_text(response).await;
        let what = ("", "pods/log");
        Err(Problem::of_answer(code.as_u16(), &text, what, "get", &self.token_file()))
    }
}
