//! All stored data as plain rows in memory: what the oracle knows, and what before and after are compared in.

use super::guard::Guard;
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::{Entity, Model};
use crate::store::{Bulk, Collision, StoredRow};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};

/// All rows of all stored entities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// Entity → object → row.
    pub rows: BTreeMap<QName, BTreeMap<ObjectId, StoredRow>>,
}

/// One difference between two worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entity.
    pub entity: QName,
    /// The object.
    pub id: ObjectId,
    /// What became of it.
    pub what: Turn,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was not there before.
    Made,
    /// It is gone.
    Gone,
    /// These members are other than they were.
    Changed(BTreeSet<Name>),
}

/// Why the data cannot be read or put back.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The database did not do it.
    #[error("the data of the instance: {0}")]
    Db(#[from] DbError),
    /// The names of the model.
    #[error(transparent)]
    Names(#[from] Collision),
    /// Rows that could not be put back.
    #[error("{0} row(s) could not be put back")]
    Stuck(usize),
}

/// The stored entities of a model.
pub fn stored(model: &Model) -> Vec<QName> {
    model.entities.values().filter(|entity| entity.persistable).map(|entity| entity.name.clone()).collect()
}

impl World {
    /// Reads everything, as system work.
    pub fn read(conn: &mut Conn, model: &Model, now: NaiveDateTime) -> Result<Self, WorldError> {
        let mut bulk = Bulk::new(conn, model, now)?;
        let mut rows = BTreeMap::new();
        for entity in stored(model) {
            rows.insert(entity.clone(), bulk.rows(&entity)?);
        }
        Ok(Self { rows })
    }

    /// The row of an object.
    pub fn row(&self, entity: &QName, id: ObjectId) -> Option<&StoredRow> {
        self.rows.get(entity)?.get(&id)
    }
    /// The stored value of a member; empty when there is no such row.
    pub fn value(&self, entity: &QName, id: ObjectId, member: &str) -> Value {
        self.row(entity, id).and_then(|row| row.values.get(member)).cloned().unwrap_or(Value::Empty)
    }
    /// The objects of an entity.
    pub fn ids(&self, entity: &QName) -> Vec<ObjectId> {
        self.rows.get(entity).map(|rows| rows.keys().copied().collect()).unwrap_or_default()
    }
    /// Sets a value.
    pub fn set(&mut self, entity: &QName, id: ObjectId, member: &Name, value: Value) {
        if let Some(row) = self.rows.get_mut(entity).and_then(|rows| rows.get_mut(&id)) {
            row.values.insert(member.clone(), value);
        }
    }

    /// What is different in `after`. A row whose version alone grew was written, too: it counts as changed.
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let entities: BTreeSet<&QName> = self.rows.keys().chain(after.rows.keys()).collect();
        let none = BTreeMap::new();
        for entity in entities {
            let (old, new) = (self.rows.get(entity).unwrap_or(&none), after.rows.get(entity).unwrap_or(&none));
            let mut tell = |id: &ObjectId, what| all.push(Difference { entity: entity.clone(), id: *id, what });
            for (id, row) in new {
                match old.get(id) {
                    None => tell(id, Turn::Made),
                    Some(was) if was != row => {
                        let other = row.values.iter().filter(|(name, value)| was.values.get(*name) != Some(*value));
                        tell(id, Turn::Changed(other.map(|(name, _)| name.clone()).collect()));
                    }
                    Some(_) => {}
                }
            }
            old.keys().filter(|id| !new.contains_key(id)).for_each(|id| tell(id, Turn::Gone));
        }
        all
    }

    /// Makes the database hold this world, given what it holds now. Rows refer to each other, so what cannot be
    /// written yet is tried again after the others.
    pub fn put_back(&self, conn: &mut Conn, model: &Model, now: NaiveDateTime, is: &Self) -> Result<(), WorldError> {
        let mut bulk = Bulk::new(conn, model, now)?;
        let mut open = is.differences(self);
        let mut loosened = false;
        while !open.is_empty() {
            let before = open.len();
            open.retain(|one| match self.row(&one.entity, one.id) {
                Some(row) => !bulk.attempt(|bulk| bulk.put(&one.entity, one.id, row)),
                None => !bulk.attempt(|bulk| bulk.remove(&one.entity, one.id)),
            });
            if open.len() == before && loosened {
                return Err(WorldError::Stuck(before));
            }
            if open.len() == before {
                // Rows that refer to each other in a circle, or exchange what must be unique: first without that.
                loosened = true;
                for one in &open {
                    if let (Some(row), Some(entity)) = (self.row(&one.entity, one.id), model.entities.get(&one.entity)) {
                        let row = without_ties(entity, row);
                        bulk.attempt(|bulk| bulk.put(&one.entity, one.id, &row));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A row without what ties it to others: the references that it may do without, and what must be unique. Columns can be
/// empty whatever the model requires, but for booleans.
fn without_ties(entity: &Entity, row: &StoredRow) -> StoredRow {
    let mut row = row.clone();
    for association in entity.associations.values().filter(|association| !association.required) {
        let nothing = if matches!(association.kind(), Kind::List(_)) { Value::List(Vec::new()) } else { Value::Empty };
        row.values.insert(association.name.clone(), nothing);
    }
    for guard in Guard::of(entity) {
        let ends = if let Guard::Range(range) = guard { vec![&range.from, &range.to] } else { Vec::new() };
        for member in guard.members().into_iter().filter(|member| !ends.contains(member)) {
            if !matches!(entity.member_kind(member), Some(Kind::Boolean)) {
                row.values.insert(member.clone(), Value::Empty);
            }
        }
    }
    row
}
