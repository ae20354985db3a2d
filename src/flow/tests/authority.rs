//! Whose rights a flow has.

use super::*;

const RAISE_PAY: &str = "
roles: [Clerk]
parameters: {P: Person}
applyEntityAccess: false
elevation: [{entity: Person, read: [salary], write: [salary], where: \"this.name == 'Paul'\", doc: Only Paul}]
do:
  - change: {object: $P, set: {salary: \"$P.salary + 1\"}}
  - call: {microflow: Peek, with: {P: $P}}";
const PEEK: &str = "
roles: [Clerk]
parameters: {P: Person}
do:
  - log: {node: d.Peek, level: info, text: \"{$P.salary}\"}";
const RAISE_ONLY: &str = "
roles: [Clerk]
parameters: {P: Person}
applyEntityAccess: false
elevation: [{entity: Person, read: [salary], write: [salary], where: \"this.name == 'Paul'\", doc: Only Paul}]
do:
  - change: {object: $P, set: {salary: \"$P.salary + 1\"}}";

fn person(id: i64) -> [(&'static str, Value); 1] {
    [("P", Value::Object(ObjectId(id)))]
}

#[test]
fn elevation_cannot_be_borrowed_by_a_callee() {
    let mut desk = desk(&[("RaisePay", RAISE_PAY), ("Peek", PEEK)]);
    let result = desk.run("RaisePay", person(2));
    assert!(denied(&result).contains("d.Person.salary is withheld"));
    assert!(desk.effects.log.is_empty());
    assert_eq!(desk.store.value(2, "salary"), money("9000.00"), "and the pay is as it was");
    assert_eq!(desk.effects.failed_at[0].0, q("Peek"));
}

#[test]
fn a_callee_has_its_own_elevation_and_the_caller_does_not_get_it() {
    let outer = "
roles: [Clerk]
parameters: {P: Person}
do:
  - call: {microflow: RaiseOnly, with: {P: $P}}
  - message: {text: done}";
    let curious = outer.replace("text: done", "text: \"{$P.salary}\"");
    let mut desk = desk(&[("Outer", outer), ("Curious", &curious), ("RaiseOnly", RAISE_ONLY)]);
    assert_eq!(messages(&desk.run("Outer", person(2)).unwrap()), ["done"]);
    assert_eq!(desk.store.value(2, "salary"), money("9001.00"));
    denied(&desk.run("Curious", person(2)));
    assert_eq!(desk.store.value(2, "salary"), money("9001.00"));
}

#[test]
fn an_elevation_holds_for_its_rows_only_and_is_recorded() {
    let mut desk = desk(&[("RaiseOnly", RAISE_ONLY)]);
    denied(&desk.run("RaiseOnly", person(1)));
    assert_eq!(desk.store.value(1, "salary"), money("5000.00"));
    desk.effects = Effects::default();
    desk.run("RaiseOnly", person(2)).unwrap();
    let record = &desk.effects.elevated[0];
    assert_eq!(record.flow, q("RaiseOnly"));
    let used: Vec<&str> = record.used.iter().map(String::as_str).collect();
    assert_eq!(used, ["change d.Person", "load d.Person"]);
}

#[test]
fn a_job_has_nothing_but_what_its_flow_declares() {
    let mut desk = desk(&[("RaiseOnly", RAISE_ONLY), ("Peek", PEEK)]);
    desk.roles.clear();
    desk.account = None;
    let job =
        |desk: &mut Desk, flow: &str| desk.deed(|context, grants| run_job(&grants.call(&q(flow))?, values(person(2)), context));
    job(&mut desk, "RaiseOnly").unwrap();
    assert_eq!(desk.store.value(2, "salary"), money("9001.00"));
    denied(&job(&mut desk, "Peek"));
    denied(&desk.run("RaiseOnly", person(2)));
}

#[test]
fn a_page_that_forgets_to_ask_about_the_action_gains_no_extra_rights() {
    let mut desk = desk(&[("RaiseOnly", RAISE_ONLY)]).role("Visitor");
    // The permit of a call asks for no role; from a page it must not be worth more than one to run.
    let result = desk.deed(|context, grants| run(&grants.call(&q("RaiseOnly"))?, values(person(2)), context));
    assert!(matches!(result, Err(FlowError::Object(crate::access::ObjectError::Disagreement(_)))), "{result:?}");
    assert_eq!(desk.store.value(2, "salary"), money("9000.00"));
    assert!(desk.effects.elevated.is_empty());
    desk.role("Clerk").run("RaiseOnly", person(2)).unwrap();
}

#[test]
fn a_permit_of_another_caller_is_worth_nothing() {
    let mut desk = desk(&[("Peek", PEEK)]);
    let boss = Grants::compile(&desk.model, &[Name::new("Boss")].into(), true);
    let permit = boss.run(&q("Peek")).unwrap();
    let result = desk.deed(|context, _| run(&permit, values(person(2)), context));
    assert!(denied(&result).contains("another caller"));
    assert!(desk.effects.log.is_empty());
}

#[test]
fn what_became_hidden_by_a_change_is_not_read_from_memory() {
    let flow = "
roles: [Clerk]
parameters: {O: Order}
applyEntityAccess: false
elevation: [{entity: Order, read: [title, state], write: [state], where: \"this.state == 'Open' || this.state == 'Done'\", doc: Closes}]
do:
  - message: {text: \"{$O.amount}\"}
  - change: {object: $O, set: {state: \"'Done'\"}}
  - message: {text: \"{$O.title} {$O.state}\"}
  - message: {text: \"{$O.amount}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    let result = desk.run("Flow", [("O", Value::Object(ObjectId(11)))]);
    assert!(denied(&result).contains("d.Order.amount is withheld"), "the amount is the clerk's only while the order is open");
    let shorter = flow.rsplit_once("\n  - message").unwrap().0;
    let mut desk = super::desk(&[("Flow", shorter)]);
    let outcome = desk.run("Flow", [("O", Value::Object(ObjectId(11)))]).unwrap();
    assert_eq!(messages(&outcome), ["20.00", "Lamp All done"]);
}

#[test]
fn an_object_of_another_entity_is_nothing_to_a_flow() {
    let mut desk = desk(&[("Peek", PEEK)]).role("Boss");
    denied(&desk.run("Peek", person(11)));
    let result = desk.run("Peek", [("P", Value::text("2"))]);
    assert!(matches!(result, Err(FlowError::Broken(_))), "a text is no reference");
}

#[test]
fn the_right_to_a_calculated_member_is_a_right_of_its_own() {
    let flow = "
roles: []
parameters: {O: Order}
applyEntityAccess: false
elevation: [{entity: Order, read: [twice], doc: The double only}]
do:
  - log: {node: d.X, level: info, text: \"{$O.twice}\"}";
    let more = flow.replace("$O.twice", "$O.amount");
    let mut desk = desk(&[("Twice", flow), ("Amount", &more)]);
    desk.roles.clear();
    desk.account = None;
    let order = || values([("O", Value::Object(ObjectId(11)))]);
    desk.deed(|context, grants| run_job(&grants.call(&q("Twice"))?, order(), context)).unwrap();
    assert_eq!(desk.effects.log[0].text, "40.00");
    denied(&desk.deed(|context, grants| run_job(&grants.call(&q("Amount"))?, order(), context)));
}

#[test]
fn nobody_is_the_user_of_a_visitor_or_a_job() {
    let flow = "
roles: [Visitor]
do:
  - message: {text: \"{user.name}{user.email}|{signedIn()}\"}";
    let mut desk = desk(&[("Flow", flow)]).role("Visitor");
    assert_eq!(messages(&desk.run("Flow", []).unwrap()), ["|No"]);
    assert_eq!(desk.store.asked, 0);
}
