//! One bug at a time is planted in a layer; another layer catches it, and it is recorded as an incident.
//!
//! The statement that a layer compiled is replaced by one that was compiled from a model with the bug
//! in it, and served from the cache as the right one would be. Pages, actions and rights that are
//! taken away as a whole are in `tests/knockout`.

use crate::support::actor::Page;
use crate::support::project;
use crate::support::server::{Server, people};
use portcullis::access::{Grants, Objects, Query};
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
    let grants = Grants::compile(&model, &BTreeSet::from([Name::new(role)]), true);
    let (live, employee) = (app.live(), QName::new("hr", "Employee"));
    let recorder = Recorder { keys: app.keys.clone(), node: "n1".into(), clock: app.clock.clone(), who: None, request_id: None };
    let asked = app.db.read(|conn| {
        let caller = Caller { user: None, now: app.clock.now() };
        let permit = grants.view(&employee).map_err(|denied| DbError::Refused(denied.to_string()))?;
        let mut query = Query::of(&employee, Vec::new());
        query.limit = 1;
        let mut store = Store::new(conn, &live.statements, caller, &recorder);
        store.view(&permit, &query).map_err(|error| DbError::Refused(error.to_string()))?;
        Ok::<_, DbError>(())
    });
    asked.unwrap();
}

fn incidents(server: &Server) -> Vec<Record> {
    let app = &server.web().app;
    let filter = Filter { event: Some("incident".into()), ..Filter::default() };
    app.db.read(|conn| audit::search(conn, &filter, audit::Page { offset: 0, limit: 50 })).unwrap().records
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
fn a_rule_that_is_dropped_from_the_sql_is_caught_by_release_and_recorded() {
    let control = people();
    let page = control.sign_in("nadia").open("/p/hr.Employees");
    assert!(page.status == 200 && !page.shows("Rafael Aguilar"), "the control does not show who has left");
    assert!(incidents(&control).is_empty());

    let server = people();
    plant(&server, "Employee", DIRECTORY, "manager, status]");
    let page = server.sign_in("nadia").open("/p/hr.Employees");
    caught(&server, &page, "");
    assert!(!page.shows("Aguilar"), "nothing of the row is in the answer");
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
