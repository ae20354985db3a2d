//! What many-to-many associations lead to can be deleted, and losing a link is a change.

use super::fixture::{App, Person, hr, model_of, now, path, values};
use crate::access::{Authority, Cell, ObjectError, Objects, Query, WriteError};
use crate::audit::{Event, EventKind};
use crate::db::sql::{Params, Sql, execute};
use crate::db::testing::each;
use crate::db::{DbError, Purpose};
use crate::domain::{Kind, ObjectId, Value};
use crate::store::Caller;

/// Readers may delete labels, groups of labels and sheets; only managers write documents.
const DOMAIN: &str = "
entities:
  Group:
    attributes:
      name: {type: string}
    access:
      - {roles: [User], create: true, delete: true, read: [name], write: [name]}
  Label:
    attributes:
      name: {type: string}
    associations:
      group: {to: Group, onDelete: cascade}
    access:
      - {roles: [User], create: true, delete: true, read: [name, group], write: [name, group]}
  Sheet:
    attributes:
      name: {type: string}
    associations:
      near: {to: Sheet, kind: many-to-many}
    access:
      - {roles: [User], delete: true, read: [name, near]}
      - {roles: [Manager], create: true, read: [name, near], write: [name, near]}
  Document:
    store: [changed, changedBy]
    attributes:
      title: {type: string}
    associations:
      labels: {to: Label, kind: many-to-many, inverse: documents}
      main: {to: Label, onDelete: clear}
    access:
      - {roles: [User], read: [title, labels, main, changed, changedBy]}
      - {roles: [Manager], create: true, delete: true, read: [title, labels, main, changed, changedBy], write: [title, labels, main]}
";

fn app(db: &crate::db::Db) -> (App<'_>, Person, Person) {
    let app = App::of(db, model_of(DOMAIN));
    let reader = app.person("Employee", Some(app.account("wim@x.example")));
    let boss = app.person("Boss", Some(app.account("bo@x.example")));
    (app, reader, boss)
}

fn named(app: &App<'_>, who: &Person, entity: &str, name: &str) -> ObjectId {
    app.create(who, entity, [("name", Value::text(name))]).unwrap()
}

fn document(app: &App<'_>, boss: &Person, labels: &[ObjectId]) -> ObjectId {
    let all = [("title", Value::text("Plan")), ("labels", Value::List(labels.to_vec()))];
    app.create(boss, "Document", all).unwrap()
}

fn labels(app: &App<'_>, who: &Person, document: ObjectId) -> (Value, i64) {
    let row = app.see(who, "Document", document, &["labels"]).unwrap();
    let Cell::Shown(value) = &row.cells[0] else { panic!("withheld") };
    (value.clone(), row.version)
}

/// Deletes and gives what was noted.
fn deleted(app: &App<'_>, who: &Person, entity: &str, id: ObjectId) -> Result<Vec<Event>, WriteError> {
    app.act(who, |store, grants| {
        let permit = (grants as &dyn Authority).delete(&hr(entity))?;
        store.delete(&permit, id, None)?;
        Ok(store.events.clone())
    })
}

fn names(events: &[Event]) -> Vec<(EventKind, String)> {
    events.iter().map(|event| (event.kind, event.object.clone().unwrap())).collect()
}

#[test]
fn who_only_reads_the_owner_of_a_link_deletes_what_it_leads_to() {
    each(|db| {
        let (app, reader, boss) = app(db);
        let group = named(&app, &reader, "Group", "secret");
        let free = named(&app, &reader, "Label", "free");
        let used = named(&app, &reader, "Label", "used");
        let kept = named(&app, &reader, "Label", "kept");
        let all = [("name", Value::text("grouped")), ("group", Value::Object(group))];
        let grouped = app.create(&reader, "Label", all).unwrap();
        let plan = document(&app, &boss, &[used, kept, grouped]);
        app.delete(&reader, "Label", free, None).unwrap();
        app.delete(&reader, "Label", used, None).unwrap();
        assert_eq!(labels(&app, &reader, plan).0, Value::List(vec![kept, grouped]));
        // A cascade onto what a link leads to, by somebody who does not even see the links as their own.
        app.delete(&reader, "Group", group, None).unwrap();
        assert_eq!(labels(&app, &reader, plan).0, Value::List(vec![kept]));
        // Links of an entity to itself, from both sides.
        let first = named(&app, &boss, "Sheet", "first");
        let near = [("name", Value::text("second")), ("near", Value::List(vec![first]))];
        let second = app.create(&boss, "Sheet", near).unwrap();
        app.change(&boss, "Sheet", first, None, [("near", Value::List(vec![first, second]))]).unwrap();
        app.delete(&reader, "Sheet", first, None).unwrap();
        assert_eq!(app.see(&reader, "Sheet", second, &["near"]).unwrap().cells, [Cell::Shown(Value::List(vec![]))]);
        // What was not granted stays refused: the document itself.
        assert!(app.delete(&reader, "Document", plan, None).is_err());
        assert_eq!(app.view(&reader, &Query::of(&hr("Document"), vec![path("title")])).unwrap().rows.len(), 1);
    });
}

#[test]
fn losing_a_link_is_recorded_as_a_change_of_its_owner() {
    each(|db| {
        let (app, reader, boss) = app(db);
        let (secret, open) = (named(&app, &reader, "Label", "secret"), named(&app, &reader, "Label", "open"));
        let (plan, other) = (document(&app, &boss, &[open, secret]), document(&app, &boss, &[open]));
        let events = deleted(&app, &reader, "Label", secret).unwrap();
        let about = |id: ObjectId| format!("hr.Document#{}", id.0);
        let expected = [(EventKind::Changed, about(plan)), (EventKind::Deleted, format!("hr.Label#{}", secret.0))];
        assert_eq!(names(&events), expected);
        let list = |of: &[ObjectId]| Some(Value::List(of.to_vec()).canonical());
        let detail = events[0].details.iter().find(|detail| detail.name == "hr.Document.labels").unwrap();
        assert_eq!((detail.old.clone(), detail.new.clone()), (list(&[secret, open]), list(&[open])));
        let by = events[0].details.iter().find(|detail| detail.name == "hr.Document.changedBy").unwrap();
        assert_eq!(by.new, Some(Value::Object(reader.id.unwrap()).canonical()));
        assert_eq!(
            (labels(&app, &boss, plan), labels(&app, &boss, other)),
            ((Value::List(vec![open]), 2), (Value::List(vec![open]), 1))
        );
        let late = app.change(&boss, "Document", plan, Some(1), [("labels", Value::List(vec![]))]);
        assert!(matches!(late, Err(WriteError::Stale)), "who saw the link acts on what is no longer so: {late:?}");
    });
}

#[test]
fn links_lost_by_a_cascade_are_recorded_and_those_of_what_goes_too_are_not() {
    each(|db| {
        let (app, reader, boss) = app(db);
        let group = named(&app, &reader, "Group", "g");
        let both: Vec<ObjectId> = ["a", "b"]
            .map(|name| {
                let all = [("name", Value::text(name)), ("group", Value::Object(group))];
                app.create(&reader, "Label", all).unwrap()
            })
            .to_vec();
        let plan = document(&app, &boss, &both);
        let events = deleted(&app, &reader, "Group", group).unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        let (changed, gone) = (EventKind::Changed, EventKind::Deleted);
        assert_eq!(kinds, [changed, gone, changed, gone, gone], "{:?}", names(&events));
        assert_eq!(labels(&app, &boss, plan), (Value::List(vec![]), 3));
        // A sheet that is near itself: nothing is left to be changed.
        let sheet = named(&app, &boss, "Sheet", "s");
        app.change(&boss, "Sheet", sheet, None, [("near", Value::List(vec![sheet]))]).unwrap();
        let events = deleted(&app, &reader, "Sheet", sheet).unwrap();
        assert_eq!(names(&events), [(gone, format!("hr.Sheet#{}", sheet.0))]);
    });
}

#[test]
fn a_label_on_very_many_objects_is_taken_off_each() {
    each(|db| {
        let (app, reader, boss) = app(db);
        let label = named(&app, &reader, "Label", "common");
        let count: usize = 1_203;
        let all = values([("title", Value::text("x")), ("labels", Value::List(vec![label]))]);
        app.act(&boss, |store, grants| {
            for _ in 0..count {
                store.create(&(grants as &dyn Authority).create(&hr("Document"), all.keys())?, &all)?;
            }
            store.events.clear();
            Ok(())
        })
        .unwrap();
        let events = deleted(&app, &reader, "Label", label).unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Changed).count(), count);
    });
}

/// Boxes that may be deleted for what points at them, and for what their own links lead to.
const BOXES: &str = "
entities:
  Tag:
    attributes:
      name: {type: string}
    access:
      - {roles: [User], create: true, read: [name], write: [name]}
      - {roles: [User], delete: true, where: \"exists(this.boxes)\"}
  Box:
    attributes:
      name: {type: string}
    associations:
      tags: {to: Tag, kind: many-to-many, inverse: boxes}
      inside: {to: Box, inverse: contents, onDelete: clear}
    access:
      - {roles: [User], create: true, read: [name, tags, inside], write: [name, tags, inside]}
      - {roles: [User], delete: true, where: \"this.name == 'parts' && count(this.parts) == 2\"}
      - {roles: [User], delete: true, where: \"this.name == 'few' && count(this.parts) < 2\"}
      - {roles: [User], delete: true, where: \"this.name == 'slips' && exists(this.slips[item.of.name == 'x'])\"}
      - {roles: [User], delete: true, where: \"this.name == 'tags' && exists(this.tags[item.name == 'free'])\"}
      - {roles: [User], delete: true, where: \"this.name == 'contents' && exists(this.contents)\"}
      - {roles: [User], delete: true, where: \"this.name == 'locked' && exists(this.parts)\"}
  Part:
    attributes:
      name: {type: string}
    associations:
      box: {to: Box, inverse: parts, onDelete: clear}
    access:
      - {roles: [User], read: [name, box]}
      - {roles: [Manager], create: true, read: [name, box], write: [name, box]}
  Slip:
    attributes:
      name: {type: string}
    associations:
      box: {to: Box, inverse: slips, onDelete: cascade}
      of: {to: Part, inverse: slips, onDelete: clear}
    access:
      - {roles: [User], read: [name, box]}
      - {roles: [Manager], create: true, read: [name, box, of], write: [name, box, of]}
  Lock:
    attributes:
      name: {type: string}
    associations:
      box: {to: Box}
    access:
      - {roles: [Manager], create: true, read: [name, box], write: [name, box]}
";

#[test]
fn a_rule_about_what_points_at_an_object_or_what_it_links_to_is_asked_while_all_of_it_is_in_place() {
    each(|db| {
        let app = App::of(db, model_of(BOXES));
        let user = app.person("Employee", Some(app.account("wim@x.example")));
        let boss = app.person("Boss", Some(app.account("bo@x.example")));
        let of = |entity: &str, name: &str, member: &'static str, target: ObjectId| {
            app.create(&boss, entity, [("name", Value::text(name)), (member, Value::Object(target))]).unwrap()
        };
        let make = |name: &str| named(&app, &user, "Box", name);
        let seen = |entity: &str, id: ObjectId, member: &str| {
            app.see(&user, entity, id, &[member]).map(|row| (row.cells[0].clone(), row.version))
        };

        let with_parts = make("parts");
        assert!(matches!(app.delete(&user, "Box", with_parts, None), Err(WriteError::Object(ObjectError::Denied(_)))));
        let parts = ["a", "b"].map(|name| of("Part", name, "box", with_parts));
        let done = names(&deleted(&app, &user, "Box", with_parts).unwrap());
        let changed = |id: ObjectId| (EventKind::Changed, format!("hr.Part#{}", id.0));
        assert_eq!(done[..2], [changed(parts[0]), changed(parts[1])]);
        assert_eq!(done[2], (EventKind::Deleted, format!("hr.Box#{}", with_parts.0)));
        assert_eq!(seen("Part", parts[0], "box"), Some((Cell::Shown(Value::Empty), 2)));

        // What is true only after the parts have let go grants nothing, and nothing of the attempt stays.
        let few = make("few");
        let parts = ["a", "b"].map(|name| of("Part", name, "box", few));
        assert!(matches!(app.delete(&user, "Box", few, None), Err(WriteError::Object(ObjectError::Denied(_)))));
        assert_eq!(seen("Part", parts[1], "box"), Some((Cell::Shown(Value::Object(few)), 1)));

        let with_slips = make("slips");
        let other = of("Part", "x", "box", few);
        let slip = of("Slip", "s", "box", with_slips);
        assert!(app.delete(&user, "Box", with_slips, None).is_err());
        app.change(&boss, "Slip", slip, None, [("of", Value::Object(other))]).unwrap();
        app.delete(&user, "Box", with_slips, None).unwrap();
        assert_eq!((seen("Box", with_slips, "name"), seen("Slip", slip, "name")), (None, None));

        let with_tags = make("tags");
        let free = named(&app, &user, "Tag", "free");
        assert!(app.delete(&user, "Box", with_tags, None).is_err() && app.delete(&user, "Tag", free, None).is_err());
        app.change(&user, "Box", with_tags, None, [("tags", Value::List(vec![free]))]).unwrap();
        app.delete(&user, "Box", with_tags, None).unwrap();
        app.change(&user, "Box", few, None, [("tags", Value::List(vec![free]))]).unwrap();
        app.delete(&user, "Tag", free, None).unwrap();
        assert_eq!(seen("Box", few, "tags").unwrap().0, Cell::Shown(Value::List(Vec::new())));

        let outer = make("contents");
        assert!(app.delete(&user, "Box", outer, None).is_err());
        app.change(&user, "Box", few, None, [("inside", Value::Object(outer))]).unwrap();
        app.delete(&user, "Box", outer, None).unwrap();
        assert_eq!(seen("Box", few, "inside").unwrap().0, Cell::Shown(Value::Empty));

        // What may not be let go of keeps the object, with all that would have let go of it.
        let locked = make("locked");
        let part = of("Part", "p", "box", locked);
        of("Lock", "l", "box", locked);
        let used = app.delete(&user, "Box", locked, None);
        assert!(matches!(&used, Err(WriteError::InUse(by)) if *by == hr("Lock")), "{used:?}");
        assert_eq!(seen("Part", part, "box"), Some((Cell::Shown(Value::Object(locked)), 1)));
    });
}

#[test]
fn a_deletion_that_would_take_too_many_objects_along_is_refused_before_any_of_them_goes() {
    each(|db| {
        let app = App::of(db, model_of(BOXES));
        let user = app.person("Employee", Some(app.account("wim@x.example")));
        let boss = app.person("Boss", Some(app.account("bo@x.example")));
        let target = named(&app, &user, "Box", "slips");
        let part = app.create(&boss, "Part", [("name", Value::text("x"))]).unwrap();
        let fill = |count: usize| {
            let rows = format!(
                "INSERT INTO hr_slip (name, box_id, of_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
                 SELECT 's', {}, {} FROM n",
                target.0, part.0
            );
            db.write(|conn| conn.batch(&rows)).unwrap();
        };
        fill(10_000);
        let before = db.statements();
        let refused = app.delete(&user, "Box", target, None);
        assert!(matches!(&refused, Err(WriteError::Object(ObjectError::Fault(_)))), "{refused:?}");
        assert!(db.statements() - before < 30, "it was not begun");
        let slips =
            app.view(&user, &Query { total: Some(20_000), limit: 1, ..Query::of(&hr("Slip"), vec![path("name")]) }).unwrap();
        assert_eq!(slips.total.map(|total| total.count), Some(10_000));
        assert_eq!(app.records(), 2, "the two that were made");
    });
}

/// SQLite's triggers let through what follows from a row that has just gone, and nothing that only looks like it.
#[test]
fn statements_that_only_look_like_what_follows_from_a_deletion_are_refused() {
    each(|db| {
        let app = App::of(db, model_of(BOXES));
        let user = app.person("Employee", Some(app.account("wim@x.example")));
        let boss = app.person("Boss", Some(app.account("bo@x.example")));
        let [free, kept] = ["parts", "few"].map(|name| named(&app, &user, "Box", name));
        let of = |entity: &str, target: ObjectId| {
            app.create(&boss, entity, [("name", Value::text("x")), ("box", Value::Object(target))]).unwrap()
        };
        let parts = [free, free, kept, kept].map(|target| of("Part", target));
        let slip = of("Slip", kept);
        let attempt = |text: &[&'static str], keys: &[ObjectId]| {
            let named = |entity: &&str| text.iter().any(|part| part.contains(&format!("hr_{}", entity.to_lowercase())));
            let entity = hr(["Part", "Slip", "Box"].into_iter().find(named).unwrap());
            let table = app.statements.tables.get(&entity).unwrap().name.clone();
            app.proved(&user);
            db.write(|conn| {
                let (rights, caller) = (user.grants.rights(), Caller { user: user.id, now: now() });
                let standing = app.statements.standing_to_write(rights, (&entity, &table), caller, db.dialect()).unwrap();
                let params = Params::new(user.id, now(), now().date());
                let mut sql = Sql::new();
                for (at, part) in text.iter().enumerate() {
                    sql.raw(part);
                    if let Some(key) = keys.get(at) {
                        sql.bind(&Value::Object(*key), &Kind::Object(hr("Box")));
                    }
                }
                conn.within(&standing, Purpose::Write, |conn| execute(conn, &sql, &params))
            })
        };
        let fails = |done: Result<usize, DbError>| matches!(done, Ok(0) | Err(DbError::Forbidden(_)));
        assert!(fails(attempt(&["UPDATE hr_part SET box_id = NULL WHERE id = "], &[parts[2]])));
        assert!(fails(attempt(&["UPDATE hr_part SET box_id = NULL"], &[])));
        assert!(fails(attempt(&["UPDATE hr_part SET box_id = NULL WHERE box_id = "], &[free])));
        assert!(fails(attempt(&["DELETE FROM hr_slip WHERE id = "], &[slip])));
        assert!(fails(attempt(&["DELETE FROM hr_part WHERE id = "], &[parts[0]])));
        assert!(fails(attempt(&["DELETE FROM hr_box WHERE id = "], &[kept])));
        // The row that may not go takes the other one with it: the statement is refused.
        let both = attempt(&["DELETE FROM hr_box WHERE id IN (", ", ", ")"], &[free, kept]);
        assert!(matches!(both, Err(DbError::Forbidden(_))), "{both:?}");
        let seen = |entity: &str, id: ObjectId| app.see(&user, entity, id, &["box"]).map(|row| row.cells[0].clone());
        for (entity, id) in [("Part", parts[2]), ("Part", parts[3]), ("Slip", slip)] {
            assert_eq!(seen(entity, id), Some(Cell::Shown(Value::Object(kept))), "{entity}");
        }
    });
}
