//! Whether a segment of a path, or a part of it, names one thing of many.

use super::ID;

/// A segment longer than this names a thing, whatever it looks like.
const SEGMENT_BYTES_MAX: usize = 64;
const UUID_BYTES: usize = 36;
/// From this length on hexadecimal digits are a hash.
const HEX_BYTES_MIN: usize = 8;
/// From this length on letters and digits may be a random token.
const TOKEN_BYTES_MIN: usize = 16;

/// What stands for a segment: itself, `{id}`, or itself with parts replaced (`{id}.jpg`).
pub fn fold<'a>(segment: &'a str, scratch: &'a mut String) -> &'a str {
    // Nearly all routes are of small letters only, and nearly all ids are not.
    if segment.len() < TOKEN_BYTES_MIN && segment.bytes().all(|b| b.is_ascii_lowercase()) {
        return if is_hash(segment.as_bytes()) { ID } else { segment };
    }
    let is_number = !segment.is_empty() && is_digits(segment.as_bytes());
    if is_number || is_id(segment) {
        return ID;
    }
    scratch.clear();
    let mut rest = segment;
    let mut before = None;
    let mut has_id = false;
    while !rest.is_empty() {
        let end = part_end(rest);
        let (part, behind) = rest.split_at(end);
        let follows_id = before.is_some() && ends_in_id(scratch);
        let is_number = !part.is_empty() && is_digits(part.as_bytes());
        if is_part_id(part, before, behind) || (follows_id && is_number) {
            has_id = true;
            // Ids one behind the other are one: `{id}-{id}` says no more than `{id}`.
            if follows_id {
                scratch.pop();
            } else {
                scratch.push_str(ID);
            }
        } else {
            scratch.push_str(part);
        }
        let mut chars = behind.chars();
        before = chars.next();
        scratch.extend(before);
        rest = chars.as_str();
    }
    if has_id { scratch } else { segment }
}

/// Whether what was folded so far is an id and a separator.
fn ends_in_id(folded: &str) -> bool {
    let mut chars = folded.chars();
    chars.next_back();
    chars.as_str().ends_with(ID)
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | ':' | '~' | ',' | '=' | '+' | '!')
}

/// Where a segment's first part ends: a UUID is one part.
fn part_end(rest: &str) -> usize {
    let is_end = |at: usize| rest[at..].chars().next().is_none_or(is_separator);
    match rest.as_bytes().get(..UUID_BYTES) {
        Some(uuid) if is_uuid(uuid) && is_end(UUID_BYTES) => UUID_BYTES,
        _ => rest.find(is_separator).unwrap_or(rest.len()),
    }
}

fn is_part_id(part: &str, before: Option<char>, behind: &str) -> bool {
    let bytes = part.as_bytes();
    if !bytes.is_empty() && is_digits(bytes) {
        // `utf-8`, `step-2`, `v1.2` are words; `42-a-title`, `7.jpg`, `user:7`, `order-4711` not.
        let is_first = before.is_none() && !behind.is_empty();
        return is_first || before == Some(':') || bytes.len() >= 3;
    }
    is_uuid(bytes) || is_hash(bytes) || is_token(bytes)
}

fn is_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    if bytes.len() > SEGMENT_BYTES_MAX {
        return true;
    }
    // Numbers, and numbers between separators: dates, IP addresses, lists.
    let is_number = bytes.iter().any(u8::is_ascii_digit)
        && segment.chars().all(|c| c.is_ascii_digit() || is_separator(c));
    is_number
        || is_uuid(bytes)
        || is_hash(bytes)
        || is_hash(segment.trim_start_matches("0x").as_bytes()) && segment.starts_with("0x")
        || is_ulid(bytes)
        || is_time(bytes)
        || is_mail(segment)
        || is_token(bytes)
}

fn is_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == UUID_BYTES
        && bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Hexadecimal digits, eight or more; without any decimal digit (`defaced`) sixteen or more.
fn is_hash(bytes: &[u8]) -> bool {
    let least = if bytes.iter().any(u8::is_ascii_digit) { HEX_BYTES_MIN } else { 16 };
    bytes.len() >= least && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// 26 digits of Crockford's base 32.
fn is_ulid(bytes: &[u8]) -> bool {
    let is_digit = |b: &u8| {
        b.is_ascii_alphanumeric() && !matches!(b.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U')
    };
    bytes.len() == 26 && matches!(bytes[0], b'0'..=b'7') && bytes.iter().all(is_digit)
}

/// A date with a time: `2026-01-05T10:00:00Z`.
fn is_time(bytes: &[u8]) -> bool {
    bytes.len() > 11
        && bytes[..10].iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
        && matches!(bytes[10], b'T' | b't')
        && bytes[11].is_ascii_digit()
}

/// An address of mail; `name@4.17` is none.
fn is_mail(segment: &str) -> bool {
    let Some((name, domain)) = segment.split_once('@').or_else(|| segment.split_once("%40")) else {
        return false;
    };
    let top = domain.rsplit_once('.').map_or("", |(_, top)| top);
    !name.is_empty() && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Letters and digits mixed as nobody writes words: of two neighbours at least every fourth pair
/// is a letter and a digit, or a small letter before a capital. (In base 62 it is every second,
/// in names like `getUser2FactorAuth` every fifth.) The signs of base64 do not count.
fn is_token(bytes: &[u8]) -> bool {
    let is_allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-_=+%~".contains(b);
    if bytes.len() < TOKEN_BYTES_MIN || !bytes.iter().all(is_allowed) {
        return false;
    }
    let (mut length, mut digits, mut changes, mut last) = (0, 0, 0, b'0');
    for b in bytes.iter().copied().filter(u8::is_ascii_alphanumeric) {
        let is_change = length > 0
            && (b.is_ascii_digit() != last.is_ascii_digit()
                || last.is_ascii_lowercase() && b.is_ascii_uppercase());
        changes += usize::from(is_change);
        digits += usize::from(b.is_ascii_digit());
        length += 1;
        last = b;
    }
    length >= TOKEN_BYTES_MIN && digits > 0 && changes * 4 >= length
}
