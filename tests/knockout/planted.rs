//! A page check or an action check that is skipped is caught by another layer, and recorded.

use crate::Alone;
use crate::support::actor::Page;
use crate::support::server::{Server, Setup, written};
use portcullis::audit::{self, Filter, Record};
use portcullis::domain::knockout::Removable::{ActionAccess, DatabaseEngine, EntityAccess, PageAccess, Release};
use tempfile::TempDir;

const APP: &str = "
app: vault
title: Vault
level: prototype
language: en
languages: [en]
modules: [v]
userRoles:
  Clerk: {moduleRoles: [v.Clerk], doc: Works}
  Boss: {moduleRoles: [v.Clerk, v.Boss], doc: Leads}
administration: {}
navigation:
  - {userRoles: [Clerk, Boss], home: v.Front, menu: []}
demoUsers:
  - {key: clerk, name: Clara Clerk, email: clerk@vault.example, userRoles: [Clerk]}
  - {key: boss, name: Bo Boss, email: boss@vault.example, userRoles: [Boss]}
";
const DOMAIN: &str = "
entities:
  Item:
    attributes: {name: {type: string, length: 40}}
    access:
      - {roles: [Clerk], read: [name]}
";
/// Runs with rights of its own.
const RAISE: &str = "
roles: [Boss]
applyEntityAccess: false
elevation:
  - {entity: Item, create: true, read: [name], write: [name], doc: Makes the item}
do:
  - create: {as: Made, entity: Item, set: {name: \"'raised'\"}}
  - message: {text: Raised, tone: success}
";
const FRONT: &str = "
title: Front
layout: app
roles: [Clerk]
content:
  - dataGrid: {source: {entity: Item}, columns: [{show: name, title: Name}]}
  - button: {caption: Raise, run: {microflow: Raise}}
";
const BACK: &str = "
title: Back
layout: app
roles: [Boss]
content:
  - heading: {text: Behind the door, level: 2}
";

fn vault() -> (TempDir, Server) {
    let files = [
        ("app.yaml", APP),
        ("v/module.yaml", "roles: {Clerk: Works, Boss: Leads}\n"),
        ("v/domain.yaml", DOMAIN),
        ("v/microflows/Raise.yaml", RAISE),
        ("v/pages/Front.yaml", FRONT),
        ("v/pages/Back.yaml", BACK),
    ];
    let folder = written(&files);
    let server = Setup::of(folder.path()).run();
    (folder, server)
}

fn incidents(server: &Server) -> Vec<Record> {
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    let app = &server.web().app;
    app.db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(50))).unwrap().records
}

/// Closed, and the newest incident names both layers.
fn caught(server: &Server, page: &Page, about: &str, first: &str, second: &str) {
    assert!(page.status == 403 && page.shows("Closed to be safe"), "{}: {}", page.status, page.html.text);
    let newest = incidents(server).into_iter().next().unwrap();
    assert_eq!(newest.object.as_deref(), Some(about));
    let (old, new) = (newest.details[0].old.clone().unwrap(), newest.details[0].new.clone().unwrap());
    assert!(old.starts_with(first) && new.starts_with(second), "{old} / {new}");
}

#[test]
fn a_page_check_that_is_skipped_is_caught_and_recorded() {
    let alone = Alone::new();
    let (_folder, server) = vault();
    let (clerk, boss) = (server.sign_in("clerk"), server.sign_in("boss"));
    let refused = clerk.open("/p/v.Back");
    assert!(refused.status == 403 && !refused.shows("Closed to be safe"), "refused in the ordinary way: {}", refused.html.text);
    assert!(incidents(&server).is_empty());

    alone.without(&[PageAccess]);
    let page = clerk.open("/p/v.Back");
    caught(&server, &page, "open v.Back", "PageAccess:", "Release:");
    assert!(!page.shows("Behind the door"));
    assert!(boss.open("/p/v.Back").shows("Behind the door"), "who may open it still does");

    alone.without(&[PageAccess, Release]);
    assert!(clerk.open("/p/v.Back").shows("Behind the door"), "the control: without both it opens");
}

#[test]
fn an_action_check_that_is_skipped_is_caught_and_recorded() {
    let alone = Alone::new();
    let (_folder, server) = vault();
    let (clerk, boss) = (server.sign_in("clerk"), server.sign_in("boss"));
    assert!(!clerk.open("/p/v.Front").has_button("Raise"));
    assert!(boss.open("/p/v.Front").click("Raise").shows("Raised"), "who may run it does");

    let raised = |clerk: &Page| clerk.html.text.matches("raised").count();
    alone.without(&[ActionAccess]);
    let front = clerk.open("/p/v.Front");
    assert_eq!(raised(&front), 1);
    caught(&server, &front.click("Raise"), "run v.Raise", "ActionAccess:", "Release:");

    // Without that layer too, the extra rights are still not the clerk's.
    alone.without(&[ActionAccess, Release]);
    let front = clerk.open("/p/v.Front");
    caught(&server, &front.click("Raise"), "the extra rights of v.Raise", "ActionAccess:", "EntityAccess:");
    assert_eq!(raised(&clerk.open("/p/v.Front")), 1, "nothing was made");

    // Without that one too, the database knows of no such set of rights: it was announced for those who may run the flow.
    alone.without(&[ActionAccess, Release, EntityAccess]);
    let front = clerk.open("/p/v.Front");
    assert_eq!(front.click("Raise").status, 500);
    assert_eq!(raised(&clerk.open("/p/v.Front")), 1, "nothing was made");

    alone.without(&[ActionAccess, Release, EntityAccess, DatabaseEngine]);
    let front = clerk.open("/p/v.Front");
    front.click("Raise");
    assert_eq!(raised(&clerk.open("/p/v.Front")), 2, "the control: without all four it is done");
    assert_eq!(incidents(&server).len(), 2);
}
