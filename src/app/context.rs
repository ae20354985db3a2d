//! Objects of one request: memory and store behind one contract, shared with the handles.

use crate::access::explain::{Inspected, Inspection};
use crate::access::{
    Cell, Change, Create, Delete, Feedback, Holding, Load, LoadedObject, ObjectError, Objects, Permit, Query, Released, Rows,
    View, WriteError,
};
use crate::domain::{Name, ObjectId, Value};
use crate::expr::EvalError;
use crate::workspace::{Both, Workspace};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The workspace of a request; handles write objects out of it and read them back in.
pub(super) type SharedWorkspace = Rc<RefCell<Workspace>>;

/// Memory and store as one.
pub(super) struct Joined<'a> {
    pub workspace: SharedWorkspace,
    pub store: &'a mut dyn Objects,
}

impl Joined<'_> {
    fn both<T>(&mut self, act: impl FnOnce(&mut Both<'_>) -> T) -> T {
        let mut workspace = self.workspace.borrow_mut();
        act(&mut Both { workspace: &mut workspace, store: &mut *self.store })
    }
}

impl Objects for Joined<'_> {
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError> {
        self.both(|both| both.view(permit, query))
    }
    fn figure(&mut self, permit: &Permit<View>, query: &Query, sum: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        self.both(|both| both.figure(permit, query, sum))
    }
    fn load(&mut self, permit: &Permit<Load>, query: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        self.both(|both| both.load(permit, query))
    }
    fn create(&mut self, permit: &Permit<Create>, values: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        self.both(|both| both.create(permit, values))
    }
    fn change(
        &mut self,
        permit: &Permit<Change>,
        object: ObjectId,
        version: Option<i64>,
        values: &BTreeMap<Name, Value>,
    ) -> Result<(), WriteError> {
        self.both(|both| both.change(permit, object, version, values))
    }
    fn delete(&mut self, permit: &Permit<Delete>, object: ObjectId, version: Option<i64>) -> Result<(), WriteError> {
        self.both(|both| both.delete(permit, object, version))
    }
    fn lock(&mut self, permit: &Permit<Load>, object: ObjectId) -> Result<(), WriteError> {
        self.both(|both| both.lock(permit, object))
    }
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        self.both(|both| both.identity(name))
    }
    fn inspect(&mut self, permit: &Permit<View>, asked: &Inspection) -> Result<Option<Released<Inspected>>, ObjectError> {
        self.both(|both| both.inspect(permit, asked))
    }
    fn holding(&mut self, permit: &Permit<View>, objects: &[ObjectId]) -> Result<Option<Released<Holding>>, ObjectError> {
        self.both(|both| both.holding(permit, objects))
    }
    fn validate(&mut self, permit: &Permit<View>, object: ObjectId) -> Result<Vec<Feedback>, ObjectError> {
        self.both(|both| both.validate(permit, object))
    }
}
