//! What is known of the rows of one entity.

use super::raw::Column;
use crate::access::EntityRights;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::store::tables::{Link, Place, Table};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// What is known of one entity.
pub(super) struct Held {
    pub(super) table: Arc<Table>,
    pub(super) rights: Option<Arc<EntityRights>>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: ById<Option<Line>>,
    pub(super) lists: Vec<List>,
    pub(super) wanted: Vec<ObjectId>,
}

/// A row: its key and the values of the columns, and how each rule came out.
pub(super) struct Line {
    values: Vec<Value>,
    pub(super) holds: Vec<Option<bool>>,
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
        member: Name,
        column: Name,
    },
    Link(Link),
}

impl Held {
    /// Takes over a row as it was read: its own key, then the columns.
    pub(super) fn keep(&mut self, row: Vec<Value>) {
        if let Some(Value::Object(id)) = row.first() {
            let rules = self.rights.as_ref().map_or(0, |rights| rights.rules.len());
            self.rows.insert(*id, Some(Line { values: row, holds: vec![None; rules] }));
        }
    }
}

impl Line {
    /// The value of the column with this number.
    pub(super) fn value(&self, column: usize) -> Option<&Value> {
        self.values.get(column + 1)
    }
}

/// Spreads keys that the server gave out in order; nobody chooses them to collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = (self.0.rotate_left(5) ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn write_i64(&mut self, key: i64) {
        self.write_u64(key.cast_unsigned());
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
