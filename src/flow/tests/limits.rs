//! Steps, time, depth and sizes are bounded.

use super::*;
use std::time::Duration;

fn exhausted(result: Result<Outcome, FlowError>) -> &'static str {
    match result {
        Err(FlowError::Exhausted(why)) => why,
        other => panic!("this should have been ended: {other:?}"),
    }
}

const MANY: &str = "
roles: [Clerk]
do:
  - retrieve: {as: All, entity: Order}
  - loop:
      over: $All
      as: One
      do:
        - loop: {over: $All, as: Two, do: [{set: {variable: X, value: \"1\"}}]}";

#[test]
fn ten_thousand_steps_are_the_most() {
    let mut desk = desk(&[("Flow", MANY)]);
    desk.run("Flow", []).unwrap();
    for id in 0..100 {
        desk.store.put(100 + id, "Order", [("title", Value::text("x")), ("state", Value::text("Open"))]);
    }
    assert!(exhausted(desk.run("Flow", [])).contains("steps"));
}

#[test]
fn ten_seconds_are_the_most() {
    let flow = "roles: [Clerk]\nparameters: {O: Order}\ndo:\n  - message: {text: \"{$O.title}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    let clock = desk.clock.clone();
    let late = desk.deed(|context, grants| {
        clock.advance(Duration::from_millis(10_001));
        run(&grants.run(&q("Flow"))?, values([("O", Value::Object(ObjectId(11)))]), context)
    });
    assert!(exhausted(late).contains("seconds"));
    assert_eq!(desk.store.asked, 0);
    desk.run("Flow", [("O", Value::Object(ObjectId(11)))]).unwrap();
}

#[test]
fn calls_nest_twenty_deep_at_most() {
    let flow = "
roles: [Clerk]
parameters: {N: integer}
do:
  - decide: {if: \"$N > 1\", then: [{call: {microflow: Flow, with: {N: \"$N - 1\"}}}]}";
    let mut desk = desk(&[("Flow", flow)]);
    desk.run("Flow", [("N", Value::Integer(20))]).unwrap();
    assert!(exhausted(desk.run("Flow", [("N", Value::Integer(21))])).contains("20 deep"));
}

#[test]
fn a_decision_over_a_number_that_cannot_be_computed_ends_the_run() {
    let flow = |condition: &str| {
        format!(
            "roles: [Clerk]\nparameters: {{N: integer}}\ndo:\n  - decide: {{if: \"{condition}\", then: [{{raise: {{message: Too much}}}}]}}\n  - message: {{text: Granted}}"
        )
    };
    for condition in ["$N * $N > 1000", "!($N * $N <= 1000)", "$N * $N * 0 == 1 || $N < 0"] {
        let text = flow(condition);
        let mut desk = desk(&[("Flow", &text)]);
        let ended = desk.run("Flow", [("N", Value::Integer(999_999_999_999_999))]);
        assert!(matches!(ended, Err(FlowError::Overflow)), "{condition}: {ended:?}");
        assert!(desk.run("Flow", [("N", Value::Integer(3))]).is_ok(), "{condition}");
    }
}

#[test]
fn a_list_has_ten_thousand_elements_at_most() {
    let flow = "roles: [Clerk]\ndo:\n  - retrieve: {as: All, entity: Order}";
    let mut desk = desk(&[("Flow", flow)]);
    for id in 0..9_997 {
        desk.store.put(100 + id, "Order", [("state", Value::text("Open"))]);
    }
    desk.run("Flow", []).unwrap();
    desk.store.put(99, "Order", [("state", Value::text("Open"))]);
    assert!(exhausted(desk.run("Flow", [])).contains("10 000 elements"));
}

#[test]
fn a_text_cannot_grow_without_end() {
    let flow = "
roles: [Clerk]
do:
  - set: {variable: T, value: \"'abcdefgh'\"}
  - retrieve: {as: All, entity: Order}
  - loop: {over: $All, as: A, do: [{loop: {over: $All, as: B, do: [{loop: {over: $All, as: C, do: [{set: {variable: T, value: \"$T + $T\"}}]}}]}}]}
  - message: {text: \"{$T}{$T}\"}";
    assert!(exhausted(desk(&[("Flow", flow)]).run("Flow", [])).contains("text"));
}

#[test]
fn mails_and_messages_are_counted() {
    let body = |inner: &str| {
        format!(
            "roles: [Clerk]\ndo:\n  - retrieve: {{as: All, entity: Order}}\n  - loop: {{over: $All, as: A, do: [{{loop: {{over: $All, as: B, do: [{inner}]}}}}]}}"
        )
    };
    for (inner, why) in
        [("{message: {text: hi}}", "messages"), ("{sendMail: {to: \"'a@b.example'\", subject: s, text: t}}", "mails")]
    {
        let mut desk = desk(&[("Flow", &body(inner))]);
        desk.run("Flow", []).unwrap();
        (0..20).for_each(|id| desk.store.put(100 + id, "Order", [("state", Value::text("Open"))]));
        assert!(exhausted(desk.run("Flow", [])).contains(why));
        assert!(desk.effects.mails.is_empty());
    }
}

#[test]
fn a_loop_asks_for_its_elements_many_at_a_time() {
    let flow = "
roles: [Clerk]
do:
  - retrieve: {as: All, entity: Order}
  - call: {microflow: Each, with: {All: $All}}";
    let inner = "
roles: []
parameters: {All: list of Order}
applyEntityAccess: false
elevation: [{entity: Order, read: [secret], doc: x}]
do:
  - loop: {over: $All, as: One, do: [{log: {node: d.X, level: info, text: \"{$One.title} {$One.secret}\"}}]}";
    let mut desk = desk(&[("Flow", flow), ("Each", inner)]);
    (0..600).for_each(|id| desk.store.put(100 + id, "Order", [("title", Value::text("x")), ("state", Value::text("Open"))]));
    desk.run("Flow", []).unwrap();
    assert_eq!(desk.effects.log.len(), 603);
    assert_eq!(desk.store.asked, 3, "one for the list, two for its elements under the other authority");
}
