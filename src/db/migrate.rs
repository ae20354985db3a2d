//! Brings the system tables up to date; the model's tables are the synchroniser's work.

use super::{Conn, DbError};
use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
/// The advisory lock that keeps two nodes from migrating at once ("portcull" in ASCII).
const LOCK: i64 = 0x706f_7274_6375_6c6c;

/// Runs every migration that has not run yet, each in its own transaction. Call it outside of one.
pub(super) fn migrate(conn: &mut Conn) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(drop).map_err(DbError::Other),
        Conn::Pg(c) => {
            c.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
            let done = c.run_pending_migrations(POSTGRES).map(drop).map_err(DbError::Other);
            c.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
            done
        }
    }
}

/// The names of the migrations that have not run yet.
pub(super) fn pending(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let names = match conn {
        Conn::Sqlite(c) => c.pending_migrations(SQLITE).map(|all| all.iter().map(|m| m.name().to_string()).collect()),
        Conn::Pg(c) => c.pending_migrations(POSTGRES).map(|all| all.iter().map(|m| m.name().to_string()).collect()),
    };
    names.map_err(DbError::Other)
}
