//! What a list costs: statements, and rows that are looked at.

use super::fixture::{APP, App, MODULE, hr, now, path};
use crate::access::{Authority, Objects, Query};
use crate::db::sql::{Sql, fetch};
use crate::db::testing;
use crate::db::{Conn, DbError, Dialect, Purpose};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::{Files, load};
use crate::store::statements::Footing;
use crate::store::{Caller, Store, read};
use std::sync::Arc;

const DOMAIN: &str = "
entities:
  Department:
    attributes: {name: {type: string, required: true}}
    associations: {parent: {to: Department, inverse: children}, head: {to: Employee, inverse: headOf, onDelete: clear}}
    tree: parent
    access:
      - {roles: [User], read: [name, parent]}
  Employee:
    attributes:
      name: {type: string, required: true}
      salary: {type: decimal, precision: 10, scale: 2}
      age: {type: integer}
      born: {type: date}
      active: {type: boolean}
    associations:
      department: {to: Department, inverse: employees}
      account: {to: system.User, kind: one-to-one, inverse: employee, onDelete: clear}
    access:
      - {roles: [User], read: [name, age, born, active, department], where: \"this.department == user.employee.department\"}
      - {roles: [User], read: [name, salary], where: \"this.account == user\"}
      - {roles: [Manager], read: [name, salary, department], where: \"within(this.department, user.employee.headOf)\"}
  Note:
    attributes: {text: {type: string, required: true}}
    access:
      - {roles: [Administrator], create: true, read: [text], write: [text], where: \"this.text != 'forbidden'\"}
";

fn crowd(db: &crate::db::Db, people: u32) -> (App<'_>, ObjectId) {
    let files = Files::of([("app.yaml", APP), ("hr/module.yaml", MODULE), ("hr/domain.yaml", DOMAIN)]);
    let (model, findings) = load(&files);
    let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
    let app = App::of(db, model);
    let user = app.account("one@x.example");
    let fill = format!(
        "INSERT INTO hr_department (id, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, 'd' || i FROM n; \
         INSERT INTO hr_employee (id, name, salary, age, department_id, account_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people}) \
         SELECT i, 'name ' || i, 100, i % 60, i % 500 + 1, CASE WHEN i = 1 THEN {} END FROM n; \
         UPDATE hr_department SET head_id = 1 WHERE id = 2;",
        user.0
    );
    db.write(|conn| conn.batch(&fill)).unwrap();
    (app, user)
}

fn list() -> Query {
    let paths = ["name", "age", "born", "active", "salary", "department.name"].map(path).into();
    Query { limit: 20, ..Query::of(&hr("Employee"), paths) }
}

#[test]
fn an_index_serves_every_rule_so_no_table_is_read_through() {
    testing::sqlite(|db| {
        let (app, user) = crowd(db, 3_000);
        for role in ["Employee", "Boss"] {
            let who = app.person(role, Some(user));
            let mut query = list();
            for sort in [vec![], vec![(path("name"), false)]] {
                query.sort = sort;
                app.proved(&who);
                let plan = db
                    .read(|conn| {
                        let store = Store::new(conn, &app.statements, Caller { user: who.id, now: now() }, &app.recorder);
                        let rights = who.grants.view(&hr("Employee")).unwrap().rights().clone();
                        let question = read::compose(&store, &rights, &query, &query.paths).unwrap();
                        let mut sql = Sql::new();
                        sql.raw("EXPLAIN QUERY PLAN ").append(&question.sql);
                        let kinds = [Kind::INTEGER, Kind::INTEGER, Kind::INTEGER, Kind::Text];
                        let params = store.params.clone();
                        let standing = store.statements.standing(&rights, store.caller);
                        let conn = store.conn;
                        let rows = conn.within(&standing, Purpose::Read, |conn| fetch(conn, &sql, &params, &kinds))?;
                        let details: Vec<String> = rows.iter().map(|row| row[3].canonical()).collect();
                        Ok::<_, DbError>(details)
                    })
                    .unwrap();
                let scans: Vec<_> = plan
                    .iter()
                    .filter(|d| d.starts_with("SCAN t") || d.contains("SCAN hr_") || d.contains("AUTOMATIC"))
                    .collect();
                assert!(scans.is_empty(), "{role}: {plan:#?}");
                assert!(plan.iter().any(|d| d.contains("hr_employee") || d.contains("USING INDEX")), "{plan:#?}");
            }
        }
    });
}

/// The text of a statement is put together once for the rules it is about, and what differs from question to question
/// is bound.
#[test]
fn a_question_of_the_same_shape_is_composed_once_and_answered_for_its_own_values() {
    testing::each(|db| {
        let (app, user) = crowd(db, 3_000);
        let who = app.person("Employee", Some(user));
        let shapes = || {
            let rights = who.grants.rights();
            let footing = Footing::Reader(app.db.dialect());
            let compiled = app.statements.compiled_on(rights, &hr("Employee"), footing).unwrap().unwrap();
            compiled.shapes.count()
        };
        let rows = app.view(&who, &list()).unwrap().rows;
        let (before, prepared) = (shapes(), db.prepared());
        assert_eq!(before, 1);
        assert_eq!(app.view(&who, &list()).unwrap().rows, rows);
        for row in &rows {
            let one = Query { object: Some(row.id), ..list() };
            assert_eq!(app.view(&who, &one).unwrap().rows.first(), Some(row));
        }
        let foreign = Query { object: Some(ObjectId(2)), ..list() };
        assert!(app.view(&who, &foreign).unwrap().rows.is_empty(), "of another department");
        assert_eq!(shapes(), 2, "one for the list, and one for a single object");
        assert!(db.prepared() <= prepared + 16, "one on each connection");
        // Associations of several objects, pages, and other sums of rows.
        for department in [1, 2] {
            let along = Some((hr("Department"), ObjectId(department), Name::new("employees")));
            let found = app.view(&who, &Query { along, ..list() }).unwrap().rows;
            assert_eq!(found.is_empty(), department == 1, "the reader works in the second department");
        }
        assert_eq!(shapes(), 3);
        for limit in 1..500 {
            app.view(&who, &Query { limit, ..list() }).unwrap();
        }
        assert!(shapes() <= 200, "bounded");
        let before = shapes();
        app.view(&who, &Query { offset: 7, ..list() }).unwrap();
        assert_eq!(shapes(), before, "places that a client chooses are not kept");
    });
}

#[test]
fn the_lists_of_a_page_read_what_is_the_callers_once() {
    testing::each(|db| {
        let (app, user) = crowd(db, 3_000);
        let who = app.person("Employee", Some(user));
        let asked = |times: usize| {
            let permit = who.grants.view(&hr("Employee")).unwrap();
            let read = || app.read(&who, |store| (0..times).for_each(|_| drop(store.view(&permit, &list()).unwrap())));
            (0..8).for_each(|_| read());
            let before = db.statements();
            read();
            db.statements() - before
        };
        let (one, two, three) = (asked(1), asked(2), asked(3));
        // The rows are the same, so nothing is left to be read again; PostgreSQL goes back to the reader's role once.
        let role = u64::from(db.dialect() == Dialect::Postgres);
        assert_eq!((two - one, three - two), (1 + role, 1), "{one}, {two}, {three}");
    });
}

/// How often PostgreSQL is waited for.
#[test]
fn control_statements_travel_with_the_next_question() {
    testing::postgres(|db| {
        let (app, user) = crowd(db, 300);
        let who = app.person("Employee", Some(user));
        let trips = |act: &dyn Fn()| {
            (0..8).for_each(|_| act());
            let before = db.round_trips();
            act();
            db.round_trips() - before
        };
        let list = trips(&|| drop(app.view(&who, &list()).unwrap()));
        assert_eq!(list, 4, "begun with a role, rows, what decides about them, the end");
        let nothing = trips(&|| app.read(&who, |_| ()));
        assert_eq!(nothing, 2, "begun and ended");
        let admin = app.person("Administrator", None);
        let create = trips(&|| app.create(&admin, "Note", [("text", Value::text("x"))]).map(drop).unwrap());
        assert_eq!(create, 5, "begun, the row in a savepoint and a role, tested, recorded in another role, kept");
    });
}

#[test]
fn a_list_costs_as_many_statements_however_many_rows_there_are() {
    testing::each(|db| {
        let (app, user) = crowd(db, 100_000);
        // To decide again: the rows with the reader's own, and for a boss what they lead.
        for (role, again) in [("Employee", 1), ("Boss", 2)] {
            let who = app.person(role, Some(user));
            for (query, asked) in [(list(), 1), (Query { total: Some(10_000), ..list() }, 2)] {
                let wanted = asked + again;
                let rows = app.view(&who, &query).unwrap();
                assert_eq!((rows.rows.len(), rows.more), (20, true));
                // Each connection of the pool is set up once, and prepares once.
                (0..16).for_each(|_| drop(app.view(&who, &query).unwrap()));
                let statements = || db.statements();
                // Beginning and ending the transaction are statements too. PostgreSQL is told of a role when a statement
                // is next: of the reader's, and then of the system's, which decides again.
                let roles = if db.dialect() == Dialect::Postgres { 2 } else { 0 };
                let before = statements();
                let standing = app.statements.standing(who.grants.rights(), Caller { user: who.id, now: now() });
                let nothing = |conn: &mut Conn| {
                    (0..asked).try_for_each(|_| conn.within(&standing, Purpose::Read, |_| Ok::<_, DbError>(())))
                };
                db.read(nothing).unwrap();
                let around = statements() - before;
                let prepared = db.prepared();
                app.view(&who, &query).unwrap();
                assert_eq!(statements() - before - 2 * around, wanted + roles, "{role}");
                assert_eq!(db.prepared(), prepared, "the statement was prepared before");
                if std::env::var("PORTCULLIS_MEASURE").is_ok() {
                    let one = Query { object: Some(rows.rows[0].id), limit: 1, total: None, ..query.clone() };
                    for (what, query) in [("list", &query), ("record", &one)] {
                        for footing in [Footing::System, Footing::Reader(app.db.dialect())] {
                            let clock = crate::clock::Clock::system();
                            let start = clock.instant();
                            app.read(&who, |store| {
                                store.footing = footing;
                                let rights = who.grants.rights();
                                (0..300).for_each(|_| drop(read::view(store, rights, query).unwrap()));
                            });
                            println!("{role}, {what}, {footing:?}: {:?}", (clock.instant() - start) / 300);
                        }
                    }
                }
            }
        }
    });
}

/// Shelves hold boxes that nobody may read; a shelf is seen if one of them leads to an open place.
const SHELVES: &str = "
entities:
  Place:
    attributes: {name: {type: string}, open: {type: boolean}}
    access:
      - {roles: [Administrator], create: true, read: [name, open], write: [name, open]}
  Case:
    associations: {place: {to: Place}}
    access:
      - {roles: [Administrator], create: true, read: [place], write: [place]}
  Box:
    associations: {shelf: {to: Shelf, inverse: boxes}, case: {to: Case}}
    access:
      - {roles: [Administrator], create: true, read: [shelf, case], write: [shelf, case]}
  Shelf:
    attributes: {name: {type: string}}
    access:
      - {roles: [Administrator], create: true, read: [name], write: [name]}
      - {roles: [User], read: [name], where: \"exists(this.boxes[item.case.place.open])\"}
";

#[test]
fn deciding_again_costs_as_many_statements_however_many_hidden_objects_a_rule_looks_at() {
    testing::each(|db| {
        let app = App::of(db, super::fixture::model_of(SHELVES));
        let admin = app.admin();
        let place = |name: &str, open| {
            app.create(&admin, "Place", [("name", Value::text(name)), ("open", Value::Boolean(open))]).unwrap()
        };
        let one = |target: ObjectId, shelf: ObjectId| {
            let case = app.create(&admin, "Case", [("place", Value::Object(target))]).unwrap();
            app.create(&admin, "Box", [("shelf", Value::Object(shelf)), ("case", Value::Object(case))]).unwrap();
        };
        let shelf = || app.create(&admin, "Shelf", [("name", Value::text("s"))]).unwrap();
        let (few, many) = (shelf(), shelf());
        for (shelf, closed) in [(few, 2), (many, 220)] {
            (0..closed).for_each(|n| one(place(&format!("closed {n}"), false), shelf));
            one(place("open", true), shelf);
        }
        let who = app.person("Employee", None);
        let cost = |id: ObjectId| {
            let before = db.statements();
            assert!(app.see(&who, "Shelf", id, &["name"]).is_some(), "{id:?}");
            db.statements() - before
        };
        // Each connection of the pool is set up once, and prepares once.
        for _ in 0..16 {
            cost(few);
        }
        assert_eq!(cost(few), cost(many));
    });
}
