//! Member values under a flow's authority.

use super::budget::{Budget, LONGEST_LIST};
use super::memory::Memory;
use super::{Account, FlowError};
use crate::access::explain::{Op, Question, Wanted};
use crate::access::{Act, Authority, Cell, Denied, LoadedObject, ObjectError, Objects, Permit, Query, RuleOrigin};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, EvalError};
use crate::model::Model;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Loads what an authority may read, remembers it, and refuses the rest.
pub(super) struct Reading<'r> {
    pub(super) model: &'r Model,
    pub(super) objects: &'r mut dyn Objects,
    pub(super) memory: &'r mut Memory,
    pub(super) budget: &'r Budget,
    pub(super) account: Option<&'r Account>,
    pub(super) authority: &'r dyn Authority,
    pub(super) used: &'r mut BTreeSet<String>,
    pub(super) failure: Option<FlowError>,
    pub(super) reads: u32,
    /// The object and the member that were read last.
    pub(super) at: Option<(ObjectId, Name)>,
}

/// Remembers that a permit leans on a declared elevation.
pub(super) fn note<A: Act>(used: &mut BTreeSet<String>, permit: &Permit<A>) {
    let Some(rights) = permit.entity_rights() else { return };
    let rules = permit.rules().iter().filter_map(|index| rights.rules.get(*index));
    if rules.into_iter().any(|rule| matches!(rule.origin, RuleOrigin::Elevation(..))) {
        used.insert(format!("{} {}", A::VERB, permit.target()));
    }
}

/// A refusal with what was wanted, and the microflow that wanted it. Objects in memory are nobody's to look up later.
pub(super) fn about(model: &Model, authority: &dyn Authority, denied: Denied, wanted: Wanted) -> Denied {
    let stored = model.entity(&wanted.entity).is_some_and(|entity| entity.persistable);
    let object = wanted.object.filter(|_| stored);
    denied.about(Question::within(Wanted { object, ..wanted }, authority.flow()))
}

impl Reading<'_> {
    /// A refusal to read, with what was wanted.
    fn about(&self, denied: Denied, entity: &QName, object: Option<ObjectId>, member: Option<&Name>) -> Denied {
        let wanted = Wanted { op: Op::Read, entity: entity.clone(), object, member: member.cloned() };
        about(self.model, self.authority, denied, wanted)
    }

    fn unfound(&self, denied: Denied, query: &Query) -> Denied {
        let member = self.at.as_ref().filter(|(object, _)| query.object == Some(*object)).map(|(_, member)| member);
        self.about(denied, &query.entity, query.object, member)
    }

    /// The real cause of a failed evaluation; a value that is withheld is told with what was wanted.
    pub(super) fn failed(&mut self, error: EvalError) -> FlowError {
        match (self.failure.take(), error) {
            (Some(cause), _) => cause,
            (None, EvalError::Withheld(entity, name)) => {
                let object = self.at.as_ref().map(|(object, _)| *object);
                self.withheld(&entity, object, &name)
            }
            (None, error) => error.into(),
        }
    }

    fn withheld(&self, entity: &QName, object: Option<ObjectId>, name: &Name) -> FlowError {
        let cause = FlowError::from(EvalError::Withheld(entity.clone(), name.clone()));
        let FlowError::Denied(denied) = cause else { return cause };
        // The right to the other side of an association is the right to the member that owns it.
        match self.model.entity(entity).and_then(|found| found.inverses.get(name)) {
            Some(inverse) => self.about(denied, &inverse.owner, None, Some(&inverse.association)).into(),
            None => self.about(denied, entity, object, Some(name)).into(),
        }
    }

    /// Asks the data, and remembers what comes.
    pub(super) fn find(&mut self, query: &Query) -> Result<Vec<Arc<LoadedObject>>, FlowError> {
        self.budget.time()?;
        let permit = self.authority.load(&query.entity).map_err(|denied| self.unfound(denied, query))?;
        note(self.used, &permit);
        let found = match self.objects.load(&permit, query) {
            Err(ObjectError::Denied(denied)) => return Err(self.unfound(denied, query).into()),
            found => found?,
        };
        if found.len() > LONGEST_LIST as usize {
            return Err(FlowError::Exhausted("a list has more than 10 000 elements"));
        }
        let rights = self.authority.rights().key.clone();
        let keep = |object: LoadedObject| {
            self.memory.keep(&rights, &query.entity, object.id, Some(object.clone()));
            Arc::new(object)
        };
        Ok(found.into_iter().map(keep).collect())
    }

    /// An object as this authority may have it; `None` when it may not, or there is none.
    pub(super) fn loaded(&mut self, entity: &QName, id: ObjectId) -> Result<Option<Arc<LoadedObject>>, FlowError> {
        let rights = self.authority.rights().key.clone();
        if let Some(known) = self.memory.recall(&rights, entity, id) {
            return Ok(known);
        }
        self.reloaded(entity, id)
    }

    fn reloaded(&mut self, entity: &QName, id: ObjectId) -> Result<Option<Arc<LoadedObject>>, FlowError> {
        let rights = self.authority.rights().key.clone();
        let found = self.find(&Query { object: Some(id), limit: 1, ..Query::of(entity, Vec::new()) })?;
        let found = found.into_iter().find(|object| object.id == id);
        if found.is_none() {
            self.memory.keep(&rights, entity, id, None);
        }
        Ok(found)
    }

    /// The objects along a to-many association, or the one along an inverse to-one.
    pub(super) fn along(&mut self, entity: &QName, id: ObjectId, name: &Name) -> Result<Vec<ObjectId>, FlowError> {
        let found = self.model.entity(entity).ok_or_else(|| self.withheld(entity, Some(id), name))?;
        let (target, owner, member) = match (found.associations.get(name), found.inverses.get(name)) {
            (Some(own), _) => (own.target.clone(), entity.clone(), name.clone()),
            (None, Some(inverse)) => (inverse.owner.clone(), inverse.owner.clone(), inverse.association.clone()),
            (None, None) => return Err(self.withheld(entity, Some(id), name)),
        };
        // SECURITY: the right to an association is the right to the member on the owning side.
        let readable = self.authority.rights().entities.get(&owner).is_some_and(|rights| rights.readable.contains_key(&member));
        if !readable {
            return Err(self.withheld(entity, Some(id), name));
        }
        if found.associations.contains_key(name)
            && let Some(object) = self.loaded(entity, id)?
            && let Some(cell) = object.members.get(name)
        {
            return match cell {
                Cell::Shown(Value::List(ids)) => Ok(ids.clone()),
                Cell::Shown(_) => Ok(Vec::new()),
                Cell::Withheld => Err(self.withheld(entity, Some(id), name)),
            };
        }
        let query =
            Query { along: Some((entity.clone(), id, name.clone())), limit: LONGEST_LIST + 1, ..Query::of(&target, Vec::new()) };
        let objects = self.find(&query)?;
        let inverse = !found.associations.contains_key(name);
        let shown = |object: &&Arc<LoadedObject>| !inverse || matches!(object.members.get(&member), Some(Cell::Shown(_)));
        Ok(objects.iter().filter(shown).map(|object| object.id).collect())
    }

    fn cell(&mut self, entity: &QName, id: ObjectId, name: &Name) -> Result<Option<Cell>, FlowError> {
        let cell = self.loaded(entity, id)?.and_then(|object| object.members.get(name).cloned());
        let rights = self.authority.rights().key.clone();
        if matches!(cell, Some(Cell::Withheld)) && self.memory.older_than_writes(&rights, entity, id) {
            return Ok(self.reloaded(entity, id)?.and_then(|object| object.members.get(name).cloned()));
        }
        Ok(cell)
    }

    fn is_caller(&self, entity: &QName, id: ObjectId) -> bool {
        *entity == Model::user_entity() && self.account.is_some_and(|account| account.id == id)
    }

    /// Keeps the real cause, and ends the evaluation.
    fn told<T>(&mut self, result: Result<T, FlowError>) -> Result<T, EvalError> {
        result.map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            EvalError::Data(text)
        })
    }

    fn counted(&mut self) -> Result<(), EvalError> {
        self.reads = self.reads.wrapping_add(1);
        let time = if self.reads.is_multiple_of(256) { self.budget.time() } else { Ok(()) };
        self.told(time)
    }
}

impl Data for Reading<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        self.counted()?;
        self.at = Some((object, name.clone()));
        if self.is_caller(entity, object) {
            return match (self.account, name.as_str()) {
                (Some(account), "name") => Ok(Value::text(&account.name)),
                (Some(account), "email") => Ok(Value::text(&account.email)),
                _ => self.objects.identity(name),
            };
        }
        if self.model.entity(entity).is_some_and(|found| found.inverses.contains_key(name)) {
            let found = self.along(entity, object, name);
            return Ok(self.told(found)?.first().map_or(Value::Empty, |id| Value::Object(*id)));
        }
        let cell = self.cell(entity, object, name);
        match self.told(cell)? {
            Some(Cell::Shown(value)) => Ok(value),
            _ => Err(EvalError::Withheld(entity.clone(), name.clone())),
        }
    }

    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        self.counted()?;
        self.at = Some((object, name.clone()));
        if self.is_caller(entity, object) {
            return Ok(match self.objects.identity(name)? {
                Value::List(ids) => ids,
                Value::Object(id) => vec![id],
                _ => Vec::new(),
            });
        }
        let found = self.along(entity, object, name);
        self.told(found)
    }

    fn calculated(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Option<Result<Value, EvalError>> {
        let readable = self.authority.rights().entities.get(entity).is_some_and(|rights| rights.readable.contains_key(name));
        if !readable {
            return None;
        }
        let cell = self.cell(entity, object, name);
        match self.told(cell) {
            Ok(Some(Cell::Shown(value))) => Some(Ok(value)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
