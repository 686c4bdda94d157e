//! A batch for tests: every column filled, by type, the same on every run.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, RecordBatch, TimestampMillisecondArray, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, SchemaRef};

use weir_model::{Loss, LossKind, Sketch};
use weir_schema::{Table, wire_schema};
use weir_wire::{Batch, BatchHeader};

pub fn header() -> BatchHeader {
    BatchHeader {
        format: 1,
        schema_version: 1,
        agent: "a-0123456789abcdef".to_owned(),
        host: "shop-1".to_owned(),
        boot_id: "6f1a4b9e-9f2e-4a52-9e3e-0c8e0f6f7a11".to_owned(),
        agent_version: "0.1.0".to_owned(),
        sequence: 42,
        window_ms: 10_000,
        from_ms: 1_700_000_000_000,
        to_ms: 1_700_000_010_000,
        created_unix_ms: 1_700_000_010_004,
        cluster: None,
        place: None,
        losses: vec![Loss {
            kind: LossKind::Lost,
            component: "probe_tcp".to_owned(),
            reason: "map_full".to_owned(),
            count: 3,
        }],
    }
}

/// Column values of `rows` rows; nullable columns are null in every third row.
pub fn column(ty: &DataType, name: &str, nullable: bool, rows: usize) -> ArrayRef {
    let values = (0..rows as u64).map(|i| (!nullable || i % 3 != 2).then_some(i));
    match ty {
        DataType::UInt16 => Arc::new(values.map(|v| v.map(|v| v as u16)).collect::<UInt16Array>()),
        DataType::UInt32 => Arc::new(values.map(|v| v.map(|v| v as u32)).collect::<UInt32Array>()),
        DataType::UInt64 => Arc::new(values.collect::<UInt64Array>()),
        DataType::Timestamp(..) => Arc::new(
            values
                .map(|v| v.map(|v| 1_700_000_000_000 + v as i64))
                .collect::<TimestampMillisecondArray>()
                .with_timezone("UTC"),
        ),
        DataType::Dictionary(..) => {
            let texts: Vec<Option<String>> =
                values.map(|v| v.map(|v| format!("{name}-{}", v % 5))).collect();
            Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<UInt32Type>>())
        }
        DataType::Binary => Arc::new(
            values
                .map(|v| {
                    v.map(|v| {
                        let mut sketch = Sketch::default();
                        (0..=v).for_each(|n| sketch.add(n * 1_000));
                        sketch.encode()
                    })
                })
                .collect::<BinaryArray>(),
        ),
        other => panic!("no sample of type {other}"),
    }
}

pub fn rows_of(schema: SchemaRef, rows: usize) -> RecordBatch {
    let columns = schema
        .fields()
        .iter()
        .map(|f| column(f.data_type(), f.name(), f.is_nullable(), rows))
        .collect();
    RecordBatch::try_new(schema, columns).expect("columns are made from the schema")
}

pub fn batch(rows: usize) -> Batch {
    batch_of(Table::L4Flows, rows)
}

pub fn batch_of(table: Table, rows: usize) -> Batch {
    Batch { table, header: header(), rows: rows_of(wire_schema(table), rows) }
}
