//! The attack finds what is planted: a server whose rules give more than the model that the oracle knows.

mod chance;
mod shapes;
mod taken;

use super::*;
use crate::domain::{Name, QName};
use crate::model::{AccessRule, Model};
use std::path::Path;

fn library() -> Options {
    let role = Some("Reader".to_owned());
    Options { role, thin: 10, ..Options::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/library")) }
}

fn q(name: &str) -> QName {
    QName::parse(name).unwrap()
}

/// Changes every rule of an entity on the server.
fn rules(entity: &'static str, change: fn(&mut AccessRule)) -> impl Fn(&mut Model) {
    move |model| {
        let found = Arc::make_mut(model.entities.get_mut(&q(entity)).unwrap());
        found.rules.iter_mut().for_each(|rule| change(Arc::make_mut(rule)));
    }
}

/// Attacks with one class, expects gains, and expects the first of them again by its id alone.
fn found(class: Class, alter: &dyn Fn(&mut Model)) -> Report {
    found_by(class, library().role, alter)
}

fn found_by(class: Class, role: Option<String>, alter: &dyn Fn(&mut Model)) -> Report {
    let report = run_altered(&Options { class: Some(class), role, ..library() }, alter).unwrap();
    assert!(report.gained > 0, "{}: nothing gained of {} tried", class.id(), report.tried);
    assert!(!report.is_clean(true));
    let first = &report.findings[0];
    let again = run_altered(&Options { only: Some(first.id.clone()), role: None, ..library() }, alter).unwrap();
    assert!(again.findings.iter().any(|finding| finding.id == first.id && finding.gained == first.gained), "{again:#?}");
    assert!(first.again.contains(&first.id) && first.request.starts_with("curl "), "{first:?}");
    let clean = run_altered(&Options { only: Some(first.id.clone()), role: None, ..library() }, &|_| ()).unwrap();
    assert_eq!((clean.tried > 0, clean.gained), (true, 0), "without the flaw the same attack gains nothing");
    report
}

#[test]
fn a_rule_that_forgot_its_rows_is_found_by_what_is_read_and_by_what_is_counted() {
    let open = rules("lending.Loan", |rule| rule.condition = None);
    found(Class::ForcedPages, &open);
    found(Class::BlankRows, &open);
    found(Class::ForeignHandles, &open);
    found(Class::Compared, &open);
}

#[test]
fn a_member_that_is_shown_too_widely_is_found_by_its_canary() {
    let open = rules("lending.Reader", |rule| rule.read.extend(["remark", "email", "street"].map(Name::new)));
    let report = found(Class::ForcedPages, &open);
    assert!(report.findings.iter().any(|finding| finding.gained.contains("lending.Reader#")), "{report:#?}");
    found(Class::Questions, &open);
}

#[test]
fn a_member_that_is_written_too_widely_is_found_in_the_stored_rows() {
    let open = rules("lending.Reader", |rule| {
        rule.condition = None;
        rule.read.extend(["remark", "firstName"].map(Name::new));
        rule.write.extend(["remark", "firstName"].map(Name::new));
    });
    let report = found(Class::HiddenMembers, &open);
    assert!(report.findings.iter().any(|finding| finding.gained.contains("Changed")), "{report:#?}");
}

#[test]
fn a_flow_that_everybody_may_run_is_found_by_what_it_does() {
    let open = |model: &mut Model| {
        let everybody = QName::new("attack", "Everybody");
        model.microflows.values_mut().for_each(|flow| Arc::make_mut(flow).roles.extend([everybody.clone()]));
    };
    found_by(Class::UnofferedButtons, None, &open);
}

#[test]
fn a_page_that_everybody_may_open_is_no_gain_by_itself() {
    let open = |model: &mut Model| {
        let everybody = QName::new("attack", "Everybody");
        model.pages.values_mut().for_each(|page| Arc::make_mut(page).roles.extend([everybody.clone()]));
    };
    let report = run_altered(&Options { class: Some(Class::ForcedPages), ..library() }, &open).unwrap();
    assert_eq!(report.gained, 0, "{:#?}", report.findings);
}

#[test]
fn a_server_that_forgets_which_forms_were_carried_out_is_found_by_the_second_object() {
    for class in [Class::OldVersions, Class::DoubleSubmits] {
        let options = Options { class: Some(class), role: None, ..library() };
        let attack = |plant: &str| {
            let instance = instance::Instance::start(&options.app, None, options.seed, &|_| ()).unwrap();
            instance.app().db.owner(|conn| conn.batch(plant)).unwrap();
            let mut raid = raid::Raid::prepare(&instance, &options).unwrap();
            class::run(&mut raid).unwrap();
            raid.report()
        };
        let forgetful = "CREATE TRIGGER forgetful AFTER INSERT ON form_once BEGIN DELETE FROM form_once; END;";
        let found = attack(forgetful);
        assert!(found.findings.iter().any(|finding| finding.gained.contains(" 2 objects of ")), "{}: {found:#?}", class.id());
        assert_eq!(attack("").gained, 0, "without the flaw the same attack gains nothing");
    }
}

#[test]
fn a_server_that_does_not_look_at_what_was_shown_is_found_by_what_an_old_button_does() {
    let careless = |model: &mut Model| model.microflows.values_mut().for_each(|flow| Arc::make_mut(flow).any_version = true);
    for role in ["Reader", "Librarian"] {
        let report = found_by(Class::UnseenChanges, Some(role.to_owned()), &careless);
        assert!(report.findings.iter().all(|finding| finding.gained.contains("since its page was drawn")), "{report:#?}");
    }
}
