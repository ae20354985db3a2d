//! The owner of the schema takes back or changes, one thing at a time, what was generated for a set of rights,
//! while the server runs: nobody is given what they may not read, and the agreement check records it.

mod around;
mod loosened;
mod roles;
mod sqlite;

use crate::support::actor::Page;
use crate::support::server::{Kind, Server, Setup, written};
use portcullis::audit::{self, Filter, Record};
use portcullis::db::{DbError, set_id};
use portcullis::store;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// What the clerk's rights are called.
const RIGHTS: &str = "user|Clerk";
/// Of a letter that no clerk reads, and of one whose pay no clerk reads.
const HIDDEN: [&str; 2] = ["harbour at dawn", "4711"];

const APP: &str = "\
app: desk
title: Desk
level: production
language: en
modules: [d]
userRoles:
  Clerk: {moduleRoles: [d.Clerk], doc: Reads letters}
  Head: {moduleRoles: [d.Head], doc: Reads titles}
  Aide: {moduleRoles: [d.Head], doc: Helps}
  Boss: {moduleRoles: [d.Boss], mayAssign: [Clerk, Head, Aide], doc: Leads}
administration: {users: [Boss]}
navigation:
  - {userRoles: [Clerk], home: d.Letters}
  - {userRoles: [Boss], home: d.Fill}
demoUsers:
  - {key: clerk, name: Clara Clerk, email: clerk@desk.example, userRoles: [Clerk]}
  - {key: colin, name: Colin Clerk, email: colin@desk.example, userRoles: [Clerk]}
  - {key: boss, name: Bo Boss, email: boss@desk.example, userRoles: [Boss]}
";
const DOMAIN: &str = "\
entities:
  Letter:
    attributes:
      title: {type: string, length: 40}
      body: {type: string, length: 40}
      pay: {type: integer}
      sealed: {type: boolean}
    access:
      - {roles: [Clerk], read: [title, body, sealed], where: \"!this.sealed\", doc: What is open}
      - {roles: [Clerk], read: [pay], write: [body], where: \"this.title == 'Own'\", doc: What is their own}
      - {roles: [Head], read: [title], doc: What there is}
      - {roles: [Boss], create: true, delete: true, read: [title, body, pay, sealed], write: [title, body, pay, sealed], doc: All}
";
const FILL: &str = "\
doc: Three letters
roles: [Boss]
do:
  - create: {as: A, entity: Letter, set: {title: \"'Own'\", body: \"'mine'\", pay: \"12\", sealed: \"false\"}}
  - create: {as: B, entity: Letter, set: {title: \"'Open'\", body: \"'for all'\", pay: \"4711\", sealed: \"false\"}}
  - create: {as: C, entity: Letter, set: {title: \"'Sealed'\", body: \"'harbour at dawn'\", pay: \"4712\", sealed: \"true\"}}
";
const LETTERS: &str = "\
title: Letters
roles: [Clerk]
content:
  - dataGrid:
      source: {entity: Letter, sort: [title]}
      columns: [{show: title, title: Title}, {show: body, title: Body}, {show: pay, title: Pay}]
";
const FRONT: &str = "\
title: Fill
roles: [Boss]
content:
  - button: {caption: Fill, run: {microflow: Fill}}
";

/// A desk with three letters; `None` without PostgreSQL, which is told.
fn desk(kind: Kind) -> Option<(TempDir, Server)> {
    let folder = app();
    let server = Setup::of(folder.path()).on(kind).try_run()?;
    filled(&server);
    Some((folder, server))
}

fn app() -> TempDir {
    written(&[
        ("app.yaml", APP),
        ("d/module.yaml", "roles: {Clerk: Reads letters, Head: Reads titles, Boss: Leads}\n"),
        ("d/domain.yaml", DOMAIN),
        ("d/microflows/Fill.yaml", FILL),
        ("d/pages/Letters.yaml", LETTERS),
        ("d/pages/Fill.yaml", FRONT),
    ])
}

fn filled(server: &Server) {
    let done = server.sign_in("boss").open("/p/d.Fill").click("Fill");
    assert_eq!(done.status, 200, "{}", done.html.text);
}

fn incidents(server: &Server) -> Vec<Record> {
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    let page = audit::Page::latest(500);
    server.web().app.db.read(|conn| audit::search(conn, &filter, &page)).unwrap().records
}

/// Runs statements as the owner of the schema, in the words of the set.
fn owner(server: &Server, text: &str) {
    let (db, set) = (&server.web().app.db, set_id(RIGHTS));
    let done = db.owner(|conn| {
        let mut text = text.replace("{set}", &set);
        if let Some(roles) = conn.roles() {
            let (reader, holder) = (roles.reader(&set), roles.holder(&set));
            let other = roles.reader(&set_id("user|Boss"));
            text = text.replace("{reader}", &reader).replace("{holder}", &holder).replace("{other}", &other);
            text = text.replace("{writer}", &roles.writer(&set)).replace("{system}", &roles.system());
        }
        conn.batch(&text)
    });
    done.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    db.bump_generation();
}

/// Makes everything anew, as `portcullis migrate --apply` does.
fn mend(server: &Server) {
    let app = &server.web().app;
    let drift = || app.db.read(|conn| Ok::<_, DbError>(store::drift(conn, app.clock.now()).unwrap())).unwrap();
    assert!(!drift().is_empty(), "what the owner did is told at the next start");
    store::apply(&app.db, &app.live().statements, &BTreeSet::new(), app.clock.now()).unwrap();
    assert!(drift().is_empty(), "{:?}", drift());
    app.check_layers().unwrap();
}

fn letters(server: &Server) -> Page {
    server.sign_in("clerk").open("/p/d.Letters")
}

/// Who decided what, in the words of the trail.
fn layers(record: &Record) -> (&str, &str) {
    (record.details[0].old.as_deref().unwrap(), record.details[0].new.as_deref().unwrap())
}

/// The incidents that are new since so many.
fn since(server: &Server, before: usize) -> Vec<Record> {
    let all = incidents(server);
    all[..all.len() - before].to_vec()
}
