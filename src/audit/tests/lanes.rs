//! Writers that do not meet: lanes under concurrency, roll-backs, and several processes.

use super::*;
use crate::db::testing::{again, postgres};

fn last_n(db: &Db) -> Vec<i64> {
    lanes(db, "n").into_iter().map(|(_, n)| n).collect()
}

#[test]
fn eight_writers_at_once_leave_a_trail_that_is_whole_with_as_many_lanes_as_they_were_at_most() {
    each(|db| {
        let keys = Keys::ephemeral();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| fill(db, &keys, "n", 50));
            }
        });
        assert!(lanes(db, "n").len() <= 8, "{:?}", lanes(db, "n"));
        sealed(db, &keys);
        let found = report(db, &keys);
        assert!(found.is_whole() && (found.nodes[0].intact, found.nodes[0].unsealed) == (400, 0), "{found}");
    });
}

#[test]
fn a_writer_neither_waits_for_another_nor_conflicts_with_it() {
    // SQLite has one writer at a time, whatever it writes.
    postgres(|db| {
        let keys = Keys::ephemeral();
        let serializable = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
        // The first has recorded and is not done: the second records and is.
        db.write(|first| {
            first.batch(serializable)?;
            record(first, &keys, "n", &clock(), &event(1))?;
            db.write(|second| {
                second.batch(serializable)?;
                record(second, &keys, "n", &clock(), &event(2))
            })?;
            record(first, &keys, "n", &clock(), &event(3))
        })
        .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    (0..25).for_each(|n| {
                        db.write(|conn| {
                            conn.batch(serializable)?;
                            let denied = Event::new(EventKind::Denied, "denied").by(Some(ObjectId(1)), "Ann");
                            record(conn, &keys, "n", &clock(), &event(n))?;
                            record(conn, &keys, "n", &clock(), &denied)
                        })
                        .unwrap();
                    });
                });
            }
        });
        let found = report(db, &keys);
        assert!(found.is_whole() && found.nodes[0].intact == 403, "{found}");
    });
}

#[test]
fn what_is_undone_leaves_no_gap_in_a_transaction_in_a_savepoint_or_after_a_panic() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 1);
        let undone: Result<(), AuditError> = db.write(|conn| {
            (0..3).try_for_each(|n| record(conn, &keys, "n", &clock(), &event(n)))?;
            Err(DbError::Refused("no".into()).into())
        });
        assert!(undone.is_err());
        db.write(|conn| {
            record(conn, &keys, "n", &clock(), &event(1))?;
            for _ in 0..2 {
                let inner: Result<(), AuditError> = conn.savepoint(|conn| {
                    record(conn, &keys, "n", &clock(), &event(2))?;
                    let innermost = conn.savepoint(|conn| record(conn, &keys, "n", &clock(), &event(3)));
                    assert!(innermost.is_ok());
                    Err(DbError::Refused("no".into()).into())
                });
                assert!(inner.is_err());
            }
            conn.savepoint(|conn| record(conn, &keys, "n", &clock(), &event(4)))?;
            record(conn, &keys, "n", &clock(), &event(5))
        })
        .unwrap();
        assert_eq!(last_n(db), [4]);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _: Result<(), AuditError> = db.write(|conn| {
                record(conn, &keys, "n", &clock(), &event(6))?;
                panic!("on purpose")
            });
        }));
        assert!(panicked.is_err());
        fill(db, &keys, "n", 2);
        let found = report(db, &keys);
        assert!(found.is_whole() && found.nodes[0].intact == 6, "{found}");
    });
}

#[test]
fn a_read_transaction_records_nothing() {
    each(|db| {
        let keys = Keys::ephemeral();
        assert!(db.read(|conn| record(conn, &keys, "n", &clock(), &event(1))).is_err());
        assert!(lanes(db, "n").is_empty());
    });
}

#[test]
fn two_nodes_and_two_processes_of_one_name_write_lanes_of_their_own() {
    each(|db| {
        let keys = Keys::ephemeral();
        let other = again(db);
        std::thread::scope(|scope| {
            scope.spawn(|| fill(db, &keys, "a", 30));
            scope.spawn(|| fill(&other, &keys, "b", 30));
            scope.spawn(|| fill(&other, &keys, "a", 30));
        });
        other.close();
        seal(db, &keys, Unsealed::All).unwrap();
        let found = report(db, &keys);
        let counts: Vec<_> = found.nodes.iter().map(|node| (node.node.as_str(), node.intact, node.unsealed)).collect();
        assert!(found.is_whole(), "{found}");
        assert_eq!(counts, [("a", 60, 0), ("b", 30, 0)]);
    });
}

#[test]
fn of_two_records_in_one_place_the_database_takes_one_and_the_writer_goes_on_elsewhere() {
    each(|db| {
        let keys = Keys::ephemeral();
        fill(db, &keys, "n", 1);
        let lane = lane(db, "n");
        tamper(
            db,
            "INSERT INTO audit_record (node, lane, n, at, severity, event, summary, details, previous_hash, hash) \
             SELECT node, lane, 2, at, severity, event, summary, details, hash, 'forged' FROM audit_record",
        );
        let refused = db.write(|conn| record(conn, &keys, "n", &clock(), &event(2)));
        assert!(matches!(refused, Err(AuditError::Db(DbError::Unique { .. }))), "{refused:?}");
        fill(db, &keys, "n", 2);
        assert_eq!(lanes(db, "n").len(), 2, "the place that was taken is not tried again");
        assert_eq!(fault(db, &keys), Some(Fault::Altered(At { lane, n: 2 })));
    });
}
