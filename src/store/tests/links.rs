//! What many-to-many associations lead to can be deleted, and losing a link is a change.

use super::fixture::{App, Person, hr, model_of, path, values};
use crate::access::{Authority, Cell, Objects, Query, WriteError};
use crate::audit::{Event, EventKind};
use crate::db::testing::each;
use crate::domain::{ObjectId, Value};

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
