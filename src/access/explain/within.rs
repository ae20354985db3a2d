//! What a microflow wanted: its caller's rights, and grant by grant what its elevation adds.
//!
//! The same care as everywhere: a grant's condition is told as a rule's is, and an object that the flow came upon by
//! itself is named to nobody who does not see it.

use super::condition::joined;
use super::decide::{act, blank, compiled_gives, missing, of_data, or_none, railed, short, words};
use super::rule::{conditioned, granted, place};
use super::sight::{Sight, bringing};
use super::{Case, Explanation, Facts, Holds, Op, Person, Question, Step, StepKind, Wanted};
use crate::access::denied::Layer;
use crate::access::elevation::elevated;
use crate::access::rights::{Rule, RuleOrigin};
use crate::domain::{Name, QName};
use crate::expr::Logic;
use crate::model::{AccessRule, Microflow, Model};
use std::collections::BTreeSet;

/// The question in words. The object that a microflow came upon is named to those only who see it anyway: which object
/// it is may be the answer to a question about what led there.
// SECURITY: `the_object_that_a_flow_came_upon_is_named_to_nobody_who_does_not_see_it`.
pub(super) fn named(case: &Case<'_>, question: &Question, facts: &mut dyn Facts) -> String {
    if let Question::Within(flow, wanted) = question
        && let Some(object) = wanted.object
        && !Sight::new(case).sees(&wanted.entity, object, facts)
    {
        return Question::Within(flow.clone(), Wanted { object: None, ..wanted.clone() }).to_string();
    }
    question.to_string()
}

/// An operation that a microflow wants: granted by a rule of its caller's, or by a grant of its elevation.
pub(super) fn of_flow(case: &Case<'_>, name: &QName, wanted: &Wanted, facts: &mut dyn Facts) -> Explanation {
    let Some(flow) = case.model.microflows.get(name) else {
        let mut found = blank(Layer::EntityAccess, Holds::No);
        found.reasons.push(Step::new(StepKind::Note, Holds::No, format!("the model has no microflow {name}")));
        return found;
    };
    let mut own = of_data(case, wanted, facts);
    let known = case.model.entity(&wanted.entity).is_some_and(|entity| {
        wanted.member.as_ref().is_none_or(|member| entity.has_member(member))
            && !missing(entity, wanted, &Sight::new(case), facts)
    });
    if !known {
        own.reasons.insert(0, authority(case, flow));
        return own;
    }
    if flow.apply_entity_access {
        if own.granted != Holds::Yes {
            own.would_change.push(format!("or `applyEntityAccess: false` at {name}, with {}", lacking(name, wanted)));
        }
        own.reasons.insert(0, authority(case, flow));
        return own;
    }
    let theirs = Step { parts: own.reasons, ..Step::new(StepKind::Place, own.granted, "the caller's own rights") };
    let (extra, changes) = elevation(case, flow, wanted, facts);
    let mut found = blank(Layer::EntityAccess, joined(Logic::Any, &[theirs.clone(), extra.clone()]));
    found.would_change = match (extra.holds, theirs.holds) {
        (Holds::Yes, _) => changes,
        (_, Holds::Yes) => own.would_change,
        _ => changes.into_iter().chain(own.would_change).collect(),
    };
    found.reasons = vec![authority(case, flow), theirs, extra];
    if let Some(act) = act(wanted) {
        railed(case, &act, &mut found);
    }
    found
}

/// Whose rights a microflow has, and who may start it.
fn authority(case: &Case<'_>, flow: &Microflow) -> Step {
    let rights = if flow.apply_entity_access {
        "under the rights of its caller and no others (`applyEntityAccess` is on)"
    } else {
        "under the rights of its caller and those that its `elevation:` grants"
    };
    let starting = bringing(case.model, &flow.roles);
    let started =
        format!("pages start it for the user roles {}; another microflow, an event or a job for anybody", or_none(&starting));
    let note = Step::new(StepKind::Note, Holds::Undecided, started);
    let text = format!("microflow {} runs {rights}", flow.name);
    Step { place: Some(place(&flow.place)), parts: vec![note], ..Step::new(StepKind::Place, Holds::Yes, text) }
}

/// The elevation of a microflow, grant by grant, and what would change what it comes to.
fn elevation(case: &Case<'_>, flow: &Microflow, wanted: &Wanted, facts: &mut dyn Facts) -> (Step, Vec<String>) {
    let rights = elevated(case.model, case.subject.rights, flow);
    let case = Case { subject: Person { rights: &rights, user: case.subject.user }, ..*case };
    let mut sight = Sight::new(&case);
    let compiled = rights.entities.get(&wanted.entity).map(|found| found.rules.as_slice()).unwrap_or_default();
    let written = flow.elevation.get(&wanted.entity).map(Vec::as_slice).unwrap_or_default();
    let (mut parts, mut changes) = (Vec::new(), Vec::new());
    for grant in written {
        let origin = RuleOrigin::Elevation(flow.name.clone(), grant.number);
        let rule = compiled.iter().find(|rule| rule.origin == origin).map(|rule| &**rule);
        let (step, change) = considered(&case, flow, grant, rule, wanted, &mut sight, facts);
        changes.extend(change);
        parts.push(step);
    }
    if parts.is_empty() {
        let others = flow.elevation.keys().cloned().collect::<Vec<_>>();
        let others = if others.is_empty() { "none".to_owned() } else { words(others) };
        parts.push(Step::new(
            StepKind::Note,
            Holds::No,
            format!("no grant is for {}; those that there are: {others}", wanted.entity),
        ));
        changes.push(lacking(&flow.name, wanted));
    }
    let holds = joined(Logic::Any, &parts);
    if holds == Holds::Yes {
        let holding = parts.iter().filter(|step| step.holds == Holds::Yes).map(|step| short(&step.text));
        changes = vec![format!("it rests on {}, whoever runs it", words(holding))];
    }
    let text = format!("what the elevation of {} adds", flow.name);
    (Step { parts, ..Step::new(StepKind::Place, holds, text) }, changes)
}

/// One grant: for this entity, does it give the operation, the member, this row?
fn considered(
    case: &Case<'_>,
    flow: &Microflow,
    grant: &AccessRule,
    rule: Option<&Rule>,
    wanted: &Wanted,
    sight: &mut Sight<'_>,
    facts: &mut dyn Facts,
) -> (Step, Option<String>) {
    let said = |holds: bool, text: String| Step::new(StepKind::Note, if holds { Holds::Yes } else { Holds::No }, text);
    let mut parts =
        vec![said(true, format!("it is for {}", wanted.entity)), said(operation(grant, wanted.op), operations(grant))];
    if let Some(member) = &wanted.member {
        let (word, members) = if wanted.op == Op::Read { ("read", &grant.read) } else { ("write", &grant.write) };
        let has = members.contains(member);
        let among = if has { "is among" } else { "is not among" };
        parts.push(said(
            has,
            format!("{member} {among} what it lets be {}: {}", if word == "read" { "read" } else { "written" }, listed(members)),
        ));
    }
    // Rows are looked at only where everything else is granted.
    let mut change = None;
    let title = granted(&flow.name, grant.number, &grant.doc);
    let short = short(&title).to_owned();
    if parts.iter().any(|part| part.holds == Holds::No) {
        change = Some(format!("in {short}: {}", wish(wanted)));
    } else if let Some(rule) = rule.filter(|rule| compiled_gives(rule, wanted)) {
        let object = wanted.object.filter(|_| wanted.op != Op::Create);
        let (part, wished) = conditioned(case, rule, object, sight, facts);
        parts.push(part);
        change = wished.map(|wished| format!("{short}: {wished}"));
    } else {
        parts.push(said(false, "a guardrail takes it away".to_owned()));
    }
    let mut step = Step::new(StepKind::Rule, joined(Logic::All, &parts), title);
    (step.place, step.parts) = (Some(place(&grant.place)), parts);
    (step, change)
}

fn operation(grant: &AccessRule, op: Op) -> bool {
    match op {
        Op::Read => !grant.read.is_empty(),
        Op::Write => !grant.write.is_empty(),
        Op::Create => grant.create,
        Op::Delete => grant.delete,
    }
}

fn operations(grant: &AccessRule) -> String {
    let has: Vec<&str> = Op::ALL.iter().filter(|op| operation(grant, **op)).map(|op| op.id()).collect();
    format!("it grants {}", if has.is_empty() { "nothing".to_owned() } else { has.join(", ") })
}

fn listed(members: &BTreeSet<Name>) -> String {
    if members.is_empty() { "nothing".to_owned() } else { words(members) }
}

/// The key that a grant would need.
fn wish(wanted: &Wanted) -> String {
    let member = wanted.member.as_ref().map_or("…", |member| member.as_str());
    match (wanted.op, &wanted.member) {
        (Op::Read, _) => format!("`read: [{member}]`"),
        (Op::Write, _) => format!("`write: [{member}]`"),
        (Op::Create, None) => "`create: true`".to_owned(),
        (Op::Create, Some(_)) => format!("`create: true` with `write: [{member}]`"),
        (Op::Delete, _) => "`delete: true`".to_owned(),
    }
}

fn lacking(flow: &QName, wanted: &Wanted) -> String {
    format!("a grant in `elevation:` of {flow} for {} with {}", wanted.entity, wish(wanted))
}

/// What a microflow has beyond its caller's rights, as its author wrote it; `None` when it has nothing.
pub(super) fn extras(model: &Model, name: &QName) -> Option<Step> {
    let flow = model.microflows.get(name).filter(|flow| !flow.apply_entity_access)?;
    let mut parts = Vec::new();
    for (entity, grants) in &flow.elevation {
        for grant in grants {
            let text = granted(name, grant.number, &grant.doc);
            let mut gives = vec![format!("{entity}: {}", operations(grant))];
            gives.extend((!grant.read.is_empty()).then(|| format!("read {}", listed(&grant.read))));
            gives.extend((!grant.write.is_empty()).then(|| format!("write {}", listed(&grant.write))));
            gives.push(match &grant.condition_text {
                Some(text) => format!("where `{}`", super::condition::one_line(text)),
                None => "for every object".to_owned(),
            });
            let parts_of = gives.into_iter().map(|text| Step::new(StepKind::Note, Holds::Yes, text)).collect();
            parts.push(Step { place: Some(place(&grant.place)), parts: parts_of, ..Step::new(StepKind::Rule, Holds::Yes, text) });
        }
    }
    let more = if parts.is_empty() { "nothing" } else { "this, whoever runs it" };
    let text = format!("microflow {name} is elevated: beyond its caller's rights it has {more}");
    Some(Step { place: Some(place(&flow.place)), parts, ..Step::new(StepKind::Note, Holds::Yes, text) })
}
