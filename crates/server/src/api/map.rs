//! `GET /map`: the service map.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use weir_model::EntityKind;
use weir_query::{Group, GroupBy, GroupValue, Groups, MAX_GROUPS, Shape, Sort};
use weir_schema::{Formula, Side, Table, metric};
use weir_topology::{Edge, FOCUS_DEPTH_MAX, Flow, Focus, Grouping, Merge, Metric, Metrics};

use super::layer;
use super::metric_values::named;
use super::params::{Asked, ScopeParams};
use super::provider::Providers;
use super::read;
use super::scope::Scope;
use super::summary::ends;
use super::types::{Incomplete, Map, MapEdge, MapGroup, MapNode, described};
use crate::ask;
use crate::problem::Problem;
use crate::state::AppState;

const DEFAULT_NODES: usize = 1_000;

/// Parameters of `GET /map`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MapParams {
    /// Metric names, separated by commas. Default: those of the summary.
    metrics: Option<String>,
    #[param(schema_with = groupings)]
    group: Option<String>,
    /// `kind:id` of an entity: the map shrinks to it and what it is connected to.
    #[param(example = "process:web1/nginx")]
    focus: Option<String>,
    #[param(schema_with = flows)]
    focus_flow: Option<String>,
    /// How many steps away from the focus, 1 to 3. Default: 1.
    #[param(value_type = Option<u32>)]
    depth: Option<String>,
    /// Nodes to return, heaviest first. Default 1,000, at most 5,000.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

fn groupings() -> Object {
    const DOC: &str = "what nodes are grouped by; `auto`, the default: nothing up to 150 nodes, \
        above by namespace where there are any, else by host";
    described(DOC, Grouping::ALL.iter().map(|grouping| grouping.as_str()))
}

const FLOWS: [(&str, Flow); 3] =
    [("both", Flow::Both), ("upstream", Flow::Upstream), ("downstream", Flow::Downstream)];

fn flows() -> Object {
    described("which way the focus looks; default `both`", FLOWS.iter().map(|(word, _)| *word))
}

/// Entities as nodes and their traffic as edges, directed from client to server. Quantiles do not
/// add up: a node or group with several conversations has none.
#[utoipa::path(
    get,
    path = "/api/v1/map",
    params(ScopeParams, MapParams),
    responses(
        (status = OK, body = Map),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn map(
    State(state): State<AppState>,
    Asked(scope, params): Asked<MapParams>,
) -> Result<Json<Map>, Problem> {
    let scope = Scope::read(&scope, state.now_ms())?;
    let default = layer::pair_metrics(scope.table);
    let shown = read::metric_names(scope.table, params.metrics.as_deref(), default)?;
    let options = options(&state, &params)?;
    let plan = Plan::of(scope.table, &shown);
    let mut by = vec![scope.entity(Side::Client, true), scope.entity(Side::Server, true)];
    if options.grouping == Grouping::Zone {
        by.extend(["client_zone", "server_zone"].map(|name| GroupBy::Field(name.to_owned())));
    }
    let question = scope.question(Shape::Groups {
        by,
        metrics: plan.names.clone(),
        sort: Some(Sort { by: plan.names[plan.weight[0]].clone(), descending: true }),
        limit: MAX_GROUPS,
        offset: 0,
    });
    let (answers, mut incomplete) = state.ask(scope.window, vec![question]).await?;
    let answer = ask::groups(answers.into_iter().next())?;
    incomplete.extend(answer.incomplete.iter().cloned().map(Incomplete::from));
    incomplete.extend(cut("pairs", answer.groups.len() as u64, answer.total));
    let window = scope.window(answer.resolution_ms);

    // Up to 50,000 pairs: too much for the threads that answer everyone else.
    let built = tokio::task::spawn_blocking(move || {
        let metrics = Metrics { all: &plan.metrics, weight: &plan.weight };
        (weir_topology::build(&metrics, edges(answer), &options), options.focus)
    });
    let (map, focus) = built.await.map_err(|error| Problem::internal(error.to_string()))?;
    incomplete.extend(cut("nodes", map.cut.nodes as u64, map.cut.nodes_total as u64));
    incomplete.extend(cut("edges", map.cut.edges as u64, map.cut.edges_total as u64));
    if let Some(focus) = focus.filter(|_| !map.focus_found) {
        incomplete.push(absent_focus(&focus));
    }
    Ok(Json(answer_map(map, window, &shown, incomplete, &Providers::known(&state))))
}

fn options(state: &AppState, params: &MapParams) -> Result<weir_topology::Options, Problem> {
    let limits = &state.options.limits;
    let group = params.group.as_deref();
    let grouping = read::word("group", group, &Grouping::ALL, Grouping::as_str, Grouping::Auto)?;
    let flow =
        read::word("focus_flow", params.focus_flow.as_deref(), &FLOWS, |(word, _)| word, FLOWS[0])?;
    let depth = read::whole("depth", params.depth.as_deref(), 1..=usize::from(FOCUS_DEPTH_MAX), 1)?;
    let focus = match params.focus.as_deref() {
        Some(text) => {
            let (kind, id) = read::entity("focus", text)?;
            let key = format!("{}:{id}", kind.as_str());
            Some(Focus { key, flow: flow.1, depth: depth as u8 })
        }
        None => None,
    };
    let nodes = read::whole(
        "limit",
        params.limit.as_deref(),
        1..=limits.map_nodes_max,
        DEFAULT_NODES.min(limits.map_nodes_max),
    )?;
    Ok(weir_topology::Options {
        grouping,
        focus,
        nodes_max: nodes,
        edges_max: limits.map_edges_max,
    })
}

/// The metrics to ask for: those to show first, then what weighing and merging them needs.
struct Plan {
    names: Vec<String>,
    metrics: Vec<Metric>,
    weight: Vec<usize>,
}

impl Plan {
    fn of(table: Table, shown: &[String]) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut want = |name: &str| match names.iter().position(|known| known == name) {
            Some(index) => index,
            None => {
                names.push(name.to_owned());
                names.len() - 1
            }
        };
        for name in shown {
            want(name);
        }
        let weight = layer::weight(table).iter().map(|name| want(name)).collect();
        for name in shown {
            let known = metric(table, name);
            if let Some(mirror) = known.and_then(|metric| metric.mirror) {
                want(mirror);
            }
            if let Some(Formula::Ratio { denominator, .. }) = known.map(|metric| metric.formula) {
                want(denominator);
            }
        }
        let place = |name: &str| names.iter().position(|known| known == name);
        let merge_of = |(index, name): (usize, &String)| {
            let known = metric(table, name);
            let merge = match known.map(|metric| metric.formula) {
                Some(Formula::Min { .. }) => Merge::Min,
                Some(Formula::Max { .. }) => Merge::Max,
                Some(Formula::Ratio { denominator, .. }) => match place(denominator) {
                    Some(samples) => Merge::Mean { samples },
                    None => Merge::Sum,
                },
                Some(Formula::Quantile { .. }) => Merge::Never,
                _ => Merge::Sum,
            };
            let mirror = known.and_then(|metric| metric.mirror).and_then(place);
            Metric { merge, mirror: mirror.unwrap_or(index) }
        };
        let metrics = names.iter().enumerate().map(merge_of).collect();
        Self { metrics, weight, names }
    }
}

fn edges(answer: Groups) -> Vec<Edge> {
    let edge = |group: Group| {
        let (client, server) = ends(&group)?;
        let zone = |place: usize| match group.key.get(place) {
            Some(GroupValue::Text(zone)) => zone.clone(),
            _ => None,
        };
        Some(Edge {
            client: client.clone(),
            server: server.clone(),
            client_zone: zone(2),
            server_zone: zone(3),
            values: group.metrics,
        })
    };
    answer.groups.into_iter().filter_map(edge).collect()
}

fn answer_map(
    map: weir_topology::Map,
    window: super::types::Window,
    shown: &[String],
    incomplete: Vec<Incomplete>,
    providers: &Providers,
) -> Map {
    let edge = |edge: weir_topology::MapEdge| MapEdge {
        client: edge.client,
        server: edge.server,
        metrics: named(shown, &edge.values),
    };
    let node = |node: weir_topology::MapNode| MapNode {
        key: node.key,
        provider: match node.entity.kind {
            EntityKind::Host => providers.of(&node.entity.id),
            _ => None,
        },
        entity: node.entity.into(),
        metrics: named(shown, &node.values),
        group: node.group,
    };
    let group = |group: weir_topology::Group| MapGroup {
        id: group.id,
        name: group.name,
        kind: group.kind.as_str(),
        nodes: group.nodes as u64,
        metrics: named(shown, &group.values),
    };
    Map {
        window,
        nodes: map.nodes.into_iter().map(node).collect(),
        edges: map.edges.into_iter().map(edge).collect(),
        groups: map.groups.into_iter().map(group).collect(),
        group_edges: map.group_edges.into_iter().map(edge).collect(),
        incomplete,
    }
}

/// Says "N of M", when it is less than all.
fn cut(what: &str, kept: u64, total: u64) -> Option<Incomplete> {
    (kept < total).then(|| Incomplete {
        kind: "cut".to_owned(),
        component: "map".to_owned(),
        reason: what.to_owned(),
        count: total - kept,
        message: format!("{kept} of {total} {what}: the lightest are left out"),
    })
}

fn absent_focus(focus: &Focus) -> Incomplete {
    Incomplete {
        kind: "cut".to_owned(),
        component: "map".to_owned(),
        reason: "focus_absent".to_owned(),
        count: 1,
        message: format!("{} talked to nobody in this range and filter", focus.key),
    }
}
