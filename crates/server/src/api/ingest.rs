//! `POST /ingest`: batches of agents.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use weir_store::{StoreErrorKind, Stored};
use weir_wire::{CONTENT_TYPE, FOREIGN_CLUSTER, SENT_UNIX_MS_HEADER, WireError};

use super::types::IngestAnswer;
use crate::auth::Caller;
use crate::ingest::{Arrival, IngestError, Ingested, Ingester};
use crate::problem::Problem;
use crate::state::AppState;

/// When an agent that was told 429 should come again.
const RETRY_AFTER_S: u32 = 2;

/// Takes one batch. When this call answers 200, the batch is durable; a batch that is sent again
/// counts once.
#[utoipa::path(
    post,
    path = "/api/v1/ingest",
    params(
        ("weir-sent-unix-ms" = Option<i64>, Header,
            description = "the agent's wall clock at sending, Unix milliseconds"),
    ),
    request_body(
        content = Vec<u8>,
        content_type = "application/vnd.apache.arrow.stream",
        description = "Arrow IPC stream with one record batch and its header as metadata",
    ),
    responses(
        (status = OK, body = IngestAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json",
            description = "not a batch; sending it again will not help"),
        (status = 403, body = Problem, content_type = "application/problem+json",
            description = "the token is of another cluster than the batch"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json",
            description = "too much at once; send it again after Retry-After"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn ingest(
    State(state): State<AppState>,
    request: Request,
) -> Result<Json<IngestAnswer>, Problem> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let arrival = Arrival {
        sent_unix_ms: number(&parts.headers, SENT_UNIX_MS_HEADER),
        arrived_ms: state.now_ms(),
        token: match parts.extensions.get::<Caller>() {
            Some(Caller::Agent(token)) => Some(token.clone()),
            _ => None,
        },
    };
    let limits = &state.options.limits;
    let bytes_max = limits.batch.bytes_max;
    let declared = number::<usize>(&parts.headers, header::CONTENT_LENGTH.as_str());
    if declared.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    // What does not say its length is taken for the largest.
    let room = take(&state.ingest_bytes, declared.unwrap_or(bytes_max))?;
    let read = timeout(limits.body_time_max, to_bytes(Body::new(body), bytes_max)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(unread(&error, bytes_max)),
        Err(_) => return Err(too_slow(limits.body_time_max.as_secs())),
    };
    let prepared = in_turn(&state, move |ingester| ingester.prepare(&bytes, arrival)).await?;
    // Whoever waits for names leaves his turn to others.
    let held = Arc::new(prepared);
    loop {
        let looked = held.clone();
        let wait = in_turn(&state, move |ingester| Ok(ingester.wait(&looked))).await?;
        let Some(wait) = wait else { break };
        sleep(wait).await;
    }
    let ingested = in_turn(&state, move |ingester| ingester.finish(&held)).await?;
    drop(room);
    Ok(Json(answer(ingested)))
}

/// Runs a part of an ingest on a thread that may block, when it is its turn.
async fn in_turn<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce(&Ingester) -> Result<T, IngestError> + Send + 'static,
) -> Result<T, Problem> {
    let turn = state.ingests.clone().acquire_owned().await;
    let ingester = state.ingester.clone();
    let task = tokio::task::spawn_blocking(move || {
        let _held = turn;
        work(&ingester)
    });
    match task.await {
        Ok(result) => result.map_err(|error| problem(&error)),
        Err(error) => {
            tracing::error!(%error, "an ingest ended without an answer");
            Err(Problem::internal("the ingest ended without an answer; the log says why"))
        }
    }
}

fn answer(ingested: Ingested) -> IngestAnswer {
    let result = match ingested.stored {
        Stored::New => "stored",
        Stored::Duplicate => "duplicate",
        Stored::Expired => "expired",
    };
    let Ingested { agent, sequence, rows, .. } = ingested;
    IngestAnswer { result, agent, sequence, rows }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(CONTENT_TYPE)) {
        return Ok(());
    }
    let title = "The content type is not that of a batch";
    let detail = format!("the content type is {}", kind.unwrap_or("absent"));
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Problem::new(status, "unsupported-media-type", title, detail).expected(CONTENT_TYPE))
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    room.clone().try_acquire_many_owned(bytes).map_err(|_| {
        let detail = "the batches that are being stored fill the room for them";
        Problem::busy(StatusCode::TOO_MANY_REQUESTS, detail, RETRY_AFTER_S)
    })
}

fn too_large(bytes_max: usize) -> Problem {
    let title = "The batch is too large";
    let detail = format!("the batch has more than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, detail)
        .expected(format!("at most {bytes_max} bytes a batch"))
}

fn too_slow(seconds: u64) -> Problem {
    let title = "The batch came too slowly";
    let detail = format!("the batch was not whole after {seconds} s");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", title, detail)
}

fn unread(error: &axum::Error, bytes_max: usize) -> Problem {
    let source = std::error::Error::source(error);
    if source.is_some_and(|source| source.to_string().contains("length limit")) {
        return too_large(bytes_max);
    }
    invalid(format!("the request broke off: {error}"), "truncated")
}

fn invalid(detail: String, reason: &str) -> Problem {
    let title = "The batch cannot be used";
    let word = format!("invalid-batch:{}", reason.replace('_', "-"));
    Problem::new(StatusCode::BAD_REQUEST, &word, title, detail)
        .expected("an Arrow IPC stream as a weir agent of this version makes it")
}

fn problem(error: &IngestError) -> Problem {
    match error {
        IngestError::Wire(WireError::TooLarge { .. } | WireError::TooManyRows { .. }) => {
            let title = "The batch is too large";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, error.to_string())
        }
        IngestError::ForeignCluster { bound, .. } => {
            let title = "The batch is of another cluster than the token";
            let status = StatusCode::FORBIDDEN;
            Problem::new(status, FOREIGN_CLUSTER, title, error.to_string()).expected(format!(
                "an agent without `agent.cluster` or with {bound:?}, or a token of its own cluster"
            ))
        }
        IngestError::Store(store) if store.kind == StoreErrorKind::Busy => {
            Problem::busy(StatusCode::TOO_MANY_REQUESTS, error.to_string(), RETRY_AFTER_S)
        }
        IngestError::Store(store) if store.kind != StoreErrorKind::Invalid => {
            Problem::internal(error.to_string())
        }
        _ => invalid(error.to_string(), error.reason()),
    }
}
