//! The fields of the filter language, made from the columns.
//!
//! A `local_x`/`remote_x` pair of columns gives four fields more: `client_x` and `server_x` (the
//! pair turned by direction) and the bare `x`, which matches either end. A metric that is made from
//! columns (`rtt_us`, `error_rate`, `response_us_p95`) is a field too: the row's own value.

use serde::Serialize;

use crate::column::{ColumnType, Merge};
use crate::columns::Table;
use crate::metrics::metrics;

/// Which end of a flow a field speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Not of one end: `direction`, `agent`, a metric...
    Flow,
    Local,
    Remote,
    Client,
    Server,
    /// Matches when the local or the remote end does.
    Either,
}

/// What values a field takes in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Ip,
    Number,
}

/// One field of the filter language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    pub kind: FieldKind,
    pub side: Side,
    /// The column or computed metric itself, or what follows `local_` and `remote_` in both columns'
    /// names.
    pub column: &'static str,
    /// A second column in which a value may stand as well.
    pub also: Option<&'static str>,
    /// Identity (facets make sense) or a measured value (ranges make sense).
    pub is_key: bool,
    pub doc: String,
}

fn kind(ty: ColumnType) -> FieldKind {
    match ty {
        ColumnType::Text => FieldKind::Text,
        ColumnType::Ip => FieldKind::Ip,
        _ => FieldKind::Number,
    }
}

/// A local column's text, said of the end that the field speaks of.
fn doc_for(doc: &str, side: Side) -> String {
    let end = match side {
        Side::Client => "the client",
        Side::Server => "the server",
        Side::Either => "either end",
        Side::Flow | Side::Local | Side::Remote => return doc.to_owned(),
    };
    doc.replace("the observed end", end).replace("the local end", end)
}

/// All fields of a table, in column order.
pub fn fields(table: Table) -> Vec<Field> {
    let mut out = Vec::new();
    for column in table.columns().iter().filter(|c| c.filterable) {
        let is_key = column.merge == Merge::Key;
        let make = |name: String, side, column_name| Field {
            name,
            kind: kind(column.ty),
            side,
            column: column_name,
            also: column.also,
            is_key,
            doc: doc_for(column.doc, side),
        };
        if let Some(rest) = column.name.strip_prefix("local_") {
            out.push(make(column.name.to_owned(), Side::Local, rest));
            out.push(make(format!("client_{rest}"), Side::Client, rest));
            out.push(make(format!("server_{rest}"), Side::Server, rest));
            out.push(make(rest.to_owned(), Side::Either, rest));
        } else if let Some(rest) = two_ended_remote(table, column.name) {
            out.push(make(column.name.to_owned(), Side::Remote, rest));
        } else {
            out.push(make(column.name.to_owned(), Side::Flow, column.name));
        }
    }
    for metric in metrics(table) {
        if metric.formula.is_computed() {
            out.push(Field {
                name: metric.name.to_owned(),
                kind: FieldKind::Number,
                side: Side::Flow,
                column: metric.name,
                also: None,
                is_key: false,
                doc: metric.doc.to_owned(),
            });
        }
    }
    out
}

fn two_ended_remote(table: Table, name: &'static str) -> Option<&'static str> {
    let rest = name.strip_prefix("remote_")?;
    let has_local = table.columns().iter().any(|c| c.name.strip_prefix("local_") == Some(rest));
    has_local.then_some(rest)
}

/// Looks a field up by name.
pub fn field(table: Table, name: &str) -> Option<Field> {
    fields(table).into_iter().find(|f| f.name == name)
}

/// Whether the filter language of the table takes the name.
pub fn is_known_field(table: Table, name: &str) -> bool {
    field(table, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_give_client_and_server_fields() {
        for name in ["local_port", "remote_port", "client_ip", "server_process", "host", "pid"] {
            assert!(is_known_field(Table::L4Flows, name), "{name}");
        }
        assert_eq!(field(Table::L4Flows, "remote_agent").unwrap().side, Side::Flow);
        assert_eq!(field(Table::L4Flows, "server_ip").unwrap().kind, FieldKind::Ip);
        assert!(is_known_field(Table::L4Flows, "rtt_us"));
        assert!(!is_known_field(Table::L4Flows, "rtt_us_sum"));
    }

    #[test]
    fn metrics_are_fields_under_one_name() {
        for table in Table::ALL {
            let mut names: Vec<String> = fields(table).into_iter().map(|f| f.name).collect();
            for metric in metrics(table).iter().filter(|m| !m.name.ends_with("_samples")) {
                let is_sample_count = table == Table::L7Samples && metric.name == "requests";
                assert!(
                    is_sample_count || names.iter().any(|n| n == metric.name),
                    "{}",
                    metric.name
                );
            }
            names.sort_unstable();
            let before = names.len();
            names.dedup();
            assert_eq!(names.len(), before, "{}", table.name());
        }
    }

    #[test]
    fn a_path_is_also_looked_for_in_its_template() {
        let also = |table| field(table, "path").unwrap().also;
        assert_eq!(also(Table::L7Samples), Some("template"));
        assert_eq!(also(Table::L7Flows), None);
    }

    #[test]
    fn a_field_speaks_of_its_own_end() {
        let doc = |name: &str| field(Table::L4Flows, name).unwrap().doc;
        assert_eq!(doc("client_port"), "port of the client; absent where folded");
        assert_eq!(doc("server_process"), "command name of the process at the server");
        assert_eq!(doc("zone"), "zone of either end");
        let all = fields(Table::L4Flows);
        let turned = |f: &&Field| matches!(f.side, Side::Client | Side::Server | Side::Either);
        for f in all.iter().filter(turned) {
            assert!(
                !f.doc.contains("local") && !f.doc.contains("observed"),
                "{}: {}",
                f.name,
                f.doc
            );
        }
    }
}
