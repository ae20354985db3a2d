//! What microflows want.

use super::*;

const CLOSE: &str = "roles: [Desk]
parameters: {Item: Item}
applyEntityAccess: false
elevation:
  - {entity: Item, doc: Hides what is dear, read: [hidden], write: [hidden], where: \"this.cost > 1000 && this.status == 'Open'\"}
  - {entity: Item, doc: Clears, delete: true, where: \"this.shelf.secret == 'dark'\"}
  - {entity: Shelf, create: true, read: [name], write: [name]}
do: []
";
const PLAIN: &str = "roles: [Desk]\nparameters: {Item: Item}\ndo: []\n";

fn shop() -> Shop {
    Shop::with(&[("shop/microflows/Close.yaml", CLOSE), ("shop/microflows/Plain.yaml", PLAIN)])
}

/// A tree as lines, indented by depth.
fn lines(told: &Explanation) -> Vec<String> {
    told.text().lines().map(str::to_owned).collect()
}

#[test]
fn each_grant_of_an_elevation_is_told_by_entity_operation_member_and_row() {
    let mut shop = shop();
    let told = shop.tell("Clerk", None, "write shop.Item#7.hidden in shop.Close");
    assert_eq!((told.granted, told.layer), (Holds::No, Layer::EntityAccess));
    let [flow, own, extra] = told.reasons.as_slice() else { panic!("{}", told.text()) };
    assert!(flow.text.contains("microflow shop.Close runs") && flow.text.contains("`elevation:`"), "{}", flow.text);
    assert_eq!(flow.place.as_deref(), Some("shop/microflows/Close.yaml:1"));
    assert!(own.text.contains("the caller's own rights") && own.holds == Holds::No);
    assert_eq!((extra.holds, extra.parts.len()), (Holds::No, 2), "the grant for shelves is not one of them: {}", told.text());
    let (dear, clears) = (&extra.parts[0], &extra.parts[1]);
    assert_eq!(dear.text, "shop.Close elevation 1 – Hides what is dear");
    assert_eq!(dear.place.as_deref(), Some("shop/microflows/Close.yaml:5"));
    let held: Vec<(Holds, &str)> = dear.parts.iter().map(|part| (part.holds, part.text.as_str())).collect();
    assert_eq!(held[0], (Holds::Yes, "it is for shop.Item"));
    assert_eq!(held[1], (Holds::Yes, "it grants read, write"));
    assert_eq!(held[2], (Holds::Yes, "hidden is among what it lets be written: hidden"));
    assert_eq!(held[3], (Holds::No, "all of these"), "the item is dear, and sold");
    assert_eq!(dear.parts[3].parts[0].holds, Holds::Yes);
    assert_eq!(dear.parts[3].parts[1].values[0].value.as_deref(), Some("Sold"));
    let held: Vec<Holds> = clears.parts.iter().map(|part| part.holds).collect();
    assert_eq!(held, [Holds::Yes, Holds::No, Holds::No], "it neither writes, nor has the member; its row is not looked at");
    assert!(
        told.would_change.iter().any(|line| line == "shop.Close elevation 1: `this.status` would have to be `Open`"),
        "{:?}",
        told.would_change
    );
    assert!(
        told.would_change.iter().any(|line| line == "in shop.Close elevation 2: `write: [hidden]`"),
        "{:?}",
        told.would_change
    );
}

#[test]
fn what_no_grant_is_for_is_told_with_the_grant_that_is_lacking() {
    let mut shop = shop();
    let told = shop.tell("Clerk", None, "create shop.Item.cost in shop.Close");
    assert_eq!(told.granted, Holds::No);
    assert!(told.would_change.iter().any(|line| line.contains("`create: true` with `write: [cost]`")), "{:?}", told.would_change);
    let told = shop.tell("Clerk", None, "delete shop.Shelf#1 in shop.Close");
    assert_eq!(told.granted, Holds::No);
    assert!(told.would_change.contains(&"in shop.Close elevation 3: `delete: true`".to_owned()), "{:?}", told.would_change);
    let told = shop.tell("Clerk", None, "delete shop.Item#7 in shop.Sell");
    assert_eq!(told.granted, Holds::No, "Sell has no elevation");
    let last = told.would_change.last().unwrap();
    assert!(last.contains("`applyEntityAccess: false` at shop.Sell") && last.contains("`elevation:`"), "{last}");
    assert!(shop.tell("Clerk", None, "read shop.Item#7 in shop.Gone").reasons[0].text.contains("no microflow shop.Gone"));
    assert!(shop.tell("Clerk", None, "read shop.Item#7.wings in shop.Close").text().contains("no member wings"));
    assert!(shop.tell("Clerk", None, "read shop.Item#99.name in shop.Close").text().contains("no such object"));
}

#[test]
fn a_flow_is_told_what_its_caller_has_and_what_it_adds() {
    let mut shop = shop();
    let told = shop.tell("Clerk", None, "create shop.Shelf.name in shop.Close");
    assert_eq!((told.granted, told.would_change.len()), (Holds::Yes, 1));
    assert!(told.would_change[0].contains("it rests on shop.Close elevation 3"), "{:?}", told.would_change);
    let told = shop.tell("Clerk", None, "read shop.Item#8.name in shop.Close");
    assert_eq!(told.granted, Holds::Yes);
    assert_eq!(told.would_change, ["it rests on the user role Clerk"]);
    // Without an elevation nothing but the caller's rights counts.
    for text in ["read shop.Item#7.name", "read shop.Item#8.name", "delete shop.Item#7", "write shop.Item#8.hidden"] {
        let (own, within) = (shop.tell("Clerk", None, text), shop.tell("Clerk", None, &format!("{text} in shop.Plain")));
        assert_eq!(own.granted, within.granted, "{text}");
        assert!(within.reasons[0].text.contains("`applyEntityAccess` is on"));
        assert_eq!(within.reasons[1..], own.reasons[..], "{text}");
    }
    // A job has no role and no rule of its own.
    let told = shop.tell("Nobody", None, "read shop.Item#8.hidden in shop.Close");
    assert_eq!((told.granted, told.roles.len()), (Holds::No, 0));
}

#[test]
fn a_guardrail_beats_an_elevation_and_says_so() {
    let flow = CLOSE
        .replace("read: [hidden], write: [hidden]", "read: [cost], write: [hidden]")
        .replace("where: \"this.cost > 1000 && this.status == 'Open'\"", "delete: true");
    let mut shop = Shop::with(&[("shop/microflows/Close.yaml", &flow)]);
    let told = shop.tell("Clerk", None, "read shop.Item#7.cost in shop.Close");
    assert_eq!((told.granted, told.reasons[0].kind), (Holds::No, StepKind::Guardrail));
    assert!(told.would_change[0].contains("guardrail"), "{:?}", told.would_change);
    assert!(told.text().contains("a guardrail takes it away"), "{}", told.text());
    assert_eq!(shop.tell("Boss", None, "read shop.Item#7.cost in shop.Close").granted, Holds::Yes);
}

#[test]
fn a_called_flow_needs_no_role_and_a_run_one_tells_what_it_has_besides() {
    let mut shop = shop();
    let called = shop.tell("Guard", None, "call shop.Close");
    assert_eq!((called.granted, called.layer), (Holds::Yes, Layer::ActionAccess));
    let run = shop.tell("Guard", None, "run shop.Close");
    assert_eq!(run.granted, Holds::No);
    for told in [called, run] {
        let text = told.text();
        for words in [
            "microflow shop.Close is elevated",
            "shop.Close elevation 2 – Clears",
            "shop.Item: it grants delete",
            "where `this.shelf.secret == 'dark'`",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    assert!(!shop.tell("Guard", None, "run shop.Plain").text().contains("elevated"));
}

#[test]
fn the_condition_of_a_grant_is_told_as_far_as_the_asker_reads_what_it_compares() {
    let mut shop = shop();
    // A guard reads the status of item 7 (rule 5 holds) and never its cost.
    let told = shop.tell("Clerk", Some("Guard"), "write shop.Item#7.hidden in shop.Close");
    let rows = &told.reasons[2].parts[0].parts[3];
    assert_eq!(rows.parts[0].holds, Holds::Withheld);
    assert_eq!(rows.parts[1].values[0].value.as_deref(), Some("Sold"));
    assert!(!told.text().contains("4711"), "{}", told.text());
    assert_eq!(told.granted, Holds::No, "the status alone settles it");
    // Of the other row nothing is told, neither what holds nor what it came to.
    let told = shop.tell("Clerk", Some("Guard"), "write shop.Item#8.hidden in shop.Close");
    assert_eq!((told.granted, told.reasons[2].parts[0].holds), (Holds::Withheld, Holds::Withheld));
    // Along a path that is not theirs.
    let told = shop.tell("Clerk", Some("Clerk"), "delete shop.Item#8 in shop.Close");
    assert_eq!(told.reasons[2].parts[1].holds, Holds::Withheld);
    assert!(!told.text().contains("= dark"), "{}", told.text());
}

#[test]
fn the_object_that_a_flow_came_upon_is_named_to_nobody_who_does_not_see_it() {
    let mut shop = shop();
    shop.rows.put("shop.Shelf", 1, &[("name", Value::text("Left")), ("secret", Value::text("light"))]);
    let guard = shop.tell("Clerk", Some("Guard"), "read shop.Item#8.cost in shop.Close");
    assert_eq!(guard.question, "read shop.Item.cost in shop.Close");
    assert!(!guard.text().contains("#8"), "{}", guard.text());
    let nowhere = shop.tell("Clerk", Some("Guard"), "read shop.Item#99.cost in shop.Close");
    assert_eq!(lines(&guard), lines(&nowhere), "and so there is no telling one object from another, or from none");
    let boss = shop.tell("Clerk", Some("Boss"), "read shop.Item#8.cost in shop.Close");
    assert_eq!(boss.question, "read shop.Item#8.cost in shop.Close");
}

#[test]
fn changing_what_is_withheld_changes_no_byte_of_what_an_asker_is_told_of_a_flow() {
    let questions = ["write shop.Item#8.hidden", "delete shop.Item#8", "read shop.Item#8.hidden", "create shop.Item.cost"];
    let all = |cost: Value, hidden: Value, secret: &str| {
        let mut shop = shop();
        let name = |text: &str| Value::text(text);
        let row = [
            ("name", name("Cup")),
            ("status", name("Open")),
            ("cost", cost),
            ("hidden", hidden),
            ("shelf", Value::Object(ObjectId(1))),
        ];
        shop.rows.put("shop.Item", 8, &row);
        shop.rows.put("shop.Shelf", 1, &[("name", name("Left")), ("secret", name(secret))]);
        questions.map(|text| shop.tell("Clerk", Some("Guard"), &format!("{text} in shop.Close")).text())
    };
    // A guard reads of item 8: nothing, as long as `hidden` is not above five.
    let one = all(Value::Integer(5), Value::Empty, "light");
    for other in [
        all(Value::Integer(4711), Value::Empty, "light"),
        all(Value::Empty, Value::Integer(1), "light"),
        all(Value::Integer(5), Value::Integer(5), "lighter"),
    ] {
        assert_eq!(one, other, "a value, an empty one and none at all look the same");
    }
}
