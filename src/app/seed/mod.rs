//! Demo data: what an app begins with in demo mode.
//!
//! `seed/NN-<module>.<Entity>.csv`, read in the order of the names. The first column `key` names the row for the
//! cells that refer to it; a cell of an association holds the key of its target (`demo:<key>` for the account of a
//! demo user, several keys with spaces between them for many-to-many). An empty cell is empty. A date may be written
//! `@today-30`, a moment `@now-3d` (or `h`, `m`), so that demo data never grows old.
//!
//! Guarantees: only in demo mode ([`Demo`] is the proof) and only into a database without any row; all of it or
//! nothing; every fault is reported at once with file, line and column. `created` and `changed` of a row are the
//! first and last of its relative moments that have passed (else now), `owner` and `changedBy` its own account.
//! Deliberately not here: rules, validations by expression and event handlers. This is trusted data.

mod cell;
mod files;
mod read;
#[cfg(test)]
mod tests;
mod write;

use super::Demo;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::model::Model;
use crate::store::{Bulk, Collision};
use std::fmt;
use std::path::Path;

/// What became of the demo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// So many rows were written.
    Rows(usize),
    /// The database holds rows already; nothing was read or written.
    AlreadyThere,
}

/// What is wrong with a seed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, below the app's folder.
    pub file: String,
    /// The line on which the row begins; 0 for the whole file.
    pub line: u64,
    /// The column's name; empty for the whole row.
    pub column: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.column.is_empty() {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why there is no demo data. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The files are not right.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
    /// The folder cannot be read.
    #[error("the seed files cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Names of the model cannot be kept apart.
    #[error(transparent)]
    Collision(#[from] Collision),
    /// The database did not do it.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Writes the demo data of the app in `folder`, if the database has no row yet.
pub fn load(folder: &Path, model: &Model, db: &Db, demo: &Demo, clock: &Clock) -> Result<Seeded, SeedError> {
    let now = clock.now();
    if !db.read(|conn| is_empty(&mut Bulk::new(conn, model, now)?))? {
        return Ok(Seeded::AlreadyThere);
    }
    let sheets = read::sheets(model, folder, &demo.users, now)?;
    db.write(|conn| {
        let mut bulk = Bulk::new(conn, model, now)?;
        // Another process may have been first.
        if !is_empty(&mut bulk)? {
            return Ok(Seeded::AlreadyThere);
        }
        let rows = write::write(&mut bulk, &sheets)?;
        bulk.finish()?;
        Ok(Seeded::Rows(rows))
    })
}

fn is_empty(bulk: &mut Bulk<'_>) -> Result<bool, SeedError> {
    Ok(bulk.is_empty()?)
}
