//! A look at the frames of an Arrow IPC stream before anything is believed or allocated.
//!
//! Owns the checks that keep a hostile or damaged stream from costing more than its limits:
//! completeness, exactly one schema and one record batch, buffers inside their bodies, and what
//! the buffers say they decompress to. Reads no values; that is `decode`'s.

use arrow_ipc::{Message, MessageHeader, RecordBatch, root_as_message};

use crate::decode::Limits;
use crate::error::WireError;

const CONTINUATION: [u8; 4] = [0xff; 4];

/// Lengths of the decompressed buffers of one message, in the message's order.
pub(crate) struct Shape {
    pub is_dictionary: bool,
    pub buffer_bytes: Vec<u64>,
}

/// Walks all frames; an error when the stream is not whole, not ours or past the limits.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<Vec<Shape>, WireError> {
    if bytes.len() >= CONTINUATION.len() && !bytes.starts_with(&CONTINUATION) {
        return Err(foreign_start(bytes));
    }
    let mut frames = Frames { bytes, at: 0 };
    let mut decoded = Decoded { bytes: 0, shapes: Vec::new(), limits };
    let mut schemas = 0u32;
    let mut batches = 0u32;
    while let Some((message, body)) = frames.next()? {
        match message.header_type() {
            MessageHeader::Schema => schemas += 1,
            MessageHeader::DictionaryBatch => {
                let batch = message.header_as_dictionary_batch();
                decoded.add(true, batch.and_then(|b| b.data()), body)?;
            }
            MessageHeader::RecordBatch => {
                batches += 1;
                decoded.add(false, message.header_as_record_batch(), body)?;
            }
            other => return Err(damaged(format!("unexpected Arrow message {other:?}"))),
        }
    }
    if schemas != 1 || batches != 1 {
        return Err(damaged(format!(
            "a batch is one schema and one record batch, found {schemas} and {batches}"
        )));
    }
    Ok(decoded.shapes)
}

/// Cursor over encapsulated messages: mark, metadata length, metadata, body.
struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    fn take(&mut self, len: u64, what: &'static str) -> Result<&'a [u8], WireError> {
        let truncated = WireError::Truncated { bytes: self.bytes.len(), what };
        let Ok(len) = usize::try_from(len) else { return Err(truncated) };
        let end = self.at.saturating_add(len);
        let Some(part) = self.bytes.get(self.at..end) else { return Err(truncated) };
        self.at = end;
        Ok(part)
    }

    fn take_u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        let mut word = [0u8; 4];
        word.copy_from_slice(self.take(4, what)?);
        Ok(u32::from_le_bytes(word))
    }

    /// The next message and its body, `None` at the mark that ends the stream.
    fn next(&mut self) -> Result<Option<(Message<'a>, &'a [u8])>, WireError> {
        if self.take_u32("a frame's start")? != u32::MAX {
            return Err(damaged("a frame does not start with the continuation mark".to_owned()));
        }
        let metadata_len = self.take_u32("a frame's length")?;
        if metadata_len == 0 {
            let rest = self.bytes.len() - self.at;
            if rest > 0 {
                return Err(damaged(format!("{rest} bytes follow the end of the stream")));
            }
            return Ok(None);
        }
        let metadata = self.take(u64::from(metadata_len), "a frame's metadata")?;
        let message = root_as_message(metadata)
            .map_err(|err| damaged(format!("a frame's metadata: {err}")))?;
        let body_len = u64::try_from(message.bodyLength())
            .map_err(|_| damaged("a frame's body has a negative length".to_owned()))?;
        let body = self.take(body_len, "a frame's body")?;
        Ok(Some((message, body)))
    }
}

/// What the stream's buffers come to once decompressed.
struct Decoded<'a> {
    bytes: u64,
    shapes: Vec<Shape>,
    limits: &'a Limits,
}

impl Decoded<'_> {
    fn add(
        &mut self,
        is_dictionary: bool,
        batch: Option<RecordBatch<'_>>,
        body: &[u8],
    ) -> Result<(), WireError> {
        let Some(batch) = batch else {
            return Err(damaged("a frame's body is not described".to_owned()));
        };
        let rows_max = self.limits.rows_max;
        let lengths = batch.nodes().into_iter().flatten().map(|node| node.length());
        for length in lengths.chain([batch.length()]) {
            let rows = u64::try_from(length)
                .map_err(|_| damaged("an array has a negative length".to_owned()))?;
            if rows > rows_max as u64 {
                return Err(WireError::TooManyRows { rows, rows_max });
            }
        }
        let compressed = batch.compression().is_some();
        let mut buffer_bytes = Vec::new();
        for buffer in batch.buffers().into_iter().flatten() {
            let Some(part) = slice(body, buffer.offset(), buffer.length()) else {
                return Err(damaged("a buffer reaches past its frame's body".to_owned()));
            };
            let len = decoded_len(part, compressed)?;
            self.bytes = self.bytes.saturating_add(len);
            buffer_bytes.push(len);
        }
        self.shapes.push(Shape { is_dictionary, buffer_bytes });
        let max = self.limits.decoded_bytes_max;
        if self.bytes > max as u64 {
            let (bytes, limit) = (self.bytes, "decoded_bytes_max");
            return Err(WireError::TooLarge { bytes, what: "when decompressed", limit, max });
        }
        Ok(())
    }
}

fn slice(body: &[u8], offset: i64, length: i64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    body.get(start..end)
}

/// A compressed buffer starts with its decompressed length, -1 where it was left as it is (Arrow
/// columnar format, "Compression").
fn decoded_len(buffer: &[u8], compressed: bool) -> Result<u64, WireError> {
    if !compressed || buffer.is_empty() {
        return Ok(buffer.len() as u64);
    }
    let Some(prefix) = buffer.first_chunk::<8>() else {
        return Err(damaged("a compressed buffer has no length".to_owned()));
    };
    match i64::from_le_bytes(*prefix) {
        -1 => Ok((buffer.len() - prefix.len()) as u64),
        len => u64::try_from(len)
            .map_err(|_| damaged("a compressed buffer has a negative length".to_owned())),
    }
}

fn foreign_start(bytes: &[u8]) -> WireError {
    let what = if bytes.starts_with(b"ARROW1") {
        "this is an Arrow file; expected an Arrow IPC stream"
    } else if bytes.starts_with(b"{") || bytes.starts_with(b"[") {
        "this looks like JSON; expected an Arrow IPC stream"
    } else if bytes.starts_with(b"PAR1") {
        "this is a Parquet file; expected an Arrow IPC stream"
    } else {
        "it does not start like an Arrow IPC stream"
    };
    WireError::Foreign(what.to_owned())
}

fn damaged(what: String) -> WireError {
    WireError::Damaged(what)
}
