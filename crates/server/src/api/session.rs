//! `POST /session` and `DELETE /session`: the UI trades the token for a cookie.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::options::AuthMode;
use crate::problem::Problem;
use crate::state::AppState;

/// What opens a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The token that was shown at the first start.
    token: String,
}

/// Opens a session; the cookie that it sets cannot be read by scripts. On a server that is open on
/// loopback there is nothing to open, and no cookie is set.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    request_body = Credentials,
    responses(
        (status = NO_CONTENT, description = "the session is open"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn open(
    State(state): State<AppState>,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, Problem> {
    let AuthMode::Token(hash) = &state.options.auth else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let Json(credentials) = credentials.map_err(|error| {
        let title = "The request body cannot be read";
        Problem::new(error.status(), "invalid-body", title, error.body_text())
            .expected("{\"token\": \"weir_...\"} as application/json")
    })?;
    if !hash.is_of(credentials.token.trim()) {
        let title = "The token is wrong";
        let is_agents =
            state.agent_tokens.judge(credentials.token.trim(), state.now_ms()).is_some();
        let detail = match is_agents {
            true => "this token lets agents send; signing in takes the operator's",
            false => "this is not the token of this server",
        };
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
            .expected("the token that was shown at the first start"));
    }
    let opened = state.sessions.open(state.now_ms());
    let cookie = opened.map_err(|error| Problem::internal(error.to_string()))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Ends the session.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    responses(
        (status = NO_CONTENT, description = "the session has ended"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn close(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let cookie = state.sessions.close(&headers);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}
