//! The names in PostgreSQL's schema of what is generated for a set of rights on an entity: for operators, and for tests
//! that change the schema as others could.

use super::statements::Statements;
use crate::access::{Authority, Grants};
use crate::db::Dialect;
use crate::domain::{Name, QName};
use std::sync::Arc;

/// The names and ids of it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The id in the name of the set's own role.
    pub set: Arc<str>,
    /// The view that is read.
    pub reader: Name,
    /// The view that rules look through.
    pub witness: Name,
    /// The id in the names of the role that writes and of the function that looks at writes; empty where nothing is written.
    pub watch: Arc<str>,
}

impl Statements {
    /// What is called how for these grants; nothing where they say nothing about the entity.
    pub fn called(&self, grants: &Grants, entity: &QName) -> Option<Called> {
        let (rights, pieces) = (grants.rights(), self.pieces(Dialect::Postgres));
        self.announce(grants, Dialect::Postgres).ok()?;
        let table = &self.tables.get(entity)?.name;
        let names = pieces.portion(self, rights, entity).ok()?.names.clone();
        let watch = pieces.watch(self, rights, entity, table).ok()?.map_or_else(|| "".into(), |watch| watch.id.clone());
        Some(Called { set: self.set_id(&rights.key), reader: names.reader(table), witness: names.witness(table), watch })
    }
}
