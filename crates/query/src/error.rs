//! Errors of text that a person typed: where, what, and what would be right.

/// A filter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {}: expected {expected}", position + 1)]
pub struct FilterError {
    /// What is wrong, as a clause.
    pub message: String,
    /// First character of the offending text, counted in Unicode scalar values from 0.
    pub position: usize,
    /// Its length in Unicode scalar values; 0 at the end of the text.
    pub length: usize,
    /// What would be right.
    pub expected: String,
    /// The nearest known name, where a name is wrong.
    pub did_you_mean: Option<String>,
}

/// A point in time or a duration that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {text:?} as a {what}: expected {expected}")]
pub struct TimeError {
    pub text: String,
    pub what: &'static str,
    pub expected: &'static str,
}
