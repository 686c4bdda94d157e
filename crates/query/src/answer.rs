//! Answers, in the same shapes as the questions.

use serde::{Deserialize, Serialize};
use weir_model::{Entity, EntityKind};

/// Answer to a [`crate::Question`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Groups(Groups),
    Series(Series),
    Facets(Vec<Facet>),
    Rows(Rows),
}

/// Groups in the order asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// Groups that matched, before `limit` and `offset`.
    pub total: u64,
    pub groups: Vec<Group>,
    /// The metrics over all matching rows, in the order of the question's metrics.
    pub totals: Vec<Option<f64>>,
    /// Resolution of the data that answered, milliseconds.
    pub resolution_ms: i64,
    pub incomplete: Vec<Incomplete>,
}

/// One group: its key in the order of `by`, its metrics in the order of `metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub key: Vec<GroupValue>,
    pub metrics: Vec<Option<f64>>,
}

/// One part of a group's key.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupValue {
    Entity(EntityKey),
    Text(Option<String>),
    Number(Option<u64>),
}

/// What names an entity, with the fall-backs of its level already applied: process level gives
/// the process, else the host, else the external domain, else the external address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey(pub Entity);

impl EntityKey {
    pub fn is_external(&self) -> bool {
        matches!(self.0.kind, EntityKind::External | EntityKind::ExternalGroup)
    }
}

/// A series: every line has one value per metric and step, absent where nothing was observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub step_ms: i64,
    /// Start of each step, Unix milliseconds.
    pub times_ms: Vec<i64>,
    pub lines: Vec<SeriesLine>,
    pub incomplete: Vec<Incomplete>,
}

/// One line of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesLine {
    /// Empty for the line of everything (no `by`), or of the rest (beyond the limit).
    pub key: Vec<GroupValue>,
    pub is_rest: bool,
    /// `values[metric][step]`.
    pub values: Vec<Vec<Option<f64>>>,
}

/// Values of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    pub field: String,
    pub values: Vec<FacetValue>,
    /// Distinct values that were left out.
    pub left_out: u64,
}

/// One value with the number of rows that have it; `None` is "absent".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    pub value: Option<String>,
    pub count: u64,
}

/// Raw rows, newest first, as flat objects with the schema's column names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    pub next_cursor: Option<crate::Cursor>,
    pub incomplete: Vec<Incomplete>,
}

/// Why an answer does not hold everything that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// `lost`, `dropped`, `discarded`, `cut` (this answer was shortened) or `corrupt` (a stored
    /// file could not be read).
    pub kind: String,
    pub component: String,
    pub reason: String,
    pub count: u64,
    /// A sentence for a person.
    pub message: String,
}
