//! Event handlers around every write, of flows and of pages.

use super::super::deed;
use super::*;

fn task(desk: &mut Desk, title: &str) -> Result<(ObjectId, Outcome), FlowError> {
    let set = values([("title", Value::text(title))]);
    desk.deed(|context, grants| deed::create(context, authority(grants), &q("Task"), &set))
}

#[test]
fn handlers_see_the_object_as_it_will_be_and_may_change_it() {
    let mut desk = desk(&[]);
    let (id, outcome) = task(&mut desk, "Good").unwrap();
    let trail = desk.store.value(id.0, "trail");
    assert_eq!(trail, Value::text("created checked checked "), "the create-handler's own write is a commit too");
    assert!(messages(&outcome).last().unwrap().starts_with("Kept Good: created checked checked"));
    assert_eq!(outcome.page, None, "a handler opens no page");
}

#[test]
fn a_before_handler_refuses_by_feedback_or_raise_and_nothing_is_left() {
    let mut desk = desk(&[]);
    let before = desk.store.rows.len();
    assert!(matches!(task(&mut desk, "Bad"), Err(FlowError::Feedback(all)) if all[0].message == "Not a good title"));
    assert!(matches!(task(&mut desk, "Worse"), Err(FlowError::Raised(text)) if text == "No such task"));
    assert_eq!(desk.store.rows.len(), before);
    let (id, _) = task(&mut desk, "Good").unwrap();
    let set = values([("title", Value::text("Bad"))]);
    let changed = desk.deed(|context, grants| deed::change(context, authority(grants), &q("Task"), id, None, &set));
    assert!(matches!(changed, Err(FlowError::Feedback(_))));
    assert_eq!(desk.store.value(id.0, "title"), Value::text("Good"));
}

#[test]
fn around_a_deletion_one_handler_keeps_the_object_and_another_says_goodbye() {
    let mut desk = desk(&[]);
    let (keep, _) = task(&mut desk, "Keep").unwrap();
    let (gone, _) = task(&mut desk, "Gone").unwrap();
    let kept = desk.deed(|context, grants| deed::delete(context, authority(grants), &q("Task"), keep, None));
    assert!(matches!(kept, Err(FlowError::Raised(text)) if text == "This one stays"));
    let outcome = desk.deed(|context, grants| deed::delete(context, authority(grants), &q("Task"), gone, None)).unwrap();
    assert_eq!(messages(&outcome), ["Gone is Gone"]);
    assert!(desk.store.rows.contains_key(&keep) && !desk.store.rows.contains_key(&gone));
}

#[test]
fn a_flow_that_writes_sets_off_the_same_handlers() {
    let flow = "roles: [Clerk]\ndo:\n  - create: {as: T, entity: Task, set: {title: \"'Bad'\"}}\n  - message: {text: never}";
    let mut desk = desk(&[("Flow", flow)]);
    assert!(matches!(desk.run("Flow", []), Err(FlowError::Feedback(_))));
}

#[test]
fn a_page_saves_only_within_the_callers_rights() {
    let mut desk = desk(&[]);
    let set = values([("salary", money("1.00"))]);
    let result = desk.deed(|context, grants| deed::change(context, authority(grants), &q("Person"), ObjectId(2), None, &set));
    denied(&result);
    let user = crate::model::Model::user_entity();
    let result = desk.deed(|context, grants| deed::change(context, authority(grants), &user, ObjectId(7), None, &set));
    assert!(denied(&result).contains("never written"));
    assert_eq!(desk.store.value(2, "salary"), money("9000.00"));
}
