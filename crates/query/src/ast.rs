//! Syntax tree of a filter, with every name checked against the schema.

use std::fmt;
use std::net::IpAddr;

use weir_schema::Field;

/// A filter. `And(vec![])` matches everything.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// One field against one predicate. A field of [`weir_schema::Side::Either`] matches when
    /// either end does.
    Match {
        field: Field,
        predicate: Predicate,
    },
    /// A bare word or phrase: matches when any text or IP identity column of the row contains it,
    /// without regard to case.
    Anywhere(TextPattern),
}

impl Expr {
    /// The filter that takes every row.
    pub fn all() -> Self {
        Expr::And(Vec::new())
    }

    pub fn is_all(&self) -> bool {
        matches!(self, Expr::And(parts) if parts.is_empty())
    }

    /// Whether any field that the filter names satisfies `test`.
    pub fn names(&self, test: &dyn Fn(&Field) -> bool) -> bool {
        match self {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| part.names(test)),
            Expr::Not(inner) => inner.names(test),
            Expr::Match { field, .. } => test(field),
            Expr::Anywhere(_) => false,
        }
    }

    /// `self AND other`, flattened.
    pub fn and(self, other: Expr) -> Self {
        let mut parts = match self {
            Expr::And(parts) => parts,
            single => vec![single],
        };
        match other {
            Expr::And(more) => parts.extend(more),
            single => parts.push(single),
        }
        if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) }
    }
}

/// Canonical filter text: parsing it gives the same tree.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    f.write_str(word)?;
                }
                match part {
                    Expr::And(_) | Expr::Or(_) => write!(f, "({part})")?,
                    single => write!(f, "{single}")?,
                }
            }
            Ok(())
        };
        match self {
            Expr::And(parts) => joined(f, parts, " "),
            Expr::Or(parts) => joined(f, parts, " OR "),
            Expr::Not(inner) => match inner.as_ref() {
                single @ (Expr::Match { .. } | Expr::Anywhere(_)) => write!(f, "-{single}"),
                group => write!(f, "NOT ({group})"),
            },
            Expr::Match { field, predicate } => write!(f, "{}:{predicate}", field.name),
            Expr::Anywhere(pattern) => write!(f, "{}", pattern.uncontained()),
        }
    }
}

/// A test on one value. A null value satisfies none of them, so `-key:value` keeps nulls.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// `key:*`: the value is present.
    Exists,
    /// Text fields.
    Text(TextPattern),
    /// IP fields: one address or a CIDR block (an address is its own /32 or /128). IPv4 and IPv6
    /// never match each other.
    Cidr { addr: IpAddr, prefix: u8 },
    /// Numeric fields, both bounds inclusive or exclusive as said; an equality is a range of one.
    Range { min: Bound, max: Bound },
}

/// One end of a numeric range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    None,
    Inclusive(f64),
    Exclusive(f64),
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |bound: &Bound| match bound {
            Bound::None => "*".to_owned(),
            Bound::Inclusive(value) | Bound::Exclusive(value) => value.to_string(),
        };
        match self {
            Predicate::Exists => f.write_str("*"),
            Predicate::Text(pattern) => write!(f, "{pattern}"),
            Predicate::Cidr { addr, prefix } => {
                let width = if addr.is_ipv4() { 32 } else { 128 };
                if *prefix == width { write!(f, "{addr}") } else { write!(f, "{addr}/{prefix}") }
            }
            Predicate::Range { min: Bound::Exclusive(low), max: Bound::None } => {
                write!(f, ">{low}")
            }
            Predicate::Range { min: Bound::None, max: Bound::Exclusive(high) } => {
                write!(f, "<{high}")
            }
            Predicate::Range { min: Bound::Inclusive(low), max: Bound::Inclusive(high) }
                if low == high =>
            {
                write!(f, "{low}")
            }
            Predicate::Range { min, max } => write!(f, "[{} - {}]", end(min), end(max)),
        }
    }
}

impl Predicate {
    /// Whether a number lies in the range; `false` for the other kinds of predicate.
    pub fn matches_number(&self, value: f64) -> bool {
        let Predicate::Range { min, max } = self else {
            return matches!(self, Predicate::Exists);
        };
        let above = match min {
            Bound::None => true,
            Bound::Inclusive(m) => value >= *m,
            Bound::Exclusive(m) => value > *m,
        };
        let below = match max {
            Bound::None => true,
            Bound::Inclusive(m) => value <= *m,
            Bound::Exclusive(m) => value < *m,
        };
        above && below
    }

    /// Whether an address in text form lies in the block.
    pub fn matches_ip(&self, text: &str) -> bool {
        match self {
            Predicate::Exists => true,
            Predicate::Cidr { addr, prefix } => {
                text.parse::<IpAddr>().is_ok_and(|ip| in_block(ip, *addr, *prefix))
            }
            Predicate::Text(pattern) => pattern.matches(text),
            Predicate::Range { .. } => false,
        }
    }

    /// Whether a text value matches; of several lines (labels, headers), any one of them.
    pub fn matches_text(&self, text: &str) -> bool {
        match self {
            Predicate::Exists => true,
            Predicate::Text(pattern) => text.split('\n').any(|line| pattern.matches(line)),
            _ => false,
        }
    }
}

fn in_block(ip: IpAddr, addr: IpAddr, prefix: u8) -> bool {
    fn same(a: u128, b: u128, width: u32, prefix: u32) -> bool {
        let shift = width - prefix.min(width);
        shift >= 128 || (a >> shift) == (b >> shift)
    }
    match (ip.to_canonical(), addr) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            same(u32::from(a).into(), u32::from(b).into(), 32, prefix.into())
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128, prefix.into()),
        _ => false,
    }
}

/// Text with `*` (any run) and `?` (any one character); matching ignores ASCII case.
#[derive(Clone, PartialEq, Eq)]
pub struct TextPattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyOne,
    AnyRun,
}

impl TextPattern {
    /// Exactly this text; nothing in it is a wildcard.
    pub fn literal(text: &str) -> Self {
        Self { tokens: text.chars().map(|c| Token::Char(c.to_ascii_lowercase())).collect() }
    }

    /// Text in which an unescaped `*` and `?` are wildcards and `\` escapes the next character.
    pub fn wildcard(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '\\' => Token::Char(chars.next().unwrap_or('\\').to_ascii_lowercase()),
                '*' => Token::AnyRun,
                '?' => Token::AnyOne,
                other => Token::Char(other.to_ascii_lowercase()),
            });
        }
        Self { tokens }
    }

    /// The pattern that matches wherever this one occurs.
    pub fn contained(mut self) -> Self {
        self.tokens.insert(0, Token::AnyRun);
        self.tokens.push(Token::AnyRun);
        self
    }

    /// The inverse of [`Self::contained`].
    fn uncontained(&self) -> Self {
        let inner = match self.tokens.as_slice() {
            [Token::AnyRun, inner @ .., Token::AnyRun] => inner,
            all => all,
        };
        Self { tokens: inner.to_vec() }
    }

    /// Whether the whole text matches. Linear in text times runs: no backtracking beyond the
    /// last `*`.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
        let (mut t, mut p) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.tokens.get(p) {
                Some(Token::Char(c)) if *c == text[t] => {
                    t += 1;
                    p += 1;
                }
                Some(Token::AnyOne) => {
                    t += 1;
                    p += 1;
                }
                Some(Token::AnyRun) => {
                    retry = Some((p + 1, t));
                    p += 1;
                }
                _ => match retry {
                    Some((after, from)) => {
                        p = after;
                        t = from + 1;
                        retry = Some((after, from + 1));
                    }
                    None => return false,
                },
            }
        }
        self.tokens[p..].iter().all(|token| *token == Token::AnyRun)
    }
}

/// Filter text of the pattern: a plain word where that is possible, else a phrase, else a word
/// with escapes.
impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_literal = self.tokens.iter().all(|t| matches!(t, Token::Char(_)));
        if is_literal {
            let text: String = self
                .tokens
                .iter()
                .filter_map(|t| if let Token::Char(c) = t { Some(*c) } else { None })
                .collect();
            let plain = |c: char| c.is_alphanumeric() || "._/-".contains(c);
            let is_word = !text.is_empty()
                && text.chars().all(plain)
                && !text.starts_with('-')
                && !["AND", "OR", "NOT"].contains(&text.as_str());
            if is_word {
                return f.write_str(&text);
            }
            return write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        }
        for token in &self.tokens {
            match token {
                Token::Char(c) if c.is_alphanumeric() || "._/".contains(*c) => write!(f, "{c}")?,
                Token::Char(c) => write!(f, "\\{c}")?,
                Token::AnyOne => f.write_str("?")?,
                Token::AnyRun => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for token in &self.tokens {
            match token {
                Token::Char(c @ ('*' | '?' | '\\')) => write!(f, "\\{c}")?,
                Token::Char(c) => write!(f, "{c}")?,
                Token::AnyOne => f.write_str("?")?,
                Token::AnyRun => f.write_str("*")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let check = |pattern: &str, text: &str| TextPattern::wildcard(pattern).matches(text);
        assert!(check("ngi*", "nginx"));
        assert!(check("*gin*", "NGINX"));
        assert!(check("n?inx", "nginx"));
        assert!(!check("n?inx", "ninx"));
        assert!(check("*a*b*c", "xxaxxbxxbc"));
        assert!(!check("*a*b*c", "xxaxxbxxb"));
        assert!(check("a\\*b", "a*b"));
        assert!(!check("a\\*b", "axb"));
        assert!(check("*", ""));
        assert!(!TextPattern::literal("a*").matches("ab"));
        assert!(TextPattern::literal("gin").contained().matches("nginx"));
    }

    #[test]
    fn blocks() {
        let check = |addr: &str, prefix, ip| {
            Predicate::Cidr { addr: addr.parse().unwrap(), prefix }.matches_ip(ip)
        };
        assert!(check("10.0.0.0", 8, "10.200.3.4"));
        assert!(!check("10.0.0.0", 8, "11.0.0.1"));
        assert!(check("0.0.0.0", 0, "255.1.1.1"));
        assert!(!check("0.0.0.0", 0, "::1"));
        assert!(check("fd00::", 8, "fd12::1"));
        assert!(check("::", 0, "2001:db8::1"));
        assert!(check("::1", 128, "::1"));
        assert!(!check("::1", 128, "::2"));
    }
}
