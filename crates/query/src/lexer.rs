//! Filter text to tokens, each with its place.

use crate::error::FilterError;

/// Longest filter text, in characters.
pub const FILTER_CHARS_MAX: usize = 8_192;

#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A `-` in front of a term.
    Minus,
    /// `field:`, or `field` in front of a comparison: a value follows.
    Field(String),
    /// `>`, `>=`, `<`, `<=`, `=` in front of a number.
    Compare(Comparison),
    /// `[a - b]`, as the two texts.
    Range(String, String),
    /// Text in which wildcards count.
    Word(String),
    /// Quoted text.
    Phrase(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub position: usize,
    pub length: usize,
}

/// Splits filter text into tokens.
pub fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > FILTER_CHARS_MAX {
        return Err(FilterError {
            message: format!("the filter is {} characters long", chars.len()),
            position: FILTER_CHARS_MAX,
            length: chars.len() - FILTER_CHARS_MAX,
            expected: format!("at most {FILTER_CHARS_MAX} characters"),
            did_you_mean: None,
        });
    }
    Lexer { chars: &chars, at: 0, in_values: false, out: Vec::new() }.run()
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    /// Between the brackets of `field:(a OR b)`, where a colon belongs to the value (IPv6).
    in_values: bool,
    out: Vec<Token>,
}

impl Lexer<'_> {
    fn run(mut self) -> Result<Vec<Token>, FilterError> {
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                c if c.is_whitespace() => self.at += 1,
                '(' => {
                    self.in_values = self.follows_field();
                    self.single(TokenKind::Open);
                }
                ')' => {
                    self.in_values = false;
                    self.single(TokenKind::Close);
                }
                '"' => {
                    let phrase = self.phrase()?;
                    self.push(TokenKind::Phrase(phrase), start);
                }
                '[' => self.range()?,
                '>' | '<' | '=' => self.compare(),
                '-' if !self.follows_field() && self.starts_term(start + 1) => {
                    self.single(TokenKind::Minus)
                }
                _ => self.word(),
            }
        }
        Ok(self.out)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.out.push(Token { kind, position: start, length: self.at - start });
    }

    fn single(&mut self, kind: TokenKind) {
        self.at += 1;
        self.push(kind, self.at - 1);
    }

    /// Whether the token just read is a field that directly touches this place.
    fn follows_field(&self) -> bool {
        self.out.last().is_some_and(|t| {
            matches!(t.kind, TokenKind::Field(_)) && t.position + t.length == self.at
        })
    }

    fn starts_term(&self, at: usize) -> bool {
        self.chars.get(at).is_some_and(|c| !c.is_whitespace() && *c != ')')
    }

    fn phrase(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' => {
                    if let Some(next) = self.peek() {
                        text.push(next);
                        self.at += 1;
                    }
                }
                other => text.push(other),
            }
        }
        Err(self.unclosed(start, "a phrase is not closed", "a closing \""))
    }

    fn unclosed(&self, start: usize, message: &str, expected: &str) -> FilterError {
        FilterError {
            message: message.to_owned(),
            position: start,
            length: self.chars.len() - start,
            expected: expected.to_owned(),
            did_you_mean: None,
        }
    }

    fn range(&mut self) -> Result<(), FilterError> {
        let start = self.at;
        let Some(length) = self.chars[start..].iter().position(|c| *c == ']') else {
            return Err(self.unclosed(start, "a range is not closed", "[low - high]"));
        };
        let inner: String = self.chars[start + 1..start + length].iter().collect();
        self.at = start + length + 1;
        let parts = inner.split_once(" - ").or_else(|| inner.split_once(" TO "));
        let parts = parts.or_else(|| inner.split_once('-'));
        let Some((low, high)) = parts else {
            return Err(FilterError {
                message: format!("[{inner}] is not a range"),
                position: start,
                length: length + 1,
                expected: "[low - high]; * leaves an end open".to_owned(),
                did_you_mean: None,
            });
        };
        let (low, high) = (low.trim().to_owned(), high.trim().to_owned());
        self.push(TokenKind::Range(low, high), start);
        Ok(())
    }

    fn compare(&mut self) {
        let start = self.at;
        let first = self.chars[start];
        self.at += 1;
        let or_equal = first != '=' && self.peek() == Some('=');
        if or_equal {
            self.at += 1;
        }
        let comparison = match (first, or_equal) {
            ('>', true) => Comparison::GreaterOrEqual,
            ('>', false) => Comparison::Greater,
            ('<', true) => Comparison::LessOrEqual,
            ('<', false) => Comparison::Less,
            _ => Comparison::Equal,
        };
        self.push(TokenKind::Compare(comparison), start);
    }

    fn word(&mut self) {
        let start = self.at;
        let follows_field = self.follows_field();
        let is_value = follows_field || self.in_values;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let ends = c.is_whitespace() || matches!(c, '(' | ')' | '"' | '[');
            let ends_field = !is_value && matches!(c, ':' | '<' | '>' | '=');
            if ends || (ends_field && is_field_name(&text)) {
                break;
            }
            text.push(c);
            self.at += 1;
            if c == '\\'
                && let Some(next) = self.peek()
            {
                text.push(next);
                self.at += 1;
            }
        }
        match self.peek() {
            Some(':') if !is_value && is_field_name(&text) => {
                self.at += 1;
                self.push(TokenKind::Field(text), start);
            }
            Some('<' | '>' | '=') if !is_value && is_field_name(&text) => {
                self.push(TokenKind::Field(text), start);
            }
            _ => {
                let kind = match text.as_str() {
                    "AND" if !follows_field => TokenKind::And,
                    "OR" if !follows_field => TokenKind::Or,
                    "NOT" if !follows_field => TokenKind::Not,
                    _ => TokenKind::Word(text),
                };
                if self.at == start {
                    // A stray `]` or the like: take it as text so that the lexer always advances.
                    self.at += 1;
                }
                self.push(kind, start);
            }
        }
    }
}

fn is_field_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}
