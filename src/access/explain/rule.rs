//! Access rules as steps.

use super::condition::{one_line, step};
use super::sight::Sight;
use super::wish::wish;
use super::{Case, Facts, Holds, Inspection, MOST_INSPECTED, Step, StepKind};
use crate::access::rights::{Rule, RuleOrigin};
use crate::domain::{Name, ObjectId, QName};
use crate::expr::{Environment, trace};
use crate::model::{AccessRule, Place};
use std::collections::{BTreeMap, BTreeSet};

/// What a rule of the subject says about one object (none yet: `None`), and what would make it hold.
pub(super) fn tried(
    case: &Case<'_>,
    entity: &QName,
    rule: &Rule,
    object: Option<ObjectId>,
    sight: &mut Sight<'_>,
    facts: &mut dyn Facts,
) -> (Step, Option<String>) {
    let (name, written) = named(case, entity, rule);
    let mut told = Step::new(StepKind::Rule, Holds::Yes, name);
    told.place = written.map(|written| place(&written.place));
    let (part, wanted) = conditioned(case, rule, object, sight, facts);
    told.holds = part.holds;
    told.parts.extend([part, gift(rule)]);
    (told, wanted)
}

/// What the condition of a rule says about one object (none yet: `None`), and what would make it hold.
pub(super) fn conditioned(
    case: &Case<'_>,
    rule: &Rule,
    object: Option<ObjectId>,
    sight: &mut Sight<'_>,
    facts: &mut dyn Facts,
) -> (Step, Option<String>) {
    let Some(condition) = &rule.condition else {
        return (Step::new(StepKind::Note, Holds::Yes, "for every object: it has no condition"), None);
    };
    let text = rule.condition_text.as_deref().unwrap_or_default();
    let Some(object) = object else {
        let part = Step::new(StepKind::Part, Holds::Undecided, one_line(text));
        return (part, Some(format!("`{}` would have to hold for the object", one_line(text))));
    };
    let none = BTreeMap::new();
    let environment = Environment {
        this: Some(object),
        user: case.subject.user,
        roles: &case.subject.rights.roles,
        now: case.now,
        variables: &none,
    };
    let traced = trace(condition, &environment, &mut *facts);
    let part = step(&traced, text, sight, facts);
    let wanted = wish(&traced, &part, text);
    (part, wanted)
}

/// What a rule gives where it holds, guardrails taken off.
fn gift(rule: &Rule) -> Step {
    let names = |verb: &str, names: &BTreeSet<Name>| {
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
    };
    let parts = [
        names("read", &rule.read),
        names("write", &rule.write),
        rule.create.then(|| "create".to_owned()),
        rule.delete.then(|| "delete".to_owned()),
    ];
    let gives = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    Step::new(StepKind::Note, Holds::Yes, format!("gives: {gives}"))
}

/// The name of a rule with its documentation line, and the rule as written.
fn named<'m>(case: &'m Case<'_>, entity: &QName, rule: &Rule) -> (String, Option<&'m AccessRule>) {
    let number = match &rule.origin {
        RuleOrigin::Entity(_, number) => number,
        // The grants of a microflow are told by `within`.
        RuleOrigin::Elevation(flow, number) => return (granted(flow, *number, ""), None),
    };
    let written = case.model.entity(entity).and_then(|found| found.rules.iter().find(|written| written.number == *number));
    (title(entity, *number, written.map(|written| written.doc.as_str()).unwrap_or_default()), written.map(|rule| &**rule))
}

/// `hr.Onboard elevation 2 – Makes the account`
pub(super) fn granted(flow: &QName, number: usize, doc: &str) -> String {
    let doc = one_line(doc);
    if doc.is_empty() { format!("{flow} elevation {number}") } else { format!("{flow} elevation {number} – {doc}") }
}

/// `hr.Employee rule 2 – Colleagues find each other`
pub(super) fn title(entity: &QName, number: usize, doc: &str) -> String {
    let doc = one_line(doc);
    if doc.is_empty() { format!("{entity} rule {number}") } else { format!("{entity} rule {number} – {doc}") }
}

/// File and line.
pub(super) fn place(place: &Place) -> String {
    format!("{}:{}", place.file, place.line.max(1))
}

/// Each rule that the subject has about an entity, tried on some of its objects.
pub fn inspect(case: &Case<'_>, entity: &QName, asked: &Inspection, facts: &mut dyn Facts) -> Vec<Vec<Step>> {
    let mut sight = Sight::new(case);
    let rules = case.subject.rights.entities.get(entity).map(|rights| rights.rules.as_slice()).unwrap_or_default();
    let objects = asked.objects.iter().take(MOST_INSPECTED);
    let one =
        |object: &ObjectId| rules.iter().map(|rule| tried(case, entity, rule, Some(*object), &mut sight, facts).0).collect();
    objects.map(one).collect()
}
