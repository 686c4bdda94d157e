//! What the first bytes of a call look like.

use crate::request::METHOD_BYTES_MAX;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Yes,
    /// As far as it goes.
    More,
    No,
}

/// A request line of HTTP/1: a method in capitals, a space, what can begin a target.
pub fn request(bytes: &[u8]) -> Look {
    let is_letter = |b: &u8| matches!(b, b'A'..=b'Z' | b'-' | b'_');
    let head = &bytes[..bytes.len().min(METHOD_BYTES_MAX + 1)];
    let Some(end) = head.iter().position(|b| !is_letter(b)) else {
        return if head.len() <= METHOD_BYTES_MAX { Look::More } else { Look::No };
    };
    if end < 3 || bytes[end] != b' ' {
        return Look::No;
    }
    let target = &bytes[end + 1..];
    match target.first() {
        None => Look::More,
        Some(b'/' | b'*') => Look::Yes,
        Some(first) if &bytes[..end] == b"CONNECT" && first.is_ascii_graphic() => Look::Yes,
        Some(b'h' | b'H') => {
            let length = target.len().min(5);
            match target[..length].eq_ignore_ascii_case(&b"http:"[..length])
                || target[..length].eq_ignore_ascii_case(&b"https"[..length])
            {
                true if length == 5 => Look::Yes,
                true => Look::More,
                false => Look::No,
            }
        }
        Some(_) => Look::No,
    }
}

/// A status line of HTTP/1, up to its status.
pub fn answer(bytes: &[u8]) -> Look {
    let is_as = |(at, byte): (usize, &u8)| match at {
        0..7 => *byte == b"HTTP/1."[at],
        7 => matches!(byte, b'0' | b'1'),
        8 => *byte == b' ',
        _ => byte.is_ascii_digit(),
    };
    let length = bytes.len().min(12);
    match bytes[..length].iter().enumerate().all(is_as) {
        true if length == 12 => Look::Yes,
        true => Look::More,
        false => Look::No,
    }
}

/// The preface of HTTP/2.
pub fn preface(bytes: &[u8]) -> Look {
    let length = bytes.len().min(PREFACE.len());
    match bytes[..length] == PREFACE[..length] {
        true if length == PREFACE.len() => Look::Yes,
        true => Look::More,
        false => Look::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n", Look::Yes),
            ("G", Look::More),
            ("GET", Look::More),
            ("GET ", Look::More),
            ("GET h", Look::More),
            ("GET HTTP://x/", Look::Yes),
            ("GET https://x/", Look::Yes),
            ("GET key\r\n", Look::No),
            ("OPTIONS * HTTP/1.1", Look::Yes),
            ("CONNECT host:443 HTTP/1.1", Look::Yes),
            ("BASELINE-CONTROL /x", Look::Yes),
            ("AAAAAAAAAAAAAAAAA", Look::No),
            ("OK /", Look::No),
            ("EHLO hello", Look::No),
            ("\x16\x03\x01", Look::No),
            ("get /", Look::No),
        ] {
            assert_eq!(request(bytes.as_bytes()), expected, "{bytes:?}");
        }
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK", Look::Yes),
            ("HTTP/1.0 404", Look::Yes),
            ("HTTP/1.", Look::More),
            ("HTTP/2 200", Look::No),
            ("SSH-2.0", Look::No),
        ] {
            assert_eq!(answer(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
