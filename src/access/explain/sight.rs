//! What the asker of an explanation may know.

use super::{Case, Facts};
use crate::access::Part;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Environment, Read, holds};
use crate::model::{Entity, Model};
use std::collections::{BTreeMap, HashMap};

/// The asker's eyes: each member of each row is decided once.
pub(super) struct Sight<'c> {
    case: &'c Case<'c>,
    known: HashMap<(QName, ObjectId, Name), bool>,
}

impl<'c> Sight<'c> {
    pub(super) fn new(case: &'c Case<'c>) -> Self {
        Self { case, known: HashMap::new() }
    }

    /// Whether the asker may know everything that was read.
    pub(super) fn knows_all(&mut self, reads: &[Read], facts: &mut dyn Facts) -> bool {
        reads.iter().all(|read| self.knows(read, facts))
    }

    /// Whether the asker may know what one member of one row holds. The right to the other side of an association is
    /// the right to the member that owns it, in every row that points here; that none does is known only to whoever
    /// reads them all.
    fn knows(&mut self, read: &Read, facts: &mut dyn Facts) -> bool {
        let Some(asker) = &self.case.asker else { return true };
        // Who the caller is needs no right.
        if read.entity == Model::user_entity() && asker.user == Some(read.object) {
            return true;
        }
        let inverse = self.case.model.entity(&read.entity).and_then(|entity| entity.inverses.get(&read.name));
        match inverse {
            Some(inverse) if read.led.is_empty() => self.everywhere(&inverse.owner, &inverse.association),
            Some(inverse) => read.led.iter().all(|owner| self.reads(&inverse.owner, *owner, &inverse.association, facts)),
            None => self.reads(&read.entity, read.object, &read.name, facts),
        }
    }

    /// Whether the asker reads a member in every row there could be.
    fn everywhere(&self, entity: &QName, member: &str) -> bool {
        let Some(asker) = &self.case.asker else { return true };
        let Some(rights) = asker.rights.entities.get(entity) else { return false };
        rights.readable.get(member).is_some_and(|rules| rights.at(rules).any(|rule| rule.condition.is_none()))
    }

    /// Whether the asker knows of every row of an entity, so that there being none is no news.
    pub(super) fn sees_all(&self, entity: &Entity) -> bool {
        let Some(asker) = &self.case.asker else { return true };
        let rules = asker.rights.entities.get(&entity.name).map(|rights| rights.rules.as_slice()).unwrap_or_default();
        rules.iter().any(|rule| !rule.read.is_empty() && rule.condition.is_none())
    }

    /// Whether the asker reads anything of an object, and so knows of it.
    pub(super) fn sees(&mut self, entity: &QName, object: ObjectId, facts: &mut dyn Facts) -> bool {
        let Some(asker) = &self.case.asker else { return true };
        let own = *entity == Model::user_entity() && asker.user == Some(object);
        let members = asker.rights.entities.get(entity).map(|rights| rights.readable.keys().cloned().collect::<Vec<_>>());
        own || members.unwrap_or_default().iter().any(|member| self.reads(entity, object, member, facts))
    }

    // SECURITY: decided over the row as it is, by the asker's own rules; what cannot be decided is not known
    // (`a_value_is_named_only_where_the_asker_reads_that_member_in_that_row`).
    fn reads(&mut self, entity: &QName, object: ObjectId, member: &Name, facts: &mut dyn Facts) -> bool {
        let key = (entity.clone(), object, member.clone());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let reads = self.everywhere(entity, member) || self.reads_here(entity, object, member, facts);
        self.known.insert(key, reads);
        reads
    }

    fn reads_here(&self, entity: &QName, object: ObjectId, member: &Name, facts: &mut dyn Facts) -> bool {
        let Some(asker) = &self.case.asker else { return true };
        let Some(rights) = asker.rights.entities.get(entity) else { return false };
        let Some(granting) = rights.readable.get(member) else { return false };
        if !facts.exists(entity, object).unwrap_or(false) {
            return false;
        }
        let none = BTreeMap::new();
        let environment = Environment {
            this: Some(object),
            user: asker.user,
            roles: &asker.rights.roles,
            now: self.case.now,
            variables: &none,
        };
        let conditions = rights.at(granting).filter_map(|rule| rule.condition.clone());
        conditions.into_iter().any(|condition| holds(&condition, &environment, &mut *facts).unwrap_or(false))
    }

    /// A value in words: an object by what stands for it in a selector, if the asker may read that.
    pub(super) fn told(&mut self, value: &Value, of: Option<&QName>, facts: &mut dyn Facts) -> String {
        match value {
            Value::Empty => "empty".to_owned(),
            Value::Object(id) => self.object(*id, of, facts),
            Value::List(ids) => format!("{} objects", ids.len()),
            other => other.canonical(),
        }
    }

    fn object(&mut self, id: ObjectId, of: Option<&QName>, facts: &mut dyn Facts) -> String {
        let Some(entity) = of.and_then(|name| self.case.model.entity(name)).cloned() else { return "an object".to_owned() };
        let key = if self.case.asker.is_none() { format!(" ({}#{})", entity.name, id.0) } else { String::new() };
        let own = entity.name == Model::user_entity() && self.case.asker.as_ref().is_some_and(|asker| asker.user == Some(id));
        if own {
            return "you".to_owned();
        }
        let shown = entity.display.clone().or_else(|| entity.system.then(|| Name::new("name")));
        let read = |name: Name| Read { entity: entity.name.clone(), object: id, name, led: Vec::new() };
        let named = shown.filter(|name| self.knows(&read(name.clone()), facts));
        let label = named.and_then(|name| facts.member(&entity.name, id, &name).ok()).filter(|value| !value.is_empty());
        let label = label.map_or_else(|| format!("one {}", entity.label), |value| value.canonical());
        format!("{label}{key}")
    }
}

/// The user roles that bring one of some module roles.
pub(super) fn bringing(model: &Model, module_roles: &std::collections::BTreeSet<QName>) -> Vec<Name> {
    let brings = |(_, role): &(&Name, &crate::model::UserRole)| role.module_roles.iter().any(|held| module_roles.contains(held));
    model.user_roles.iter().filter(brings).map(|(name, _)| name.clone()).collect()
}

/// The user roles that a part of the administration is open to.
pub(super) fn administering(model: &Model, part: Part) -> Vec<Name> {
    part.open_to(&model.administration).iter().cloned().collect()
}
