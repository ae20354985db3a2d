//! What is generated in the database from the access rules.
//!
//! Guarantees: whatever runs in the name of a set of rights reads through views, whose rows and members are cut down by
//! the rules of that set, so that a condition or a mask forgotten by the statements above shows nothing; what rights on
//! one entity come to is composed from these rights and nothing else (`pieces`), and made by the owner of the schema when
//! it is needed: on SQLite on the connection that needs it, on PostgreSQL in the schema, where it is noted, so that a
//! change by others is found.
//! Deliberately not here: who runs statements with which rights (`crate::db`), and the rules'
//! meaning (`super::lower`). The witness views show what rules compare, of every row: they are for
//! rules, and no statement above asks them for anything to show.

mod catalogue;
mod checks;
mod inputs;
mod naming;
mod pieces;
mod portion;
mod prepare;
mod remove;
mod roles;
pub(super) mod sets;
mod triggers;
mod views;
mod writes;

pub(super) use naming::Names;
pub(super) use pieces::Pieces;
#[cfg(test)]
pub(super) use prepare::strip;
pub(super) use prepare::{
    Preparation, Unprepared, differences, drop_objects, foreseen, is_made, lock, make_objects, needs, plan, sweep, whole,
};
pub(super) use views::masked_column;

use super::statements::Statements;
use crate::access::Rights;
use crate::domain::Name;
use crate::expr::Typed;
use inputs::Inputs;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rights that are about to be generated from: all of a set, or what they come to for one entity.
pub(super) struct Set<'r> {
    pub id: Arc<str>,
    pub rights: &'r Rights,
    names: Names,
    inputs: Inputs,
}

impl Set<'_> {
    /// The link tables that a condition rests on.
    fn links_of(&self, statements: &Statements, condition: &Typed) -> BTreeSet<Name> {
        let mut inputs = Inputs::default();
        inputs.expression(&statements.tables, condition);
        inputs.links
    }
}
