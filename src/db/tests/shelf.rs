//! What is generated stands on the connection that needs it, and what is held to be there is there.

use super::guard::{filled, forbidden};
use super::noon;
use super::standing::{ask, employee, params, read_as, sql, standing, write_as};
use crate::db::conn::MOST_PREPARED;
use crate::db::shelf::MOST_TEXT;
use crate::db::sql::execute;
use crate::db::{Conn, Db, DbError, Object, ObjectKind, Piece, Purpose, Reach, Standing, set_id};
use std::sync::Arc;

/// The temporary objects where users' reads run, or where the transaction does.
fn temporary(conn: &mut Conn) -> Vec<String> {
    let names = "SELECT name FROM sqlite_temp_master ORDER BY name";
    match conn.lent() {
        Some(line) => line.acting(crate::db::admit::Authority::System, |line| ask(line, names)).unwrap(),
        None => ask(conn, names).unwrap(),
    }
}

#[test]
fn what_a_set_reads_stands_on_its_connection_and_neither_in_the_file_nor_on_others() {
    filled(|db| {
        db.read(|conn| {
            let read = |conn: &mut Conn| {
                conn.within(&standing(employee(), 1), Purpose::Read, |conn| ask(conn, "SELECT m_name FROM {r}"))
            };
            assert_eq!(read(conn)?, ["Ada", "Bob"]);
            assert_eq!(temporary(conn).len(), 2, "the views of the employee");
            assert!(conn.shelf_faults()?.is_empty(), "{:?}", conn.shelf_faults());
            assert_eq!(ask(conn, "SELECT name FROM sqlite_temp_master")?, [""; 0], "the system's own connection");
            assert_eq!(ask(conn, "SELECT name FROM sqlite_master WHERE type = 'view'")?, [""; 0]);
            let before = db.statements();
            assert_eq!(read(conn)?, ["Ada", "Bob"]);
            assert_eq!(db.statements() - before, 1, "what is there is not made again");
            Ok::<_, DbError>(())
        })
        .unwrap();
        db.read(|conn| {
            conn.within(&standing(employee(), 1), Purpose::Read, |_| Ok::<_, DbError>(()))?;
            assert_eq!(temporary(conn).len(), 2, "the next who is lent it finds them");
            let line = conn.lent().unwrap();
            let refused = line.acting(crate::db::admit::Authority::Owner, |line| line.batch("UPDATE hr_note SET text = 'x'"));
            assert!(refused.is_err(), "and it refuses writes as before");
            Ok::<_, DbError>(())
        })
        .unwrap();
    });
}

#[test]
fn what_was_made_in_a_savepoint_or_transaction_that_was_undone_stands_before_the_next_write() {
    filled(|db| {
        let set = standing(employee(), 1);
        let write = |conn: &mut Conn, id: i64| {
            let text = format!("UPDATE hr_employee SET name = 'x' WHERE id = {id}");
            conn.within(&set, Purpose::Write, |conn| execute(conn, &sql(&text), &params()))
        };
        for _ in 0..2 {
            let undone: Result<(), DbError> = db.write(|conn| {
                let inner: Result<(), DbError> = conn.savepoint(|conn| {
                    assert_eq!(write(conn, 1)?, 1);
                    assert!(!temporary(conn).is_empty());
                    Err(DbError::Refused("undone".into()))
                });
                assert!(matches!(inner, Err(DbError::Refused(_))));
                assert!(conn.shelf_faults()?.is_empty(), "{:?}", conn.shelf_faults());
                forbidden(write(conn, 2), "the trigger looks at it again");
                assert_eq!(write(conn, 1)?, 1);
                Err(DbError::Refused("all of it".into()))
            });
            assert!(matches!(undone, Err(DbError::Refused(_))));
            db.write(|conn| {
                assert!(conn.shelf_faults()?.is_empty(), "{:?}", conn.shelf_faults());
                assert!(!temporary(conn).is_empty(), "it was made again outside of the transaction");
                forbidden(write(conn, 2), "after the rollback");
                Ok::<_, DbError>(())
            })
            .unwrap();
        }
        forbidden(write_as(db, "UPDATE hr_employee SET name = 'x' WHERE id = 2"), "the trigger's word");
        assert_eq!(db.read(|conn| ask(conn, "SELECT name FROM hr_employee WHERE id < 3 ORDER BY id")).unwrap(), ["Ada", "Bob"]);
    });
}

#[test]
fn many_sets_on_one_connection_stay_within_its_bound_and_each_reads_its_own() {
    filled(|db| {
        let longest = "x".repeat(MOST_TEXT / 8);
        let one = |n: usize| {
            let id = set_id(&format!("set {n}"));
            let name = format!("r_{id}_note");
            let text = format!("CREATE TEMP VIEW `{name}` AS SELECT id, '{n}' AS n, '{longest}' AS more FROM main.hr_note");
            let piece = Piece {
                id: id.clone(),
                objects: vec![Object { name: name.clone(), kind: ObjectKind::View, text }],
                needs: Vec::new(),
            };
            let reach = Reach::default();
            reach.give(&Arc::new(piece));
            (Standing { rights: id.clone(), set: id, user: None, now: noon(), reach: Arc::new(reach), watch: None }, name)
        };
        let all: Vec<_> = (0..30).map(one).collect();
        let read = |db: &Db, of: usize, view: usize| {
            let text = format!("SELECT n FROM {{{}}} LIMIT 1", all[view].1);
            db.read(|conn| {
                let found = conn.within(&all[of].0, Purpose::Read, |conn| ask(conn, &text));
                assert!(temporary(conn).len() <= 8, "{:?}", temporary(conn));
                assert!(conn.shelf_faults()?.is_empty());
                found
            })
        };
        for _ in 0..2 {
            for n in 0..30 {
                assert_eq!(read(db, n, n).unwrap(), [n.to_string()]);
                let foreign = read(db, n, (n + 29) % 30);
                super::guard::forbidden_or_unknown(foreign, "a view that stands here for another set");
            }
        }
        assert_eq!(read_as(db, employee(), 1, "SELECT m_name FROM {r} ORDER BY id").unwrap(), ["Ada", "Bob"]);
    });
}

#[test]
fn a_connection_keeps_a_bounded_number_of_statements_prepared_and_those_that_are_used() {
    crate::db::testing::each(|db| {
        let asked = |n: usize| db.read(|conn| ask(conn, &format!("SELECT CAST('question {n}' AS TEXT)"))).unwrap();
        let prepared = |from: usize, to: usize| {
            let before = db.prepared();
            (from..to).for_each(|n| assert_eq!(asked(n), [format!("question {n}")]));
            usize::try_from(db.prepared() - before).unwrap()
        };
        let few = MOST_PREPARED / 2;
        assert!(prepared(0, few) >= few);
        assert_eq!(prepared(0, few), 0, "what is asked again is there");
        let many = MOST_PREPARED * 3;
        assert!(prepared(few, many) >= many - few);
        assert!(prepared(0, few) >= few, "what was asked long before is not");
        // All of them go at once now and then; so few are kept after that.
        assert!((0..2).any(|_| prepared(0, few) == 0), "what is asked again is there");
    });
}

#[test]
fn on_postgresql_too_a_connection_keeps_a_bounded_number_of_statements_prepared() {
    crate::db::testing::postgres(|db| {
        let most = crate::db::conn::MOST_PREPARED_THERE;
        let mut most_seen = 0;
        for n in 0..most * 4 {
            let (asked, kept) = db
                .read(|conn| {
                    let asked = ask(conn, &format!("SELECT 'question {n}'"))?;
                    Ok::<_, DbError>((asked, ask(conn, "SELECT count(*)::text FROM pg_prepared_statements")?))
                })
                .unwrap();
            assert_eq!(asked, [format!("question {n}")]);
            most_seen = most_seen.max(kept[0].parse::<usize>().unwrap());
        }
        assert!(most_seen > 10, "they are kept: {most_seen}");
        assert!(most_seen <= most + 2, "and not for ever: {most_seen}");
    });
}
