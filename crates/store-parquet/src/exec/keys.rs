//! Group keys: from the rows of a segment to small group numbers and back to names.
//!
//! Owns the numbering of groups within one thread. Number 0 stands for the rows beyond the limit
//! of groups.

use std::cmp::Ordering;

use arrow_array::Array;
use hashbrown::HashMap;
use weir_model::Entity;
use weir_query::{EntityKey, GroupBy, GroupValue};
use weir_schema::{ColumnType, Side, Table, field};
use weir_store::StoreError;

use crate::errors::invalid;
use crate::exec::entity::{self, EntityIds, EntityOf};
use crate::exec::fields::{FieldColumns, columns_of};
use crate::segment::{ColumnData, ColumnId, Loaded, NULL_CODE, ScanError, View};

/// One part of a group's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyPart {
    Entity(Entity),
    Text(Option<String>),
    Number(Option<u64>),
}

impl KeyPart {
    pub fn to_value(&self) -> GroupValue {
        match self {
            Self::Entity(entity) => GroupValue::Entity(EntityKey(entity.clone())),
            Self::Text(text) => GroupValue::Text(text.clone()),
            Self::Number(number) => GroupValue::Number(*number),
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Text(None) | Self::Number(None))
    }

    /// Order of keys: names by their text, numbers by value, absent last.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Entity(a), Self::Entity(b)) => entity::compare(a, b),
            (Self::Text(Some(a)), Self::Text(Some(b))) => a.cmp(b),
            (Self::Number(Some(a)), Self::Number(Some(b))) => a.cmp(b),
            _ => self.is_absent().cmp(&other.is_absent()),
        }
    }
}

/// Numbers the distinct parts of one dimension, from 1.
#[derive(Debug)]
pub struct Interner {
    ids: HashMap<KeyPart, u32>,
    parts: Vec<KeyPart>,
    max: usize,
}

impl Interner {
    /// The number of what is beyond the limit.
    pub const BEYOND: u32 = 0;

    fn new(max: usize) -> Self {
        Self { ids: HashMap::new(), parts: vec![KeyPart::Text(None)], max }
    }

    pub fn id(&mut self, part: KeyPart) -> u32 {
        if let Some(id) = self.ids.get(&part) {
            return *id;
        }
        if self.parts.len() > self.max {
            return Self::BEYOND;
        }
        let id = self.parts.len() as u32;
        self.parts.push(part.clone());
        self.ids.insert(part, id);
        id
    }
}

/// Numbers the distinct pairs of a key so far and one part more, from 1.
#[derive(Debug)]
struct Pairs {
    ids: HashMap<(u32, u32), u32>,
    pairs: Vec<(u32, u32)>,
    max: usize,
}

impl Pairs {
    fn new(max: usize) -> Self {
        Self { ids: HashMap::new(), pairs: vec![(0, 0)], max }
    }

    fn id(&mut self, pair: (u32, u32)) -> u32 {
        if pair.0 == Interner::BEYOND || pair.1 == Interner::BEYOND {
            return Interner::BEYOND;
        }
        if let Some(id) = self.ids.get(&pair) {
            return *id;
        }
        if self.pairs.len() > self.max {
            return Interner::BEYOND;
        }
        let id = self.pairs.len() as u32;
        self.pairs.push(pair);
        self.ids.insert(pair, id);
        id
    }
}

#[derive(Clone, Copy, Debug)]
enum Reads {
    Entity(EntityOf),
    Text(FieldColumns),
    Number(FieldColumns),
}

/// What a question groups by, resolved against the schema.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    dimensions: Vec<Reads>,
    groups_max: usize,
    /// Whether the question speaks of local and remote ends rather than of client and server.
    pub is_local: bool,
}

impl KeyPlan {
    pub fn new(table: Table, by: &[GroupBy], groups_max: usize) -> Result<Self, StoreError> {
        let mut dimensions = Vec::with_capacity(by.len());
        let mut is_local = false;
        for group in by {
            let (reads, side) = match group {
                GroupBy::Entity { side, level, fold_external } => {
                    if matches!(side, Side::Flow | Side::Either) {
                        return Err(invalid("an entity is grouped by at one end of a flow"));
                    }
                    let (side, level, fold_external) = (*side, *level, *fold_external);
                    (Reads::Entity(EntityOf { side, level, fold_external }), side)
                }
                GroupBy::Field(name) => field_dimension(table, name)?,
            };
            is_local |= matches!(side, Side::Local | Side::Remote);
            dimensions.push(reads);
        }
        Ok(Self { dimensions, groups_max, is_local })
    }
}

fn field_dimension(table: Table, name: &str) -> Result<(Reads, Side), StoreError> {
    let known = field(table, name)
        .ok_or_else(|| invalid(format!("there is no field {name:?} to group by")))?;
    if !known.is_key || known.side == Side::Either {
        return Err(invalid(format!("field {name:?} cannot be grouped by")));
    }
    let columns = columns_of(table, &known)?;
    let column = match columns {
        FieldColumns::One(id) | FieldColumns::Turned { outgoing: id, .. } => id,
        _ => return Err(invalid(format!("field {name:?} cannot be grouped by"))),
    };
    let is_text = matches!(table.columns()[column].ty, ColumnType::Text | ColumnType::Ip);
    let reads = if is_text { Reads::Text(columns) } else { Reads::Number(columns) };
    Ok((reads, known.side))
}

/// The groups that one thread has seen.
#[derive(Debug)]
pub struct Keys {
    plan: KeyPlan,
    interners: Vec<Interner>,
    pairs: Vec<Pairs>,
}

impl Keys {
    pub fn new(plan: &KeyPlan) -> Self {
        let dimensions = plan.dimensions.len();
        let interners = (0..dimensions).map(|_| Interner::new(plan.groups_max)).collect();
        let pairs = (1..dimensions).map(|_| Pairs::new(plan.groups_max)).collect();
        Self { plan: plan.clone(), interners, pairs }
    }

    /// The group number of each selected row. Without dimensions all rows are group 1.
    pub fn groups(&mut self, view: &View, selection: &[u32]) -> Result<Vec<u32>, ScanError> {
        let mut groups: Vec<u32> = Vec::new();
        for (place, reads) in self.plan.dimensions.iter().enumerate() {
            let ids = dimension_ids(*reads, &mut self.interners[place], view, selection)?;
            if place == 0 {
                groups = ids;
                continue;
            }
            let pairs = &mut self.pairs[place - 1];
            let mut last = ((0, 0), 0);
            for (group, id) in groups.iter_mut().zip(ids) {
                let pair = (*group, id);
                if pair != last.0 {
                    last = (pair, pairs.id(pair));
                }
                *group = last.1;
            }
        }
        if self.plan.dimensions.is_empty() {
            groups = vec![1; selection.len()];
        }
        Ok(groups)
    }

    /// Groups with numbers from 1 to this one, number 0 not counted.
    pub fn count(&self) -> usize {
        match (self.pairs.last(), self.interners.last()) {
            (Some(pairs), _) => pairs.pairs.len() - 1,
            (None, Some(interner)) => interner.parts.len() - 1,
            (None, None) => 1,
        }
    }

    /// The key of a group.
    pub fn key(&self, group: u32) -> Vec<&KeyPart> {
        let mut parts = Vec::with_capacity(self.interners.len());
        let mut rest = group;
        for place in (1..self.interners.len()).rev() {
            let (before, id) = self.pairs[place - 1].pairs[rest as usize];
            parts.push(&self.interners[place].parts[id as usize]);
            rest = before;
        }
        if let Some(first) = self.interners.first() {
            parts.push(&first.parts[rest as usize]);
        }
        parts.reverse();
        parts
    }

    /// The number of a key, which becomes known if it was not.
    pub fn group_of(&mut self, key: &[KeyPart]) -> u32 {
        let mut group = 1;
        for (place, part) in key.iter().enumerate() {
            let id = self.interners[place].id(part.clone());
            group = if place == 0 { id } else { self.pairs[place - 1].id((group, id)) };
        }
        group
    }
}

fn dimension_ids(
    reads: Reads,
    interner: &mut Interner,
    view: &View,
    selection: &[u32],
) -> Result<Vec<u32>, ScanError> {
    let rows = selection.iter().map(|row| *row as usize);
    match reads {
        Reads::Entity(of) => {
            let incoming = view.incoming()?;
            let mut ids = EntityIds::of(view, of)?;
            Ok(rows.map(|row| ids.id(row, incoming[row], interner)).collect())
        }
        Reads::Text(columns) | Reads::Number(columns) => {
            let is_text = matches!(reads, Reads::Text(_));
            let (first, second) = match columns {
                FieldColumns::Turned { outgoing, incoming } => (outgoing, Some(incoming)),
                FieldColumns::One(id) | FieldColumns::Either(id, _) => (id, None),
                // [`field_dimension`] lets none of these through.
                FieldColumns::Computed(_) => return Ok(vec![Interner::BEYOND; selection.len()]),
            };
            let mut first = ColumnIds::of(view, first, is_text)?;
            let Some(second) = second else {
                return Ok(rows.map(|row| first.id(row, interner)).collect());
            };
            let mut second = ColumnIds::of(view, second, is_text)?;
            let incoming = view.incoming()?;
            let id = |row: usize| {
                let column = if incoming[row] { &mut second } else { &mut first };
                column.id(row, interner)
            };
            Ok(rows.map(id).collect())
        }
    }
}

/// Gives the ids of one column's values in one segment.
struct ColumnIds {
    column: Loaded,
    is_text: bool,
    /// Of each code, its id once known.
    by_code: Vec<Option<u32>>,
    absent: Option<u32>,
    last_number: Option<(u64, u32)>,
}

impl ColumnIds {
    fn of(view: &View, id: ColumnId, is_text: bool) -> Result<Self, ScanError> {
        let column = view.column(id)?;
        let codes = match column.as_deref() {
            Some(ColumnData::Codes { values, .. }) => values.len(),
            _ => 0,
        };
        let by_code = vec![None; codes];
        Ok(Self { column, is_text, by_code, absent: None, last_number: None })
    }

    fn id(&mut self, row: usize, interner: &mut Interner) -> u32 {
        match self.column.as_deref() {
            Some(ColumnData::Codes { codes, values }) if codes[row] != NULL_CODE => {
                let code = codes[row] as usize;
                let part = || KeyPart::Text(Some(values.value(code).to_owned()));
                *self.by_code[code].get_or_insert_with(|| interner.id(part()))
            }
            Some(numbers @ ColumnData::Numbers { .. }) => match numbers.number(row) {
                Some(number) => match self.last_number {
                    Some((last, id)) if last == number => id,
                    _ => {
                        let id = interner.id(KeyPart::Number(Some(number)));
                        self.last_number = Some((number, id));
                        id
                    }
                },
                None => self.absent(interner),
            },
            _ => self.absent(interner),
        }
    }

    fn absent(&mut self, interner: &mut Interner) -> u32 {
        let part = if self.is_text { KeyPart::Text(None) } else { KeyPart::Number(None) };
        *self.absent.get_or_insert_with(|| interner.id(part))
    }
}
