//! Header blocks of HTTP/2 (HPACK, RFC 7541), read by one who only listens.
//!
//! The libraries that exist do not serve here: they end at the first index that they do not know,
//! which is normal for who joins a connection in the middle or misses a block, and they keep
//! every header's value, which must not be kept. This one keeps the values of the few fields that
//! are asked for, and of all others only their lengths, which the table's order depends on.

mod huffman;
mod tables;

use std::collections::VecDeque;

use crate::headers::Headers;

pub use self::tables::Name;
use self::tables::{STATIC, name_of};

/// Size of a table before the encoder changes it (RFC 9113, section 6.5.2). Settings only say
/// how far it may; what it does stands in its blocks (RFC 7541, section 4.2).
const TABLE_BYTES_DEFAULT: u32 = 4096;
/// Largest table that is followed. Fields that are in a larger one's rest count as unknown.
pub const TABLE_BYTES_MAX: u32 = 64 * 1024;
/// What an entry costs beside its text (RFC 7541, section 4.1).
const ENTRY_BYTES: u32 = 32;
/// Longest value that is kept of a field.
pub const VALUE_BYTES_MAX: usize = 4096;

/// Bytes that are not a header block. The table is not to be trusted after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One direction's table, and the reader of its blocks.
#[derive(Debug)]
pub struct Decoder {
    entries: VecDeque<Entry>,
    bytes: u32,
    bytes_max: u32,
    /// Every block since the connection began was read: an index beyond the table is an error.
    is_whole: bool,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    name_length: u32,
    bytes: u32,
    value: Box<[u8]>,
}

/// Where a field's name stands.
struct Named {
    name: Name,
    length: u32,
}

impl Decoder {
    /// For a connection that is seen from its beginning.
    pub fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max: TABLE_BYTES_DEFAULT,
            is_whole: true,
            scratch: Vec::new(),
        }
    }

    /// For a connection, or the rest of one, of which blocks were missed: what they added to the
    /// table is unknown, what is added from now on stands in front of it. If the encoder's table
    /// is larger than is known here, its oldest fields are unknown; none is taken for another.
    pub fn forget(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.is_whole = false;
    }

    /// Memory held, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.entries.iter().map(|entry| entry.value.len()).sum::<usize>()
            + self.scratch.capacity()
    }

    /// Reads a block and passes its fields on: those of [`Name`] with their values, cut to
    /// [`VALUE_BYTES_MAX`], all others as [`Name::Other`] without. A field whose name is not
    /// known is [`Name::Unknown`], with its value if that is there.
    ///
    /// A block that `is_cut` may end anywhere: what ends in the middle is left out.
    pub fn decode(
        &mut self,
        headers: &Headers,
        mut block: &[u8],
        is_cut: bool,
        field: &mut dyn FnMut(Name, &[u8]),
    ) -> Result<(), Malformed> {
        while let Some(first) = block.first() {
            match self.field(headers, *first, block, field) {
                Ok(rest) => block = rest,
                Err(Stop::Short) if is_cut => return Ok(()),
                Err(_) => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// One representation (RFC 7541, section 6); returns what follows it.
    fn field<'a>(
        &mut self,
        headers: &Headers,
        first: u8,
        block: &'a [u8],
        field: &mut dyn FnMut(Name, &[u8]),
    ) -> Result<&'a [u8], Stop> {
        match first {
            0x80.. => {
                let (index, rest) = integer(block, 7)?;
                self.indexed(headers, index, field)?;
                Ok(rest)
            }
            0x40..0x80 => self.literal(headers, block, (6, true), field),
            0x20..0x40 => {
                let (size, rest) = integer(block, 5)?;
                self.bytes_max = size.min(TABLE_BYTES_MAX);
                self.evict(0);
                if size > TABLE_BYTES_MAX {
                    self.is_whole = false;
                }
                Ok(rest)
            }
            _ => self.literal(headers, block, (4, false), field),
        }
    }

    fn indexed(
        &self,
        headers: &Headers,
        index: u32,
        field: &mut dyn FnMut(Name, &[u8]),
    ) -> Result<(), Stop> {
        let index = index as usize;
        if index == 0 {
            return Err(Stop::Malformed);
        }
        if let Some((name, value)) = STATIC.get(index - 1) {
            field(name_of(name.as_bytes(), headers), value.as_bytes());
            return Ok(());
        }
        match self.entries.get(index - 1 - STATIC.len()) {
            Some(entry) => field(entry.name, &entry.value),
            None if self.is_whole => return Err(Stop::Malformed),
            None => field(Name::Unknown, &[]),
        }
        Ok(())
    }

    fn literal<'a>(
        &mut self,
        headers: &Headers,
        block: &'a [u8],
        (prefix, is_kept): (u32, bool),
        field: &mut dyn FnMut(Name, &[u8]),
    ) -> Result<&'a [u8], Stop> {
        let (index, rest) = integer(block, prefix)?;
        let (named, rest) = match index as usize {
            0 => {
                let (text, rest) = self.string(rest)?;
                (Named { name: name_of(text, headers), length: text.len() as u32 }, rest)
            }
            index => (self.named(headers, index)?, rest),
        };
        if !is_kept && named.name == Name::Other {
            // Most fields end here: their text is not even read.
            let (_, rest) = raw_string(rest)?;
            field(Name::Other, &[]);
            return Ok(rest);
        }
        let (value, rest) = self.string(rest)?;
        let bytes = ENTRY_BYTES.saturating_add(named.length).saturating_add(value.len() as u32);
        let name = named.name.guessed(value, headers);
        let shown = match name {
            Name::Other => &[],
            _ => &value[..value.len().min(VALUE_BYTES_MAX)],
        };
        field(name, shown);
        if is_kept {
            let value = name.kept(shown).into();
            self.insert(Entry { name, name_length: named.length, bytes, value });
        }
        Ok(rest)
    }

    fn named(&self, headers: &Headers, index: usize) -> Result<Named, Stop> {
        if let Some((name, _)) = STATIC.get(index - 1) {
            return Ok(Named {
                name: name_of(name.as_bytes(), headers),
                length: name.len() as u32,
            });
        }
        match self.entries.get(index - 1 - STATIC.len()) {
            Some(entry) => Ok(Named { name: entry.name, length: entry.name_length }),
            None if self.is_whole => Err(Stop::Malformed),
            None => Ok(Named { name: Name::Unknown, length: 0 }),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.evict(entry.bytes);
        if entry.bytes <= self.bytes_max {
            self.bytes += entry.bytes;
            self.entries.push_front(entry);
        }
    }

    /// Makes room for an entry (RFC 7541, section 4.4).
    fn evict(&mut self, bytes: u32) {
        while self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some(entry) = self.entries.pop_back() else { return };
            self.bytes -= entry.bytes;
        }
    }

    /// A string literal, decoded.
    fn string<'a, 'b>(&'b mut self, block: &'a [u8]) -> Result<(&'b [u8], &'a [u8]), Stop>
    where
        'a: 'b,
    {
        let (raw, rest) = raw_string(block)?;
        if !raw.is_huffman {
            return Ok((raw.bytes, rest));
        }
        self.scratch.clear();
        huffman::decode(raw.bytes, &mut self.scratch).map_err(|Malformed| Stop::Malformed)?;
        Ok((&self.scratch, rest))
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The block ends within a representation.
    Short,
    Malformed,
}

/// An integer with a prefix of so many bits (RFC 7541, section 5.1).
fn integer(block: &[u8], prefix: u32) -> Result<(u32, &[u8]), Stop> {
    let (first, mut rest) = block.split_first().ok_or(Stop::Short)?;
    let mask = (1u32 << prefix) - 1;
    let mut value = u32::from(*first) & mask;
    if value < mask {
        return Ok((value, rest));
    }
    for shift in (0..28).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(Stop::Short)?;
        rest = behind;
        value = value.checked_add(u32::from(byte & 0x7f) << shift).ok_or(Stop::Malformed)?;
        if byte & 0x80 == 0 {
            return Ok((value, rest));
        }
    }
    Err(Stop::Malformed)
}

/// A string literal as it stands (RFC 7541, section 5.2).
struct Raw<'a> {
    is_huffman: bool,
    bytes: &'a [u8],
}

fn raw_string(block: &[u8]) -> Result<(Raw<'_>, &[u8]), Stop> {
    let is_huffman = block.first().ok_or(Stop::Short)? & 0x80 != 0;
    let (length, rest) = integer(block, 7)?;
    let (bytes, rest) = rest.split_at_checked(length as usize).ok_or(Stop::Short)?;
    Ok((Raw { is_huffman, bytes }, rest))
}

#[cfg(test)]
mod tests;
