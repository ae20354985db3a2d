//! Values re-read by key, and what is still missing.
//!
//! An evaluation that needs a value which was not read yet ends with "missing" and notes the key;
//! then all that is missing is read at once, one statement for each table, and the evaluation is
//! tried again, for every row and every element of a list. So a page costs as many statements as its rules have hops,
//! however many rows it has (`deciding_again_costs_as_many_statements_however_many_hidden_objects_a_rule_looks_at`).

use super::held::{By, ById, Held, List, column};
use super::inputs::Inputs;
use super::plan::Plan;
use super::raw::{Keys, linked, raw};
use crate::access::{ObjectError, Rights};
use crate::db::Conn;
use crate::db::sql::Params;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, EvalError};
use crate::store::error::fault;
use crate::store::tables::{Hop, Table, Tables};
use std::sync::Arc;

/// Everything that was read to decide one answer.
pub(super) struct Values<'a> {
    tables: &'a Tables,
    rights: &'a Rights,
    inputs: Arc<Inputs>,
    pub(super) held: Vec<Held>,
    /// Something was needed that is not there yet.
    pub missing: bool,
}

/// Where an entity is among those held.
pub(super) type At = usize;

fn missing() -> EvalError {
    EvalError::Data(String::new())
}

impl<'a> Values<'a> {
    pub(super) fn new(tables: &'a Tables, rights: &'a Rights, inputs: Arc<Inputs>) -> Self {
        Self { tables, rights, inputs, held: Vec::new(), missing: false }
    }

    /// The place of an entity; `None` when it is not stored.
    pub(super) fn place(&mut self, entity: &QName) -> Option<At> {
        if let Some(at) = self.held.iter().position(|held| held.plan.table.entity.name == *entity) {
            return Some(at);
        }
        let plan = self.inputs.plan(self.tables.get(entity)?, self.rights.entities.get(entity));
        self.held.push(Held::new(plan));
        Some(self.held.len() - 1)
    }

    fn at(&mut self, entity: &QName) -> Result<At, EvalError> {
        self.place(entity).ok_or_else(|| EvalError::Data(format!("{entity} is not stored")))
    }

    /// How an association leads on.
    pub(super) fn hop(&self, entity: &QName, name: &Name) -> Option<Hop> {
        self.tables.hop(entity, name).map(|(hop, _)| hop)
    }
    /// The table and the rules of an entity.
    pub(super) fn plan(&self, at: At) -> Result<&Arc<Plan>, ObjectError> {
        self.held.get(at).map(|held| &held.plan).ok_or_else(|| fault("an entity is missing"))
    }
    pub(super) fn table(&self, at: At) -> Result<&Arc<Table>, ObjectError> {
        self.plan(at).map(|plan| &plan.table)
    }

    /// These rows will be needed.
    pub(super) fn want(&mut self, at: At, ids: impl IntoIterator<Item = ObjectId>) {
        if let Some(held) = self.held.get_mut(at) {
            held.wanted.extend(ids);
        }
    }
    /// This member will be needed of each row.
    pub(super) fn want_member(&mut self, at: At, name: &Name) {
        let Some(held) = self.held.get_mut(at) else { return };
        if held.layout.find(name).is_some() {
            return;
        }
        if let Some(column) = column(&held.plan.table, name) {
            held.widen(column);
        }
    }
    /// Where the rules go on from the caller's account.
    pub(super) fn want_anchors(&mut self, user: &QName, id: ObjectId) {
        let inputs = self.inputs.clone();
        for name in inputs.anchors() {
            // What is missing is noted; there is nothing to be told yet.
            let _ = self.member(user, id, name);
        }
        self.missing = false;
    }

    /// Where the row is; `None` when it is not there.
    pub(super) fn find(&mut self, at: At, id: ObjectId) -> Result<Option<usize>, EvalError> {
        let Some(held) = self.held.get_mut(at) else { return Ok(None) };
        held.find(id).ok_or_else(|| {
            held.wanted.push(id);
            self.missing = true;
            missing()
        })
    }

    /// How a rule came out for a row, if it was asked before.
    pub(super) fn verdict(&mut self, at: At, row: usize, rule: usize) -> Option<&mut Option<bool>> {
        self.held.get_mut(at)?.verdict(row, rule)
    }

    /// The number of a member's column, if it is read.
    pub(super) fn column(&self, at: At, member: &str) -> Option<usize> {
        self.held.get(at)?.layout.find(member)
    }

    /// A stored value that was read already.
    pub(super) fn peek(&mut self, at: At, id: ObjectId, column: usize) -> Option<&Value> {
        let held = self.held.get_mut(at)?;
        let row = held.find(id)??;
        held.value(row, column)
    }

    /// The objects along an association (own or inverse name).
    pub(super) fn list(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<&[ObjectId], EvalError> {
        let at = self.at(entity)?;
        let place = self.list_at(at, entity, name)?;
        let gap = || EvalError::Data("a list is missing".into());
        let list = self.held.get_mut(at).and_then(|held| held.lists.get_mut(place)).ok_or_else(gap)?;
        if !list.of.contains_key(&object) {
            list.wanted.push(object);
            self.missing = true;
            return Err(missing());
        }
        list.of.get(&object).map(Vec::as_slice).ok_or_else(gap)
    }

    fn list_at(&mut self, at: At, entity: &QName, name: &Name) -> Result<usize, EvalError> {
        let held = self.held.get_mut(at).ok_or_else(missing)?;
        if let Some(place) = held.lists.iter().position(|list| list.name == *name) {
            return Ok(place);
        }
        let no_list = || EvalError::Data(format!("{entity}.{name} leads nowhere"));
        let (hop, owner) = self.tables.hop(entity, name).ok_or_else(no_list)?;
        let by = match hop {
            Hop::Link(link) => By::Link(link),
            Hop::Back { column, .. } => By::Column { owner, column },
            Hop::Column(_) => return Err(no_list()),
        };
        held.lists.push(List { name: name.clone(), by, of: ById::default(), wanted: Vec::new() });
        Ok(held.lists.len() - 1)
    }

    /// Reads all that is missing.
    pub(super) fn read(&mut self, conn: &mut Conn, params: &Params) -> Result<(), ObjectError> {
        self.missing = false;
        for at in 0..self.held.len() {
            self.read_lists(at, conn, params)?;
        }
        for at in 0..self.held.len() {
            self.read_rows(at, conn, params)?;
        }
        Ok(())
    }

    fn read_rows(&mut self, at: At, conn: &mut Conn, params: &Params) -> Result<(), ObjectError> {
        let Some(held) = self.held.get_mut(at) else { return Ok(()) };
        let ids = held.unread();
        if ids.is_empty() {
            return Ok(());
        }
        let parent = self.inputs.climbs(&held.plan.table);
        let keys = parent.as_ref().map_or(Keys::Own, |parent| Keys::Climbing(&parent.column));
        let found = raw(conn, params, &held.plan.table, &held.layout, &keys, &ids)?;
        held.keep(found);
        held.close(&ids);
        Ok(())
    }

    fn read_lists(&mut self, at: At, conn: &mut Conn, params: &Params) -> Result<(), ObjectError> {
        let count = self.held.get(at).map_or(0, |held| held.lists.len());
        for place in 0..count {
            let Some(list) = self.held.get_mut(at).and_then(|held| held.lists.get_mut(place)) else { continue };
            let mut ids = std::mem::take(&mut list.wanted);
            ids.sort_unstable();
            ids.dedup();
            if ids.is_empty() {
                continue;
            }
            let pairs: Vec<(ObjectId, ObjectId)> = match list.by.clone() {
                By::Link(link) => {
                    linked(conn, params, &link, &ids)?.chunks(2).filter_map(|row| pair(row.first(), row.last())).collect()
                }
                By::Column { owner, column } => {
                    let owner = self.place(&owner).ok_or_else(|| fault("an entity is missing"))?;
                    self.referring(owner, &column, conn, params, &ids)?
                }
            };
            let Some(list) = self.held.get_mut(at).and_then(|held| held.lists.get_mut(place)) else { continue };
            ids.iter().for_each(|id| drop(list.of.insert(*id, Vec::new())));
            for pair in pairs {
                list.of.entry(pair.0).or_default().push(pair.1);
            }
            list.of.values_mut().for_each(|list| list.sort_unstable());
        }
        Ok(())
    }

    /// The rows that point back, read whole, so that they need not be read again.
    fn referring(
        &mut self,
        owner: At,
        column: &Name,
        conn: &mut Conn,
        params: &Params,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, ObjectId)>, ObjectError> {
        let held = self.held.get_mut(owner).ok_or_else(|| fault("an entity is missing"))?;
        // Rows of the same table that are needed anyway come along, unless more than they is needed.
        let own = if self.inputs.climbs(&held.plan.table).is_some() { Vec::new() } else { held.unread() };
        let mut found = raw(conn, params, &held.plan.table, &held.layout, &Keys::Referring(column, &own), ids)?;
        let width = held.layout.width() + 1;
        let pairs = found.chunks(width).filter_map(|row| pair(row.last(), row.first())).collect();
        let mut at = 0;
        found.retain(|_| {
            at += 1;
            at % width != 0
        });
        held.keep(found);
        held.close(&own);
        Ok(pairs)
    }
}

/// Two keys.
fn pair(from: Option<&Value>, to: Option<&Value>) -> Option<(ObjectId, ObjectId)> {
    Some((from?.as_object()?, to?.as_object()?))
}

impl Data for Values<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let at = self.at(entity)?;
        if let Some(column) = self.column(at, name) {
            let row = self.find(at, object)?;
            let value = row.and_then(|row| self.held.get(at)?.value(row, column));
            return Ok(value.cloned().unwrap_or(Value::Empty));
        }
        if self.held.get(at).is_some_and(|held| column(&held.plan.table, name).is_some()) {
            self.want_member(at, name);
            self.want(at, [object]);
            self.missing = true;
            return Err(missing());
        }
        let first = self.list(entity, object, name)?.first().copied();
        Ok(first.map_or(Value::Empty, Value::Object))
    }

    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        self.list(entity, object, name).map(<[ObjectId]>::to_vec)
    }

    fn is_noting(&self) -> bool {
        self.missing
    }
}
