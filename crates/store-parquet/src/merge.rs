//! Brings rows of many segments together in the order of a file.
//!
//! Owns the sort order. Pure but for the loading of columns.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt16Array, UInt32Array, UInt64Array, new_null_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use hashbrown::HashMap;
use weir_schema::{Column, ColumnType, Table, stored_schema};
use weir_store::{StoreError, StoreErrorKind};

use crate::segment::{ColumnData, NULL_CODE, ScanError, View};

/// Rows are first ordered by time in steps of this length, so that row groups can be skipped by
/// their times; within a step by what repeats from window to window, so that they compress.
const TIME_STEP_MS: u64 = 300_000;
const SORT_COLUMNS: [&str; 11] = [
    "agent",
    "direction",
    "transport",
    "local_process",
    "local_ip",
    "local_port",
    "remote_ip",
    "remote_port",
    "dns_name",
    "method",
    "path",
];

/// Rows of one segment that take part.
pub struct Part<'a> {
    pub view: View<'a>,
    pub rows: Vec<u32>,
}

/// One column of all parts, one after the other.
struct Joined {
    /// Codes in the order of their text, or the numbers themselves.
    values: Vec<u64>,
    valid: Option<Vec<bool>>,
    /// The distinct texts, sorted; empty for numbers.
    texts: Vec<String>,
}

impl Joined {
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let valid = |row: usize| self.valid.as_ref().is_none_or(|valid| valid[row]);
        valid(a).cmp(&valid(b)).then(self.values[a].cmp(&self.values[b]))
    }
}

/// The rows of all parts as one batch of the stored schema, in file order.
pub fn merge(table: Table, parts: &[Part]) -> Result<RecordBatch, ScanError> {
    let order = file_order(table, parts)?;
    let mut arrays = Vec::with_capacity(table.columns().len());
    for column in table.columns() {
        arrays.push(match column.ty {
            ColumnType::Sketch => gather_bytes(column, parts, &order)?,
            _ => gather(column, &join(column, parts)?, &order),
        });
    }
    RecordBatch::try_new(stored_schema(table), arrays).map_err(|error| {
        StoreError::with_source(StoreErrorKind::Io, "cannot merge rows", error).into()
    })
}

fn file_order(table: Table, parts: &[Part]) -> Result<Vec<u32>, ScanError> {
    let mut keys = Vec::with_capacity(SORT_COLUMNS.len());
    for name in SORT_COLUMNS.into_iter().chain([table.time_column()]) {
        if let Some(column) = table.columns().iter().find(|column| column.name == name) {
            keys.push(join(column, parts)?);
        }
    }
    let rows: usize = parts.iter().map(|part| part.rows.len()).sum();
    let times = keys.last().map_or(&[][..], |key| &key.values[..]);
    let steps: Vec<u64> = times.iter().map(|ms| ms / TIME_STEP_MS).collect();
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_unstable_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        let by_key = || keys.iter().map(|key| key.compare(a, b)).find(|o| o.is_ne());
        steps[a].cmp(&steps[b]).then_with(|| by_key().unwrap_or(Ordering::Equal)).then(a.cmp(&b))
    });
    Ok(order)
}

fn join(column: &Column, parts: &[Part]) -> Result<Joined, ScanError> {
    let rows = parts.iter().map(|part| part.rows.len()).sum();
    let mut values = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    let mut texts = Texts::default();
    for part in parts {
        let loaded = part.view.named(column.name)?;
        match loaded.as_deref() {
            None => {
                values.resize(values.len() + part.rows.len(), 0);
                valid.resize(valid.len() + part.rows.len(), false);
            }
            // Sketches are gathered as they are.
            Some(ColumnData::Bytes(_)) => {}
            Some(ColumnData::Numbers { values: numbers, nulls }) => {
                for row in &part.rows {
                    let row = *row as usize;
                    values.push(numbers[row]);
                    valid.push(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
                }
            }
            Some(ColumnData::Codes { codes, values: dictionary }) => {
                let mut global = vec![NULL_CODE; dictionary.len()];
                for row in &part.rows {
                    let code = codes[*row as usize];
                    valid.push(code != NULL_CODE);
                    if code == NULL_CODE {
                        values.push(0);
                        continue;
                    }
                    let known = &mut global[code as usize];
                    if *known == NULL_CODE {
                        *known = texts.code(dictionary.value(code as usize));
                    }
                    values.push(u64::from(*known));
                }
            }
        }
    }
    let (texts, ranks) = texts.sorted();
    if !ranks.is_empty() {
        for (value, valid) in values.iter_mut().zip(&valid) {
            if *valid {
                *value = u64::from(ranks[*value as usize]);
            }
        }
    }
    let valid = valid.contains(&false).then_some(valid);
    Ok(Joined { values, valid, texts })
}

#[derive(Default)]
struct Texts {
    codes: HashMap<String, u32>,
}

impl Texts {
    fn code(&mut self, text: &str) -> u32 {
        let next = self.codes.len() as u32;
        match self.codes.get(text) {
            Some(code) => *code,
            None => *self.codes.entry(text.to_owned()).insert(next).get(),
        }
    }

    /// The texts in order, and the place of each code in it.
    fn sorted(self) -> (Vec<String>, Vec<u32>) {
        let mut pairs: Vec<(String, u32)> = self.codes.into_iter().collect();
        pairs.sort_unstable();
        let mut ranks = vec![0; pairs.len()];
        for (rank, (_, code)) in pairs.iter().enumerate() {
            ranks[*code as usize] = rank as u32;
        }
        (pairs.into_iter().map(|(text, _)| text).collect(), ranks)
    }
}

fn gather(column: &Column, joined: &Joined, order: &[u32]) -> ArrayRef {
    let values = order.iter().map(|row| joined.values[*row as usize]);
    let nulls = joined.valid.as_ref().map(|valid| {
        let bits = BooleanBuffer::collect_bool(order.len(), |i| valid[order[i] as usize]);
        NullBuffer::new(bits)
    });
    match column.ty {
        ColumnType::U16 => Arc::new(UInt16Array::new(values.map(|v| v as u16).collect(), nulls)),
        ColumnType::U32 => Arc::new(UInt32Array::new(values.map(|v| v as u32).collect(), nulls)),
        ColumnType::U64 => Arc::new(UInt64Array::new(values.collect(), nulls)),
        ColumnType::TimestampMs => {
            let array = TimestampMillisecondArray::new(values.map(|v| v as i64).collect(), nulls);
            Arc::new(array.with_timezone("UTC"))
        }
        ColumnType::Text | ColumnType::Ip => {
            let codes = values.map(|v| v as u32).collect();
            let keys = PrimitiveArray::<UInt32Type>::new(codes, nulls);
            let texts: StringArray = joined.texts.iter().map(Some).collect();
            Arc::new(DictionaryArray::new(keys, Arc::new(texts)))
        }
        // [`gather_bytes`] is for these.
        ColumnType::Sketch => new_null_array(&DataType::Binary, order.len()),
    }
}

/// A column of bytes in file order.
fn gather_bytes(column: &Column, parts: &[Part], order: &[u32]) -> Result<ArrayRef, ScanError> {
    let mut loaded = Vec::with_capacity(parts.len());
    for part in parts {
        loaded.push(part.view.named(column.name)?);
    }
    let places: Vec<(usize, u32)> = parts
        .iter()
        .enumerate()
        .flat_map(|(place, part)| part.rows.iter().map(move |row| (place, *row)))
        .collect();
    let bytes = order.iter().map(|at| {
        let (place, row) = places[*at as usize];
        loaded[place].as_deref().and_then(|column| column.blob(row as usize))
    });
    Ok(Arc::new(bytes.collect::<BinaryArray>()))
}
