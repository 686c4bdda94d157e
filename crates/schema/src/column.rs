//! What is said of a column: type, unit, merge rule, origin, whether filters take it.

use serde::Serialize;

/// Storage type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    U16,
    U32,
    U64,
    /// Milliseconds since 1970-01-01 UTC.
    TimestampMs,
    /// Text of low cardinality, dictionary-encoded (`UInt32` codes).
    Text,
    /// An IP address in its canonical text form, dictionary-encoded like `Text`.
    Ip,
    /// The stored form of a `weir_model::Sketch`.
    Sketch,
}

/// Unit of a value, as pages and docs print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    None,
    Bytes,
    Packets,
    Count,
    Microseconds,
    Milliseconds,
    /// A share of a whole, 0 to 1.
    Ratio,
    PerSecond,
}

/// How the column behaves when rows are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Part of the row's identity.
    Key,
    Sum,
    Min,
    Max,
    /// Value of the last window; summed over the keys of that window.
    Last,
    /// Counts bucket by bucket.
    Sketch,
}

/// Who fills the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Sent by the agent.
    Agent,
    /// Sent by the agent where it knows, completed by the server at ingest where it does not.
    AgentOrServer,
    /// Resolved by the server at ingest; never sent.
    Server,
}

/// One stored column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: &'static str,
    #[serde(rename = "type")]
    pub ty: ColumnType,
    pub unit: Unit,
    pub merge: Merge,
    pub origin: Origin,
    pub nullable: bool,
    /// Whether the filter language takes the name.
    pub filterable: bool,
    /// Another column of the table that a filter on this one looks at too.
    pub also: Option<&'static str>,
    /// [`crate::FORMAT_VERSION`] in which the column appeared.
    pub since: u32,
    pub doc: &'static str,
}

impl Column {
    pub(crate) const fn new(
        name: &'static str,
        ty: ColumnType,
        merge: Merge,
        doc: &'static str,
    ) -> Self {
        Column {
            name,
            ty,
            unit: Unit::None,
            merge,
            origin: Origin::Agent,
            nullable: true,
            filterable: true,
            also: None,
            since: 1,
            doc,
        }
    }

    pub(crate) const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    pub(crate) const fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Not offered to the filter language: a metric's formula stands for it.
    pub(crate) const fn internal(mut self) -> Self {
        self.filterable = false;
        self
    }

    pub(crate) const fn also(mut self, column: &'static str) -> Self {
        self.also = Some(column);
        self
    }

    pub(crate) const fn since(mut self, version: u32) -> Self {
        self.since = version;
        self
    }
}
