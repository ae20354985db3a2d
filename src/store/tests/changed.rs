//! The owner of the schema changes what was generated; the agreement check asks the database alone and finds it.

use super::agree::populate;
use super::fixture::{App, DOMAIN, Person, hr, model_of, now, path};
use crate::access::{Authority, Cell, Disagreement, Grants, Layer, ObjectError, Query, Row, WriteError};
use crate::db::sql::{Params, Sql, fetch};
use crate::db::testing::{self, each};
use crate::db::{Db, DbError, Dialect};
use crate::domain::{Kind, Value};
use crate::store::{Statements, prepare_all};

/// Somebody whose rules bite, among people of whom they may see some only.
fn desk(db: &Db) -> (App<'_>, Person) {
    let app = App::new(db);
    let (_, _, user) = populate(&app, 8);
    let who = app.person("Employee", user.id);
    // On PostgreSQL views are made when they are first read.
    prepare_all(db, &app.statements, now()).unwrap();
    (app, who)
}

/// What the check finds for one person.
fn found(app: &App<'_>, who: &Person) -> Vec<Disagreement> {
    app.read(who, |store| store.compare_alone(&who.grants, 3)).unwrap().differences
}

/// Does something as the owner, in the words of the set: `{r}` (its view of employees), `{reader}`, `{holder}`, `{system}`.
fn owner(app: &App<'_>, who: &Person, text: &str) {
    let called = app.statements.called(&who.grants, &hr("Employee")).unwrap();
    let done = app.db.owner(|conn| {
        let mut text = text.replace("{r}", &called.reader);
        if let Some(roles) = conn.roles() {
            text = text.replace("{reader}", &roles.reader(&called.set)).replace("{holder}", &roles.holder());
            text = text.replace("{system}", &roles.system());
        }
        conn.batch(&text)
    });
    done.unwrap_or_else(|error: DbError| panic!("{text}: {error:?}"));
    app.db.bump_generation();
}

/// The definition of the set's view of employees.
fn definition(app: &App<'_>, who: &Person) -> String {
    let (db, mut sql) = (app.db, Sql::new());
    if db.dialect() == Dialect::Sqlite {
        app.proved(who);
        return app
            .statements
            .pieces(Dialect::Sqlite)
            .reader_text(&app.statements, who.grants.rights(), &hr("Employee"))
            .replace('`', "\"");
    }
    let name = Value::text(&*app.statements.called(&who.grants, &hr("Employee")).unwrap().reader);
    sql.raw("SELECT pg_get_viewdef(oid) FROM pg_class WHERE relname = ");
    sql.bind(&name, &Kind::Text);
    let params = Params::new(None, now(), now().date());
    let rows = db.owner(|conn| fetch(conn, &sql, &params, &[Kind::Text])).unwrap();
    rows[0][0].as_text().unwrap().replace('`', "\"").trim_end_matches(';').to_owned()
}

fn all_name_the_engine(found: &[Disagreement]) {
    assert!(found.iter().all(|one| (one.first.0, one.second.0) == (Layer::DatabaseEngine, Layer::Release)), "{found:?}");
}

#[test]
fn what_was_made_of_the_rules_gives_what_memory_decides_for_every_set_and_its_elevations() {
    each(|db| {
        let (app, who) = desk(db);
        let mut rows = 0;
        for role in ["Employee", "Boss", "Administrator"] {
            let who = app.person(role, who.id);
            let compared = app.read(&who, |store| store.compare_alone(&who.grants, 3)).unwrap();
            assert!(compared.differences.is_empty(), "{role}: {:?}", compared.differences);
            rows += compared.rows;
        }
        assert!(rows > 30, "{rows}");
    });
}

#[test]
fn on_postgresql_each_way_to_widen_or_narrow_what_a_set_reads_is_found() {
    testing::postgres(|db| {
        let (app, who) = desk(db);
        assert!(found(&app, &who).is_empty());
        let right = definition(&app, &who);
        let put = |text: &str| format!("CREATE OR REPLACE VIEW \"{{r}}\" AS {text}");
        let all = &right[..rows(&right).unwrap()];
        for (deed, undone, told) in [
            (put(all).as_str(), put(&right), "given"),
            (&put(&format!("{all} WHERE false")), put(&right), "not given"),
            (
                "CREATE POLICY less ON hr_employee AS RESTRICTIVE FOR SELECT TO \"{holder}\" USING (false)",
                "DROP POLICY less ON hr_employee".to_owned(),
                "not given",
            ),
            (
                "DROP POLICY \"p_0000000000000000_seen\" ON hr_employee",
                "CREATE POLICY \"p_0000000000000000_seen\" ON hr_employee FOR SELECT TO \"{holder}\" USING (true)".to_owned(),
                "not given",
            ),
            ("REVOKE SELECT ON \"{r}\" FROM \"{reader}\"", "GRANT SELECT ON \"{r}\" TO \"{reader}\"".to_owned(), "not answered"),
            (
                "GRANT SELECT (name) ON hr_employee TO \"{reader}\"",
                "REVOKE SELECT (name) ON hr_employee FROM \"{reader}\"".to_owned(),
                "within reach",
            ),
            ("GRANT DELETE ON hr_note TO PUBLIC", "REVOKE DELETE ON hr_note FROM PUBLIC".to_owned(), "within reach"),
        ] {
            owner(&app, &who, deed);
            let told_of = found(&app, &who);
            assert!(told_of.iter().any(|one| one.first.1.starts_with(told)), "{deed}: {told_of:?}");
            all_name_the_engine(&told_of);
            owner(&app, &who, &undone);
            assert!(found(&app, &who).is_empty(), "{deed} was undone: {:?}", found(&app, &who));
        }
    });
}

/// Where the definition begins to say which rows there are.
fn rows(right: &str) -> Option<usize> {
    let from =
        ["\"hr_employee\" AS \"t\"", "FROM hr_employee t"].into_iter().find_map(|from| Some(right.find(from)? + from.len()));
    from.filter(|at| right[*at..].trim_start().starts_with("WHERE "))
}

/// The definition with something else in place of what a member's column is computed by.
fn instead(right: &str, column: &str, by: &str) -> String {
    let end = right.find(&format!("AS \"m${column}\"")).unwrap();
    let start = right[..end].rfind("CASE").unwrap();
    format!("{}{by} {}", &right[..start], &right[end..])
}

#[test]
fn a_view_that_forgot_its_rows_or_a_mask_or_has_other_values_is_found() {
    each(|db| {
        let (app, who) = desk(db);
        let right = definition(&app, &who);
        let put = |text: &str| match db.dialect() {
            Dialect::Sqlite => {
                app.statements.pieces(Dialect::Sqlite).plant(&app.statements, who.grants.rights(), &hr("Employee"), text);
                db.bump_generation();
            }
            Dialect::Postgres => owner(&app, &who, &format!("CREATE OR REPLACE VIEW \"{{r}}\" AS {text}")),
        };
        assert!(found(&app, &who).is_empty());
        let all = rows(&right);
        let none = all.map_or_else(|| format!("{right} WHERE false"), |_| format!("{right} AND false"));
        let mut bugs = vec![
            (instead(&right, "salary", "(\"t\".\"salary\" * 1)"), ".salary", "given"),
            (instead(&right, "name", "substr(\"t\".\"nick\", 1)"), ".name", "another value, or none"),
            (none, "", "not given"),
        ];
        bugs.extend(all.map(|at| (right[..at].to_owned(), "", "given")));
        for (bug, about, told) in bugs {
            put(&bug);
            let told_of = found(&app, &who);
            assert!(told_of.iter().any(|one| one.about.ends_with(about) && one.first.1 == told), "{bug}: {told_of:?}");
            all_name_the_engine(&told_of);
            put(&right);
            assert!(found(&app, &who).is_empty(), "{bug} was undone: {:?}", found(&app, &who));
        }
    });
}

#[test]
fn on_sqlite_what_stands_on_the_connection_of_users_is_held_against_what_was_composed() {
    testing::sqlite(|db| {
        let (app, who) = desk(db);
        let name = definition(&app, &who).split('"').nth(1).unwrap().to_owned();
        let check = |text: &str| {
            app.read(&who, |store| {
                store.compare_alone(&who.grants, 3).unwrap();
                store.conn.behind(text).unwrap();
                let found = store.conn.shelf_faults().unwrap();
                let told = store.compare_alone(&who.grants, 3).unwrap().differences;
                (found, told)
            })
        };
        for (deed, told) in [
            (format!("DROP VIEW temp.{name}; CREATE TEMP VIEW {name} AS SELECT * FROM main.hr_employee"), "was changed"),
            (format!("DROP VIEW temp.{name}"), "is gone"),
            ("CREATE TEMP VIEW more AS SELECT 1".to_owned(), "was not made here"),
        ] {
            let (found, differences) = check(&deed);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(told), "{deed}: {found:?}");
            assert!(
                differences.iter().any(|one| one.about == found[0] && one.first.1 == "not as it was made"),
                "{differences:?}"
            );
            db.bump_generation();
        }
        assert!(found(&app, &who).is_empty(), "a new connection has what was composed");
    });
}

/// The statements were compiled from a model in which the rule that grants a write forgot its rows.
#[test]
fn a_rule_that_is_dropped_from_the_tests_of_a_write_is_held_by_the_database_and_told_as_a_disagreement() {
    each(|db| {
        let (app, who) = desk(db);
        let all = app.view(&app.admin(), &Query::of(&hr("Employee"), vec![path("account")])).unwrap().rows;
        let own = |row: &Row| row.cells[0] == Cell::Shown(Value::Object(who.id.unwrap()));
        let (own, other) = (all.iter().find(|row| own(row)).unwrap().id, all.iter().find(|row| !own(row)).unwrap().id);
        let change = |app: &App<'_>, id| app.change(&who, "Employee", id, None, [("nick", Value::text("x"))]);
        let denied = change(&app, other);
        assert!(matches!(denied, Err(WriteError::Object(ObjectError::Denied(_)))), "{denied:?}");

        let right = "write: [nick, notes, skills, boss]\n        where: \"this.account == user\"";
        assert!(DOMAIN.contains(right));
        let model = model_of(&DOMAIN.replace(right, "write: [nick, notes, skills, boss]"));
        let wrong = Grants::compile(&model, who.grants.roles(), true);
        let statements = Statements::new(&app.model).unwrap();
        let app = App { statements, model: app.model.clone(), recorder: app.recorder.clone(), db };
        app.proved(&who);
        app.statements.mistake(who.grants.rights(), wrong.rights(), &hr("Employee"), db.dialect());
        match change(&app, other) {
            Err(WriteError::Object(ObjectError::Disagreement(found))) => {
                assert_eq!((found.first.0, found.second.0), (Layer::EntityAccess, Layer::DatabaseEngine));
                assert_eq!(found.first.1, "granted");
            }
            done => panic!("{done:?}"),
        }
        change(&app, own).unwrap();
    });
}
