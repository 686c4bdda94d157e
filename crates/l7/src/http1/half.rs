//! One direction of an HTTP/1 connection: finds the heads in its bytes.

use crate::http1::body::State;
use crate::http1::head;
use crate::look::Look;

/// Longest head that is kept while it is not whole.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub struct Half {
    pub state: State,
    look: fn(&[u8]) -> Look,
    /// What came of a head that is not whole yet.
    head: Vec<u8>,
    head_ns: u64,
}

/// What the next bytes gave. `used` is how many of them.
#[derive(Debug)]
pub enum Gathered<'a> {
    /// All bytes are used and the head is not whole.
    More,
    /// These bytes begin with a head, perhaps with its beginning only.
    Perhaps {
        bytes: &'a [u8],
        before: usize,
    },
    /// A head that came in several calls.
    Whole {
        head: Vec<u8>,
        used: usize,
        began_ns: u64,
    },
    /// The head is longer than is kept; this is its beginning.
    TooLong {
        head: Vec<u8>,
        began_ns: u64,
    },
    NotAHead,
}

impl Half {
    pub fn new(look: fn(&[u8]) -> Look) -> Self {
        Self { state: State::Head, look, head: Vec::new(), head_ns: 0 }
    }

    /// Takes bytes where a head is expected or goes on.
    pub fn gather<'a>(&mut self, data: &'a [u8]) -> Gathered<'a> {
        if !self.head.is_empty() {
            return self.gather_on(data);
        }
        // Empty lines before a head are none of it (RFC 9112, section 2.2).
        let empty = data.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let data = &data[empty..];
        if data.is_empty() {
            return Gathered::More;
        }
        if (self.look)(data) == Look::No {
            return Gathered::NotAHead;
        }
        Gathered::Perhaps { bytes: data, before: empty }
    }

    /// Keeps the beginning of a head that was not whole.
    pub fn keep<'a>(&mut self, data: &[u8], mono_ns: u64) -> Gathered<'a> {
        if data.len() >= HEAD_BYTES_MAX {
            let head = data[..HEAD_BYTES_MAX].to_vec();
            return Gathered::TooLong { head, began_ns: mono_ns };
        }
        self.head.extend_from_slice(data);
        self.head_ns = mono_ns;
        Gathered::More
    }

    fn gather_on<'a>(&mut self, data: &[u8]) -> Gathered<'a> {
        let before = self.head.len();
        let took = data.len().min(HEAD_BYTES_MAX - before);
        self.head.extend_from_slice(&data[..took]);
        // The empty line may have begun in what was there.
        let Some(end) = head::end(&self.head, before.saturating_sub(3)) else {
            if (self.look)(&self.head) == Look::No {
                self.forget_head();
                return Gathered::NotAHead;
            }
            if self.head.len() < HEAD_BYTES_MAX {
                return Gathered::More;
            }
            let (head, began_ns) = self.take_head();
            return Gathered::TooLong { head, began_ns };
        };
        let (mut head, began_ns) = self.take_head();
        head.truncate(end);
        Gathered::Whole { head, used: end - before, began_ns }
    }

    /// The beginning of a head that is not whole, if there is one, and when it came.
    pub fn take_head(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.head), self.head_ns)
    }

    pub fn is_in_head(&self) -> bool {
        !self.head.is_empty()
    }

    pub fn forget_head(&mut self) {
        self.head = Vec::new();
    }

    pub fn held_bytes(&self) -> usize {
        self.head.capacity()
    }
}
