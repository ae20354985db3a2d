//! Asking the grants of each role for everything there is.

use super::{Line, LineKind, Matrix, RuleLine, SCHEMA, State, Verdict, member_name};
use crate::access::administration::Part;
use crate::access::elevation::Elevation;
use crate::access::grants::{Grants, guardrail};
use crate::access::permit::{Act, Permit};
use crate::access::rights::{Authority, Rule, RuleOrigin};
use crate::access::{Denied, Reason};
use crate::domain::{Member, Name, QName};
use crate::model::{Deny, Entity, Microflow, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Matrix {
    /// The matrix of all user roles of a model.
    pub fn of(model: &Arc<Model>) -> Self {
        let asked = Asked::of(model);
        let mut rows = Vec::new();
        for page in model.pages.keys() {
            rows.push(asked.line(LineKind::Page, page, "open", |grants| place(grants.open(page))));
        }
        for (name, flow) in &model.microflows {
            let mut line = asked.line(LineKind::Microflow, name, "run", |grants| place(grants.run(name)));
            line.note = elevated(model, flow);
            rows.push(line);
        }
        for name in model.snapshots.keys() {
            rows.push(asked.line(LineKind::Snapshot, name, "read", |grants| match grants.snapshot(name) {
                Ok(permit) => of_rules(&permit),
                Err(denied) => refused(&denied),
            }));
        }
        for entity in model.entities.values() {
            asked.entity(entity, &mut rows);
        }
        for part in Part::ALL {
            rows.push(asked.line(LineKind::Administration, part.id(), "use", |grants| place(grants.administer(part))));
        }
        for role in model.user_roles.keys() {
            let may = |grants: &Grants| if grants.assignable().contains(role) { yes() } else { no(String::new()) };
            rows.push(asked.line(LineKind::Role, role, "assign", may));
        }
        let roles = model.user_roles.keys().map(ToString::to_string).collect();
        Self { schema: SCHEMA, app: model.name.to_string(), roles, rows, rules: asked.rules() }.with_its_rules()
    }
}

/// The grants of each user role alone, in the order of the model.
struct Asked<'m> {
    model: &'m Model,
    grants: Vec<Grants>,
}

impl<'m> Asked<'m> {
    fn of(model: &'m Arc<Model>) -> Self {
        let one = |(name, anonymous): (&Name, bool)| Grants::compile(model, &BTreeSet::from([name.clone()]), !anonymous);
        Self { model, grants: model.user_roles.iter().map(|(name, role)| one((name, role.anonymous))).collect() }
    }

    fn line(&self, kind: LineKind, object: impl ToString, operation: &'static str, ask: impl Fn(&Grants) -> Verdict) -> Line {
        let cells = self.grants.iter().map(ask).collect();
        Line { kind, object: object.to_string(), operation, note: String::new(), cells }
    }

    fn entity(&self, entity: &Entity, rows: &mut Vec<Line>) {
        let name = &entity.name;
        let none: [&Name; 0] = [];
        rows.push(self.line(LineKind::Entity, name, "create", |grants| {
            self.of_entity(grants, &Deny::Create(name.clone()), (grants as &dyn Authority).create(name, none))
        }));
        rows.push(self.line(LineKind::Entity, name, "delete", |grants| {
            self.of_entity(grants, &Deny::Delete(name.clone()), (grants as &dyn Authority).delete(name))
        }));
        for member in entity.members() {
            self.member(name, member, rows);
        }
    }

    fn member(&self, entity: &QName, member: &Name, rows: &mut Vec<Line>) {
        let object = member_name(entity, member);
        let of = Member { entity: entity.clone(), name: member.clone() };
        rows.push(self.line(LineKind::Member, &object, "read", |grants| {
            let permit = grants.view(entity).ok().filter(|permit| permit.may_read(member));
            let rules = permit.iter().flat_map(|p| p.entity_rights()).flat_map(|e| e.readable.get(member).map(|r| e.at(r)));
            self.of_member(grants, &Deny::Read(of.clone()), rules.flatten().collect())
        }));
        rows.push(self.line(LineKind::Member, &object, "write", |grants| {
            let permit = (grants as &dyn Authority).change(entity, [member]).ok();
            let rules = permit.iter().flat_map(|p| p.entity_rights()).flat_map(|e| e.writable.get(member).map(|r| e.at(r)));
            self.of_member(grants, &Deny::Write(of.clone()), rules.flatten().collect())
        }));
    }

    fn of_entity<A: Act>(&self, grants: &Grants, deny: &Deny, answer: Result<Permit<A>, Denied>) -> Verdict {
        match answer {
            Ok(permit) => of_rules(&permit),
            Err(_) => self.denied(grants, deny),
        }
    }

    fn of_member(&self, grants: &Grants, deny: &Deny, rules: Vec<Arc<Rule>>) -> Verdict {
        if rules.is_empty() { self.denied(grants, deny) } else { granted(&rules) }
    }

    fn denied(&self, grants: &Grants, deny: &Deny) -> Verdict {
        no(guardrail(self.model, grants.roles(), deny).map(|rail| guarded(&rail.doc)).unwrap_or_default())
    }

    /// Every rule with a condition, of all entities.
    fn rules(&self) -> Vec<RuleLine> {
        let mut found = Vec::new();
        for (name, entity) in &self.model.entities {
            let rights = self.grants.iter().filter_map(|grants| grants.rights().entities.get(name));
            let rules: BTreeMap<usize, &Arc<Rule>> = rights.flat_map(|e| &e.rules).map(|rule| (number(rule), rule)).collect();
            for (number, rule) in rules {
                let Some(condition) = &rule.condition_text else { continue };
                let doc = entity.rules.iter().find(|written| written.number == number).map(|written| written.doc.clone());
                let (entity, condition) = (name.to_string(), one_line(condition));
                let doc = one_line(&doc.unwrap_or_default());
                found.push(RuleLine { entity, number, condition, doc });
            }
        }
        found
    }
}

/// A text of the model on one line, however it was written there.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn number(rule: &Rule) -> usize {
    match &rule.origin {
        RuleOrigin::Entity(_, number) | RuleOrigin::Elevation(_, number) => *number,
    }
}

fn yes() -> Verdict {
    Verdict { state: State::Yes, rules: Vec::new(), note: String::new() }
}

fn no(note: String) -> Verdict {
    Verdict { state: State::No, rules: Vec::new(), note }
}

fn guarded(doc: &str) -> String {
    format!("guardrail: {}", one_line(doc))
}

fn place<A: Act>(answer: Result<Permit<A>, Denied>) -> Verdict {
    answer.map_or_else(|denied| refused(&denied), |_| yes())
}

fn refused(denied: &Denied) -> Verdict {
    no(match &denied.reason {
        Reason::Guardrail { doc, .. } => guarded(doc),
        _ => String::new(),
    })
}

/// What the rules behind a permit come to.
fn of_rules<A: Act>(permit: &Permit<A>) -> Verdict {
    let rights = permit.entity_rights();
    granted(&rights.map(|rights| rights.at(permit.rules()).collect::<Vec<_>>()).unwrap_or_default())
}

/// Without a condition in any one of them, it is granted in any case.
fn granted(rules: &[Arc<Rule>]) -> Verdict {
    if rules.iter().any(|rule| rule.condition.is_none()) {
        return yes();
    }
    let told =
        |rule: &Arc<Rule>| format!("rule {}: {}", number(rule), rule.condition_text.as_deref().map(one_line).unwrap_or_default());
    let note = rules.iter().map(told).collect::<Vec<_>>().join("; or ");
    Verdict { state: State::Conditional, rules: rules.iter().map(|rule| number(rule)).collect(), note }
}

/// The extra rights of an elevated microflow, as compiled for a caller who has none.
fn elevated(model: &Arc<Model>, flow: &Microflow) -> String {
    let elevation = Elevation::of(flow, &Grants::none(model));
    let mut told = Vec::new();
    for entity in flow.elevation.keys() {
        let Some(rights) = elevation.rights().entities.get(entity) else { continue };
        told.extend(rights.rules.iter().map(|rule| format!("{entity} {}", gives(rule))));
    }
    if told.is_empty() { String::new() } else { format!("elevated: {}", told.join("; ")) }
}

fn gives(rule: &Rule) -> String {
    let names = |verb: &str, names: &BTreeSet<Name>| {
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        (!names.is_empty()).then(|| format!("{verb} ({})", names.join(" ")))
    };
    let parts = [
        rule.create.then(|| "create".to_owned()),
        rule.delete.then(|| "delete".to_owned()),
        names("read", &rule.read),
        names("write", &rule.write),
        rule.condition_text.as_ref().map(|condition| format!("where {}", one_line(condition))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
