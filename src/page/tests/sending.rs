//! What a form that was sent means, and what is refused.

use super::desk::{Desk, field, grid, name, nodes};
use crate::access::Feedback;
use crate::domain::{Name, ObjectId, Value, parse_value};
use crate::model::WidgetKind;
use crate::page::form::{Argument, Change, Deed, Target};
use crate::page::*;
use std::collections::BTreeMap;

const EMMA: [(&str, &str); 1] = [("Employee", "Employee~1")];

/// The form of a page's only outer data view.
fn form(desk: &Desk, page: &str) -> String {
    format!("f-{}", desk.widget(page, |kind| matches!(kind, WidgetKind::DataView(_))))
}

/// Sends fields (by member) of Emma's page with a button.
fn send(desk: &mut Desk, button: &str, fields: &[(&str, &str)]) -> Result<Deed, PageError> {
    let mut sent = vec![("_do".to_owned(), button.to_owned())];
    sent.extend(fields.iter().map(|(member, text)| {
        let own = member.starts_with('_') || member.starts_with('w');
        (if own { (*member).to_owned() } else { desk.input("Person", member) }, (*text).to_owned())
    }));
    let sent: Vec<(&str, &str)> = sent.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let form = form(desk, "Person");
    desk.send("Person", &EMMA, &form, &sent)
}

fn save(desk: &mut Desk, fields: &[(&str, &str)]) -> Result<Deed, PageError> {
    let button = desk.button("Person", "Save");
    send(desk, &button, fields)
}

/// What the button of a row on the page of everything sends.
fn row_button(desk: &mut Desk, button: &str, row: &str) -> String {
    let view = desk.open("Everything", &[]).unwrap();
    let own = nodes(&view).into_iter().filter_map(|node| if let Node::Button(button) = node { Some(button) } else { None });
    let rows = grid(&view).rows.iter().flat_map(|row| &row.buttons);
    let values: Vec<String> = own.chain(rows).filter_map(|button| button.value.clone()).collect();
    let found = values.iter().find(|value| value.starts_with(&format!("{button}:{row}:")));
    found.unwrap_or_else(|| panic!("{values:?}")).clone()
}

fn refused<T: std::fmt::Debug>(result: Result<T, PageError>, why: &str) {
    assert!(matches!(result, Err(PageError::BadRequest(_))), "{why}: {result:?}");
}

#[test]
fn only_what_was_really_changed_is_a_change() {
    let mut desk = Desk::of("Manager");
    let fields = [
        ("name", "Emma Stone"),
        ("salary", "1,300.5"),
        ("children", "2"),
        ("joined", "2024-03-01"),
        ("seen", "2026-01-30T08:15"),
        ("status", "Gone"),
        ("notes", "Line\r\nbreak"),
        ("department", "Department~6"),
    ];
    let deed = save(&mut desk, &fields).unwrap();
    let Deed::Save { changes, close: true, message: Some(message) } = deed else { panic!("{deed:?}") };
    assert_eq!(message, "Saved Emma Stone");
    let [Change { entity, target: Target::Stored(ObjectId(1), 3), values, .. }] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(*entity, name("Employee"));
    let employee = desk.model.entity(entity).unwrap().clone();
    let wanted: BTreeMap<Name, Value> = [
        ("name", "Emma Stone"),
        ("salary", "1300.50"),
        ("joined", "2024-03-01"),
        ("status", "Gone"),
        ("department", "#6"),
        ("remote", "false"),
    ]
    .map(|(member, text)| (Name::new(member), parse_value(&employee.member_kind(member).unwrap(), text).unwrap()))
    .into();
    assert_eq!(*values, wanted, "an unticked box is false; what was sent back as it was is no change");
    let untouched = save(&mut desk, &[("remote", "true"), ("name", "Emma")]).unwrap();
    assert_eq!(untouched, Deed::Save { changes: vec![], close: true, message: Some("Saved Emma".into()) });
}

#[test]
fn a_field_can_be_emptied() {
    let mut desk = Desk::of("Manager");
    let deed = save(&mut desk, &[("remote", "true"), ("salary", ""), ("department", ""), ("status", "")]).unwrap();
    let Deed::Save { changes, .. } = deed else { panic!("{deed:?}") };
    let emptied: Vec<_> = changes[0].values.iter().map(|(member, value)| (member.as_str(), value.is_empty())).collect();
    assert_eq!(emptied, [("department", true), ("salary", true), ("status", true)]);
}

#[test]
fn a_field_that_was_not_offered_is_refused() {
    for (member, text) in [("number", "1"), ("shout", "x"), ("w999", "x"), ("w1", "x"), ("_extra", "x"), ("_form", "x")] {
        refused(save(&mut Desk::of("Manager"), &[(member, text)]), member);
    }
    let mut desk = Desk::of("Manager");
    let nested = desk.input("Person", "secretPlan");
    refused(save(&mut desk, &[(&nested, "x")]), "in a read-only data view");
}

#[test]
fn a_read_only_or_withheld_input_is_refused_and_not_dropped() {
    for member in ["name", "salary", "status", "department", "hidden", "children"] {
        let result = save(&mut Desk::of("Employee"), &[("notes", "mine"), (member, "1")]);
        refused(result, member);
    }
    let deed = save(&mut Desk::of("Employee"), &[("notes", "mine")]).unwrap();
    assert!(matches!(deed, Deed::Save { changes, .. } if changes[0].values.keys().map(Name::as_str).eq(["notes"])));
}

#[test]
fn every_value_that_cannot_be_read_is_told_at_its_field() {
    let mut desk = Desk::of("Manager");
    let wrong = [
        ("name", "a name that is longer than twenty characters"),
        ("salary", "12,34.5"),
        ("children", "1.5"),
        ("joined", "31.01.2026"),
        ("seen", "yesterday"),
        ("notes", "a\u{0}b"),
        ("status", "Gone"),
    ];
    let Err(PageError::Invalid(posted)) = save(&mut desk, &wrong) else { panic!("taken") };
    assert_eq!(posted.errors.len(), 6);
    let view = desk.again("Person", &EMMA, &posted);
    for (member, text) in wrong.into_iter().filter(|(member, _)| *member != "status") {
        let shown = field(&view, &desk.input("Person", member));
        assert!(shown.error.is_some(), "{member}");
        assert_eq!(shown.value.as_ref().unwrap().peek(), text, "what was typed stands there again");
    }
    assert_eq!(field(&view, &desk.input("Person", "status")).error, None);
    for (member, text) in
        [("salary", "99999999999"), ("salary", "1.005"), ("salary", "1e5"), ("salary", "NaN"), ("children", "9999999999999999")]
    {
        assert!(matches!(save(&mut desk, &[(member, text)]), Err(PageError::Invalid(_))), "{member}={text}");
    }
}

#[test]
fn feedback_stands_at_its_field_or_above_the_page() {
    let mut desk = Desk::of("Manager");
    let said = |member: Option<&str>, message: &str| Feedback {
        object: Some(ObjectId(1)),
        member: member.map(Name::new),
        message: message.into(),
    };
    let feedback = vec![said(Some("name"), "taken"), said(None, "not now"), said(Some("account"), "elsewhere")];
    let view = desk.again("Person", &EMMA, &Posted { feedback, ..Posted::default() });
    assert_eq!(field(&view, &desk.input("Person", "name")).error.as_deref(), Some("taken"));
    assert_eq!(view.problems, ["not now", "elsewhere"]);
}

#[test]
fn a_value_that_is_not_offered_is_refused() {
    for (member, text) in
        [("status", "Boss"), ("remote", "maybe"), ("department", "Employee~1"), ("department", "x"), ("department", "#5")]
    {
        refused(save(&mut Desk::of("Manager"), &[(member, text)]), member);
    }
    let gone = save(&mut Desk::of("Manager"), &[("department", "Department~99")]);
    assert!(matches!(gone, Err(PageError::Invalid(_))), "one that is gone meanwhile is told: {gone:?}");
}

#[test]
fn a_deed_with_a_question_is_asked_first() {
    let mut desk = Desk::of("Manager");
    let delete = desk.button_starting("Person", "Delete");
    let first = send(&mut desk, &delete, &[]).unwrap();
    assert_eq!(first, Deed::Confirm { question: "Delete Emma?".into(), caption: "Delete".into(), danger: true });
    let then = send(&mut desk, &delete, &[("_confirmed", "1")]).unwrap();
    assert_eq!(then, Deed::Delete { entity: name("Employee"), id: ObjectId(1), version: Some(3) });
}

#[test]
fn a_button_that_is_not_shown_to_the_caller_does_nothing() {
    for caption in ["Delete", "Promote"] {
        let mut desk = Desk::of("Employee");
        let button = desk.button_starting("Person", caption);
        refused(send(&mut desk, &button, &[("_confirmed", "1")]), caption);
    }
    for button in ["w999", "", "w1", ":", "w3:Employee~1:3", "w3:x", "hr.Promote"] {
        refused(send(&mut Desk::of("Manager"), button, &[]), button);
    }
    let mut desk = Desk::of("Employee");
    let remove = desk.button_starting("Everything", "Remove");
    let poke = desk.button_starting("Everything", "Poke");
    let mut row = |value: &str| desk.send("Everything", &[], "f-page", &[("_do", value), ("_confirmed", "1")]);
    refused(row(&format!("{remove}:Employee~1:3")), "may not delete");
    refused(row(&format!("{poke}:Employee~2:3")), "the condition does not hold for this row");
    refused(row(&format!("{poke}:Department~5:3")), "a handle of another entity");
    refused(row(&format!("{poke}:Employee~99:3")), "no such row");
    refused(row(&poke), "a row's button without a row");
    refused(row(&format!("{poke}:Employee~1:hr.Everything.{poke}.Employee~2.x")), "drawn for another row");
    refused(row(&format!("{poke}:Employee~1:hr.Everything.{remove}.Employee~1.x")), "drawn for another button");
    let drawn = row_button(&mut desk, &poke, "Employee~3");
    let deed = desk.send("Everything", &[], "f-page", &[("_do", &drawn)]).unwrap();
    let arguments = vec![(Name::new("Employee"), Argument::Value(Value::Object(ObjectId(3))))];
    assert_eq!(deed, Deed::Run { microflow: name("Poke"), arguments, changes: vec![] });
}

#[test]
fn a_row_is_found_whatever_page_and_filter_the_grid_stands_at() {
    let mut desk = Desk::of("Manager");
    let id = grid(&desk.open("Everything", &[]).unwrap()).id.clone();
    let remove = desk.button_starting("Everything", "Remove");
    let query = [(format!("{id}.p"), "2"), (format!("{id}.q"), "nobody")];
    let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let state = desk.open("Everything", &[]).unwrap().forms[0].state.clone();
    let act = row_button(&mut desk, &remove, "Employee~3");
    let deed = desk.send_state("Everything", &query, &state, &[("_do", &act), ("_confirmed", "1")]).unwrap();
    assert_eq!(deed, Deed::Delete { entity: name("Employee"), id: ObjectId(3), version: Some(3) });
    let look = desk.button_starting("Everything", "Look");
    let act = row_button(&mut desk, &look, "Department~6");
    let deed = desk.send("Everything", &[], "f-page", &[("_do", &act)]).unwrap();
    assert!(matches!(deed, Deed::Run { arguments, .. } if arguments[0].1 == Argument::Value(Value::Object(ObjectId(6)))));
}

#[test]
fn a_new_object_takes_what_the_page_sets_and_can_be_an_argument() {
    let mut desk = Desk::of("Employee");
    let (page, text) = (form(&desk, "NewNote"), desk.input("NewNote", "text"));
    let (save, send) = (desk.button_starting("NewNote", "Save"), desk.button_starting("NewNote", "Send"));
    let deed = desk.send("NewNote", &EMMA, &page, &[("_do", &save), (&text, "Hello")]).unwrap();
    let Deed::Save { changes, close: false, message: None } = deed else { panic!("{deed:?}") };
    let wanted = BTreeMap::from([(Name::new("about"), Value::Object(ObjectId(1))), (Name::new("text"), Value::text("Hello"))]);
    assert_eq!((changes[0].target, &changes[0].values), (Target::New, &wanted));
    let deed = desk.send("NewNote", &EMMA, &page, &[("_do", &send), (&text, "Hello")]).unwrap();
    let Deed::Run { arguments, changes, .. } = deed else { panic!("{deed:?}") };
    assert_eq!(arguments, [(Name::new("Note"), Argument::New(changes[0].view.clone()))]);
    assert_eq!(changes[0].target, Target::New);
}

#[test]
fn an_argument_speaks_of_the_values_just_typed() {
    let mut desk = Desk::of("Manager");
    let promote = desk.button_starting("Person", "Promote");
    let deed = send(&mut desk, &promote, &[("name", "New name"), ("remote", "true")]).unwrap();
    let Deed::Run { arguments, changes, .. } = deed else { panic!("{deed:?}") };
    assert_eq!(arguments[1].1, Argument::Value(Value::text("New name")));
    assert_eq!(changes.len(), 1);
}

#[test]
fn a_state_of_another_page_form_model_object_or_version_is_not_taken() {
    let mut desk = Desk::of("Manager");
    let save = desk.button("Person", "Save");
    let fields = [("_do", save.as_str())];
    for forged in ["", "sealed-999", "x"] {
        refused(desk.send_state("Person", &EMMA, forged, &fields), forged);
    }
    let other = desk.open("Everything", &[]).unwrap().forms[0].state.clone();
    refused(desk.send_state("Person", &EMMA, &other, &fields), "another page");

    let state = desk.open("Person", &EMMA).unwrap().forms[0].state.clone();
    let switched = desk.send_state("Person", &[("Employee", "Employee~3")], &state, &fields);
    assert!(matches!(switched, Err(PageError::Stale(_))), "{switched:?}");
    let cancel = desk.button("Person", "Cancel");
    let left = |desk: &mut Desk| desk.send_state("Person", &EMMA, &state, &[("_do", &cancel)]);
    desk.memory.rows.get_mut(&(name("Employee"), ObjectId(1))).unwrap().0 = 4;
    let stale = desk.send_state("Person", &EMMA, &state, &fields);
    assert!(matches!(stale, Err(PageError::Stale(_))), "{stale:?}");
    assert_eq!(left(&mut desk).unwrap(), Deed::Cancel, "leaving is always possible");
    desk.memory.rows.get_mut(&(name("Employee"), ObjectId(1))).unwrap().0 = 3;
    let fresh = FormState { model: "other".into(), ..desk.handles.open(&state).unwrap() };
    let old = desk.handles.seal(&fresh);
    assert!(matches!(desk.send_state("Person", &EMMA, &old, &fields), Err(PageError::Expired)));
    let outdated = format!("outdated-{state}");
    assert!(matches!(desk.send_state("Person", &EMMA, &outdated, &fields), Err(PageError::Expired)));
    let foreign = FormState { form: "f-page".into(), ..desk.handles.open(&state).unwrap() };
    let foreign = desk.handles.seal(&foreign);
    refused(desk.send_state("Person", &EMMA, &foreign, &fields), "another form");
}

#[test]
fn a_field_twice_or_a_form_of_thousands_is_refused() {
    let mut desk = Desk::of("Manager");
    let button = desk.button("Person", "Save");
    let id = desk.input("Person", "name");
    refused(send(&mut desk, &button, &[(&id, "a"), (&id, "b")]), "twice");
    let many: Vec<(String, &str)> = (0..5_000).map(|n| (format!("w{}", n + 100), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    refused(send(&mut desk, &button, &many), "thousands");
    refused(desk.send_state("Person", &EMMA, "sealed-0", &[]), "without a button");
}

#[test]
fn digits_that_a_member_does_not_keep_are_refused_at_the_field_with_the_text_kept() {
    let more = "This has more digits after the point than are kept";
    let cases = [
        ("salary", "1.005", more),
        ("salary", "-1.00000000000000000000000000000000000001", more),
        ("salary", "12345678901", "This number is too large"),
        ("salary", "99999999999999999999999999999999999999", "This number is too large"),
        ("salary", "1e5", "Enter a number such as 1234.50"),
        ("salary", "-", "Enter a number such as 1234.50"),
        ("children", "2.5", "Enter a whole number"),
        ("children", "1000000000000000", "This number is too large"),
    ];
    for (member, text, wanted) in cases {
        let mut desk = Desk::of("Manager");
        let input = desk.input("Person", member);
        let result = save(&mut desk, &[("remote", "true"), (member, text)]);
        let Err(PageError::Invalid(posted)) = result else { panic!("{text}: {result:?}") };
        assert_eq!(posted.errors.get(&input).map(String::as_str), Some(wanted), "{text}");
        assert_eq!(posted.values.get(&input).map(String::as_str), Some(text));
    }
}

#[test]
fn a_row_that_was_changed_since_it_was_drawn_is_stale_for_every_button_of_it() {
    let mut desk = Desk::of("Manager");
    let (remove, look) = (desk.button_starting("Everything", "Remove"), desk.button_starting("Everything", "Look"));
    let acts = [row_button(&mut desk, &remove, "Employee~3"), row_button(&mut desk, &look, "Department~6")];
    let state = desk.open("Everything", &[]).unwrap().forms[0].state.clone();
    let send = |desk: &mut Desk, act: &str| desk.send_state("Everything", &[], &state, &[("_do", act), ("_confirmed", "1")]);
    for (act, (entity, id)) in acts.iter().zip([("Employee", 3), ("Department", 6)]) {
        let row = (name(entity), ObjectId(id));
        desk.memory.rows.get_mut(&row).unwrap().0 = 4;
        let stale = send(&mut desk, act);
        assert!(matches!(&stale, Err(PageError::Stale(posted)) if posted.stale), "{stale:?}");
        let kept = desk.memory.rows.remove(&row).unwrap();
        assert!(matches!(send(&mut desk, act), Err(PageError::Stale(_))), "gone, and nobody's forgery");
        desk.memory.rows.insert(row, (3, kept.1));
        send(&mut desk, act).unwrap();
    }
}

#[test]
fn a_form_drawn_by_an_older_program_is_out_of_date_and_no_forgery() {
    let mut desk = Desk::of("Manager");
    let save = desk.button("Person", "Save");
    let state = desk.open("Person", &EMMA).unwrap().forms[0].state.clone();
    let old = FormState { drawn: None, ..desk.handles.open(&state).unwrap() };
    let old = desk.handles.seal(&old);
    assert!(matches!(desk.send_state("Person", &EMMA, &old, &[("_do", &save)]), Err(PageError::Expired)));
}
