//! One stored row as a flat object.

use serde_json::{Map, Value};
use weir_schema::{ColumnType, metrics};

use crate::exec::fields::{RowMetric, RowValues};
use crate::segment::{ScanError, View};

/// Every stored column but sketches by its name, the computed metrics, and `client_*`/`server_*` of each pair of
/// ends. What is absent is null.
pub fn render(view: &View, row: usize) -> Result<Map<String, Value>, ScanError> {
    let is_incoming = view.incoming()?[row];
    let mut out = Map::new();
    for (id, column) in view.segment.table.columns().iter().enumerate() {
        if column.ty == ColumnType::Sketch {
            continue;
        }
        let loaded = view.column(id)?;
        let value = match column.ty {
            ColumnType::Text | ColumnType::Ip => {
                loaded.as_deref().and_then(|c| c.text(row)).map(Value::from)
            }
            _ => loaded.as_deref().and_then(|c| c.number(row)).map(Value::from),
        };
        out.insert(column.name.to_owned(), value.unwrap_or(Value::Null));
    }
    let mut turned = Vec::new();
    for column in view.segment.table.columns() {
        let Some(name) = column.name.strip_prefix("local_") else { continue };
        let Some(remote) = out.get(&format!("remote_{name}")) else { continue };
        let local = out.get(column.name).unwrap_or(&Value::Null);
        let (client, server) = if is_incoming { (remote, local) } else { (local, remote) };
        turned.push((format!("client_{name}"), client.clone()));
        turned.push((format!("server_{name}"), server.clone()));
    }
    out.extend(turned);
    let table = view.segment.table;
    for metric in metrics(table) {
        let Some(computed) = RowMetric::of(table, metric.formula)? else { continue };
        let value = RowValues::of(view, computed)?.value(row).map(Value::from);
        out.insert(metric.name.to_owned(), value.unwrap_or(Value::Null));
    }
    Ok(out)
}
