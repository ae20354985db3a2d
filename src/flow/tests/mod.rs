//! Flows at work, on a small desk with orders, and with what they may not do.

mod activities;
mod authority;
mod fake;
mod handlers;
mod limits;
mod texts;

use super::{Account, Budget, Effects, FlowContext, FlowError, Outcome, run, run_job};
use crate::access::{Authority, Grants};
use crate::clock::Clock;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::{Files, Model, Severity, load};
use chrono::{NaiveDate, NaiveDateTime};
use fake::Fake;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const APP: &str = "
app: desk
title: Desk
level: prototype
language: en
languages: [en]
modules: [d]
userRoles:
  Visitor: {anonymous: true, moduleRoles: [d.Visitor]}
  Clerk: {moduleRoles: [d.Clerk], doc: Works at the desk}
  Boss: {moduleRoles: [d.Clerk, d.Boss], doc: Leads the desk}
  Barred: {moduleRoles: [d.Clerk], doc: May not be helped}
guardrails:
  - {deny: run, of: [d.Inner], userRoles: [Barred], doc: Not for the barred}
registration: {userRole: Clerk, expires: 24h}
";
const MODULE: &str = "
roles: {Visitor: Anyone, Clerk: Works here, Boss: Leads}
snapshots:
  Offers: {entity: Offer, roles: [Visitor]}
";
const DOMAIN: &str = "
enumerations:
  State: {Open: {caption: Still open}, Done: {caption: All done}}
entities:
  Person:
    attributes:
      name: {type: string, length: 80, required: true}
      email: {type: string}
      salary: {type: decimal, precision: 12, scale: 2}
    associations:
      account: {to: system.User, kind: one-to-one, inverse: person, onDelete: clear}
    access:
      - {roles: [Clerk], read: [name, email, account]}
      - {roles: [Boss], read: [salary], write: [salary]}
  Order:
    attributes:
      title: {type: string, length: 40, required: true}
      amount: {type: decimal, precision: 12, scale: 2}
      state: {type: enumeration, of: State, default: \"'Open'\"}
      urgent: {type: boolean}
      due: {type: date}
      secret: {type: string}
      twice: {type: decimal, precision: 13, scale: 2, calculated: \"this.amount + this.amount\"}
    associations:
      buyer: {to: Person, inverse: orders, onDelete: refuse}
    access:
      - roles: [Clerk]
        create: true
        delete: true
        read: [title, amount, state, urgent, due, buyer]
        write: [title, amount, state, urgent, due, buyer]
        where: \"this.state == 'Open'\"
  Task:
    attributes:
      title: {type: string, required: true}
      trail: {type: string, length: 400}
    events:
      - {on: before create, run: BeforeCreate}
      - {on: before commit, run: BeforeCommit}
      - {on: after commit, run: AfterCommit}
      - {on: before delete, run: BeforeDelete}
      - {on: after delete, run: AfterDelete}
    access:
      - {roles: [Clerk], create: true, delete: true, read: [title, trail], write: [title, trail]}
  Form:
    persistable: false
    attributes:
      email: {type: string}
      name: {type: string}
      count: {type: integer}
    access:
      - {roles: [Visitor, Clerk], create: true, read: [email, name, count], write: [email, name, count]}
  Offer:
    persistable: false
    attributes:
      title: {type: string}
      amount: {type: decimal}
    access:
      - {roles: [Visitor], read: [title, amount]}
      - {roles: [Clerk], create: true, read: [title], write: [title]}
      - {roles: [Boss], create: true, read: [title, amount], write: [title, amount]}
";
const HANDLERS: [(&str, &str); 6] = [
    (
        "Inner",
        "
parameters: {Word: string, Times: integer}
returns: string
do:
  - end: {value: \"$Word + ' x' + text($Times)\"}",
    ),
    (
        "BeforeCreate",
        "
parameters: {Task: Task}
do:
  - change: {object: $Task, set: {trail: \"$Task.trail + 'created '\"}}",
    ),
    (
        "BeforeCommit",
        "
parameters: {Task: Task}
do:
  - decide: {if: \"$Task.title == 'Bad'\", then: [{feedback: {object: $Task, member: title, message: Not a good title}}]}
  - decide: {if: \"$Task.title == 'Worse'\", then: [{raise: {message: No such task}}]}
  - change: {object: $Task, set: {trail: \"$Task.trail + 'checked '\"}}",
    ),
    (
        "AfterCommit",
        "
parameters: {Task: Task}
do:
  - message: {text: \"Kept {$Task.title}: {$Task.trail}\"}
  - showPage: {page: Home, with: {}}",
    ),
    (
        "BeforeDelete",
        "
parameters: {Task: Task}
do:
  - decide: {if: \"$Task.title == 'Keep'\", then: [{raise: {message: This one stays}}]}",
    ),
    (
        "AfterDelete",
        "
parameters: {Task: Task}
do:
  - message: {text: \"Gone is {$Task.title}\"}",
    ),
];
const HOME: &str = "
title: Home
roles: [Clerk]
content:
  - heading: {text: Home}
";

/// The app at work for one caller.
pub(super) struct Desk {
    model: Arc<Model>,
    store: Fake,
    roles: BTreeSet<Name>,
    account: Option<Account>,
    clock: Clock,
    effects: Effects,
}

fn now() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(14, 5, 0).unwrap()
}

fn q(name: &str) -> QName {
    QName::new("d", name)
}

fn values<'a>(all: impl IntoIterator<Item = (&'a str, Value)>) -> BTreeMap<Name, Value> {
    all.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
}

fn money(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

/// A desk with these flows, as a clerk.
fn desk(flows: &[(&str, &str)]) -> Desk {
    let mut files = vec![("app.yaml".into(), APP), ("d/module.yaml".into(), MODULE), ("d/domain.yaml".into(), DOMAIN)];
    files.push(("d/pages/Home.yaml".to_owned(), HOME));
    files.extend(HANDLERS.iter().chain(flows).map(|(name, text)| (format!("d/microflows/{name}.yaml"), *text)));
    let (model, findings) = load(&Files::of(files.iter().map(|(path, text)| (path.as_str(), *text))));
    let told: Vec<String> = findings.0.iter().filter(|f| f.severity == Severity::Error).map(|f| f.human()).collect();
    let model = Arc::new(model.unwrap_or_else(|| panic!("{}", told.join("\n"))));
    let account = Account { id: ObjectId(7), name: "Emma Stone".into(), email: "emma@desk.example".into() };
    let mut store = Fake::new(model.clone(), now(), account.id);
    store.put(
        1,
        "Person",
        [("name", Value::text("Emma")), ("account", Value::Object(ObjectId(7))), ("salary", money("5000.00"))],
    );
    store.put(
        2,
        "Person",
        [("name", Value::text("Paul")), ("email", Value::text("paul@desk.example")), ("salary", money("9000.00"))],
    );
    for (id, title, amount) in [(11, "Lamp", "20.00"), (12, "Desk", "100.50"), (13, "Chair", "60.00")] {
        let fixed = [("title", Value::text(title)), ("amount", money(amount)), ("state", Value::text("Open"))];
        let more = [("secret", Value::text("hush")), ("urgent", Value::Boolean(false)), ("buyer", Value::Object(ObjectId(2)))];
        store.put(id, "Order", fixed.into_iter().chain(more));
    }
    Desk {
        model,
        store,
        roles: [Name::new("Clerk")].into(),
        account: Some(account),
        clock: Clock::fixed(now()),
        effects: Effects::default(),
    }
}

impl Desk {
    fn role(mut self, role: &str) -> Self {
        self.roles = [Name::new(role)].into();
        if role == "Visitor" {
            self.account = None;
        }
        self
    }

    fn grants(&self) -> Grants {
        Grants::compile(&self.model, &self.roles, self.account.is_some())
    }

    /// Does something in one transaction: on an error nothing of it is kept.
    fn deed<T>(&mut self, act: impl FnOnce(&mut FlowContext<'_>, &Grants) -> Result<T, FlowError>) -> Result<T, FlowError> {
        let (before, grants) = (self.store.clone(), self.grants());
        let mut context = FlowContext {
            grants: &grants,
            objects: &mut self.store,
            account: self.account.as_ref(),
            language: "en",
            now: now(),
            effects: &mut self.effects,
            budget: Budget::start(&self.clock),
        };
        let result = act(&mut context, &grants);
        if result.is_err() {
            let asked = self.store.asked;
            self.store = before;
            self.store.asked = asked;
            self.effects.rolled_back();
        }
        result
    }

    /// Runs a flow as if by a page's button.
    fn run<'a>(&mut self, flow: &str, arguments: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Outcome, FlowError> {
        let arguments = values(arguments);
        self.deed(|context, grants| run(&grants.run(&q(flow))?, arguments, context))
    }

    /// Runs the one flow of a desk made of these activities.
    fn does(body: &str) -> (Desk, Result<Outcome, FlowError>) {
        Self::does_as("Clerk", body, [])
    }

    fn does_as<'a>(
        role: &str,
        body: &str,
        arguments: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> (Desk, Result<Outcome, FlowError>) {
        let head = if role == "Visitor" {
            "roles: [Visitor]\nparameters: {F: Form}"
        } else {
            "roles: [Clerk]\nparameters: {O: Order, F: Form}"
        };
        let text = format!("{head}\ndo:\n{body}");
        let mut desk = desk(&[("Flow", &text)]).role(role);
        let mut given = values(arguments);
        desk.store.put(-1, "Form", [("email", Value::text("new@desk.example")), ("name", Value::text("New One"))]);
        given.entry(Name::new("F")).or_insert(Value::Object(ObjectId(-1)));
        if role != "Visitor" {
            given.entry(Name::new("O")).or_insert(Value::Object(ObjectId(11)));
        }
        let result = desk.deed(|context, grants| run(&grants.run(&q("Flow"))?, given, context));
        (desk, result)
    }
}

fn messages(outcome: &Outcome) -> Vec<&str> {
    outcome.messages.iter().map(|(_, text)| text.as_str()).collect()
}

fn denied(result: &Result<Outcome, FlowError>) -> String {
    match result {
        Err(FlowError::Denied(denied)) => denied.summary(),
        other => panic!("this should have been refused: {other:?}"),
    }
}

/// Anyone's authority as a trait object.
fn authority(grants: &Grants) -> &dyn Authority {
    grants
}
