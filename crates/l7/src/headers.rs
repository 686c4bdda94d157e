//! Which headers of requests are read: a list that the operator gives, and nothing beyond it.
//!
//! What reading needs to tell where messages end is looked at and not kept.

use std::fmt;
use std::sync::LazyLock;

use weir_model::HEADERS_MAX;

/// Longest name of a header in the list.
pub const HEADER_NAME_BYTES_MAX: usize = 64;
/// Longest value that is kept; the rest is cut off.
pub const HEADER_VALUE_BYTES_MAX: usize = 256;

/// Its trace id is kept as a field of its own.
const TRACEPARENT: &str = "traceparent";
/// What proves who somebody is has no place in a list of requests.
const SECRETS: &[&str] = &["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The list of headers that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// In small letters, `traceparent` not among them.
    names: Vec<String>,
    reads_traceparent: bool,
}

/// Why a list of headers cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadersError {
    /// Not the name of a header (RFC 9110, section 5.1), or too long for one.
    Name(String),
    /// Its value is a secret.
    Secret(String),
    TooMany,
}

impl fmt::Display for HeadersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "{name:?} is no name of a header: expected letters, digits and -_, at most \
                 {HEADER_NAME_BYTES_MAX}"
            ),
            Self::Secret(name) => {
                write!(f, "{name} is never read: it carries what proves who somebody is")
            }
            Self::TooMany => write!(f, "too many headers: expected at most {HEADERS_MAX}"),
        }
    }
}

impl std::error::Error for HeadersError {}

impl Headers {
    pub fn new<T: AsRef<str>>(list: &[T]) -> Result<Self, HeadersError> {
        let mut headers = Self { names: Vec::new(), reads_traceparent: false };
        for name in list {
            let name = name.as_ref().to_ascii_lowercase();
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if name.is_empty() || name.len() > HEADER_NAME_BYTES_MAX || !name.bytes().all(is_name) {
                return Err(HeadersError::Name(name));
            }
            if SECRETS.contains(&name.as_str()) {
                return Err(HeadersError::Secret(name));
            }
            if name == TRACEPARENT {
                headers.reads_traceparent = true;
            } else if !headers.names.contains(&name) {
                headers.names.push(name);
            }
        }
        if headers.names.len() > HEADERS_MAX {
            return Err(HeadersError::TooMany);
        }
        Ok(headers)
    }

    /// `traceparent` alone.
    pub fn standard() -> &'static Self {
        static STANDARD: LazyLock<Headers> =
            LazyLock::new(|| Headers { names: Vec::new(), reads_traceparent: true });
        &STANDARD
    }

    pub(crate) fn reads_traceparent(&self) -> bool {
        self.reads_traceparent
    }

    pub(crate) fn is_traceparent(&self, name: &[u8]) -> bool {
        self.reads_traceparent && name.eq_ignore_ascii_case(TRACEPARENT.as_bytes())
    }

    /// The place of a header in the list.
    pub(crate) fn find(&self, name: &[u8]) -> Option<u8> {
        let place =
            self.names.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        u8::try_from(place).ok()
    }

    /// Adds `name: value` as a line, once for each name; of a list of values the first.
    pub(crate) fn keep(&self, place: u8, value: &[u8], lines: &mut String) {
        let Some(name) = self.names.get(usize::from(place)) else { return };
        let is_known = |line: &str| line.split_once(": ").is_some_and(|(known, _)| known == name);
        if lines.lines().any(is_known) {
            return;
        }
        let value = &value[..value.len().min(HEADER_VALUE_BYTES_MAX)];
        let value = String::from_utf8_lossy(value.trim_ascii());
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(name);
        lines.push_str(": ");
        lines.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_cannot_be_are_refused() {
        let many: Vec<String> = (0..=HEADERS_MAX).map(|n| format!("x-{n}")).collect();
        let long = "x".repeat(HEADER_NAME_BYTES_MAX + 1);
        for (list, part) in [
            (vec!["Authorization"], "authorization is never read"),
            (vec!["x-id", "COOKIE"], "cookie is never read"),
            (vec!["two words"], "\"two words\" is no name"),
            (vec![""], "\"\" is no name"),
            (vec![&long], "at most 64"),
            (many.iter().map(String::as_str).collect(), "at most 8"),
        ] {
            let err = Headers::new(&list).expect_err("refused").to_string();
            assert!(err.contains(part), "{err:?} does not say {part:?}");
        }
        assert!(Headers::new(&many[1..]).is_ok());
        assert_eq!(Headers::new(&["TraceParent"]).as_ref(), Ok(Headers::standard()));
        assert!(!Headers::new::<&str>(&[]).expect("none is a list").reads_traceparent());
    }

    #[test]
    fn values_are_bounded_lines() {
        let headers = Headers::new(&["X-Id", "x-b3", "x-id"]).expect("a list");
        assert_eq!((headers.find(b"x-ID"), headers.find(b"X-B3")), (Some(0), Some(1)));
        assert_eq!((headers.find(b"x-i"), headers.find(b"traceparent")), (None, None));
        let mut lines = String::new();
        headers.keep(1, b" a\nx-id: forged ", &mut lines);
        headers.keep(0, &[b'v'; 1000], &mut lines);
        headers.keep(0, b"again", &mut lines);
        let value = "v".repeat(HEADER_VALUE_BYTES_MAX);
        assert_eq!(lines, format!("x-b3: a x-id: forged\nx-id: {value}"));
    }
}
