//! `GET /series`: metrics over time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use weir_query::{
    GroupBy, GroupValue, MAX_STEPS, Shape, TimeWindow, choose_step_ms, parse_duration_ms,
};
use weir_schema::Side;

use super::layer;
use super::params::{Asked, ScopeParams};
use super::read;
use super::scope::Scope;
use super::types::{Incomplete, Measure, Series, SeriesLine};
use crate::ask;
use crate::problem::Problem;
use crate::state::AppState;

/// Points that a series has at most when no step is given.
const POINTS: usize = 120;
const LINES_MAX: usize = 50;
const GROUP_BY_MAX: usize = 4;

/// Parameters of `GET /series`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeriesParams {
    /// Metric names of the layer, separated by commas. Default: `bytes_sent,bytes_received`,
    /// `requests,errors` or `dns_queries,dns_failures`.
    metrics: Option<String>,
    /// One line per value of these: `client`, `server` (the entity at the scope's level) or key
    /// fields, separated by commas.
    #[param(example = "direction")]
    group_by: Option<String>,
    /// Length of a step, such as `10s` or `5m`. Default: what gives at most 120 points.
    step: Option<String>,
    /// Lines to return, heaviest by the first metric; the others are summed in one more line.
    /// Default 10, at most 50.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// Metrics over time, optionally one line per group.
#[utoipa::path(
    get,
    path = "/api/v1/series",
    params(ScopeParams, SeriesParams),
    responses(
        (status = OK, body = Series),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn series(
    State(state): State<AppState>,
    Asked(scope, params): Asked<SeriesParams>,
) -> Result<Json<Series>, Problem> {
    let scope = Scope::read(&scope, state.now_ms())?;
    let default = layer::series_metrics(scope.table);
    let metrics = read::metric_names(scope.table, params.metrics.as_deref(), default)?;
    let wanted = Wanted {
        groups: groups_by(&scope, params.group_by.as_deref())?,
        step_ms: step(&state, scope.window, params.step.as_deref())?,
        limit: read::whole("limit", params.limit.as_deref(), 1..=LINES_MAX, 10)?,
        metrics,
    };
    answer(&state, &scope, wanted).await.map(Json)
}

/// What lines to answer with.
pub struct Wanted {
    /// Names as they were given, with what they mean.
    pub groups: Vec<(String, GroupBy)>,
    pub metrics: Vec<String>,
    pub step_ms: i64,
    pub limit: usize,
}

/// Asks for a series; shared with the histogram of the flows.
pub async fn answer(state: &AppState, scope: &Scope, wanted: Wanted) -> Result<Series, Problem> {
    let question = scope.question(Shape::Series {
        by: wanted.groups.iter().map(|(_, by)| by.clone()).collect(),
        metrics: wanted.metrics.clone(),
        step_ms: wanted.step_ms,
        limit: wanted.limit,
    });
    let (answers, mut incomplete) = state.ask(scope.window, vec![question]).await?;
    let answer = ask::series(answers.into_iter().next())?;
    incomplete.extend(answer.incomplete.into_iter().map(Incomplete::from));
    let line = |line: weir_query::SeriesLine| {
        let group = wanted.groups.iter().zip(&line.key);
        let group: BTreeMap<String, Option<String>> =
            group.map(|((name, _), value)| (name.clone(), value_text(value))).collect();
        let values = |values: Vec<Option<f64>>| {
            values.into_iter().map(|value| value.map(Measure)).collect::<Vec<_>>()
        };
        SeriesLine {
            group: (!group.is_empty()).then_some(group),
            is_rest: line.is_rest,
            metrics: wanted
                .metrics
                .iter()
                .cloned()
                .zip(line.values.into_iter().map(values))
                .collect(),
        }
    };
    Ok(Series {
        window: scope.window(state.options.window.as_millis() as i64),
        step_s: answer.step_ms as f64 / 1_000.0,
        times_ms: answer.times_ms,
        series: answer.lines.into_iter().map(line).collect(),
        incomplete,
    })
}

/// A group's value as text; an entity as `kind:id`.
fn value_text(value: &GroupValue) -> Option<String> {
    match value {
        GroupValue::Entity(entity) => Some(weir_topology::key(&entity.0)),
        GroupValue::Text(text) => text.clone(),
        GroupValue::Number(number) => number.map(|number| number.to_string()),
    }
}

/// What `group_by` means.
pub fn groups_by(scope: &Scope, given: Option<&str>) -> Result<Vec<(String, GroupBy)>, Problem> {
    let names = read::list(given);
    if names.len() > GROUP_BY_MAX {
        let detail = format!("{} fields are too many to group by", names.len());
        let expected = format!("at most {GROUP_BY_MAX} names");
        return Err(Problem::parameter("group_by", detail).expected(expected));
    }
    let group = |name: &str| {
        let by = match name {
            "client" => scope.entity(Side::Client, false),
            "server" => scope.entity(Side::Server, false),
            name => GroupBy::Field(read::key_field(scope.table, "group_by", name, true)?.name),
        };
        Ok((name.to_owned(), by))
    };
    names.into_iter().map(group).collect()
}

/// The step that was asked for, or the one that fits the range.
pub fn step(state: &AppState, window: TimeWindow, given: Option<&str>) -> Result<i64, Problem> {
    let finest_ms = state.options.window.as_millis() as i64;
    let Some(given) = given else {
        return Ok(choose_step_ms(window, finest_ms, POINTS));
    };
    let step_ms = parse_duration_ms(given).map_err(|error| Problem::time("step", &error))?;
    let least_ms = (window.length_ms() / MAX_STEPS as i64 + 1).max(finest_ms);
    if step_ms < least_ms {
        let detail = format!("steps of {given} are too short for this range");
        let expected = format!("at least {}s", (least_ms + 999) / 1_000);
        return Err(Problem::parameter("step", detail).expected(expected));
    }
    Ok(step_ms)
}
