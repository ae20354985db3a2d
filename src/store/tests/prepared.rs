//! What the database is told of the rules: made once, noted, and found again when other hands changed it.

use super::fixture::{App, DOMAIN, dec, hr, model_of, now, path};
use crate::access::{Authority, Cell, Grants, ObjectError, Objects, Query};
use crate::crypto::sha256;
use crate::db::sql::{Params, Sql, execute, fetch};
use crate::db::testing::{self, each};
use crate::db::{Db, DbError, Dialect, MOST_SETS, Purpose};
use crate::domain::{Kind, Name, QName, Value};
use crate::store::{Caller, Plan, Statements, Store, apply, drift, drop_unused, plan, prepare, prepare_all};
use std::collections::BTreeSet;

fn both(app: &App<'_>) -> Grants {
    Grants::compile(&app.model, &["Employee", "Boss"].map(Name::new).into(), true)
}

fn planned(db: &Db, statements: &Statements) -> Plan {
    db.read(|conn| plan(conn, statements, now()).map_err(|error| DbError::Refused(error.to_string()))).unwrap()
}

fn differences(db: &Db) -> Vec<String> {
    db.read(|conn| drift(conn, now()).map_err(|error| DbError::Refused(error.to_string()))).unwrap()
}

#[test]
fn a_combination_of_roles_is_prepared_when_it_is_met_and_by_two_nodes_at_once_only_once() {
    each(|db| {
        let app = App::new(db);
        let grants = both(&app);
        let known = |statements: &Statements| {
            db.read(|conn| statements.is_prepared(conn, &grants, now()).map_err(|_| DbError::Refused("".into())))
        };
        let who = super::fixture::Person { id: None, grants: std::sync::Arc::new(grants.clone()) };
        let (permit, query) = (grants.view(&hr("Employee")).unwrap(), Query::of(&hr("Employee"), vec![path("name")]));
        let asked = db.read(|conn| {
            let mut store = Store::new(conn, &app.statements, Caller { user: None, now: now() }, &app.recorder);
            Ok::<_, DbError>(store.view(&permit, &query).map(drop))
        });
        let asked = asked.unwrap();
        assert!(asked.is_err(), "what is not prepared is closed: {asked:?}");
        assert_eq!(known(&app.statements).unwrap(), db.dialect() == Dialect::Sqlite, "there nothing has to be stored");
        std::thread::scope(|scope| {
            let nodes: Vec<_> = (0..3).map(|_| Statements::new(&app.model).unwrap()).collect();
            for statements in nodes {
                let grants = &grants;
                scope.spawn(move || prepare(db, &statements, grants).unwrap());
            }
        });
        assert!(known(&Statements::new(&app.model).unwrap()).unwrap(), "another node finds it made");
        assert!(differences(db).is_empty());
        app.view(&who, &Query::of(&hr("Employee"), vec![path("name")])).unwrap();
    });
}

#[test]
fn what_other_hands_did_to_generated_objects_is_found_by_name_and_mended_by_applying() {
    // Nothing that is generated is in the file, so anything that looks like it was made by an earlier version or by others.
    let sqlite = [
        "CREATE VIEW w_0123456789abcdef_hr_department AS SELECT * FROM hr_department",
        "CREATE TRIGGER g_0123456789abcdef_bi_hr_department BEFORE INSERT ON hr_department BEGIN SELECT 1; END",
        "CREATE VIEW r_0123456789abcdef_hr_employee AS SELECT * FROM hr_employee",
        "CREATE TRIGGER aside AFTER UPDATE ON hr_employee BEGIN SELECT 1; END",
        "CREATE VIEW r_0123456789abcdef_hr_skill AS SELECT 1; \
         INSERT INTO engine_set (set_id, rights, digest, made, at) VALUES ('0123456789abcdef', 'user|Boss', 'x', '{}', '')",
    ];
    let postgres = [
        "ALTER TABLE hr_employee DISABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON hr_employee TO \"{reader}\"",
        "GRANT SELECT ON account TO \"{holder}\"",
        "ALTER TABLE hr_employee DISABLE TRIGGER \"g_0000000000000000_b_hr_employee\"",
        "DROP POLICY \"p_0000000000000000_seen\" ON hr_employee",
        "CREATE POLICY \"p_0123456789abcdef_x\" ON hr_employee FOR SELECT TO \"{reader}\" USING (true)",
    ];
    each(|db| {
        let app = App::new(db);
        assert!(differences(db).is_empty(), "{:?}", differences(db));
        let boss = app.person("Boss", Some(app.account("b@x.example")));
        let called = app.statements.called(&boss.grants, &hr("Employee")).unwrap();
        let roles = db.read(|conn| Ok::<_, DbError>(conn.roles().cloned())).unwrap();
        let named = |text: &str| {
            let Some(roles) = &roles else { return text.to_owned() };
            text.replace("{reader}", &roles.reader(&called.set)).replace("{holder}", &roles.holder())
        };
        // What the deeds below speak of: the role of somebody who is signed in, which is a set of its own.
        let ready = || {
            app.prepare();
            prepare(db, &app.statements, &boss.grants).unwrap();
        };
        ready();
        let deeds: &[&str] = if db.dialect() == Dialect::Sqlite { &sqlite } else { &postgres };
        for deed in deeds {
            db.owner(|conn| conn.batch(&named(deed))).unwrap_or_else(|error| panic!("{deed}: {error:?}"));
            let found = differences(db);
            assert!(!found.is_empty(), "{deed}");
            let todo = planned(db, &app.statements);
            assert!(!todo.is_empty() && !todo.only_prepares(), "{deed}");
            apply(db, &app.statements, &BTreeSet::new(), now()).unwrap();
            assert!(differences(db).is_empty(), "{deed}: {:?}", differences(db));
            ready();
        }
        app.view(&boss, &Query::of(&hr("Employee"), vec![path("name")])).unwrap();
    });
}

#[test]
fn what_an_earlier_version_stored_in_an_sqlite_file_is_no_drift_and_goes_by_applying() {
    testing::sqlite(|db| {
        let app = App::new(db);
        let view = "CREATE VIEW r_0123456789abcdef_hr_skill AS SELECT id FROM hr_skill";
        let trigger = "CREATE TRIGGER g_0123456789abcdef_bi_hr_skill BEFORE INSERT ON hr_skill \
            WHEN portcullis_set() = '0123456789abcdef' BEGIN SELECT 1; END";
        let digest = |text: &str| sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let made = format!(
            "{{\"view r_0123456789abcdef_hr_skill\": \"{}\", \"trigger g_0123456789abcdef_bi_hr_skill\": \"{}\"}}",
            digest(view),
            digest(trigger)
        );
        let note = format!(
            "INSERT INTO engine_set (set_id, rights, digest, made, at) VALUES ('0123456789abcdef', 'user|Boss', 'x', '{made}', '')"
        );
        db.owner(|conn| [view, trigger, &note].iter().try_for_each(|text| conn.batch(text))).unwrap();
        assert!(differences(db).is_empty(), "it is what was made: {:?}", differences(db));
        let todo = planned(db, &app.statements);
        assert!(!todo.is_empty() && !todo.only_prepares(), "a server for others waits for the owner");
        apply(db, &app.statements, &BTreeSet::new(), now()).unwrap();
        assert!(planned(db, &app.statements).is_empty() && differences(db).is_empty());
        let left =
            "SELECT count(*) FROM engine_set UNION ALL SELECT count(*) FROM sqlite_master WHERE name LIKE '%0123456789abcdef%'";
        let mut sql = Sql::new();
        sql.raw(left);
        let params = Params::new(None, now(), now().date());
        assert_eq!(
            db.read(|conn| fetch(conn, &sql, &params, &[Kind::INTEGER])).unwrap(),
            [[Value::Integer(0)], [Value::Integer(0)]]
        );
        let boss = app.person("Boss", Some(app.account("b@x.example")));
        app.view(&boss, &Query::of(&hr("Employee"), vec![path("name")])).unwrap();
    });
}

#[test]
fn a_changed_rule_changes_what_the_database_is_told_and_the_plan_shows_every_statement() {
    each(|db| {
        let app = App::new(db);
        let admin = app.admin();
        app.create(&admin, "Skill", [("name", Value::text("deep")), ("level", Value::Integer(40))]).unwrap();
        let wider = DOMAIN.replace(", where: \"this.level == empty || this.level < 10\"", "");
        assert_ne!(wider, DOMAIN);
        let statements = Statements::new(&model_of(&wider)).unwrap();
        let todo = planned(db, &statements);
        let words: Vec<&str> = todo.all_steps().map(|step| step.what.as_str()).collect();
        if db.dialect() == Dialect::Postgres {
            assert!(
                words.iter().all(|what| !what.starts_with("drop each generated")),
                "names of pieces contain a digest: {words:?}"
            );
            let told = todo.summary(db.dialect());
            assert!(told.iter().any(|line| line.starts_with("Prepares ") && line.ends_with(" sets of rights")), "{told:?}");
        } else {
            assert_eq!(words, ["drop index ix_hr_skill_level"], "what is generated is stored nowhere");
        }
        let who = app.person("Employee", Some(app.account("e@x.example")));
        assert!(app.view(&who, &Query::of(&hr("Skill"), vec![path("name")])).unwrap().rows.is_empty());
        apply(db, &statements, &BTreeSet::new(), now()).unwrap();
        let model = statements.model().clone();
        let app = App { statements, model, ..app };
        let who = app.person("Employee", who.id);
        let rows = app.view(&who, &Query::of(&hr("Skill"), vec![path("name")])).unwrap().rows;
        assert_eq!(rows[0].cells, [Cell::Shown(Value::text("deep"))]);
    });
}

/// Statements as a fault above could make them, in the name of somebody who may not.
#[test]
fn the_database_refuses_columns_rows_and_references_that_no_rule_grants() {
    each(|db| {
        let app = App::new(db);
        let admin = app.admin();
        let account = app.account("e@x.example");
        let place = app.create(&admin, "Department", [("name", Value::text("Sales"))]).unwrap();
        let own = [("name", Value::text("Emma")), ("account", Value::Object(account)), ("salary", dec("10"))];
        let own = app.create(&admin, "Employee", own).unwrap();
        let other = app.create(&admin, "Employee", [("name", Value::text("Ben")), ("department", Value::Object(place))]).unwrap();
        let who = app.person("Employee", Some(account));
        let boss = app.person("Boss", Some(account));
        let attempt = |who: &super::fixture::Person, text: &'static str, id: i64| {
            app.proved(who);
            let (rights, caller) = (who.grants.rights(), Caller { user: who.id, now: now() });
            let listed = |entity: &str| {
                let table = app.statements.tables.get(&hr(entity)).unwrap().name.clone();
                app.statements.standing_to_write(rights, (&hr(entity), &table), caller, db.dialect()).unwrap()
            };
            let standing = ["Note", "Skill", "Department", "Employee"].map(listed).into_iter().next_back().unwrap();
            let params = Params::new(who.id, now(), now().date());
            db.write(|conn| {
                let mut sql = Sql::new();
                for (at, part) in text.split('#').enumerate() {
                    if at > 0 {
                        sql.bind(&Value::Integer(id), &Kind::INTEGER);
                    }
                    sql.raw(part);
                }
                conn.within(&standing, Purpose::Write, |conn| execute(conn, &sql, &params))
            })
        };
        let nick = "UPDATE hr_employee SET nick = 'x' WHERE id = #";
        assert_eq!(attempt(&who, nick, own.0).unwrap(), 1, "their own, which a rule grants");
        // PostgreSQL finds no such row, SQLite's trigger says so.
        assert!(matches!(attempt(&who, nick, other.0), Ok(0) | Err(DbError::Forbidden(_))), "somebody else's");
        for text in [
            "UPDATE hr_employee SET salary = 99 WHERE id = #",
            "UPDATE hr_employee SET account_id = NULL WHERE id = #",
            "UPDATE hr_employee SET id = 77 WHERE id = #",
            "DELETE FROM hr_employee WHERE id = #",
            "INSERT INTO hr_employee (version, name, active) VALUES (#, 'x', 1 = 1)",
            "UPDATE hr_department SET name = 'x' WHERE id = #",
            "DELETE FROM hr_note WHERE id = #",
            "UPDATE account SET email = 'x' WHERE id = #",
            "DELETE FROM account_role WHERE account_id = #",
        ] {
            assert!(matches!(attempt(&who, text, own.0), Err(DbError::Forbidden(_))), "{text}");
        }
        for text in [
            "INSERT INTO hr_employee (version, name, active, nick, status) VALUES (#, 'x', 1 = 1, 'n', 'Active')",
            "INSERT INTO hr_employee (version, name, active, status) VALUES (#, 'x', 1 = 0, 'Active')",
        ] {
            assert!(matches!(attempt(&boss, text, 1), Err(DbError::Forbidden(_))), "{text}");
        }
        let read = Query::of(&hr("Employee"), vec![path("salary")]);
        let paid = app.view(&admin, &read).unwrap().rows;
        assert!(paid.iter().any(|row| row.id == own && row.cells[0] == Cell::Shown(dec("10.00"))), "{paid:?}");
        let unchanged = matches!(app.view(&who, &Query::of(&hr("Note"), Vec::new())), Err(ObjectError::Denied(_)));
        assert!(unchanged);
    });
}

/// PostgreSQL compares with itself; nothing of what was made travels when all is well.
#[test]
fn what_was_made_is_compared_by_one_statement_however_many_sets_there_are() {
    crate::db::testing::postgres(|db| {
        let app = App::new(db);
        let counted = || {
            let before = db.statements();
            assert!(differences(db).is_empty());
            db.statements() - before
        };
        let few = counted();
        let roles = ["Employee", "Boss", "Administrator"].map(Name::new);
        for left_out in 0..3 {
            let held = roles.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, role)| role.clone()).collect();
            prepare(db, &app.statements, &Grants::compile(&app.model, &held, true)).unwrap();
        }
        assert_eq!(counted(), few);
        prepare_all(db, &app.statements, now()).unwrap();
        let before = db.statements();
        assert!(planned(db, &app.statements).is_empty());
        let start = db.statements() - before;
        assert!(start <= 20, "a start compares once: {start}");
    });
}

/// What somebody reads is made when they read it, by their page and by nobody's else; sets whose rights come to the same
/// share it.
#[test]
fn on_postgresql_what_a_set_reads_is_made_when_it_is_read_and_shared_by_those_who_read_the_same() {
    crate::db::testing::postgres(|db| {
        let app = App::new(db);
        let count = |what: &'static str| {
            let mut sql = Sql::new();
            sql.raw("SELECT count(*) FROM pg_class WHERE relkind = 'v' AND starts_with(relname::text, ").raw(what).raw(")");
            let rows = db.owner(|conn| fetch(conn, &sql, &Params::new(None, now(), now().date()), &[Kind::INTEGER])).unwrap();
            rows[0][0].clone()
        };
        assert_eq!(count("'r_'"), Value::Integer(0), "nobody has read anything");
        let query = Query::of(&hr("Skill"), vec![path("name")]);
        let [employee, boss] = ["Employee", "Boss"].map(|role| app.person(role, None));
        app.view(&employee, &query).unwrap();
        assert_eq!(count("'r_'"), Value::Integer(1));
        app.view(&boss, &query).unwrap();
        assert_eq!(count("'r_'"), Value::Integer(1), "of skills both read the same");
        let called = |who: &super::fixture::Person| app.statements.called(&who.grants, &hr("Skill")).unwrap();
        assert_eq!(called(&employee).reader, called(&boss).reader);
        assert_ne!(called(&employee).set, called(&boss).set);
        assert!(differences(db).is_empty(), "{:?}", differences(db));
    });
}

/// Nothing is dropped that running work may still use, and a user who comes back is served as before.
#[test]
fn on_postgresql_what_nobody_holds_any_more_goes_after_a_while_and_comes_back_when_it_is_held() {
    crate::db::testing::postgres(|db| {
        let app = App::new(db);
        let who = super::fixture::Person { id: None, grants: std::sync::Arc::new(both(&app)) };
        let query = Query::of(&hr("Employee"), vec![path("name"), path("salary")]);
        app.view(&who, &query).unwrap();
        let later = |minutes| now() + chrono::TimeDelta::minutes(minutes);
        let there =
            || db.read(|conn| Ok::<_, DbError>(crate::db::there(conn, &Params::new(None, now(), now().date()))?.len())).unwrap();
        let before = there();
        assert_eq!(drop_unused(db, &app.statements, later(0)).unwrap(), 0, "noted first");
        assert_eq!(drop_unused(db, &app.statements, later(4)).unwrap(), 0, "somebody may be at work");
        assert_eq!(there(), before);
        let dropped = drop_unused(db, &app.statements, later(10)).unwrap();
        assert!(dropped >= 2, "the set and what only it read: {dropped}");
        assert_eq!(there(), before - dropped);
        assert!(differences(db).is_empty(), "{:?}", differences(db));
        // This process still takes it for there.
        app.view(&who, &query).unwrap();
        assert!(differences(db).is_empty(), "{:?}", differences(db));
    });
}

#[test]
fn a_database_that_was_told_of_very_many_sets_is_told_of_no_more_until_some_are_gone() {
    crate::db::testing::postgres(|db| {
        let app = App::new(db);
        let (employee, query) = (app.person("Employee", None), Query::of(&hr("Employee"), vec![path("name")]));
        let both = super::fixture::Person { id: None, grants: std::sync::Arc::new(both(&app)) };
        app.view(&employee, &query).unwrap();
        let many = format!(
            "INSERT INTO engine_set (set_id, rights, digest, made, at) SELECT lpad(to_hex(n), 16, '0'), 'user|Other', '', '{{}}', at \
             FROM generate_series(1, {MOST_SETS}) AS n, (SELECT min(at) AS at FROM engine_set) AS earlier"
        );
        db.owner(|conn| conn.batch(&many)).unwrap();
        app.statements.announce(&both.grants, Dialect::Postgres).unwrap();
        let permit = both.grants.view(&hr("Employee")).unwrap();
        let refused = db.read(|conn| {
            let mut store = Store::new(conn, &app.statements, Caller { user: None, now: now() }, &app.recorder);
            Ok::<_, DbError>(store.view(&permit, &query).map(drop))
        });
        assert!(matches!(&refused, Err(DbError::Refused(why)) if why.contains("2000 sets")), "{refused:?}");
        app.view(&employee, &query).unwrap();
        let later = |minutes| now() + chrono::TimeDelta::minutes(minutes);
        drop_unused(db, &app.statements, later(0)).unwrap();
        assert!(drop_unused(db, &app.statements, later(10)).unwrap() >= usize::try_from(MOST_SETS).unwrap());
        app.view(&both, &query).unwrap();
        app.view(&employee, &query).unwrap();
        assert!(differences(db).is_empty(), "{:?}", differences(db));
    });
}

#[test]
fn a_role_without_a_piece_writes_nothing_whatever_it_was_granted() {
    crate::db::testing::postgres(|db| {
        let app = App::new(db);
        let skill = app.create(&app.admin(), "Skill", [("name", Value::text("deep"))]).unwrap();
        let who = app.person("Employee", None);
        let set = app.statements.called(&who.grants, &hr("Skill")).unwrap().set;
        db.owner(|conn| {
            let roles = conn.roles().unwrap().clone();
            let reader = roles.reader(&set);
            conn.batch(&format!("GRANT ALL ON hr_skill TO \"{reader}\"; GRANT \"{}\" TO \"{reader}\"", roles.writers()))?;
            for role in [reader, roles.writers(), roles.holder()] {
                for text in
                    ["UPDATE hr_skill SET name = 'x'", "DELETE FROM hr_skill", "INSERT INTO hr_skill (version) VALUES (1)"]
                {
                    let done = conn.savepoint(|conn| conn.batch(&format!("SET LOCAL ROLE \"{role}\"; {text}")));
                    assert!(matches!(done, Err(DbError::Forbidden(_))), "{role}: {text}: {done:?}");
                }
            }
            conn.batch("UPDATE hr_skill SET level = 1")
        })
        .unwrap();
        let row = app.see(&app.admin(), "Skill", skill, &["name", "level"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::text("deep")), Cell::Shown(Value::Integer(1))], "the owner's own work passes");
    });
}

/// Each of the runs begins again, so that a page of many parts does not wait for one after the other.
#[test]
fn on_postgresql_what_a_page_shows_is_made_at_once_where_some_of_it_is_missing() {
    testing::postgres(|db| {
        let app = App::new(db);
        let all = ["Department", "Employee", "Skill"].map(hr);
        let runs = |role: &str, foreseen: &BTreeSet<QName>| {
            let who = app.person(role, Some(app.account(&format!("{}@x.example", role.to_lowercase()))));
            prepare(db, &app.statements, &who.grants).unwrap();
            let mut runs = 0;
            let answer = app.read(&who, |store| {
                runs += 1;
                store.foresee(&who.grants, || foreseen.clone())?;
                all.iter().try_for_each(|entity| {
                    let permit = who.grants.view(entity)?;
                    store.view(&permit, &Query::of(entity, vec![path("name")])).map(drop)
                })
            });
            answer.unwrap_or_else(|error: ObjectError| panic!("{role}: {error:?}"));
            runs
        };
        assert_eq!(runs("Boss", &BTreeSet::new()), 1 + all.len(), "one after the other");
        assert_eq!(runs("Employee", &BTreeSet::from(all.clone())), 3, "the first, the others, and the work itself");
        assert_eq!(runs("Administrator", &BTreeSet::from([hr("Employee")])), 1 + all.len());
        assert!(differences(db).is_empty(), "{:?}", differences(db));
    });
}
