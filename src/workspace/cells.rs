//! What a reader may see of an object in memory.

use super::Workspace;
use super::reading::Reading;
use crate::access::{Act, Cell, Denied, EntityRights, Ground, Layer, ObjectError, Objects, Permit, Query, Reason, View};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::EvalError;
use std::collections::BTreeMap;

/// A refusal because of a value that could not be had.
pub(super) fn refused_by(error: &EvalError) -> ObjectError {
    Denied::new(Layer::EntityAccess, Reason::Other(Ground::Undecided, error.to_string())).into()
}

/// The refusal of a member: the same whether it is withheld everywhere or does not exist.
pub(super) fn no_member<A: Act>(permit: &Permit<A>, name: &str) -> ObjectError {
    let wanted = format!("{} {}.{name}", A::VERB, permit.target());
    let roles = permit.rights().roles.iter().cloned().collect();
    Denied::new(Layer::EntityAccess, Reason::NoRule { wanted, roles }).into()
}

impl Workspace {
    /// Whether one of these rules holds for the object as it is now.
    pub(super) fn any_holds(
        &self,
        beyond: &mut dyn Objects,
        rights: &EntityRights,
        rules: &[usize],
        object: ObjectId,
    ) -> Result<bool, ObjectError> {
        for rule in rules.iter().filter_map(|index| rights.rules.get(*index)) {
            let Some(condition) = &rule.condition else { return Ok(true) };
            let mut reading = Reading { workspace: self, beyond, reader: None, failure: None };
            if reading.value(condition, Some(object), &BTreeMap::new())?.holds() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An own member as the holder of these rights may have it, for viewing or loading.
    pub(super) fn own_cell<A: Act>(
        &self,
        beyond: &mut dyn Objects,
        permit: &Permit<A>,
        reader: Option<&Permit<View>>,
        object: ObjectId,
        name: &Name,
    ) -> Result<Cell, ObjectError> {
        let rights = permit.entity_rights().ok_or_else(|| no_member(permit, name))?;
        let rules = rights.readable.get(name).ok_or_else(|| no_member(permit, name))?;
        if !self.any_holds(beyond, rights, rules, object)? {
            return Ok(Cell::Withheld);
        }
        let Some(held) = self.held(object).filter(|held| held.entity == *permit.target()) else { return Ok(Cell::Withheld) };
        let calculated = rights.entity.attributes.get(name).and_then(|attribute| attribute.calculated.as_ref());
        let Some(expression) = calculated else { return Ok(Cell::Shown(held.member(name))) };
        let mut reading = Reading { workspace: self, beyond, reader, failure: None };
        match reading.value(expression, Some(object), &BTreeMap::new()) {
            Ok(value) => Ok(Cell::Shown(value)),
            Err(ObjectError::Denied(_)) => Ok(Cell::Withheld),
            Err(other) => Err(other),
        }
    }

    /// The cell at the end of a path, along to-one associations, also into the store.
    pub(super) fn cell(
        &self,
        beyond: &mut dyn Objects,
        permit: &Permit<View>,
        object: ObjectId,
        path: &[Name],
    ) -> Result<Cell, ObjectError> {
        let Some((name, rest)) = path.split_first() else { return Ok(Cell::Shown(Value::Object(object))) };
        let cell = self.own_cell(beyond, permit, Some(permit), object, name)?;
        if rest.is_empty() {
            return Ok(cell);
        }
        let entity = permit.entity_rights().map(|rights| &rights.entity);
        let target =
            entity.and_then(|e| e.associations.get(name)).map(|a| a.target.clone()).ok_or_else(|| no_member(permit, name))?;
        let onward = permit.onward(&target)?;
        match cell {
            Cell::Withheld => Ok(Cell::Withheld),
            Cell::Shown(Value::Object(id)) if self.is_stored(&target) => stored_cell(beyond, &onward, &target, id, rest),
            Cell::Shown(Value::Object(id)) => self.cell(beyond, &onward, id, rest),
            Cell::Shown(_) => Ok(Cell::Shown(Value::Empty)),
        }
    }

    pub(super) fn is_stored(&self, entity: &QName) -> bool {
        self.model.entity(entity).is_some_and(|entity| entity.persistable)
    }
}

fn stored_cell(
    beyond: &mut dyn Objects,
    permit: &Permit<View>,
    entity: &QName,
    id: ObjectId,
    path: &[Name],
) -> Result<Cell, ObjectError> {
    let query = Query { object: Some(id), limit: 1, ..Query::of(entity, vec![path.to_vec()]) };
    let rows = beyond.view(permit, &query)?;
    let cell = rows.peek().rows.first().and_then(|row| row.cells.first().cloned());
    Ok(cell.unwrap_or(Cell::Withheld))
}
