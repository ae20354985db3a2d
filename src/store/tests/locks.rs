//! Locking a row.

use super::fixture::{App, Person, hr};
use crate::access::{Authority, Cell, ObjectError, Objects, Query, WriteError};
use crate::db::Dialect;
use crate::db::testing::each;
use crate::domain::{ObjectId, Value};
use std::sync::mpsc::channel;
use std::time::Duration;

fn lock(app: &App<'_>, who: &Person, entity: &str, object: ObjectId) -> Result<(), WriteError> {
    app.act(who, |store, grants| store.lock(&(grants as &dyn Authority).load(&hr(entity))?, object))
}

#[test]
fn locking_needs_the_right_to_read_and_waits_for_who_was_first() {
    each(|db| {
        let app = App::new(db);
        let (admin, user) = (app.admin(), app.person("Employee", None));
        let person = |name: &str, active| {
            let all = [("name", Value::text(name)), ("active", Value::Boolean(active))];
            app.create(&admin, "Employee", all).unwrap()
        };
        let (emma, cleo) = (person("Emma", true), person("Cleo", false));
        lock(&app, &user, "Employee", emma).unwrap();
        let hidden = lock(&app, &user, "Employee", cleo);
        assert!(matches!(&hidden, Err(WriteError::Object(ObjectError::Denied(denied))) if denied.conceal), "{hidden:?}");
        assert!(matches!(lock(&app, &user, "Employee", ObjectId(99_999)), Err(WriteError::Stale)));
        assert!(lock(&app, &user, "Note", emma).is_err(), "no rule lets notes be read");
        // Somebody else waits, and then reads what the first one wrote.
        let (locked, waits) = (channel(), channel());
        let seen = std::thread::scope(|scope| {
            let (app, admin) = (&app, &admin);
            scope.spawn(move || {
                app.act(admin, |store, grants| {
                    let authority = grants as &dyn Authority;
                    store.lock(&authority.load(&hr("Employee"))?, emma)?;
                    locked.0.send(()).unwrap();
                    // The other begins; on PostgreSQL it waits for the row, on SQLite for the transaction.
                    waits.1.recv_timeout(Duration::from_secs(20)).unwrap();
                    let all = super::fixture::values([("nick", Value::text("first"))]);
                    store.change(&authority.change(&hr("Employee"), all.keys())?, emma, None, &all)
                })
                .unwrap();
            });
            locked.1.recv_timeout(Duration::from_secs(20)).unwrap();
            waits.0.send(()).unwrap();
            let query = Query { object: Some(emma), limit: 1, ..Query::of(&hr("Employee"), Vec::new()) };
            app.act(admin, |store, grants| {
                let permit = (grants as &dyn Authority).load(&hr("Employee"))?;
                store.lock(&permit, emma)?;
                Ok(store.load(&permit, &query)?.pop().unwrap())
            })
        });
        match seen {
            Ok(seen) => assert_eq!(seen.members["nick"], Cell::Shown(Value::text("first"))),
            // Where a transaction sees one state only, it is asked to begin anew instead.
            Err(WriteError::Object(ObjectError::Unavailable(_))) => assert_eq!(db.dialect(), Dialect::Postgres),
            Err(other) => panic!("{other:?}"),
        }
    });
}
