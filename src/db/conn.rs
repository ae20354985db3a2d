//! One connection, of either kind, and its transactions.

use super::postgres::{self, PgConn};
use super::{DbError, sqlite};
use diesel::connection::{Connection, SimpleConnection, TransactionManager};
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3, bundled.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A connection to the database. Inside [`super::Db::read`] and [`super::Db::write`] it is in a transaction.
#[allow(clippy::large_enum_variant, reason = "there are as many as the pool has, and boxing costs each use")]
pub enum Conn {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Pg(PgConn),
}

/// The same typed expression, compiled once per backend: `on!(conn, |c| table.load(c))`.
macro_rules! on {
    ($conn:expr, |$c:ident| $e:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($c) => $e,
            $crate::db::Conn::Pg($c) => $e,
        }
    };
}
pub(crate) use on;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

impl Conn {
    /// Which SQL this connection speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Pg(_) => Dialect::Postgres,
        }
    }

    /// Runs `f` so that its changes can be undone without ending the transaction around it.
    pub fn savepoint<T, E: From<DbError>>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        on!(&mut *self, |c| begin_nested(c)).map_err(DbError::from)?;
        self.settle(f, |error| error)
    }

    /// Runs statements that take no values, for schema changes. Never with text from outside.
    pub fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        on!(self, |c| c.batch_execute(sql)).map_err(DbError::from)
    }

    /// Runs `f` in an outermost transaction.
    pub(super) fn transaction<T, E: From<DbError>>(
        &mut self,
        mode: Mode,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(c) => sqlite::begin(c, mode),
            Self::Pg(c) => postgres::begin(c, mode),
        }
        .map_err(DbError::from)?;
        self.settle(f, if mode == Mode::Write { unsettled } else { |error| error })
    }

    fn settle<T, E: From<DbError>>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
        told: fn(DbError) -> DbError,
    ) -> Result<T, E> {
        match f(self) {
            Ok(value) => match on!(&mut *self, |c| commit(c)) {
                Ok(()) => Ok(value),
                Err(error) => {
                    // A commit that failed for a reason that leaves the transaction open is undone;
                    // when that fails too, the pool sees a broken connection and drops it.
                    let _ = on!(self, |c| rollback(c));
                    Err(told(DbError::from(error)).into())
                }
            },
            Err(error) => {
                // The error that ended the work matters more than one of the rollback, after
                // which the pool drops the connection.
                let _ = on!(self, |c| rollback(c));
                Err(error)
            }
        }
    }

    /// Whether the connection is in the middle of something and must not be used again.
    pub(super) fn is_broken(&mut self) -> bool {
        on!(self, |c| broken(c))
    }
}

/// Whoever loses the database while it keeps a transaction cannot know what became of it.
fn unsettled(error: DbError) -> DbError {
    match error {
        DbError::Unavailable(source) => DbError::Unsettled(source),
        other => other,
    }
}

fn begin_nested<C: Connection>(conn: &mut C) -> QueryResult<()> {
    C::TransactionManager::begin_transaction(conn)
}
fn commit<C: Connection>(conn: &mut C) -> QueryResult<()> {
    C::TransactionManager::commit_transaction(conn)
}
fn rollback<C: Connection>(conn: &mut C) -> QueryResult<()> {
    C::TransactionManager::rollback_transaction(conn)
}
fn broken<C: Connection>(conn: &mut C) -> bool {
    C::TransactionManager::is_broken_transaction_manager(conn)
}
