//! One bug at a time is planted in a layer; another layer catches it, and it is recorded as an incident.
//!
//! The statement that a layer compiled is replaced by one that was compiled from a model with the bug
//! in it, and served from the cache as the right one would be. Pages, actions and rights that are
//! taken away as a whole are in `tests/knockout`.

use crate::support::actor::Page;
use crate::support::project;
use crate::support::server::{Server, Setup, people, written};
use portcullis::access::{Authority, Grants, Objects, Query};
use portcullis::app::{Round, compare_layers};
use portcullis::audit::{self, Filter, Record};
use portcullis::db::DbError;
use portcullis::domain::{Name, QName};
use portcullis::model::{self, Files};
use portcullis::store::{Caller, Recorder, Store};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Compiles what `role` may read of employees from a model in which `right` was changed to `wrong`.
fn plant(server: &Server, role: &str, right: &str, wrong: &str) {
    let app = &server.web().app;
    let mut files = Files::read(&project("apps/people")).unwrap();
    let domain = files.0.get_mut("hr/domain.yaml").unwrap();
    assert!(domain.contains(right), "{right}");
    *domain = domain.replacen(right, wrong, 1);
    let (model, findings) = model::load(&files);
    let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
    let roles = BTreeSet::from([Name::new(role)]);
    let (live, employee) = (app.live(), QName::new("hr", "Employee"));
    let (grants, right) = (Grants::compile(&model, &roles, true), Grants::compile(&live.model, &roles, true));
    let recorder = Recorder { keys: app.keys.clone(), node: "n1".into(), clock: app.clock.clone(), who: None, request_id: None };
    let asked = app.db.read(|conn| {
        let caller = Caller { user: None, now: app.clock.now() };
        let permit = grants.view(&employee).map_err(|denied| DbError::Refused(denied.to_string()))?;
        let mut query = Query::of(&employee, Vec::new());
        query.limit = 1;
        let mut store = Store::new(conn, &live.statements, caller, &recorder);
        // The right rules were generated before.
        store.compare_alone(&right, 0).map_err(|error| DbError::Refused(error.to_string()))?;
        store.view(&permit, &query).map_err(|error| DbError::Refused(error.to_string()))?;
        store.compare(grants.rights(), 0).map_err(|error| DbError::Refused(error.to_string()))?;
        Ok::<_, DbError>(())
    });
    asked.unwrap();
}

fn incidents(server: &Server) -> Vec<Record> {
    let app = &server.web().app;
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    app.db.read(|conn| audit::search(conn, &filter, &audit::Page::latest(50))).unwrap().records
}

/// The request ended closed, and one incident names the thing and both layers.
fn caught(server: &Server, page: &Page, about: &str) {
    assert_eq!(page.status, 403, "{}", page.html.text);
    assert!(page.shows("Closed to be safe"), "{}", page.html.text);
    let found = incidents(server);
    assert_eq!(found.len(), 1, "{found:?}");
    let object = found[0].object.clone().unwrap();
    assert!(object.starts_with("hr.Employee#") && object.ends_with(about), "{object}");
    let both = &found[0].details[0];
    assert!(both.old.as_deref().unwrap().starts_with("EntityAccess:"), "{both:?}");
    assert!(both.new.as_deref().unwrap().starts_with("Release:"), "{both:?}");
}

const DIRECTORY: &str = "manager, status]\n        where: \"this.status != 'Left'\"";

#[test]
fn a_rule_that_is_dropped_from_the_sql_is_hidden_by_the_engine_and_recorded_by_the_agreement_check() {
    let control = people();
    let page = control.sign_in("nadia").open("/p/hr.Employees");
    assert!(page.status == 200 && !page.shows("Rafael Aguilar"), "the control does not show who has left");
    assert!(incidents(&control).is_empty());

    let server = people();
    plant(&server, "Employee", DIRECTORY, "manager, status]");
    let page = server.sign_in("nadia").open("/p/hr.Employees");
    assert!(page.status == 200 && !page.shows("Rafael Aguilar"), "the engine's own view has not the row: {}", page.html.text);
    server.web().app.check_layers().unwrap();
    let found = incidents(&server);
    assert!(found.iter().any(|one| one.object.as_deref().is_some_and(|object| object.starts_with("hr.Employee#"))), "{found:?}");
}

#[test]
fn a_mask_that_is_forgotten_is_caught_by_release_and_recorded() {
    let control = people();
    plant(&control, "Employee", DIRECTORY, DIRECTORY);
    let page = control.sign_in("nadia").open("/p/hr.Employees");
    assert_eq!((page.status, incidents(&control).len()), (200, 0), "what was planted without a bug is served");

    let server = people();
    let forgotten = DIRECTORY.replace("status]", "status, salary]");
    plant(&server, "Employee", DIRECTORY, &forgotten);
    let page = server.sign_in("nadia").open("/p/hr.Employees");
    caught(&server, &page, ".salary");
}

#[test]
fn the_agreement_check_finds_a_dropped_rule_before_anybody_meets_it() {
    let control = people();
    let agreed = control.web().app.check_layers().unwrap();
    assert!(agreed.rows > 1_000 && agreed.sets >= 7, "{agreed:?}");
    assert!(agreed.differences.is_empty() && incidents(&control).is_empty(), "{:?}", agreed.differences);

    let server = people();
    plant(&server, "Employee", DIRECTORY, "manager, status]");
    let found = server.web().app.check_layers().unwrap();
    assert!(!found.differences.is_empty());
    let recorded = incidents(&server);
    assert!(recorded.iter().any(|record| record.object.as_deref().is_some_and(|object| object.starts_with("hr.Employee#"))));
    assert!(recorded.iter().all(|record| record.summary.contains("agreement check")), "{recorded:?}");
}

#[test]
fn a_check_of_some_sets_of_roles_is_followed_by_one_of_the_next_until_all_were_looked_at() {
    let server = people();
    let (app, live) = (&server.web().app, server.web().app.live());
    let check = |from, most| compare_layers(&app.db, &live.statements, &app.keys, &app.clock, Round::new(from, most)).unwrap();
    let all = compare_layers(&app.db, &live.statements, &app.keys, &app.clock, Round::ALL).unwrap();
    assert!(all.sets == all.of && all.of >= 7, "{all:?}");
    let none = check(0, 0);
    assert_eq!((none.sets, none.next), (0, 0), "what jobs run under is looked at each time");
    let (mut next, mut rows) = (0, 0);
    for at in 1..=all.of {
        let found = check(next, 1);
        assert_eq!((found.sets, found.of, found.next), (1, all.of, at));
        (next, rows) = (found.next, rows + found.rows - none.rows);
    }
    assert_eq!(rows + none.rows, all.rows, "together they looked at what one check of everything does");
    let again = check(next, 1);
    assert_eq!((again.rows, again.sets), (check(0, 1).rows, 1), "after the last comes the first");
    let rest = check(next - 1, usize::MAX);
    assert_eq!((rest.rows, rest.sets), (all.rows, all.of), "whichever is the first");
}

const APP: &str = "
app: desk
title: Desk
level: prototype
language: en
languages: [en]
modules: [d]
userRoles:
  Clerk: {moduleRoles: [d.Clerk], doc: Works}
administration: {}
navigation:
  - {userRoles: [Clerk], home: d.Front, menu: []}
demoUsers:
  - {key: clerk, name: Clara Clerk, email: clerk@desk.example, userRoles: [Clerk]}
";
const DOMAIN: &str = "
entities:
  Letter:
    attributes: {title: {type: string, length: 40}, body: {type: string, length: 40}, sealed: {type: boolean}}
    access:
      - {roles: [Clerk], read: [title, sealed], where: \"!this.sealed\"}
      - {roles: [Clerk], read: [body], where: \"this.title == 'Own'\"}
";
const WRITE: &str = "
roles: [Clerk]
applyEntityAccess: false
elevation:
  - {entity: Letter, create: true, read: [title, body, sealed], write: [title, body, sealed], doc: Writes the letter}
do:
  - create: {as: Made, entity: Letter, set: {title: \"'Greetings'\", body: \"'harbour at dawn'\", sealed: SEALED}}
  - showPage: {page: Letter, with: {Letter: $Made}}
";
const LETTER: &str = "
title: Letter
layout: app
roles: [Clerk]
parameters: {Letter: Letter}
content:
  - dataView:
      source: {parameter: Letter}
      readOnly: true
      content:
        - input: {member: title}
        - input: {member: body}
";
const FRONT: &str = "
title: Front
layout: app
roles: [Clerk]
content:
  - button: {caption: Open letter, run: {microflow: Open}}
  - button: {caption: Sealed letter, run: {microflow: Seal}}
";

#[test]
fn an_object_that_an_elevated_flow_hands_to_a_page_is_shown_as_its_reader_may_see_it_and_no_more() {
    let (open, seal) = (WRITE.replace("SEALED", "false"), WRITE.replace("SEALED", "true"));
    let files = [
        ("app.yaml", APP),
        ("d/module.yaml", "roles: {Clerk: Works}\n"),
        ("d/domain.yaml", DOMAIN),
        ("d/microflows/Open.yaml", open.as_str()),
        ("d/microflows/Seal.yaml", seal.as_str()),
        ("d/pages/Front.yaml", FRONT),
        ("d/pages/Letter.yaml", LETTER),
    ];
    let folder = written(&files);
    let server = Setup::of(folder.path()).run();
    let front = server.sign_in("clerk").open("/p/d.Front");
    let opened = front.click("Open letter");
    assert!(opened.status == 200 && opened.answer.body.contains("Greetings"), "{}", opened.html.text);
    assert!(!opened.answer.body.contains("harbour at dawn"), "a member that only the flow may read stays withheld");
    let sealed = front.click("Sealed letter");
    assert_eq!(sealed.status, 404, "{}", sealed.html.text);
    assert!(!sealed.answer.body.contains("Greetings") && !sealed.answer.body.contains("harbour at dawn"));
    assert!(incidents(&server).is_empty(), "a plain refusal, not an incident");
}
