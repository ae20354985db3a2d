//! Brings the database to the shape of the model.
//!
//! Guarantees: what is planned is shown before it is done; all of it happens in one transaction or
//! nothing; stored values disappear only when each loss was named; a database that is not in the
//! shape last applied is left alone.
//! Deliberately not here: the system tables (they have migrations), and guessing renames: a former
//! name is written in the model (`was:`).

mod apply;
mod changes;
mod ddl;
mod diff;
mod exclude;
mod indexes;
mod layout;
mod state;

pub use apply::{apply, can_prepare, drift, drop_unused, model_in_force, plan, plan_tables, prepare, prepare_all};

use super::engine::Preparation;
use crate::db::sql::Sql;
use crate::db::{DbError, Dialect};

/// Why the database was not brought to the model's shape. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Names of the model cannot be kept apart.
    #[error(transparent)]
    Collision(#[from] super::Collision),
    /// Values would be lost that nobody has named.
    #[error("stored values would be lost: {}; name each with --accept-loss to go on", .0.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", "))]
    Losses(Vec<Loss>),
    /// A required member has no value in rows that exist, and no constant default.
    #[error("{} required, but rows exist without a value: give a constant default first", .0.join(", "))]
    Required(Vec<String>),
    /// Stored rows overlap, although the model excludes it.
    #[error("stored rows are in the way of `exclude`: {}; change them first", .0.join("; "))]
    Overlaps(Vec<String>),
    /// PostgreSQL lacks what compares other columns together with ranges.
    #[error(
        "`exclude` with `same` needs PostgreSQL's extension btree_gist, and the owner of the schema could not create it: \
        install the contrib package, then run CREATE EXTENSION btree_gist in this database as a superuser"
    )]
    Extension(#[source] DbError),
    /// The database is not in the shape that was last applied.
    #[error("the database was changed by other hands: {}", .0.join("; "))]
    Drift(Vec<String>),
    /// Generated objects are not what was made.
    #[error("generated objects were changed by other hands: {}; `portcullis migrate --apply` makes them anew", .0.join("; "))]
    EngineDrift(Vec<String>),
    /// A rule cannot be written for the database.
    #[error("a rule cannot be given to the database: {0}")]
    Rules(String),
    /// The note of the last shape cannot be read.
    #[error("the note about the last applied shape cannot be read")]
    State(#[source] serde_json::Error),
}

/// Stored values that a plan gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// `hr.Employee` or `hr.Employee.salary`: what `--accept-loss` takes.
    pub name: String,
    /// What is lost.
    pub what: String,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is, in words.
    pub what: String,
    pub(super) sql: Vec<Sql>,
}

impl Step {
    pub(super) fn new(what: impl Into<String>, sql: Vec<Sql>) -> Self {
        Self { what: what.into(), sql }
    }
    /// Whether it does nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }
    /// The statements as this database is given them.
    pub fn sql(&self, dialect: Dialect) -> Vec<String> {
        self.sql.iter().map(|sql| sql.ddl(dialect)).collect()
    }
}

/// All there is to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What happens to tables, in this order.
    pub steps: Vec<Step>,
    /// What is given up by it.
    pub losses: Vec<Loss>,
    /// Required members without values.
    missing: Vec<String>,
    /// Stored rows in the way of an `exclude`.
    overlaps: Vec<String>,
    applied: String,
    first: bool,
    /// What the steps come to.
    changes: changes::Changes,
    /// What the database itself is told of the rules.
    engine: Preparation,
    /// Data that stands in the way of what the model means, and that nothing here changes.
    warnings: Vec<String>,
}

impl Plan {
    /// Whether no model was ever applied to this database.
    pub fn is_first(&self) -> bool {
        self.first
    }
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.engine.is_empty()
    }
    /// Whether there is only something to add for combinations of roles that were not held before.
    pub fn only_prepares(&self) -> bool {
        self.steps.is_empty() && self.engine.only_adds()
    }
    /// All steps in their order, with those for generated objects: they go before tables change, and come after.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.engine.before().chain(&self.steps).chain(self.engine.after())
    }
    /// Generated objects that somebody else changed; all of them are then recreated.
    pub fn drift(&self) -> &[String] {
        self.engine.drift()
    }
    /// Stored rows that overlap, although the model excludes it.
    pub fn overlaps(&self) -> &[String] {
        &self.overlaps
    }
    /// Stored data that the model does not mean, and that stays as it is: circles in trees.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
    /// Required members for which existing rows have no value, and the model no constant default.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }
}
