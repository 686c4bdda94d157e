//! `GET /summary`: pairs of entities with their metrics.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use weir_model::{Entity, EntityKind};
use weir_query::{Group, GroupValue, Groups, MAX_GROUPS, Shape, Sort};
use weir_schema::{Side, Table};

use super::layer;
use super::metric_values::named;
use super::params::{Asked, ScopeParams};
use super::read;
use super::scope::Scope;
use super::types::{Incomplete, Pair, Summary, described};
use crate::ask::groups;
use crate::problem::Problem;
use crate::state::AppState;

/// More pairs than can be: an offset past the end answers no rows.
const OFFSET_MAX: usize = 1_000_000_000;

/// Parameters of `GET /summary`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SummaryParams {
    /// Metric names of the layer, separated by commas. Default: sent, received, delay, jitter,
    /// connections, closures and retransmissions; of layer l7 requests, requests per second, 3xx,
    /// 4xx, 5xx, error rate, mean and P95 of the response time; of layer dns lookups, failures,
    /// timeouts, mean, P50 and P95 of the lookup time.
    metrics: Option<String>,
    /// `client`, `server` or a metric, `-` in front for largest first. Default: `-bytes_sent`,
    /// `-requests` or `-dns_queries`.
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
    let wanted = Wanted::read(scope.table, &params, state.options.limits.rows_max)?;
    let mut questions = vec![scope.question(wanted.pairs(&scope, wanted.limit, wanted.offset))];
    if wanted.is_compared {
        questions.push(scope.previous().question(wanted.pairs(&scope, MAX_GROUPS, 0)));
    }
    let (answers, incomplete) = state.ask(scope.window, questions).await?;
    let mut answers = answers.into_iter();
    let now = groups(answers.next())?;
    let before = if wanted.is_compared { Some(groups(answers.next())?) } else { None };
    Ok(Json(answer(&scope, &wanted.metrics, now, before, incomplete)))
}

/// The parameters, read.
struct Wanted {
    metrics: Vec<String>,
    sort: Sort,
    limit: usize,
    offset: usize,
    is_compared: bool,
}

impl Wanted {
    fn read(table: Table, params: &SummaryParams, rows_max: usize) -> Result<Self, Problem> {
        const KEYS: [&str; 2] = ["client", "server"];
        let default = layer::pair_metrics(table);
        let mut metrics = read::metric_names(table, params.metrics.as_deref(), default)?;
        let sort = read::sort(table, params.sort.as_deref(), &KEYS, layer::sort(table))?;
        if !KEYS.contains(&sort.by.as_str()) && !metrics.contains(&sort.by) {
            metrics.push(sort.by.clone());
        }
        if let Some(word) = params.compare.as_deref() {
            read::word("compare", Some(word), &["previous"], |word| word, "previous")?;
        }
        Ok(Self {
            metrics,
            sort,
            limit: read::whole("limit", params.limit.as_deref(), 0..=rows_max, 200)?,
            offset: read::whole("offset", params.offset.as_deref(), 0..=OFFSET_MAX, 0)?,
            is_compared: params.compare.is_some(),
        })
    }

    fn pairs(&self, scope: &Scope, limit: usize, offset: usize) -> Shape {
        Shape::Groups {
            by: vec![scope.entity(Side::Client, false), scope.entity(Side::Server, false)],
            metrics: self.metrics.clone(),
            sort: Some(self.sort.clone()),
            limit,
            offset,
        }
    }
}

fn answer(
    scope: &Scope,
    metrics: &[String],
    now: Groups,
    before: Option<Groups>,
    mut incomplete: Vec<Incomplete>,
) -> Summary {
    incomplete.extend(now.incomplete.into_iter().map(Incomplete::from));
    let mut previous: HashMap<PairKey, &[Option<f64>]> = HashMap::new();
    for group in before.iter().flat_map(|before| &before.groups) {
        if let Some(key) = pair_key(group) {
            previous.insert(key, &group.metrics);
        }
    }
    let row = |group: &Group| -> Option<Pair> {
        let (client, server) = ends(group)?;
        let previous = previous.get(&pair_key(group)?);
        Some(Pair {
            client: client.clone().into(),
            server: server.clone().into(),
            metrics: named(metrics, &group.metrics),
            previous: previous.map(|values| named(metrics, values)),
        })
    };
    Summary {
        window: scope.window(now.resolution_ms),
        previous_window: before.as_ref().map(|b| scope.previous().window(b.resolution_ms)),
        total: now.total,
        rows: now.groups.iter().filter_map(row).collect(),
        totals: named(metrics, &now.totals),
        previous_totals: before.as_ref().map(|before| named(metrics, &before.totals)),
        incomplete,
    }
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
