//! Where a body of HTTP/1 ends, also where not all of it was copied.

/// What a half of a connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Before or within a head.
    Head,
    /// This many bytes before the next head.
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    /// Somewhere: until a call begins like a message, or like a chunk if it was a chunked body.
    Lost {
        is_chunked: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    Size {
        value: u64,
        digits: u8,
    },
    Extension {
        value: u64,
    },
    /// With the line end behind the data.
    Data {
        left: u64,
    },
    Trailer {
        is_line_empty: bool,
    },
}

pub const FIRST_CHUNK: State = State::Chunked(Chunk::Size { value: 0, digits: 0 });

/// `0`, an empty line: what ends a chunked body without trailers.
const LAST_CHUNK_BYTES: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This many bytes belong to the body, which goes on.
    Used(usize),
    /// This many bytes belong to the body, which ends with them.
    End(usize),
    /// Not a body of this kind.
    Broken,
}

impl State {
    /// Steps over bytes of a body.
    pub fn consume(&mut self, data: &[u8]) -> Step {
        match self {
            State::Head => Step::End(0),
            State::UntilClose | State::Lost { .. } => Step::Used(data.len()),
            State::Length(left) => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= used as u64;
                if *left == 0 { Step::End(used) } else { Step::Used(used) }
            }
            State::Chunked(chunk) => chunk.consume(data),
        }
    }

    /// Steps over bytes that were not copied. `Broken`: where the body ends is among them.
    pub fn skip(&mut self, gap: u64) -> Step {
        match self {
            State::Head => Step::Broken,
            State::UntilClose | State::Lost { .. } => Step::Used(0),
            State::Length(left) => match left.checked_sub(gap) {
                Some(0) => Step::End(0),
                Some(rest) => {
                    *left = rest;
                    Step::Used(0)
                }
                None => Step::Broken,
            },
            State::Chunked(Chunk::Data { left }) => match gap.checked_sub(*left) {
                None => {
                    *left -= gap;
                    Step::Used(0)
                }
                // Most servers write a chunk, or the last one and the end, in one call.
                Some(0) => {
                    *self = FIRST_CHUNK;
                    Step::Used(0)
                }
                Some(LAST_CHUNK_BYTES) => Step::End(0),
                Some(_) => Step::Broken,
            },
            State::Chunked(_) => Step::Broken,
        }
    }
}

impl Chunk {
    fn consume(&mut self, data: &[u8]) -> Step {
        let mut used = 0;
        while used < data.len() {
            if let Chunk::Data { left } = self {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len() - used);
                *left -= step as u64;
                used += step;
                if *left == 0 {
                    *self = Chunk::Size { value: 0, digits: 0 };
                }
                continue;
            }
            match self.byte(data[used]) {
                Ok(false) => used += 1,
                Ok(true) => return Step::End(used + 1),
                Err(Malformed) => return Step::Broken,
            }
        }
        Step::Used(used)
    }

    /// One byte outside of data; says whether the body ends with it.
    fn byte(&mut self, byte: u8) -> Result<bool, Malformed> {
        *self = match (*self, byte) {
            (Chunk::Size { digits: 0, .. }, b'\r' | b'\n' | b';') => return Err(Malformed),
            (Chunk::Size { value, .. } | Chunk::Extension { value }, b'\n') => match value {
                0 => Chunk::Trailer { is_line_empty: true },
                _ => Chunk::Data { left: value + 2 },
            },
            (Chunk::Size { value, .. }, b'\r' | b';' | b' ' | b'\t') => Chunk::Extension { value },
            (Chunk::Size { value, digits: digits @ ..15 }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                Chunk::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Chunk::Size { .. }, _) => return Err(Malformed),
            (same @ Chunk::Extension { .. }, _) => same,
            (Chunk::Trailer { is_line_empty: true }, b'\n') => return Ok(true),
            (same @ Chunk::Trailer { .. }, b'\r') => same,
            (Chunk::Trailer { .. }, _) => Chunk::Trailer { is_line_empty: byte == b'\n' },
            (same @ Chunk::Data { .. }, _) => same,
        };
        Ok(false)
    }
}

struct Malformed;

/// Whether a call begins like a chunk: a size of its own line.
pub fn looks_like_chunk(data: &[u8]) -> bool {
    let digits = data.iter().take(9).take_while(|b| b.is_ascii_hexdigit()).count();
    (1..=8).contains(&digits)
        && (data[digits..].starts_with(b"\r\n") || data[digits..].starts_with(b";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies_end_where_they_say() {
        for (name, body, expected) in [
            ("one", "5\r\nhello\r\n0\r\n\r\n", Some(15)),
            ("extension", "5;a=b\r\nhello\r\n0\r\n\r\n", Some(19)),
            ("trailers", "0\r\nA: b\r\nC: d\r\n\r\n", Some(17)),
            ("capitals and zeros", "00A\r\n0123456789\r\n0000\r\n\r\n", Some(25)),
            ("line feeds", "1\nx\r\n0\n\n", Some(8)),
            ("more behind", "0\r\n\r\nHTTP/1.1", Some(5)),
            ("unfinished", "5\r\nhel", None),
        ] {
            let mut state = FIRST_CHUNK;
            let step = state.consume(body.as_bytes());
            assert_eq!(step, expected.map_or(Step::Used(body.len()), Step::End), "{name}");
        }
        for bad in ["\r\n", "g\r\n", "-1\r\n", "1234567890123456\r\n"] {
            let mut state = FIRST_CHUNK;
            assert_eq!(state.consume(bad.as_bytes()), Step::Broken, "{bad:?}");
        }
    }

    #[test]
    fn what_was_not_copied_is_stepped_over() {
        let data = |left| State::Chunked(Chunk::Data { left });
        for (mut state, gap, step, after) in [
            (State::Length(10), 4, Step::Used(0), State::Length(6)),
            (State::Length(10), 10, Step::End(0), State::Length(10)),
            (State::Length(10), 11, Step::Broken, State::Length(10)),
            (data(10), 4, Step::Used(0), data(6)),
            (data(10), 10, Step::Used(0), FIRST_CHUNK),
            (data(10), 15, Step::End(0), data(10)),
            (data(10), 20, Step::Broken, data(10)),
            (FIRST_CHUNK, 1, Step::Broken, FIRST_CHUNK),
            (State::UntilClose, 1, Step::Used(0), State::UntilClose),
        ] {
            assert_eq!(state.skip(gap), step, "{state:?} {gap}");
            assert_eq!(state, after);
        }
    }
}
