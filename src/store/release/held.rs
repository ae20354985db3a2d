//! What is known of the rows of one entity.

use super::plan::Plan;
use super::raw::Column;
use crate::domain::{Kind, Name, ObjectId, QName, Spread, Value};
use crate::model::Model;
use crate::store::tables::{Link, Place, Table};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

/// What is read of each row.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    /// The kinds of the key, of the columns, and of another key.
    kinds: Vec<Kind>,
}

/// What is known of one entity.
pub(super) struct Held {
    pub(super) plan: Arc<Plan>,
    pub(super) layout: Arc<Layout>,
    /// Where each row is; `None` for one that is not there.
    rows: ById<Option<usize>>,
    /// The key and the columns of one row after the other.
    values: Vec<Value>,
    /// How each rule came out for one row after the other, as far as it was asked.
    holds: Vec<Option<bool>>,
    /// The row that was found last: the next question is mostly about the same.
    last: Option<(ObjectId, Option<usize>)>,
    pub(super) lists: Vec<List>,
    pub(super) wanted: Vec<ObjectId>,
}

/// An association that is followed to any number of objects (or back to one).
pub(super) struct List {
    pub(super) name: Name,
    pub(super) by: By,
    pub(super) of: ById<Vec<ObjectId>>,
    pub(super) wanted: Vec<ObjectId>,
}

#[derive(Clone)]
pub(super) enum By {
    /// This column of the other entity's rows.
    Column {
        owner: QName,
        column: Name,
    },
    Link(Link),
}

impl Layout {
    /// The columns of these members, as far as they have any.
    pub(super) fn of<'m>(table: &Table, members: impl Iterator<Item = &'m Name>) -> Self {
        let key = Kind::Object(Model::user_entity());
        let mut made = Self { columns: Vec::new(), kinds: vec![key.clone(), key] };
        members.filter_map(|name| column(table, name)).for_each(|column| made.push(column));
        made
    }

    fn push(&mut self, column: Column) {
        self.columns.push(column.clone());
        self.kinds.insert(self.columns.len(), column.kind);
    }

    /// How many values a row has: its key, and one for each column.
    pub(super) fn width(&self) -> usize {
        self.columns.len() + 1
    }

    /// The kinds of the values of a row.
    pub(super) fn kinds(&self) -> &[Kind] {
        self.kinds.split_last().map_or(&[], |(_, kinds)| kinds)
    }

    /// The same, and the key that the row was found by.
    pub(super) fn kinds_with_key(&self) -> &[Kind] {
        &self.kinds
    }

    /// The number of a member's column.
    pub(super) fn find(&self, member: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.member.as_str() == member)
    }
}

impl Held {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            layout: plan.layout.clone(),
            plan,
            rows: ById::default(),
            values: Vec::new(),
            holds: Vec::new(),
            last: None,
            lists: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// This member is read too from now on.
    pub(super) fn widen(&mut self, column: Column) {
        Arc::make_mut(&mut self.layout).push(column);
        // What was read before lacks it, so it is read again when it is needed.
        self.rows.clear();
        self.values.clear();
        self.holds.clear();
        self.last = None;
    }

    /// Takes over rows as they were read: the key, then the columns.
    pub(super) fn keep(&mut self, rows: Vec<Value>) {
        let width = self.layout.width();
        let first = self.values.len() / width;
        self.rows.reserve(rows.len() / width);
        let keys = rows.iter().step_by(width).map(Value::as_object);
        self.rows.extend(keys.enumerate().filter_map(|(n, id)| Some((id?, Some(first + n)))));
        if self.values.is_empty() {
            self.values = rows;
        } else {
            self.values.extend(rows);
        }
        self.holds.resize(self.plan.rules() * (self.values.len() / width), None);
        self.last = None;
    }

    /// These rows were asked for; which were not found are not there.
    pub(super) fn close(&mut self, asked: &[ObjectId]) {
        for id in asked {
            self.rows.entry(*id).or_insert(None);
        }
        self.last = None;
    }

    /// The rows that are wanted and were not read yet, each once and in order.
    pub(super) fn unread(&mut self) -> Vec<ObjectId> {
        let mut ids = std::mem::take(&mut self.wanted);
        ids.retain(|id| !self.rows.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Where the row is, `Some(None)` when it is not there, and `None` when it was not read.
    pub(super) fn find(&mut self, id: ObjectId) -> Option<Option<usize>> {
        if let Some((last, row)) = self.last
            && last == id
        {
            return Some(row);
        }
        let row = *self.rows.get(&id)?;
        self.last = Some((id, row));
        Some(row)
    }

    /// The value of a column of a row.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<&Value> {
        let width = self.layout.width();
        (column + 1 < width).then(|| self.values.get(row * width + column + 1)).flatten()
    }

    /// How a rule came out for a row, if it was asked.
    pub(super) fn verdict(&mut self, row: usize, rule: usize) -> Option<&mut Option<bool>> {
        let rules = self.plan.rules();
        if rule < rules { self.holds.get_mut(row * rules + rule) } else { None }
    }
}

/// By key of an object.
pub(super) type ById<T> = HashMap<ObjectId, T, BuildHasherDefault<Spread>>;

/// The column of a stored member.
pub(super) fn column(table: &Table, name: &Name) -> Option<Column> {
    match table.members.get(name)? {
        Place::Column { column, kind, .. } => Some(Column { member: name.clone(), column: column.clone(), kind: kind.clone() }),
        _ => None,
    }
}
