//! Locks that last as long as their process: they go with it, however it ends, and need no clock.
//!
//! Guarantees: of two processes at most one holds the same thing; a killed process holds nothing.
//! PostgreSQL: a lock of a session of its own, outside the pool, so it is lost with that session
//! ([`Hold::stands`] tells). SQLite: a lock on a file beside the database.
//! Deliberately not here: what a process that lost its hold may still do.

use super::pool::Db;
use super::postgres::{PgConn, Target};
use super::{Conn, DbError, DbTarget, Dialect};
use crate::crypto::sha256;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How soon PostgreSQL notices that the machine of a session is gone: 10 s without a word, then three questions.
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

diesel::define_sql_function!(
    /// Takes the lock, or says that somebody has it.
    fn pg_try_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool
);

/// Something that one process has for itself. Dropping it gives it back.
pub struct Hold(Held);

enum Held {
    /// The open file has the lock.
    File(#[allow(dead_code, reason = "kept open, never read")] File),
    /// The session has the lock. Nobody uses it; a connection is not for several threads.
    Session(#[allow(dead_code, reason = "kept open, never used")] Box<Mutex<PgConn>>, Arc<AtomicBool>),
}

impl Hold {
    /// Whether it is still held: a session that the database ended has lost it.
    pub fn stands(&self) -> bool {
        match &self.0 {
            Held::File(_) => true,
            Held::Session(_, gone) => !gone.load(Ordering::Acquire),
        }
    }

    /// Takes a whole SQLite file for this process; `None` when another has it. PostgreSQL has no such lock.
    pub fn file(target: &DbTarget) -> Result<Option<Self>, DbError> {
        let DbTarget::Sqlite(path) = target else {
            return Err(DbError::Refused("only an SQLite file is one process's own".into()));
        };
        let file = beside(path).map_err(|error| DbError::Unavailable(error.into()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Held::File(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(DbError::Unavailable(error.into())),
        }
    }
}

impl Db {
    /// Takes a name for this process among all that use this database; `None` when another has it.
    pub fn hold(&self, name: &str) -> Result<Option<Hold>, DbError> {
        let url = match self.target() {
            DbTarget::Postgres(url) => url,
            DbTarget::Sqlite(_) => return Hold::file(self.target()),
        };
        let (mut conn, _, gone) = Target::parse(url)?.connect()?;
        conn.batch_execute(KEEPALIVE)?;
        let taken: bool = diesel::select(pg_try_advisory_lock(key(name))).get_result(&mut conn)?;
        Ok(taken.then(|| Hold(Held::Session(Box::new(Mutex::new(conn)), gone))))
    }
}

impl Conn {
    /// Waits until no other transaction has taken this turn, but not longer than that; the end of the transaction gives
    /// it back. It may be kept for minutes, so the limit for waiting for a row does not apply. On SQLite a write transaction
    /// is alone anyway.
    pub fn take_turn(&mut self, turn: i64, longest: Duration) -> Result<(), DbError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let longest = longest.as_millis().clamp(1, 3_600_000);
        self.batch(&format!(
            "SET LOCAL lock_timeout = {longest}; SELECT pg_advisory_xact_lock({turn}); SET LOCAL lock_timeout TO DEFAULT"
        ))
    }
}

/// The number that stands for a name, far from the fixed ones of `migrate` and the synchroniser.
fn key(name: &str) -> i64 {
    let mut first = [0; 8];
    sha256(format!("portcullis hold {name}").as_bytes()).iter().zip(&mut first).for_each(|(from, to)| *to = *from);
    i64::from_be_bytes(first)
}

/// The lock file beside a database. The database's own file must not be opened: closing it again would
/// end the locks that SQLite itself has on it.
fn beside(path: &Path) -> std::io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing;

    #[test]
    fn of_two_processes_one_has_the_name_and_another_name_is_free() {
        testing::postgres(|db| {
            let first = db.hold("one").unwrap().expect("nobody has it");
            assert!(first.stands() && db.hold("one").unwrap().is_none());
            assert!(db.hold("two").unwrap().is_some());
            drop(first);
            // The database notices the end of a session a moment later.
            let again = (0..200).find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                db.hold("one").unwrap()
            });
            assert!(again.is_some());
        });
    }

    #[test]
    fn a_file_is_one_processes_own_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let target = DbTarget::Sqlite(dir.path().join("x.db"));
        let first = Hold::file(&target).unwrap().expect("nobody has it");
        assert!(first.stands() && Hold::file(&target).unwrap().is_none());
        drop(first);
        assert!(Hold::file(&target).unwrap().is_some());
    }
}
