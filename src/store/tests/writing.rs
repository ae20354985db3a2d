//! Writes: what is accepted, what is refused, and that nothing of a refused write stays.

use super::fixture::{App, Person, day, dec, hr, path, values};
use crate::access::{Authority, Cell, Denied, ObjectError, Objects, Query, Reason, WriteError};
use crate::db::testing::each;
use crate::domain::{Name, ObjectId, Value};

struct House {
    sales: ObjectId,
    inland: ObjectId,
    lab: ObjectId,
    emma: ObjectId,
    ben: ObjectId,
    cleo: ObjectId,
    user: Person,
    boss: Person,
}

/// Sales (headed by Ben) with Inland below it, where Emma works; a lab, where Cleo works, inactive.
fn house(app: &App<'_>) -> House {
    let admin = app.admin();
    let (emma_account, ben_account) = (app.account("emma@x.example"), app.account("ben@x.example"));
    let sales = app.create(&admin, "Department", [("name", Value::text("Sales"))]).unwrap();
    let below = [("name", Value::text("Inland")), ("parent", Value::Object(sales))];
    let inland = app.create(&admin, "Department", below).unwrap();
    let lab = app.create(&admin, "Department", [("name", Value::text("Lab")), ("budget", dec("9.50"))]).unwrap();
    let person = |name: &str, place, account: Option<ObjectId>, active| {
        let account = account.map_or(Value::Empty, Value::Object);
        let all = [
            ("name", Value::text(name)),
            ("department", Value::Object(place)),
            ("account", account),
            ("active", Value::Boolean(active)),
            ("salary", dec("100")),
        ];
        app.create(&admin, "Employee", all).unwrap()
    };
    let emma = person("Emma", inland, Some(emma_account), true);
    let ben = person("Ben", sales, Some(ben_account), true);
    let cleo = person("Cleo", lab, None, false);
    app.change(&admin, "Department", sales, None, [("head", Value::Object(ben))]).unwrap();
    let (user, boss) = (app.person("Employee", Some(emma_account)), app.person("Boss", Some(ben_account)));
    House { sales, inland, lab, emma, ben, cleo, user, boss }
}

fn denied<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Denied {
    match result.unwrap_err() {
        WriteError::Object(ObjectError::Denied(denied)) => denied,
        other => panic!("{other:?}"),
    }
}

fn wrong<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Vec<(String, String)> {
    match result.unwrap_err() {
        WriteError::Invalid(all) => {
            all.into_iter().map(|f| (f.member.map(|m| m.to_string()).unwrap_or_default(), f.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn count(app: &App<'_>, entity: &str) -> usize {
    app.view(&app.admin(), &Query::of(&hr(entity), Vec::new())).unwrap().rows.len()
}

#[test]
fn a_new_object_gets_defaults_a_number_and_stamps_and_is_recorded() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let admin = app.admin();
        let records = app.records();
        let all = [("name", Value::text("Dan")), ("department", Value::Object(h.inland)), ("salary", Value::Integer(7))];
        let dan = app.create(&h.boss, "Employee", all).unwrap();
        let row =
            app.see(&admin, "Employee", dan, &["number", "status", "active", "created", "owner", "changedBy", "salary"]).unwrap();
        let shown: Vec<_> = row.cells.iter().map(|cell| cell.value().unwrap().canonical()).collect();
        let owner = format!("#{}", h.boss.id.unwrap().0);
        assert_eq!(shown, ["4", "Active", "false", "2026-03-01T12:30:00.005Z", &owner, &owner, "7.00"]);
        assert_eq!(row.version, 1);
        assert_eq!(app.records(), records + 1);
    });
}

#[test]
fn values_that_are_not_acceptable_are_told_at_their_members_and_nothing_is_written() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let (admin, before, records) = (app.admin(), count(&app, "Employee"), app.records());
        let tries: Vec<([(&str, Value); 2], &str)> = vec![
            ([("name", Value::Empty), ("nick", Value::Empty)], "name is required"),
            ([("name", Value::text("x".repeat(41))), ("nick", Value::Empty)], "name has more than 40 characters"),
            (
                [("name", Value::text("ä".repeat(40))), ("nick", Value::text("a\u{7}b"))],
                "nick has characters that cannot be kept",
            ),
            ([("name", Value::text("n")), ("email", Value::text("a@b\nBcc: c@d"))], "email is not an e-mail address"),
            ([("name", Value::text("n")), ("code", Value::text("AB12\n"))], "Two capitals and digits"),
            ([("name", Value::text("n")), ("age", Value::Integer(-1))], "age must be at least 0"),
            ([("name", Value::text("n")), ("age", Value::text("7"))], "age is not integer"),
            ([("name", Value::text("n")), ("salary", dec("1.234"))], "salary has more than 2 digits after the point"),
            ([("name", Value::text("n")), ("salary", dec("123456789"))], "salary is too large"),
            ([("name", Value::text("n")), ("status", Value::text("Nope"))], "status is not enumeration hr.Status"),
            ([("name", Value::text("n")), ("active", Value::Empty)], "active is required"),
        ];
        for (all, message) in tries {
            let text = format!("{all:?}");
            let found = wrong(app.create(&admin, "Employee", all));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].1.to_lowercase(), message.to_lowercase(), "{text}");
        }
        let late = [("name", Value::text("n")), ("born", day("2026-02-01")), ("left", day("2026-01-01"))];
        assert_eq!(wrong(app.create(&admin, "Employee", late))[0].0, "left");
        app.change(&admin, "Employee", h.emma, None, [("email", Value::text("e@x.example"))]).unwrap();
        let taken = wrong(app.change(&admin, "Employee", h.ben, None, [("email", Value::text("e@x.example"))]));
        assert_eq!(taken[0].0, "email");
        assert!(!taken[0].1.contains("e@x.example"));
        assert_eq!((count(&app, "Employee"), app.records()), (before, records + 1));
    });
}

#[test]
fn a_new_row_must_satisfy_the_rule_that_grants_it() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let (before, records) = (count(&app, "Employee"), app.records());
        let place = |id| [("name", Value::text("Dan")), ("department", Value::Object(id))];
        let refused = denied(app.create(&h.boss, "Employee", place(h.lab)));
        let department = Name::new("department");
        assert!(matches!(&refused.reason, Reason::NewRow(_, members) if members.contains(&department)), "{refused:?}");
        denied(app.create(&h.user, "Employee", place(h.inland)));
        assert_eq!((count(&app, "Employee"), app.records()), (before, records));
        app.create(&h.boss, "Employee", place(h.inland)).unwrap();
    });
}

#[test]
fn a_change_is_tested_before_and_after() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        app.change(&h.user, "Employee", h.emma, Some(1), [("nick", Value::text("Em"))]).unwrap();
        let stale = app.change(&h.user, "Employee", h.emma, Some(1), [("nick", Value::text("Old"))]);
        assert!(matches!(stale, Err(WriteError::Stale)), "{stale:?}");
        // Seen, but not hers to change; not seen at all; not there at all: the last two are told alike.
        assert!(!denied(app.change(&h.user, "Employee", h.ben, None, [("nick", Value::text("x"))])).conceal);
        let unseen = denied(app.change(&h.user, "Employee", h.cleo, None, [("nick", Value::text("x"))]));
        let nowhere = denied(app.change(&h.user, "Employee", ObjectId(999_999), None, [("nick", Value::text("x"))]));
        assert!(unseen.conceal && unseen == nowhere, "{unseen:?} {nowhere:?}");
        let old = denied(app.change(&h.user, "Employee", h.cleo, Some(77), [("nick", Value::text("x"))]));
        assert_eq!(old, unseen, "a version must not tell that the object exists");
        // Ben may move people about below Sales, but not out of it, not even himself.
        app.change(&h.boss, "Employee", h.emma, None, [("department", Value::Object(h.sales))]).unwrap();
        let out = denied(app.change(&h.boss, "Employee", h.emma, None, [("department", Value::Object(h.lab))]));
        assert_eq!(out.reason, Reason::NewRow(hr("Employee"), vec![Name::new("department")]));
        let row = app.see(&app.admin(), "Employee", h.emma, &["department", "nick"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::Object(h.sales)), Cell::Shown(Value::text("Em"))]);
    });
}

#[test]
fn a_member_without_a_right_is_refused_even_past_the_permit() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        for member in ["name", "salary", "created", "number", "label", "nowhere", "department"] {
            let asked = values([("nick", Value::Empty)]);
            let sent = values([("nick", Value::text("x")), (member, Value::Integer(1))]);
            let result = app.act(&h.user, |store, grants| {
                let permit = (grants as &dyn Authority).change(&hr("Employee"), asked.keys())?;
                store.change(&permit, h.emma, None, &sent)
            });
            assert_eq!(denied(result).reason, Reason::Member(hr("Employee"), Name::new(member)));
        }
        for member in ["created", "owner", "number", "label"] {
            let sent = values([("name", Value::text("x")), (member, Value::Empty)]);
            let result = app.act(&app.admin(), |store, grants| {
                let permit = (grants as &dyn Authority).create(&hr("Employee"), [])?;
                store.create(&permit, &sent)
            });
            denied(result);
        }
    });
}

#[test]
fn a_reference_to_what_the_writer_may_not_read_is_refused_like_one_to_nowhere() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        app.change(&h.user, "Employee", h.emma, None, [("boss", Value::Object(h.ben))]).unwrap();
        let foreign = denied(app.change(&h.user, "Employee", h.emma, None, [("boss", Value::Object(h.cleo))]));
        let nowhere = denied(app.change(&h.user, "Employee", h.emma, None, [("boss", Value::Object(ObjectId(99_999)))]));
        assert_eq!(foreign, nowhere);
        let skill = denied(app.change(&h.user, "Employee", h.emma, None, [("skills", Value::List(vec![ObjectId(5)]))]));
        assert!(skill.conceal);
        let row = app.see(&app.admin(), "Employee", h.emma, &["boss"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::Object(h.ben))]);
    });
}

#[test]
fn deleting_refuses_clears_and_takes_along_what_the_model_says_and_records_each() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let admin = app.admin();
        let used = app.delete(&admin, "Department", h.inland, None);
        assert!(matches!(&used, Err(WriteError::InUse(by)) if *by == hr("Employee")), "{used:?}");
        let skill = app.create(&admin, "Skill", [("name", Value::text("Go"))]).unwrap();
        app.create(&admin, "Note", [("text", Value::text("n")), ("about", Value::Object(h.ben))]).unwrap();
        app.change(&admin, "Employee", h.ben, None, [("skills", Value::List(vec![skill]))]).unwrap();
        app.change(&admin, "Employee", h.emma, None, [("boss", Value::Object(h.ben))]).unwrap();
        app.change(&admin, "Employee", h.ben, None, [("boss", Value::Object(h.ben))]).unwrap();
        let records = app.records();
        denied(app.delete(&h.user, "Employee", h.ben, None));
        app.delete(&admin, "Employee", h.ben, None).unwrap();
        // Ben and the note are gone; Ben himself, Emma and Sales have forgotten Ben.
        assert_eq!(app.records(), records + 5);
        assert_eq!((count(&app, "Employee"), count(&app, "Note"), count(&app, "Skill")), (2, 0, 1));
        let row = app.see(&admin, "Employee", h.emma, &["boss"]).unwrap();
        assert_eq!(row.cells, [Cell::Shown(Value::Empty)]);
        app.delete(&admin, "Skill", skill, Some(1)).unwrap();
    });
}

#[test]
fn many_to_many_members_are_replaced_as_a_whole_and_shown_as_a_list() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let admin = app.admin();
        let skills: Vec<_> = ["a", "b", "c"].map(|n| app.create(&admin, "Skill", [("name", Value::text(n))]).unwrap()).into();
        let list = |of: &[ObjectId]| Value::List(of.to_vec());
        app.change(&h.user, "Employee", h.emma, None, [("skills", list(&[skills[2], skills[0], skills[0]]))]).unwrap();
        app.change(&h.user, "Employee", h.emma, None, [("skills", list(&skills[..2]))]).unwrap();
        let row = app.see(&h.user, "Employee", h.emma, &["skills", "name"]).unwrap();
        assert_eq!(row.cells[0], Cell::Shown(list(&skills[..2])));
        let mut along = Query::of(&hr("Skill"), vec![path("name")]);
        along.along = Some((hr("Employee"), h.emma, Name::new("skills")));
        assert_eq!(app.view(&h.user, &along).unwrap().rows.len(), 2);
        // Ben sees Emma, but not her skills.
        assert!(app.view(&h.boss, &along).unwrap().rows.is_empty());
    });
}

#[test]
fn after_a_write_that_failed_half_way_nothing_can_be_finished() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let records = app.records();
        let done = app.act(&h.boss, |store, grants| {
            let all = values([("name", Value::text("Dan")), ("department", Value::Object(h.lab))]);
            let permit = (grants as &dyn Authority).create(&hr("Employee"), all.keys())?;
            assert!(store.create(&permit, &all).is_err());
            Ok(())
        });
        assert!(matches!(done, Err(WriteError::Object(ObjectError::Fault(_)))), "{done:?}");
        assert_eq!((count(&app, "Employee"), app.records()), (3, records));
    });
}

#[test]
fn numbers_given_by_the_server_are_never_given_twice() {
    each(|db| {
        let app = App::new(db);
        let admin = app.admin();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for n in 0..5 {
                        app.create(&admin, "Employee", [("name", Value::text(format!("n{n}")))]).unwrap();
                    }
                });
            }
        });
        let mut query = Query::of(&hr("Employee"), vec![path("number")]);
        query.sort = vec![(path("number"), false)];
        let rows = app.view(&admin, &query).unwrap().rows;
        let numbers: Vec<_> = rows.iter().map(|row| row.cells[0].value().unwrap().canonical().parse::<i64>().unwrap()).collect();
        assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    });
}

#[test]
fn of_two_who_change_the_same_version_one_is_told_that_it_is_stale() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let results: Vec<_> = std::thread::scope(|scope| {
            let one = |nick: &'static str| {
                let (app, h) = (&app, &h);
                scope.spawn(move || app.change(&h.user, "Employee", h.emma, Some(1), [("nick", Value::text(nick))]))
            };
            ["a", "b", "c"].map(one).into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|r| matches!(r, Err(WriteError::Stale))).count(), 2, "{results:?}");
        assert_eq!(app.see(&h.user, "Employee", h.emma, &["nick"]).unwrap().version, 2);
    });
}

#[test]
fn a_full_disk_is_told_as_unavailable_and_leaves_nothing() {
    crate::db::testing::sqlite(|db| {
        let app = App::new(db);
        let h = house(&app);
        let records = app.records();
        let full = app.act(&h.user, |store, grants| {
            store.conn().batch("PRAGMA max_page_count = 1").unwrap();
            let all = values([("notes", Value::text("x".repeat(900_000)))]);
            let permit = (grants as &dyn Authority).change(&hr("Employee"), all.keys())?;
            store.change(&permit, h.emma, None, &all)
        });
        assert!(matches!(full, Err(WriteError::Object(ObjectError::Unavailable(_)))), "{full:?}");
        let row = app.see(&h.user, "Employee", h.emma, &["notes"]).unwrap();
        assert_eq!((row.cells, row.version, app.records()), (vec![Cell::Shown(Value::Empty)], 1, records));
    });
}

#[test]
fn a_caller_learns_about_their_own_account_only_from_it() {
    each(|db| {
        let app = App::new(db);
        let h = house(&app);
        let own = app.read(&h.user, |store| {
            (store.identity(&Name::new("email")).unwrap(), store.identity(&Name::new("employee")).unwrap())
        });
        assert_eq!(own, (Value::text("emma@x.example"), Value::Object(h.emma)));
        let nobody = app.read(&app.person("Employee", None), |store| store.identity(&Name::new("email")).unwrap());
        assert_eq!(nobody, Value::Empty);
    });
}
