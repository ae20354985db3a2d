//! What each person may read and write, by brute force: every rule of the model, written out, over every row.
//!
//! Deliberately naive, and deliberately not the code that the server asks: no grants, no SQL, no evaluator of
//! `expr`. It knows the model's rules and the rows that the attack made itself; nothing else.

mod number;
#[cfg(test)]
mod tests;
mod value;

use super::world::{Difference, Turn, World};
use crate::access::Part;
use crate::domain::{Member, Name, ObjectId, QName, Value};
use crate::model::{AccessRule, Deny, Entity, Model, OnDelete};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use value::Fault;
pub(super) use value::order;

/// Somebody of one user role; a visitor has no account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user role.
    pub role: Name,
    /// The account.
    pub user: Option<ObjectId>,
}

/// The rules and the rows.
#[derive(Clone, Copy)]
pub struct Oracle<'w> {
    /// The rules.
    pub model: &'w Model,
    /// The rows.
    pub world: &'w World,
    /// The moment.
    pub now: NaiveDateTime,
}

/// Rights beside those of the role: what the flows that an act may run declare for themselves.
pub type Extra = BTreeMap<QName, Vec<Arc<AccessRule>>>;

/// Every cell that somebody may read.
pub type Readable = BTreeMap<(QName, ObjectId), BTreeMap<Name, Value>>;

impl<'w> Oracle<'w> {
    fn denied(&self, role: &Name, deny: &Deny) -> bool {
        self.model.guardrails.iter().any(|rail| rail.user_roles.contains(role) && rail.denies.contains(deny))
    }

    fn module_roles(&self, role: &Name) -> BTreeSet<QName> {
        self.model.user_roles.get(role).map(|role| role.module_roles.clone()).unwrap_or_default()
    }

    /// The rules that speak of a role, whatever they give.
    pub fn rules(&self, role: &Name, entity: &'w Entity) -> Vec<&'w Arc<AccessRule>> {
        let held = self.module_roles(role);
        entity.rules.iter().filter(|rule| !rule.roles.is_disjoint(&held)).collect()
    }

    /// Whether a rule's condition holds for a row. One that cannot be computed does not.
    pub fn holds(&self, who: &Who, rule: &AccessRule, id: ObjectId) -> bool {
        match &rule.condition {
            None => true,
            Some(condition) => self.compute(condition, who, Some(id)) == Ok(Value::Boolean(true)),
        }
    }

    /// The rules of a role that give a member.
    pub fn giving(&self, role: &Name, entity: &'w Entity, member: &Name, write: bool) -> Vec<&'w Arc<AccessRule>> {
        let of = Member { entity: entity.name.clone(), name: member.clone() };
        if self.denied(role, &if write { Deny::Write(of) } else { Deny::Read(of) }) {
            return Vec::new();
        }
        let gives = |rule: &&Arc<AccessRule>| if write { rule.write.contains(member) } else { rule.read.contains(member) };
        self.rules(role, entity).into_iter().filter(gives).collect()
    }

    /// Whether somebody may read a member of a row. Their own name and address are no secret to them.
    pub fn reads(&self, who: &Who, entity: &'w Entity, id: ObjectId, member: &Name) -> bool {
        let own = entity.system && who.user == Some(id);
        own || self.giving(&who.role, entity, member, false).iter().any(|rule| self.holds(who, rule, id))
    }

    /// Whether a row is there at all for somebody: a rule that shows something of it holds.
    pub fn sees(&self, who: &Who, entity: &'w Entity, id: ObjectId) -> bool {
        entity.members().any(|member| self.reads(who, entity, id, member))
    }

    /// Whether somebody may write a member of a row as it is.
    pub fn writes(&self, who: &Who, entity: &'w Entity, id: ObjectId, member: &Name) -> bool {
        !entity.system
            && !entity.server_kept(member)
            && self.giving(&who.role, entity, member, true).iter().any(|rule| self.holds(who, rule, id))
    }

    /// Whether a rule that lets the role create (or delete) holds for a row.
    pub fn makes(&self, who: &Who, entity: &'w Entity, id: ObjectId) -> bool {
        let denied = self.denied(&who.role, &Deny::Create(entity.name.clone()));
        !denied && self.rules(&who.role, entity).iter().any(|rule| rule.create && self.holds(who, rule, id))
    }

    /// Whether a rule that lets the role delete holds for a row.
    pub fn deletes(&self, who: &Who, entity: &'w Entity, id: ObjectId) -> bool {
        let denied = self.denied(&who.role, &Deny::Delete(entity.name.clone()));
        !denied && self.rules(&who.role, entity).iter().any(|rule| rule.delete && self.holds(who, rule, id))
    }

    /// Whether a role may open a page.
    pub fn opens(&self, role: &Name, page: &QName) -> bool {
        let found = self.model.pages.get(page);
        found.is_some_and(|page| !page.roles.is_disjoint(&self.module_roles(role)))
            && !self.denied(role, &Deny::Open(page.clone()))
    }

    /// Whether a role may run a microflow.
    pub fn runs(&self, role: &Name, flow: &QName) -> bool {
        let found = self.model.microflows.get(flow);
        found.is_some_and(|flow| !flow.roles.is_disjoint(&self.module_roles(role)))
            && !self.denied(role, &Deny::Run(flow.clone()))
    }

    /// Whether a part of the administration is open to a role.
    pub fn administers(&self, role: &Name, part: Part) -> bool {
        let parts = &self.model.administration;
        match part {
            Part::Users => parts.users.contains(role),
            Part::Matrix => parts.matrix.contains(role),
            Part::Audit => parts.audit.contains(role),
            Part::Log => parts.log.contains(role),
            Part::Explain => parts.explain.contains(role),
        }
    }

    /// Every cell that somebody may read, calculated members computed.
    pub fn readable(&self, who: &Who) -> Readable {
        let mut all = Readable::new();
        for entity in self.model.entities.values().filter(|entity| entity.persistable) {
            // What does not depend on the row is looked up once: a model may have hundreds of entities and rules.
            let rules = self.rules(&who.role, entity);
            let given: Vec<(&Name, Vec<&Arc<AccessRule>>)> =
                entity.members().map(|member| (member, self.giving(&who.role, entity, member, false))).collect();
            for id in self.world.ids(&entity.name) {
                let own = entity.system && who.user == Some(id);
                let holding: BTreeSet<usize> =
                    rules.iter().filter(|rule| self.holds(who, rule, id)).map(|rule| rule.number).collect();
                let reads = |giving: &[&Arc<AccessRule>]| own || giving.iter().any(|rule| holding.contains(&rule.number));
                let members = given.iter().filter(|(_, giving)| reads(giving)).map(|(member, _)| *member);
                let cells: BTreeMap<Name, Value> = members
                    .map(|member| (member.clone(), self.member(who, entity, id, member).unwrap_or(Value::Empty)))
                    .collect();
                if !cells.is_empty() {
                    all.insert((entity.name.clone(), id), cells);
                }
            }
        }
        all
    }

    /// The value of an own member of a row, computed if it is calculated.
    pub fn member(&self, who: &Who, entity: &Entity, id: ObjectId, member: &Name) -> Result<Value, Fault> {
        match entity.attributes.get(member).and_then(|attribute| attribute.calculated.as_ref()) {
            Some(expression) => self.compute(expression, who, Some(id)),
            None => Ok(self.world.value(&entity.name, id, member)),
        }
    }

    /// The first difference between this world and another that somebody was not allowed to make, in words.
    /// `extra` is what the flows of the act declare; with it, one moment of two is enough, because a flow writes in steps.
    pub fn forbids(&self, after: &World, all: &[Difference], who: &Who, extra: Option<&Extra>) -> Option<String> {
        let then = Oracle { world: after, ..*self };
        let gone: BTreeSet<(&QName, ObjectId)> =
            all.iter().filter(|one| one.what == Turn::Gone).map(|one| (&one.entity, one.id)).collect();
        all.iter().find_map(|one| {
            let entity = self.model.entities.get(&one.entity)?;
            let what = format!("{}#{}", one.entity, one.id.0);
            match &one.what {
                Turn::Made => {
                    let own = then.makes(who, entity, one.id);
                    let granted = own || extra.is_some_and(|extra| declared(extra, entity, |rule| rule.create));
                    (!granted).then(|| format!("{what} was made"))
                }
                Turn::Gone => {
                    let follows = self.follows(entity, one.id, &gone, OnDelete::Cascade).is_some();
                    let granted = follows
                        || self.deletes(who, entity, one.id)
                        || extra.is_some_and(|extra| declared(extra, entity, |rule| rule.delete));
                    (!granted).then(|| format!("{what} was deleted"))
                }
                Turn::Changed(members) => members
                    .iter()
                    .filter(|member| !entity.server_kept(member))
                    .filter(|member| self.follows(entity, one.id, &gone, OnDelete::Clear).as_ref() != Some(*member))
                    .filter(|member| !self.loses(after, entity, one.id, member, &gone))
                    .find(|member| !self.changes(&then, who, entity, one.id, member, extra))
                    .map(|member| format!("{what}.{member} was changed")),
            }
        })
    }

    fn changes(&self, then: &Self, who: &Who, entity: &'w Entity, id: ObjectId, member: &Name, extra: Option<&Extra>) -> bool {
        let moments = (self.writes(who, entity, id, member), then.writes(who, entity, id, member));
        match extra {
            None => moments.0 && moments.1,
            Some(extra) => moments.0 || moments.1 || declared(extra, entity, |rule| rule.write.contains(member)),
        }
    }

    /// Whether all that happened to a list is that what is gone is no longer in it.
    fn loses(&self, after: &World, entity: &Entity, id: ObjectId, member: &Name, gone: &BTreeSet<(&QName, ObjectId)>) -> bool {
        let Some(association) = entity.associations.get(member) else { return false };
        let (was, is) = (self.world.value(&entity.name, id, member), after.value(&entity.name, id, member));
        let (Value::List(was), Value::List(is)) = (was, is) else { return false };
        was.into_iter().filter(|to| !gone.contains(&(&association.target, *to))).eq(is)
    }

    /// The association by which a row follows one that is gone.
    fn follows(&self, entity: &Entity, id: ObjectId, gone: &BTreeSet<(&QName, ObjectId)>, how: OnDelete) -> Option<Name> {
        let mut to = entity.associations.values().filter(|association| association.on_delete == how);
        let leads = |association: &&crate::model::Association| matches!(self.world.value(&entity.name, id, &association.name), Value::Object(target) if gone.contains(&(&association.target, target)));
        to.find(leads).map(|association| association.name.clone())
    }
}

fn declared(extra: &Extra, entity: &Entity, gives: impl Fn(&AccessRule) -> bool) -> bool {
    extra.get(&entity.name).is_some_and(|rules| rules.iter().any(|rule| gives(rule)))
}
