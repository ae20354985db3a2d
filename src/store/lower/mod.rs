//! Typed expressions as SQL: the database's reading of the one expression language.
//!
//! Guarantees: a condition admits exactly the rows for which [`crate::expr::evaluate`] gives true,
//! and a value is the one it gives; every value is bound; a predicate never wraps a stored column,
//! so that an index can serve. A condition is written in *true mode*: what is not true may be
//! false or NULL. Where the difference could show (`!p`, a condition used as a value), it is made
//! two-valued on the spot.
//! Deliberately not here: deciding who may ask. Rules and constraints come in checked.

mod condition;
mod dates;
mod exact;
mod lists;
mod paths;
mod text;
mod value;

use super::engine::Names;
use super::names;
use super::tables::Tables;
use crate::access::Rights;
use crate::db::sql::Sql;
use crate::domain::{Name, Value};
use crate::expr::Typed;
use std::cell::Cell;
use std::collections::BTreeMap;

pub(super) use condition::Condition;
pub(super) use exact::{checked, comparable, sum};
pub(super) use lists::ids;

/// Why an expression has no SQL. The checker refuses such models; the store refuses the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LowerError {
    /// A part that only memory can compute.
    #[error("the database cannot compute {0}")]
    Beyond(&'static str),
    /// An entity or member that is not stored.
    #[error("{0} is not stored")]
    Unstored(String),
    /// Rights that are not prepared in the database.
    #[error("these rights are not prepared in the database")]
    Unprepared,
    /// The statement would become too large.
    #[error("the expression is too large for a statement")]
    TooLarge,
}

pub(super) type Lowered<T> = Result<T, LowerError>;

/// The most nodes of one statement, calculated members written out.
const LARGEST: u32 = 4_000;

/// Lowers the expressions of one statement.
pub(super) struct Lower<'a> {
    pub tables: &'a Tables,
    rights: &'a Rights,
    variables: &'a BTreeMap<Name, Value>,
    /// The names of the witness views that stand for the tables that paths lead to.
    names: Option<&'a Names>,
    /// Whether the text becomes a generated object.
    generated: bool,
    aliases: Cell<u32>,
    size: Cell<u32>,
}

/// The rows in reach: their aliases.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    this: &'s str,
    item: Option<&'s str>,
}

impl<'a> Lower<'a> {
    pub(super) fn new(tables: &'a Tables, rights: &'a Rights, variables: &'a BTreeMap<Name, Value>) -> Self {
        Self { tables, rights, variables, names: None, generated: false, aliases: Cell::new(0), size: Cell::new(0) }
    }

    /// The same, but whatever a path leads to is read through witness views.
    pub(super) fn through(self, names: Option<&'a Names>) -> Self {
        Self { names, ..self }
    }

    /// The same, for the text of an object that the owner makes.
    pub(super) fn generated(self, generated: bool) -> Self {
        Self { generated, ..self }
    }

    /// A name for a walk down a tree. SQLite reports reads inside a walk to the guard under the walk's own name, also
    /// while triggers of other sets run. So in generated objects that name contains the object's id; in a statement it never may.
    fn walk(&self) -> Name {
        let alias = Name::from(self.alias());
        match self.names.filter(|_| self.generated) {
            Some(names) => names::witness(names.own(), &alias),
            None => alias,
        }
    }

    /// What stands after FROM for a table that a path leads to.
    fn from(&self, table: &Name) -> Sql {
        let mut out = Sql::new();
        match self.names {
            None => out.ident(table),
            Some(names) if self.generated => out.append(&names::temporary(&names.witness(table))),
            Some(names) => out.ident(names.witness(table)),
        };
        out
    }

    /// A condition over the row with this alias.
    pub(super) fn condition_at(&self, e: &Typed, this: &str) -> Lowered<Condition> {
        self.condition(e, Scope { this, item: None })
    }

    /// A value of the row with this alias.
    pub(super) fn value_at(&self, e: &Typed, this: &str) -> Lowered<Sql> {
        self.value(e, Scope { this, item: None })
    }

    /// A new alias, unlike every other of this statement.
    pub(super) fn alias(&self) -> String {
        self.aliases.set(self.aliases.get() + 1);
        format!("x{}", self.aliases.get())
    }

    fn step(&self) -> Lowered<()> {
        self.size.set(self.size.get() + 1);
        if self.size.get() > LARGEST { Err(LowerError::TooLarge) } else { Ok(()) }
    }
}
