//! What is known of the rows of one entity.

use super::raw::Column;
use crate::access::EntityRights;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::store::tables::{Link, Place, Table};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of one entity.
pub(super) struct Held {
    pub(super) table: Arc<Table>,
    pub(super) rights: Option<Arc<EntityRights>>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: HashMap<ObjectId, Option<Line>>,
    pub(super) lists: Vec<List>,
    pub(super) wanted: Vec<ObjectId>,
}

/// A row: the values of the columns, and how each rule came out.
pub(super) struct Line {
    pub(super) values: Vec<Value>,
    pub(super) holds: Vec<Option<bool>>,
}

/// An association that is followed to any number of objects (or back to one).
pub(super) struct List {
    pub(super) name: Name,
    pub(super) by: By,
    pub(super) of: HashMap<ObjectId, Vec<ObjectId>>,
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
    /// Takes over a row as it was read: the key it was asked by, its own, and the columns.
    pub(super) fn keep(&mut self, row: Vec<Value>) {
        let mut cells = row.into_iter().skip(1);
        if let Some(Value::Object(id)) = cells.next() {
            let rules = self.rights.as_ref().map_or(0, |rights| rights.rules.len());
            self.rows.insert(id, Some(Line { values: cells.collect(), holds: vec![None; rules] }));
        }
    }
}

/// The column of a stored member.
pub(super) fn column(table: &Table, name: &Name) -> Option<Column> {
    match table.members.get(name)? {
        Place::Column { column, kind, .. } => Some(Column { member: name.clone(), column: column.clone(), kind: kind.clone() }),
        _ => None,
    }
}
