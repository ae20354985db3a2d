//! Creating, changing and deleting in memory, decided like the same deeds on stored objects.

use super::reading::Reading;
use super::values::accept;
use super::{Held, Workspace, WorkspaceError};
use crate::access::{
    Act, Change, Create, Delete, Denied, EntityRights, Feedback, Ground, Layer, ObjectError, Objects, Permit, Reason, WriteError,
};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::expr::Typed;
use crate::model::{Entity, OnDelete};
use std::collections::BTreeMap;
use std::sync::Arc;

type Values = BTreeMap<Name, Value>;

impl Workspace {
    pub(super) fn create(
        &mut self,
        beyond: &mut dyn Objects,
        permit: &Permit<Create>,
        values: &Values,
    ) -> Result<ObjectId, WriteError> {
        let rights = rights_of(permit)?;
        let mut members = self.defaults(beyond, &rights.entity)?;
        members.extend(self.accepted(permit, &rights.entity, None, values)?);
        let id = self.fresh();
        self.keep(id, Held { entity: permit.target().clone(), version: 1, members })?;
        let granted = self.any_holds(beyond, &rights, permit.rules(), id);
        let granted = granted.and_then(|create| Ok(create && self.all_writable(beyond, &rights, id, values)?));
        if !matches!(granted, Ok(true)) {
            self.forget(id);
            return Err(granted.err().unwrap_or_else(|| new_row(permit)).into());
        }
        Ok(id)
    }

    pub(super) fn change(
        &mut self,
        beyond: &mut dyn Objects,
        permit: &Permit<Change>,
        object: ObjectId,
        version: Option<i64>,
        values: &Values,
    ) -> Result<(), WriteError> {
        let rights = rights_of(permit)?;
        let before = self.own(permit, object, version)?;
        if !self.all_writable(beyond, &rights, object, values)? {
            return Err(no_row(permit).into());
        }
        let mut after = Held { version: before.version + 1, ..before.clone() };
        after.members.extend(self.accepted(permit, &rights.entity, Some(object), values)?);
        if after.members.contains_key("changed") && rights.entity.server_kept("changed") {
            after.members.insert(Name::new("changed"), Value::DateTime(self.now));
        }
        self.keep(object, after)?;
        let kept = self.all_writable(beyond, &rights, object, values);
        if !matches!(kept, Ok(true)) {
            self.keep(object, before)?;
            return Err(kept.err().unwrap_or_else(|| new_row(permit)).into());
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        beyond: &mut dyn Objects,
        permit: &Permit<Delete>,
        object: ObjectId,
        version: Option<i64>,
    ) -> Result<(), WriteError> {
        let rights = rights_of(permit)?;
        self.own(permit, object, version)?;
        if !self.any_holds(beyond, &rights, permit.rules(), object)? {
            return Err(no_row(permit).into());
        }
        let mut gone = vec![object];
        let mut cleared = Vec::new();
        let mut at = 0;
        while let Some(target) = gone.get(at).copied() {
            at += 1;
            for (owner, association, rule) in self.pointing_at(target) {
                match rule {
                    _ if gone.contains(&owner) => {}
                    OnDelete::Cascade => gone.push(owner),
                    OnDelete::Clear => cleared.push((owner, association, target)),
                    OnDelete::Refuse => {
                        return Err(WriteError::InUse(self.entity_of(owner).cloned().unwrap_or_else(|| permit.target().clone())));
                    }
                }
            }
        }
        for (owner, association, target) in cleared {
            self.unlink(owner, &association, target);
        }
        gone.into_iter().for_each(|id| self.forget(id));
        Ok(())
    }

    fn pointing_at(&self, target: ObjectId) -> Vec<(ObjectId, Name, OnDelete)> {
        let Some(aimed) = self.entity_of(target) else { return Vec::new() };
        let mut found = Vec::new();
        for (id, held) in &self.objects {
            let Some(entity) = self.model.entity(&held.entity) else { continue };
            for association in entity.associations.values().filter(|a| a.target == *aimed) {
                let points = match held.members.get(&association.name) {
                    Some(Value::Object(to)) => *to == target,
                    Some(Value::List(all)) => all.contains(&target),
                    _ => false,
                };
                if points {
                    found.push((*id, association.name.clone(), association.on_delete));
                }
            }
        }
        found
    }

    fn unlink(&mut self, owner: ObjectId, association: &Name, target: ObjectId) {
        let Some(mut held) = self.objects.get(&owner).cloned() else { return };
        self.forget(owner);
        match held.members.get_mut(association) {
            Some(Value::List(all)) => all.retain(|id| *id != target),
            Some(value) => *value = Value::Empty,
            None => {}
        }
        self.bytes += held.size();
        self.objects.insert(owner, held);
    }

    /// First values: the declared defaults, no for booleans, and what the server keeps.
    fn defaults(&self, beyond: &mut dyn Objects, entity: &Entity) -> Result<Values, ObjectError> {
        let mut members = Values::new();
        let mut computed = |expression: &Typed| {
            let mut reading = Reading { workspace: self, beyond, reader: None, failure: None };
            reading.value(expression, None, &Values::new())
        };
        for attribute in entity.attributes.values().filter(|a| a.calculated.is_none()) {
            let value = match &attribute.default {
                Some(expression) => computed(expression)?,
                None if attribute.server => Value::DateTime(self.now),
                None if attribute.kind() == Kind::Boolean => Value::Boolean(false),
                None => continue,
            };
            members.insert(attribute.name.clone(), value);
        }
        for association in entity.associations.values() {
            let value = match (&association.default, self.user) {
                (Some(expression), _) => computed(expression)?,
                (None, Some(user)) if association.server => Value::Object(user),
                _ => continue,
            };
            members.insert(association.name.clone(), value);
        }
        Ok(members)
    }

    /// The values as they are kept; every one is looked at, and every complaint is told at once.
    fn accepted<A: Act>(
        &self,
        permit: &Permit<A>,
        entity: &Entity,
        object: Option<ObjectId>,
        values: &Values,
    ) -> Result<Values, WriteError> {
        let (mut kept, mut wrong) = (Values::new(), Vec::new());
        for (name, value) in values {
            if !permit.may_write(name) || entity.server_kept(name) {
                return Err(Denied::new(Layer::EntityAccess, Reason::Member(entity.name.clone(), name.clone())).into());
            }
            match accept(&self.model, entity, name, value) {
                Ok(value) => drop(kept.insert(name.clone(), value)),
                Err(message) => wrong.push(Feedback { object, member: Some(name.clone()), message }),
            }
        }
        if wrong.is_empty() { Ok(kept) } else { Err(WriteError::Invalid(wrong)) }
    }

    fn all_writable(
        &self,
        beyond: &mut dyn Objects,
        rights: &EntityRights,
        object: ObjectId,
        values: &Values,
    ) -> Result<bool, ObjectError> {
        for name in values.keys() {
            let rules = rights.writable.get(name).map(Vec::as_slice).unwrap_or_default();
            if !self.any_holds(beyond, rights, rules, object)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A copy of an own object; those of a snapshot are nobody's to change.
    fn own<A: Act>(&self, permit: &Permit<A>, object: ObjectId, version: Option<i64>) -> Result<Held, WriteError> {
        let held = self.objects.get(&object).filter(|held| held.entity == *permit.target()).ok_or_else(|| no_row(permit))?;
        match version {
            Some(version) if version != held.version => Err(WriteError::Stale),
            _ => Ok(held.clone()),
        }
    }

    fn keep(&mut self, id: ObjectId, held: Held) -> Result<(), WriteError> {
        self.put(id, held).map_err(|error| match error {
            WorkspaceError::Full => {
                let message = "There is too much here to be kept at once".to_owned();
                WriteError::Invalid(vec![Feedback { object: None, member: None, message }])
            }
            WorkspaceError::Misfit(text) => Denied::new(Layer::EntityAccess, Reason::Other(Ground::Misfit, text)).into(),
        })
    }
}

fn rights_of<A: Act>(permit: &Permit<A>) -> Result<Arc<EntityRights>, ObjectError> {
    permit.entity_rights().cloned().ok_or_else(|| no_row(permit))
}

fn no_row<A: Act>(permit: &Permit<A>) -> ObjectError {
    let reason = Reason::RowCondition { entity: permit.target().clone(), rules: permit.rules().to_vec() };
    Denied::concealed(Layer::EntityAccess, reason).into()
}

fn new_row<A: Act>(permit: &Permit<A>) -> ObjectError {
    Denied::new(Layer::EntityAccess, Reason::NewRow(permit.target().clone(), Vec::new())).into()
}
