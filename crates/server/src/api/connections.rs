//! `GET /connections`: the far ends of one pair or one entity.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use weir_model::Direction;
use weir_query::{Group, GroupBy, GroupValue, Groups, Shape, Sort};

use super::entity_filter::{self, End};
use super::layer;
use super::metric_values::named;
use super::params::{Asked, ScopeParams};
use super::read;
use super::scope::Scope;
use super::types::{Connection, Connections, Incomplete, described};
use crate::ask;
use crate::problem::Problem;
use crate::state::AppState;

/// Rows of one answer; the rest is counted in `left`.
const ROWS_MAX: usize = 100;

/// Parameters of `GET /connections`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConnectionsParams {
    /// `kind:id` of the client; with `server` the conversations of that pair.
    #[param(example = "process:web1/curl")]
    client: Option<String>,
    /// `kind:id` of the server.
    server: Option<String>,
    /// `kind:id` of an entity at either end, in place of `client` and `server`.
    entity: Option<String>,
    #[param(schema_with = rows_by)]
    by: Option<String>,
    /// Metric names, separated by commas. Default: those of the summary.
    metrics: Option<String>,
    /// A metric, `-` in front for largest first. Default: that of the summary.
    sort: Option<String>,
}

fn rows_by() -> Object {
    const DOC: &str = "one row per remote address and port (the default), or per remote address";
    described(DOC, ["ip_port", "ip"])
}

/// The far ends of one pair or one entity, at most 100.
#[utoipa::path(
    get,
    path = "/api/v1/connections",
    params(ScopeParams, ConnectionsParams),
    responses(
        (status = OK, body = Connections),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn connections(
    State(state): State<AppState>,
    Asked(scope_params, params): Asked<ConnectionsParams>,
) -> Result<Json<Connections>, Problem> {
    let scope = Scope::read(&scope_params, state.now_ms())?;
    let views = views(&scope, &params)?;
    let by_port =
        read::word("by", params.by.as_deref(), &["ip_port", "ip"], |word| word, "ip_port")?
            == "ip_port";
    let default = layer::pair_metrics(scope.table);
    let mut metrics = read::metric_names(scope.table, params.metrics.as_deref(), default)?;
    let sort = read::sort(scope.table, params.sort.as_deref(), &[], layer::sort(scope.table))?;
    if !metrics.contains(&sort.by) {
        metrics.push(sort.by.clone());
    }

    let mut questions = Vec::new();
    for view in &views {
        let narrowed = scope.narrowed(entity_filter::parse(scope.table, &view.filter)?);
        questions.push(narrowed.question(Shape::Groups {
            by: view.group_by(by_port),
            metrics: metrics.clone(),
            sort: Some(sort.clone()),
            limit: ROWS_MAX,
            offset: 0,
        }));
    }
    let (answers, mut incomplete) = state.ask(scope.window, questions).await?;
    let answers: Vec<Groups> =
        answers.into_iter().map(|answer| ask::groups(Some(answer))).collect::<Result<_, _>>()?;
    let total: u64 = answers.iter().map(|answer| answer.total).sum();
    let resolution_ms = answers.iter().map(|answer| answer.resolution_ms).max().unwrap_or(0);
    let given = scope_params.filter.as_deref();
    let rows = merge(&views, &answers, &metrics, &sort, given);
    for answer in answers {
        // That rows are left out is said by `left`.
        let others = answer.incomplete.into_iter().filter(|entry| entry.kind != "cut");
        incomplete.extend(others.map(Incomplete::from));
    }
    let own: Vec<String> = views.iter().map(|view| format!("({})", view.filter)).collect();
    Ok(Json(Connections {
        window: scope.window(resolution_ms),
        left: total.saturating_sub(rows.len() as u64),
        rows,
        filter: entity_filter::both(given, &own.join(" OR ")),
        incomplete,
    }))
}

/// The heaviest rows of all views.
fn merge(
    views: &[View],
    answers: &[Groups],
    metrics: &[String],
    sort: &Sort,
    given: Option<&str>,
) -> Vec<Connection> {
    let rank = metrics.iter().position(|metric| *metric == sort.by);
    let mut found: Vec<(Option<f64>, Connection)> = Vec::new();
    for (view, answer) in views.iter().zip(answers) {
        for group in &answer.groups {
            let rank = rank.and_then(|index| group.metrics.get(index).copied().flatten());
            found.push((rank, view.row(group, metrics, given)));
        }
    }
    order(&mut found, sort);
    found.truncate(ROWS_MAX);
    found.into_iter().map(|(_, row)| row).collect()
}

/// By rank, what has none last, ties by address.
fn order(found: &mut [(Option<f64>, Connection)], sort: &Sort) {
    found.sort_by(|(a, a_row), (b, b_row)| {
        let by_rank = match (a, b) {
            (Some(a), Some(b)) if sort.descending => b.total_cmp(a),
            (Some(a), Some(b)) => a.total_cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        let ends = |row: &Connection| (row.ip.clone(), row.port, row.direction);
        by_rank.then_with(|| ends(a_row).cmp(&ends(b_row)))
    });
}

/// Conversations in which the remote end is on one side.
struct View {
    remote: End,
    filter: String,
}

fn views(scope: &Scope, params: &ConnectionsParams) -> Result<Vec<View>, Problem> {
    let text = |name: &str, given: &str, end: End| -> Result<String, Problem> {
        let (kind, id) = read::entity(name, given)?;
        Ok(entity_filter::text(end, scope.level, kind, &id))
    };
    match (params.client.as_deref(), params.server.as_deref(), params.entity.as_deref()) {
        (None, None, Some(entity)) => Ok(vec![
            View { remote: End::Server, filter: text("entity", entity, End::Client)? },
            View { remote: End::Client, filter: text("entity", entity, End::Server)? },
        ]),
        (Some(client), Some(server), None) => {
            let client = text("client", client, End::Client)?;
            let server = text("server", server, End::Server)?;
            Ok(vec![View { remote: End::Server, filter: format!("{client} {server}") }])
        }
        (Some(client), None, None) => {
            Ok(vec![View { remote: End::Server, filter: text("client", client, End::Client)? }])
        }
        (None, Some(server), None) => {
            Ok(vec![View { remote: End::Client, filter: text("server", server, End::Server)? }])
        }
        _ => {
            let detail = "it is not clear whose connections are asked for";
            Err(Problem::parameter("entity", detail)
                .expected("`client`, `server` or both, or `entity` alone, each as KIND:ID"))
        }
    }
}

impl View {
    fn fields(&self) -> [&'static str; 2] {
        match self.remote {
            End::Client => ["client_ip", "client_port"],
            End::Server => ["server_ip", "server_port"],
        }
    }

    fn group_by(&self, by_port: bool) -> Vec<GroupBy> {
        let [ip, port] = self.fields();
        let names: &[&str] = if by_port { &[ip, port, "transport"] } else { &[ip] };
        names.iter().map(|name| GroupBy::Field((*name).to_owned())).collect()
    }

    fn row(&self, group: &Group, metrics: &[String], given: Option<&str>) -> Connection {
        let (mut ip, mut port, mut transport) = (String::new(), None, None);
        for (place, value) in group.key.iter().enumerate() {
            match value {
                GroupValue::Text(Some(text)) if place == 0 => ip = text.clone(),
                GroupValue::Text(text) => transport = text.clone(),
                GroupValue::Number(number) => port = *number,
                GroupValue::Entity(_) => {}
            }
        }
        let [ip_field, port_field] = self.fields();
        let mut own = format!("{} {ip_field}:{}", self.filter, entity_filter::quoted(&ip));
        if let Some(port) = port {
            own.push_str(&format!(" {port_field}:{port}"));
        }
        if let Some(transport) = &transport {
            own.push_str(&format!(" transport:{transport}"));
        }
        let direction = match self.remote {
            End::Server => Direction::Outgoing,
            End::Client => Direction::Incoming,
        };
        Connection {
            direction: direction.as_str(),
            ip,
            port,
            transport,
            metrics: named(metrics, &group.metrics),
            filter: entity_filter::both(given, &own),
        }
    }
}
