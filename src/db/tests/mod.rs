//! The wire, on both databases.

mod attacks;
mod concurrent;
mod guard;
mod guards;
mod literal;
mod roles;
mod shelf;
mod speed;
mod standing;

use super::schema::{account, account_role, setting};
use super::testing::{cluster, each, postgres, sqlite};
use super::*;
use crate::config::Secret;
use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

fn noon() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_milli_opt(12, 0, 0, 7).unwrap()
}

fn add_account(conn: &mut Conn, email: &str) -> Result<i64, DbError> {
    let at = Moment(noon());
    let row = (account::name.eq("A"), account::email.eq(email), account::created.eq(at), account::changed.eq(at));
    Ok(on!(conn, |c| diesel::insert_into(account::table).values(row).returning(account::id).get_result(c))?)
}

fn put(conn: &mut Conn, key: &str, value: &str) -> Result<usize, DbError> {
    let row = (setting::key.eq(key), setting::value.eq(value));
    Ok(on!(conn, |c| diesel::insert_into(setting::table).values(row).execute(c))?)
}

fn settings(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    Ok(on!(conn, |c| setting::table.select(setting::key).order(setting::key).load(c))?)
}

#[test]
fn moments_and_rows_come_back_as_they_were_stored() {
    each(|db| {
        let id = db.write(|conn| add_account(conn, "a@example.org")).unwrap();
        let (at, seen, active): (Moment, Option<Moment>, bool) = db
            .read(|conn| {
                let row = account::table.find(id).select((account::created, account::last_seen, account::active));
                Ok::<_, DbError>(on!(conn, |c| row.first(c))?)
            })
            .unwrap();
        assert_eq!((at.0, seen, active), (noon(), None, false));
    });
}

#[test]
fn a_failed_transaction_leaves_nothing_and_a_failed_savepoint_only_what_was_before_it() {
    each(|db| {
        let failed: Result<(), DbError> = db.write(|conn| {
            put(conn, "a", "1")?;
            Err(DbError::Refused("no".into()))
        });
        assert!(failed.is_err());
        db.write(|conn| {
            put(conn, "b", "1")?;
            let inner: Result<(), DbError> = conn.savepoint(|conn| {
                put(conn, "c", "1")?;
                put(conn, "b", "again").map(drop)
            });
            assert!(matches!(inner, Err(DbError::Unique { .. })));
            put(conn, "d", "1")
        })
        .unwrap();
        assert_eq!(db.read(settings).unwrap(), ["b", "d"]);
    });
}

#[test]
fn a_panic_inside_a_transaction_leaves_nothing_and_no_broken_connection_in_the_pool() {
    each(|db| {
        for _ in 0..6 {
            let run = std::panic::AssertUnwindSafe(|| {
                let _: Result<(), DbError> = db.write(|conn| {
                    put(conn, "half", "1")?;
                    panic!("on purpose")
                });
            });
            assert!(std::panic::catch_unwind(run).is_err());
        }
        assert!(db.read(settings).unwrap().is_empty());
        assert_eq!(db.write(|conn| put(conn, "whole", "1")).unwrap(), 1);
    });
}

#[test]
fn a_read_cannot_write() {
    each(|db| {
        assert!(db.read(|conn| put(conn, "a", "1")).is_err());
        assert!(db.read(|conn| conn.batch("CREATE TABLE sneaky (id INTEGER)")).is_err());
        assert!(db.read(settings).unwrap().is_empty());
    });
}

#[test]
fn a_read_sees_one_state_however_long_it_takes() {
    each(|db| {
        db.read(|conn| {
            assert!(settings(conn)?.is_empty());
            db.write(|other| put(other, "late", "1"))?;
            assert!(settings(conn)?.is_empty(), "the state changed under a read");
            Ok::<_, DbError>(())
        })
        .unwrap();
        assert_eq!(db.read(settings).unwrap(), ["late"]);
    });
}

#[test]
fn a_unique_violation_names_the_columns_and_never_the_values() {
    each(|db| {
        db.write(|conn| add_account(conn, "a@example.org")).unwrap();
        let error = db.write(|conn| add_account(conn, "a@example.org")).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, DbError::Unique { columns, .. } if columns == ["email"]), "{text}");
        assert!(!text.contains("example.org"));
        let twice = db.write(|conn| {
            let id = add_account(conn, "b@example.org")?;
            for _ in 0..2 {
                let row = (
                    account_role::account_id.eq(id),
                    account_role::user_role.eq("Employee"),
                    account_role::granted_at.eq(Moment(noon())),
                );
                on!(&mut *conn, |c| diesel::insert_into(account_role::table).values(row).execute(c))?;
            }
            Ok::<_, DbError>(())
        });
        assert!(matches!(twice, Err(DbError::Unique { columns, .. }) if columns == ["account_id", "user_role"]));
    });
}

#[test]
fn a_missing_reference_and_a_mixed_case_address_are_refused() {
    each(|db| {
        let orphan = db.write(|conn| {
            let row =
                (account_role::account_id.eq(99), account_role::user_role.eq("X"), account_role::granted_at.eq(Moment(noon())));
            Ok::<_, DbError>(on!(conn, |c| diesel::insert_into(account_role::table).values(row).execute(c))?)
        });
        assert!(matches!(orphan, Err(DbError::ForeignKey(_))), "{orphan:?}");
        assert!(matches!(db.write(|conn| add_account(conn, "A@example.org")), Err(DbError::Other(_))));
    });
}

#[test]
fn every_statement_is_counted_and_a_closed_database_runs_none() {
    each(|db| {
        let before = db.statements();
        db.read(settings).unwrap();
        assert!(db.statements() > before);
        db.close();
        let closed = db.statements();
        assert!(matches!(db.read(settings), Err(DbError::Unavailable(_))));
        assert!(matches!(db.write(|conn| put(conn, "a", "1")), Err(DbError::Unavailable(_))));
        assert_eq!(db.statements(), closed);
        db.reopen().unwrap();
        assert!(db.read(settings).unwrap().is_empty());
    });
}

#[test]
fn migrations_run_once_and_from_many_nodes_at_once() {
    each(|db| {
        assert!(db.pending_migrations().unwrap().is_empty());
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| db.migrate())).collect();
            all.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
    });
    if let Some(cluster) = cluster::shared() {
        let target = DbTarget::Postgres(Secret::new(cluster.database()));
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..3).map(|_| scope.spawn(|| Db::open(&target, 2).unwrap().migrate())).collect();
            all.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
    }
}

#[test]
fn writers_queue_instead_of_failing() {
    each(|db| {
        std::thread::scope(|scope| {
            for writer in 0..4 {
                scope.spawn(move || {
                    (0..10).for_each(|n| assert_eq!(db.write(|c| put(c, &format!("{writer}-{n}"), "")).unwrap(), 1))
                });
            }
        });
        assert_eq!(db.read(settings).unwrap().len(), 40);
    });
}

#[test]
fn a_lock_held_by_another_process_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let target = DbTarget::Sqlite(dir.path().join("x.db"));
    let (one, other) = (Db::open(&target, 2).unwrap(), Db::open(&target, 2).unwrap());
    one.migrate().unwrap();
    one.write(|_| {
        let refused = other.write(|conn| {
            conn.batch("SELECT 1")?;
            Ok::<_, DbError>(())
        });
        assert!(matches!(refused, Err(DbError::Busy(_))), "{refused:?}");
        Ok::<_, DbError>(())
    })
    .unwrap();
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_nothing_half_done() {
    sqlite(|db| {
        let full: Result<(), DbError> = db.write(|conn| {
            conn.batch("PRAGMA max_page_count = 60")?;
            put(conn, "first", "1")?;
            put(conn, "big", &"x".repeat(2_000_000)).map(drop)
        });
        assert!(matches!(full, Err(DbError::Full(_))), "{full:?}");
        assert!(db.read(settings).unwrap().is_empty());
    });
}

#[test]
fn a_database_that_cannot_be_reached_is_unavailable_within_seconds() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://u@127.0.0.1:{nobody}/x");
    let start = crate::clock::Clock::system();
    let before = start.instant();
    assert!(matches!(Db::open(&DbTarget::Postgres(Secret::new(url)), 2), Err(DbError::Unavailable(_))));
    assert!(start.instant() - before < std::time::Duration::from_secs(5));
    let folder = DbTarget::Sqlite("/nonexistent/folder/x.db".into());
    assert!(matches!(Db::open(&folder, 2), Err(DbError::Unavailable(_))));
}

#[test]
fn a_restarted_server_is_used_again_without_a_restart_here() {
    let Some(cluster) = cluster::available(cluster::Cluster::start()) else { return };
    let db = Db::open(&DbTarget::Postgres(Secret::new(cluster.database())), 3).unwrap();
    db.migrate().unwrap();
    db.write(|conn| put(conn, "kept", "1")).unwrap();
    cluster.down().unwrap();
    let down = db.read(settings);
    assert!(matches!(down, Err(DbError::Unavailable(_))), "{down:?}");
    cluster.up().unwrap();
    assert_eq!(db.read(settings).unwrap(), ["kept"]);
}

#[test]
fn a_server_that_dies_under_a_transaction_is_unavailable_and_nothing_of_it_stays() {
    let Some(cluster) = cluster::available(cluster::Cluster::start()) else { return };
    let db = Db::open(&DbTarget::Postgres(Secret::new(cluster.database())), 3).unwrap();
    db.migrate().unwrap();
    let died: Result<(), DbError> = db.write(|conn| {
        put(conn, "half", "1")?;
        cluster.down().unwrap();
        put(conn, "other half", "1").map(drop)
    });
    assert!(matches!(died, Err(DbError::Unavailable(_))), "{died:?}");
    cluster.up().unwrap();
    assert!(db.read(settings).unwrap().is_empty());
}

#[test]
fn statements_that_stop_by_a_limit_are_busy() {
    postgres(|db| {
        let slow = db.write(|conn| conn.batch("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)"));
        assert!(matches!(slow, Err(DbError::Busy(_))), "{slow:?}");
    });
}

#[cfg(unix)]
#[test]
fn the_database_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    Db::open(&DbTarget::Sqlite(path.clone()), 1).unwrap().migrate().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

#[test]
fn tls_that_was_asked_for_is_never_left_out() {
    let Some(cluster) = cluster::shared() else { return };
    let url = format!("{}?sslmode=require", cluster.database());
    assert!(matches!(Db::open(&DbTarget::Postgres(Secret::new(url)), 1), Err(DbError::Unavailable(_))));
}

#[test]
fn an_acknowledged_write_is_on_disk_and_a_reading_connection_is_read_only() {
    use super::sql::{Params, Sql, fetch};
    use crate::domain::{Kind, Value};
    sqlite(|db| {
        let params = Params::new(None, noon(), noon().date());
        let ask = |conn: &mut Conn, pragma: &'static str| fetch(conn, Sql::new().raw(pragma), &params, &[Kind::INTEGER]);
        let integer = |n| vec![vec![Value::Integer(n)]];
        db.write(|conn| {
            assert_eq!(ask(conn, "PRAGMA synchronous")?, integer(2));
            assert_eq!(ask(conn, "PRAGMA foreign_keys")?, integer(1));
            let mode = fetch(conn, Sql::new().raw("PRAGMA journal_mode"), &params, &[Kind::Text])?;
            assert_eq!(mode, [[Value::text("wal")]]);
            Ok::<_, DbError>(())
        })
        .unwrap();
        assert_eq!(db.read(|conn| ask(conn, "PRAGMA query_only")).unwrap(), integer(1));
    });
}

#[test]
fn what_was_written_is_there_after_the_last_connection_is_gone() {
    each(|db| {
        db.write(|conn| put(conn, "kept", "1")).unwrap();
        db.close();
        db.reopen().unwrap();
        assert_eq!(db.read(settings).unwrap(), ["kept"]);
    });
}

#[test]
fn whoever_waits_too_long_for_a_connection_is_told_that_the_database_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&DbTarget::Sqlite(dir.path().join("x.db")), 1).unwrap();
    db.migrate().unwrap();
    let waited = db.write(|_| Ok::<_, DbError>(db.write(|conn| put(conn, "a", "1")))).unwrap();
    assert!(matches!(waited, Err(DbError::Busy(_))), "{waited:?}");
    assert_eq!(db.write(|conn| put(conn, "a", "1")).unwrap(), 1);
}
