//! Non-persistent objects: what forms, visitors and flows hold in memory, and the public snapshots.
//!
//! Guarantees: an object here is decided by the same permits as a stored one; its values fit the
//! model; a caller holds at most [`MOST_OBJECTS`] objects of [`MOST_BYTES`] in all; what travels
//! ([`Exported`]) is canonical text only and is read back strictly against the model.
//!
//! It deliberately knows no database: where an association leads to a stored object, the store
//! beside it ([`Both`]) is asked under the same reader's rights, and a visitor's is [`Closed`].
//! It seals nothing either: whoever lets an [`Exported`] travel does.

mod both;
mod cells;
mod deeds;
mod exported;
mod reading;
mod rows;
mod snapshots;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use both::{Both, Closed};
pub use exported::Exported;
pub use snapshots::{MOST_PUBLISHED, PublicCopy, SnapshotError, Snapshots};

use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::Model;
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many objects at most.
pub const MOST_OBJECTS: usize = 200;
/// So many bytes of values at most, all objects together.
pub const MOST_BYTES: usize = 256 * 1024;
/// What a job may hold: as much as can be published.
const JOB: Room = Room { objects: MOST_PUBLISHED, bytes: 2 * 1024 * 1024 };

#[derive(Clone, Copy, Debug)]
struct Room {
    objects: usize,
    bytes: usize,
}

/// Why the workspace does not take something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    /// Too many objects, or too much text in them.
    #[error("too much is held in memory")]
    Full,
    /// What came back does not fit the model.
    #[error("{0}")]
    Misfit(String),
}

/// One object in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) entity: QName,
    pub(crate) version: i64,
    pub(crate) members: BTreeMap<Name, Value>,
}

impl Held {
    fn size(&self) -> usize {
        self.members.iter().map(|(name, value)| 16 + name.len() + value.canonical().len()).sum::<usize>() + 64
    }
    fn member(&self, name: &str) -> Value {
        self.members.get(name).cloned().unwrap_or(Value::Empty)
    }
}

/// The objects of one caller during one request.
#[derive(Clone, Debug)]
pub struct Workspace {
    model: Arc<Model>,
    user: Option<ObjectId>,
    roles: Arc<BTreeSet<Name>>,
    now: NaiveDateTime,
    objects: BTreeMap<ObjectId, Held>,
    bytes: usize,
    room: Room,
    next: i64,
    snapshots: Option<Arc<Snapshots>>,
    opened: BTreeMap<QName, Arc<Vec<Held>>>,
}

impl Workspace {
    /// An empty workspace for this caller at this moment.
    pub fn new(model: Arc<Model>, user: Option<ObjectId>, roles: Arc<BTreeSet<Name>>, now: NaiveDateTime) -> Self {
        let (objects, opened) = (BTreeMap::new(), BTreeMap::new());
        let room = Room { objects: MOST_OBJECTS, bytes: MOST_BYTES };
        Self { model, user, roles, now, objects, bytes: 0, room, next: -1, snapshots: None, opened }
    }

    /// The same with the public snapshots at hand.
    pub fn with_snapshots(mut self, snapshots: Arc<Snapshots>) -> Self {
        self.snapshots = Some(snapshots);
        self
    }

    /// The same with room for what a job publishes. Nothing a person sends ends up in it.
    pub fn for_job(mut self) -> Self {
        self.room = JOB;
        self
    }

    /// The entity of an object that is held here.
    pub fn entity_of(&self, object: ObjectId) -> Option<&QName> {
        self.held(object).map(|held| &held.entity)
    }

    /// An own object, or one of a snapshot that was opened with a permit.
    fn held(&self, object: ObjectId) -> Option<&Held> {
        if let Some(held) = self.objects.get(&object) {
            return Some(held);
        }
        let (name, position) = snapshots::place_of(&self.model, object)?;
        self.opened.get(name)?.get(position)
    }

    fn put(&mut self, id: ObjectId, held: Held) -> Result<(), WorkspaceError> {
        let before = self.objects.get(&id).map_or(0, Held::size);
        let bytes = self.bytes + held.size() - before;
        let count = self.objects.len() + usize::from(before == 0);
        if count > self.room.objects || bytes > self.room.bytes {
            return Err(WorkspaceError::Full);
        }
        self.bytes = bytes;
        self.next = self.next.min(id.0 - 1);
        self.objects.insert(id, held);
        Ok(())
    }

    fn forget(&mut self, id: ObjectId) {
        if let Some(held) = self.objects.remove(&id) {
            self.bytes -= held.size();
        }
    }

    fn fresh(&self) -> ObjectId {
        ObjectId(self.next)
    }
}
