//! Batches of other versions: the frozen ones of the past, and what newer agents may send.

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, new_null_array};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use common::{batch, batch_of, column, header};
use weir_schema::{FORMAT_VERSION, Table, wire_schema};
use weir_wire::{Batch, FORMAT, Limits, decode, encode};

fn read(bytes: &[u8]) -> Batch {
    decode(bytes, &Limits::default()).expect("a readable batch")
}

fn kind_of(bytes: &[u8]) -> (&'static str, String) {
    let err = decode(bytes, &Limits::default()).expect_err("a refused batch");
    (err.kind(), err.to_string())
}

/// Writes a batch as a sender with other columns or another header would.
fn encode_as(schema: SchemaRef, columns: Vec<Arc<dyn Array>>, header_json: &str) -> Vec<u8> {
    let mut metadata: std::collections::HashMap<String, String> = Default::default();
    metadata.insert("weir.table".to_owned(), "l4_flows".to_owned());
    metadata.insert("weir.batch".to_owned(), header_json.to_owned());
    let schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
    let rows = RecordBatch::try_new(schema.clone(), columns).expect("a well-formed batch");
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.write(&rows).expect("written");
    writer.finish().expect("finished");
    writer.into_inner().expect("bytes")
}

fn header_json() -> String {
    serde_json::to_string(&header()).expect("json")
}

/// The wire columns without one, or with another type for it.
fn columns_but(name: &str, ty: Option<DataType>) -> (SchemaRef, Vec<Arc<dyn Array>>) {
    let mut fields: Vec<Field> = Vec::new();
    for field in wire_schema(Table::L4Flows).fields() {
        match &ty {
            None if field.name() == name => {}
            Some(ty) if field.name() == name => {
                fields.push(Field::new(name, ty.clone(), field.is_nullable()));
            }
            _ => fields.push(field.as_ref().clone()),
        }
    }
    let columns =
        fields.iter().map(|f| column(f.data_type(), f.name(), f.is_nullable(), 4)).collect();
    (Arc::new(Schema::new(fields)), columns)
}

#[test]
fn a_batch_comes_back_as_it_went() {
    for rows in [0, 1, 2, 7, 5_000] {
        let sent = batch(rows);
        assert_eq!(read(&encode(&sent).expect("encoded")), sent, "{rows} rows");
    }
}

/// Every released format stays readable. A missing file is written, an existing one never.
#[test]
fn golden_batches_are_readable() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let newest = "a new version needs goldens of its own";
    assert_eq!((FORMAT, FORMAT_VERSION), (1, 5), "{newest}");
    let goldens = [
        ("format-1.arrow", Table::L4Flows, 1),
        ("format-1-l4_flows-2.arrow", Table::L4Flows, 2),
        ("format-1-l7_flows-2.arrow", Table::L7Flows, 2),
        ("format-1-l7_samples-2.arrow", Table::L7Samples, 2),
        ("format-1-dns_flows-2.arrow", Table::DnsFlows, 2),
        ("format-1-l7_samples-3.arrow", Table::L7Samples, 3),
        ("format-1-l4_flows-4.arrow", Table::L4Flows, 4),
        ("format-1-l7_flows-4.arrow", Table::L7Flows, 4),
        ("format-1-l7_samples-4.arrow", Table::L7Samples, 4),
        ("format-1-dns_flows-4.arrow", Table::DnsFlows, 4),
        ("format-1-l4_flows-5.arrow", Table::L4Flows, 5),
        ("format-1-l7_flows-5.arrow", Table::L7Flows, 5),
        ("format-1-l7_samples-5.arrow", Table::L7Samples, 5),
        ("format-1-dns_flows-5.arrow", Table::DnsFlows, 5),
    ];
    for (name, table, schema_version) in goldens {
        let path = dir.join(name);
        let mut expected = batch_of(table, 7);
        expected.header.schema_version = schema_version;
        expected.rows = without_younger(table, schema_version, expected.rows);
        if !path.exists() && std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, encode(&expected).expect("encoded")).expect("golden written");
        }
        let bytes = std::fs::read(&path).expect(name);
        assert_eq!(read(&bytes), expected, "{name}");
    }
}

/// The rows with nulls in the columns that the version did not have.
fn without_younger(table: Table, schema_version: u32, rows: RecordBatch) -> RecordBatch {
    let is_known = |name: &str| {
        table.columns().iter().any(|column| column.name == name && column.since <= schema_version)
    };
    let schema = rows.schema();
    let columns =
        schema.fields().iter().zip(rows.columns()).map(|(field, values)| {
            match is_known(field.name()) {
                true => values.clone(),
                false => new_null_array(field.data_type(), rows.num_rows()),
            }
        });
    RecordBatch::try_new(schema.clone(), columns.collect()).expect("the same schema")
}

#[test]
fn columns_of_newer_agents_are_ignored() {
    let wire = wire_schema(Table::L4Flows);
    let mut fields: Vec<Field> = wire.fields().iter().map(|f| f.as_ref().clone()).collect();
    let text = wire.field_with_name("agent").expect("agent").data_type().clone();
    fields.insert(3, Field::new("local_mood", text, true));
    fields.push(Field::new("tcp_moods", DataType::UInt64, true));
    let columns =
        fields.iter().map(|f| column(f.data_type(), f.name(), f.is_nullable(), 4)).collect();
    let bytes = encode_as(Arc::new(Schema::new(fields)), columns, &header_json());
    assert_eq!(read(&bytes).rows, batch(4).rows);
}

#[test]
fn columns_that_older_agents_lack_are_null() {
    let (schema, columns) = columns_but("retransmits", None);
    let rows = read(&encode_as(schema, columns, &header_json())).rows;
    assert_eq!(rows.schema(), wire_schema(Table::L4Flows));
    assert_eq!(rows.column_by_name("retransmits").expect("filled").null_count(), 4);
    assert_eq!(rows.column_by_name("resets_sent"), batch(4).rows.column_by_name("resets_sent"));
}

#[test]
fn a_header_may_grow() {
    let json = header_json().replacen('{', r#"{"mood": "fine", "#, 1);
    let (schema, columns) = columns_but("none", None);
    assert_eq!(read(&encode_as(schema, columns, &json)).header, header());
}

#[test]
fn what_is_refused_says_why() {
    let wire = || columns_but("none", None);
    let changed = |from: &str, to: &str| {
        let json = header_json();
        assert!(json.contains(from), "{from}");
        let (schema, columns) = wire();
        kind_of(&encode_as(schema, columns, &json.replace(from, to)))
    };
    let without = |name, ty| {
        let (schema, columns) = columns_but(name, ty);
        kind_of(&encode_as(schema, columns, &header_json()))
    };
    let cases = [
        (changed(r#""format":1"#, r#""format":2"#), "newer_format", "upgrade the server"),
        (changed(r#""format":1"#, r#""format":"x""#), "bad_header", "invalid type"),
        (changed(r#""sequence":42"#, r#""sequence":-1"#), "bad_header", "invalid value"),
        (changed(r#""window_ms":10000"#, r#""window_ms":0"#), "bad_header", "window_ms is 0"),
        (changed("\"from_ms\":17", "\"from_ms\":27"), "bad_header", "is after to_ms"),
        (changed("a-0123456789abcdef", ""), "bad_header", "agent is empty"),
        (changed("shop-1", &"x".repeat(300)), "bad_header", "longer than 256 bytes"),
        (without("local_ip", None), "missing_column", "\"local_ip\" is required"),
        (without("pid", Some(DataType::UInt64)), "column_type", "\"pid\" has type UInt64"),
        (kind_of(b"{\"rows\": []}"), "foreign", "looks like JSON"),
        (kind_of(b"ARROW1\0\0........"), "foreign", "Arrow file"),
        (kind_of(b"hello, this is no batch"), "foreign", "does not start like"),
        (kind_of(b""), "truncated", "after 0 bytes"),
    ];
    for ((kind, message), expected_kind, part) in cases {
        assert_eq!(kind, expected_kind, "{message}");
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn streams_of_others_are_foreign() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::UInt64, true)]));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    let rows = vec![column(&DataType::UInt64, "n", true, 3)];
    writer.write(&RecordBatch::try_new(schema.clone(), rows).expect("rows")).expect("written");
    writer.finish().expect("finished");
    let (kind, message) = kind_of(writer.get_ref());
    assert_eq!(kind, "foreign");
    assert!(message.contains("without weir.batch"), "{message}");
}

#[test]
fn unknown_tables_are_named() {
    let mut metadata: std::collections::HashMap<String, String> = Default::default();
    metadata.insert("weir.table".to_owned(), "l9_flows".to_owned());
    metadata.insert("weir.batch".to_owned(), header_json());
    let (schema, columns) = columns_but("none", None);
    let schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.write(&RecordBatch::try_new(schema.clone(), columns).expect("rows")).expect("written");
    writer.finish().expect("finished");
    let (kind, message) = kind_of(writer.get_ref());
    assert_eq!(kind, "unknown_table");
    assert!(message.contains("l9_flows"), "{message}");
}

#[test]
fn a_required_column_needs_values() {
    let wire = wire_schema(Table::L4Flows);
    let fields: Vec<Field> =
        wire.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let columns =
        fields.iter().map(|f| column(f.data_type(), f.name(), f.name() == "agent", 4)).collect();
    let bytes = encode_as(Arc::new(Schema::new(fields)), columns, &header_json());
    assert_eq!(kind_of(&bytes).0, "missing_value");
}
