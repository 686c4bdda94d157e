//! The question: what a page, a script or a person asks of the store.
//!
//! Owns the filter language (text to syntax tree and back), the [`Question`] and [`Answer`] types
//! and the choice of resolution. Pure: no IO, no clock; executing a question is the store's part.

mod answer;
mod ast;
mod error;
mod lexer;
mod parse;
mod question;
mod time;

#[cfg(test)]
mod tests;

pub use answer::{
    Answer, EntityKey, Facet, FacetValue, Group, GroupValue, Groups, Incomplete, Rows, Series,
    SeriesLine,
};
pub use ast::{Bound, Expr, Predicate, TextPattern};
pub use error::{FilterError, TimeError};
pub use lexer::FILTER_CHARS_MAX;
pub use parse::parse_filter;
pub use question::{
    Cursor, GroupBy, MAX_GROUPS, MAX_STEPS, Question, Shape, Sort, TimeWindow, choose_step_ms,
};
pub use time::{format_time, parse_duration_ms, parse_time_ms};
