//! Whose rights statements run with inside a transaction that the system began.

use crate::crypto::sha256;
use crate::domain::ObjectId;
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A set of rights, in whose name it is used, and when.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Names the generated objects of a set of rights: 16 lower-case hex digits ([`set_id`]).
    pub set: Arc<str>,
    /// What the generated rules read as the caller.
    pub user: Option<ObjectId>,
    /// What they read as the moment; its date is today.
    pub now: NaiveDateTime,
    /// What may be written; SQLite's guard looks at it when a statement is prepared.
    pub writes: Arc<Writes>,
}

/// What statements of a set may write: tables and columns by their names in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes(pub BTreeMap<String, TableWrites>);

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

/// What statements are about to do with these rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Ask the set's views.
    Read,
    /// Change rows that the set's rules grant.
    Write,
}

/// The name of the generated objects of a set of rights with this key.
pub fn set_id(key: &str) -> Arc<str> {
    sha256(key.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
