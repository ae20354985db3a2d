//! Values that are unique and ranges that may not overlap: refused at the field, and telling no more than may be known.

use super::fixture::{App, DOMAIN, Person, day, hr, model_of, now, values};
use crate::access::{Authority, Feedback, Objects, WriteError};
use crate::db::schema::throttle;
use crate::db::testing::each;
use crate::db::{Db, DbError, Dialect, on};
use crate::domain::{Name, ObjectId, Value};
use crate::store::{Bulk, Statements, SyncError, apply, plan};
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const BOOKINGS: &str = "
entities:
  Room:
    attributes:
      name: {type: string}
    access:
      - {roles: [User], create: true, delete: true, read: [name], write: [name]}
  Booking:
    attributes:
      from: {type: date, label: First day}
      to: {type: date, label: Last day}
      note: {type: string}
      secret: {type: boolean}
    associations:
      room: {to: Room, onDelete: clear}
    exclude: {same: [room], overlap: [from, to]}
    access:
      - {roles: [User], create: true, read: [from, to, room, note, secret], write: [from, to, room, note, secret], where: \"!this.secret\"}
      - {roles: [Manager], create: true, delete: true, read: [from, to, room, note, secret], write: [from, to, room, note, secret]}
  Shift:
    attributes:
      starts: {type: datetime}
      ends: {type: datetime}
      open: {type: boolean}
      post: {type: string, length: 20}
    exclude:
      - {same: [open, post], overlap: [starts, ends], member: post, message: Somebody is at this post then}
    access:
      - {roles: [User], create: true, read: [starts, ends, open, post], write: [starts, ends, open, post]}
  Season:
    attributes:
      from: {type: date}
      to: {type: date}
    exclude: {overlap: [from, to]}
    access:
      - {roles: [User], create: true, read: [from, to], write: [from, to]}
";

fn at(text: &str) -> Value {
    Value::DateTime(text.parse().unwrap())
}

fn said<T: std::fmt::Debug>(result: Result<T, WriteError>) -> (String, String) {
    match result.unwrap_err() {
        WriteError::Invalid(all) => {
            let [Feedback { member: Some(member), message, .. }] = all.as_slice() else { panic!("{all:?}") };
            (member.to_string(), message.clone())
        }
        other => panic!("{other:?}"),
    }
}

struct House<'d> {
    app: App<'d>,
    who: Person,
    boss: Person,
    rooms: [ObjectId; 2],
}

fn house(db: &Db) -> House<'_> {
    let app = App::of(db, model_of(BOOKINGS));
    let (who, boss) = (app.person("Employee", None), app.person("Boss", None));
    let rooms = ["a", "b"].map(|name| app.create(&who, "Room", [("name", Value::text(name))]).unwrap());
    House { app, who, boss, rooms }
}

impl House<'_> {
    fn book(&self, room: Option<usize>, from: &str, to: &str) -> Result<ObjectId, WriteError> {
        self.book_as(&self.who, room, from, to, false)
    }

    fn book_as(&self, who: &Person, room: Option<usize>, from: &str, to: &str, secret: bool) -> Result<ObjectId, WriteError> {
        let date = |text: &str| if text.is_empty() { Value::Empty } else { day(text) };
        let room = room.map_or(Value::Empty, |room| Value::Object(self.rooms[room]));
        let all = [("from", date(from)), ("to", date(to)), ("room", room), ("secret", Value::Boolean(secret))];
        self.app.create(who, "Booking", all)
    }
}

#[test]
fn ranges_with_the_same_do_not_overlap_and_both_days_belong_to_them() {
    each(|db| {
        let h = house(db);
        let overlap = || ("from".to_owned(), "This overlaps with another Booking".to_owned());
        let first = h.book(Some(0), "2026-03-10", "2026-03-12").unwrap();
        for (from, to) in [
            ("2026-03-12", "2026-03-14"),
            ("2026-03-08", "2026-03-10"),
            ("2026-03-11", "2026-03-11"),
            ("2026-03-01", "2026-03-31"),
            ("2026-03-10", "2026-03-12"),
            ("", ""),
            ("", "2026-03-10"),
            ("2026-03-12", ""),
        ] {
            assert_eq!(said(h.book(Some(0), from, to)), overlap(), "{from}–{to}");
        }
        // Beside it, in another room, in none, and before and after for good.
        let next = h.book(Some(0), "2026-03-13", "2026-03-13").unwrap();
        h.book(Some(1), "2026-03-10", "2026-03-12").unwrap();
        h.book(None, "2026-03-10", "2026-03-12").unwrap();
        h.book(None, "2026-03-10", "2026-03-12").unwrap();
        h.book(Some(0), "", "2026-03-09").unwrap();
        h.book(Some(0), "2026-03-14", "").unwrap();
        assert_eq!(said(h.book(Some(0), "9999-12-31", "9999-12-31")), overlap());
        // A change is held against the others, not against the object itself.
        let move_to = |from: &str| h.app.change(&h.who, "Booking", next, None, [("from", day(from))]);
        assert_eq!(said(move_to("2026-03-12")), overlap());
        h.app.change(&h.who, "Booking", first, None, [("to", day("2026-03-11"))]).unwrap();
        move_to("2026-03-12").unwrap();
        let into = h.app.change(&h.who, "Booking", next, None, [("room", Value::Object(h.rooms[1]))]);
        assert_eq!(said(into), overlap());
        h.app.change(&h.who, "Booking", next, None, [("note", Value::text("x"))]).unwrap();
        // Backwards is no range.
        let (member, message) = said(h.book(Some(1), "2027-01-02", "2027-01-01"));
        assert_eq!((member.as_str(), message.as_str()), ("to", "Last day can't be before First day"));
    });
}

#[test]
fn the_end_of_a_range_of_moments_is_free_and_the_model_says_its_own_words() {
    each(|db| {
        let h = house(db);
        let shift = |open: bool, post: &str, starts: &str, ends: &str| {
            let post = if post.is_empty() { Value::Empty } else { Value::text(post) };
            let all = [("starts", at(starts)), ("ends", at(ends)), ("open", Value::Boolean(open)), ("post", post)];
            h.app.create(&h.who, "Shift", all)
        };
        let taken = || ("post".to_owned(), "Somebody is at this post then".to_owned());
        shift(true, "gate", "2026-03-10T08:00:00", "2026-03-10T16:00:00").unwrap();
        shift(true, "gate", "2026-03-10T16:00:00", "2026-03-10T16:00:00.001").unwrap();
        shift(true, "gate", "2026-03-10T07:00:00", "2026-03-10T08:00:00").unwrap();
        shift(false, "gate", "2026-03-10T08:00:00", "2026-03-10T16:00:00").unwrap();
        shift(true, "Gate", "2026-03-10T08:00:00", "2026-03-10T16:00:00").unwrap();
        shift(true, "", "2026-03-10T08:00:00", "2026-03-10T16:00:00").unwrap();
        shift(true, "", "2026-03-10T08:00:00", "2026-03-10T16:00:00").unwrap();
        assert_eq!(said(shift(true, "gate", "2026-03-10T15:59:59.999", "2026-03-10T20:00:00")), taken());
        assert_eq!(said(shift(true, "gate", "2026-03-09T00:00:00", "2026-03-10T07:00:00.001")), taken());
        let (member, message) = said(shift(true, "door", "2026-03-10T08:00:00", "2026-03-10T08:00:00"));
        assert_eq!((member.as_str(), message.as_str()), ("ends", "Ends must be after Starts"));
        // Without anything that is the same, nothing overlaps at all.
        let season = |from: &str, to: &str| h.app.create(&h.who, "Season", [("from", day(from)), ("to", day(to))]);
        season("2026-01-01", "2026-03-31").unwrap();
        assert_eq!(said(season("2026-03-31", "2026-04-01")).1, "This overlaps with another Season");
        season("2026-04-01", "2026-04-02").unwrap();
    });
}

#[test]
fn of_many_who_book_the_same_at_once_one_has_it_and_the_others_are_told_at_the_field() {
    each(|db| {
        let h = house(db);
        for round in 0..4 {
            let first = format!("2026-0{}-10", round + 1);
            let start = std::sync::Barrier::new(4);
            let done: Vec<_> = std::thread::scope(|scope| {
                let one = |_| {
                    let (h, first, start) = (&h, &first, &start);
                    scope.spawn(move || {
                        start.wait();
                        h.book(Some(0), first, first)
                    })
                };
                [0, 1, 2, 3].map(one).into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
            for lost in done.into_iter().filter(Result::is_err) {
                match lost {
                    // Who waited for another's transaction may be asked to try again.
                    Err(WriteError::Object(crate::access::ObjectError::Unavailable(_))) => {}
                    other => assert_eq!(said(other).0, "from"),
                }
            }
        }
    });
}

#[test]
fn what_is_taken_by_a_hidden_object_is_refused_in_general_words() {
    each(|db| {
        let h = house(db);
        h.book_as(&h.boss, Some(0), "2026-03-10", "2026-03-12", true).unwrap();
        let hidden = said(h.book(Some(0), "2026-03-11", "2026-03-11"));
        assert_eq!(hidden, ("from".to_owned(), "This value can't be used here".to_owned()));
        let seen = said(h.book_as(&h.boss, Some(0), "2026-03-11", "2026-03-11", false));
        assert_eq!(seen.1, "This overlaps with another Booking");
    });
    each(|db| {
        // The same words for what is unique; a member that is not shown hides the object too.
        let domain = DOMAIN.replace("    unique: [[email]]\n", "    unique: [[email], [code, born]]\n");
        let domain =
            domain.replace("read: [name, nick, department, label, main]", "read: [name, nick, department, label, main, code]");
        let domain =
            domain.replace("write: [nick, notes, skills, boss]", "write: [nick, notes, skills, boss, email, code, born]");
        let domain =
            domain.replace("read: [name, nick, notes, salary, age,", "read: [name, nick, notes, email, code, born, salary, age,");
        let app = App::of(db, model_of(&domain));
        let admin = app.admin();
        let account = app.account("emma@x.example");
        let person = |all: [(&str, Value); 4]| app.create(&admin, "Employee", all).unwrap();
        let active = || ("active", Value::Boolean(true));
        let emma = person([("name", Value::text("Emma")), active(), ("account", Value::Object(account)), ("nick", Value::Empty)]);
        person([("name", Value::text("Ben")), active(), ("email", Value::text("b@x.example")), ("code", Value::text("AA1"))]);
        let cleo = [("name", Value::text("Cleo")), active(), ("born", day("2000-01-01")), ("code", Value::text("BB2"))];
        person(cleo);
        let user = app.person("Employee", Some(account));
        let try_it = |who: &Person, all: [(&str, Value); 2]| said(app.change(who, "Employee", emma, None, all));
        let general = |member: &str| (member.to_owned(), "This value can't be used here".to_owned());
        // Ben is seen, but not his address.
        let address = || [("email", Value::text("b@x.example")), ("nick", Value::Empty)];
        assert_eq!(try_it(&user, address()), general("email"));
        assert_eq!(try_it(&admin, address()).1, "Email is already in use");
        let both = || [("code", Value::text("BB2")), ("born", day("2000-01-01"))];
        assert_eq!(try_it(&user, both()), general("code"));
        assert_eq!(try_it(&admin, both()).1, "Code with Born is already in use");
        // An account that is another's: one-to-one is unique as well.
        let second = app.create(&admin, "Employee", [("name", Value::text("Dan")), ("account", Value::Object(account))]);
        assert_eq!(said(second).1, "Account is already in use");
    });
}

#[test]
fn trusted_rows_do_not_overlap_either() {
    each(|db| {
        let h = house(db);
        let room = h.rooms[0];
        let done = db.write(|conn| {
            let mut bulk = Bulk::new(conn, &h.app.model, now()).unwrap();
            let row = |first: &str, room: Value| {
                let bounds = [("from", day(first)), ("to", day(first)), ("room", room), ("secret", Value::Boolean(false))];
                values(bounds)
            };
            bulk.insert(&hr("Booking"), row("2026-01-01", Value::Object(room)))?;
            let later = bulk.insert(&hr("Booking"), row("2026-01-01", Value::Empty))?;
            bulk.refer(&hr("Booking"), later, "room", &[room])
        });
        assert!(matches!(done, Err(DbError::Overlap { .. })), "{done:?}");
        assert!(h.book(Some(0), "2026-01-01", "2026-01-01").is_ok(), "nothing of it stayed");
    });
}

fn sync(db: &Db, domain: &str) -> Result<Vec<String>, SyncError> {
    let statements = Statements::new(&model_of(domain)).unwrap();
    apply(db, &statements, &BTreeSet::new(), now()).map(|plan| plan.steps.into_iter().map(|step| step.what).collect())
}

fn foreseen(db: &Db, domain: &str) -> Vec<String> {
    let statements = Statements::new(&model_of(domain)).unwrap();
    db.read(|conn| Ok::<_, DbError>(plan(conn, &statements, now()).unwrap().overlaps().to_vec())).unwrap()
}

#[test]
fn rows_that_overlap_already_stop_the_migration_and_are_named() {
    each(|db| {
        let free = BOOKINGS.replace("    exclude: {same: [room], overlap: [from, to]}\n", "");
        let app = App::of(db, model_of(&free));
        let who = app.person("Employee", None);
        let room = app.create(&who, "Room", [("name", Value::text("a"))]).unwrap();
        let book = |from: Value, to: Value| {
            let all = [("from", from), ("to", to), ("room", Value::Object(room)), ("secret", Value::Boolean(false))];
            app.create(&who, "Booking", all).unwrap()
        };
        let [a, b] = [("2026-01-05", "2026-01-07"), ("2026-01-07", "2026-01-07")].map(|(from, to)| book(day(from), day(to)));
        let open = book(Value::Empty, day("2026-01-04"));
        let before = book(Value::Empty, day("2025-01-04"));
        let back = book(day("2028-01-02"), day("2028-01-01"));
        let named = foreseen(db, BOOKINGS);
        let what = "(from to to with the same room_id)";
        let told = [
            format!("hr.Booking: #{} end before they begin {what}", back.0),
            format!("hr.Booking: #{}, #{} overlap with an earlier row {what}", b.0, before.0),
        ];
        assert_eq!(named, told, "{a:?} {open:?}");
        let refused = sync(db, BOOKINGS);
        assert!(matches!(&refused, Err(SyncError::Overlaps(all)) if *all == told), "{refused:?}");
        // Once they are out of the way it is done, and from then on kept, also while somebody still sees them.
        let steps = db.read(|conn| {
            assert!(on!(conn, |c| throttle::table.count().get_result::<i64>(c))? >= 0);
            for gone in [b, before, back] {
                app.delete(&app.person("Boss", None), "Booking", gone, None).unwrap();
            }
            Ok::<_, DbError>(sync(db, BOOKINGS).unwrap())
        });
        let steps = steps.unwrap();
        assert!(
            steps.iter().any(|step| step == "exclude rows of hr_booking that overlap: from to to with the same room_id"),
            "{steps:?}"
        );
        let extension = steps.iter().any(|step| step == "create extension btree_gist");
        assert!(!extension, "it is there since the shifts have one");
        assert!(sync(db, BOOKINGS).unwrap().is_empty());
        // Renamed with the columns that it compares, and then given up.
        let renamed = BOOKINGS
            .replace("      from: {type: date, label: First day}", "      begin: {type: date, label: First day, was: from}")
            .replace("room], overlap: [from, to]", "room], overlap: [begin, to]")
            .replace("[from, to, room, note, secret]", "[begin, to, room, note, secret]");
        sync(db, &renamed).unwrap();
        let steps = sync(db, &renamed.replace("    exclude: {same: [room], overlap: [begin, to]}\n", "")).unwrap();
        assert!(steps.iter().any(|step| step.starts_with("drop exclusion xx_hr_booking_")), "{steps:?}");
    });
}

#[test]
fn new_columns_that_make_all_rows_overlap_stop_the_migration_too() {
    each(|db| {
        let before = BOOKINGS
            .replace("      from: {type: date, label: First day}\n", "")
            .replace("    exclude: {same: [room], overlap: [from, to]}\n", "")
            .replace("[from, to, room, note, secret]", "[to, room, note, secret]");
        let app = App::of(db, model_of(&before));
        let who = app.person("Employee", None);
        let room = app.create(&who, "Room", [("name", Value::text("a"))]).unwrap();
        for last in ["2026-01-01", "2026-02-01"] {
            let all = [("to", day(last)), ("room", Value::Object(room)), ("secret", Value::Boolean(false))];
            app.create(&who, "Booking", all).unwrap();
        }
        let refused = sync(db, BOOKINGS);
        assert!(
            matches!(&refused, Err(SyncError::Overlaps(all)) if all[0].contains("booking") || all[0].contains("Booking")),
            "{refused:?}"
        );
        assert!(sync(db, &before).unwrap().is_empty(), "nothing was changed");
    });
}

#[test]
fn a_database_that_cannot_compare_says_what_it_needs() {
    crate::db::testing::postgres(|db| {
        assert_eq!(db.dialect(), Dialect::Postgres);
        let error = SyncError::Extension(DbError::Refused("x".into())).to_string();
        assert!(error.contains("btree_gist") && error.contains("CREATE EXTENSION"), "{error}");
        // It is made by whoever owns the schema, in a database that did not have it.
        let steps = sync(db, BOOKINGS).unwrap();
        assert_eq!(steps.iter().filter(|step| *step == "create extension btree_gist").count(), 1);
    });
}

#[test]
fn a_flow_ends_with_feedback_and_nothing_of_it_stays() {
    each(|db| {
        let h = house(db);
        h.book(Some(0), "2026-03-10", "2026-03-12").unwrap();
        let records = h.app.records();
        let all = |first: &str| -> BTreeMap<Name, Value> {
            values([
                ("from", day(first)),
                ("to", day(first)),
                ("room", Value::Object(h.rooms[0])),
                ("secret", Value::Boolean(false)),
            ])
        };
        let done = h.app.act(&h.who, |store, grants| {
            for first in ["2026-05-01", "2026-05-02", "2026-03-11"] {
                let all = all(first);
                store.create(&(grants as &dyn Authority).create(&hr("Booking"), all.keys())?, &all)?;
            }
            Ok(())
        });
        assert_eq!(said(done).0, "from");
        assert_eq!(h.app.records(), records);
        h.book(Some(0), "2026-05-01", "2026-05-02").unwrap();
    });
}
