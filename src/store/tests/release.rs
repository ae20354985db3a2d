//! What is released is decided twice: a statement with a bug in it releases nothing.

use super::agree::populate;
use super::fixture::{App, DOMAIN, Person, hr, model_of, now, path};
use crate::access::{Authority, Cell, Disagreement, Filter, FilterOp, Grants, Inside, Layer, ObjectError, Objects, Query, Rows};
use crate::db::testing::{self, each};
use crate::db::{Conn, Db, DbError, Dialect, Purpose};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::store::statements::Footing;
use crate::store::{Caller, Statements, Store, read, release};

const ACTIVE: &str = "read: [name, nick, department, label, main], where: \"this.active\"}";
const PAY: &str = "read: [salary, boss], where: \"this.department == user.employee.department\"}";

/// Lets the statements about employees be compiled from a model in which `right` is `wrong`: from
/// then on they are served from the cache, as the right ones would be.
fn plant(app: &App<'_>, who: &Person, right: &str, wrong: &str) {
    assert!(DOMAIN.contains(right), "{right}");
    let model = model_of(&DOMAIN.replacen(right, wrong, 1));
    let grants = Grants::compile(&model, who.grants.roles(), who.id.is_some());
    assert_eq!(grants.rights().key, who.grants.rights().key);
    app.proved(who);
    app.statements.mistake(who.grants.rights(), grants.rights(), &hr("Employee"), app.db.dialect());
}

fn disagreement<T: std::fmt::Debug>(answer: Result<T, ObjectError>) -> Disagreement {
    match answer {
        Err(ObjectError::Disagreement(found)) => *found,
        other => panic!("{other:?}"),
    }
}

/// The same app with nothing compiled yet.
fn fresh<'d>(app: &App<'d>) -> App<'d> {
    let statements = Statements::new(&app.model).unwrap();
    App { db: app.db, model: app.model.clone(), statements, recorder: app.recorder.clone() }
}

/// What is released when the engine's own views do not stand in the way of a bug.
fn alone<T>(app: &App<'_>, who: &Person, mut ask: impl FnMut(&mut Store<'_>) -> T) -> T {
    app.read(who, |store| {
        store.footing = Footing::System;
        ask(store)
    })
}

fn view(app: &App<'_>, who: &Person, query: &Query) -> Result<Rows, ObjectError> {
    let permit = who.grants.view(&query.entity)?;
    alone(app, who, |store| store.view(&permit, query).map(|rows| rows.peek().clone()))
}

fn employees(paths: &[&str]) -> Query {
    Query::of(&hr("Employee"), paths.iter().map(|p| path(p)).collect())
}

/// An employee, and people among whom are some whom they may not see, or whose pay they may not.
fn desk<'d>(db: &'d Db, seed: u64) -> (App<'d>, Person) {
    let app = App::new(db);
    let (_, _, user) = populate(&app, seed);
    let who = app.person("Employee", user.id);
    (app, who)
}

#[test]
fn a_row_that_only_the_sql_gives_is_not_released() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let right = app.view(&who, &employees(&["name"])).unwrap().rows.len();
        let all = app.view(&app.admin(), &employees(&[])).unwrap().rows.len();
        assert!(right > 0 && right < all, "the rules should bite: {right} of {all}");
        let app = fresh(&app);
        plant(&app, &who, ACTIVE, "read: [name, nick, department, label, main]}");
        let found = disagreement(view(&app, &who, &employees(&["name"])));
        assert!(found.about.starts_with("hr.Employee#"), "{found:?}");
        assert_eq!((found.first.0, found.second.0), (Layer::EntityAccess, Layer::Release));
        assert_eq!((found.first.1.as_str(), found.second.1.as_str()), ("released", "no rule that lets it be read holds"));
    });
}

#[test]
fn a_mask_that_is_forgotten_releases_nothing_by_cell_order_filter_count_or_sum() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let cells = app.view(&who, &employees(&["salary"])).unwrap().rows;
        let withheld = |cell: &Cell| *cell == Cell::Withheld;
        assert!(cells.iter().any(|row| withheld(&row.cells[0])), "some pay is withheld");
        assert!(cells.iter().any(|row| !withheld(&row.cells[0])), "and some is not");
        let app = fresh(&app);
        plant(&app, &who, ACTIVE, &ACTIVE.replace("[name,", "[salary, name,"));
        let found = disagreement(view(&app, &who, &employees(&["name", "salary"])));
        assert!(found.about.ends_with(".salary"), "{found:?}");
        assert_eq!(found.second.1, "withheld: no rule that lets it be read holds");

        let mut sorted = employees(&["name"]);
        sorted.sort = vec![(path("salary"), false)];
        let told = disagreement(view(&app, &who, &sorted));
        assert_eq!(told.second.1, "in another order");

        let mut filtered = employees(&["name"]);
        filtered.filters = vec![Filter { path: path("salary"), op: FilterOp::From, value: Value::Integer(-1_000_000) }];
        assert_eq!(disagreement(view(&app, &who, &filtered)).second.1, "outside the filters, over what the reader may see");

        let permit = who.grants.view(&hr("Employee")).unwrap();
        let sum = alone(&app, &who, |store| store.figure(&permit, &employees(&[]), Some(&Name::new("salary"))));
        disagreement(sum);
        let count = alone(&app, &who, |store| store.figure(&permit, &filtered, None));
        disagreement(count);
    });
}

#[test]
fn a_cell_withheld_or_a_row_hidden_against_the_rules_is_a_difference_too() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let agreed = app.read(&who, |store| store.compare(who.grants.rights(), 3)).unwrap();
        assert!(agreed.rows > 5 && agreed.differences.is_empty(), "{agreed:?}");
        for (right, wrong) in [(PAY, PAY.replace("[salary, boss]", "[boss]")), (ACTIVE, ACTIVE.replace("this.active", "false"))] {
            let app = fresh(&app);
            plant(&app, &who, right, &wrong);
            let found = app.read(&who, |store| store.compare(who.grants.rights(), 3)).unwrap().differences;
            assert!(!found.is_empty(), "{wrong}");
            let hidden = found.iter().any(|one| one.second.1 == "shown" || one.second.1 == "to be shown");
            assert!(hidden, "{found:?}");
        }
    });
}

#[test]
fn the_agreement_check_finds_no_difference_for_any_role_and_any_data() {
    let all = |db: &Db| {
        let app = App::new(db);
        let mut rows = 0;
        for seed in 0..6 {
            let (_, _, user) = populate(&app, seed * 11 + 5);
            for role in ["Employee", "Boss", "Administrator"] {
                let who = app.person(role, user.id);
                let compared = app.read(&who, |store| store.compare(who.grants.rights(), seed)).unwrap();
                assert!(compared.differences.is_empty(), "{role}: {:?}", compared.differences);
                rows += compared.rows;
            }
        }
        assert!(rows > 100);
    };
    testing::sqlite(all);
    testing::postgres(all);
}

#[test]
fn what_both_refuse_stays_an_ordinary_refusal() {
    testing::sqlite(|db| {
        let (app, who) = desk(db, 8);
        assert!(matches!(app.view(&who, &employees(&["notes", "born"])), Err(ObjectError::Denied(_))));
        let hidden = |row: &ObjectId| app.see(&who, "Employee", *row, &["name"]).is_none();
        let all: Vec<ObjectId> = app.view(&app.admin(), &employees(&[])).unwrap().rows.iter().map(|row| row.id).collect();
        assert!(all.iter().any(hidden) && !all.iter().all(hidden), "nothing is given of a hidden row, without an incident");
    });
}

#[test]
fn what_was_planned_for_some_rules_does_not_serve_others_of_the_same_name() {
    testing::sqlite(|db| {
        let (app, who) = desk(db, 8);
        let query = employees(&["name"]);
        assert!(!view(&app, &who, &query).unwrap().rows.is_empty(), "statement and plan are kept from here on");
        let narrow = model_of(&DOMAIN.replacen(ACTIVE, &ACTIVE.replace("this.active", "false"), 1));
        let grants = Grants::compile(&narrow, who.grants.roles(), true);
        assert_eq!(grants.rights().key, who.grants.rights().key);
        let permit = grants.view(&hr("Employee")).unwrap();
        disagreement(alone(&app, &who, |store| store.view(&permit, &query).map(|rows| rows.peek().clone())));
        assert!(!view(&app, &who, &query).unwrap().rows.is_empty(), "nor the other way round");
    });
}

/// Calculated members, trees and many-to-many lists in rules: as many statements as hops.
#[test]
fn a_page_is_decided_in_as_many_statements_as_its_rules_have_hops() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let cost = |who: &Person, query: &Query| {
            // Each connection of the pool is set up once.
            (0..16).for_each(|_| drop(app.view(who, query).unwrap()));
            let before = db.statements();
            // Beginning and ending the transaction are statements too, and taking on a set's rights.
            let standing = app.statements.standing(who.grants.rights(), Caller { user: who.id, now: now() }, app.db.dialect());
            let nothing = |conn: &mut Conn| conn.within(&standing, Purpose::Read, |_| Ok::<_, DbError>(()));
            db.read(nothing).unwrap();
            let around = db.statements() - before;
            app.view(who, query).unwrap();
            db.statements() - before - 2 * around
        };
        // The reader's role is sent to PostgreSQL, and the system's before the second decision.
        let role = u64::from(db.dialect() == Dialect::Postgres);
        let admin = app.admin();
        assert_eq!(cost(&admin, &employees(&["name", "salary"])), 1 + role, "rules without conditions need nothing to be read");
        assert_eq!(cost(&who, &employees(&["name", "salary"])), 2 + 2 * role, "the rows and the reader's own, together");
        let boss = app.person("Boss", who.id);
        let within = cost(&boss, &employees(&["name", "salary"]));
        assert!(within <= 5 + 2 * role, "the rows, the reader's own, what they lead, and the tree above: {within}");
    });
}

/// In one transaction two sets of rights with the same name: what was read and decided for one serves it alone.
#[test]
fn what_was_read_for_some_rights_decides_nothing_for_others() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let narrow = model_of(&DOMAIN.replacen(ACTIVE, &ACTIVE.replace("this.active", "false"), 1));
        let grants = Grants::compile(&narrow, who.grants.roles(), true);
        assert_eq!(grants.rights().key, who.grants.rights().key);
        let (wide, narrow) = (who.grants.view(&hr("Employee")).unwrap(), grants.view(&hr("Employee")).unwrap());
        let query = employees(&["name"]);
        alone(&app, &who, |store| {
            let seen = store.view(&wide, &query).unwrap().peek().rows.len();
            assert!(seen > 0);
            disagreement(store.view(&narrow, &query).map(|rows| rows.peek().clone()));
            // And a difference leaves nothing behind.
            assert_eq!(store.view(&wide, &query).unwrap().peek().rows.len(), seen);
        });
    });
}

/// In one read transaction it is counted once how many rows a question has: for the rights it was counted for, and for
/// the very same question.
#[test]
fn how_many_rows_a_question_has_is_known_for_the_same_rights_and_question_only() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let narrow = model_of(&DOMAIN.replacen(ACTIVE, &ACTIVE.replace("this.active", "false"), 1));
        let grants = Grants::compile(&narrow, who.grants.roles(), true);
        let (wide, narrow) = (who.grants.view(&hr("Employee")).unwrap(), grants.view(&hr("Employee")).unwrap());
        let page = Query { limit: 1, total: Some(100), ..employees(&["name"]) };
        alone(&app, &who, |store| {
            assert_eq!(store.kept.counted(wide.rights(), &page), None);
            let figure = store.figure(&wide, &employees(&[]), None).unwrap().peek().clone();
            let known = store.kept.counted(wide.rights(), &page).unwrap();
            assert_eq!(figure, Cell::Shown(Value::Integer(known.into())));
            let row = store.view(&wide, &page).unwrap().peek().clone();
            assert_eq!((row.rows.len(), row.more, row.total.map(|total| total.count)), (1, true, Some(known)));
            let about = |change: fn(&mut Query)| {
                let mut other = page.clone();
                change(&mut other);
                other
            };
            for other in [
                about(|query| query.filters = vec![nobody()]),
                about(|query| query.search = Some(("a".into(), vec![path("name")]))),
                about(|query| query.object = Some(ObjectId(1))),
                about(|query| query.along = Some((hr("Department"), ObjectId(1), Name::new("staff")))),
                about(|query| query.inside = Some(Inside::one_of(&hr("Employee"), &[ObjectId(1)]))),
                about(|query| query.entity = hr("Department")),
            ] {
                assert_eq!(store.kept.counted(wide.rights(), &other), None, "{other:?}");
            }
            assert_eq!(store.kept.counted(narrow.rights(), &page), None, "other rights of the same name");
        });
    });
}

/// A figure over few rows is what they come to, one by one; over many it is the database's.
#[test]
fn a_figure_is_the_same_from_few_rows_and_from_many() {
    each(|db| {
        let (app, who) = desk(db, 8);
        let permit = who.grants.view(&hr("Employee")).unwrap();
        let salary = Name::new("salary");
        for query in [employees(&[]), Query { filters: vec![nobody()], ..employees(&[]) }] {
            for sum in [None, Some(&salary)] {
                let (few, many) = alone(&app, &who, |store| {
                    let rights = permit.rights();
                    let few = release::of_few(store, rights, &query, sum).unwrap();
                    (few, read::figure(store, rights, &query, sum).unwrap())
                });
                assert_eq!(few, Some(many), "{sum:?}: as many digits too");
            }
        }
        let refused = |member: &str| {
            let member = Name::new(member);
            alone(&app, &who, |store| store.figure(&permit, &employees(&[]), Some(&member)).map(|cell| cell.peek().clone()))
        };
        for member in ["factor", "nothing", "name"] {
            assert!(matches!(refused(member), Err(ObjectError::Denied(_))), "{member}");
        }
    });
}

fn nobody() -> Filter {
    Filter { path: path("name"), op: FilterOp::Equal, value: Value::text("nobody is called so") }
}

/// Not every app has associations back to one; this follows one in a path.
#[test]
fn a_path_back_along_a_one_to_one_association_is_decided_like_any_other() {
    each(|db| {
        let app = App::new(db);
        let (_, _, user) = populate(&app, 3);
        let admin = app.person("Administrator", user.id);
        let accounts =
            Query::of(&QName::new("system", "User"), ["name", "employee.name", "employee.department.name"].map(path).into());
        let rows = app.view(&admin, &accounts).unwrap().rows;
        assert!(rows.iter().any(|row| matches!(row.cells[1], Cell::Shown(Value::Text(_)))), "{rows:?}");
        let employee = app.person("Employee", user.id);
        assert!(matches!(app.view(&employee, &accounts), Err(ObjectError::Denied(_))));
    });
}
