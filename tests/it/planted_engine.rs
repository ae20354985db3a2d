//! The owner of the schema takes back or changes, one thing at a time, what was generated for a set of rights,
//! while the server runs: nobody is given what they may not read, and the agreement check records it.

mod around;
mod loosened;
mod roles;
mod sqlite;

use crate::support::actor::Page;
use crate::support::server::{Kind, Server, Setup, written};
use portcullis::access::Grants;
use portcullis::audit::{self, Filter, Record};
use portcullis::db::{DbError, set_id};
use portcullis::domain::{Name, QName};
use portcullis::store::{self, Called};
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
    make_all(&server);
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

/// What is called how for the clerk's rights on letters, and the reader's role of the boss.
fn called(server: &Server) -> (Called, Called) {
    let live = server.web().app.live();
    let of = |role: &str| {
        let grants = Grants::compile(&live.model, &[Name::new(role)].into(), true);
        live.statements.called(&grants, &QName::new("d", "Letter")).unwrap()
    };
    (of("Clerk"), of("Boss"))
}

/// The words of statements in the words of the set: `{r}` and `{w}` are its views of letters, `{g}` looks at its writes.
fn named(server: &Server, text: &str) -> String {
    let app = &server.web().app;
    let (clerk, boss) = called(server);
    let roles = app.db.owner(|conn| Ok::<_, DbError>(conn.roles().cloned())).unwrap();
    let text =
        text.replace("{r}", &clerk.reader).replace("{w}", &clerk.witness).replace("{g}", &format!("g_{}_look", clerk.watch));
    let Some(roles) = roles else { return text.replace("{set}", &set_id(RIGHTS)) };
    let text = text.replace("{reader}", &roles.reader(&clerk.set)).replace("{writer}", &roles.writer(&clerk.watch));
    let text = text.replace("{other}", &roles.reader(&boss.set)).replace("{holder}", &roles.holder());
    text.replace("{system}", &roles.system())
}

/// Runs statements as the owner of the schema, in the words of the set.
fn owner(server: &Server, text: &str) {
    let (db, text) = (&server.web().app.db, named(server, text));
    db.owner(|conn| conn.batch(&text)).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    db.bump_generation();
}

/// Makes everything again, as `portcullis migrate --apply` does.
fn mend(server: &Server) {
    let app = &server.web().app;
    let drift = || app.db.read(|conn| Ok::<_, DbError>(store::drift(conn, app.clock.now()).unwrap())).unwrap();
    assert!(!drift().is_empty(), "what the owner did is told at the next start");
    make_all(server);
    assert!(drift().is_empty(), "{:?}", drift());
    app.check_layers().unwrap();
}

fn make_all(server: &Server) {
    let app = &server.web().app;
    let live = app.live();
    store::apply(&app.db, &live.statements, &BTreeSet::new(), app.clock.now()).unwrap();
    store::prepare_all(&app.db, &live.statements, app.clock.now()).unwrap();
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
