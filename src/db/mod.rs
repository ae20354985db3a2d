//! The wire to the database: connections, transactions, dynamic statements, system tables.
//!
//! Guarantees: a transaction that was not committed leaves nothing behind; a read cannot write;
//! write transactions have the outcome of some order in which each ran alone, and one that met
//! another at the same moment is run again as a whole;
//! every statement that runs through the pool is counted; a value reaches the database only as a
//! bound parameter; an unreachable database is an error within seconds and needs no restart once
//! it is back. An acknowledged write is on disk (`synchronous=FULL`, WAL).
//! Deliberately not here: who may read what. Callers hold a permit before they ask.

mod admit;
mod ahead;
mod conn;
mod error;
mod generated;
#[allow(unsafe_code, reason = "SQLite asks its guard through C functions; this is the one module that has any")]
mod guard;
mod guards;
mod hold;
mod lane;
mod line;
mod migrate;
mod moment;
mod notes;
mod pieces;
mod pool;
mod postgres;
mod retry;
mod roles;
pub mod schema;
mod scratch;
mod shelf;
pub mod sql;
mod sqlite;
mod standing;
mod stock;
mod supply;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod turns;
mod upgrade;

pub use crate::config::DbTarget;
pub(crate) use conn::on;
pub use conn::{Conn, Dialect, Wire};
pub use error::DbError;
pub use generated::{Difference, EVERY, Made, OTHER, compared, there, there_of};
pub use hold::Hold;
pub use lane::{Lane, Thing};
pub use moment::{Moment, MomentType};
pub use notes::{forget, given, missing as missing_needs, unused};
pub use pieces::{Object, ObjectKind, Piece, Reach, Watched};
pub use pool::Db;
pub use postgres::PgConn;
pub use retry::Contention;
pub use roles::Roles;
pub use scratch::Scratch;
pub use standing::{Purpose, Standing, TableWrites, set_id};
pub use stock::Need;
pub use supply::{MOST_SETS, preparing};
