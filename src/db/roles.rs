//! PostgreSQL's roles.

use crate::crypto::sha256;
use std::sync::Arc;

/// The names of a database's roles. Roles belong to the whole cluster, so the database is in their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    prefix: Arc<str>,
}

impl Roles {
    /// The roles of the database of this name.
    pub(super) fn of(database: &str) -> Self {
        let digits: String = sha256(database.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { prefix: format!("pc_{digits}_").into() }
    }
    /// What all their names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
    /// The role of the server's own work: all rows, never the schema or the trail.
    pub fn system(&self) -> String {
        format!("{}system", self.prefix)
    }
    /// The role that reads the views of a set of rights, and nothing else.
    pub fn reader(&self, set: &str) -> String {
        format!("{}{set}_r", self.prefix)
    }
    /// The role that writes for a set of rights.
    pub fn writer(&self, set: &str) -> String {
        format!("{}{set}_w", self.prefix)
    }
    /// The role that owns the views of a set of rights.
    pub fn holder(&self, set: &str) -> String {
        format!("{}{set}_v", self.prefix)
    }
}
