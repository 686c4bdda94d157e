//! Checks of single values.

use std::net::SocketAddr;

use weir_query::parse_duration_ms;

use super::keys::Kind;

/// What would be right, as a sentence.
pub fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "expected text".to_owned(),
        Kind::Path => "expected a path".to_owned(),
        Kind::Address => "expected ADDRESS:PORT such as 127.0.0.1:9347 or [::1]:9347".to_owned(),
        Kind::Bool => "expected true or false".to_owned(),
        Kind::Duration { min_ms, max_ms } => format!(
            "expected a duration such as 10s, 15m or 48h, from {} to {}",
            short_duration(min_ms),
            short_duration(max_ms)
        ),
        Kind::Bytes { min, max } => format!(
            "expected a size such as 256MiB or 1GB, from {} to {}",
            format_bytes(min),
            format_bytes(max)
        ),
        Kind::Integer { min, max } => format!("expected a whole number from {min} to {max}"),
        Kind::Choice(words) => format!("expected one of {}", words.join(", ")),
    }
}

/// Checks a value; the error says what would be right.
pub fn check(kind: Kind, text: &str) -> Result<(), String> {
    let is_right = match kind {
        Kind::Text | Kind::Path => !text.is_empty(),
        Kind::Address => text.parse::<SocketAddr>().is_ok(),
        Kind::Bool => text == "true" || text == "false",
        Kind::Duration { min_ms, max_ms } => {
            parse_duration_ms(text).is_ok_and(|ms| (min_ms..=max_ms).contains(&ms))
        }
        Kind::Bytes { min, max } => {
            parse_bytes(text).is_some_and(|bytes| (min..=max).contains(&bytes))
        }
        Kind::Integer { min, max } => {
            text.parse::<u64>().is_ok_and(|number| (min..=max).contains(&number))
        }
        Kind::Choice(words) => words.contains(&text),
    };
    if is_right { Ok(()) } else { Err(expected(kind)) }
}

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Reads `256MiB`, `1GB` or plain bytes.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1));
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// The largest binary unit that says it exactly.
pub fn format_bytes(bytes: u64) -> String {
    for (unit, factor) in UNITS[..4].iter().rev() {
        if bytes >= *factor && bytes.is_multiple_of(*factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

fn short_duration(ms: i64) -> String {
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms % unit_ms == 0 {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    format!("{ms}ms")
}
