//! Whose rights statements run with inside a transaction that the system began.

use super::pieces::Reach;
use crate::crypto::sha256;
use crate::domain::ObjectId;
use chrono::NaiveDateTime;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A set of rights, in whose name it is used, and when.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Stands for a set of rights in names: 16 lower-case hex digits ([`set_id`]).
    pub set: Arc<str>,
    /// What the generated rules read as the caller.
    pub user: Option<ObjectId>,
    /// What they read as the moment; its date is today.
    pub now: NaiveDateTime,
    /// What it reads and writes; SQLite's guard looks at it when a statement is prepared.
    pub reach: Arc<Reach>,
}

/// What may be written in one table. All empty is of use too: the keys of a table that is listed may be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableWrites {
    /// Whether rows may be added.
    pub insert: bool,
    /// Whether rows may be removed.
    pub delete: bool,
    /// The columns that may be changed in rows that exist.
    pub update: BTreeSet<String>,
    /// Columns beside `id` and `version` that a write may compare: those of foreign keys, which SQLite
    /// looks at when a row that others point to goes away.
    pub keys: BTreeSet<String>,
}

impl TableWrites {
    /// What one of both allows.
    pub fn add(&mut self, more: Self) {
        self.insert |= more.insert;
        self.delete |= more.delete;
        self.update.extend(more.update);
        self.keys.extend(more.keys);
    }
}

/// What statements are about to do with these rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Ask the set's views.
    Read,
    /// Change rows that the set's rules grant.
    Write,
}

/// What stands for a set of rights with this key in names.
pub fn set_id(key: &str) -> Arc<str> {
    sha256(key.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
