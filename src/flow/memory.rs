//! What was loaded during a run, per authority.

use crate::access::LoadedObject;
use crate::domain::{ObjectId, QName};
use std::collections::HashMap;
use std::sync::Arc;

/// So many objects are remembered at most; then everything is forgotten at once.
const MOST: usize = 20_000;

type Key = (Arc<str>, QName, ObjectId);

/// Objects by the key of the rights they were loaded under: what one authority was given is never
/// handed to another.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: HashMap<Key, (u64, Option<Arc<LoadedObject>>)>,
    written: u64,
}

impl Memory {
    /// What is known of an object: `Some(None)` when it is known not to be there for this authority.
    pub(super) fn recall(&self, rights: &Arc<str>, entity: &QName, id: ObjectId) -> Option<Option<Arc<LoadedObject>>> {
        let (at, object) = self.known.get(&(rights.clone(), entity.clone(), id))?;
        // A write elsewhere may have opened what was shut; what was open was read in time.
        let outdated = *at < self.written && object.is_none();
        (!outdated).then(|| object.clone())
    }

    /// Whether something was written after the object was loaded: then a withheld member is worth
    /// a second look.
    pub(super) fn older_than_writes(&self, rights: &Arc<str>, entity: &QName, id: ObjectId) -> bool {
        self.known.get(&(rights.clone(), entity.clone(), id)).is_some_and(|(at, _)| *at < self.written)
    }

    pub(super) fn keep(&mut self, rights: &Arc<str>, entity: &QName, id: ObjectId, object: Option<LoadedObject>) {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert((rights.clone(), entity.clone(), id), (self.written, object.map(Arc::new)));
    }

    /// The version of a stored object as this run saw it, so that a write over it is refused when
    /// somebody else was faster (lost update).
    pub(super) fn seen(&self, entity: &QName, id: ObjectId) -> Option<i64> {
        let mut found = self.known.iter().filter(|((_, of, object), _)| id.0 > 0 && of == entity && *object == id);
        found.find_map(|(_, (_, object))| object.as_ref().map(|object| object.version))
    }

    /// An object was created or changed: whoever looks again reads it anew.
    pub(super) fn changed(&mut self, entity: &QName, id: ObjectId) {
        self.written += 1;
        self.known.retain(|(_, of, object), _| of != entity || *object != id);
    }

    /// An object was deleted, and others perhaps with it.
    pub(super) fn deleted(&mut self) {
        self.written += 1;
        self.known.clear();
    }
}
