//! What each activity does, and what it refuses. The list is complete, or a test fails.

use super::*;
use crate::model::{LogLevel, Tone};
use std::collections::BTreeSet;

type Test = fn();

const TESTED: &[(&str, Test, Test)] = &[
    (
        "RetrieveAssociation",
        retrieving_over_an_association_gives_an_object_or_a_list,
        an_association_whose_member_is_not_granted_is_not_walked,
    ),
    ("Retrieve", retrieving_filters_sorts_and_limits, retrieving_what_no_rule_grants_is_refused_and_hidden_rows_do_not_come),
    ("Create", creating_sets_values_and_defaults, creating_outside_the_rules_is_refused_and_leaves_nothing),
    ("Change", changing_writes_and_reads_back, changing_out_of_the_rules_is_refused),
    ("Delete", deleting_removes_the_object, deleting_what_is_in_use_or_not_granted_is_refused),
    ("Lock", locking_reads_the_object_anew, locking_what_is_not_read_or_gone_is_refused),
    ("Aggregate", aggregates_count_sum_and_average, aggregating_a_withheld_member_is_refused),
    ("Set", setting_a_variable_keeps_its_value, setting_from_a_withheld_member_is_refused),
    ("Decide", deciding_takes_one_way, deciding_on_nothing_takes_the_other_way_and_on_a_withheld_value_none),
    ("Loop", looping_takes_each_element_and_end_leaves_it, looping_forever_is_not_possible),
    ("Call", calling_passes_arguments_and_gives_the_value_back, calling_what_a_guardrail_denies_is_refused),
    ("ShowPage", showing_a_page_hands_out_references, showing_a_page_reads_nothing_for_the_reader),
    ("ClosePage", closing_the_page_is_told, closing_after_a_refusal_is_not_told),
    ("Message", a_message_shows_values_as_people_read_them, a_message_with_a_withheld_value_is_refused),
    ("Feedback", feedback_gathers_and_changes_nothing, feedback_on_nothing_is_refused),
    ("Log", a_log_line_stands_also_when_the_run_failed, a_log_line_cannot_be_forged),
    ("SendMail", a_mail_is_collected_not_sent, a_mail_takes_no_header_and_no_bad_address),
    ("Publish", publishing_collects_the_attributes, publishing_what_may_not_be_read_is_refused),
    ("Register", a_visitor_registers_without_a_question_to_the_data, registering_is_refused_to_users_and_bad_addresses),
    ("End", end_gives_the_value, end_stops_what_follows),
    ("Raise", raising_tells_why_and_changes_nothing, raising_does_not_hide_complaints),
];

#[test]
fn every_activity_has_a_test_of_what_it_does_and_of_what_it_refuses() {
    let source = include_str!("../../model/types/microflow.rs");
    let body = source.split("pub enum ActivityKind {").nth(1).unwrap().split("\n}").next().unwrap();
    let variant = |line: &str| line.strip_prefix("    ").filter(|l| l.starts_with(char::is_uppercase)).map(str::to_owned);
    let declared: BTreeSet<String> =
        body.lines().filter_map(variant).map(|l| l.chars().take_while(|c| c.is_alphanumeric()).collect()).collect();
    let tested: BTreeSet<String> = TESTED.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    assert_eq!(declared, tested);
    assert!(declared.len() >= 20);
}

#[test]
fn retrieving_over_an_association_gives_an_object_or_a_list() {
    let (desk, done) = Desk::does(
        "
  - retrieve: {as: Buyer, from: $O, association: buyer}
  - retrieve: {as: All, from: $Buyer, association: orders}
  - aggregate: {as: Sum, list: $All, function: sum, of: amount}
  - retrieve: {as: Me, from: $Buyer, association: account}
  - message: {text: \"{$Buyer.name} {$Sum} {$Me == empty}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["Paul 180.50 Yes"]);
    assert!(desk.store.asked <= 4, "{}", desk.store.asked);
}

#[test]
fn an_association_whose_member_is_not_granted_is_not_walked() {
    let flow = "
roles: [Visitor]
do:
  - retrieve: {as: All, entity: Order}";
    let (desk, done) =
        Desk::does_as("Clerk", "\n  - retrieve: {as: B, from: $O, association: buyer}\n  - message: {text: \"{$B.salary}\"}", []);
    assert!(denied(&done).contains("d.Person.salary is withheld"));
    assert_eq!(desk.effects.failed_at[0].0, q("Flow"));
    // Visitors reach no stored data at all: the checker does not even let such a model run.
    let files = [
        ("app.yaml", APP),
        ("d/module.yaml", MODULE),
        ("d/domain.yaml", DOMAIN),
        ("d/pages/Home.yaml", HOME),
        ("d/microflows/V.yaml", flow),
    ];
    assert!(load(&Files::of(files)).0.is_none());
}

#[test]
fn retrieving_filters_sorts_and_limits() {
    let (_, done) = Desk::does(
        "
  - retrieve: {as: Big, entity: Order, where: \"this.amount > 10 && this.buyer == $O.buyer\", sort: [-amount], limit: 2}
  - loop: {over: $Big, as: One, do: [{message: {text: \"{$One.title} {$One.amount}\"}}]}
  - retrieve: {as: None, entity: Order, where: \"this.title == 'Nothing'\", first: true}
  - message: {text: \"{$None == empty}\"}
  - retrieve: {as: Mine, entity: Person, where: \"this == user.person\", first: true}
  - message: {text: \"{$Mine.name}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["Desk 100.50", "Chair 60.00", "Yes", "Emma"]);
}

#[test]
fn retrieving_what_no_rule_grants_is_refused_and_hidden_rows_do_not_come() {
    let flow = "roles: [Clerk]\ndo:\n  - retrieve: {as: All, entity: Order}\n  - aggregate: {as: N, list: $All, function: count}\n  - message: {text: \"{$N}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    desk.store.put(14, "Order", [("title", Value::text("Old")), ("state", Value::text("Done"))]);
    assert_eq!(messages(&desk.run("Flow", []).unwrap()), ["3"]);
    let (_, done) = Desk::does("\n  - retrieve: {as: All, entity: Order, where: \"this.title == $O.secret\"}");
    assert!(denied(&done).contains("d.Order.secret is withheld"), "a constraint is settled under the flow's rights");
    let (_, done) = Desk::does("\n  - retrieve: {as: All, entity: system.User}");
    assert!(denied(&done).contains("load system.User"));
}

#[test]
fn creating_sets_values_and_defaults() {
    let (desk, done) = Desk::does(
        "
  - create: {as: New, entity: Order, set: {title: \"'Vase'\", amount: \"12.50\", buyer: user.person}}
  - message: {text: \"{$New.title} {$New.amount} {$New.state} {$New.urgent} {$New.buyer.name}\", tone: success}",
    );
    let outcome = done.unwrap();
    assert_eq!(outcome.messages, [(Tone::Success, "Vase 12.50 Still open No Emma".to_owned())]);
    assert_eq!(desk.store.value(1000, "title"), Value::text("Vase"));
}

#[test]
fn creating_outside_the_rules_is_refused_and_leaves_nothing() {
    for body in [
        "\n  - create: {as: New, entity: Order, set: {title: \"'Vase'\", state: \"'Done'\"}}",
        "\n  - create: {as: New, entity: Order, set: {title: \"'Vase'\", secret: \"'x'\"}}",
        "\n  - create: {as: New, entity: Person, set: {name: \"'x'\"}}",
    ] {
        let (desk, done) = Desk::does(body);
        denied(&done);
        assert!(!desk.store.rows.contains_key(&ObjectId(1000)), "{body}");
    }
    let (_, done) = Desk::does("\n  - create: {as: New, entity: Order, set: {amount: \"1\"}}");
    assert!(matches!(done, Err(FlowError::Feedback(all)) if all[0].member == Some(Name::new("title"))));
}

#[test]
fn changing_writes_and_reads_back() {
    let (desk, done) = Desk::does(
        "
  - message: {text: \"{$O.amount}\"}
  - change: {object: $O, set: {amount: \"$O.amount + 1.25\", urgent: \"true\"}}
  - message: {text: \"{$O.amount} {$O.urgent}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["20.00", "21.25 Yes"]);
    assert_eq!(desk.store.value(11, "amount"), money("21.25"));
}

#[test]
fn changing_out_of_the_rules_is_refused() {
    for body in [
        "\n  - change: {object: $O, set: {title: \"'x'\"}}\n  - change: {object: $O, set: {state: \"'Done'\"}}",
        "\n  - change: {object: $O, set: {title: \"'x'\", secret: \"'y'\"}}",
        "\n  - retrieve: {as: B, from: $O, association: buyer}\n  - change: {object: $B, set: {salary: \"1\"}}",
    ] {
        let (desk, done) = Desk::does(body);
        denied(&done);
        assert_eq!(desk.store.value(11, "title"), Value::text("Lamp"), "{body}");
        assert_eq!(desk.store.value(2, "salary"), money("9000.00"));
    }
    let (_, done) = Desk::does_as("Clerk", "\n  - change: {object: $O, set: {title: \"'x'\"}}", [("O", Value::Empty)]);
    assert!(matches!(done, Err(FlowError::Nothing(_))));
}

#[test]
fn deleting_removes_the_object() {
    let (desk, done) = Desk::does("\n  - delete: {object: $O}");
    done.unwrap();
    assert!(!desk.store.rows.contains_key(&ObjectId(11)));
    let (_, done) = Desk::does("\n  - delete: {object: $O}\n  - message: {text: \"{$O.title}\"}");
    assert!(denied(&done).contains("d.Order.title is withheld"));
}

#[test]
fn deleting_what_is_in_use_or_not_granted_is_refused() {
    let body = "\n  - delete: {object: $O}\n  - retrieve: {as: P, entity: Person, first: true}\n  - delete: {object: $P}";
    let (desk, done) = Desk::does(body);
    assert!(denied(&done).contains("delete d.Person"));
    assert!(desk.store.rows.contains_key(&ObjectId(11)), "all or nothing");
    let flow = "roles: [Clerk]\nparameters: {P: Person}\napplyEntityAccess: false\nelevation: [{entity: Person, delete: true, doc: x}]\ndo:\n  - delete: {object: $P}";
    let mut desk = super::desk(&[("Flow", flow)]);
    assert!(
        matches!(desk.run("Flow", [("P", Value::Object(ObjectId(2)))]), Err(FlowError::InUse(entity)) if entity == q("Order"))
    );
    desk.run("Flow", [("P", Value::Object(ObjectId(1)))]).unwrap();
}

#[test]
fn locking_reads_the_object_anew() {
    let body = "\n  - message: {text: \"{$O.title}\"}\n  - lock: $O\n  - message: {text: \"{$O.title}\"}";
    let flow = format!("roles: [Clerk]\nparameters: {{O: Order}}\ndo:{body}");
    let mut desk = super::desk(&[("Flow", flow.as_str())]);
    let before = desk.store.value(11, "title").canonical();
    desk.store.waited_for = Some((ObjectId(11), values([("title", Value::text("Else"))])));
    let done = desk.run("Flow", [("O", Value::Object(ObjectId(11)))]).unwrap();
    assert_eq!(messages(&done), [before.as_str(), "Else"]);
}

#[test]
fn locking_what_is_not_read_or_gone_is_refused() {
    let flow = "roles: [Clerk]\nparameters: {O: Order}\ndo:\n  - lock: $O\n  - message: {text: locked}";
    let mut desk = super::desk(&[("Flow", flow)]);
    desk.store.waited_for = Some((ObjectId(11), values([("state", Value::text("Done"))])));
    let done = desk.run("Flow", [("O", Value::Object(ObjectId(11)))]);
    assert!(matches!(done, Err(FlowError::Denied(_))), "no rule lets it be read any more: {done:?}");
    assert!(matches!(desk.run("Flow", [("O", Value::Object(ObjectId(99)))]), Err(FlowError::Stale)));
}

#[test]
fn aggregates_count_sum_and_average() {
    let (_, done) = Desk::does(
        "
  - retrieve: {as: All, entity: Order}
  - retrieve: {as: No, entity: Order, where: \"this.title == 'No'\"}
  - aggregate: {as: N, list: $All, function: count}
  - aggregate: {as: S, list: $All, function: sum, of: amount}
  - aggregate: {as: Min, list: $All, function: min, of: amount}
  - aggregate: {as: Max, list: $All, function: max, of: amount}
  - aggregate: {as: A, list: $All, function: average, of: amount}
  - aggregate: {as: NoS, list: $No, function: sum, of: amount}
  - aggregate: {as: NoA, list: $No, function: average, of: amount}
  - message: {text: \"{$N} {$S} {$Min} {$Max} {$A} {$NoS} {$NoA == empty}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["3 180.50 20.00 100.50 60.16666667 0 Yes"]);
}

#[test]
fn aggregating_a_withheld_member_is_refused() {
    let body = "\n  - retrieve: {as: All, entity: Person}\n  - aggregate: {as: S, list: $All, function: sum, of: salary}\n  - message: {text: \"{$S}\"}";
    assert!(denied(&Desk::does(body).1).contains("d.Person.salary is withheld"));
    assert_eq!(messages(&Desk::does_as("Boss", body, []).1.unwrap()), ["14000.00"]);
}

#[test]
fn setting_a_variable_keeps_its_value() {
    let (_, done) = Desk::does(
        "\n  - set: {variable: X, value: \"$O.twice + 1\"}\n  - set: {variable: X, value: \"$X * 2\"}\n  - message: {text: \"{$X}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["82.00"], "a calculated member is made of what the flow may read");
}

#[test]
fn setting_from_a_withheld_member_is_refused() {
    assert!(denied(&Desk::does("\n  - set: {variable: X, value: $O.secret}").1).contains("d.Order.secret is withheld"));
    let (_, done) = Desk::does(
        "\n  - set: {variable: X, value: \"count(user.person.orders)\"}\n  - message: {text: \"{$X} {user.name} {user.email}\"}",
    );
    assert_eq!(messages(&done.unwrap()), ["0 Emma Stone emma@desk.example"], "who the caller is needs no right");
    assert!(
        denied(&Desk::does("\n  - set: {variable: X, value: user.person.salary}").1).contains("salary"),
        "but what lies there does"
    );
}

#[test]
fn deciding_takes_one_way() {
    let body = "\n  - decide: {if: \"$O.amount < 50\", then: [{message: {text: small}}], else: [{message: {text: large}}]}";
    assert_eq!(messages(&Desk::does(body).1.unwrap()), ["small"]);
    let large = Desk::does_as("Clerk", body, [("O", Value::Object(ObjectId(12)))]).1.unwrap();
    assert_eq!(messages(&large), ["large"]);
}

#[test]
fn deciding_on_nothing_takes_the_other_way_and_on_a_withheld_value_none() {
    let body = "\n  - decide: {if: \"$O.due < today()\", then: [{message: {text: late}}], else: [{message: {text: calm}}]}";
    assert_eq!(messages(&Desk::does(body).1.unwrap()), ["calm"]);
    let body = "\n  - decide: {if: \"$O.secret == 'hush'\", then: [{message: {text: yes}}], else: [{message: {text: no}}]}";
    denied(&Desk::does(body).1);
}

#[test]
fn looping_takes_each_element_and_end_leaves_it() {
    let (_, done) = Desk::does(
        "
  - retrieve: {as: All, entity: Order, sort: [title]}
  - loop:
      over: $All
      as: One
      do:
        - message: {text: \"{$One.title}\"}
        - decide: {if: \"$One.title == 'Desk'\", then: [{end: {}}]}
  - message: {text: never}",
    );
    assert_eq!(messages(&done.unwrap()), ["Chair", "Desk"]);
}

#[test]
fn looping_forever_is_not_possible() {
    let flow = "roles: [Clerk]\ndo:\n  - call: {microflow: Flow, with: {}}";
    let result = desk(&[("Flow", flow)]).run("Flow", []);
    assert!(matches!(result, Err(FlowError::Exhausted(_))), "{result:?}");
}

#[test]
fn calling_passes_arguments_and_gives_the_value_back() {
    let flow = "roles: [Clerk]\ndo:\n  - call: {microflow: Inner, with: {Word: \"'Lamp'\", Times: \"3\"}, as: R}\n  - message: {text: \"{$R}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    assert_eq!(messages(&desk.run("Flow", []).unwrap()), ["Lamp x3"]);
    let direct = desk.run("Inner", [("Word", Value::text("a")), ("Times", Value::Integer(1))]);
    assert!(denied(&direct).contains("run d.Inner"), "nobody starts it from a page");
}

#[test]
fn calling_what_a_guardrail_denies_is_refused() {
    let flow = "roles: [Clerk]\ndo:\n  - call: {microflow: Inner, with: {Word: \"'Lamp'\", Times: \"3\"}, as: R}";
    let mut desk = desk(&[("Flow", flow)]).role("Barred");
    assert!(denied(&desk.run("Flow", [])).contains("Not for the barred"));
    let result = desk.deed(|context, grants| run(&grants.run(&q("Flow"))?, values([("Odd", Value::Integer(1))]), context));
    assert!(matches!(result, Err(FlowError::Broken(_))), "a foreign argument is not taken");
}

#[test]
fn showing_a_page_hands_out_references() {
    let outcome = Desk::does("\n  - showPage: {page: Home, with: {}}").1.unwrap();
    assert_eq!(outcome.page, Some((q("Home"), BTreeMap::new())));
}

#[test]
fn showing_a_page_reads_nothing_for_the_reader() {
    let (desk, done) = Desk::does("\n  - showPage: {page: Home, with: {}}\n  - message: {text: \"{$O.secret}\"}");
    denied(&done);
    assert_eq!(desk.store.asked, 1, "only the flow's own reading");
}

#[test]
fn closing_the_page_is_told() {
    assert!(Desk::does("\n  - closePage: {}").1.unwrap().close);
    assert!(!Desk::does("\n  - message: {text: hi}").1.unwrap().close);
}

#[test]
fn closing_after_a_refusal_is_not_told() {
    denied(&Desk::does("\n  - set: {variable: X, value: $O.secret}\n  - closePage: {}").1);
}

#[test]
fn a_message_shows_values_as_people_read_them() {
    let body = "\n  - change: {object: $O, set: {due: \"date('2026-01-31')\"}}\n  - message: {text: \"{$O.due} {$O.amount} {$O.state} {$O.urgent} {now()} {{\", tone: danger}";
    let outcome = Desk::does(body).1.unwrap();
    assert_eq!(outcome.messages, [(Tone::Danger, "2026-01-31 20.00 Still open No 2026-03-02 14:05 {".to_owned())]);
}

#[test]
fn a_message_with_a_withheld_value_is_refused() {
    denied(&Desk::does("\n  - message: {text: \"Hush: {$O.secret}\"}").1);
}

#[test]
fn feedback_gathers_and_changes_nothing() {
    let (desk, done) = Desk::does(
        "
  - change: {object: $O, set: {title: \"'x'\"}}
  - feedback: {object: $O, member: title, message: \"Not {$O.title}\"}
  - feedback: {object: $O, member: amount, message: Too much}
  - change: {object: $O, set: {title: \"'y'\"}}
  - feedback: {object: $O, member: due, message: never reached}",
    );
    let Err(FlowError::Feedback(all)) = done else { panic!("{done:?}") };
    let told: Vec<_> = all.iter().map(|f| (f.member.clone().unwrap().to_string(), f.message.clone())).collect();
    assert_eq!(told, [("title".into(), "Not x".to_owned()), ("amount".into(), "Too much".into())]);
    assert_eq!(desk.store.value(11, "title"), Value::text("Lamp"));
    assert!(desk.effects.failed_at.is_empty(), "a complaint is no failure");
}

#[test]
fn feedback_on_nothing_is_refused() {
    let body = "\n  - feedback: {object: $O, member: title, message: x}";
    assert!(matches!(Desk::does_as("Clerk", body, [("O", Value::Empty)]).1, Err(FlowError::Nothing(_))));
}

#[test]
fn a_log_line_stands_also_when_the_run_failed() {
    let (desk, done) =
        Desk::does("\n  - log: {node: d.Desk, level: warning, text: \"Order {$O.title}\"}\n  - raise: {message: No}");
    assert!(matches!(done, Err(FlowError::Raised(_))));
    assert_eq!((desk.effects.log[0].node.as_str(), desk.effects.log[0].level), ("d.Desk", LogLevel::Warning));
    assert_eq!(desk.effects.log[0].text, "Order Lamp");
}

#[test]
fn a_log_line_cannot_be_forged() {
    let flow = "roles: [Clerk]\nparameters: {T: string}\ndo:\n  - log: {node: d.Desk, level: info, text: \"Seen {$T}\"}";
    let mut desk = desk(&[("Flow", flow)]);
    desk.run("Flow", [("T", Value::text("a\r\n2026 CRITICAL root \u{1b}[2J\u{202e}b"))]).unwrap();
    assert_eq!(desk.effects.log[0].text, "Seen a\\r\\n2026 CRITICAL root \\u{1b}[2J\\u{202e}b");
}

const MAIL: &str = "\n  - sendMail: {to: $F.email, subject: \"About {$F.name}\", text: \"Dear {$F.name}\\n\\nbye\"}";

#[test]
fn a_mail_is_collected_not_sent() {
    let (desk, done) = Desk::does(MAIL);
    done.unwrap();
    let mail = &desk.effects.mails[0];
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("new@desk.example", "About New One"));
    assert_eq!(mail.text, "Dear New One\n\nbye");
}

#[test]
fn a_mail_takes_no_header_and_no_bad_address() {
    let flow = format!("roles: [Clerk]\nparameters: {{F: Form}}\ndo:{MAIL}");
    let mut desk = desk(&[("Flow", &flow)]);
    desk.store.put(-5, "Form", [("email", Value::text("a@b.example")), ("name", Value::text("x\r\nBcc: all@b.example\n\n<b>"))]);
    desk.run("Flow", [("F", Value::Object(ObjectId(-5)))]).unwrap();
    assert_eq!(desk.effects.mails[0].subject, "About x  Bcc: all@b.example  <b>");
    for wrong in ["a@b.example\nBcc: c@d.example", "a@b.example, c@d.example", "nobody"] {
        desk.store.put(-5, "Form", [("email", Value::text(wrong))]);
        let result = desk.run("Flow", [("F", Value::Object(ObjectId(-5)))]);
        assert!(matches!(result, Err(FlowError::Raised(_))), "{wrong}");
        assert!(desk.effects.mails.is_empty(), "what failed sends nothing");
    }
    desk.store.put(-5, "Form", []);
    desk.run("Flow", [("F", Value::Object(ObjectId(-5)))]).unwrap();
    assert!(desk.effects.mails.is_empty() && desk.effects.log[0].text.contains("no address"));
}

const PUBLISH: &str = "
  - retrieve: {as: All, entity: Offer}
  - publish: {snapshot: Offers, list: $All}";

#[test]
fn publishing_collects_the_attributes() {
    let flow = format!(
        "roles: [Clerk]\ndo:\n  - create: {{as: A, entity: Offer, set: {{title: \"'Vase'\", amount: \"7.5\"}}}}{PUBLISH}"
    );
    let mut desk = desk(&[("Flow", &flow)]).role("Boss");
    desk.run("Flow", []).unwrap();
    let published = &desk.effects.published[0];
    assert_eq!((&published.snapshot, published.objects.len()), (&q("Offers"), 1));
    assert_eq!(published.objects[0].get("title"), Some(&Value::text("Vase")));
}

#[test]
fn publishing_what_may_not_be_read_is_refused() {
    let flow = format!("roles: [Clerk]\ndo:{PUBLISH}");
    let mut desk = desk(&[("Flow", &flow)]);
    desk.store.put(-6, "Offer", [("title", Value::text("Vase"))]);
    assert!(denied(&desk.run("Flow", [])).contains("d.Offer.amount is withheld"));
    let mut boss = desk.role("Boss");
    (0..2_001).for_each(|at| boss.store.put(-10 - at, "Offer", []));
    assert!(matches!(boss.run("Flow", []), Err(FlowError::Exhausted(_))));
    assert!(boss.effects.published.is_empty());
}

const REGISTER: &str = "\n  - register: {email: $F.email, name: $F.name, data: $F}";

#[test]
fn a_visitor_registers_without_a_question_to_the_data() {
    let (desk, done) = Desk::does_as("Visitor", REGISTER, []);
    done.unwrap();
    let wish = &desk.effects.registrations[0];
    assert_eq!((wish.email.as_str(), wish.name.as_str(), wish.data), ("new@desk.example", "New One", ObjectId(-1)));
}

#[test]
fn registering_is_refused_to_users_and_bad_addresses() {
    assert!(denied(&Desk::does(REGISTER).1).contains("only visitors"));
    let flow = format!("roles: [Visitor]\nparameters: {{F: Form}}\ndo:{REGISTER}");
    let mut desk = desk(&[("Flow", &flow)]).role("Visitor");
    desk.store.put(-5, "Form", [("email", Value::text("a@b.example\nBcc: x@y.example"))]);
    assert!(matches!(desk.run("Flow", [("F", Value::Object(ObjectId(-5)))]), Err(FlowError::Feedback(_))));
    let (desk, done) = Desk::does_as("Visitor", &format!("{REGISTER}{REGISTER}"), []);
    assert!(matches!(done, Err(FlowError::Exhausted(_))) && desk.effects.registrations.is_empty());
}

#[test]
fn end_gives_the_value() {
    let flow = "roles: [Clerk]\nreturns: integer\ndo:\n  - end: {value: \"1 + 2\"}";
    assert_eq!(desk(&[("Flow", flow)]).run("Flow", []).unwrap().value, Some(Value::Integer(3)));
}

#[test]
fn end_stops_what_follows() {
    let (desk, done) = Desk::does("\n  - decide: {if: \"true\", then: [{end: {}}]}\n  - delete: {object: $O}");
    assert_eq!(done.unwrap(), Outcome::default());
    assert!(desk.store.rows.contains_key(&ObjectId(11)));
}

#[test]
fn raising_tells_why_and_changes_nothing() {
    let (desk, done) = Desk::does("\n  - delete: {object: $O}\n  - raise: {message: Not today}");
    assert!(matches!(done, Err(FlowError::Raised(text)) if text == "Not today"));
    assert!(desk.store.rows.contains_key(&ObjectId(11)));
}

#[test]
fn raising_does_not_hide_complaints() {
    let body = "\n  - feedback: {object: $O, member: title, message: Here}\n  - raise: {message: Not today}";
    assert!(matches!(Desk::does(body).1, Err(FlowError::Feedback(all)) if all.len() == 1));
}
