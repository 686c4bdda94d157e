//! Tokens to a checked syntax tree.
//!
//! ```text
//! filter  = or
//! or      = and { "OR" and }
//! and     = unary { [ "AND" ] unary }
//! unary   = ( "NOT" | "-" ) unary | "(" or ")" | field value | word | phrase
//! value   = "*" | word | phrase | range | compare number | "(" value { "OR" value } ")"
//! ```

use std::net::IpAddr;

use weir_model::{Direction, Family, L7Protocol, Outcome, Transport};
use weir_schema::{Field, FieldKind, Table, field, fields};

use crate::ast::{Bound, Expr, Predicate, TextPattern};
use crate::error::FilterError;
use crate::lexer::{Comparison, Token, TokenKind, tokens};

/// Deepest nesting of brackets and negations.
const DEPTH_MAX: usize = 64;

/// Reads filter text for a table; empty text matches everything.
pub fn parse_filter(table: Table, text: &str) -> Result<Expr, FilterError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expr::all());
    }
    let mut parser = Parser { table, tokens: &tokens, at: 0, end: text.chars().count(), depth: 0 };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(at(token, "unbalanced )", "the end of the filter or a term")),
    }
}

struct Parser<'a> {
    table: Table,
    tokens: &'a [Token],
    at: usize,
    end: usize,
    depth: usize,
}

fn at(token: &Token, message: impl Into<String>, expected: impl Into<String>) -> FilterError {
    FilterError {
        message: message.into(),
        position: token.position,
        length: token.length,
        expected: expected.into(),
        did_you_mean: None,
    }
}

const TERM: &str = "a term such as server_port:443, -client_process:curl or a word";

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn ended(&self, expected: &str) -> FilterError {
        FilterError {
            message: "the filter ends too early".to_owned(),
            position: self.end,
            length: 0,
            expected: expected.to_owned(),
            did_you_mean: None,
        }
    }

    fn or(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.and()?];
        while matches!(self.peek(), Some(Token { kind: TokenKind::Or, .. })) {
            self.at += 1;
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.unary()?];
        loop {
            match self.peek().map(|t| &t.kind) {
                None | Some(TokenKind::Or | TokenKind::Close) => break,
                Some(TokenKind::And) => {
                    self.at += 1;
                    parts.push(self.unary()?);
                }
                Some(_) => parts.push(self.unary()?),
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn unary(&mut self) -> Result<Expr, FilterError> {
        let Some(token) = self.next() else { return Err(self.ended(TERM)) };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(at(token, "nested too deeply", format!("at most {DEPTH_MAX} levels")));
        }
        let expr = match &token.kind {
            TokenKind::Not | TokenKind::Minus => Expr::Not(Box::new(self.unary()?)),
            TokenKind::Open => {
                let inner = self.or()?;
                match self.next() {
                    Some(Token { kind: TokenKind::Close, .. }) => inner,
                    _ => return Err(at(token, "unbalanced (", "a closing )")),
                }
            }
            TokenKind::Field(name) => self.field(token, name)?,
            TokenKind::Word(word) => Expr::Anywhere(TextPattern::wildcard(word).contained()),
            TokenKind::Phrase(phrase) => Expr::Anywhere(TextPattern::literal(phrase).contained()),
            TokenKind::Close => return Err(at(token, "unexpected )", TERM)),
            TokenKind::And | TokenKind::Or => {
                return Err(at(token, "AND and OR stand between two terms", TERM));
            }
            TokenKind::Range(..) | TokenKind::Compare(_) => {
                return Err(at(token, "no field in front", "field:[low - high] or field>=value"));
            }
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn field(&mut self, token: &Token, name: &str) -> Result<Expr, FilterError> {
        let Some(field) = field(self.table, name) else {
            return Err(unknown_field(self.table, token, name));
        };
        let Some(value) = self.next() else { return Err(self.ended(expected_value(&field))) };
        if value.kind != TokenKind::Open {
            let predicate = self.value(&field, value)?;
            return Ok(Expr::Match { field, predicate });
        }
        let mut parts = Vec::new();
        loop {
            let Some(item) = self.next() else {
                return Err(at(value, "unbalanced (", "a closing )"));
            };
            let predicate = self.value(&field, item)?;
            parts.push(Expr::Match { field: field.clone(), predicate });
            match self.next() {
                Some(Token { kind: TokenKind::Or, .. }) => {}
                Some(Token { kind: TokenKind::Close, .. }) => break,
                Some(other) => {
                    return Err(at(other, "a list of values", "OR between values, or )"));
                }
                None => return Err(at(value, "unbalanced (", "a closing )")),
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn value(&mut self, field: &Field, token: &Token) -> Result<Predicate, FilterError> {
        match &token.kind {
            TokenKind::Word(word) if word == "*" => Ok(Predicate::Exists),
            TokenKind::Word(word) => single(field, token, word, true),
            TokenKind::Phrase(phrase) => single(field, token, phrase, false),
            TokenKind::Range(low, high) => {
                number_field(field, token)?;
                let bound = |text: &str| match text {
                    "*" | "" => Ok(Bound::None),
                    text => number(field, token, text).map(Bound::Inclusive),
                };
                let (min, max) = (bound(low)?, bound(high)?);
                if let (Bound::Inclusive(low), Bound::Inclusive(high)) = (min, max)
                    && low > high
                {
                    return Err(at(token, "the range is empty", "the lower value first"));
                }
                Ok(Predicate::Range { min, max })
            }
            TokenKind::Compare(comparison) => {
                number_field(field, token)?;
                let Some(Token { kind: TokenKind::Word(text), .. }) = self.next() else {
                    return Err(at(token, "nothing to compare with", "a number"));
                };
                let value = number(field, token, text)?;
                let (min, max) = match comparison {
                    Comparison::Less => (Bound::None, Bound::Exclusive(value)),
                    Comparison::LessOrEqual => (Bound::None, Bound::Inclusive(value)),
                    Comparison::Equal => (Bound::Inclusive(value), Bound::Inclusive(value)),
                    Comparison::GreaterOrEqual => (Bound::Inclusive(value), Bound::None),
                    Comparison::Greater => (Bound::Exclusive(value), Bound::None),
                };
                Ok(Predicate::Range { min, max })
            }
            _ => Err(at(token, format!("no value for {}", field.name), expected_value(field))),
        }
    }
}

fn expected_value(field: &Field) -> &'static str {
    match field.kind {
        FieldKind::Text => "a value, a \"phrase\", *, or (a OR b)",
        FieldKind::Ip => "an address, a block such as 10.0.0.0/8, * or (a OR b)",
        FieldKind::Number => "a number, [low - high], >=number or *",
    }
}

fn unknown_field(table: Table, token: &Token, name: &str) -> FilterError {
    let elsewhere = Table::ALL.into_iter().find(|other| field(*other, name).is_some());
    if let Some(other) = elsewhere {
        let message = format!("{} have no field {name}", subject(table));
        let expected = format!("a field of {}; {name} is one of {}", table.name(), subject(other));
        let length = name.chars().count();
        return FilterError { length, ..at(token, message, expected) };
    }
    let known = fields(table);
    let nearest = known
        .iter()
        .map(|f| (strsim::jaro_winkler(name, &f.name), &f.name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone());
    let expected = match &nearest {
        Some(name) => format!("a known field; did you mean {name}?"),
        None => "a known field, such as server_port, client_process or transport".to_owned(),
    };
    let length = name.chars().count();
    FilterError {
        message: format!("unknown field {name}"),
        position: token.position,
        length,
        expected,
        did_you_mean: nearest,
    }
}

/// The rows of a table, for a person.
fn subject(table: Table) -> &'static str {
    match table {
        Table::L4Flows => "transport flows (layer l4)",
        Table::L7Flows => "summed-up requests (layer l7)",
        Table::L7Samples => "single requests (flows of layer l7)",
        Table::DnsFlows => "name lookups (layer dns)",
    }
}

fn number_field(field: &Field, token: &Token) -> Result<(), FilterError> {
    if field.kind == FieldKind::Number {
        return Ok(());
    }
    let message = format!("{} is not a number", field.name);
    Err(at(token, message, expected_value(field)))
}

fn single(
    field: &Field,
    token: &Token,
    text: &str,
    wildcards: bool,
) -> Result<Predicate, FilterError> {
    let has_wildcard = wildcards && text.contains(['*', '?']);
    let pattern = if wildcards { TextPattern::wildcard(text) } else { TextPattern::literal(text) };
    match field.kind {
        FieldKind::Number => {
            let value = number(field, token, text)?;
            Ok(Predicate::Range { min: Bound::Inclusive(value), max: Bound::Inclusive(value) })
        }
        FieldKind::Ip if has_wildcard => Ok(Predicate::Text(pattern)),
        FieldKind::Ip => block(field, token, text),
        FieldKind::Text => {
            if !has_wildcard {
                check_word(field, token, text)?;
            }
            Ok(Predicate::Text(pattern))
        }
    }
}

/// Fields with a closed set of words refuse any other.
fn check_word(field: &Field, token: &Token, text: &str) -> Result<(), FilterError> {
    let words: Vec<&str> = match field.column {
        "transport" => Transport::ALL.iter().map(|t| t.as_str()).collect(),
        "direction" => Direction::ALL.iter().map(|d| d.as_str()).collect(),
        "family" => Family::ALL.iter().map(|f| f.as_str()).collect(),
        "protocol" => L7Protocol::ALL.iter().map(|p| p.as_str()).collect(),
        "outcome" => Outcome::ALL.iter().map(|o| o.as_str()).collect(),
        "encryption" => vec!["tls", "none"],
        _ => return Ok(()),
    };
    if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    Err(at(token, format!("no {} is called {text}", field.name), words.join(" or ")))
}

fn block(field: &Field, token: &Token, text: &str) -> Result<Predicate, FilterError> {
    let wrong = |message: String| at(token, message, expected_value(field));
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let addr: IpAddr =
        address.parse().map_err(|_| wrong(format!("{address} is not an IP address")))?;
    let width = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => width,
        Some(text) => match text.parse::<u8>() {
            Ok(bits) if bits <= width => bits,
            _ => return Err(wrong(format!("/{text} is not a prefix length of 0 to {width}"))),
        },
    };
    Ok(Predicate::Cidr { addr, prefix })
}

/// A number with an optional unit: `5ms` on a field in microseconds, `10k`, `1.5MB`, `2GiB` on
/// any other.
fn number(field: &Field, token: &Token, text: &str) -> Result<f64, FilterError> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-' && c != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let is_time = field.name.contains("_us");
    let factor = match unit {
        "" => Some(1.0),
        "us" if is_time => Some(1.0),
        "ms" if is_time => Some(1e3),
        "s" if is_time => Some(1e6),
        _ if is_time => None,
        "B" => Some(1.0),
        "k" | "K" | "kB" | "KB" => Some(1e3),
        "M" | "MB" => Some(1e6),
        "G" | "GB" => Some(1e9),
        "T" | "TB" => Some(1e12),
        "Ki" | "KiB" => Some(1024.0),
        "Mi" | "MiB" => Some(1_048_576.0),
        "Gi" | "GiB" => Some(1_073_741_824.0),
        _ => None,
    };
    let value: Option<f64> = digits.replace('_', "").parse().ok();
    match (value, factor) {
        (Some(value), Some(factor)) if value.is_finite() => Ok(value * factor),
        _ => Err(at(
            token,
            format!("{text} is not a number that {} can have", field.name),
            expected_value(field),
        )),
    }
}
