//! What is asked of a cluster's API server when a person looks at an entity, and
//! `GET /entity/logs`.

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use weir_kubernetes::LogPart;
use weir_model::EntityKind;

use super::entity::{Named, cluster_of, no_log};
use super::entity_types::{Live, LiveContainer};
use super::params::Only;
use super::read;
use crate::clusters::Cluster;
use crate::problem::Problem;
use crate::state::AppState;

/// Content type of a log.
pub const LOG_TYPE: &str = "text/plain; charset=utf-8";
/// Lines of a log before now.
const LINES_MAX: usize = 10_000;
const LINES: usize = 500;

/// The API's kind of an entity.
pub fn of_kind(kind: EntityKind, workload_kind: Option<&str>) -> &str {
    match kind {
        EntityKind::Pod => "Pod",
        EntityKind::Service => "Service",
        EntityKind::Host => "Node",
        _ => workload_kind.unwrap_or_default(),
    }
}

/// The object as the API server has it now; the error is a text for a person.
pub async fn live_of(
    cluster: &Cluster,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<Live>, String> {
    let Some(client) = cluster.client() else {
        let name = &cluster.name;
        return Err(format!("this server does not reach the API server of {name}"));
    };
    let client = client.map_err(|problem| problem.to_string())?;
    let object = client.object(kind, namespace, name).await;
    Ok(object.map_err(|problem| problem.to_string())?.as_ref().map(live))
}

fn live(object: &Value) -> Live {
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let status = &object["status"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_job = object["spec"]["completions"].is_number();
    Live {
        annotations: annotations
            .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
            .collect(),
        phase: text(&status["phase"]),
        containers: containers(object),
        replicas: object["spec"]["replicas"]
            .as_u64()
            .or(status["desiredNumberScheduled"].as_u64())
            .filter(|_| !is_job),
        ready_replicas: status["readyReplicas"].as_u64().or(status["numberReady"].as_u64()),
        conditions: status["conditions"].as_array().into_iter().flatten().filter_map(bad).collect(),
    }
}

/// A condition that is not as it should be, in words.
fn bad(condition: &Value) -> Option<String> {
    let kind = condition["type"].as_str()?;
    let is_true = condition["status"].as_str()? == "True";
    // Of these "True" is the bad news.
    let is_complaint =
        kind.ends_with("Pressure") || kind.ends_with("Unavailable") || kind.ends_with("Failure");
    if is_true != is_complaint {
        return None;
    }
    let why = condition["message"].as_str().or(condition["reason"].as_str()).unwrap_or_default();
    Some(if why.is_empty() { kind.to_owned() } else { format!("{kind}: {why}") })
}

fn containers(object: &Value) -> Vec<LiveContainer> {
    let statuses = object["status"]["containerStatuses"].as_array().into_iter().flatten();
    let container = |status: &Value| {
        let (what, how) = status["state"].as_object()?.iter().next()?;
        let state = match how["reason"].as_str() {
            Some(reason) => format!("{what}: {reason}"),
            None => what.clone(),
        };
        Some(LiveContainer {
            name: status["name"].as_str()?.to_owned(),
            image: status["image"].as_str().map(str::to_owned),
            state: Some(state),
            restarts: status["restartCount"].as_u64().unwrap_or_default(),
            is_ready: status["ready"].as_bool().unwrap_or_default(),
        })
    };
    statuses.filter_map(container).collect()
}

/// Parameters of `GET /entity/logs`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogParams {
    /// `pod:CLUSTER/NAMESPACE/NAME`.
    entity: String,
    /// Name of the container; needed where the Pod has several.
    container: Option<String>,
    /// Lines before now. Default 500, at most 10,000.
    #[param(value_type = Option<u32>)]
    lines: Option<String>,
    /// `true`: lines that come from now on too.
    follow: Option<String>,
}

/// The log of a Pod's container, through the API server of its cluster: plain text, each line with
/// its time in front.
#[utoipa::path(
    get,
    path = "/api/v1/entity/logs",
    params(LogParams),
    responses(
        (status = OK, body = String, content_type = "text/plain"),
        (status = 502, body = Problem, content_type = "application/problem+json",
            description = "the API server does not give the log; the detail says why"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn logs(
    State(state): State<AppState>,
    Only(params): Only<LogParams>,
) -> Result<Response, Problem> {
    let named = Named::read(&params.entity)?;
    if named.kind != EntityKind::Pod {
        return Err(no_log(&named));
    }
    let lines = read::whole("lines", params.lines.as_deref(), 1..=LINES_MAX, LINES)?;
    let is_followed =
        read::word("follow", params.follow.as_deref(), &["true", "false"], |word| word, "false")?
            == "true";
    let cluster = cluster_of(&state, &named)
        .ok_or_else(|| refused(format!("no watched cluster has a Pod {}", named.name)))?;
    let client = cluster.client().ok_or_else(|| {
        refused(format!("this server does not reach the API server of {}", cluster.name))
    })?;
    let client = client.map_err(|problem| refused(problem.to_string()))?;
    let held = turn(&state)?;
    let part = LogPart {
        container: params.container.as_deref(),
        lines: u32::try_from(lines).unwrap_or(u32::MAX),
        is_followed,
    };
    let namespace = named.namespace.as_deref().unwrap_or_default();
    let log = client.log(namespace, &named.name, part).await;
    let log = log.map_err(|problem| refused(problem.to_string()))?;
    let kind = (header::CONTENT_TYPE, LOG_TYPE);
    Ok(([kind], Body::new(Held { log, _held: held })).into_response())
}

fn refused(detail: String) -> Problem {
    let title = "The cluster does not give the log";
    Problem::new(StatusCode::BAD_GATEWAY, "no-log", title, detail)
}

/// A followed log holds a connection to the API server for as long as somebody looks.
fn turn(state: &AppState) -> Result<OwnedSemaphorePermit, Problem> {
    state.logs.clone().try_acquire_owned().map_err(|_| {
        let detail = "as many logs as this server reads at once are being looked at";
        Problem::busy(StatusCode::SERVICE_UNAVAILABLE, detail, 5)
    })
}

/// A log's bytes as they come, with the turn that they take.
struct Held {
    log: hyper::body::Incoming,
    _held: OwnedSemaphorePermit,
}

impl hyper::body::Body for Held {
    type Data = hyper::body::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.log).poll_frame(context)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_an_object_is_said() {
        let pod = json!({
            "metadata": {"annotations": {"owner": "shop"}},
            "status": {
                "phase": "Running",
                "conditions": [
                    {"type": "Initialized", "status": "True"},
                    {"type": "Ready", "status": "False", "message": "not ready: [web]"},
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "DiskPressure", "status": "True", "reason": "Full"},
                ],
                "containerStatuses": [{
                    "name": "web", "image": "web:1", "restartCount": 4, "ready": false,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                }],
            },
        });
        let live = live(&pod);
        assert_eq!(live.conditions, ["Ready: not ready: [web]", "DiskPressure: Full"]);
        assert_eq!(live.containers[0].state.as_deref(), Some("waiting: CrashLoopBackOff"));
        assert_eq!((live.containers[0].restarts, live.containers[0].is_ready), (4, false));
        assert_eq!(live.annotations["owner"], "shop");
    }
}
