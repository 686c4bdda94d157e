//! `POST /clusters/{name}/changes`: what `weir cluster-watch` tells of a cluster.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use weir_kubernetes::Told;

use crate::auth::Caller;
use crate::clusters::NotTaken;
use crate::problem::Problem;
use crate::state::AppState;

/// One message; `weir cluster-watch` makes them far smaller.
const BODY_BYTES_MAX: usize = 32 << 20;
const NAME_BYTES_MAX: usize = 253;

/// What was taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangesAnswer {
    /// Sequence number of the message.
    pub taken: u64,
}

/// Takes one message about a cluster. The messages of a session build on one another: 409 with
/// the kind `urn:weir:problem:tell-all` asks for a new session from the beginning.
#[utoipa::path(
    post,
    path = "/api/v1/clusters/{name}/changes",
    params(("name" = String, Path, description = "name of the cluster")),
    request_body(content = String, content_type = "application/json",
        description = "session, sequence, statuses and changes; internal to Weir"),
    responses(
        (status = OK, body = ChangesAnswer),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn changes(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<ChangesAnswer>, Problem> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('/') {
        let title = "The cluster's name cannot be used";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-cluster", title, name)
            .expected("1 to 253 bytes without /"));
    }
    check_cluster(&caller, &name)?;
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX);
    let body = timeout(state.options.limits.body_time_max, body).await;
    let body = body.map_err(|_| invalid("the message came too slowly".to_owned()))?;
    let body = body.map_err(|error| invalid(error.to_string()))?;
    let told: Told = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
    let (taken, now_ms) = (told.sequence, state.now_ms());
    let task = tokio::task::spawn_blocking(move || state.clusters.take(&name, told, now_ms));
    match task.await {
        Ok(Ok(())) => Ok(Json(ChangesAnswer { taken })),
        Ok(Err(reason)) => Err(refused(reason)),
        Err(error) => Err(Problem::internal(format!("the message was not taken: {error}"))),
    }
}

/// A token of a cluster's agents is good for that cluster alone.
fn check_cluster(caller: &Caller, name: &str) -> Result<(), Problem> {
    let Caller::Agent(token) = caller else { return Ok(()) };
    if token.cluster.as_deref() == Some(name) {
        return Ok(());
    }
    let title = "The token is for another cluster";
    let own = match &token.cluster {
        Some(cluster) => format!("token {} is of cluster {cluster}", token.id),
        None => format!("token {} is of no cluster", token.id),
    };
    let detail = format!("{own}, and {name} was told of");
    Err(Problem::new(StatusCode::FORBIDDEN, "other-cluster", title, detail)
        .expected(format!("a token made by `weir token create --cluster {name}`")))
}

fn invalid(detail: String) -> Problem {
    let title = "The message cannot be used";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-changes", title, detail)
        .expected("what weir cluster-watch of this version sends")
}

fn refused(reason: NotTaken) -> Problem {
    let conflict = |word, title, detail| Problem::new(StatusCode::CONFLICT, word, title, detail);
    match reason {
        NotTaken::Gap => {
            let detail = "the message does not follow the last one that was taken";
            conflict("tell-all", "Tell everything from the beginning", detail)
        }
        NotTaken::Watched => {
            let detail = "this server watches a cluster of that name itself";
            conflict("watched-here", "The cluster is known already", detail)
                .expected("another name: kubernetes.cluster")
        }
        NotTaken::Full => {
            let detail = "this server is told of as many clusters as it takes";
            conflict("too-many-clusters", "There are too many clusters", detail)
        }
    }
}
