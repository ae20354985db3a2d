//! Databases for tests: a fresh one per test, of every kind that this machine has.

pub mod cluster;

use super::{Db, DbTarget};
use crate::config::Secret;

/// Runs a test on a fresh SQLite database, and on a fresh PostgreSQL database where one can be had.
pub fn each(test: impl Fn(&Db)) {
    sqlite(|db| test(db));
    postgres(|db| test(db));
}

/// Runs a test on a fresh SQLite database with the system tables.
pub fn sqlite(test: impl FnOnce(&Db)) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&DbTarget::Sqlite(dir.path().join("test.db")), 4).unwrap();
    db.migrate().unwrap();
    test(&db);
}

/// Runs a test on a fresh PostgreSQL database with the system tables, or skips it visibly.
///
/// As in production: who logs in owns nothing and may nothing by itself.
pub fn postgres(test: impl FnOnce(&Db)) {
    let Some(cluster) = cluster::shared() else { return };
    let (login, owner) = cluster.served_database();
    let db = Db::owned(&postgres_target(login), Some(&postgres_target(owner.clone())), 4).unwrap();
    db.migrate().unwrap();
    test(&db);
    db.close();
    cluster.remove(&owner);
}

/// The same database, as another process has it.
pub fn again(db: &Db) -> Db {
    Db::open(db.target(), 4).unwrap()
}

/// A database at a URL.
pub fn postgres_target(url: String) -> DbTarget {
    DbTarget::Postgres(Secret::new(url))
}
