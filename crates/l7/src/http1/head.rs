//! Heads of HTTP/1 messages: the lines that are read of them, and where they end.

use std::mem::MaybeUninit;
use std::sync::Arc;

use httparse::{Header, ParserConfig, Status};
use weir_model::Asked;

use crate::headers::Headers;
use crate::request::{self, METHOD_BYTES_MAX, method_of, path_of};

/// Lines of one head; a head with more is not taken for one.
const LINES_MAX: usize = 128;

/// How a body is delimited, as the head says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    #[default]
    Unsaid,
    Length(u64),
    Chunked,
    /// A transfer coding that is not chunked at its end: until the connection closes.
    Other,
}

/// What bytes gave that begin with a head.
#[derive(Debug)]
pub enum Parsed<T> {
    /// The head, and how many bytes it has.
    Whole(T, usize),
    /// As far as it goes.
    Partial,
    Bad,
}

impl<T> Parsed<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Parsed<U> {
        match self {
            Self::Whole(head, length) => Parsed::Whole(f(head), length),
            Self::Partial => Parsed::Partial,
            Self::Bad => Parsed::Bad,
        }
    }
}

#[derive(Clone, Debug)]
pub struct RequestHead {
    pub asked: Arc<Asked>,
    pub is_http10: bool,
    pub coding: Coding,
}

#[derive(Clone, Copy, Debug)]
pub struct AnswerHead {
    pub status: u16,
    pub coding: Coding,
    /// `Upgrade: h2c`.
    pub is_to_http2: bool,
}

/// Reads the head of a request.
pub fn request(bytes: &[u8], wanted: &Headers) -> Parsed<RequestHead> {
    let mut lines = [const { MaybeUninit::<Header<'_>>::uninit() }; LINES_MAX];
    let mut head = httparse::Request::new(&mut []);
    let mut config = ParserConfig::default();
    config.allow_multiple_spaces_in_request_line_delimiters(true);
    config.ignore_invalid_headers_in_requests(true);
    let parsed = config.parse_request_with_uninit_headers(&mut head, bytes, &mut lines);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Bad,
    };
    let (Some(method), Some(target)) = (head.method, head.path) else {
        return Parsed::Bad;
    };
    if method.len() > METHOD_BYTES_MAX {
        return Parsed::Bad;
    }
    let mut coding = Coding::Unsaid;
    let (mut trace_id, mut headers) = (None, String::new());
    for line in head.headers.iter() {
        coding = framing(coding, line.name.len(), line);
        if wanted.is_traceparent(line.name.as_bytes()) {
            trace_id = request::trace_id(line.value);
        } else if let Some(place) = wanted.find(line.name.as_bytes()) {
            wanted.keep(place, line.value, &mut headers);
        }
    }
    let is_http10 = head.version == Some(0);
    let (method, path) = (method_of(method), path_of(target.as_bytes()));
    let asked = Arc::new(Asked { method, path, trace_id, headers });
    Parsed::Whole(RequestHead { asked, is_http10, coding }, length)
}

/// Reads the head of an answer.
pub fn answer(bytes: &[u8]) -> Parsed<AnswerHead> {
    let mut lines = [const { MaybeUninit::<Header<'_>>::uninit() }; LINES_MAX];
    let mut head = httparse::Response::new(&mut []);
    let mut config = ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    config.allow_obsolete_multiline_headers_in_responses(true);
    config.allow_multiple_spaces_in_response_status_delimiters(true);
    config.ignore_invalid_headers_in_responses(true);
    let parsed = config.parse_response_with_uninit_headers(&mut head, bytes, &mut lines);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Bad,
    };
    let Some(status) = head.code else { return Parsed::Bad };
    let mut coding = Coding::Unsaid;
    let mut is_to_http2 = false;
    for line in head.headers.iter() {
        match line.name.len() {
            7 if line.name.eq_ignore_ascii_case("upgrade") => {
                is_to_http2 = line.value.trim_ascii().eq_ignore_ascii_case(b"h2c");
            }
            name_length => coding = framing(coding, name_length, line),
        }
    }
    Parsed::Whole(AnswerHead { status, coding, is_to_http2 }, length)
}

/// What a line adds to what is known of the body's end (RFC 9112, section 6.3): a transfer coding
/// overrides a length, and the first of several lengths is taken.
fn framing(known: Coding, name_length: usize, line: &Header<'_>) -> Coding {
    match name_length {
        14 if line.name.eq_ignore_ascii_case("content-length") => match known {
            Coding::Unsaid => length_of(line.value).map_or(known, Coding::Length),
            _ => known,
        },
        17 if line.name.eq_ignore_ascii_case("transfer-encoding") => {
            let last = line.value.rsplit(|b| *b == b',').next().unwrap_or_default();
            match last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                true => Coding::Chunked,
                false => Coding::Other,
            }
        }
        _ => known,
    }
}

/// A length, or the first of a list of them.
fn length_of(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || !matches!(value.get(digits), None | Some(b',' | b' ' | b'\t')) {
        return None;
    }
    value[..digits].iter().try_fold(0u64, |length, digit| {
        length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// Where the first head in `bytes` ends, looking from `from` on: behind its empty line.
pub fn end(bytes: &[u8], from: usize) -> Option<usize> {
    for at in memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
        match bytes.get(at + 1..) {
            Some([b'\n', ..]) => return Some(at + 2),
            Some([b'\r', b'\n', ..]) => return Some(at + 3),
            _ => {}
        }
    }
    None
}

/// Whether a head was refused for its length alone.
pub fn has_too_many_lines(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).count() > LINES_MAX
}

/// Makes a whole head of one that was cut off: its whole lines, or the first line alone.
pub fn mend(head: &mut Vec<u8>, is_request: bool) {
    match memchr::memrchr(b'\n', head) {
        Some(last) => head.truncate(last + 1),
        None if is_request => head.extend_from_slice(b" HTTP/1.1\r\n"),
        None => head.extend_from_slice(b"\r\n"),
    }
    head.extend_from_slice(b"\r\n");
}

/// Keeps of a head only its first line.
pub fn first_line(head: &mut Vec<u8>) {
    if let Some(first) = memchr::memchr(b'\n', head) {
        head.truncate(first + 1);
        head.extend_from_slice(b"\r\n");
    }
}
