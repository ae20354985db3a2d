//! Entity access taken out of the statements: what is written is refused by the database, what is read is cut by it,
//! and where the owner of the schema opens the database too, release refuses. Each refusal that the layer that is
//! gone would have made is an incident.

use crate::Alone;
use crate::support::actor::Page;
use crate::support::server::{Kind, Server, Setup, written};
use portcullis::access::Grants;
use portcullis::audit::{self, Filter, Record, Severity};
use portcullis::domain::knockout::Removable::{self, DatabaseEngine, EntityAccess, Release};
use portcullis::domain::{Name, QName};
use tempfile::TempDir;

const APP: &str = "
app: till
title: Till
level: prototype
language: en
languages: [en]
modules: [t]
userRoles:
  Clerk: {moduleRoles: [t.Clerk], doc: Works}
  Boss: {moduleRoles: [t.Boss], doc: Leads}
administration: {}
navigation:
  - {userRoles: [Clerk], home: t.Front, menu: []}
  - {userRoles: [Boss], home: t.Fill, menu: []}
demoUsers:
  - {key: clerk, name: Clara Clerk, email: clerk@till.example, userRoles: [Clerk]}
  - {key: boss, name: Bo Boss, email: boss@till.example, userRoles: [Boss]}
";
const DOMAIN: &str = "
entities:
  Item:
    attributes: {name: {type: string, length: 40}, note: {type: string, length: 40}, hidden: {type: boolean}}
    access:
      - {roles: [Clerk], read: [name, note, hidden], where: \"!this.hidden\"}
      - {roles: [Clerk], create: true, delete: true, read: [name], write: [name, note], where: \"this.name == 'own'\"}
      - {roles: [Boss], create: true, delete: true, read: [name, note, hidden], write: [name, note, hidden]}
";
const FILL: &str = "
roles: [Boss]
do:
  - create: {as: A, entity: Item, set: {name: \"'own'\", note: \"'old'\"}}
  - create: {as: B, entity: Item, set: {name: \"'foreign'\", note: \"'old'\"}}
  - create: {as: C, entity: Item, set: {name: \"'hidden'\", note: \"'lantern'\", hidden: \"true\"}}
";
/// What the clerk tries, as flows under their own rights.
const CHANGE: &str = "
roles: [Clerk]
do:
  - retrieve: {as: Items, entity: Item, where: \"this.name == 'foreign'\"}
  - loop:
      over: $Items
      as: Item
      do:
        - change: {object: $Item, set: {note: \"'changed'\"}}
";
const REMOVE: &str = "
roles: [Clerk]
do:
  - retrieve: {as: Items, entity: Item, where: \"this.name == 'foreign'\"}
  - loop:
      over: $Items
      as: Item
      do:
        - delete: {object: $Item}
";
const MAKE: &str = "
roles: [Clerk]
do:
  - create: {as: Item, entity: Item, set: {name: \"'made'\"}}
";
const FRONT: &str = "
title: Front
layout: app
roles: [Clerk]
content:
  - dataGrid: {source: {entity: Item, sort: [name]}, columns: [{show: name, title: Name}, {show: note, title: Note}]}
";
/// Shows nothing, so release has nothing to say about it.
const DEEDS: &str = "
title: Deeds
layout: app
roles: [Clerk]
content:
  - button: {caption: Change, run: {microflow: Change}}
  - button: {caption: Make, run: {microflow: Make}}
  - button: {caption: Remove, run: {microflow: Remove}}
";
const BACK: &str = "
title: Fill
layout: app
roles: [Boss]
content:
  - dataGrid: {source: {entity: Item, sort: [name]}, columns: [{show: name, title: Name}, {show: note, title: Note}]}
  - button: {caption: Fill, run: {microflow: Fill}}
";

fn till(kind: Kind) -> Option<(TempDir, Server)> {
    let files = [
        ("app.yaml", APP),
        ("t/module.yaml", "roles: {Clerk: Works, Boss: Leads}\n"),
        ("t/domain.yaml", DOMAIN),
        ("t/microflows/Fill.yaml", FILL),
        ("t/microflows/Change.yaml", CHANGE),
        ("t/microflows/Remove.yaml", REMOVE),
        ("t/microflows/Make.yaml", MAKE),
        ("t/pages/Front.yaml", FRONT),
        ("t/pages/Deeds.yaml", DEEDS),
        ("t/pages/Fill.yaml", BACK),
    ];
    let folder = written(&files);
    let server = Setup::of(folder.path()).on(kind).try_run()?;
    server.sign_in("boss").open("/p/t.Fill").click("Fill");
    Some((folder, server))
}

fn incidents(server: &Server) -> Vec<Record> {
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    let app = &server.web().app;
    app.db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(50))).unwrap().records
}

/// What is stored, as the boss sees it.
fn stored(server: &Server) -> String {
    server.sign_in("boss").open("/p/t.Fill").html.text
}

fn closed(page: &Page) -> bool {
    page.status == 403 && page.shows("Closed to be safe")
}

/// The newest incident, and by which layers.
fn newest(server: &Server, first: &str, second: &str) {
    let record = incidents(server).into_iter().next().unwrap();
    assert_eq!(record.severity, Severity::Critical);
    let (old, new) = (record.details[0].old.clone().unwrap(), record.details[0].new.clone().unwrap());
    assert!(old.starts_with(first) && new.starts_with(second), "{old} / {new}");
    assert!(record.object.is_some_and(|object| object.contains("t.Item")));
}

#[test]
fn a_write_that_the_statements_no_longer_test_is_refused_by_the_database_and_recorded() {
    let alone = Alone::new();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        for deed in ["Change", "Make", "Remove"] {
            let Some((_folder, server)) = till(kind) else { return };
            let clerk = server.sign_in("clerk");
            let before = stored(&server);
            let refused = clerk.open("/p/t.Deeds").click(deed);
            assert!(refused.status >= 400 && !closed(&refused), "{deed} is refused in the ordinary way: {}", refused.html.text);
            assert!(incidents(&server).is_empty());

            alone.without(&[EntityAccess]);
            let page = clerk.open("/p/t.Deeds").click(deed);
            assert!(closed(&page), "{kind:?} {deed}: {} {}", page.status, page.html.text);
            assert_eq!(incidents(&server).len(), 1);
            newest(&server, "EntityAccess: granted", "DatabaseEngine: ");

            alone.without(&[DatabaseEngine]);
            let page = clerk.open("/p/t.Deeds").click(deed);
            assert!(page.status >= 400 && !closed(&page), "{deed} is refused by the statements: {}", page.html.text);
            assert_eq!(incidents(&server).len(), 1);
            alone.without(&[]);
            assert_eq!(stored(&server), before, "{deed}: nothing was done");

            alone.without(&[EntityAccess, DatabaseEngine]);
            clerk.open("/p/t.Deeds").click(deed);
            alone.without(&[]);
            assert_ne!(stored(&server), before, "{deed}: the control: without both it is done");
        }
    }
}

/// Which layers are gone, and what then comes of a list of everything.
#[test]
fn what_the_owner_opens_in_the_database_is_held_by_each_layer_above_it() {
    let alone = Alone::new();
    let Some((_folder, server)) = till(Kind::Postgres) else { return };
    let clerk = server.sign_in("clerk");
    let without = |layers: &[Removable]| {
        alone.without(layers);
        let page = clerk.open("/p/t.Front");
        alone.without(&[]);
        page
    };
    let control = without(&[]);
    assert!(control.shows("foreign") && !control.shows("lantern"));
    // The database alone.
    assert!(!without(&[EntityAccess, Release]).answer.body.contains("lantern"));
    let live = server.web().app.live();
    let grants = Grants::compile(&live.model, &[Name::new("Clerk")].into(), true);
    let view = live.statements.called(&grants, &QName::new("t", "Item")).unwrap().reader;
    let forgets = format!(
        "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW \"{view}\" AS ' || regexp_replace(pg_get_viewdef('\"{view}\"'::regclass), \
         '\\s+WHERE .*$', ''); END $$"
    );
    server.web().app.db.owner(|conn| conn.batch(&forgets)).unwrap();
    assert_eq!(without(&[]).html.text, control.html.text);
    assert_eq!(without(&[Release]).html.text, control.html.text, "the statements alone");
    assert!(incidents(&server).is_empty());
    let page = without(&[EntityAccess]);
    assert!(closed(&page) && !page.answer.body.contains("lantern"), "release alone: {}", page.html.text);
    newest(&server, "EntityAccess: released", "Release: no rule");
    let gained = without(&[EntityAccess, Release]);
    assert!(gained.status == 200 && gained.html.text != control.html.text, "the control: without either there is a row more");

    let before = incidents(&server).len();
    server.web().app.check_layers().unwrap();
    let found = incidents(&server);
    let told: Vec<&str> = found[..found.len() - before].iter().filter_map(|one| one.details[0].old.as_deref()).collect();
    assert!(told.contains(&"DatabaseEngine: given") && told.contains(&"DatabaseEngine: not as it was made"), "{told:?}");
}
