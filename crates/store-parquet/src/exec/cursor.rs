//! The place of a row in the order of an answer, as text that a later question brings back.
//!
//! A place names the row by what it holds, not by where it lies, so that it stays right when rows
//! move from the journal to a file or from file to file.

use std::cmp::Ordering;

use weir_query::Cursor;
use weir_store::StoreError;

use crate::errors::invalid;

/// The value that rows are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortValue {
    /// The question sorts by time alone.
    Unsorted,
    Absent,
    Number(f64),
    Text(String),
}

impl SortValue {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The place of a row: its sort value, then the newest, then a hash of all it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub sort: SortValue,
    pub time_ms: u64,
    pub identity: u64,
}

impl Place {
    /// Order of the answer. Absent sort values come last, whichever the direction.
    pub fn compare(&self, other: &Self, descending: bool) -> Ordering {
        self.compare_value_and_time(other, descending)
            .then_with(|| self.identity.cmp(&other.identity))
    }

    /// As [`Self::compare`], without the identity.
    pub fn compare_value_and_time(&self, other: &Self, descending: bool) -> Ordering {
        let by_value = match (&self.sort, &other.sort) {
            (SortValue::Number(a), SortValue::Number(b)) => a.total_cmp(b),
            (SortValue::Text(a), SortValue::Text(b)) => a.cmp(b),
            (a, b) => return a.is_absent().cmp(&b.is_absent()).then(self.newest_first(other)),
        };
        let by_value = if descending { by_value.reverse() } else { by_value };
        by_value.then(self.newest_first(other))
    }

    fn newest_first(&self, other: &Self) -> Ordering {
        other.time_ms.cmp(&self.time_ms)
    }
}

/// Where a page ended: the place of its last row, and how many rows of that very place it held.
#[derive(Clone, Debug, PartialEq)]
pub struct PageEnd {
    pub place: Place,
    pub seen: usize,
}

const VERSION: &str = "1";

impl PageEnd {
    pub fn to_cursor(&self) -> Cursor {
        let Place { sort, time_ms, identity } = &self.place;
        let sort = match sort {
            SortValue::Unsorted => "-".to_owned(),
            SortValue::Absent => "a".to_owned(),
            SortValue::Number(number) => format!("n{:x}", number.to_bits()),
            SortValue::Text(text) => format!("t{text}"),
        };
        Cursor(format!("{VERSION}.{time_ms:x}.{identity:x}.{:x}.{sort}", self.seen))
    }

    /// Reads a cursor; it must be of a question with the same sort.
    pub fn from_cursor(cursor: &Cursor, is_sorted: bool) -> Result<Self, StoreError> {
        let parsed = Self::parse(&cursor.0).ok_or_else(|| {
            invalid(format!(
                "{:?} is not a cursor of this store; start at the first page",
                cursor.0
            ))
        })?;
        if (parsed.place.sort != SortValue::Unsorted) != is_sorted {
            return Err(invalid("the cursor is of a question with another sort"));
        }
        Ok(parsed)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        if parts.next()? != VERSION {
            return None;
        }
        let mut hex = || u64::from_str_radix(parts.next()?, 16).ok();
        let (time_ms, identity, seen) = (hex()?, hex()?, hex()?);
        let sort = parts.next()?;
        let sort = match (sort.get(..1)?, sort.get(1..)?) {
            ("-", "") => SortValue::Unsorted,
            ("a", "") => SortValue::Absent,
            ("n", bits) => SortValue::Number(f64::from_bits(u64::from_str_radix(bits, 16).ok()?)),
            ("t", text) => SortValue::Text(text.to_owned()),
            _ => return None,
        };
        let seen = usize::try_from(seen).ok()?;
        Some(Self { place: Place { sort, time_ms, identity }, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let sorts = [
            SortValue::Unsorted,
            SortValue::Absent,
            SortValue::Number(-1.5),
            SortValue::Text("a.b.c é".to_owned()),
        ];
        for sort in sorts {
            let is_sorted = sort != SortValue::Unsorted;
            let end = PageEnd {
                place: Place { sort, time_ms: 1_700_000_000_000, identity: u64::MAX },
                seen: 3,
            };
            assert_eq!(PageEnd::from_cursor(&end.to_cursor(), is_sorted).unwrap(), end);
            assert!(PageEnd::from_cursor(&end.to_cursor(), !is_sorted).is_err());
        }
        for foreign in ["", "1", "2.0.0.0.-", "1.x.0.0.-", "1.0.0.0.", "1.0.0.0.é"] {
            assert!(PageEnd::from_cursor(&Cursor(foreign.to_owned()), false).is_err(), "{foreign}");
        }
    }
}
