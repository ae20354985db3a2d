//! Values for conditions and calculated members, with whatever lies in the store behind them.

use super::Workspace;
use crate::access::{Cell, ObjectError, Objects, Permit, Query, View};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, EvalError, Typed, evaluate, evaluate_strictly};
use crate::model::Model;
use std::collections::BTreeMap;

/// Reads members in memory as they are, the caller's own account through the store's word, and
/// stored objects only with a reader's permit.
pub(super) struct Reading<'r> {
    pub(super) workspace: &'r Workspace,
    pub(super) beyond: &'r mut dyn Objects,
    pub(super) reader: Option<&'r Permit<View>>,
    pub(super) failure: Option<ObjectError>,
}

impl Reading<'_> {
    /// Evaluates over an object in memory.
    pub(super) fn value(
        &mut self,
        expression: &Typed,
        this: Option<ObjectId>,
        variables: &BTreeMap<Name, Value>,
    ) -> Result<Value, ObjectError> {
        let workspace = self.workspace;
        let environment = Environment { this, user: workspace.user, roles: &workspace.roles, now: workspace.now, variables };
        evaluate(expression, &environment, self).map_err(|error| self.explained(error))
    }

    /// Whether a rule about an object in memory holds. One that cannot be computed does not.
    pub(super) fn satisfied(&mut self, rule: &Typed, object: ObjectId) -> Result<bool, ObjectError> {
        let (workspace, variables) = (self.workspace, BTreeMap::new());
        let (this, user, now) = (Some(object), workspace.user, workspace.now);
        let environment = Environment { this, user, roles: &workspace.roles, now, variables: &variables };
        match evaluate_strictly(rule, &environment, self) {
            Ok(value) => Ok(value.holds()),
            Err(EvalError::Overflow) => Ok(false),
            Err(error) => Err(self.explained(error)),
        }
    }

    fn explained(&mut self, error: EvalError) -> ObjectError {
        self.failure.take().unwrap_or_else(|| super::cells::refused_by(&error))
    }

    fn stored(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let withheld = || EvalError::Withheld(entity.clone(), name.clone());
        let permit =
            self.reader.and_then(|reader| reader.onward(entity).ok()).filter(|p| p.may_read(name)).ok_or_else(withheld)?;
        let query = Query { object: Some(object), limit: 1, ..Query::of(entity, vec![vec![name.clone()]]) };
        let rows = self.beyond.view(&permit, &query).map_err(|error| {
            self.failure = Some(error);
            withheld()
        })?;
        match rows.peek().rows.first().and_then(|row| row.cells.first()) {
            Some(Cell::Shown(value)) => Ok(value.clone()),
            _ => Err(withheld()),
        }
    }
}

impl Data for Reading<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let workspace = self.workspace;
        if *entity == Model::user_entity() && Some(object) == workspace.user {
            return self.beyond.identity(name);
        }
        match workspace.model.entity(entity) {
            Some(found) if found.persistable => self.stored(entity, object, name),
            _ => Ok(workspace.held(object).filter(|held| held.entity == *entity).map_or(Value::Empty, |held| held.member(name))),
        }
    }

    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        let workspace = self.workspace;
        if *entity == Model::user_entity() && Some(object) == workspace.user {
            return Ok(match self.beyond.identity(name)? {
                Value::List(ids) => ids,
                Value::Object(id) => vec![id],
                _ => Vec::new(),
            });
        }
        match workspace.model.entity(entity) {
            Some(found) if !found.persistable => Ok(workspace.along(object, name)),
            _ => Err(EvalError::Withheld(entity.clone(), name.clone())),
        }
    }
}

impl Workspace {
    /// Where an association of an object in memory leads. (Such an association has no inverse.)
    pub(super) fn along(&self, object: ObjectId, name: &str) -> Vec<ObjectId> {
        match self.held(object).map(|held| held.member(name)) {
            Some(Value::Object(id)) => vec![id],
            Some(Value::List(ids)) => ids,
            _ => Vec::new(),
        }
    }
}
