//! How SQLite's guard holds authority apart: who has it, when it ends, what is prepared under it.

use super::standing::{ask, director, employee, fill, params, read_as, row_of, sql, standing};
use super::{noon, settings};
use crate::db::admit::is_generated;
use crate::db::schema::setting;
use crate::db::sql::{execute, fetch};
use crate::db::testing::sqlite;
use crate::db::{Conn, Db, DbError, DbTarget, Purpose, on, set_id};
use crate::domain::{Kind, ObjectId, Value};
use diesel::prelude::*;

pub(super) fn filled(test: impl FnOnce(&Db)) {
    sqlite(|db| {
        fill(db);
        test(db);
    });
}

pub(super) fn forbidden<T: std::fmt::Debug>(done: Result<T, DbError>, what: &str) {
    assert!(matches!(done, Err(DbError::Forbidden(_))), "{what}: {done:?}");
}

/// The guard's word, or SQLite does not know the column or table at all: the view does not have it.
pub(super) fn forbidden_or_unknown(done: Result<Vec<String>, DbError>, what: &str) {
    let unknown = matches!(&done, Err(DbError::Other(error)) if error.to_string().starts_with("no such ")
        || error.to_string().starts_with("cannot VACUUM"));
    assert!(unknown || matches!(done, Err(DbError::Forbidden(_))), "{what}: {done:?}");
}

#[test]
fn a_set_reads_its_own_views_with_the_callers_values_and_nothing_else() {
    filled(|db| {
        let salaries =
            |user| read_as(db, employee(), user, "SELECT m_name || ':' || coalesce(m_salary, '-') FROM {r} ORDER BY id");
        assert_eq!(salaries(1).unwrap(), ["Ada:one", "Bob:-"]);
        assert_eq!(salaries(2).unwrap(), ["Ada:-", "Bob:two"]);
        assert_eq!(read_as(db, employee(), 1, "SELECT count(*) || '' FROM {w}").unwrap(), ["3"]);
        assert_eq!(read_as(db, director(), 1, "SELECT m_salary FROM {other} ORDER BY id").unwrap(), ["one", "two", "three"]);
        assert_eq!(read_as(db, employee(), 1, "SELECT 'x' FROM {r} AS t WHERE EXISTS (SELECT 1 FROM {w})").unwrap(), ["x", "x"]);
        let tree = "WITH RECURSIVE {below}(id) AS (SELECT 1 UNION SELECT c.id FROM {w} AS c JOIN {below} ON c.boss = {below}.id) \
                    SELECT count(*) || '' FROM {r} AS t WHERE t.id IN (SELECT id FROM {below})";
        assert_eq!(read_as(db, employee(), 1, tree).unwrap(), ["2"], "a walk down a tree of the set's own rows");
    });
}

#[test]
fn a_statement_that_the_system_prepared_is_refused_to_a_set() {
    filled(|db| {
        const SALARY: &str = "SELECT salary FROM hr_employee WHERE id = 1";
        db.write(|conn| {
            for _ in 0..2 {
                assert_eq!(ask(conn, SALARY)?, ["one"]);
                assert_eq!(settings(conn)?, ["secret"]);
                conn.within(&standing(employee(), 1), Purpose::Read, |conn| {
                    forbidden(ask(conn, SALARY), "the same text");
                    forbidden(settings(conn), "a typed statement that is kept prepared");
                    forbidden(conn.batch("SELECT salary FROM hr_employee"), "a batch");
                    let typed = on!(&mut *conn, |c| diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("1")).execute(c));
                    forbidden(typed.map_err(DbError::from), "a typed statement without a table");
                    assert_eq!(ask(conn, "SELECT m_name FROM {r} WHERE id = 1")?, ["Ada"]);
                    Ok::<_, DbError>(())
                })?;
            }
            // What a set prepared is the set's: the system has a statement of its own.
            assert_eq!(ask(conn, "SELECT m_name FROM {r} WHERE id = 1")?, ["Ada"]);
            conn.within(&standing(director(), 1), Purpose::Read, |conn| {
                forbidden(ask(conn, "SELECT m_name FROM {r} WHERE id = 1"), "another set's view");
                Ok::<_, DbError>(())
            })
        })
        .unwrap();
    });
}

#[test]
fn a_statement_prepared_anew_after_a_schema_change_is_judged_by_the_authority_that_runs_it() {
    filled(|db| {
        let name = "SELECT m_name FROM {r} WHERE id = 1";
        db.owner(|conn| {
            let run = |conn: &mut Conn| conn.within(&standing(employee(), 1), Purpose::Read, |conn| ask(conn, name));
            assert_eq!(run(conn)?, ["Ada"]);
            conn.batch("ALTER TABLE hr_employee ADD COLUMN more TEXT")?;
            assert_eq!(run(conn)?, ["Ada"], "the owner's authority is not at work, and the set's own still is");
            // In the file nobody looks for it, and what was made on the connection is no longer there.
            let text = sql("CREATE TABLE {r} (id INTEGER PRIMARY KEY, m_name TEXT)").ddl(conn.dialect());
            conn.batch(&text)?;
            assert_eq!(run(conn)?, ["Ada"]);
            conn.batch(&sql("DROP VIEW temp.{r}").ddl(conn.dialect()))?;
            forbidden_or_unknown(run(conn), "a table of the file under the name of the view");
            conn.batch(
                &sql("DROP TABLE {r}; CREATE VIEW {r} AS SELECT id, name AS m_name FROM hr_employee").ddl(conn.dialect()),
            )?;
            forbidden_or_unknown(run(conn), "a view of the file under its name");
            conn.batch(&sql("CREATE TEMP VIEW {r} AS SELECT * FROM hr_employee, setting").ddl(conn.dialect()))?;
            forbidden_or_unknown(run(conn), "the same prepared text over another view");
            Ok::<_, DbError>(())
        })
        .unwrap();
    });
}

#[test]
fn authority_ends_with_the_work_it_was_for_however_that_ends() {
    filled(|db| {
        let set = standing(employee(), 1);
        db.write(|conn| {
            let failed: Result<(), DbError> = conn.within(&set, Purpose::Write, |_| Err(DbError::Refused("no".into())));
            assert!(matches!(failed, Err(DbError::Refused(_))));
            assert_eq!(ask(conn, "SELECT salary FROM hr_employee WHERE id = 1")?, ["one"], "the system is back");
            forbidden(
                conn.within(&set, Purpose::Write, |conn| execute(conn, &sql("DELETE FROM setting"), &params())),
                "an error of the guard",
            );
            assert_eq!(settings(conn)?, ["secret"]);
            // A set inside a set: the inner one counts, and then the outer one again.
            conn.within(&set, Purpose::Read, |conn| {
                conn.within(&standing(director(), 2), Purpose::Read, |conn| {
                    assert_eq!(ask(conn, "SELECT m_salary FROM {other} WHERE id = 1")?, ["one"]);
                    Ok::<_, DbError>(())
                })?;
                forbidden(ask(conn, "SELECT m_salary FROM {other} WHERE id = 1"), "the outer set");
                assert_eq!(ask(conn, "SELECT m_salary FROM {r} WHERE id = 1")?, ["one"]);
                Ok::<_, DbError>(())
            })
        })
        .unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _: Result<(), DbError> = db.write(|conn| conn.within(&set, Purpose::Write, |_| panic!("on purpose")));
        }));
        assert!(panicked.is_err());
        assert_eq!(db.write(settings).unwrap(), ["secret"]);
    });
}

#[test]
fn savepoints_in_and_around_a_sets_work_leave_its_authority_right() {
    filled(|db| {
        let set = standing(employee(), 1);
        let note = |text| format!("INSERT INTO hr_note (version, text) VALUES (1, '{text}')");
        db.write(|conn| {
            conn.within(&set, Purpose::Write, |conn| {
                execute(conn, &sql(&note("kept")), &params())?;
                let undone: Result<(), DbError> = conn.savepoint(|conn| {
                    execute(conn, &sql(&note("undone")), &params())?;
                    execute(conn, &sql("DELETE FROM setting"), &params()).map(drop)
                });
                forbidden(undone, "inside");
                forbidden(ask(conn, "SELECT value FROM setting"), "still the set");
                execute(conn, &sql(&note("kept too")), &params())
            })?;
            let around: Result<usize, DbError> = conn.savepoint(|conn| {
                conn.within(&set, Purpose::Write, |conn| {
                    execute(conn, &sql(&note("around")), &params())?;
                    execute(conn, &sql("DELETE FROM setting"), &params())
                })
            });
            forbidden(around, "around");
            assert_eq!(settings(conn)?, ["secret"]);
            Ok::<_, DbError>(())
        })
        .unwrap();
        let notes = db.read(|conn| ask(conn, "SELECT text FROM hr_note WHERE id > 2 ORDER BY id")).unwrap();
        assert_eq!(notes, ["kept", "kept too"]);
    });
}

#[test]
fn a_read_transaction_reads_for_users_on_a_line_that_nobody_else_has_authority_on() {
    filled(|db| {
        let set = standing(employee(), 1);
        db.read(|conn| {
            let refused = conn.within(&set, Purpose::Write, |_| Ok::<_, DbError>(()));
            assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
            assert_eq!(conn.within(&set, Purpose::Read, |conn| ask(conn, "SELECT m_name FROM {r} WHERE id = 1"))?, ["Ada"]);
            db.write(|other| execute(other, &sql("UPDATE hr_employee SET name = 'Eve' WHERE id = 1"), &params()))?;
            let again =
                conn.within(&set, Purpose::Read, |conn| conn.savepoint(|conn| ask(conn, "SELECT m_name FROM {r} WHERE id = 1")))?;
            assert_eq!(again, ["Ada"], "the state changed under a read");
            Ok::<_, DbError>(())
        })
        .unwrap();
        assert_eq!(read_as(db, employee(), 1, "SELECT m_name FROM {r} WHERE id = 1").unwrap(), ["Eve"]);
        // More reads at once than there are lines for users would be a deadlock: there is one for each.
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| assert_eq!(read_as(db, employee(), 1, "SELECT m_name FROM {r} WHERE id = 2").unwrap(), ["Bob"]));
            }
        });
    });
}

#[test]
fn without_a_set_the_context_is_empty_and_with_one_it_has_the_form_of_the_columns() {
    filled(|db| {
        let kinds = [Kind::Object(crate::domain::QName::parse("a.B").unwrap()), Kind::DateTime, Kind::Date, Kind::Text];
        let all = "SELECT portcullis_user(), portcullis_now(), portcullis_today(), portcullis_set()";
        let nothing = vec![Value::Empty; 4];
        assert_eq!(db.read(|conn| row_of(conn, all, &kinds)).unwrap(), nothing);
        db.write(|conn| {
            let said = conn.within(&standing(employee(), 7), Purpose::Read, |conn| row_of(conn, all, &kinds))?;
            let said_is =
                [Value::Object(ObjectId(7)), Value::DateTime(noon()), Value::Date(noon().date()), Value::text(employee())];
            assert_eq!(said, said_is);
            let visitor = crate::db::Standing { user: None, ..standing(employee(), 7) };
            let said = conn.within(&visitor, Purpose::Read, |conn| row_of(conn, all, &kinds))?;
            assert_eq!(said[0], Value::Empty);
            // The stored form: text and whole numbers, equal to what a bound value is.
            let types = "SELECT typeof(portcullis_user()) || typeof(portcullis_now()) || typeof(portcullis_today())";
            assert_eq!(ask(conn, types)?, ["nullnullnull"]);
            let equal = "SELECT 'same' WHERE portcullis_user() = ";
            let mut same = sql(equal);
            same.param(crate::db::sql::Param::User).raw(" AND portcullis_now() = ").param(crate::db::sql::Param::Now);
            same.raw(" AND portcullis_today() = ").param(crate::db::sql::Param::Today);
            let found =
                conn.within(&standing(employee(), 1), Purpose::Read, |conn| fetch(conn, &same, &params(), &[Kind::Text]))?;
            assert_eq!(found.len(), 1);
            assert_eq!(row_of(conn, all, &kinds)?, nothing, "it ended");
            Ok::<_, DbError>(())
        })
        .unwrap();
    });
}

#[test]
fn the_servers_own_work_changes_neither_the_schema_nor_the_trail() {
    filled(|db| {
        for attack in [
            "CREATE TABLE mine (id INTEGER)",
            "CREATE TEMP TABLE mine (id INTEGER)",
            "CREATE TEMP TRIGGER mine AFTER INSERT ON hr_note BEGIN SELECT 1; END",
            "DROP TABLE hr_note",
            "ALTER TABLE hr_note ADD COLUMN x TEXT",
            "DROP TRIGGER audit_record_never_changes",
            "ATTACH ':memory:' AS elsewhere",
            "PRAGMA writable_schema = ON",
            "PRAGMA foreign_keys = OFF",
            "UPDATE audit_head SET mac = 'forged'",
            "DELETE FROM audit_record",
            "INSERT INTO audit_head VALUES ('n', 1, '', '')",
            "UPDATE engine_set SET made = ''",
            "DELETE FROM schema_state",
            "SELECT load_extension('/tmp/x.so')",
        ] {
            forbidden(db.write(|conn| conn.batch(attack)), attack);
            assert!(db.read(|conn| conn.batch(attack)).is_err(), "{attack}");
        }
        assert!(db.read(|conn| conn.batch("PRAGMA query_only = OFF")).is_err());
        assert!(db.write(|conn| conn.batch("UPDATE sqlite_master SET sql = ''")).is_err());
        db.write(|conn| {
            conn.recording(|conn| {
                for attack in [
                    "SELECT summary FROM audit_record",
                    "UPDATE audit_record SET summary = ''",
                    "SELECT mac FROM audit_seal",
                    "UPDATE audit_seal SET mac = ''",
                    "DELETE FROM audit_head",
                    "UPDATE audit_head SET mac = 'forged'",
                    "INSERT INTO audit_head VALUES ('n', 1, '', '')",
                    "SELECT value FROM setting",
                ] {
                    forbidden(conn.batch(attack), attack);
                }
                conn.batch("INSERT INTO audit_seal VALUES ('n', 1, '', 1, '', 1, '', '')")
            })
        })
        .unwrap();
        let typed: i64 = db.read(|conn| Ok::<_, DbError>(on!(conn, |c| setting::table.count().get_result(c))?)).unwrap();
        assert_eq!(typed, 1);
    });
}

#[test]
fn a_name_of_the_owners_is_not_given_by_a_statement() {
    let set = set_id("x");
    for (name, generated) in [
        (format!("r_{set}_t"), true),
        (format!("g_{set}_"), true),
        (format!("x_{set}_t"), false),
        ("r_hr_employee".into(), false),
    ] {
        assert_eq!(is_generated(&name), generated, "{name}");
    }
    filled(|db| {
        let mut hidden = crate::db::sql::Sql::new();
        let forged = crate::db::tests::standing::name("r");
        let text = format!("WITH {forged} AS (SELECT salary AS m_name FROM hr_employee) SELECT m_name FROM {forged}");
        hidden.raw(Box::leak(text.into_boxed_str()));
        let set = standing(employee(), 1);
        let done = db.read(|conn| conn.within(&set, Purpose::Read, |conn| fetch(conn, &hidden, &params(), &[Kind::Text])));
        forbidden(done, "a name in fixed text");
        for honest in [
            "SELECT t.m_name FROM {r} AS t LIMIT 1",
            "SELECT t.m_name FROM {r} AS {t} LIMIT 1",
            "SELECT t.m_name FROM {r} t LIMIT 1",
        ] {
            assert_eq!(read_as(db, employee(), 1, honest).unwrap(), ["Ada"], "{honest}");
        }
    });
}

#[test]
fn no_connection_to_sqlite_is_opened_without_the_guard() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    Db::open(&DbTarget::Sqlite(path.clone()), 1).unwrap();
    let behind = diesel::sqlite::SqliteConnection::establish(path.to_str().unwrap());
    assert!(behind.is_err(), "a connection past the guard");
}
