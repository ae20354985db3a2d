//! What one question read to decide, kept for the next one in the same transaction.
//!
//! Guarantees: it serves the same caller and the very rights that it was read for, in a transaction that sees one state
//! of the data and writes nothing; a question that ended in a difference leaves nothing behind.
//! Deliberately not here: anything that lasts longer than the transaction. It is a part of [`super::Store`].

use super::held::Held;
use super::reader::{Fixed, Reader};
use super::values::At;
use crate::access::Rights;
use std::sync::Arc;

/// Rows and lists that were read, how rules came out for them, and what rules come to for the caller.
#[derive(Default)]
pub(in crate::store) struct Kept {
    rights: Option<Arc<str>>,
    held: Vec<Held>,
    fixed: Vec<(At, usize, Fixed)>,
}

impl Kept {
    /// What a reader knows.
    pub(super) fn of(reader: Reader<'_>, rights: &Arc<str>) -> Self {
        let Reader { values, fixed, .. } = reader;
        Self { rights: Some(rights.clone()), held: values.held, fixed }
    }

    /// Gives it to another reader, if it is one for the same rights.
    // SECURITY: the name of the rights proves nothing, so each plan is compared with the rules themselves
    // (`what_was_read_for_some_rights_decides_nothing_for_others`).
    pub(super) fn give(self, reader: &mut Reader<'_>, rights: &Rights) {
        let same = |held: &Held| held.plan.is_of(rights.entities.get(&held.plan.table.entity.name));
        if self.rights.as_ref() == Some(&rights.key) && self.held.iter().all(same) {
            reader.values.held = self.held;
            reader.fixed = self.fixed;
        }
    }
}
