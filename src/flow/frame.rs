//! One flow while it runs: its variables and the authority it stands on.

use super::FlowError;
use super::budget::LONGEST_TEXT;
use crate::access::Elevation;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::Microflow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Frame {
    pub(super) flow: Arc<Microflow>,
    pub(super) authority: Elevation,
    pub(super) variables: BTreeMap<Name, Value>,
    entities: BTreeMap<Name, QName>,
}

impl Frame {
    pub(super) fn new(flow: Arc<Microflow>, authority: Elevation) -> Self {
        Self { flow, authority, variables: BTreeMap::new(), entities: BTreeMap::new() }
    }

    /// Gives a variable a value; the kind tells which entity its objects are of.
    pub(super) fn put(&mut self, name: &Name, kind: &Kind, value: Value) -> Result<(), FlowError> {
        if value.as_text().is_some_and(|text| text.len() > LONGEST_TEXT) {
            return Err(FlowError::Exhausted("a text became longer than a mebibyte"));
        }
        if let Kind::Object(entity) | Kind::List(entity) = kind {
            self.entities.insert(name.clone(), entity.clone());
        }
        self.variables.insert(name.clone(), value);
        Ok(())
    }

    /// The entity of a variable's object or objects.
    pub(super) fn entity(&self, name: &Name) -> Result<&QName, FlowError> {
        self.entities.get(name).ok_or_else(|| FlowError::Nothing(name.clone()))
    }

    /// The object in a variable.
    pub(super) fn object(&self, name: &Name) -> Result<ObjectId, FlowError> {
        self.variables.get(name).and_then(Value::as_object).ok_or_else(|| FlowError::Nothing(name.clone()))
    }

    /// The list in a variable.
    pub(super) fn list(&self, name: &Name) -> Result<Vec<ObjectId>, FlowError> {
        match self.variables.get(name) {
            Some(Value::List(ids)) => Ok(ids.clone()),
            _ => Err(FlowError::Nothing(name.clone())),
        }
    }
}
