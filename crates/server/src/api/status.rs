//! `GET /status`: version, agents, losses and store.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use weir_model::{Level, Perspective};
use weir_query::{Answer, Expr, Question, Shape, TimeWindow};
use weir_schema::Table;
use weir_store::{Store, StoreError};

use super::params::NoParams;
use super::status_types::{Agent, AgentTokenState, ClusterKind, ClusterState, Status};
use crate::ask::losses_of;
use crate::auth::{AgentToken, Use};
use crate::clusters::{Cluster, KindView};
use crate::ingest::AgentView;
use crate::problem::Problem;
use crate::state::AppState;

/// Losses and levels are those of the last 15 minutes.
const RECENT_MS: i64 = 15 * 60_000;

/// State of the server, its agents and its store.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    responses(
        (status = OK, body = Status),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn status(State(state): State<AppState>, _: NoParams) -> Result<Json<Status>, Problem> {
    let now_ms = state.now_ms();
    let window = TimeWindow { from_ms: now_ms - RECENT_MS, to_ms: now_ms };
    let (store, losses, levels) = state
        .with_store(move |store| {
            let losses = store.losses(window.from_ms, window.to_ms)?;
            Ok((store.status()?, losses, levels(store, window)?))
        })
        .await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        now_ms,
        started_ms: state.started_ms,
        levels: levels.into_iter().map(Level::as_str).collect(),
        agents: state.registry.view(now_ms).into_iter().map(agent).collect(),
        agent_tokens: agent_tokens(&state),
        clusters: state.clusters.all().iter().map(|one| cluster(one)).collect(),
        losses: losses_of(losses),
        store: store.into(),
    }))
}

fn cluster(cluster: &Cluster) -> ClusterState {
    let kind = |KindView { watch, counts }| {
        let (problem_since_ms, problem) = watch.problem.unzip();
        ClusterKind {
            resource: watch.kind.resource(),
            objects: counts.living as u64,
            gone: counts.gone as u64,
            refused: counts.refused,
            listed_ms: watch.listed_ms,
            problem,
            problem_since_ms,
            lists: watch.lists,
            changes: watch.changes,
            unreadable: watch.unreadable,
            failures: watch.failures,
        }
    };
    let kinds = cluster.view().into_iter().map(kind).collect();
    ClusterState { name: cluster.name.to_string(), kinds }
}

fn agent_tokens(state: &AppState) -> Vec<AgentTokenState> {
    let (now_ms, agents) = (state.now_ms(), state.registry.agents_by_token());
    let view = |(token, used): (Arc<AgentToken>, Option<Use>)| AgentTokenState {
        id: token.id.to_string(),
        cluster: token.cluster.as_deref().map(str::to_owned),
        note: token.note.clone(),
        standing: token.standing(now_ms).as_str(),
        created_ms: token.created_ms,
        expires_ms: token.expires_ms,
        revoked_ms: token.revoked_ms,
        last_used_ms: used.map(|used| used.last_used_ms),
        agents: agents.get(&*token.id).copied().unwrap_or_default(),
    };
    state.agent_tokens.all().into_iter().map(view).collect()
}

fn agent(view: AgentView) -> Agent {
    let name = view.agent.clone();
    let losses = view.losses.into_iter().map(|loss| (name.clone(), loss)).collect();
    let place = view.place.unwrap_or_default();
    let text = |text: Option<Arc<str>>| text.as_deref().map(str::to_owned);
    let version = view.version.as_deref().zip(view.schema_version);
    Agent {
        agent: view.agent,
        host: view.host,
        version_is: version.map(|(program, schema)| version_order(program, schema)),
        version: view.version,
        cluster: text(view.home.cluster),
        zone: text(view.home.zone),
        region: text(view.home.region),
        provider: place.provider,
        instance_type: place.instance_type,
        token: text(view.token),
        last_seen_ms: view.last_seen_ms,
        last_window_ms: view.last_window_ms,
        sequence: view.sequence,
        clock_ahead_ms: view.skew.ahead_ms,
        clock_corrected_ms: Some(view.skew.corrected_ms).filter(|ms| *ms != 0),
        is_stale: view.is_stale,
        rows: view.rows,
        losses: losses_of(losses),
        last_lost_ms: view.last_lost_ms,
    }
}

/// Whether an agent's program is older or newer than this one.
fn version_order(program: &str, schema: u32) -> &'static str {
    let numbers = |version: &str| -> Vec<u64> {
        let release = version.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map(|number| number.parse().unwrap_or_default()).collect()
    };
    let order = numbers(program).cmp(&numbers(env!("CARGO_PKG_VERSION")));
    match order.then(schema.cmp(&weir_schema::FORMAT_VERSION)) {
        Ordering::Less => "older",
        Ordering::Equal => "same",
        Ordering::Greater => "newer",
    }
}

/// Processes and hosts are always there; the other levels where something is named by them.
fn levels(store: &dyn Store, window: TimeWindow) -> Result<Vec<Level>, StoreError> {
    let named = [
        (Level::Pod, "local_pod"),
        (Level::Deployment, "local_deployment"),
        (Level::Service, "local_service"),
    ];
    let answer = store.ask(&Question {
        table: Table::L4Flows,
        window,
        perspective: Perspective::Merged,
        filter: Expr::all(),
        shape: Shape::Facets {
            fields: named.iter().map(|(_, field)| (*field).to_owned()).collect(),
            limit: 2,
        },
    })?;
    let mut levels = vec![Level::Process, Level::Host];
    if let Answer::Facets(facets) = answer {
        for (level, field) in named {
            let mut facets = facets.iter().filter(|facet| facet.field == field);
            if facets.any(|facet| facet.values.iter().any(|value| value.value.is_some())) {
                levels.push(level);
            }
        }
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_then_by_their_columns() {
        let (own, schema) = (env!("CARGO_PKG_VERSION"), weir_schema::FORMAT_VERSION);
        let cases = [
            (own, schema, "same"),
            (own, schema - 1, "older"),
            (own, schema + 1, "newer"),
            ("0.0.99", schema + 1, "older"),
            ("0.10.0", schema, "newer"),
            ("10.0.0-rc1", schema, "newer"),
            ("not a version", schema, "older"),
        ];
        for (program, schema, expected) in cases {
            assert_eq!(version_order(program, schema), expected, "{program} {schema}");
        }
    }
}
