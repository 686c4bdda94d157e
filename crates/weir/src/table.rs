//! Aligned text tables for a terminal, with humanised figures.

use std::io::{self, Write};

use serde_json::Value;

/// How a cell is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    Text,
    Count,
    Bytes,
    Micros,
    /// 0 to 1, as a percentage.
    Share,
    /// Per second.
    Rate,
    /// Unix milliseconds, as a UTC time of day.
    Time,
}

/// One column: heading, how to print, and where the value is (a path of keys with dots).
pub struct Column {
    pub heading: &'static str,
    pub cell: Cell,
    pub path: &'static str,
}

/// Prints the rows below their headings.
pub fn print(columns: &[Column], rows: &[Value]) -> io::Result<()> {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| show(column, row)).collect()).collect();
    let width = |i: usize, heading: &str| {
        cells.iter().map(|row| row[i].chars().count()).max().unwrap_or(0).max(heading.len())
    };
    let widths: Vec<usize> =
        columns.iter().enumerate().map(|(i, column)| width(i, column.heading)).collect();
    let mut out = io::stdout().lock();
    let headings: Vec<String> = columns.iter().map(|column| column.heading.to_owned()).collect();
    line(&mut out, columns, &widths, &headings)?;
    for row in &cells {
        line(&mut out, columns, &widths, row)?;
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    columns: &[Column],
    widths: &[usize],
    cells: &[String],
) -> io::Result<()> {
    let mut text = String::new();
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
        if !text.is_empty() {
            text.push_str("  ");
        }
        match column.cell {
            Cell::Text | Cell::Time => text.push_str(&format!("{cell:<width$}")),
            _ => text.push_str(&format!("{cell:>width$}")),
        }
    }
    writeln!(out, "{}", text.trim_end())
}

fn show(column: &Column, row: &Value) -> String {
    let value = column.path.split('.').fold(row, |value, key| &value[key]);
    match (value, column.cell) {
        (Value::Null, _) => "-".to_owned(),
        (Value::String(text), _) => text.clone(),
        (Value::Number(number), Cell::Bytes) => {
            scaled(number.as_f64(), &["B", "kB", "MB", "GB", "TB", "PB"])
        }
        (Value::Number(number), Cell::Micros) => scaled(number.as_f64(), &["us", "ms", "s"]),
        (Value::Number(number), Cell::Share) => {
            format!("{:.1} %", number.as_f64().unwrap_or_default() * 100.0)
        }
        (Value::Number(number), Cell::Rate) => {
            let rate = number.as_f64().unwrap_or_default();
            if rate >= 100.0 { format!("{rate:.0}") } else { format!("{rate:.2}") }
        }
        (Value::Number(number), Cell::Time) => time_of_day(number.as_i64().unwrap_or_default()),
        (other, _) => other.to_string(),
    }
}

fn scaled(value: Option<f64>, units: &[&str]) -> String {
    let mut value = value.unwrap_or_default();
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

fn time_of_day(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_for_people() {
        let check = |cell, value: Value, expected: &str| {
            let column = Column { heading: "X", cell, path: "a.b" };
            assert_eq!(show(&column, &json!({"a": {"b": value}})), expected);
        };
        check(Cell::Text, Value::Null, "-");
        check(Cell::Count, json!(1200), "1200");
        check(Cell::Bytes, json!(1200), "1.2 kB");
        check(Cell::Micros, json!(1_500_000), "1.5 s");
        check(Cell::Share, json!(0.125), "12.5 %");
        check(Cell::Share, json!(0), "0.0 %");
        check(Cell::Rate, json!(0.25), "0.25");
        check(Cell::Rate, json!(1234.5), "1234");
        check(Cell::Time, json!(3_661_000), "01:01:01");
    }
}
