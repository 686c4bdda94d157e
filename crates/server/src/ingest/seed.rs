//! What a restarted server knows before the first batch: agents and addresses of the last hour,
//! read back from the store.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Perspective;
use weir_query::{Answer, Expr, GroupBy, GroupValue, MAX_GROUPS, Question, Shape, TimeWindow};
use weir_schema::Table;
use weir_store::{Store, StoreError};

use super::directory::{AgentName, Directory};
use super::names::Home;
use super::{Ingester, Registry};

/// How far back the store is asked.
const BACK_MS: i64 = 3_600_000;
/// Resolution of "when did this agent write last".
const STEP_MS: i64 = 60_000;

/// Fills the directory and the registry. Blocks.
pub fn seed(
    store: &dyn Store,
    ingester: &Ingester,
    registry: &Registry,
    now_ms: i64,
) -> Result<(), StoreError> {
    let window = TimeWindow { from_ms: now_ms - BACK_MS, to_ms: now_ms };
    for (agent, last_ms) in last_windows(store, window)? {
        registry.remember(&agent, last_ms);
        ingester.teach(|directory| directory.hear(&agent.into(), window.from_ms, last_ms));
    }
    let claims = own_addresses(store, window)?;
    ingester.teach(|directory: &mut Directory| {
        for (ip, owner) in &claims {
            // When the directory is full, the batches that follow say so.
            let ip = (owner.home.cluster.clone(), *ip);
            directory.claim(ip, owner, window.from_ms, window.to_ms);
        }
    });
    Ok(())
}

/// About every row, as it was observed.
fn question(window: TimeWindow, shape: Shape) -> Question {
    let (table, perspective) = (Table::L4Flows, Perspective::Both);
    Question { table, window, perspective, filter: Expr::all(), shape }
}

fn field(name: &str) -> GroupBy {
    GroupBy::Field(name.to_owned())
}

fn last_windows(store: &dyn Store, window: TimeWindow) -> Result<Vec<(String, i64)>, StoreError> {
    let answer = store.ask(&question(
        window,
        Shape::Series {
            by: vec![field("agent")],
            metrics: vec!["bytes_sent".to_owned()],
            step_ms: STEP_MS,
            limit: MAX_GROUPS,
        },
    ))?;
    let Answer::Series(series) = answer else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for line in series.lines {
        let Some(GroupValue::Text(Some(agent))) = line.key.first() else { continue };
        let values = line.values.first().map(Vec::as_slice).unwrap_or_default();
        let last = values.iter().rposition(Option::is_some);
        if let Some(last_ms) = last.and_then(|step| series.times_ms.get(step)) {
            found.push((agent.clone(), (last_ms + series.step_ms).min(window.to_ms)));
        }
    }
    Ok(found)
}

fn own_addresses(
    store: &dyn Store,
    window: TimeWindow,
) -> Result<Vec<(IpAddr, AgentName)>, StoreError> {
    let answer = store.ask(&question(
        window,
        Shape::Groups {
            by: vec![
                field("agent"),
                field("local_host"),
                field("local_ip"),
                field("local_cluster"),
            ],
            metrics: vec!["bytes_sent".to_owned()],
            sort: None,
            limit: MAX_GROUPS,
            offset: 0,
        },
    ))?;
    let Answer::Groups(groups) = answer else { return Ok(Vec::new()) };
    let mut claims = Vec::new();
    for group in groups.groups {
        let [
            GroupValue::Text(Some(agent)),
            GroupValue::Text(Some(host)),
            GroupValue::Text(Some(ip)),
            GroupValue::Text(cluster),
        ] = group.key.as_slice()
        else {
            continue;
        };
        let Ok(ip) = ip.parse::<IpAddr>() else { continue };
        let cluster = cluster.as_deref().map(Arc::from);
        let owner = AgentName {
            agent: Arc::from(agent.as_str()),
            host: Arc::from(host.as_str()),
            home: Home { cluster, ..Home::default() },
        };
        claims.push((ip, owner));
    }
    Ok(claims)
}
