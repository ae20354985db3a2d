//! From a question to the decision with its reasons.

use super::rule::{place, title, tried};
use super::sight::{Sight, administering, bringing};
use super::within::{extras, named, of_flow};
use super::{Case, Explanation, Facts, Holds, Op, Question, Step, StepKind, Wanted};
use crate::access::denied::Layer;
use crate::access::grants::guardrail;
use crate::access::rights::Rule;
use crate::domain::{Member, Name, QName};
use crate::model::{AccessRule, Deny, Entity, Guardrail};
use std::collections::BTreeSet;

/// Explains a decision.
pub fn explain(case: &Case<'_>, question: &Question, facts: &mut dyn Facts) -> Explanation {
    let mut found = match question {
        Question::Open(page) => {
            let roles = case.model.pages.get(page).map(|page| (&page.roles, &page.place));
            of_place(case, Layer::PageAccess, "page", page, roles, &Deny::Open(page.clone()))
        }
        Question::Run(flow) => {
            let roles = case.model.microflows.get(flow).map(|flow| (&flow.roles, &flow.place));
            let mut found = of_place(case, Layer::ActionAccess, "microflow", flow, roles, &Deny::Run(flow.clone()));
            found.reasons.extend(extras(case.model, flow));
            found
        }
        Question::Call(flow) => of_call(case, flow),
        Question::Administer(part) => of_user_roles(case, &format!("the part {}", part.id()), &administering(case.model, *part)),
        Question::Data(wanted) => of_data(case, wanted, facts),
        Question::Within(flow, wanted) => of_flow(case, flow, wanted, facts),
    };
    found.question = named(case, question, facts);
    found.roles = case.subject.rights.roles.iter().map(ToString::to_string).collect();
    found.summary = format!("{}: {}", found.question, summary(&found));
    found
}

fn summary(found: &Explanation) -> &'static str {
    match found.granted {
        Holds::Yes => "granted",
        Holds::No => "refused",
        Holds::Withheld => "whether it is granted depends on values withheld from you",
        Holds::Undecided => "it depends on the object",
    }
}

pub(super) fn blank(layer: Layer, granted: Holds) -> Explanation {
    Explanation {
        question: String::new(),
        roles: Vec::new(),
        granted,
        layer,
        summary: String::new(),
        reasons: Vec::new(),
        would_change: Vec::new(),
    }
}

pub(super) fn words<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

/// A page or a microflow: it names module roles.
fn of_place(
    case: &Case<'_>,
    layer: Layer,
    word: &str,
    name: &QName,
    named: Option<(&BTreeSet<QName>, &crate::model::Place)>,
    act: &Deny,
) -> Explanation {
    let Some((roles, written)) = named else {
        let mut found = blank(layer, Holds::No);
        found.reasons.push(Step::new(StepKind::Note, Holds::No, format!("the model has no {word} {name}")));
        return found;
    };
    let opening = bringing(case.model, roles);
    let held = opening.iter().any(|role| case.subject.rights.roles.contains(role));
    let text = format!("{word} {name} is for {}: brought by the user roles {}", words(roles), or_none(&opening));
    let mut step = Step::new(StepKind::Place, if held { Holds::Yes } else { Holds::No }, text);
    step.place = Some(place(written));
    let mut found = blank(layer, step.holds);
    found.reasons.push(step);
    if held {
        found.would_change.push(rests_on(case, &opening));
    } else {
        found.would_change.push(give(&opening));
    }
    railed(case, act, &mut found);
    found
}

fn of_user_roles(case: &Case<'_>, what: &str, opening: &[Name]) -> Explanation {
    let held = opening.iter().any(|role| case.subject.rights.roles.contains(role));
    let holds = if held { Holds::Yes } else { Holds::No };
    let mut found = blank(Layer::ActionAccess, holds);
    found.reasons.push(Step::new(StepKind::Place, holds, format!("{what} is for the user roles {}", or_none(opening))));
    found.would_change.push(if held { rests_on(case, opening) } else { give(opening) });
    found
}

pub(super) fn or_none(roles: &[Name]) -> String {
    if roles.is_empty() { "none".to_owned() } else { words(roles) }
}

fn give(opening: &[Name]) -> String {
    match opening {
        [] => "no user role of the app brings this; the model would have to change".to_owned(),
        [one] => format!("give the user role {one}"),
        some => format!("give one of the user roles {}", words(some)),
    }
}

fn rests_on(case: &Case<'_>, opening: &[Name]) -> String {
    let held = opening.iter().filter(|role| case.subject.rights.roles.contains(*role));
    format!("it rests on the user role {}; without it, it would be refused", words(held))
}

/// A guardrail that denies an act beats every grant.
pub(super) fn railed(case: &Case<'_>, act: &Deny, found: &mut Explanation) -> bool {
    let Some(rail) = guardrail(case.model, &case.subject.rights.roles, act) else { return false };
    found.granted = Holds::No;
    found.reasons.insert(0, rail_step(rail));
    let whose = words(rail.user_roles.iter().filter(|role| case.subject.rights.roles.contains(*role)));
    found.would_change = vec![format!(
        "nothing that is granted: the guardrail denies it to whoever holds {whose}; take that user role away, or change the guardrail"
    )];
    true
}

fn rail_step(rail: &Guardrail) -> Step {
    let doc = if rail.doc.is_empty() { String::new() } else { format!(" – {}", rail.doc) };
    let text = format!("guardrail for {}{doc}: denies it whatever is granted", words(&rail.user_roles));
    Step { place: Some(place(&rail.place)), ..Step::new(StepKind::Guardrail, Holds::Yes, text) }
}

/// What a guardrail would have to deny to stop this.
pub(super) fn act(wanted: &Wanted) -> Option<Deny> {
    let member = |name: &Name| Member { entity: wanted.entity.clone(), name: name.clone() };
    match (wanted.op, &wanted.member) {
        (Op::Create, _) => Some(Deny::Create(wanted.entity.clone())),
        (Op::Delete, _) => Some(Deny::Delete(wanted.entity.clone())),
        (Op::Read, Some(name)) => Some(Deny::Read(member(name))),
        (Op::Write, Some(name)) => Some(Deny::Write(member(name))),
        _ => None,
    }
}

fn written_gives(rule: &AccessRule, wanted: &Wanted) -> bool {
    gives(wanted, rule.create, rule.delete, &rule.read, &rule.write)
}

pub(super) fn compiled_gives(rule: &Rule, wanted: &Wanted) -> bool {
    gives(wanted, rule.create, rule.delete, &rule.read, &rule.write)
}

fn gives(wanted: &Wanted, create: bool, delete: bool, read: &BTreeSet<Name>, write: &BTreeSet<Name>) -> bool {
    let has = |members: &BTreeSet<Name>| match &wanted.member {
        Some(name) => members.contains(name),
        None => !members.is_empty(),
    };
    match wanted.op {
        Op::Read => has(read),
        Op::Write => has(write),
        Op::Create => create && wanted.member.as_ref().is_none_or(|name| write.contains(name)),
        Op::Delete => delete,
    }
}

/// A microflow that another one calls, that handles an event, or that is a job: no role is asked for.
fn of_call(case: &Case<'_>, name: &QName) -> Explanation {
    let mut found = blank(Layer::ActionAccess, Holds::No);
    let Some(flow) = case.model.microflows.get(name) else {
        found.reasons.push(Step::new(StepKind::Note, Holds::No, format!("the model has no microflow {name}")));
        return found;
    };
    found.granted = Holds::Yes;
    let text = format!("microflow {name} is called by another one, by an event or as a job: no role is asked for");
    found.reasons.push(Step { place: Some(place(&flow.place)), ..Step::new(StepKind::Place, Holds::Yes, text) });
    found.reasons.extend(extras(case.model, name));
    railed(case, &Deny::Run(name.clone()), &mut found);
    found
}

/// An operation on objects: any rule of the subject's that gives it has to hold.
pub(super) fn of_data(case: &Case<'_>, wanted: &Wanted, facts: &mut dyn Facts) -> Explanation {
    let mut found = blank(Layer::EntityAccess, Holds::No);
    if let Some(snapshot) = case.model.snapshots.get(&wanted.entity) {
        return of_snapshot(case, snapshot);
    }
    let Some(entity) = case.model.entity(&wanted.entity).cloned() else {
        found.reasons.push(Step::new(StepKind::Note, Holds::No, format!("the model has no entity {}", wanted.entity)));
        return found;
    };
    if let Some(member) = &wanted.member
        && !entity.has_member(member)
    {
        found.reasons.push(Step::new(StepKind::Note, Holds::No, format!("{} has no member {member}", entity.name)));
        return found;
    }
    let mut sight = Sight::new(case);
    if missing(&entity, wanted, &sight, facts) {
        found.reasons.push(Step::new(StepKind::Note, Holds::No, "there is no such object"));
        return found;
    }
    let rights = case.subject.rights.entities.get(&entity.name);
    let rules = rights.map(|rights| rights.rules.as_slice()).unwrap_or_default();
    for rule in rules.iter().filter(|rule| compiled_gives(rule, wanted)) {
        // What is to be created is not there yet, whatever object was named.
        let object = wanted.object.filter(|_| wanted.op != Op::Create);
        let (step, wish) = tried(case, &entity.name, rule, object, &mut sight, facts);
        found.would_change.extend(wish.map(|wish| format!("{}: {wish}", short(&step.text))));
        found.reasons.push(step);
    }
    found.granted = super::condition::joined(crate::expr::Logic::Any, &found.reasons);
    match found.granted {
        Holds::Yes => found.would_change = vec![data_rests_on(case, &entity, wanted, &found.reasons)],
        _ => others(case, &entity, wanted, &mut found),
    }
    remarks(wanted, &mut found);
    if let Some(act) = act(wanted) {
        railed(case, &act, &mut found);
    }
    found
}

/// A public snapshot names module roles, as a page does.
fn of_snapshot(case: &Case<'_>, snapshot: &crate::model::Snapshot) -> Explanation {
    let opening = bringing(case.model, &snapshot.roles);
    let found = of_user_roles(case, &format!("the public snapshot {}", snapshot.name), &opening);
    Explanation { layer: Layer::EntityAccess, ..found }
}

/// Whether there is no such object, as far as the asker may know of that.
pub(super) fn missing(entity: &Entity, wanted: &Wanted, sight: &Sight<'_>, facts: &mut dyn Facts) -> bool {
    let (Some(object), true) = (wanted.object, sight.sees_all(entity)) else { return false };
    !facts.exists(&entity.name, object).unwrap_or(true)
}

/// The name of a rule without its documentation.
pub(super) fn short(text: &str) -> &str {
    text.split(" – ").next().unwrap_or(text)
}

fn data_rests_on(case: &Case<'_>, entity: &Entity, wanted: &Wanted, reasons: &[Step]) -> String {
    let holding = |rule: &&std::sync::Arc<AccessRule>| {
        let named = title(&entity.name, rule.number, &rule.doc);
        reasons.iter().any(|step| step.holds == Holds::Yes && step.text == named)
    };
    let held = entity.rules.iter().filter(|rule| written_gives(rule, wanted)).filter(holding);
    let bringing: BTreeSet<Name> = held.flat_map(|rule| bringing(case.model, &rule.roles)).collect();
    let theirs: Vec<Name> = bringing.into_iter().filter(|role| case.subject.rights.roles.contains(role)).collect();
    format!("it rests on the user role {}", or_none(&theirs))
}

/// Rules that the subject has no role for, and whom they would serve.
fn others(case: &Case<'_>, entity: &Entity, wanted: &Wanted, found: &mut Explanation) {
    let mine = case.model.module_roles(case.subject.rights.roles.iter());
    let mut any = !found.reasons.is_empty();
    for rule in entity.rules.iter().filter(|rule| written_gives(rule, wanted) && rule.roles.is_disjoint(&mine)) {
        any = true;
        let condition = rule.condition_text.as_deref().map(super::condition::one_line);
        let under = condition.map(|text| format!(", where `{text}`")).unwrap_or_default();
        let bringing = bringing(case.model, &rule.roles);
        let named = format!("{} rule {}", entity.name, rule.number);
        found.would_change.push(format!("{named} would grant it to the user role {}{under}", or_none(&bringing)));
        let step = Step::new(
            StepKind::Rule,
            Holds::No,
            format!("{}: for {}, which is not held", title(&entity.name, rule.number, &rule.doc), words(&rule.roles)),
        );
        found.reasons.push(Step { place: Some(place(&rule.place)), ..step });
    }
    if !any {
        found.reasons.push(Step::new(StepKind::Note, Holds::No, "no rule of the model gives this to anybody"));
        found.would_change.push("the model would have to have a rule that gives it".to_owned());
    }
}

fn remarks(wanted: &Wanted, found: &mut Explanation) {
    let remark = match wanted.op {
        Op::Write => "the rule has to hold for the object as it was and for the object as it becomes",
        Op::Create => "the rule has to hold for the new object, when it is written",
        _ => return,
    };
    found.reasons.push(Step::new(StepKind::Note, Holds::Undecided, remark));
}
