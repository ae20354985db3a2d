//! Writers at the same moment: the outcome is that of one after the other.

use super::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a piece of work says, and no error of the database.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Full,
    Database(String),
}

impl From<DbError> for Said {
    fn from(error: DbError) -> Self {
        Self::Database(error.to_string())
    }
}

/// Lets all threads come to the same place in their first run, and none wait in a later one.
struct Meeting {
    together: Barrier,
    /// One writer at a time: whoever waits inside a transaction would wait for ever.
    serial: bool,
}

impl Meeting {
    fn of(db: &Db, threads: usize) -> Self {
        Self { together: Barrier::new(threads), serial: db.dialect() == Dialect::Sqlite }
    }
    fn meet(&self, runs: u32) {
        if runs == 1 && !self.serial {
            self.together.wait();
        }
    }
}

/// Runs this many threads at once.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn what_a_write_saw_is_true_when_it_is_kept() {
    each(|db| {
        let meeting = Meeting::of(db, 4);
        let done = at_once(4, |thread| {
            let mut runs = 0;
            db.write(|conn| {
                runs += 1;
                let there = settings(conn)?.len();
                meeting.meet(runs);
                if there > 0 {
                    return Err(Said::Full);
                }
                Ok(put(conn, &thread.to_string(), "")?)
            })
        });
        assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
        assert_eq!(done.iter().filter(|one| **one == Err(Said::Full)).count(), 3, "{done:?}");
        assert_eq!(db.read(settings).unwrap().len(), 1);
        if db.dialect() == Dialect::Postgres {
            let contention = db.contention();
            assert!(contention.retries >= 3 && contention.given_up == 0, "{contention:?}");
        }
    });
}

#[test]
fn a_count_that_many_change_at_once_loses_nothing() {
    each(|db| {
        db.write(|conn| put(conn, "count", "0")).unwrap();
        at_once(4, |_| {
            for _ in 0..5 {
                db.write(|conn| {
                    let found: String = on!(&mut *conn, |c| setting::table.find("count").select(setting::value).first(c))?;
                    let next = (found.parse::<u32>().unwrap() + 1).to_string();
                    Ok::<_, DbError>(on!(conn, |c| {
                        diesel::update(setting::table.find("count")).set(setting::value.eq(next)).execute(c)
                    })?)
                })
                .unwrap();
            }
        });
        let counted: String = db
            .read(|conn| Ok::<_, DbError>(on!(conn, |c| setting::table.find("count").select(setting::value).first(c))?))
            .unwrap();
        assert_eq!(counted, "20");
    });
}

#[test]
fn of_many_who_change_the_same_row_again_and_again_nobody_is_given_up() {
    postgres(|db| {
        db.write(|conn| put(conn, "row", "0")).unwrap();
        at_once(12, |_| {
            for _ in 0..8 {
                db.write(|conn| {
                    let found: String = on!(&mut *conn, |c| setting::table.find("row").select(setting::value).first(c))?;
                    // Time for the others to come.
                    std::thread::yield_now();
                    change(conn, &(found.parse::<u32>().unwrap() + 1).to_string())
                })
                .unwrap();
            }
        });
        let counted: String =
            db.read(|conn| Ok::<_, DbError>(on!(conn, |c| setting::table.find("row").select(setting::value).first(c))?)).unwrap();
        let contention = db.contention();
        assert_eq!((counted.as_str(), contention.given_up), ("96", 0), "{contention:?}");
        assert!(contention.retries > 0, "{contention:?}");
    });
}

/// Changes a row by another connection, so that a transaction that read it before cannot change it any more.
fn disturb(db: &Db, run: u32) {
    let value = format!("disturbed {run}");
    db.write_unserialized(|conn| {
        Ok::<_, DbError>(on!(conn, |c| diesel::update(setting::table.find("row")).set(setting::value.eq(&value)).execute(c))?)
    })
    .unwrap();
}

fn change(conn: &mut Conn, value: &str) -> Result<usize, DbError> {
    Ok(on!(conn, |c| diesel::update(setting::table.find("row")).set(setting::value.eq(value)).execute(c))?)
}

#[test]
fn work_that_meets_others_again_and_again_is_given_up_after_a_bounded_number_of_runs() {
    postgres(|db| {
        db.write(|conn| put(conn, "row", "first")).unwrap();
        let mut runs = 0;
        let done: Result<usize, DbError> = db.write(|conn| {
            runs += 1;
            settings(conn)?;
            disturb(db, runs);
            put(conn, "other", "")?;
            change(conn, "mine")
        });
        assert!(matches!(done, Err(DbError::Contended { runs: 10 })), "{done:?}");
        assert!(done.unwrap_err().is_passing(), "a later try may succeed");
        let contention = db.contention();
        assert_eq!((runs, contention.retries, contention.given_up), (10, 9, 1));
        assert_eq!(db.read(settings).unwrap(), ["row"], "nothing of any run is there");
    });
}

#[test]
fn an_error_that_a_conflict_caused_reaches_nobody_whatever_it_was_made_into() {
    postgres(|db| {
        db.write(|conn| put(conn, "row", "first")).unwrap();
        let mut runs = 0;
        let done = db.write(|conn| {
            runs += 1;
            settings(conn)?;
            if runs < 3 {
                disturb(db, runs);
            }
            // A conflict is taken for a refusal of the work's own.
            change(conn, "mine").map_err(|_| Said::Full)
        });
        assert_eq!((done, runs), (Ok(1), 3));
    });
}

#[test]
fn work_that_does_not_mind_a_conflict_is_not_kept_without_what_failed() {
    postgres(|db| {
        db.write(|conn| put(conn, "row", "first")).unwrap();
        let mut runs = 0;
        db.write(|conn| {
            runs += 1;
            settings(conn)?;
            if runs == 1 {
                disturb(db, runs);
            }
            // Undone to here, the transaction could go on and be kept without the change.
            let _ = conn.savepoint(|conn| change(conn, "mine"));
            put(conn, &format!("run {runs}"), "")
        })
        .unwrap();
        assert_eq!(db.read(settings).unwrap(), ["row", "run 2"]);
    });
}

#[test]
fn of_two_that_wait_for_each_other_both_are_done() {
    each(|db| {
        db.write(|conn| {
            put(conn, "a", "")?;
            put(conn, "b", "")
        })
        .unwrap();
        let meeting = Meeting::of(db, 2);
        at_once(2, |thread| {
            let order = if thread == 0 { ["a", "b"] } else { ["b", "a"] };
            let mut runs = 0;
            db.write(|conn| {
                runs += 1;
                for (at, key) in order.iter().enumerate() {
                    on!(&mut *conn, |c| diesel::update(setting::table.find(*key)).set(setting::value.eq("x")).execute(c))?;
                    if at == 0 {
                        meeting.meet(runs);
                    }
                }
                Ok::<_, DbError>(())
            })
            .unwrap();
        });
    });
}

#[test]
fn an_error_of_the_works_own_is_told_at_once() {
    each(|db| {
        let runs = AtomicU32::new(0);
        let done: Result<(), Said> = db.write(|_| {
            runs.fetch_add(1, Ordering::SeqCst);
            Err(Said::Full)
        });
        assert_eq!((done, runs.into_inner()), (Err(Said::Full), 1));
        assert_eq!(db.contention().retries, 0);
    });
}

#[test]
fn an_unserialized_write_sees_what_others_committed_before_each_statement() {
    postgres(|db| {
        db.write_unserialized(|conn| {
            assert!(settings(conn)?.is_empty());
            db.write(|other| put(other, "late", ""))?;
            assert_eq!(settings(conn)?, ["late"]);
            Ok::<_, DbError>(())
        })
        .unwrap();
        db.write(|conn| {
            assert_eq!(settings(conn)?, ["late"]);
            db.write(|other| put(other, "later", ""))?;
            assert_eq!(settings(conn)?, ["late"], "a serialized write sees one state");
            Ok::<_, DbError>(())
        })
        .unwrap();
    });
}

#[test]
fn readers_never_make_a_write_run_again() {
    postgres(|db| {
        let reading = std::sync::atomic::AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while reading.load(Ordering::SeqCst) {
                    db.read(settings).unwrap();
                }
            });
            (0..50).for_each(|n| assert_eq!(db.write(|conn| put(conn, &n.to_string(), "")).unwrap(), 1));
            reading.store(false, Ordering::SeqCst);
        });
        assert_eq!(db.contention().retries, 0);
    });
}

/// Readers begin on two connections at once, which must be of one state, while writers commit.
#[test]
fn readers_and_writers_of_sqlite_do_not_wait_for_each_other_for_ever() {
    use super::standing::{ask, employee, fill, standing};
    sqlite(|db| {
        fill(db);
        db.write(|conn| conn.batch("DELETE FROM hr_note; INSERT INTO hr_note VALUES (1, 1, '0', 1)")).unwrap();
        let set = standing(employee(), 1);
        at_once(6, |n| {
            for round in 0..150 {
                if n % 3 == 0 {
                    let sql = Box::leak(format!("UPDATE hr_note SET text = '{n} {round}' WHERE id = 1").into_boxed_str());
                    db.write(|conn| conn.batch(sql)).unwrap();
                    continue;
                }
                let same = db.read(|conn| {
                    let before = ask(conn, "SELECT name FROM hr_employee WHERE id < 3 ORDER BY id")?;
                    let users = conn.within(&set, Purpose::Read, |conn| ask(conn, "SELECT m_name FROM {r} ORDER BY id"))?;
                    Ok::<_, DbError>(before == users)
                });
                assert!(same.unwrap());
            }
        });
    });
}
