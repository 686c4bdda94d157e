//! What is added to an agent's rows when they arrive.
//!
//! The agent names the processes and containers at both ends of what stays on its host. The
//! process at the far end of everything else is named here, by the directory of what each agent
//! said about its own addresses and listening ports, and Pods, workloads, Services and places of
//! both ends by [`super::names`]. Rows are never rewritten later.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, Field};
use weir_model::Direction;
use weir_schema::stored_schema;
use weir_wire::Batch;

use super::directory::{AgentName, Call, Directory, Scope, Service};
use super::names::{EndNames, Namer};
use super::rows::{Ends, Text};
use super::surroundings::Surroundings;

/// How much the directory could not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Full {
    pub addresses: u64,
    pub services: u64,
}

/// Remembers what the batch's agent says about its own host.
pub fn learn(
    directory: &mut Directory,
    batch: &Batch,
    around: &Surroundings<'_>,
) -> Result<Full, ArrowError> {
    let (rows, times) = (&batch.rows, around.times);
    let owner = AgentName {
        agent: batch.header.agent.as_str().into(),
        host: batch.header.host.as_str().into(),
        home: around.home.clone(),
    };
    let mut full = Full::default();
    directory.hear(&owner.agent, times.start, times.end);
    directory.settle(&owner);
    let ends = Ends::of(rows)?;
    let scopes: HashMap<IpAddr, Vec<Scope>> =
        ends.local.ips().map(|ip| (ip, around.scopes(ip))).collect();
    for (ip, scope) in scopes.iter().flat_map(|(ip, all)| all.iter().map(move |one| (ip, one))) {
        let is_taken = directory.claim((scope.clone(), *ip), &owner, times.start, times.end);
        full.addresses += u64::from(!is_taken);
    }

    let columns = [
        Text::of(rows, "local_pod_uid")?,
        Text::of(rows, "local_process")?,
        Text::of(rows, "local_container")?,
        Text::of(rows, "local_deployment")?,
        Text::of(rows, "local_workload_kind")?,
    ];
    for row in 0..ends.rows {
        if ends.direction(row) != Some(Direction::Incoming) {
            if let Some(call) = around.call_from_node(&ends, row, &owner.agent) {
                full.services += u64::from(!directory.call(call, times.end));
            }
            continue;
        }
        let (Some(ip), Some(port), Some(transport)) =
            (ends.local.ip(row), ends.local.port(row), ends.transport(row))
        else {
            continue;
        };
        let [pod_uid, process, container, deployment, workload_kind] =
            columns.each_ref().map(|column| column.get(row).map(Arc::from));
        let service = Service { pod_uid, process, container, deployment, workload_kind };
        for scope in scopes.get(&ip).into_iter().flatten() {
            let end = ((scope.clone(), ip), port, transport);
            full.services += u64::from(!directory.serve(end, service.clone(), times.end));
        }
    }
    Ok(full)
}

/// Calls answered here that come from nodes whose agents have not told of them, each with the minute
/// for which it is waited for.
pub fn untold<'a>(
    directory: &'a Directory,
    own: &'a str,
    ends: &'a Ends<'_>,
    around: &'a Surroundings<'_>,
) -> impl Iterator<Item = (Call, i64)> {
    (0..ends.rows).filter_map(move |row| {
        let at_ms = around.times.start;
        let owner = around.agent_of_node(directory, ends.remote.ip(row)?)?;
        let call = around.call_by_node(ends, row, &owner.agent)?;
        let is_untold = *owner.agent != *own && !directory.is_told(&call, at_ms);
        is_untold.then(|| (call.clone(), directory.minute_of(&call, at_ms)))
    })
}

/// What another agent said of one row's far end.
#[derive(Clone, Copy, Default)]
struct Far<'a> {
    owner: Option<&'a AgentName>,
    service: Option<&'a Service>,
}

/// All that is known of the ends of one row.
struct Known<'a> {
    local: &'a EndNames,
    remote: &'a EndNames,
    far: Far<'a>,
}

/// The rows as they are to be stored: with all columns, and both ends named as far as they are
/// known.
pub fn complete(
    directory: &Directory,
    batch: &Batch,
    around: &Surroundings<'_>,
) -> Result<RecordBatch, ArrowError> {
    let rows = &batch.rows;
    let ends = Ends::of(rows)?;
    let mut namer = Namer::new(around, directory);
    let names: Vec<(u32, u32)> = (0..ends.rows)
        .map(|row| (namer.name(&ends, row, true), namer.name(&ends, row, false)))
        .collect();
    let nothing = EndNames::default();
    let get = |index| namer.get(index).unwrap_or(&nothing);
    let far = FarEnds::new(directory, batch, &ends, around);
    let known = |(row, (local, remote)): (usize, &(u32, u32))| {
        let (local, remote) = (get(*local), get(*remote));
        Known { local, remote, far: far.of(&ends, row, remote).unwrap_or_default() }
    };
    let known: Vec<Known<'_>> = names.iter().enumerate().map(known).collect();

    let schema = stored_schema(batch.table);
    let column = |field: &Arc<Field>| column(rows, field, &known);
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns)
}

/// One column: what the agent sent, and what is known besides.
fn column(rows: &RecordBatch, field: &Field, known: &[Known<'_>]) -> Result<ArrayRef, ArrowError> {
    let given = rows.column_by_name(field.name());
    let Some((name, is_ours)) = filler(field.name()) else {
        let nulls = || new_null_array(field.data_type(), rows.num_rows());
        return Ok(given.cloned().unwrap_or_else(nulls));
    };
    fill(rows, field, given, known, name, is_ours)
}

type Name = for<'a> fn(&'a Known<'_>) -> Option<&'a str>;
/// Whether what is known here counts more than what the agent said.
type IsOurs = fn(&Known<'_>) -> bool;

/// What a column is filled from.
fn filler(column: &str) -> Option<(Name, IsOurs)> {
    if let Some(name) = column.strip_prefix("local_") {
        let name: Name = match name {
            "deployment" => |known| known.local.deployment.as_deref(),
            "workload_kind" => |known| known.local.workload_kind.as_deref(),
            "pod" => |known| known.local.pod.as_deref(),
            "namespace" => |known| known.local.namespace.as_deref(),
            "service" => |known| known.local.service.as_deref(),
            "zone" => |known| known.local.zone.as_deref(),
            "region" => |known| known.local.region.as_deref(),
            "cluster" => |known| known.local.cluster.as_deref(),
            "labels" => |known| known.local.labels.as_deref(),
            _ => return None,
        };
        return Some((name, |known| known.local.pod.is_some()));
    }
    let name: Name = match column.strip_prefix("remote_")? {
        "agent" => |known| known.far.owner.map(|owner| &*owner.agent),
        "host" => |known| {
            let owner = known.far.owner.map(|owner| &*owner.host);
            owner.or(known.remote.host.as_deref())
        },
        "process" => |known| known.far.service?.process.as_deref(),
        "container" => |known| known.far.service?.container.as_deref(),
        "deployment" => |known| {
            let own = known.remote.deployment.as_deref();
            own.or(known.far.service.and_then(|service| service.deployment.as_deref()))
        },
        "workload_kind" => |known| {
            let own = known.remote.workload_kind.as_deref();
            own.or(known.far.service.and_then(|service| service.workload_kind.as_deref()))
        },
        "pod" => |known| known.remote.pod.as_deref(),
        "namespace" => |known| known.remote.namespace.as_deref(),
        "service" => |known| known.remote.service.as_deref(),
        "labels" => |known| known.remote.labels.as_deref(),
        "zone" => |known| {
            let owner = || known.far.owner.and_then(|owner| owner.home.zone.as_deref());
            known.remote.zone.as_deref().or_else(owner)
        },
        "region" => |known| {
            let owner = || known.far.owner.and_then(|owner| owner.home.region.as_deref());
            known.remote.region.as_deref().or_else(owner)
        },
        "cluster" => |known| {
            let owner = || known.far.owner.and_then(|owner| owner.home.cluster.as_deref());
            known.remote.cluster.as_deref().or_else(owner)
        },
        _ => return None,
    };
    let is_workload = matches!(column, "remote_deployment" | "remote_workload_kind");
    match is_workload {
        true => Some((name, |known| known.remote.pod.is_some())),
        false => Some((name, |_| false)),
    }
}

/// What other agents said of the far ends of a batch.
struct FarEnds<'a> {
    directory: &'a Directory,
    /// By address, where no cluster says on which host it is.
    owners: HashMap<IpAddr, (Scope, &'a AgentName)>,
    around: &'a Surroundings<'a>,
    agent: &'a str,
    at_ms: i64,
}

impl<'a> FarEnds<'a> {
    fn new(
        directory: &'a Directory,
        batch: &'a Batch,
        ends: &Ends<'_>,
        around: &'a Surroundings<'a>,
    ) -> Self {
        let (agent, at_ms) = (batch.header.agent.as_str(), around.times.start);
        let owner = |ip| Some((ip, directory.owner(&around.home.cluster, ip, at_ms)?));
        let owners = ends.remote.ips().filter_map(owner).collect();
        Self { directory, owners, around, agent, at_ms }
    }

    fn of(&self, ends: &Ends<'_>, row: usize, names: &EndNames) -> Option<Far<'a>> {
        if ends.remote_agent.code(row).is_some() {
            return None;
        }
        let ip = ends.remote.ip(row)?;
        let by_address = self.owners.get(&ip);
        let host = names.host.as_ref();
        let by_host =
            host.and_then(|host| self.directory.on_host(&names.cluster, host, self.at_ms));
        let owner = by_host.or(by_address.map(|(_, owner)| *owner))?;
        if *owner.agent == *self.agent {
            return None;
        }
        // A node lends its address to clients that nobody observes: then this row is the only one.
        let call = self.around.call_by_node(ends, row, &owner.agent);
        if call.is_some_and(|call| !self.directory.is_told(&call, self.at_ms)) {
            return None;
        }
        let scope = by_address.map_or_else(|| names.cluster.clone(), |(scope, _)| scope.clone());
        let end = ends.remote.port(row).zip(ends.transport(row));
        let service = end.and_then(|(port, transport)| {
            self.directory.service(&((scope, ip), port, transport), self.at_ms)
        });
        Some(Far { owner: Some(owner), service })
    }
}

fn fill(
    rows: &RecordBatch,
    field: &Field,
    given: Option<&ArrayRef>,
    known: &[Known<'_>],
    name: Name,
    is_ours: IsOurs,
) -> Result<ArrayRef, ArrowError> {
    let said = given.is_some().then(|| Text::of(rows, field.name())).transpose()?;
    let said = |row: usize| said.as_ref().and_then(|said| said.get(row));
    let adds = |(row, known): (usize, &Known<'_>)| {
        name(known).is_some() && (said(row).is_none() || is_ours(known))
    };
    if !known.iter().enumerate().any(adds) {
        let nulls = || new_null_array(field.data_type(), rows.num_rows());
        return Ok(given.cloned().unwrap_or_else(nulls));
    }
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    for (row, known) in known.iter().enumerate() {
        let own = name(known);
        let said = said(row).filter(|_| own.is_none() || !is_ours(known));
        match said.or(own) {
            Some(text) => {
                builder.append(text)?;
            }
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}
