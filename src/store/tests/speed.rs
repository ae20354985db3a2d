//! What a list costs: statements, and rows that are looked at.

use super::fixture::{APP, App, MODULE, hr, now, path};
use crate::access::{Authority, Query};
use crate::db::sql::{Sql, fetch};
use crate::db::testing;
use crate::db::{Conn, DbError, Purpose};
use crate::domain::{Kind, ObjectId};
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
                // Beginning and ending the transaction are statements too, and taking on a set's rights.
                let before = statements();
                let standing = app.statements.standing(who.grants.rights(), Caller { user: who.id, now: now() });
                let nothing = |conn: &mut Conn| {
                    (0..asked).try_for_each(|_| conn.within(&standing, Purpose::Read, |_| Ok::<_, DbError>(())))
                };
                db.read(nothing).unwrap();
                let around = statements() - before;
                let prepared = db.prepared();
                app.view(&who, &query).unwrap();
                assert_eq!(statements() - before - 2 * around, wanted, "{role}");
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
