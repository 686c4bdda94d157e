//! Whether the buffers of a stream have lengths that fit its columns.
//!
//! arrow's readers validate values, but they take it for granted that a buffer of 4-byte values
//! has a multiple of 4 bytes and panic where it has not, so that is settled here first. The format
//! has flat columns only: fixed-width values, texts, and dictionaries of texts.

use arrow_schema::{DataType, Schema};

use crate::error::WireError;
use crate::frames::Shape;

/// Bytes of one offset of a text or binary column (Arrow columnar format, "Variable-size binary
/// layout").
const OFFSET_BYTES: u64 = 4;
/// A dictionary's texts: validity, offsets, bytes.
const TEXT_BUFFERS: &[u64] = &[1, OFFSET_BYTES, 1];

/// Checks every message of a stream against its schema.
pub(crate) fn check(schema: &Schema, shapes: &[Shape]) -> Result<(), WireError> {
    let mut columns: Vec<u64> = Vec::new();
    for field in schema.fields() {
        let Some(widths) = buffer_widths(field.data_type()) else {
            return Err(WireError::ColumnType {
                column: field.name().clone(),
                expected: "a flat type".to_owned(),
                found: field.data_type().to_string(),
            });
        };
        columns.extend(widths);
    }
    for shape in shapes {
        let widths = if shape.is_dictionary { TEXT_BUFFERS } else { &columns };
        let fits = shape.buffer_bytes.len() == widths.len()
            && shape.buffer_bytes.iter().zip(widths).all(|(bytes, width)| bytes % width == 0);
        if !fits {
            return Err(WireError::Damaged("a buffer's length does not fit its column".to_owned()));
        }
    }
    Ok(())
}

/// Bytes of one value in each buffer of a column, `None` for a type that the format has not.
fn buffer_widths(ty: &DataType) -> Option<Vec<u64>> {
    match ty {
        DataType::Utf8 | DataType::Binary => Some(TEXT_BUFFERS.to_vec()),
        DataType::Boolean => Some(vec![1, 1]),
        DataType::Dictionary(key, value) if **value == DataType::Utf8 => {
            Some(vec![1, key.primitive_width()? as u64])
        }
        other => Some(vec![1, other.primitive_width()? as u64]),
    }
}
