//! Where no two objects may have the same: the other world moves such members too, and what a refusal tells is found.

use super::{found_by, library, q};
use crate::attack::class::worlds;
use crate::attack::crew::Attacker;
use crate::attack::guard::{Guard, is_sound};
use crate::attack::instance::Instance;
use crate::attack::raid::Raid;
use crate::attack::{Class, Options, Report, run_altered};
use crate::db::testing;
use crate::domain::{Name, ObjectId, Value};
use crate::model::{Entity, Model};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;

const APP: &str = "
app: desk
title: Desk
level: prototype
language: en
languages: [en]
modules: [m]
userRoles:
  One: {moduleRoles: [m.Clerk]}
  Two: {moduleRoles: [m.Guest]}
  Three: {moduleRoles: [m.Owner]}
administration: {}
navigation:
  - {userRoles: [One, Two, Three], home: m.Front, menu: []}
demoUsers: []
";
/// Everything that no two objects may have in common, seen and hidden, with words of the model's own and without.
const DOMAIN: &str = "
entities:
  Room:
    attributes: {name: {type: string, length: 40}}
    access:
      - {roles: [Clerk, Guest, Owner], read: [name]}
  Key:
    attributes: {tag: {type: string, length: 40}, note: {type: string, length: 40}, lost: {type: boolean}}
    associations:
      room: {to: Room, kind: one-to-one, inverse: key, onDelete: clear}
    unique: [[tag]]
    access:
      - {roles: [Clerk], create: true, read: [tag, note, room, lost], write: [tag, note, room, lost], where: \"!this.lost\"}
      - {roles: [Guest], create: true, read: [note, lost], write: [note]}
      - {roles: [Guest], read: [tag, room], write: [tag, room], where: \"this.lost\"}
      - {roles: [Owner], create: true, read: [tag, note, room, lost], write: [tag, note, room, lost]}
  Booking:
    attributes:
      from: {type: date}
      to: {type: date}
      place: {type: string, length: 40}
      secret: {type: boolean}
    associations:
      room: {to: Room, onDelete: clear}
    unique: [[place, room]]
    exclude: {same: [room], overlap: [from, to]}
    access:
      - {roles: [Clerk], create: true, read: [from, to, room, place, secret], write: [from, to, room, place, secret], where: \"!this.secret\"}
      - {roles: [Guest], create: true, read: [room, place, secret], write: [room, place]}
      - {roles: [Guest], read: [from, to], write: [from, to], where: \"this.secret\"}
      - {roles: [Owner], create: true, read: [from, to, room, place, secret], write: [from, to, room, place, secret]}
  Shift:
    attributes:
      starts: {type: datetime, required: true}
      ends: {type: datetime, required: true}
      post: {type: string, length: 40, required: true}
      open: {type: boolean}
    exclude:
      - {same: [post], overlap: [starts, ends], member: post, message: Somebody is at this post then}
    validations:
      - {member: ends, rule: \"this.ends > this.starts\", message: It ends after it begins}
    access:
      - {roles: [Clerk], create: true, read: [starts, ends, post, open], write: [starts, ends, post, open], where: \"this.open\"}
      - {roles: [Owner], create: true, read: [starts, ends, post, open], write: [starts, ends, post, open]}
";
const FRONT: &str = "title: Front\nlayout: app\nroles: [Clerk, Guest, Owner]\ncontent:\n  - text: {value: Here}\n";

fn desk() -> TempDir {
    let files = [
        ("app.yaml", APP),
        ("m/module.yaml", "roles: {Clerk: C, Guest: G, Owner: O}\n"),
        ("m/domain.yaml", DOMAIN),
        ("m/pages/Front.yaml", FRONT),
    ];
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn options(app: &Path) -> Options {
    Options { class: Some(Class::UniqueValues), ..Options::of(app) }
}

fn entity<'m>(model: &'m mut Model, name: &str) -> &'m mut Entity {
    Arc::make_mut(model.entities.get_mut(&q(name)).unwrap())
}

/// The cells in which two rows may not have the same and which this attacker may not read.
fn guarded(raid: &Raid<'_>, attacker: &Attacker, entity: &Entity) -> Vec<(ObjectId, Name)> {
    let tree = |member: &&Name| entity.tree.as_ref() != Some(*member);
    let members: Vec<Name> = Guard::of(entity).iter().flat_map(|guard| guard.members()).filter(tree).cloned().collect();
    let ids = raid.world.ids(&entity.name).into_iter();
    let cells = ids.flat_map(|id| members.iter().map(move |member| (id, member.clone())));
    cells.filter(|(id, member)| !attacker.reads(&entity.name, *id, member)).collect()
}

/// For each attacker the other world is as sound as the first, moves most of what is guarded, and can be made and unmade.
fn worlds(options: &Options) {
    let instance = Instance::start(&options.app, options.database.as_ref(), options.seed, &|_| ()).unwrap();
    let raid = Raid::prepare(&instance, options).unwrap();
    let (mut hidden, mut moved) = (0, 0);
    for attacker in raid.crew.clone() {
        let (other, _) = worlds::shuffled(&raid, &attacker);
        let mut seen = Attacker::enter(&instance, &person(&instance, &attacker), &other, &raid.marks).unwrap();
        assert_eq!((seen.readable == attacker.readable, seen.known == attacker.known), (true, true), "{}", attacker.role);
        seen.learn(&raid.model, &raid.world, &raid.marks, instance.now);
        for entity in raid.model.entities.values().filter(|entity| entity.persistable && !entity.system) {
            let all: Vec<Name> = entity.members().cloned().collect();
            for (id, row) in &other.rows[&entity.name] {
                assert!(is_sound(entity, &other, Some(*id), &row.values, &all), "{}#{}", entity.name, id.0);
            }
            let cells = guarded(&raid, &attacker, entity);
            hidden += cells.len();
            let value = |world: &crate::attack::world::World, cell: &(ObjectId, Name)| -> Value {
                world.value(&entity.name, cell.0, &cell.1)
            };
            moved += cells.iter().filter(|cell| value(&other, cell) != value(&raid.world, cell)).count();
        }
        raid.make(&other, &raid.world).unwrap();
        assert!(raid.world_now().unwrap() == other, "{}", attacker.role);
        raid.make(&raid.world, &other).unwrap();
        assert!(raid.world_now().unwrap() == raid.world, "{}", attacker.role);
    }
    assert!(hidden > 20 && moved * 10 > hidden * 6, "{moved} of {hidden} guarded cells have another value");
}

fn person(instance: &Instance, attacker: &Rc<Attacker>) -> crate::attack::instance::Person {
    instance.people.iter().find(|person| person.who == attacker.who).unwrap().clone()
}

#[test]
fn the_other_world_moves_what_must_be_unique_and_is_as_sound_as_the_first() {
    let folder = desk();
    worlds(&options(folder.path()));
    worlds(&Options { role: None, ..library() });
    if let Some(cluster) = testing::cluster::shared() {
        worlds(&Options { database: Some(crate::config::Secret::new(cluster.database())), ..options(folder.path()) });
    }
}

#[test]
fn rows_that_exchange_what_must_be_unique_are_put_back() {
    let folder = desk();
    let options = options(folder.path());
    let instance = Instance::start(&options.app, None, options.seed, &|_| ()).unwrap();
    let raid = Raid::prepare(&instance, &options).unwrap();
    let mut other = raid.world.clone();
    for (name, members) in [("m.Key", ["tag", "room"]), ("m.Booking", ["place", "room"])] {
        let ids = other.ids(&q(name));
        for member in members.map(Name::new) {
            let values: Vec<Value> = ids.iter().map(|id| other.value(&q(name), *id, &member)).collect();
            for (id, value) in ids.iter().zip(values.iter().cycle().skip(1)) {
                other.set(&q(name), *id, &member, value.clone());
            }
        }
    }
    assert!(other != raid.world);
    raid.make(&other, &raid.world).unwrap();
    assert!(raid.world_now().unwrap() == other);
    raid.make(&raid.world, &other).unwrap();
    assert!(raid.world_now().unwrap() == raid.world);
}

fn clean(options: &Options) -> Report {
    let report = run_altered(options, &|_| ()).unwrap();
    assert!(report.gained == 0 && report.faults.is_empty(), "{}\n{:?}", report.table(), report.faults);
    report
}

#[test]
fn a_taken_value_is_told_in_general_words_wherever_no_two_may_have_the_same_and_nothing_else_is() {
    let folder = desk();
    let report = clean(&options(folder.path()));
    assert!(report.tried > 20, "{}", report.table());
    for (role, what) in [
        ("One", "m.Key.tag"),
        ("One", "m.Key.room"),
        ("One", "m.Booking.place, room"),
        ("One", "m.Booking.room, from, to"),
        ("One", "m.Shift.post, starts, ends"),
        ("Two", "m.Key.tag"),
        ("Two", "m.Booking.room, from, to"),
    ] {
        let line = format!("{role} learns that a value of {what} cannot be used, not why");
        assert!(report.remaining.contains(&line), "{line}: {:#?}", report.remaining);
    }
    assert!(!report.remaining.iter().any(|line| line.starts_with("Three")), "who sees all is refused in plain words");
    if let Some(cluster) = testing::cluster::shared() {
        let other = clean(&Options { database: Some(crate::config::Secret::new(cluster.database())), ..options(folder.path()) });
        assert_eq!((other.tried, &other.remaining), (report.tried, &report.remaining));
    }
}

/// What the class finds when the server runs the model as `alter` leaves it.
fn planted(alter: &dyn Fn(&mut Model)) -> Report {
    let folder = desk();
    let options = options(folder.path());
    let report = run_altered(&options, alter).unwrap();
    assert!(report.gained > 0, "{}", report.table());
    let first = &report.findings[0];
    let again = run_altered(&Options { only: Some(first.id.clone()), class: None, ..options }, alter).unwrap();
    assert!(again.findings.iter().any(|found| found.id == first.id && found.gained == first.gained), "{again:#?}");
    report
}

fn gained(report: &Report, subject: &str, words: &str) {
    let found = report.findings.iter().any(|finding| finding.id.contains(subject) && finding.gained.contains(words));
    assert!(found, "{subject} {words}: {:#?}", report.findings);
}

#[test]
fn a_server_that_believes_the_hidden_object_is_seen_is_found_by_its_words() {
    let open = |model: &mut Model| {
        for name in ["m.Key", "m.Booking"] {
            entity(model, name).rules.iter_mut().for_each(|rule| Arc::make_mut(rule).condition = None);
        }
    };
    let report = planted(&open);
    gained(&report, "hidden+New+m.Key.tag", "Tag is already in use");
    gained(&report, "hidden+New+m.Key.room", "Room is already in use");
    gained(&report, "m.Booking", "overlaps with another");
    // The library's own, on the demo app.
    let desk = |model: &mut Model| {
        for rule in &mut entity(model, "lending.Reader").rules {
            Arc::make_mut(rule).condition = None;
            Arc::make_mut(rule).read.extend(["email", "remark"].map(Name::new));
        }
    };
    found_by(Class::Compared, Some("Reader".to_owned()), &desk);
}

#[test]
fn a_server_whose_uniqueness_goes_beyond_what_the_model_says_is_found_by_two_worlds() {
    let wider = |model: &mut Model| entity(model, "m.Booking").unique = vec![vec![Name::new("place")]];
    gained(&planted(&wider), "part+Form+m.Booking", "tells whether a hidden object has the value");
}

#[test]
fn a_refusal_in_other_words_or_at_another_field_is_found() {
    let words = |model: &mut Model| entity(model, "m.Booking").exclude[0].message = Some("Taken by the director".to_owned());
    gained(&planted(&words), "hidden+New+m.Booking.room+from+to", "Taken by the director");
    let place = |model: &mut Model| entity(model, "m.Shift").exclude[0].member = Name::new("starts");
    gained(&planted(&place), "hidden+New+m.Shift.post+starts+ends", "tells whether a hidden object has the value");
}

#[test]
fn a_server_that_stores_what_another_object_has_is_found_by_the_stored_rows() {
    let none = |model: &mut Model| entity(model, "m.Key").unique.clear();
    gained(&planted(&none), "hidden+Form+m.Key", "was stored although another object has the same");
}

#[test]
fn a_unique_member_that_is_shown_too_widely_is_found_by_two_worlds() {
    let folder = desk();
    let show = |model: &mut Model| {
        for rule in &mut entity(model, "m.Key").rules {
            if rule.read.contains(&Name::new("lost")) {
                Arc::make_mut(rule).read.insert(Name::new("room"));
            }
        }
    };
    let options = Options { class: Some(Class::Compared), role: Some("Two".into()), ..Options::of(folder.path()) };
    let report = run_altered(&options, &show).unwrap();
    assert!(report.findings.iter().any(|finding| finding.id.contains("m.Key")), "{}", report.table());
    assert_eq!(run_altered(&options, &|_| ()).unwrap().gained, 0);
}
