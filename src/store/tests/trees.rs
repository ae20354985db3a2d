//! Trees stay trees, and a circle in the data shows nothing.

use super::fixture::{App, Person, hr, now, path, values};
use crate::access::{Authority, Cell, Feedback, Objects, Query, WriteError};
use crate::db::Db;
use crate::db::testing::each;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::store::{Bulk, circles, plan};

/// Top – Middle – Low, each with one person whom Ben, who heads Middle, may see by the tree; Ben works in Top.
struct Tree {
    top: ObjectId,
    middle: ObjectId,
    low: ObjectId,
    ben: Person,
}

fn grown(app: &App<'_>) -> Tree {
    let admin = app.admin();
    let place = |name: &str, parent: Option<ObjectId>| {
        let all = [("name", Value::text(name)), ("parent", parent.map_or(Value::Empty, Value::Object))];
        app.create(&admin, "Department", all).unwrap()
    };
    let top = place("Top", None);
    let middle = place("Middle", Some(top));
    let low = place("Low", Some(middle));
    let account = app.account("ben@x.example");
    let person = |name: &str, place: ObjectId, account: Value| {
        let all = [("name", Value::text(name)), ("department", Value::Object(place)), ("account", account)];
        app.create(&admin, "Employee", all).unwrap()
    };
    let ben = person("Ben", top, Value::Object(account));
    for (name, place) in [("Anna", top), ("Cleo", middle), ("Dora", low)] {
        person(name, place, Value::Empty);
    }
    app.change(&admin, "Department", middle, None, [("head", Value::Object(ben))]).unwrap();
    Tree { top, middle, low, ben: app.person("Boss", Some(account)) }
}

fn put_below(app: &App<'_>, object: ObjectId, parent: Value) -> Result<(), WriteError> {
    app.change(&app.admin(), "Department", object, None, [("parent", parent)])
}

/// As other hands could: no write of the server does this.
fn force(db: &Db, object: ObjectId, parent: ObjectId) {
    let sql = format!("UPDATE hr_department SET parent_id = {} WHERE id = {}", parent.0, object.0);
    db.owner(|conn| conn.batch(&sql)).unwrap();
}

/// Whose status somebody sees: that is granted by the tree alone.
fn seen(app: &App<'_>, who: &Person) -> Vec<Value> {
    let mut query = Query::of(&hr("Employee"), vec![path("name"), path("status")]);
    query.sort = vec![(path("name"), false)];
    let rows = app.view(who, &query).unwrap().rows;
    let shown = rows.iter().filter(|row| matches!(row.cells[1], Cell::Shown(_)));
    shown.map(|row| row.cells[0].value().unwrap().clone()).collect()
}

fn texts(all: &[&str]) -> Vec<Value> {
    all.iter().map(|text| Value::text(*text)).collect()
}

#[test]
fn a_parent_that_is_the_object_itself_or_below_it_is_refused_at_the_field() {
    each(|db| {
        let app = App::new(db);
        let t = grown(&app);
        let records = app.records();
        for (object, parent) in [(t.top, t.top), (t.top, t.middle), (t.top, t.low), (t.middle, t.low), (t.low, t.low)] {
            let Err(WriteError::Invalid(wrong)) = put_below(&app, object, Value::Object(parent)) else { panic!("accepted") };
            let message = "Parent can't be the object itself or one below it".to_owned();
            assert_eq!(wrong, [Feedback { object: Some(object), member: Some(Name::new("parent")), message }]);
        }
        assert_eq!(app.records(), records, "nothing was written");
        // Moves that keep a tree are as before, also out of one and back.
        put_below(&app, t.low, Value::Object(t.top)).unwrap();
        put_below(&app, t.middle, Value::Object(t.low)).unwrap();
        put_below(&app, t.middle, Value::Empty).unwrap();
        put_below(&app, t.top, Value::Object(t.middle)).unwrap();
        assert!(db.read(|conn| circles(conn, &app.statements, now())).unwrap().is_empty());
    });
}

#[test]
fn two_moves_that_close_a_circle_together_are_not_both_kept() {
    each(|db| {
        let app = App::new(db);
        let admin = app.admin();
        for round in 0..12 {
            let [a, b] = ["a", "b"].map(|name| app.create(&admin, "Department", [("name", Value::text(name))]).unwrap());
            let start = std::sync::Barrier::new(2);
            let done: Vec<_> = std::thread::scope(|scope| {
                let (app, start) = (&app, &start);
                let one = |object, parent| {
                    scope.spawn(move || {
                        start.wait();
                        put_below(app, object, Value::Object(parent))
                    })
                };
                [one(a, b), one(b, a)].map(|thread| thread.join().unwrap()).into()
            });
            assert!(done.iter().filter(|done| done.is_ok()).count() <= 1, "round {round}: {done:?}");
            assert!(done.iter().any(Result::is_ok), "round {round}: one of them has its way: {done:?}");
        }
        assert_eq!(db.read(|conn| circles(conn, &app.statements, now())).unwrap(), []);
    });
}

#[test]
fn a_circle_in_a_tree_shows_nothing_and_is_named() {
    each(|db| {
        let app = App::new(db);
        let t = grown(&app);
        assert_eq!(seen(&app, &t.ben), texts(&["Cleo", "Dora"]));
        // Top below Low: everything above Middle would lie below it too.
        force(db, t.top, t.low);
        assert_eq!(seen(&app, &t.ben), texts(&[]), "and the layers agree about it");
        let grants = t.ben.grants.clone();
        let compared = app.read(&t.ben, |store| (store.compare(grants.rights(), 0), store.compare_alone(&grants, 0)));
        assert!(compared.0.unwrap().differences.is_empty() && compared.1.unwrap().differences.is_empty());
        let found = db.read(|conn| circles(conn, &app.statements, now())).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].entity.clone(), found[0].objects.clone()), (hr("Department"), vec![t.top, t.middle, t.low]));
        let warnings =
            db.read(|conn| Ok::<_, crate::db::DbError>(plan(conn, &app.statements, now()).unwrap().warnings().to_vec()));
        assert!(warnings.unwrap()[0].contains("hr.Department"), "named by migrate");
        // Nothing new goes into it, and it can be opened where the app is used.
        let other = app.create(&app.admin(), "Department", [("name", Value::text("Other"))]).unwrap();
        assert!(matches!(put_below(&app, other, Value::Object(t.low)), Err(WriteError::Invalid(_))));
        put_below(&app, t.top, Value::Object(other)).unwrap();
        assert_eq!(seen(&app, &t.ben), texts(&["Cleo", "Dora"]));
        // A department that is its own parent is a circle too.
        force(db, t.middle, t.middle);
        assert_eq!(seen(&app, &t.ben), texts(&[]));
    });
}

#[test]
fn trusted_rows_are_not_put_in_a_circle_either() {
    each(|db| {
        let app = App::new(db);
        let entity: QName = hr("Department");
        let done = db.write(|conn| {
            let mut bulk = Bulk::new(conn, &app.model, now()).unwrap();
            let row = |name: &str| values([("name", Value::text(name)), ("open", Value::Boolean(false))]);
            let [a, b] = [bulk.insert(&entity, row("a"))?, bulk.insert(&entity, row("b"))?];
            bulk.refer(&entity, a, "parent", &[b])?;
            bulk.refer(&entity, b, "parent", &[a])
        });
        assert_eq!(done.unwrap_err().to_string(), "Parent can't be the object itself or one below it");
        // A reference beside the tree is nobody's parent: an employee may be their own boss.
        let admin = app.admin();
        let all = values([("name", Value::text("Solo"))]);
        let solo =
            app.act(&admin, |store, grants| store.create(&(grants as &dyn Authority).create(&hr("Employee"), all.keys())?, &all));
        let solo = solo.unwrap();
        app.change(&admin, "Employee", solo, None, [("boss", Value::Object(solo))]).unwrap();
    });
}
