//! What other agents know about the far end of a row.
//!
//! The agent names both ends of what stays on its host. The far end of everything else is named
//! here, when the batch arrives: by the directory of what each agent said about its own addresses
//! and listening ports. A row that arrives before the far end's agent was first heard stays as it
//! is; rows are never rewritten later.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::new_null_array;
use arrow_array::types::{UInt16Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt16Array, UInt32Array};
use arrow_schema::ArrowError;
use weir_model::{Direction, Transport};
use weir_schema::stored_schema;
use weir_wire::Batch;

use super::directory::{AgentName, Directory, Service};

/// How much the directory could not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Full {
    pub addresses: u64,
    pub services: u64,
}

/// A dictionary column.
struct Text<'a> {
    codes: &'a UInt32Array,
    values: &'a StringArray,
}

impl<'a> Text<'a> {
    fn of(rows: &'a RecordBatch, name: &str) -> Result<Self, ArrowError> {
        let column = rows.column_by_name(name).and_then(|c| c.as_dictionary_opt::<UInt32Type>());
        let values = column.and_then(|column| column.values().as_string_opt::<i32>());
        match (column, values) {
            (Some(column), Some(values)) => Ok(Self { codes: column.keys(), values }),
            _ => Err(ArrowError::SchemaError(format!("no dictionary column {name}"))),
        }
    }

    fn code(&self, row: usize) -> Option<usize> {
        let code = self.codes.is_valid(row).then(|| self.codes.value(row) as usize)?;
        (code < self.values.len() && self.values.is_valid(code)).then_some(code)
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        self.code(row).map(|code| self.values.value(code))
    }

    /// The addresses of the dictionary that rows use.
    fn addresses(&self) -> HashMap<usize, IpAddr> {
        let mut addresses = HashMap::new();
        for code in (0..self.codes.len()).filter_map(|row| self.code(row)) {
            if addresses.contains_key(&code) {
                continue;
            }
            if let Ok(ip) = self.values.value(code).parse::<IpAddr>() {
                addresses.insert(code, ip.to_canonical());
            }
        }
        addresses
    }
}

fn ports<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a UInt16Array, ArrowError> {
    let column = rows.column_by_name(name).and_then(|c| c.as_primitive_opt::<UInt16Type>());
    column.ok_or_else(|| ArrowError::SchemaError(format!("no port column {name}")))
}

fn port(ports: &UInt16Array, row: usize) -> Option<u16> {
    ports.is_valid(row).then(|| ports.value(row))
}

/// Remembers what the batch's agent says about its own host.
pub fn learn(
    directory: &mut Directory,
    batch: &Batch,
    times: &Range<i64>,
) -> Result<Full, ArrowError> {
    let rows = &batch.rows;
    let owner = AgentName {
        agent: batch.header.agent.as_str().into(),
        host: batch.header.host.as_str().into(),
    };
    let mut full = Full::default();
    directory.hear(&owner.agent, times.end);
    let local_ip = Text::of(rows, "local_ip")?;
    let addresses = local_ip.addresses();
    for ip in addresses.values() {
        full.addresses += u64::from(!directory.claim(*ip, &owner, times.start, times.end));
    }

    let direction = Text::of(rows, "direction")?;
    let transport = Text::of(rows, "transport")?;
    let local_port = ports(rows, "local_port")?;
    let columns = [
        Text::of(rows, "local_process")?,
        Text::of(rows, "local_container")?,
        Text::of(rows, "local_deployment")?,
        Text::of(rows, "local_workload_kind")?,
    ];
    for row in 0..rows.num_rows() {
        if direction.get(row) != Some(Direction::Incoming.as_str()) {
            continue;
        }
        let ip = local_ip.code(row).and_then(|code| addresses.get(&code));
        let transport = transport.get(row).and_then(Transport::parse);
        let (Some(ip), Some(port), Some(transport)) = (ip, port(local_port, row), transport) else {
            continue;
        };
        let [process, container, deployment, workload_kind] =
            columns.each_ref().map(|column| column.get(row).map(Arc::from));
        let service = Service { process, container, deployment, workload_kind };
        full.services += u64::from(!directory.serve((*ip, port, transport), service, times.end));
    }
    Ok(full)
}

/// What is known of one row's far end.
#[derive(Clone, Copy, Default)]
struct Far<'a> {
    owner: Option<&'a AgentName>,
    service: Option<&'a Service>,
}

/// The rows as they are to be stored: with all columns, and the far ends named where they are
/// known.
pub fn complete(
    directory: &Directory,
    batch: &Batch,
    times: &Range<i64>,
) -> Result<RecordBatch, ArrowError> {
    let rows = &batch.rows;
    let far = far_ends(directory, batch, times)?;
    let schema = stored_schema(batch.table);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some(column) = rows.column_by_name(field.name()) else {
            columns.push(new_null_array(field.data_type(), rows.num_rows()));
            continue;
        };
        let name: fn(&Far<'_>) -> Option<Arc<str>> = match field.name().as_str() {
            "remote_agent" => |far| far.owner.map(|owner| owner.agent.clone()),
            "remote_host" => |far| far.owner.map(|owner| owner.host.clone()),
            "remote_process" => |far| far.service.and_then(|service| service.process.clone()),
            "remote_container" => |far| far.service.and_then(|service| service.container.clone()),
            "remote_deployment" => |far| far.service.and_then(|service| service.deployment.clone()),
            "remote_workload_kind" => {
                |far| far.service.and_then(|service| service.workload_kind.clone())
            }
            _ => {
                columns.push(column.clone());
                continue;
            }
        };
        columns.push(fill(rows, field.name(), column, &far, name)?);
    }
    RecordBatch::try_new(schema, columns)
}

fn far_ends<'a>(
    directory: &'a Directory,
    batch: &Batch,
    times: &Range<i64>,
) -> Result<Vec<Far<'a>>, ArrowError> {
    let rows = &batch.rows;
    let remote_agent = Text::of(rows, "remote_agent")?;
    let remote_ip = Text::of(rows, "remote_ip")?;
    let transport = Text::of(rows, "transport")?;
    let remote_port = ports(rows, "remote_port")?;
    let mut owners: HashMap<usize, (IpAddr, &AgentName)> = HashMap::new();
    for (code, ip) in remote_ip.addresses() {
        let owner = directory.owner(ip, times.start);
        if let Some(owner) = owner.filter(|owner| *owner.agent != *batch.header.agent) {
            owners.insert(code, (ip, owner));
        }
    }
    let far = |row: usize| -> Option<Far<'a>> {
        if remote_agent.get(row).is_some() {
            return None;
        }
        let (ip, owner) = *owners.get(&remote_ip.code(row)?)?;
        let transport = transport.get(row).and_then(Transport::parse);
        let end = port(remote_port, row).zip(transport);
        let service =
            end.and_then(|(port, transport)| directory.service((ip, port, transport), times.start));
        Some(Far { owner: Some(owner), service })
    };
    Ok((0..rows.num_rows()).map(|row| far(row).unwrap_or_default()).collect())
}

/// The column with its nulls filled; what the agent said stays.
fn fill(
    rows: &RecordBatch,
    name: &str,
    column: &ArrayRef,
    far: &[Far<'_>],
    known: fn(&Far<'_>) -> Option<Arc<str>>,
) -> Result<ArrayRef, ArrowError> {
    let given = Text::of(rows, name)?;
    let is_filled =
        |(row, far): (usize, &Far<'_>)| given.code(row).is_none() && known(far).is_some();
    if !far.iter().enumerate().any(is_filled) {
        return Ok(column.clone());
    }
    let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
    for (row, far) in far.iter().enumerate() {
        match (given.get(row), known(far)) {
            (Some(text), _) => {
                builder.append(text)?;
            }
            (None, Some(text)) => {
                builder.append(text)?;
            }
            (None, None) => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}
