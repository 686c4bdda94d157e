//! `GET /summary`: pairs of entities with their metrics.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use weir_model::{Entity, EntityKind};
use weir_query::{Group, GroupValue, MAX_GROUPS, Shape, Sort};
use weir_schema::Side;

use super::metric_values::named;
use super::params::{Asked, ScopeParams};
use super::scope::Scope;
use super::types::{Incomplete, Pair, Summary, described};
use super::read;
use crate::ask::groups;
use crate::problem::Problem;
use crate::state::AppState;

const DEFAULT_METRICS: [&str; 7] = [
    "bytes_sent",
    "bytes_received",
    "rtt_us",
    "jitter_us",
    "connections",
    "closures",
    "retransmits",
];

/// Parameters of `GET /summary`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SummaryParams {
    /// Metric names, separated by commas. Default: sent, received, delay, jitter, connections,
    /// closures and retransmissions.
    metrics: Option<String>,
    /// `client`, `server` or a metric, `-` in front for largest first. Default: `-bytes_sent`.
    #[param(example = "-bytes_sent")]
    sort: Option<String>,
    /// Rows to return. Default 200, at most 50,000.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// Rows to leave out before the first.
    #[param(value_type = Option<u32>)]
    offset: Option<String>,
    #[param(schema_with = comparisons)]
    compare: Option<String>,
}

fn comparisons() -> Object {
    described("`previous` adds the metrics of the period of the same length before", ["previous"])
}

/// Pairs of entities, each with its metrics; sent means client to server.
#[utoipa::path(
    get,
    path = "/api/v1/summary",
    params(ScopeParams, SummaryParams),
    responses(
        (status = OK, body = Summary),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn summary(
    State(state): State<AppState>,
    Asked(scope, params): Asked<SummaryParams>,
) -> Result<Json<Summary>, Problem> {
    let scope = Scope::read(&scope, state.now_ms())?;
    let rows_max = state.options.limits.rows_max;
    let mut metrics = read::metric_names(params.metrics.as_deref(), &DEFAULT_METRICS)?;
    let sort = read::sort(params.sort.as_deref(), &["client", "server"], "-bytes_sent")?;
    if !["client", "server"].contains(&sort.by.as_str()) && !metrics.contains(&sort.by) {
        metrics.push(sort.by.clone());
    }
    let limit = read::whole("limit", params.limit.as_deref(), 0..=rows_max, 200)?;
    let offset = read::whole("offset", params.offset.as_deref(), 0..=usize::MAX >> 1, 0)?;
    let is_compared = match params.compare.as_deref() {
        Some(word) => read::word("compare", Some(word), &["previous"], |word| word, "").is_ok(),
        None => false,
    };

    let pairs = |sort: &Sort, limit, offset| Shape::Groups {
        by: vec![scope.entity(Side::Client, false), scope.entity(Side::Server, false)],
        metrics: metrics.clone(),
        sort: Some(sort.clone()),
        limit,
        offset,
    };
    let mut questions = vec![scope.question(pairs(&sort, limit, offset))];
    if is_compared {
        questions.push(scope.previous().question(pairs(&sort, MAX_GROUPS, 0)));
    }
    let (answers, mut incomplete) = state.ask(scope.window, questions).await?;
    let mut answers = answers.into_iter();
    let answer = groups(answers.next())?;
    incomplete.extend(answer.incomplete.into_iter().map(Incomplete::from));
    let previous = if is_compared { Some(groups(answers.next())?) } else { None };

    let before: HashMap<PairKey, &[Option<f64>]> = previous
        .iter()
        .flat_map(|previous| &previous.groups)
        .filter_map(|group| Some((pair_key(group)?, group.metrics.as_slice())))
        .collect();
    let row = |group: &Group| -> Option<Pair> {
        let (client, server) = ends(group)?;
        let before = before.get(&pair_key(group)?);
        Some(Pair {
            client: client.clone().into(),
            server: server.clone().into(),
            metrics: named(&metrics, &group.metrics),
            previous: before.map(|values| named(&metrics, values)),
        })
    };
    Ok(Json(Summary {
        window: scope.window(answer.resolution_ms),
        previous_window: previous.as_ref().map(|p| scope.previous().window(p.resolution_ms)),
        total: answer.total,
        rows: answer.groups.iter().filter_map(row).collect(),
        totals: named(&metrics, &answer.totals),
        previous_totals: previous.as_ref().map(|previous| named(&metrics, &previous.totals)),
        incomplete,
    }))
}

type PairKey<'a> = ((EntityKind, &'a str), (EntityKind, &'a str));

fn pair_key(group: &Group) -> Option<PairKey<'_>> {
    let (client, server) = ends(group)?;
    Some(((client.kind, client.id.as_str()), (server.kind, server.id.as_str())))
}

/// The two entities that a pair's group begins with.
pub fn ends(group: &Group) -> Option<(&Entity, &Entity)> {
    match group.key.as_slice() {
        [GroupValue::Entity(client), GroupValue::Entity(server), ..] => {
            Some((&client.0, &server.0))
        }
        _ => None,
    }
}
