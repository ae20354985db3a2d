//! One contract over memory and store.

use super::Workspace;
use crate::access::explain::{Inspected, Inspection};
use crate::access::{
    Cell, Change, Create, Delete, Denied, Feedback, Ground, Holding, Layer, Load, LoadedObject, ObjectError, Objects, Permit,
    Query, Reason, Released, Rows, View, WriteError,
};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::EvalError;
use std::collections::BTreeMap;

/// Sends what concerns persistable entities to the store, everything else to the workspace.
pub struct Both<'a> {
    /// Objects in memory.
    pub workspace: &'a mut Workspace,
    /// Objects in the database; [`Closed`] for visitors.
    pub store: &'a mut dyn Objects,
}

impl Both<'_> {
    fn stored(&self, entity: &QName) -> bool {
        self.workspace.is_stored(entity)
    }
}

impl Objects for Both<'_> {
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError> {
        if self.stored(permit.target()) { self.store.view(permit, query) } else { self.workspace.view(self.store, permit, query) }
    }
    fn figure(&mut self, permit: &Permit<View>, query: &Query, sum: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        if self.stored(permit.target()) {
            return self.store.figure(permit, query, sum);
        }
        self.workspace.figure(self.store, permit, query, sum)
    }
    fn load(&mut self, permit: &Permit<Load>, query: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        if self.stored(permit.target()) { self.store.load(permit, query) } else { self.workspace.load(self.store, permit, query) }
    }
    fn create(&mut self, permit: &Permit<Create>, values: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        if self.stored(permit.target()) {
            return self.store.create(permit, values);
        }
        self.workspace.create(self.store, permit, values)
    }
    fn change(
        &mut self,
        permit: &Permit<Change>,
        object: ObjectId,
        version: Option<i64>,
        values: &BTreeMap<Name, Value>,
    ) -> Result<(), WriteError> {
        if self.stored(permit.target()) {
            return self.store.change(permit, object, version, values);
        }
        self.workspace.change(self.store, permit, object, version, values)
    }
    fn delete(&mut self, permit: &Permit<Delete>, object: ObjectId, version: Option<i64>) -> Result<(), WriteError> {
        if self.stored(permit.target()) {
            return self.store.delete(permit, object, version);
        }
        self.workspace.delete(self.store, permit, object, version)
    }
    fn lock(&mut self, permit: &Permit<Load>, object: ObjectId) -> Result<(), WriteError> {
        if self.stored(permit.target()) { self.store.lock(permit, object) } else { Ok(()) }
    }
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        self.store.identity(name)
    }
    fn inspect(&mut self, permit: &Permit<View>, asked: &Inspection) -> Result<Option<Released<Inspected>>, ObjectError> {
        if self.stored(permit.target()) { self.store.inspect(permit, asked) } else { Ok(None) }
    }
    fn holding(&mut self, permit: &Permit<View>, objects: &[ObjectId]) -> Result<Option<Released<Holding>>, ObjectError> {
        if self.stored(permit.target()) { self.store.holding(permit, objects) } else { Ok(None) }
    }
    fn validate(&mut self, permit: &Permit<View>, object: ObjectId) -> Result<Vec<Feedback>, ObjectError> {
        if self.stored(permit.target()) {
            return self.store.validate(permit, object);
        }
        self.workspace.validate(self.store, permit, object)
    }
}

/// The store of a visitor: there is none. Everything is refused, and no connection is near.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closed;

fn closed(entity: &QName) -> ObjectError {
    Denied::new(Layer::EntityAccess, Reason::Other(Ground::NoStoredData, format!("visitors reach no stored data: {entity}")))
        .into()
}

impl Objects for Closed {
    fn view(&mut self, permit: &Permit<View>, _: &Query) -> Result<Released<Rows>, ObjectError> {
        Err(closed(permit.target()))
    }
    fn figure(&mut self, permit: &Permit<View>, _: &Query, _: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        Err(closed(permit.target()))
    }
    fn load(&mut self, permit: &Permit<Load>, _: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        Err(closed(permit.target()))
    }
    fn create(&mut self, permit: &Permit<Create>, _: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        Err(closed(permit.target()).into())
    }
    fn change(
        &mut self,
        permit: &Permit<Change>,
        _: ObjectId,
        _: Option<i64>,
        _: &BTreeMap<Name, Value>,
    ) -> Result<(), WriteError> {
        Err(closed(permit.target()).into())
    }
    fn delete(&mut self, permit: &Permit<Delete>, _: ObjectId, _: Option<i64>) -> Result<(), WriteError> {
        Err(closed(permit.target()).into())
    }
    fn lock(&mut self, permit: &Permit<Load>, _: ObjectId) -> Result<(), WriteError> {
        Err(closed(permit.target()).into())
    }
}
