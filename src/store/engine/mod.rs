//! What the database itself is told of the access rules, generated per set of rights.
//!
//! Guarantees: whatever runs in the name of a set reads through the set's views, whose rows and
//! members are cut down by the rules of that set, so that a condition or a mask forgotten by the
//! statements above shows nothing; the objects are made by the owner of the schema, all of a family
//! or none, and what was made is noted, so that a hand that changes them later is found.
//! Deliberately not here: who runs statements with which rights (`crate::db`), and the rules'
//! meaning (`super::lower`). The witness views show what rules compare, of every row: they are for
//! rules, and no statement above asks them for anything to show.

mod catalogue;
mod checks;
mod inputs;
mod prepare;
mod remove;
mod roles;
pub(super) mod sets;
mod triggers;
mod views;
mod writes;

#[cfg(test)]
pub(super) use prepare::strip;
pub(super) use prepare::{Preparation, differences, drop_objects, foreseen, is_made, lock, make_objects, plan};
pub(super) use views::masked_column;
pub(super) use writes::writes;

use super::lower::Lowered;
use super::statements::Statements;
use super::sync::Step;
use crate::access::Rights;
use crate::db::{Roles, set_id};
use crate::domain::Name;
use crate::expr::Typed;
use inputs::Inputs;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One set of rights, ready to be generated from.
pub(super) struct Set {
    pub id: Arc<str>,
    pub rights: Arc<Rights>,
    inputs: Inputs,
}

impl Set {
    fn new(statements: &Statements, wanted: &sets::Wanted) -> Self {
        let inputs = Inputs::of(&statements.tables, &wanted.rights, &wanted.questions);
        Self { id: set_id(&wanted.rights.key), rights: wanted.rights.clone(), inputs }
    }

    /// Everything that is made for the set, in this order.
    fn objects(&self, statements: &Statements, roles: Option<&Roles>) -> Lowered<Vec<Step>> {
        let mut steps = self.witness_views(statements);
        steps.extend(self.reader_views(statements, roles.is_some())?);
        steps.extend(self.triggers(statements, roles)?);
        if let Some(roles) = roles {
            steps.extend(self.grants(statements, roles)?);
        }
        Ok(steps)
    }

    /// The link tables that a condition rests on.
    fn links_of(&self, statements: &Statements, condition: &Typed) -> BTreeSet<Name> {
        let mut inputs = Inputs::default();
        inputs.expression(&statements.tables, condition);
        inputs.links
    }
}
