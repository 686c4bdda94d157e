//! `GET /flows/l4` and its histogram, and what they share with those of requests.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use weir_model::Layer;
use weir_query::{Cursor, Rows, Shape};

use super::layer;
use super::params::{Asked, ScopeParams};
use super::read;
use super::scope::Scope;
use super::series::{Wanted, answer, groups_by, step};
use super::types::{Flows, Incomplete, Series};
use crate::ask;
use crate::problem::Problem;
use crate::state::AppState;

/// Rows of one page.
const ROWS_MAX: usize = 10_000;
const HISTOGRAM_LINES_MAX: usize = 20;

/// Parameters of `GET /flows/l4` and `GET /flows/l7`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FlowsParams {
    /// Rows of a page. Default 100, at most 10,000.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Flow rows, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/flows/l4",
    params(ScopeParams, FlowsParams),
    responses(
        (status = OK, body = Flows),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn flows(
    State(state): State<AppState>,
    Asked(scope, params): Asked<FlowsParams>,
) -> Result<Json<Flows>, Problem> {
    let scope = Scope::of_rows(&scope, state.now_ms(), Layer::L4)?;
    let (rows, incomplete) = page(&state, &scope, params).await?;
    Ok(Json(Flows {
        window: scope.window(state.options.window.as_millis() as i64),
        rows: rows.rows,
        next_cursor: rows.next_cursor.map(|cursor| cursor.0),
        incomplete,
    }))
}

/// One page of rows and what is missing in the range.
pub async fn page(
    state: &AppState,
    scope: &Scope,
    params: FlowsParams,
) -> Result<(Rows, Vec<Incomplete>), Problem> {
    let limit = read::whole("limit", params.limit.as_deref(), 1..=ROWS_MAX, 100)?;
    let cursor = params.cursor.map(Cursor);
    let question = scope.question(Shape::Rows { cursor, limit, sort: None });
    let (answers, mut incomplete) = state.ask(scope.window, vec![question]).await?;
    let mut rows = ask::rows(answers.into_iter().next())?;
    incomplete.extend(rows.incomplete.drain(..).map(Incomplete::from));
    Ok((rows, incomplete))
}

/// Parameters of `GET /flows/l4/histogram` and `GET /flows/l7/histogram`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistogramParams {
    /// Metric names, separated by commas. Default: `bytes_sent,bytes_received,connections`; of
    /// requests `requests`, the only one.
    metrics: Option<String>,
    /// What the columns are stacked by: `client`, `server` or a key field.
    #[param(example = "direction")]
    group_by: Option<String>,
    /// Length of a step, such as `10s` or `5m`. Default: what gives at most 120 points.
    step: Option<String>,
}

/// The flows of the range over time.
#[utoipa::path(
    get,
    path = "/api/v1/flows/l4/histogram",
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
    let scope = Scope::of_rows(&scope, state.now_ms(), Layer::L4)?;
    timeline(&state, &scope, &params).await.map(Json)
}

/// Rows over time.
pub async fn timeline(
    state: &AppState,
    scope: &Scope,
    params: &HistogramParams,
) -> Result<Series, Problem> {
    let default = layer::histogram_metrics(scope.table);
    let wanted = Wanted {
        groups: groups_by(scope, params.group_by.as_deref())?,
        metrics: read::metric_names(scope.table, params.metrics.as_deref(), default)?,
        step_ms: step(state, scope.window, params.step.as_deref())?,
        limit: HISTOGRAM_LINES_MAX,
    };
    answer(state, scope, wanted).await
}
