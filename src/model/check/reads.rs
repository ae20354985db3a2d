//! What the steps of a microflow read, against the rights.
//!
//! Only what is certain to be read when a step is carried out counts; what a constraint asks of the
//! rows needs no right.

use super::super::types::*;
use super::known::{Known, State};
use super::runners::{Runner, folded};
use super::solve::starts_at_user;
use super::steps::Walk;
use crate::domain::{Member, Name, QName};
use crate::expr::{Node, Root, Template, Typed, split};

impl Walk<'_> {
    pub(super) fn reads_of(&mut self, activity: &Activity, state: &State) {
        let place = &activity.place;
        match &activity.kind {
            ActivityKind::Retrieve { condition, .. } => {
                for (_, part) in condition.iter().flat_map(|condition| split(condition).fixed) {
                    self.reads(place, &part, state);
                }
            }
            ActivityKind::RetrieveAssociation { from, entity, member, .. } => {
                let caller = *entity == Model::user_entity() && *self.granted.runner != Runner::Nobody;
                if !caller {
                    self.read(place, entity, member, &state.of(from));
                }
            }
            ActivityKind::Aggregate { entity, of: Some(of), .. } => self.read(place, entity, of, &[]),
            ActivityKind::Create { set, .. } | ActivityKind::Change { set, .. } => self.all(place, set, state),
            ActivityKind::Call { with, .. } => self.all(place, with, state),
            ActivityKind::ShowPage(open) => self.all(place, &open.with, state),
            ActivityKind::Set { value, .. } | ActivityKind::End { value: Some(value) } => self.reads(place, value, state),
            ActivityKind::Decide { condition, .. } => self.reads(place, condition, state),
            ActivityKind::Message { text, .. } | ActivityKind::Log { text, .. } => self.texts(place, text, state),
            ActivityKind::Feedback { message, .. } | ActivityKind::Raise { message } => self.texts(place, message, state),
            ActivityKind::SendMail { to, subject, text } => {
                self.reads(place, to, state);
                self.texts(place, subject, state);
                self.texts(place, text, state);
            }
            ActivityKind::Register { email, name, .. } => {
                self.reads(place, email, state);
                self.reads(place, name, state);
            }
            _ => {}
        }
    }

    fn all(&mut self, place: &Place, values: &[(Name, Typed)], state: &State) {
        values.iter().for_each(|(_, value)| self.reads(place, value, state));
    }

    fn texts(&mut self, place: &Place, template: &Template, state: &State) {
        template.expressions().for_each(|value| self.reads(place, value, state));
    }

    /// Every read of an expression that is certain to be made when the expression is.
    fn reads(&mut self, place: &Place, e: &Typed, state: &State) {
        match &e.node {
            Node::Member { of, entity, name, calculated } => {
                self.reads(place, of, state);
                self.member(place, of, (entity, name), calculated.as_deref(), state);
            }
            Node::Many { of, entity, name } => {
                self.reads(place, of, state);
                self.member(place, of, (entity, name), None, state);
            }
            Node::And(a, b) | Node::Or(a, b) => {
                self.reads(place, a, state);
                let ends = matches!(e.node, Node::Or(..));
                if folded(a, self.granted.runner) != Some(ends) {
                    self.reads(place, b, state);
                }
            }
            Node::If(c, a, b) => {
                self.reads(place, c, state);
                let known = folded(c, self.granted.runner);
                [(a, false), (b, true)]
                    .into_iter()
                    .filter(|(_, not)| known != Some(*not))
                    .for_each(|(e, _)| self.reads(place, e, state));
            }
            _ => {
                let mut inner = Vec::new();
                e.children(&mut |child| inner.push(child));
                inner.into_iter().for_each(|child| self.reads(place, child, state));
            }
        }
    }

    fn member(&mut self, place: &Place, of: &Typed, (entity, name): (&QName, &Name), calculated: Option<&Typed>, state: &State) {
        if self.is_perhaps_caller(of, entity) {
            return;
        }
        let own = Member { entity: entity.clone(), name: name.clone() };
        if let (Some(inner), true) = (calculated, self.granted.reading(&own).is_empty()) {
            // Without a right to the result, it is computed from what may be read.
            return self.reads(place, inner, &State::default());
        }
        let known = if let Node::Root(Root::Variable(name)) = &of.node { state.of(name) } else { Vec::new() };
        self.read(place, entity, name, &known);
    }

    /// Who the caller is needs no right; and a flow may be given the caller as an object.
    fn is_perhaps_caller(&self, of: &Typed, entity: &QName) -> bool {
        if matches!(of.node, Node::Root(Root::User)) {
            return true;
        }
        let person = *entity == Model::user_entity() && *self.granted.runner != Runner::Nobody;
        person && (starts_at_user(of) || matches!(of.node, Node::Root(Root::Variable(_))))
    }

    /// Reads a member of an object of which this is known.
    pub(super) fn read(&mut self, place: &Place, entity: &QName, name: &Name, known: &[Known]) {
        let model = self.granted.model;
        let Some(found) = model.entities.get(entity) else { return };
        // The right to the other side of an association is the right to the member that owns it.
        let (member, own) = match found.inverses.get(name) {
            Some(back) if !found.has_member(name) => {
                (Member { entity: back.owner.clone(), name: back.association.clone() }, false)
            }
            _ => (Member { entity: entity.clone(), name: name.clone() }, true),
        };
        let rules = self.granted.reading(&member);
        let path = format!("{}.{}", member.entity, member.name);
        if rules.is_empty() {
            let grant = format!("{{entity: {}, read: [{}]}}", member.entity, member.name);
            self.missing(place, format!("read {path}"), &Deny::Read(member), &grant);
        } else if own {
            let what = format!("read {path} at this point");
            self.order(
                place,
                &rules,
                known,
                &what,
                "read it before the object leaves the rule that grants it, or widen the rule",
            );
        }
    }
}
