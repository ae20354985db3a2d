//! Apps of a size that business apps have: without findings, each of their people is served their own, and the attack
//! gains nothing.
//!
//! `cargo test --test it scale -- --ignored` does the same with 200 entities, 30 user roles and 300 combinations.

use crate::support::actor::Actor;
use crate::support::notes::texts;
use crate::support::server::{self, Kind, Server, Setup};
use crate::support::synthetic::{Person, Shape, Synthetic, form_of, list_of};
use portcullis::attack::{self, Options};
use portcullis::config::Secret;
use portcullis::db::Dialect;
use portcullis::model::{self, Files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

/// One of so many attacks is tried, and one of each class for each role at least.
const THIN: u64 = 400;

fn middle() -> Shape {
    Shape { rows: 100, ..Shape::of(40, 10) }
}

fn large() -> Shape {
    Shape { combinations: 300, density: 0.3, ..Shape::of(200, 30) }
}

fn written(shape: Shape) -> (Synthetic, TempDir) {
    let (app, folder) = (Synthetic::of(shape), TempDir::new().unwrap());
    app.write(folder.path());
    (app, folder)
}

/// Every file with its text.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.display().to_string(), std::fs::read_to_string(&path).unwrap())),
        }
    }
    found
}

/// The app is what its numbers say, and `check` finds nothing in it.
fn checked(shape: Shape) {
    let (app, folder) = written(shape);
    let (model, findings) = model::load(&Files::read(folder.path()).unwrap());
    assert!(findings.0.is_empty(), "{shape:?}: {}", findings.human());
    let model = model.unwrap();
    let own: Vec<_> = model.entities.values().filter(|entity| entity.name.module.as_str().starts_with('m')).collect();
    assert_eq!(own.len(), shape.entities);
    for entity in &own {
        assert_eq!((entity.attributes.len(), entity.associations.len()), (12, 2), "{}", entity.name);
        assert!(entity.rules.iter().all(|rule| rule.condition.is_some()), "{}", entity.name);
        for form in ["List", "New"] {
            let page = model.pages.keys().any(|page| page.to_string() == format!("{}{form}", entity.name));
            assert!(page, "{}{form}", entity.name);
        }
    }
    let rules: usize = own.iter().map(|entity| entity.rules.len()).sum();
    let share = rules as f64 / 2.0 / (shape.entities * shape.roles) as f64;
    assert!((share - shape.density).abs() < 0.1, "{share} of the roles have rights on an entity");
    let held: BTreeSet<_> = app.people.iter().map(|person| &person.roles).collect();
    assert_eq!(held.len(), shape.roles + shape.combinations, "no two hold the same");
    assert!(app.combined().iter().all(|person| (2..=4).contains(&person.roles.len())));
    assert!(app.unheld().iter().all(|pair| !held.contains(&pair.to_vec())));
    // With the administrator of accounts.
    assert_eq!(model.demo_users.len(), app.people.len() + 1);
}

#[test]
fn generated_apps_have_no_findings_and_the_size_that_was_asked_for() {
    checked(Shape::of(2, 2 + 2));
    checked(middle());
    checked(Shape { combinations: 40, density: 0.5, ..Shape::of(21, 6) });
}

#[test]
fn the_same_numbers_make_the_same_app_and_another_seed_another() {
    let texts = |seed| {
        let (_, folder) = written(Shape { seed, density: 0.5, ..Shape::of(21, 6) });
        let at = folder.path().display().to_string();
        files(folder.path()).into_iter().map(|(path, text)| (path.replace(&at, ""), text)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(texts(7), texts(7));
    assert_ne!(texts(7), texts(8));
}

/// Starts an app; `None` without PostgreSQL, which is reported.
fn started(folder: &TempDir, kind: Kind) -> Option<Server> {
    Setup::of(folder.path()).on(kind).with(|settings| settings.pool = 6).try_run()
}

/// Makes an object of an entity and looks at the list for it.
fn makes(who: &Actor, entity: usize, name: &str) {
    let form = who.open(&form_of(entity)).fill("Name", name).fill("Code", "made here");
    let saved = form.click("Save");
    assert_eq!(saved.status, 200, "{}", saved.answer.body);
    assert!(saved.shows("Saved"), "{}", saved.html.text);
    assert!(who.open(&list_of(entity)).shows(name), "{name} is in the list of who made it");
}

/// People with combinations make an object each; it is seen by whose team it is, and by nobody else.
fn served(app: &Synthetic, server: &Server) {
    let combined = app.combined();
    let people = [&combined[0], &combined[combined.len() / 2], &combined[combined.len() - 1]];
    for person in people {
        let who = server.sign_in(&person.key);
        let reach = app.reach(&person.roles);
        let entity = *reach.last().unwrap();
        let name = format!("Made by {}", person.key);
        makes(&who, entity, &name);
        let sees = |other: &Person| server.sign_in(&other.key).open(&list_of(entity)).shows(&name);
        let may = |other: &&Person| !app.granted(entity, &other.roles).is_empty() && other.key != person.key;
        let team = app.people.iter().filter(may).find(|other| other.team == person.team).expect("somebody of the team");
        let others = app.people.iter().filter(may).find(|other| other.team != person.team).expect("somebody else");
        assert!(sees(team), "{} is of the team of {}", team.key, person.key);
        assert!(!sees(others), "{} is not of the team of {}", others.key, person.key);
        if let Some(beyond) = (0..app.shape.entities).find(|entity| !reach.contains(entity)) {
            assert_eq!(who.get(&list_of(beyond)).status, 403, "{} has no rights on E{beyond}", person.key);
            assert_eq!(who.get(&form_of(beyond)).status, 403);
        }
    }
}

/// One attack in so many, of every class; nothing is gained. At least so large a share of the cases of rules is tried.
fn attacked(shape: Shape, database: Option<String>, tried: f64) {
    let (_, folder) = written(shape);
    let options = Options { thin: THIN, coarse: true, database: database.map(Secret::new), ..Options::of(folder.path()) };
    let report = attack::run(&options).unwrap();
    assert!(report.is_clean(false) && report.gained == 0, "{}", report.table());
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    // Two rules for two people of each role, and for each of them a row for which it holds and one for which it does not.
    let (rows, without) = (shape.entities as f64 * shape.roles as f64 * shape.density * 8.0, &report.row_classes_without_row);
    assert!((without.len() as f64) < rows * (1.0 - tried), "{} of {rows} are not tried: {without:?}", without.len());
    assert!(report.tried > 300 && report.canaries > 1_000, "{}", report.table());
}

fn served_on(shape: Shape, kind: Kind) {
    let (app, folder) = written(shape);
    if let Some(server) = started(&folder, kind) {
        served(&app, &server);
    }
}

#[test]
fn forty_entities_and_ten_roles_are_served_on_sqlite() {
    served_on(middle(), Kind::Sqlite);
}

#[test]
fn forty_entities_and_ten_roles_are_served_on_postgresql() {
    served_on(middle(), Kind::Postgres);
}

#[test]
fn the_attack_gains_nothing_from_forty_entities_and_ten_roles_on_sqlite() {
    attacked(middle(), None, 0.99);
}

#[test]
fn the_attack_gains_nothing_from_forty_entities_and_ten_roles_on_postgresql() {
    let Some(url) = server::postgres() else { return };
    attacked(middle(), Some(url), 0.99);
}

/// Views, triggers, functions and policies that are stored, once everybody has used what is theirs.
fn generated(app: &Synthetic, server: &Server) -> usize {
    for person in &app.people {
        let who = server.sign_in(&person.key);
        for entity in app.reach(&person.roles) {
            makes(&who, entity, "Anything");
        }
    }
    const SQLITE: &str = "SELECT CAST(count(*) AS TEXT) FROM sqlite_master WHERE type IN ('view', 'trigger')";
    const POSTGRESQL: &str = "SELECT CAST((SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace = \
        current_schema()::regnamespace) + (SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace) \
        + (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + (SELECT count(*) FROM pg_policy) AS TEXT)";
    let db = &server.web().app.db;
    let count = texts(db, if db.dialect() == Dialect::Sqlite { SQLITE } else { POSTGRESQL });
    count[0].parse().unwrap()
}

/// Different rights on an entity that somebody has: equal rights count once, whichever roles they come from.
fn different(app: &Synthetic) -> usize {
    let of = |person: &Person| {
        let roles = person.roles.clone();
        app.reach(&roles).into_iter().map(|entity| (entity, app.granted(entity, &roles))).collect::<Vec<_>>()
    };
    app.people.iter().flat_map(of).collect::<BTreeSet<_>>().len()
}

#[test]
fn what_is_generated_grows_with_different_rights_on_an_entity_and_not_with_combinations() {
    let few = Shape { combinations: 4, density: 0.3, rows: 10, ..Shape::of(10, 5) };
    let (few, many) = (written(few), written(Shape { combinations: 25, ..few }));
    let rights = different(&many.0) - different(&few.0);
    let each: usize = many.0.combined()[4..].iter().map(|person| many.0.reach(&person.roles).len()).sum();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(small) = started(&few.1, kind) else { continue };
        let before = generated(&few.0, &small);
        drop(small);
        let Some(large) = started(&many.1, kind) else { continue };
        let more = generated(&many.0, &large) - before;
        // A view to read, a view to compare, and what looks at new and at changed rows.
        let most = 4 * rights;
        assert!(most < 2 * each, "{most} and {each}: the combinations have too much in common to be compared");
        assert!(more <= most, "{kind:?}: {more} more objects for {rights} more rights on an entity, at most {most}");
    }
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_entities_thirty_roles_and_three_hundred_combinations_are_served() {
    checked(large());
    [Kind::Sqlite, Kind::Postgres].into_iter().for_each(|kind| served_on(large(), kind));
}

#[test]
#[ignore = "takes minutes"]
fn the_attack_gains_nothing_from_two_hundred_entities_and_thirty_roles_on_sqlite() {
    attacked(large(), None, 0.95);
}

#[test]
#[ignore = "takes minutes"]
fn the_attack_gains_nothing_from_two_hundred_entities_and_thirty_roles_on_postgresql() {
    let Some(url) = server::postgres() else { return };
    attacked(large(), Some(url), 0.95);
}
