//! The head that was read last on one way of a connection.
//!
//! Clients ask the same again and again, and servers answer alike: the same bytes need not be read
//! twice. What a head says depends on its own bytes alone, so this changes nothing but the cost.
//! Of the bytes a hash is kept and not they themselves, because there may be secrets among them.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

#[derive(Debug)]
pub struct Known<T> {
    /// Its key is another one for each connection, and told to nobody: to take one head for another
    /// one, all 64 bits would have to be the same by chance.
    hasher: RandomState,
    last: Option<Last<T>>,
}

#[derive(Debug)]
struct Last<T> {
    length: usize,
    hash: u64,
    says: T,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { hasher: RandomState::default(), last: None }
    }
}

impl<T> Known<T> {
    /// What the head says that these bytes begin with, and its length, if it is the known one.
    pub fn find(&self, bytes: &[u8]) -> Option<(&T, usize)> {
        let last = self.last.as_ref()?;
        let head = bytes.get(..last.length)?;
        (self.hasher.hash_one(head) == last.hash).then_some((&last.says, last.length))
    }

    /// Remembers a whole head instead of the one before.
    pub fn keep(&mut self, head: &[u8], says: T) {
        self.last = Some(Last { length: head.len(), hash: self.hasher.hash_one(head), says });
    }

    pub fn says(&self) -> Option<&T> {
        self.last.as_ref().map(|last| &last.says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_bytes_are_known() {
        let mut known = Known::default();
        assert!(known.find(b"GET / HTTP/1.1\r\n\r\n").is_none() && known.find(b"").is_none());
        known.keep(b"GET / HTTP/1.1\r\n\r\n", 1);
        assert_eq!(known.find(b"GET / HTTP/1.1\r\n\r\n"), Some((&1, 18)));
        assert_eq!(known.find(b"GET / HTTP/1.1\r\n\r\nbody"), Some((&1, 18)));
        for other in
            ["GET / HTTP/1.1\r\n\r", "GET / HTTP/1.0\r\n\r\n", "GET /a HTTP/1.1\r\n\r\n", ""]
        {
            assert_eq!(known.find(other.as_bytes()), None, "{other:?}");
        }
        known.keep(b"POST / HTTP/1.1\r\n\r\n", 2);
        assert_eq!(known.find(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(known.says(), Some(&2));
    }
}
