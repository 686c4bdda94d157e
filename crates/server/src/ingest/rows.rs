//! The columns of a batch that say who the ends of a row are.

use std::collections::HashMap;
use std::net::IpAddr;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt16Type, UInt32Type};
use arrow_array::{Array, RecordBatch, StringArray, UInt16Array, UInt32Array};
use arrow_schema::ArrowError;
use weir_model::{Direction, Transport};

/// A dictionary column.
pub struct Text<'a> {
    codes: &'a UInt32Array,
    values: &'a StringArray,
}

impl<'a> Text<'a> {
    pub fn of(rows: &'a RecordBatch, name: &str) -> Result<Self, ArrowError> {
        let column = rows.column_by_name(name).and_then(|c| c.as_dictionary_opt::<UInt32Type>());
        let values = column.and_then(|column| column.values().as_string_opt::<i32>());
        match (column, values) {
            (Some(column), Some(values)) => Ok(Self { codes: column.keys(), values }),
            _ => Err(ArrowError::SchemaError(format!("no dictionary column {name}"))),
        }
    }

    pub fn code(&self, row: usize) -> Option<usize> {
        let code = self.codes.is_valid(row).then(|| self.codes.value(row) as usize)?;
        (code < self.values.len() && self.values.is_valid(code)).then_some(code)
    }

    /// The distinct texts.
    pub fn values(&self) -> impl Iterator<Item = &'a str> {
        self.values.iter().flatten()
    }

    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.code(row).map(|code| self.values.value(code))
    }

    /// The addresses of the dictionary that rows use.
    pub fn addresses(&self) -> HashMap<usize, IpAddr> {
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

/// One side's columns.
pub struct Side<'a> {
    ip: Text<'a>,
    addresses: HashMap<usize, IpAddr>,
    port: &'a UInt16Array,
    pub pod_uid: Text<'a>,
    pub container: Text<'a>,
}

impl<'a> Side<'a> {
    fn of(rows: &'a RecordBatch, side: &str) -> Result<Self, ArrowError> {
        let text = |name: &str| Text::of(rows, &format!("{side}_{name}"));
        let ip = text("ip")?;
        let addresses = ip.addresses();
        let port = ports(rows, &format!("{side}_port"))?;
        Ok(Self { ip, addresses, port, pod_uid: text("pod_uid")?, container: text("container")? })
    }

    pub fn ip(&self, row: usize) -> Option<IpAddr> {
        self.addresses.get(&self.ip.code(row)?).copied()
    }

    pub fn ip_code(&self, row: usize) -> Option<usize> {
        self.ip.code(row)
    }

    /// The distinct addresses.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.values().copied()
    }

    pub fn port(&self, row: usize) -> Option<u16> {
        self.port.is_valid(row).then(|| self.port.value(row))
    }
}

/// Both sides, and what the rows say of the way between them.
pub struct Ends<'a> {
    pub rows: usize,
    pub local: Side<'a>,
    pub remote: Side<'a>,
    pub remote_agent: Text<'a>,
    direction: Text<'a>,
    transport: Text<'a>,
    dialled_ip: Text<'a>,
    dialled: HashMap<usize, IpAddr>,
    dialled_port: &'a UInt16Array,
}

impl<'a> Ends<'a> {
    pub fn of(rows: &'a RecordBatch) -> Result<Self, ArrowError> {
        let dialled_ip = Text::of(rows, "dialled_ip")?;
        Ok(Self {
            rows: rows.num_rows(),
            local: Side::of(rows, "local")?,
            remote: Side::of(rows, "remote")?,
            remote_agent: Text::of(rows, "remote_agent")?,
            direction: Text::of(rows, "direction")?,
            transport: Text::of(rows, "transport")?,
            dialled: dialled_ip.addresses(),
            dialled_ip,
            dialled_port: ports(rows, "dialled_port")?,
        })
    }

    pub fn transport(&self, row: usize) -> Option<Transport> {
        self.transport.get(row).and_then(Transport::parse)
    }

    pub fn direction(&self, row: usize) -> Option<Direction> {
        self.direction.get(row).and_then(Direction::parse)
    }

    /// What the client dialled, where another address answered.
    pub fn dialled(&self, row: usize) -> Option<(IpAddr, Option<u16>)> {
        let ip = self.dialled.get(&self.dialled_ip.code(row)?)?;
        Some((*ip, self.dialled_port.is_valid(row).then(|| self.dialled_port.value(row))))
    }
}
