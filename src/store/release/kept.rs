//! What one question read to decide, kept for the next one in the same transaction.
//!
//! Guarantees: it serves the same caller and the very rights that it was read for, in a transaction that sees one state
//! of the data and writes nothing; a question that ended in a difference leaves nothing behind.
//! Deliberately not here: anything that lasts longer than the transaction. It is a part of [`super::Store`].

use super::held::Held;
use super::reader::{Fixed, Reader};
use super::values::At;
use crate::access::{Inside, Query, Rights};
use crate::domain::{Name, ObjectId, QName};
use std::sync::Arc;

/// Rows and lists that were read, how rules came out for them, what rules come to for the caller, and how many rows
/// questions have.
#[derive(Default)]
pub(in crate::store) struct Kept {
    rights: Option<Arc<str>>,
    held: Vec<Held>,
    fixed: Vec<(At, usize, Fixed)>,
    counted: Vec<Counted>,
}

/// How many rows a question has, each of which was decided.
pub(super) struct Counted {
    entity: QName,
    object: Option<ObjectId>,
    along: Option<(QName, ObjectId, Name)>,
    inside: Option<Inside>,
    count: u32,
}

impl Counted {
    /// Whether it is about the same rows. What a client filters by is never kept.
    fn is_about(&self, query: &Query) -> bool {
        let inside = match (&self.inside, &query.inside) {
            (Some(own), Some(asked)) => own.variables == asked.variables && own.condition == asked.condition,
            (own, asked) => own.is_none() && asked.is_none(),
        };
        inside && self.entity == query.entity && self.object == query.object && self.along == query.along && is_plain(query)
    }
}

/// Whether a client filters nothing.
fn is_plain(query: &Query) -> bool {
    query.filters.is_empty() && query.search.is_none()
}

impl Kept {
    /// What a reader knows.
    pub(super) fn of(reader: Reader<'_>, rights: &Arc<str>) -> Self {
        let Reader { values, fixed, counted, .. } = reader;
        Self { rights: Some(rights.clone()), held: values.held, fixed, counted }
    }

    /// Keeps how many rows a question has, if what is kept is of the same rights.
    pub(super) fn count(&mut self, rights: &Rights, query: &Query, count: u32) {
        if self.serves(rights) && is_plain(query) {
            let Query { entity, object, along, inside, .. } = query.clone();
            self.counted.push(Counted { entity, object, along, inside, count });
        }
    }

    /// How many rows a question has, if it was asked before for the same rights and all of them were decided.
    pub(in crate::store) fn counted(&self, rights: &Rights, query: &Query) -> Option<u32> {
        let known = self.counted.iter().find(|counted| counted.is_about(query))?;
        self.serves(rights).then_some(known.count)
    }

    /// Gives it to another reader, if it is one for the same rights.
    pub(super) fn give(self, reader: &mut Reader<'_>, rights: &Rights) {
        if self.serves(rights) {
            reader.values.held = self.held;
            reader.fixed = self.fixed;
            reader.counted = self.counted;
        }
    }

    /// Whether it is of these rights.
    // SECURITY: the name of the rights proves nothing, so each plan is compared with the rules themselves
    // (`what_was_read_for_some_rights_decides_nothing_for_others`).
    fn serves(&self, rights: &Rights) -> bool {
        let same = |held: &Held| held.plan.is_of(rights.entities.get(&held.plan.table.entity.name));
        self.rights.as_ref() == Some(&rights.key) && self.held.iter().all(same)
    }
}
