//! Opening SQLite.

use super::DbError;
use super::conn::Mode;
use super::guard::Guard;
use diesel::connection::{Instrumentation, SimpleConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sqlite::{Sqlite, SqliteConnection};
use std::path::Path;

/// How long a statement waits for a lock that another process holds.
const BUSY_MILLIS: u32 = 5_000;

diesel::define_sql_function!(
    /// Whether SQLite was compiled with an option.
    fn sqlite_compileoption_used(name: diesel::sql_types::Text) -> diesel::sql_types::Bool
);

/// Opens the file under guard; a read-only connection refuses every write by itself.
pub(super) fn open(path: &Path, mode: Mode, counter: impl Instrumentation) -> Result<(SqliteConnection, Guard), DbError> {
    create_private(path)?;
    let text = path.to_str().ok_or_else(|| DbError::Refused("the database path is not valid UTF-8".into()))?;
    let (wire, guard) = Guard::establish(text, |conn| set_up(conn, mode), counter)?;
    if mode == Mode::Read {
        guard.shelf(|shelf| shelf.only_reads());
    }
    Ok((wire, guard))
}

fn set_up(conn: &mut SqliteConnection, mode: Mode) -> Result<(), DbError> {
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout={BUSY_MILLIS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
         PRAGMA trusted_schema=OFF; PRAGMA recursive_triggers=ON; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
    ))?;
    if mode == Mode::Read {
        conn.batch_execute("PRAGMA query_only=ON;")?;
    }
    check_build(conn)
}

/// SQLite must have been built so that a bound value never makes it plan a statement anew.
fn check_build(conn: &mut SqliteConnection) -> Result<(), DbError> {
    let stable: bool = diesel::select(sqlite_compileoption_used("ENABLE_QPSG")).get_result(conn)?;
    if stable {
        return Ok(());
    }
    Err(DbError::Refused("SQLite was built without SQLITE_ENABLE_QPSG: build with the project's .cargo/config.toml".into()))
}

/// Fixed statements that move a transaction on: each is prepared once per connection.
macro_rules! fixed {
    ($($name:ident: $text:literal),+ $(,)?) => {
        $(
            #[derive(QueryId)]
            struct $name;

            impl QueryFragment<Sqlite> for $name {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                    out.push_sql($text);
                    Ok(())
                }
            }
        )+
    };
}

fixed! {
    Begin: "BEGIN",
    // There is one writer at a time; another process is waited for, at most so long as `BUSY_MILLIS`.
    BeginWriting: "BEGIN IMMEDIATE",
    Commit: "COMMIT",
    Rollback: "ROLLBACK",
    Look: "SELECT 1 FROM sqlite_master LIMIT 1",
}

/// A statement about the savepoint at a depth. It is kept by its text; transactions are nested a few times at most.
struct Savepoint(&'static str, u32);

impl QueryId for Savepoint {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Savepoint {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(self.0);
        out.push_sql(&self.1.to_string());
        Ok(())
    }
}

fn run<S: QueryFragment<Sqlite> + QueryId>(conn: &mut SqliteConnection, statement: &S) -> QueryResult<()> {
    conn.execute_returning_count(statement).map(drop)
}

pub(super) fn begin(conn: &mut SqliteConnection, mode: Mode) -> QueryResult<()> {
    match mode {
        Mode::Read => run(conn, &Begin),
        Mode::Write | Mode::OneState | Mode::Unserialized => run(conn, &BeginWriting),
    }
}

/// Fixes the state of the data that a read transaction sees: without a first read it would be that of a later moment.
pub(super) fn look(conn: &mut SqliteConnection) -> QueryResult<()> {
    run(conn, &Look)
}

/// Begins a savepoint in a transaction of this depth.
pub(super) fn nest(conn: &mut SqliteConnection, depth: u32) -> QueryResult<()> {
    run(conn, &Savepoint("SAVEPOINT nested_", depth))
}

/// Keeps or undoes what was done at this depth.
pub(super) fn end(conn: &mut SqliteConnection, depth: u32, kept: bool) -> QueryResult<()> {
    match (depth.saturating_sub(1), kept) {
        (0, true) => run(conn, &Commit),
        (0, false) => run(conn, &Rollback),
        (outer, true) => run(conn, &Savepoint("RELEASE SAVEPOINT nested_", outer)),
        (outer, false) => run(conn, &Savepoint("ROLLBACK TO SAVEPOINT nested_", outer)),
    }
}

/// Creates the file readable by its owner only; SQLite gives its side files the same mode.
fn create_private(path: &Path) -> Result<(), DbError> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(DbError::Unavailable(error.into())),
    }
}
