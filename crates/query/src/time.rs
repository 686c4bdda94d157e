//! Times and durations as people type and read them.

use crate::error::TimeError;

const TIME_EXPECTED: &str =
    "milliseconds since 1970, an RFC 3339 time such as 2026-01-31T12:00:00Z, `now` or `now-15m`";
const DURATION_EXPECTED: &str = "a number with a unit: 500ms, 20s, 15m, 3h, 2d or 1w";

/// Reads `500ms`, `20s`, `15m`, `3h`, `2d`, `1w` and sums of them (`1h30m`) as milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<i64, TimeError> {
    let error =
        || TimeError { text: text.to_owned(), what: "duration", expected: DURATION_EXPECTED };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(error());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let value: i64 = rest[..digits].parse().map_err(|_| error())?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_ms: i64 = match &rest[..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(error()),
        };
        let part = value.checked_mul(unit_ms).ok_or_else(error)?;
        total = total.checked_add(part).ok_or_else(error)?;
        rest = &rest[unit_end..];
    }
    Ok(total)
}

/// Reads a point in time as Unix milliseconds; `now_ms` is what `now` stands for.
pub fn parse_time_ms(text: &str, now_ms: i64) -> Result<i64, TimeError> {
    let error = || TimeError { text: text.to_owned(), what: "time", expected: TIME_EXPECTED };
    let trimmed = text.trim();
    if let Some(offset) = trimmed.strip_prefix("now") {
        // A plus sign in a query string arrives as a space.
        let (sign, duration) = match offset.chars().next() {
            None => return Ok(now_ms),
            Some('-') => (-1, &offset[1..]),
            Some('+' | ' ') => (1, &offset[1..]),
            Some(_) => return Err(error()),
        };
        let shift = parse_duration_ms(duration).map_err(|_| error())?;
        return now_ms.checked_add(sign * shift).ok_or_else(error);
    }
    if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit()) {
        return trimmed.parse().map_err(|_| error());
    }
    let time: jiff::Timestamp = trimmed.replace(' ', "T").parse().map_err(|_| error())?;
    Ok(time.as_millisecond())
}

/// A point in time, to the second, as RFC 3339 has it: `2026-01-31T12:00:00Z`.
pub fn format_time(unix_ms: i64) -> String {
    match jiff::Timestamp::from_second(unix_ms.div_euclid(1_000)) {
        Ok(time) => time.to_string(),
        // Further away than any calendar goes.
        Err(_) => format!("{unix_ms} ms after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_are_read() {
        let ms = parse_time_ms("2026-01-31T12:00:00Z", 0).expect("a time");
        assert_eq!(format_time(ms + 999), "2026-01-31T12:00:00Z");
        assert_eq!(format_time(-1), "1969-12-31T23:59:59Z");
        assert!(format_time(i64::MAX).contains("after 1970"));
    }

    #[test]
    fn durations() {
        let check = |text, ms| assert_eq!(parse_duration_ms(text).ok(), ms, "{text}");
        check("15m", Some(900_000));
        check("1h30m", Some(5_400_000));
        check("500ms", Some(500));
        check("2d", Some(172_800_000));
        for bad in ["", "15", "m", "-5m", "5 m", "5x", "99999999999999999999d", "9999999999999d"] {
            check(bad, None);
        }
    }

    #[test]
    fn times() {
        let check = |text, ms| assert_eq!(parse_time_ms(text, 1_000_000).ok(), ms, "{text}");
        check("now", Some(1_000_000));
        check("now-15m", Some(100_000));
        check("now+1s", Some(1_001_000));
        check("now 1s", Some(1_001_000));
        check("1700000000000", Some(1_700_000_000_000));
        check("1970-01-01T00:00:01Z", Some(1_000));
        check("1970-01-01T01:00:01+01:00", Some(1_000));
        for bad in ["", "yesterday", "now-", "now*2", "2026-13-01T00:00:00Z", "-5"] {
            check(bad, None);
        }
    }
}
