//! Creating, changing and deleting, with the event handlers around it.
//!
//! The order is fixed: the deed is done inside the transaction, then the before-handlers see the
//! object as it will be (and may change it further), then the after-handlers. A before-handler
//! refuses by feedback or raise; any error means that whoever opened the transaction rolls it back,
//! so an object that was refused was never there. Around a deletion the before-handlers come first,
//! and the after-handlers still read the object as it was. Create-handlers come before
//! commit-handlers. What a handler writes to its own object does not call the same handler again.
//!
//! Flows and pages use the same functions. A handler runs under the caller's grants and its own
//! elevation; the page that it may want to show, or close, is not heeded.

use super::context::{FlowContext, Outcome};
use super::run::Interpreter;
use super::{FlowError, reading};
use crate::access::explain::{Op, Wanted};
use crate::access::{Authority, Denied, Elevation, Ground, Layer, LoadedObject, ObjectError, Query, Reason, WriteError};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::{Deed, Moment};
use std::collections::BTreeMap;
use std::sync::Arc;

type Values = BTreeMap<Name, Value>;
/// An object as the holder of some rights last saw it.
type Farewell = (Arc<str>, Option<LoadedObject>);

/// Creates an object. The outcome holds what handlers say to the person.
pub fn create(
    context: &mut FlowContext<'_>,
    authority: &dyn Authority,
    entity: &QName,
    values: &Values,
) -> Result<(ObjectId, Outcome), FlowError> {
    let mut interpreter = Interpreter::new(context);
    let object = interpreter.create(authority, entity, values)?;
    Ok((object, interpreter.finish()?))
}

/// Changes an object; with a version, only that one.
pub fn change(
    context: &mut FlowContext<'_>,
    authority: &dyn Authority,
    entity: &QName,
    object: ObjectId,
    version: Option<i64>,
    values: &Values,
) -> Result<Outcome, FlowError> {
    let mut interpreter = Interpreter::new(context);
    interpreter.change(authority, entity, object, version, values)?;
    interpreter.finish()
}

/// Deletes an object; with a version, only that one.
pub fn delete(
    context: &mut FlowContext<'_>,
    authority: &dyn Authority,
    entity: &QName,
    object: ObjectId,
    version: Option<i64>,
) -> Result<Outcome, FlowError> {
    let mut interpreter = Interpreter::new(context);
    interpreter.delete(authority, entity, object, version)?;
    interpreter.finish()
}

impl Interpreter<'_, '_> {
    pub(super) fn create(&mut self, authority: &dyn Authority, entity: &QName, values: &Values) -> Result<ObjectId, FlowError> {
        self.ready_to_write(entity)?;
        let permit = authority.create(entity, values.keys());
        let permit = permit.map_err(|denied| self.about(authority, denied, Op::Create, entity, None))?;
        reading::note(&mut self.used, &permit);
        let created = self.context.objects.create(&permit, values);
        let object = created.map_err(|error| self.refused(authority, error, Op::Create, entity, None))?;
        self.memory.changed(entity, object);
        for moment in [Moment::Before, Moment::After] {
            self.handle(entity, object, moment, Deed::Create)?;
            self.handle(entity, object, moment, Deed::Commit)?;
        }
        Ok(object)
    }

    pub(super) fn change(
        &mut self,
        authority: &dyn Authority,
        entity: &QName,
        object: ObjectId,
        version: Option<i64>,
        values: &Values,
    ) -> Result<(), FlowError> {
        self.ready_to_write(entity)?;
        let permit = authority.change(entity, values.keys());
        let permit = permit.map_err(|denied| self.about(authority, denied, Op::Write, entity, Some(object)))?;
        reading::note(&mut self.used, &permit);
        let version = version.or_else(|| self.memory.seen(entity, object));
        let changed = self.context.objects.change(&permit, object, version, values);
        changed.map_err(|error| self.refused(authority, error, Op::Write, entity, Some(object)))?;
        self.memory.changed(entity, object);
        self.handle(entity, object, Moment::Before, Deed::Commit)?;
        self.handle(entity, object, Moment::After, Deed::Commit)
    }

    pub(super) fn delete(
        &mut self,
        authority: &dyn Authority,
        entity: &QName,
        object: ObjectId,
        version: Option<i64>,
    ) -> Result<(), FlowError> {
        self.ready_to_write(entity)?;
        let permit = authority.delete(entity);
        let permit = permit.map_err(|denied| self.about(authority, denied, Op::Delete, entity, Some(object)))?;
        reading::note(&mut self.used, &permit);
        self.handle(entity, object, Moment::Before, Deed::Delete)?;
        let version = version.or_else(|| self.memory.seen(entity, object));
        let farewells = self.farewells(entity, object)?;
        let deleted = self.context.objects.delete(&permit, object, version);
        deleted.map_err(|error| self.refused(authority, error, Op::Delete, entity, Some(object)))?;
        self.memory.deleted();
        for (rights, last) in farewells {
            self.memory.keep(&rights, entity, object, last);
        }
        self.handle(entity, object, Moment::After, Deed::Delete)
    }

    /// Locks a stored object, which the authority must be able to read, and forgets what was read of it before.
    pub(super) fn lock(&mut self, authority: &dyn Authority, entity: &QName, object: ObjectId) -> Result<(), FlowError> {
        self.context.budget.time()?;
        let permit = authority.load(entity);
        let permit = permit.map_err(|denied| self.about(authority, denied, Op::Read, entity, Some(object)))?;
        reading::note(&mut self.used, &permit);
        let locked = self.context.objects.lock(&permit, object);
        locked.map_err(|error| self.refused(authority, error, Op::Read, entity, Some(object)))?;
        self.memory.changed(entity, object);
        Ok(())
    }

    /// A refused write with what was wanted, so that it can be explained.
    fn refused(
        &self,
        authority: &dyn Authority,
        error: WriteError,
        op: Op,
        entity: &QName,
        object: Option<ObjectId>,
    ) -> FlowError {
        match error {
            WriteError::Object(ObjectError::Denied(denied)) => self.about(authority, denied, op, entity, object).into(),
            other => other.into(),
        }
    }

    fn about(&self, authority: &dyn Authority, denied: Denied, op: Op, entity: &QName, object: Option<ObjectId>) -> Denied {
        let member = if let Reason::Member(_, member) = &denied.reason { Some(member.clone()) } else { None };
        reading::about(&self.model, authority, denied, Wanted { op, entity: entity.clone(), object, member })
    }

    /// Whether a write may follow: not after complaints, and never on the built-in users.
    fn ready_to_write(&mut self, entity: &QName) -> Result<(), FlowError> {
        self.heed_feedback()?;
        self.context.budget.time()?;
        if self.model.entity(entity).is_some_and(|found| found.system) {
            let reason = Reason::Other(Ground::BuiltIn, format!("{entity} is never written by a model"));
            return Err(Denied::new(Layer::EntityAccess, reason).into());
        }
        Ok(())
    }

    fn handlers(&self, entity: &QName, moment: Moment, deed: Deed) -> Vec<QName> {
        let found = self.model.entity(entity).map(|entity| entity.handlers.as_slice()).unwrap_or_default();
        found.iter().filter(|h| h.moment == moment && h.deed == deed).map(|h| h.microflow.clone()).collect()
    }

    fn handle(&mut self, entity: &QName, object: ObjectId, moment: Moment, deed: Deed) -> Result<(), FlowError> {
        for name in self.handlers(entity, moment, deed) {
            let mark = (name.clone(), object);
            if !self.handling.insert(mark.clone()) {
                continue;
            }
            let permit = self.context.grants.call(&name)?;
            let parameter = self.model.microflows.get(&name).and_then(|flow| flow.parameters.keys().next().cloned());
            let arguments = parameter.map(|parameter| (parameter, Value::Object(object))).into_iter().collect();
            let (page, close) = (self.outcome.page.take(), self.outcome.close);
            let result = self.flow(&permit, arguments);
            (self.outcome.page, self.outcome.close) = (page, close);
            self.handling.remove(&mark);
            result?;
            self.heed_feedback()?;
        }
        Ok(())
    }

    /// The object as each after-delete handler may still read it once it is gone.
    fn farewells(&mut self, entity: &QName, object: ObjectId) -> Result<Vec<Farewell>, FlowError> {
        let mut last = Vec::new();
        for name in self.handlers(entity, Moment::After, Deed::Delete) {
            let Some(flow) = self.model.microflows.get(&name).cloned() else { continue };
            let authority = Elevation::of(&flow, self.context.grants);
            let query = Query { object: Some(object), limit: 1, ..Query::of(entity, Vec::new()) };
            let found = match self.reading(&authority).find(&query) {
                Ok(found) => found.first().map(|object| LoadedObject::clone(object)),
                Err(FlowError::Denied(_)) => None,
                Err(error) => return Err(error),
            };
            last.push((authority.rights().key.clone(), found));
        }
        Ok(last)
    }
}
