//! `GET /flows/l7` and its histogram: single requests.

use axum::Json;
use axum::extract::State;
use weir_model::Layer;

use super::flows::{FlowsParams, HistogramParams, page, timeline};
use super::params::{Asked, ScopeParams};
use super::scope::Scope;
use super::types::{Requests, Series};
use crate::problem::Problem;
use crate::state::AppState;

/// Single requests, newest first. Where there were too many, some stand for the others: their
/// `weight` says for how many.
#[utoipa::path(
    get,
    path = "/api/v1/flows/l7",
    params(ScopeParams, FlowsParams),
    responses(
        (status = OK, body = Requests),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn requests(
    State(state): State<AppState>,
    Asked(scope, params): Asked<FlowsParams>,
) -> Result<Json<Requests>, Problem> {
    let scope = Scope::of_rows(&scope, state.now_ms(), Layer::L7)?;
    let (rows, incomplete) = page(&state, &scope, params).await?;
    Ok(Json(Requests {
        window: scope.window(state.options.window.as_millis() as i64),
        rows: rows.rows,
        next_cursor: rows.next_cursor.map(|cursor| cursor.0),
        incomplete,
    }))
}

/// The requests of the range over time, by when they began; each counts as often as its weight
/// says.
#[utoipa::path(
    get,
    path = "/api/v1/flows/l7/histogram",
    operation_id = "requests_histogram",
    params(ScopeParams, HistogramParams),
    responses(
        (status = OK, body = Series),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn histogram(
    State(state): State<AppState>,
    Asked(scope, params): Asked<HistogramParams>,
) -> Result<Json<Series>, Problem> {
    let scope = Scope::of_rows(&scope, state.now_ms(), Layer::L7)?;
    timeline(&state, &scope, &params).await.map(Json)
}
