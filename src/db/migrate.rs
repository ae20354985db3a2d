//! Brings the system tables up to date; the model's tables are the synchroniser's work.

use super::error::forbids;
use super::roles::Roles;
use super::sql::{Params, Sql, fetch};
use super::{Conn, DbError, Dialect, Wire};
use crate::domain::{Kind, Value};
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
/// The advisory lock that keeps two nodes from migrating at once ("portcull" in ASCII).
const LOCK: i64 = 0x706f_7274_6375_6c6c;
/// A migration takes as long as its tables are large, and so does the wait for another node's.
const UNHURRIED: &str = "SET statement_timeout = 0; SET lock_timeout = '10min'";

/// Runs every migration that has not run yet, each in its own transaction, and brings the roles of PostgreSQL up to
/// date for whom the server logs in as. Call it outside of a transaction, as the owner of the schema.
pub(super) fn migrate(conn: &mut Conn, login: Option<&(Roles, String)>) -> Result<(), DbError> {
    run_pending(conn, login)?;
    super::upgrade::name_accounts(conn)
}

fn run_pending(conn: &mut Conn, login: Option<&(Roles, String)>) -> Result<(), DbError> {
    match conn.wire() {
        Wire::Sqlite(c, _) => c.run_pending_migrations(SQLITE).map(drop).map_err(told),
        Wire::Pg(c, _) => {
            // All or nothing of one message: limits are off only where the lock was had.
            c.batch_execute(&format!("{UNHURRIED}; SELECT pg_advisory_lock({LOCK}); RESET lock_timeout"))?;
            let done = c.run_pending_migrations(POSTGRES).map(drop).map_err(told);
            let done = done.and_then(|()| match login {
                Some((roles, login)) => Ok(c.batch_execute(&roles.statements(login))?),
                None => Ok(()),
            });
            c.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK}); RESET statement_timeout"))?;
            done
        }
    }
}

/// Runs the migrations that come before this one.
#[cfg(test)]
pub(super) fn before(conn: &mut Conn, first: &str) -> Result<(), DbError> {
    fn run<DB: Backend>(c: &mut impl MigrationHarness<DB>, all: EmbeddedMigrations, first: &str) -> Result<(), DbError> {
        let pending = c.pending_migrations(all).map_err(told)?;
        let mut earlier = pending.iter().filter(|one| one.name().to_string().as_str() < first);
        earlier.try_for_each(|one| c.run_migration(one).map(drop).map_err(told))
    }
    match conn.wire() {
        Wire::Sqlite(c, _) => run::<Sqlite>(c, SQLITE, first),
        Wire::Pg(c, _) => run::<Pg>(c, POSTGRES, first),
    }
}

/// A migration's error says which one failed `with: ` what the database said.
fn told(error: Box<dyn std::error::Error + Send + Sync>) -> DbError {
    let text = error.to_string();
    let said = text.split_once("with: ").map_or(text.as_str(), |(_, said)| said);
    if forbids(said) { DbError::Forbidden(error) } else { DbError::Other(error) }
}

/// The names of the migrations that have not run yet.
pub(super) fn pending(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let all = known(conn.dialect())?;
    let done = applied(conn)?;
    // A migration's version is what its name begins with; Diesel notes it without its dashes.
    Ok(all.into_iter().filter(|name| !done.iter().any(|version| name.split('_').next() == Some(version))).collect())
}

/// The migrations that ran and that this program does not know: a newer one made them.
pub(super) fn unknown(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let all = known(conn.dialect())?;
    let done = applied(conn)?;
    Ok(done.into_iter().filter(|version| !all.iter().any(|name| name.split('_').next() == Some(version))).collect())
}

fn known(dialect: Dialect) -> Result<Vec<String>, DbError> {
    match dialect {
        Dialect::Sqlite => names::<Sqlite>(&SQLITE),
        Dialect::Postgres => names::<Pg>(&POSTGRES),
    }
}

fn names<DB: Backend>(all: &EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    let all = MigrationSource::<DB>::migrations(all).map_err(DbError::Other)?;
    Ok(all.iter().map(|one| one.name().to_string()).collect())
}

/// The versions that are noted. Diesel's own question would make the table of notes, which only the owner may.
fn applied(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let never = chrono::NaiveDateTime::default();
    let nobody = Params::new(None, never, never.date());
    let mut known = Sql::new();
    known.raw_by(
        "SELECT count(*) FROM sqlite_master WHERE name = '__diesel_schema_migrations'",
        "SELECT count(to_regclass('__diesel_schema_migrations'))",
    );
    let mut noted = Sql::new();
    noted.raw("SELECT version FROM __diesel_schema_migrations");
    if fetch(conn, &known, &nobody, &[Kind::INTEGER])? != [[Value::Integer(1)]] {
        return Ok(Vec::new());
    }
    let rows = fetch(conn, &noted, &nobody, &[Kind::Text])?;
    let version = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(text)) => Some(text.to_string()),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(version).collect())
}
