//! One walk through a microflow in one name: each step against the rights, and what is known of the
//! objects in its variables.
//!
//! What is known of an object comes from constants that the flow writes, from its decisions, and from
//! the constraints of its retrieves; it is forgotten as soon as anything might have changed it.
//!
//! INVARIANT: a step is called denied only when no rule that grants it can hold there.

use super::super::types::*;
use super::known::{Known, State, conjuncts, constants, words};
use super::rights::Granted;
use super::runners::{Runner, folded, handlers};
use crate::domain::{Member, Name, QName};
use crate::expr::{Root, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// A step that is not granted.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub place: Place,
    pub code: &'static str,
    /// What is not granted, after "has no right to".
    pub what: String,
    pub hint: String,
    /// Every run comes to this step.
    pub certain: bool,
}

/// A walk.
pub(super) struct Walk<'m> {
    pub(super) granted: Granted<'m>,
    shown: bool,
    writes: &'m BTreeMap<QName, BTreeSet<QName>>,
    troubles: Vec<Trouble>,
    /// Decisions and loops around the step, and whether the flow may have ended before it.
    depth: usize,
    ended: bool,
}

impl<'m> Walk<'m> {
    pub fn of(granted: Granted<'m>, shown: bool, writes: &'m BTreeMap<QName, BTreeSet<QName>>) -> Self {
        Self { granted, shown, writes, troubles: Vec::new(), depth: 0, ended: false }
    }

    /// Everything that is not granted.
    pub fn troubles(mut self) -> Vec<Trouble> {
        let flow = self.granted.flow;
        self.body(&flow.body, State::default());
        self.troubles
    }

    fn trouble(&mut self, place: &Place, code: &'static str, what: String, hint: String) {
        let certain = self.depth == 0 && !self.ended;
        self.troubles.push(Trouble { place: place.clone(), code, what, hint, certain });
    }

    pub(super) fn missing(&mut self, place: &Place, what: String, deny: &Deny, grant: &str) {
        let hint = if self.granted.denied(deny) {
            "a guardrail denies it, and nothing beats a guardrail: take the role out of the flow's `roles`, or the step out"
                .into()
        } else if *self.granted.runner == Runner::Nobody {
            format!("add it to the flow's elevation: {grant}")
        } else {
            format!("grant it in the entity's access rules, or to this flow by an elevation: {grant}")
        };
        self.trouble(place, "flow-right", what, hint);
    }

    /// What is known after these steps; `None` where the flow has ended.
    fn body(&mut self, body: &'m [Activity], mut state: State) -> Option<State> {
        for activity in body {
            state = self.step(activity, state)?;
        }
        Some(state)
    }

    fn step(&mut self, activity: &'m Activity, mut state: State) -> Option<State> {
        let place = &activity.place;
        self.reads_of(activity, &state);
        match &activity.kind {
            ActivityKind::Retrieve { output, entity, condition, sort, .. } => {
                self.retrieve(place, entity, sort);
                state.put(output, entity, condition.iter().flat_map(|found| conjuncts(found, true, &Root::This)).collect());
            }
            ActivityKind::Create { output, entity, set } => self.create(place, output, entity, set, &mut state),
            ActivityKind::Change { object, entity, set } => self.change(place, object, entity, set, &mut state),
            ActivityKind::Delete { object, entity } => self.delete(place, object, entity, &mut state),
            ActivityKind::Decide { condition, then, otherwise } => return self.decide(condition, then, otherwise, state),
            ActivityKind::Loop { over, element, body } => self.repeat(over, element, body, &mut state),
            ActivityKind::Call { microflow, output, .. } => self.call(place, microflow, output.as_ref(), &mut state),
            ActivityKind::RetrieveAssociation { output, .. }
            | ActivityKind::Aggregate { output, .. }
            | ActivityKind::Set { variable: output, .. } => state.forget(output),
            ActivityKind::ShowPage(open) => self.show_page(place, &open.page),
            ActivityKind::Publish { snapshot, .. } => self.publish(place, snapshot),
            ActivityKind::End { .. } | ActivityKind::Raise { .. } => return None,
            _ => {}
        }
        Some(state)
    }

    fn decide(&mut self, condition: &'m Typed, then: &'m [Activity], otherwise: &'m [Activity], state: State) -> Option<State> {
        let known = folded(condition, self.granted.runner);
        self.depth += 1;
        let branch = |walk: &mut Self, body: &'m [Activity], met: bool| {
            (known != Some(!met)).then(|| walk.body(body, state.decided(condition, met))).flatten()
        };
        let (yes, no) = (branch(self, then, true), branch(self, otherwise, false));
        self.depth -= 1;
        self.ended |= yes.is_none() || no.is_none();
        match (yes, no) {
            (Some(yes), Some(no)) => Some(yes.common(&no)),
            (one, other) => one.or(other),
        }
    }

    fn repeat(&mut self, over: &Name, element: &Name, body: &'m [Activity], state: &mut State) {
        // A later round begins with what an earlier one left.
        super::closure::each_activity(body, &mut |activity| match &activity.kind {
            ActivityKind::Create { entity, .. } => state.forget_entities(&self.handled(entity, false)),
            ActivityKind::Change { entity, set, .. } => {
                set.iter().for_each(|(name, _)| state.forget_member(entity, name));
                state.forget_entities(&self.handled(entity, false));
            }
            ActivityKind::Delete { entity, .. } => {
                state.forget_links();
                state.forget_entities(&self.handled(entity, true));
            }
            ActivityKind::Call { microflow, .. } => state.forget_entities(self.writes.get(microflow).unwrap_or(&BTreeSet::new())),
            _ => {}
        });
        self.depth += 1;
        let mut inner = state.clone();
        inner.element(over, element);
        let after = self.body(body, inner);
        self.depth -= 1;
        self.ended |= after.is_none();
        if let Some(after) = after {
            *state = state.common(&after);
        }
    }

    /// The entities that handlers of a write may write.
    fn handled(&self, entity: &QName, deleted: bool) -> BTreeSet<QName> {
        let all = handlers(self.granted.model, entity, deleted).filter_map(|flow| self.writes.get(flow));
        all.flatten().cloned().collect()
    }

    fn call(&mut self, place: &Place, microflow: &QName, output: Option<&Name>, state: &mut State) {
        let deny = Deny::Run(microflow.clone());
        if self.granted.denied(&deny) {
            self.missing(place, format!("run {microflow}"), &deny, "");
        }
        state.forget_entities(self.writes.get(microflow).unwrap_or(&BTreeSet::new()));
        output.into_iter().for_each(|output| state.forget(output));
    }

    fn show_page(&mut self, place: &Place, page: &QName) {
        let Some(found) = self.granted.model.pages.get(page) else { return };
        if self.shown && !self.granted.opening(found) {
            let hint = "show a page that is open to every role of the flow, or decide by role('…') which one".to_owned();
            self.trouble(place, "flow-right", format!("open {page}"), hint);
        }
    }

    fn publish(&mut self, place: &Place, snapshot: &QName) {
        let model = self.granted.model;
        let entity = model.snapshots.get(snapshot).and_then(|found| model.entities.get(&found.entity));
        let Some(entity) = entity else { return };
        for attribute in entity.attributes.values().filter(|attribute| attribute.calculated.is_none()) {
            self.read(place, &entity.name, &attribute.name, &[]);
        }
    }

    fn retrieve(&mut self, place: &Place, entity: &QName, sort: &[(Path, bool)]) {
        let model = self.granted.model;
        if !self.granted.loading(entity) {
            let grant = format!("{{entity: {entity}, read: […]}}");
            return self.missing(
                place,
                format!("read {entity}"),
                &Deny::Read(Member { entity: entity.clone(), name: Name::new("") }),
                &grant,
            );
        }
        for (path, _) in sort {
            let mut at = entity.clone();
            for name in path {
                self.read(place, &at, name, &[]);
                let Some(found) = model.entities.get(&at) else { break };
                let next = found.associations.get(name).map(|own| own.target.clone());
                let Some(next) = next.or_else(|| found.inverses.get(name).map(|back| back.owner.clone())) else { break };
                at = next;
            }
        }
    }

    // ---- writes ----

    fn create(&mut self, place: &Place, output: &Name, entity: &QName, set: &[(Name, Typed)], state: &mut State) {
        let rules = self.granted.creating(entity);
        if rules.is_empty() {
            self.missing(
                place,
                format!("create {entity}"),
                &Deny::Create(entity.clone()),
                &format!("{{entity: {entity}, create: true}}"),
            );
        }
        let known = self.granted.model.entities.get(entity).map(|found| constants(found, set, true)).unwrap_or_default();
        let what = format!("create {entity} with these values");
        self.order(place, &rules, &known, &what, "the new object is outside the rule that grants it");
        for (name, _) in set {
            let rules = self.write(place, entity, name);
            self.order(
                place,
                &rules,
                &known,
                &format!("write {entity}.{name} of the new object"),
                "the new object is outside the rule that grants it",
            );
        }
        self.written(entity, set, state);
        state.put(output, entity, known);
        state.forget_entities(&self.handled(entity, false));
    }

    fn change(&mut self, place: &Place, object: &Name, entity: &QName, set: &[(Name, Typed)], state: &mut State) {
        let before = state.of(object);
        let mut after: Vec<Known> =
            before.iter().filter(|known| !set.iter().any(|(name, _)| known.is_about(name))).cloned().collect();
        after.extend(self.granted.model.entities.get(entity).map(|found| constants(found, set, false)).unwrap_or_default());
        for (name, _) in set {
            let rules = self.write(place, entity, name);
            let what = format!("write {entity}.{name} at this point");
            if !self.order(
                place,
                &rules,
                &before,
                &what,
                "do this before the object leaves the rule that grants it, or widen the rule",
            ) {
                let what = format!("write {entity}.{name} with this change");
                self.order(
                    place,
                    &rules,
                    &after,
                    &what,
                    "a rule is held against the object before and after a change; it must admit both",
                );
            }
        }
        self.written(entity, set, state);
        state.put(object, entity, after);
        state.forget_entities(&self.handled(entity, false));
    }

    fn delete(&mut self, place: &Place, object: &Name, entity: &QName, state: &mut State) {
        let rules = self.granted.deleting(entity);
        if rules.is_empty() {
            self.missing(
                place,
                format!("delete {entity}"),
                &Deny::Delete(entity.clone()),
                &format!("{{entity: {entity}, delete: true}}"),
            );
        }
        let what = format!("delete {entity} at this point");
        self.order(
            place,
            &rules,
            &state.of(object),
            &what,
            "do this before the object leaves the rule that grants it, or widen the rule",
        );
        state.forget(object);
        state.forget_links();
        state.forget_entities(&self.handled(entity, true));
    }

    fn write(&mut self, place: &Place, entity: &QName, name: &Name) -> Vec<&'m AccessRule> {
        let member = Member { entity: entity.clone(), name: name.clone() };
        let rules = self.granted.writing(&member);
        if rules.is_empty() {
            let grant = format!("{{entity: {entity}, read: [{name}], write: [{name}]}}");
            self.missing(place, format!("write {entity}.{name}"), &Deny::Write(member), &grant);
        }
        rules
    }

    /// Another variable may stand for the same object.
    fn written(&self, entity: &QName, set: &[(Name, Typed)], state: &mut State) {
        set.iter().for_each(|(name, _)| state.forget_member(entity, name));
    }

    /// Reports when none of the rules can hold for an object of which this is known.
    pub(super) fn order(&mut self, place: &Place, rules: &[&AccessRule], known: &[Known], what: &str, hint: &str) -> bool {
        let facts: Vec<&Typed> = known.iter().map(|known| &known.condition).collect();
        if rules.is_empty() || facts.is_empty() || rules.iter().any(|rule| self.granted.can_hold(rule, &facts)) {
            return false;
        }
        let what = format!("{what}{}", words(known, rules));
        self.trouble(place, "flow-order", what, hint.to_owned());
        true
    }
}
