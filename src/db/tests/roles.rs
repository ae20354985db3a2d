//! What PostgreSQL's roles refuse, and who may be logged in as.

use super::noon;
use super::standing::{ask, director, employee, fill, params, read_as, sql, standing, write_as};
use crate::config::Secret;
use crate::db::sql::execute;
use crate::db::testing::{cluster, postgres, postgres_target};
use crate::db::{Conn, Db, DbError, Purpose, postgres as wire};
use diesel::connection::SimpleConnection;

fn filled(test: impl FnOnce(&Db)) {
    postgres(|db| {
        fill(db);
        test(db);
    });
}

fn forbidden<T: std::fmt::Debug>(done: Result<T, DbError>, what: &str) {
    assert!(matches!(done, Err(DbError::Forbidden(_))), "{what}: {done:?}");
}

fn role(conn: &mut Conn) -> String {
    ask(conn, "SELECT current_user::text").unwrap().remove(0)
}

#[test]
fn a_set_reads_its_own_views_with_the_callers_values_and_nothing_else() {
    filled(|db| {
        let salaries =
            |user| read_as(db, employee(), user, "SELECT m_name || ':' || coalesce(m_salary, '-') FROM {r} ORDER BY id");
        assert_eq!(salaries(1).unwrap(), ["Ada:one", "Bob:-"]);
        assert_eq!(salaries(2).unwrap(), ["Ada:-", "Bob:two"]);
        assert_eq!(read_as(db, director(), 1, "SELECT m_salary FROM {other} ORDER BY id").unwrap(), ["one", "two", "three"]);
        let at = "SELECT current_setting('portcullis.now') || ' ' || current_setting('portcullis.today') FROM {r} LIMIT 1";
        let day = noon().format("%F");
        assert_eq!(read_as(db, employee(), 1, at).unwrap(), [format!("{day} 12:00:00.007 {day}")]);
        for attack in [
            "SELECT salary FROM hr_employee",
            "SELECT count(*)::text FROM hr_employee",
            "SELECT m_salary FROM {other}",
            "SELECT m_name FROM {r} ORDER BY (SELECT salary FROM hr_employee e WHERE e.id = {r}.id)",
            "SELECT m_name FROM {r} AS t WHERE EXISTS (SELECT 1 FROM hr_employee e WHERE e.salary > 'a' AND e.id = t.id)",
            "SELECT m_name FROM {r} UNION SELECT salary FROM hr_employee",
            "SELECT m_name FROM {r} NATURAL JOIN hr_employee",
            "WITH {r} AS (SELECT salary AS m_name FROM hr_employee) SELECT m_name FROM {r}",
            "WITH RECURSIVE x(n, s) AS (SELECT 1, 'x'::text UNION SELECT n + 1, salary FROM x, hr_employee WHERE n < 3) SELECT s FROM x",
            "SELECT text FROM hr_note",
            "SELECT password_hash FROM account",
            "SELECT value FROM setting",
            "SELECT summary FROM audit_record",
            "SELECT version FROM __diesel_schema_migrations",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY hr_employee TO PROGRAM 'cat'",
            "SELECT rolpassword FROM pg_authid",
        ] {
            forbidden(read_as(db, employee(), 1, attack), attack);
        }
        for attack in [
            "UPDATE hr_employee SET name = 'x' WHERE id = 1",
            "DELETE FROM hr_note",
            "CREATE TEMP VIEW mine AS SELECT 1",
            "CREATE TEMP TABLE mine (id INT)",
            "ALTER VIEW {r} OWNER TO server",
            "SET SESSION AUTHORIZATION portcullis",
            "SET ROLE portcullis",
        ] {
            assert!(read_as(db, employee(), 1, attack).is_err(), "{attack}");
        }
    });
}

#[test]
fn a_set_writes_only_what_its_role_may() {
    filled(|db| {
        assert_eq!(write_as(db, "UPDATE hr_employee AS t SET version = t.version + 1, name = 'Ida' WHERE t.id = 1").unwrap(), 1);
        assert_eq!(write_as(db, "INSERT INTO hr_note VALUES (9, 1, 'new', 1) RETURNING id::text").unwrap(), 1);
        assert_eq!(write_as(db, "UPDATE hr_employee SET name = 'x' WHERE id = 2").unwrap(), 0, "not a row the set may change");
        for attack in [
            "UPDATE hr_employee SET name = 'Eve' WHERE id = 1",
            "UPDATE hr_employee SET salary = 'ten' WHERE id = 1",
            "UPDATE hr_employee SET name = (SELECT value FROM setting)",
            "UPDATE hr_employee SET name = 'x' WHERE id = 1 RETURNING boss::text",
            "INSERT INTO hr_employee (id, version, name) VALUES (9, 1, 'x')",
            "INSERT INTO hr_note VALUES (10, 1, 'x', 2)",
            "INSERT INTO hr_note VALUES (10, 1, 'refused', 1)",
            "INSERT INTO hr_note VALUES (10, 1, 'x', 1) RETURNING text",
            "DELETE FROM hr_note",
            "TRUNCATE hr_note",
            "DROP TABLE hr_note",
            "INSERT INTO account_role (account_id, user_role, granted_at) VALUES (1, 'Admin', now())",
            "DELETE FROM audit_record",
        ] {
            forbidden(write_as(db, attack), attack);
        }
        let fresh = crate::db::set_id("nobody made it");
        assert_eq!(read_as(db, fresh.clone(), 1, "SELECT '1'").unwrap(), ["1"], "it is made");
        forbidden(read_as(db, fresh, 1, "SELECT m_name FROM {r}"), "and was given nothing");
    });
}

#[test]
fn a_set_writes_nothing_where_no_piece_looks_at_it() {
    filled(|db| {
        let blind = crate::db::Standing { watch: None, ..standing(employee(), 1) };
        let text = "UPDATE hr_employee SET name = 'Ida' WHERE id = 1";
        let done = db.write(|conn| conn.within(&blind, Purpose::Write, |conn| execute(conn, &sql(text), &params())));
        forbidden(done, "nothing looks at it");
        assert_eq!(write_as(db, text).unwrap(), 1, "where a piece does it is written");
    });
}

#[test]
fn the_role_is_right_in_and_around_savepoints_and_after_errors_of_the_engine() {
    filled(|db| {
        let set = standing(employee(), 1);
        db.write(|conn| {
            let roles = conn.roles().unwrap().clone();
            assert_eq!(role(conn), roles.system());
            conn.within(&set, Purpose::Write, |conn| {
                assert_eq!(role(conn), roles.writer(&employee()));
                let undone: Result<usize, DbError> = conn.savepoint(|conn| execute(conn, &sql("DELETE FROM setting"), &params()));
                forbidden(undone, "inside");
                assert_eq!(role(conn), roles.writer(&employee()));
                Ok::<_, DbError>(())
            })?;
            assert_eq!(role(conn), roles.system());
            let around: Result<usize, DbError> = conn
                .savepoint(|conn| conn.within(&set, Purpose::Read, |conn| execute(conn, &sql("DELETE FROM setting"), &params())));
            forbidden(around, "around");
            assert_eq!(role(conn), roles.system());
            assert_eq!(ask(conn, "SELECT current_setting('portcullis.user', true)")?, [""]);
            let kept: Result<(), DbError> = conn.within(&set, Purpose::Read, |_| Err(DbError::Refused("no".into())));
            assert!(kept.is_err());
            assert_eq!(role(conn), roles.system(), "an error of ours leaves the transaction as it was");
            conn.recording(|conn| {
                assert_eq!(role(conn), roles.audit());
                conn.within(&set, Purpose::Read, |conn| {
                    assert_eq!(role(conn), roles.reader(&employee()));
                    Ok::<_, DbError>(())
                })?;
                assert_eq!(role(conn), roles.audit());
                Ok::<_, DbError>(())
            })?;
            assert_eq!(role(conn), roles.system());
            // Without a savepoint nothing of this transaction can go on.
            forbidden(
                conn.within(&set, Purpose::Write, |conn| execute(conn, &sql("DELETE FROM setting"), &params())),
                "no savepoint",
            );
            assert!(ask(conn, "SELECT '1'").is_err());
            Err::<(), _>(DbError::Refused("undone".into()))
        })
        .unwrap_err();
        assert_eq!(db.read(|conn| ask(conn, "SELECT value FROM setting")).unwrap(), ["word"]);
        db.owner(|conn| {
            assert_eq!(role(conn), "owner");
            Ok::<_, DbError>(())
        })
        .unwrap();
    });
}

/// A change of role is sent together with the statement behind it, which is at the server before the role is taken on.
#[test]
fn a_statement_behind_a_role_that_cannot_be_taken_on_does_not_run() {
    filled(|db| {
        // A role that may do it, and that the server may not become.
        let never = crate::db::set_id("never given");
        let watch = crate::db::Piece { id: never.clone(), objects: Vec::new(), needs: Vec::new() };
        let nobody = crate::db::Standing { watch: Some(watch.into()), ..standing(never.clone(), 1) };
        db.owner(|conn| {
            let roles = conn.roles().unwrap().clone();
            for role in [roles.writer(&never), roles.reader(&never)] {
                conn.batch(&format!("CREATE ROLE \"{role}\" NOLOGIN; GRANT INSERT ON hr_note TO \"{role}\""))?;
            }
            Ok::<_, DbError>(())
        })
        .unwrap();
        db.know(&crate::db::Need { set: never.clone(), rights: never.clone(), piece: nobody.watch.clone() });
        let add = |conn: &mut Conn| execute(conn, &sql("INSERT INTO hr_note VALUES (77, 1, 'unheard of', 1)"), &params());
        let there = || db.read(|conn| ask(conn, "SELECT text FROM hr_note WHERE id = 77")).unwrap();
        for _ in 0..3 {
            // Prepared, so that nothing is asked between the role and the statement.
            db.write(|conn| conn.savepoint(|conn| add(conn).and(Err::<(), _>(DbError::Refused("undo".into()))))).unwrap_err();
            forbidden(db.write(|conn| conn.within(&nobody, Purpose::Write, add)), "a role that was never given");
            let goes_on = db.write(|conn| {
                forbidden(conn.savepoint(|conn| conn.within(&nobody, Purpose::Write, add)), "in a savepoint");
                Ok::<_, DbError>(role(conn))
            });
            assert!(goes_on.unwrap().ends_with("system"), "undone, and back in its own role");
            let ignored = db.write(|conn| {
                forbidden(conn.within(&nobody, Purpose::Write, add), "ignored");
                let after = add(conn);
                assert!(after.is_err(), "the transaction takes nothing more");
                after
            });
            assert!(ignored.is_err());
            assert!(there().is_empty());
        }
        let nothing = db.write(|conn| conn.within(&nobody, Purpose::Read, |conn| conn.take_on()));
        forbidden(nothing, "without a statement");
    });
}

#[test]
fn the_servers_own_work_changes_neither_the_schema_nor_the_trail_and_the_trail_is_only_added_to() {
    filled(|db| {
        for attack in [
            "CREATE TABLE mine (id INT)",
            "CREATE TEMP TABLE mine (id INT)",
            "CREATE TEMP VIEW mine AS SELECT 1",
            "CREATE SCHEMA mine",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP TABLE hr_note",
            "TRUNCATE hr_note",
            "ALTER TABLE hr_note ADD COLUMN x TEXT",
            "ALTER TABLE hr_note DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE audit_record DISABLE TRIGGER USER",
            "CREATE ROLE mine",
            "INSERT INTO audit_record SELECT * FROM audit_record",
            "UPDATE audit_record SET summary = ''",
            "DELETE FROM audit_record",
            "UPDATE audit_head SET mac = 'forged'",
            "UPDATE schema_state SET applied = ''",
            "UPDATE engine_set SET made = ''",
            "DELETE FROM __diesel_schema_migrations",
        ] {
            forbidden(db.write(|conn| conn.batch(attack)), attack);
        }
        for attack in [
            "SELECT summary FROM audit_record",
            "UPDATE audit_record SET summary = ''",
            "DELETE FROM audit_record",
            "SELECT mac FROM audit_seal",
            "UPDATE audit_seal SET mac = ''",
            "DELETE FROM audit_head",
            "UPDATE audit_head SET mac = 'forged'",
            "INSERT INTO audit_head VALUES ('n', 1, '', '')",
            "SELECT value FROM setting",
        ] {
            forbidden(db.write(|conn| conn.recording(|conn| conn.batch(attack))), attack);
        }
        let added = "INSERT INTO audit_seal VALUES ('n', 1, '', 1, '', 1, '', '')";
        db.write(|conn| conn.recording(|conn| conn.batch(added))).unwrap();
    });
}

#[test]
fn whoever_logs_in_reads_nothing_outside_of_a_transaction_of_ours() {
    let Some(cluster) = cluster::shared() else { return };
    let (login, owner) = cluster.served_database();
    let db = Db::owned(&postgres_target(login.clone()), Some(&postgres_target(owner)), 2).unwrap();
    db.migrate().unwrap();
    let (mut conn, ..) = wire::Target::parse(&Secret::new(login)).unwrap().connect().unwrap();
    for attack in [
        "SELECT * FROM account",
        "SELECT * FROM audit_record",
        "INSERT INTO setting VALUES ('a', 'b')",
        "CREATE TABLE x (id INT)",
        "CREATE TEMP TABLE x (id INT)",
    ] {
        forbidden(conn.batch_execute(attack).map_err(DbError::from), attack);
    }
    db.close();
}

/// What `serve` would say of a role with these attributes, after the owner has migrated for it.
fn might_of(role: &str, attributes: &str, after: &str) -> Vec<String> {
    let cluster = cluster::shared().unwrap();
    let (login, owner) = cluster.served_database();
    let name = login.rsplit('/').next().unwrap().to_owned();
    let role = format!("{role}_{name}");
    cluster.sql(&name, &format!("CREATE ROLE {role} LOGIN {attributes}")).unwrap();
    let login = login.replacen("server@", &format!("{role}@"), 1);
    let db = Db::owned(&postgres_target(login.clone()), Some(&postgres_target(owner)), 2).unwrap();
    db.migrate().unwrap();
    if !after.is_empty() {
        cluster.sql(&name, &after.replace("ROLE", &role).replace("DATABASE", &format!("DATABASE {name}"))).unwrap();
    }
    let said = db.too_mighty().unwrap().into_iter().map(|line| line.replace(&role, "ROLE").replace(&name, "NAME")).collect();
    db.close();
    said
}

#[test]
fn a_login_that_may_more_than_a_server_should_is_named_with_the_cure() {
    if cluster::shared().is_none() {
        return;
    }
    assert_eq!(might_of("plain", "NOINHERIT", ""), [""; 0]);
    for (attributes, after, part) in [
        ("SUPERUSER", "", "is a superuser; give the server a role of its own"),
        ("NOINHERIT BYPASSRLS", "", "has BYPASSRLS; ALTER ROLE ROLE NOBYPASSRLS"),
        ("NOINHERIT CREATEROLE", "", "has CREATEROLE"),
        ("NOINHERIT CREATEDB", "", "has CREATEDB"),
        ("NOINHERIT REPLICATION", "", "has REPLICATION"),
        ("INHERIT", "", "inherits the rights of"),
        ("NOINHERIT", "ALTER DATABASE OWNER TO ROLE", "owns database NAME"),
        ("NOINHERIT", "ALTER SCHEMA public OWNER TO ROLE", "owns schema public"),
        ("NOINHERIT", "ALTER TABLE setting OWNER TO ROLE", "owns table setting"),
        ("NOINHERIT", "GRANT owner TO ROLE", "is a member of owner"),
        ("NOINHERIT", "GRANT pg_read_all_data TO ROLE", "is a member of pg_read_all_data"),
        ("NOINHERIT", "GRANT SELECT ON setting TO ROLE", "has rights of its own on setting"),
        ("NOINHERIT", "GRANT SELECT (name) ON account TO PUBLIC", "has rights of its own on account"),
        ("NOINHERIT", "GRANT CREATE ON SCHEMA public TO PUBLIC", "may create objects in schema public"),
        ("NOINHERIT", "GRANT TEMPORARY ON DATABASE TO PUBLIC", "may create objects in database NAME"),
    ] {
        let said = might_of("odd", attributes, after);
        assert!(said.iter().any(|line| line.contains(part)), "{attributes} {after}: {said:?}");
        assert!(attributes != "SUPERUSER" || said.len() == 1, "{said:?}");
    }
}

#[test]
fn a_login_without_its_memberships_is_told_and_one_without_an_owner_changes_nothing() {
    let Some(cluster) = cluster::shared() else { return };
    let (login, owner) = cluster.served_database();
    let target = postgres_target(login);
    let alone = Db::open(&target, 2).unwrap();
    assert!(!alone.is_ready().unwrap());
    let missing = alone.too_mighty().unwrap();
    assert!(missing.iter().any(|line| line.contains("may not act as pc_") && line.contains("portcullis migrate")), "{missing:?}");
    forbidden(alone.migrate(), "not the owner");
    let whole = Db::owned(&target, Some(&postgres_target(owner)), 2).unwrap();
    whole.migrate().unwrap();
    assert!(whole.is_ready().unwrap() && alone.is_ready().unwrap());
    assert!(alone.pending_migrations().unwrap().is_empty());
    forbidden(alone.owner(|conn| conn.batch("CREATE TABLE mine (id INT)")), "who logs in is no owner");
    let (_, elsewhere) = cluster.served_database();
    let crossed = Db::owned(&target, Some(&postgres_target(elsewhere)), 2).unwrap();
    assert!(matches!(crossed.migrate(), Err(DbError::Refused(_))));
}

#[test]
fn whoever_logs_in_cannot_choose_the_language_of_messages_so_a_superuser_settles_it_for_the_database() {
    let Some(cluster) = cluster::shared() else { return };
    let (login, owner) = cluster.served_database();
    let name = login.rsplit('/').next().unwrap().to_owned();
    let (mut conn, ..) = wire::Target::parse(&Secret::new(login.clone())).unwrap().connect().unwrap();
    forbidden(conn.batch_execute("SET lc_messages = 'C'").map_err(DbError::from), "the language");
    let settled = || {
        let asked = "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase \
                     WHERE d.datname = current_database() AND 'lc_messages=C' = ANY (s.setconfig)";
        cluster.sql(&name, asked).unwrap().trim() == "1"
    };
    Db::owned(&postgres_target(login), Some(&postgres_target(owner.clone())), 2).unwrap().migrate().unwrap();
    assert!(!settled(), "an owner who is no superuser cannot");
    let mighty = owner.replacen("owner@", "portcullis@", 1);
    Db::open(&postgres_target(mighty), 2).unwrap().migrate().unwrap();
    assert!(settled());
}

#[test]
fn two_databases_of_one_server_have_roles_of_their_own() {
    postgres(|one| {
        postgres(|other| {
            let prefix = |db: &Db| db.read(|conn| Ok::<_, DbError>(conn.roles().unwrap().prefix().to_owned())).unwrap();
            assert_ne!(prefix(one), prefix(other));
            assert!(prefix(one).starts_with("pc_") && prefix(one).len() == 12);
        });
    });
}

fn setting(conn: &mut Conn, name: &'static str) -> Result<String, DbError> {
    let (mut text, value) = (crate::db::sql::Sql::new(), crate::domain::Value::text(name));
    text.raw("SELECT current_setting(").bind(&value, &crate::domain::Kind::Text).raw(")");
    let rows = crate::db::sql::fetch(conn, &text, &params(), &[crate::domain::Kind::Text])?;
    Ok(rows[0][0].as_text().unwrap_or_default().to_owned())
}

#[test]
fn the_owner_works_as_long_as_it_takes_and_everybody_else_is_limited_as_before() {
    postgres(|db| {
        let limits = |conn: &mut Conn| Ok::<_, DbError>([setting(conn, "statement_timeout")?, setting(conn, "lock_timeout")?]);
        assert_eq!(db.owner(limits).unwrap(), ["0", "5s"], "who waits for a table has others wait behind it");
        assert_eq!(db.write(limits).unwrap(), ["30s", "5s"]);
        assert_eq!(db.read(limits).unwrap(), ["30s", "5s"]);
    });
    // Where one role does all, its connection goes back to the pool with the limits of everybody.
    let Some(cluster) = cluster::shared() else { return };
    let db = Db::open(&postgres_target(cluster.database()), 1).unwrap();
    db.migrate().unwrap();
    assert_eq!(db.owner(|conn| setting(conn, "statement_timeout")).unwrap(), "0");
    for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        let expected = db.owner(|conn| setting(conn, limit)).unwrap();
        assert_eq!(expected == db.write(|conn| setting(conn, limit)).unwrap(), limit == "lock_timeout", "{limit}");
    }
    db.close();
}

#[test]
fn a_turn_is_waited_for_longer_than_a_row_but_not_without_end() {
    use std::sync::mpsc::channel;
    use std::time::Duration;
    postgres(|db| {
        let (has, taken) = channel();
        let (done, may_end) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                db.owner(|conn| {
                    conn.take_turn(7, Duration::from_secs(5))?;
                    has.send(()).unwrap();
                    may_end.recv().unwrap();
                    Ok::<_, DbError>(())
                })
            });
            taken.recv().unwrap();
            let late = db.owner(|conn| conn.take_turn(7, Duration::from_millis(50)));
            assert!(matches!(&late, Err(error) if error.is_passing()), "it is tried again later: {late:?}");
            db.owner(|conn| conn.take_turn(8, Duration::from_millis(50))).unwrap();
            let waits = scope.spawn(|| {
                db.owner(|conn| {
                    // A row would be given up after this.
                    conn.batch("SET LOCAL lock_timeout = 1")?;
                    conn.take_turn(7, Duration::from_secs(60))?;
                    setting(conn, "lock_timeout")
                })
            });
            let waiting = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
            while db.owner(|conn| ask(conn, waiting)).unwrap() != ["1"] {
                std::thread::yield_now();
            }
            done.send(()).unwrap();
            assert_eq!(waits.join().unwrap().unwrap(), "5s");
        });
    });
}
