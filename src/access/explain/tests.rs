mod within;

use super::*;
use crate::access::{Authority, Denied, Grants, Ground, Part, Reason};
use crate::domain::{Member, Name, Value};
use crate::model::{Deny, Files, load};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const APP: &str = r#"
app: shop
title: Shop
level: prototype
language: en
languages: [en]
modules: [shop]
userRoles:
  Clerk: {moduleRoles: [shop.Desk]}
  Boss: {moduleRoles: [shop.Desk, shop.Head]}
  Guard: {moduleRoles: [shop.Gate]}
guardrails:
  - {deny: read, of: [shop.Item.cost], userRoles: [Clerk], doc: Clerks never see cost}
  - {deny: open, of: [shop.Items], userRoles: [Guard], doc: Guards open nothing}
administration: {users: [Boss], audit: [Boss]}
"#;
const MODULE: &str = "roles: {Desk: Sells, Head: Decides, Gate: Watches}\n";
const DOMAIN: &str = r#"
entities:
  Shelf:
    attributes:
      name: {type: string, length: 50}
      secret: {type: string, length: 50}
    display: name
    access:
      - {roles: [Desk, Gate], read: [name]}
      - {roles: [Head], read: [secret]}
  Item:
    attributes:
      name: {type: string, length: 50}
      status: {type: string, length: 50}
      cost: {type: integer}
      hidden: {type: integer}
    associations:
      shelf: {to: Shelf, inverse: items, onDelete: clear}
      seller: {to: system.User, inverse: sold, onDelete: clear}
    access:
      - {roles: [Desk], doc: Open ones, read: [name, status, shelf], write: [name], where: "this.status == 'Open' && (this.cost < 100 || role('Boss'))"}
      - {roles: [Desk], doc: Those one sells, read: [status], delete: true, where: "this.seller == user"}
      - {roles: [Head], doc: The head reads all, read: [name, status, cost, hidden, shelf, seller], write: [status], create: true}
      - {roles: [Gate], doc: On a secret shelf, read: [name], where: "this.shelf.secret == 'dark'"}
      - {roles: [Gate], doc: By hidden, read: [status], where: "this.hidden > 5"}
      - {roles: [Desk], doc: Cost for desks, read: [cost]}
"#;
const PAGE: &str = "title: Items\nroles: [Head]\ncontent: []\n";
const FLOW: &str = "roles: [Desk]\ndo:\n  - message: {text: Sold, tone: success}\n";

/// Rows in memory: entity, key → members. Whatever was asked for is counted.
#[derive(Default)]
struct Rows(BTreeMap<(QName, i64), BTreeMap<Name, Value>>);

impl Rows {
    fn put(&mut self, entity: &str, id: i64, members: &[(&str, Value)]) {
        let members = members.iter().map(|(name, value)| (Name::new(name), value.clone())).collect();
        self.0.insert((QName::parse(entity).unwrap(), id), members);
    }
}
impl Data for Rows {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        Ok(self.0.get(&(entity.clone(), object.0)).and_then(|row| row.get(name)).cloned().unwrap_or(Value::Empty))
    }
    fn many(&mut self, _: &QName, _: ObjectId, _: &Name) -> Result<Vec<ObjectId>, EvalError> {
        Ok(Vec::new())
    }
}
impl Facts for Rows {
    fn exists(&mut self, entity: &QName, object: ObjectId) -> Result<bool, EvalError> {
        Ok(self.0.contains_key(&(entity.clone(), object.0)))
    }
}

struct Shop {
    model: Arc<Model>,
    rows: Rows,
}

impl Shop {
    fn new() -> Self {
        Self::with(&[])
    }

    /// With these microflows besides.
    fn with(flows: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("app.yaml", APP),
            ("shop/module.yaml", MODULE),
            ("shop/domain.yaml", DOMAIN),
            ("shop/pages/Items.yaml", PAGE),
            ("shop/microflows/Sell.yaml", FLOW),
        ];
        all.extend(flows);
        let files = Files::of(all);
        let (model, findings) = load(&files);
        let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
        let mut rows = Rows::default();
        let shelf = |id| Value::Object(ObjectId(id));
        rows.put("shop.Shelf", 1, &[("name", Value::text("Left")), ("secret", Value::text("dark"))]);
        rows.put(
            "shop.Item",
            7,
            &[
                ("name", Value::text("Lamp")),
                ("status", Value::text("Sold")),
                ("cost", Value::Integer(4711)),
                ("hidden", Value::Integer(9)),
                ("shelf", shelf(1)),
                ("seller", Value::Object(ObjectId(20))),
            ],
        );
        rows.put(
            "shop.Item",
            8,
            &[("name", Value::text("Cup")), ("status", Value::text("Open")), ("cost", Value::Integer(5)), ("shelf", shelf(1))],
        );
        Self { model, rows }
    }

    fn grants(&self, role: &str) -> Grants {
        Grants::compile(&self.model, &BTreeSet::from([Name::new(role)]), true)
    }

    /// What is told to somebody (nobody: the operator) about what another role wants.
    fn tell(&mut self, subject: &str, asker: Option<&str>, question: &str) -> Explanation {
        let (wants, asks) = (self.grants(subject), asker.map(|role| self.grants(role)));
        let now = chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(9, 0, 0).unwrap();
        let person = |grants| Person { rights: Grants::rights(grants), user: Some(ObjectId(10)) };
        let case = Case { model: &self.model, subject: person(&wants), asker: asks.as_ref().map(person), now };
        explain(&case, &Question::parse(question).unwrap(), &mut self.rows)
    }
}

#[test]
fn a_question_is_kept_as_one_line_and_read_back() {
    for text in [
        "open shop.Items",
        "run shop.Sell",
        "call shop.Sell",
        "create shop.Item.cost in shop.Sell",
        "read shop.Item#7 in shop.Sell",
        "administer audit",
        "read shop.Item",
        "write shop.Item#7.name",
        "create shop.Item",
        "delete shop.Item#7",
    ] {
        assert_eq!(Question::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Question::parse("view shop.Item").unwrap().to_string(), "read shop.Item");
    assert_eq!(Question::parse("read shop.Item.*").unwrap().to_string(), "read shop.Item");
    for wrong in [
        "",
        "open",
        "open Items",
        "open shop.Items in shop.Sell",
        "read shop.Item in Sell",
        "eat shop.Item",
        "read shop",
        "read shop.Item#x",
        "administer all",
        "read shop.a.b.c#1",
    ] {
        assert_eq!(Question::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn every_refusal_that_names_what_was_wanted_gives_its_question() {
    let shop = Shop::new();
    let grants = shop.grants("Clerk");
    let of = |denied: Denied| Question::of(&denied).map(|question| question.to_string());
    let open = grants.open(&QName::new("shop", "Items")).unwrap_err();
    assert_eq!(of(open).unwrap(), "open shop.Items");
    assert_eq!(of(grants.administer(Part::Audit).unwrap_err()).unwrap(), "administer audit");
    let authority: &dyn Authority = &grants;
    assert_eq!(of(authority.create(&QName::new("shop", "Item"), []).unwrap_err()).unwrap(), "create shop.Item");
    let cost = Name::new("cost");
    assert_eq!(of(authority.change(&QName::new("shop", "Item"), [&cost]).unwrap_err()).unwrap(), "write shop.Item.cost");
    assert_eq!(
        of(shop.grants("Guard").open(&QName::new("shop", "Items")).unwrap_err()).unwrap(),
        "open shop.Items",
        "a guardrail too"
    );
    assert_eq!(of(Denied::new(Layer::Identity, Reason::Other(Ground::SignedOut, "not signed in".into()))), None);
    let member = Deny::Read(Member { entity: QName::new("shop", "Item"), name: cost });
    assert_eq!(Question::from(&member).to_string(), "read shop.Item.cost");
}

#[test]
fn a_place_names_the_roles_that_open_it_and_a_guardrail_beats_them() {
    let mut shop = Shop::new();
    let clerk = shop.tell("Clerk", None, "open shop.Items");
    assert_eq!((clerk.granted, clerk.layer), (Holds::No, Layer::PageAccess));
    assert_eq!(clerk.would_change, ["give the user role Boss"]);
    assert!(
        clerk.reasons[0].text.contains("shop.Head")
            && clerk.reasons[0].place.as_deref().unwrap().starts_with("shop/pages/Items.yaml:")
    );
    let boss = shop.tell("Boss", None, "open shop.Items");
    assert_eq!((boss.granted, boss.roles), (Holds::Yes, vec!["Boss".to_owned()]));
    let guard = shop.tell("Guard", None, "open shop.Items");
    assert_eq!((guard.granted, guard.reasons[0].kind), (Holds::No, StepKind::Guardrail));
    assert!(
        guard.reasons[0].text.contains("Guards open nothing") && guard.would_change[0].contains("whatever")
            || guard.would_change[0].contains("guardrail")
    );
    assert_eq!(shop.tell("Clerk", None, "run shop.Sell").granted, Holds::Yes);
    assert_eq!(shop.tell("Guard", None, "run shop.Sell").layer, Layer::ActionAccess);
    assert_eq!(shop.tell("Clerk", None, "administer audit").would_change, ["give the user role Boss"]);
    assert_eq!(shop.tell("Clerk", None, "open shop.Nowhere").granted, Holds::No);
}

#[test]
fn a_condition_is_told_part_by_part_with_what_would_have_to_be_otherwise() {
    let mut shop = Shop::new();
    let told = shop.tell("Clerk", None, "read shop.Item#7.name");
    assert_eq!(told.granted, Holds::No);
    let rule = &told.reasons[0];
    assert_eq!((rule.kind, rule.text.as_str()), (StepKind::Rule, "shop.Item rule 1 – Open ones"));
    assert!(rule.place.as_deref().unwrap().starts_with("shop/domain.yaml:"));
    let all = &rule.parts[0];
    assert_eq!((all.text.as_str(), all.holds, all.parts.len()), ("all of these", Holds::No, 2));
    assert_eq!((all.parts[0].text.as_str(), all.parts[0].holds), ("this.status == 'Open'", Holds::No));
    assert_eq!(all.parts[0].values, [Compared { of: "this.status".into(), value: Some("Sold".into()) }]);
    assert_eq!((all.parts[1].text.as_str(), all.parts[1].holds), ("any of these", Holds::No));
    assert_eq!(all.parts[1].parts[0].values[0].value.as_deref(), Some("4711"));
    assert!(told.would_change[0].contains("`this.status` would have to be `Open`"), "{:?}", told.would_change);
    assert!(
        told.would_change[0].contains("`this.cost < 100` would have to hold, or they would need the user role Boss"),
        "{:?}",
        told.would_change
    );
    assert!(
        told.would_change.iter().any(|line| line == "shop.Item rule 3 would grant it to the user role Boss"),
        "{:?}",
        told.would_change
    );
    let text = told.text();
    assert!(
        text.contains("- this.status == 'Open'") && text.contains("this.status = Sold") && text.contains("5, entity access"),
        "{text}"
    );
}

#[test]
fn a_value_is_named_only_where_the_asker_reads_that_member_in_that_row() {
    let mut shop = Shop::new();
    // A guard reads neither status nor cost of this row by a rule that holds: rule 5 holds (hidden is 9), so status it is.
    let told = shop.tell("Clerk", Some("Guard"), "read shop.Item#7.name");
    let all = &told.reasons[0].parts[0];
    assert_eq!(all.parts[0].values[0].value.as_deref(), Some("Sold"), "rule 5 lets a guard read it here");
    assert_eq!(all.parts[1].parts[0].values[0].value, None, "cost is not theirs");
    assert_eq!(all.parts[1].parts[0].holds, Holds::Withheld);
    assert!(!told.text().contains("4711"));
    // In the other row rule 5 does not hold, so nothing of it is told.
    let told = shop.tell("Clerk", Some("Guard"), "read shop.Item#8.name");
    assert_eq!(told.reasons[0].parts[0].parts[0].holds, Holds::Withheld);
    assert_eq!(told.granted, Holds::Withheld, "whether a clerk sees it depends on values that the guard does not see");
    assert!(!told.text().contains("Open, ") && !told.text().contains("= Open"), "{}", told.text());
    // To the one who sees everything nothing is withheld.
    let told = shop.tell("Clerk", Some("Boss"), "read shop.Item#7.name");
    assert_eq!(told.granted, Holds::No);
    assert!(told.text().contains("this.cost = 4711"));
}

#[test]
fn what_withheld_parts_decide_is_withheld_as_a_whole() {
    let mut shop = Shop::new();
    // The guard's own decision over a path that the guard may not follow to its end.
    let told = shop.tell("Guard", Some("Guard"), "read shop.Item#7.name");
    assert_eq!(told.granted, Holds::Withheld);
    assert_eq!(told.reasons[0].parts[0].values[0].value, None);
    assert!(!told.text().contains("dark\n") && !told.text().contains("= dark"), "{}", told.text());
    assert!(told.would_change[0].contains("withheld from you"), "{:?}", told.would_change);
    assert_eq!(shop.tell("Guard", None, "read shop.Item#7.name").granted, Holds::Yes, "the operator is told");
    // A told part that decides alone decides the whole, withheld neighbours or not.
    let told = shop.tell("Clerk", Some("Guard"), "read shop.Item#7.name");
    assert_eq!(told.granted, Holds::No, "status is told and settles it");
}

#[test]
fn a_path_is_named_only_if_every_step_of_it_is_the_askers() {
    let mut shop = Shop::new();
    let told = shop.tell("Guard", Some("Clerk"), "read shop.Item#7.name");
    assert_eq!(told.reasons[0].parts[0].holds, Holds::Withheld, "a clerk reads neither this shelf nor its secret");
    let told = shop.tell("Guard", Some("Boss"), "read shop.Item#7.name");
    assert_eq!((told.reasons[0].parts[0].holds, told.reasons[0].parts[0].values[0].value.as_deref()), (Holds::Yes, Some("dark")));
}

#[test]
fn objects_are_named_by_what_stands_for_them_and_keys_are_for_the_operator() {
    let mut shop = Shop::new();
    let boss = shop.tell("Clerk", Some("Boss"), "delete shop.Item#7");
    let values = &boss.reasons[0].parts[0].values;
    assert_eq!(values[0].value.as_deref(), Some("one User"), "accounts are nobody's to read here");
    assert_eq!(values[1].value.as_deref(), Some("you"), "the boss is user 10 too");
    assert!(!boss.text().contains("#20"));
    let operator = shop.tell("Clerk", None, "delete shop.Item#7");
    assert!(operator.text().contains("system.User#20"), "{}", operator.text());
}

#[test]
fn a_guardrail_denies_a_member_whatever_is_granted() {
    let mut shop = Shop::new();
    let told = shop.tell("Clerk", None, "read shop.Item#7.cost");
    assert_eq!((told.granted, told.reasons[0].kind), (Holds::No, StepKind::Guardrail));
    assert!(told.would_change[0].contains("guardrail denies it to whoever holds Clerk"), "{:?}", told.would_change);
    assert_eq!(shop.tell("Boss", None, "read shop.Item#7.cost").granted, Holds::Yes);
}

#[test]
fn what_nobody_gives_and_what_is_not_there_is_said() {
    let mut shop = Shop::new();
    let told = shop.tell("Boss", None, "write shop.Item#7.hidden");
    assert_eq!(told.granted, Holds::No);
    assert!(told.reasons[0].text.contains("no rule of the model"));
    assert!(shop.tell("Boss", None, "read shop.Item#99.name").reasons[0].text.contains("no such object"));
    assert!(shop.tell("Boss", None, "read shop.Item#7.wings").reasons[0].text.contains("no member wings"));
    assert!(shop.tell("Boss", None, "read shop.Wing#7").reasons[0].text.contains("no entity"));
    let (hidden, nowhere) = (
        shop.tell("Guard", Some("Guard"), "read shop.Item#8.status"),
        shop.tell("Guard", Some("Guard"), "read shop.Item#99.status"),
    );
    assert_eq!(hidden.text().replace("#8", "#99"), nowhere.text(), "whether a hidden object exists is not told");
}

#[test]
fn without_an_object_a_rule_with_a_condition_decides_nothing() {
    let mut shop = Shop::new();
    let told = shop.tell("Clerk", Some("Clerk"), "read shop.Item.name");
    assert_eq!((told.granted, told.reasons[0].holds), (Holds::Undecided, Holds::Undecided));
    assert_eq!(shop.tell("Boss", None, "create shop.Item").granted, Holds::Yes);
    assert_eq!(
        shop.tell("Clerk", None, "create shop.Item").would_change,
        ["shop.Item rule 3 would grant it to the user role Boss"]
    );
}

#[test]
fn what_a_reader_can_steer_is_never_counted() {
    use crate::expr::{Node, Root, Typed};
    let shop = Shop::new();
    let condition = |rule: usize| {
        let entity = shop.model.entity(&QName::new("shop", "Item")).unwrap();
        entity.rules.iter().find(|found| found.number == rule).unwrap().condition.clone().unwrap()
    };
    let (clerk, boss) = (shop.grants("Clerk"), shop.grants("Boss"));
    for number in [1, 2, 5] {
        assert!(!depends_on_choice(&shop.model, clerk.rights(), &condition(number)), "rule {number} looks at the row itself");
    }
    assert!(!depends_on_choice(&shop.model, boss.rights(), &condition(4)), "nobody writes the secret of a shelf");
    let variable = Typed { node: Node::Root(Root::Variable("Limit".into())), ..Typed::boolean(true) };
    let typed = Typed { node: Node::Or(Box::new(variable), Box::new(Typed::boolean(true))), ..Typed::boolean(true) };
    assert!(depends_on_choice(&shop.model, clerk.rights(), &typed), "a value of the page is the reader's choice");
    // `$x.shelf.name`-like: a member elsewhere that the reader may write.
    let user = Typed { node: Node::Root(Root::User), ..Typed::boolean(true) };
    let through = |name: &str| Typed {
        node: Node::Member {
            of: Box::new(user.clone()),
            entity: QName::new("shop", "Item"),
            name: name.into(),
            calculated: None,
        },
        ..Typed::boolean(true)
    };
    assert!(
        depends_on_choice(&shop.model, clerk.rights(), &through("name"))
            && !depends_on_choice(&shop.model, clerk.rights(), &through("hidden"))
    );
}
