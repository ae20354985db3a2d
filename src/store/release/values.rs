//! Values re-read by key, and what is still missing.
//!
//! An evaluation that needs a value which was not read yet ends with "missing" and notes the key;
//! then all that is missing is read at once, one statement for each table, and the evaluation is
//! tried again. So a page costs as many statements as its rules have hops, however many rows it has.

use super::held::{By, ById, Held, List, column};
use super::inputs::Inputs;
use super::raw::{Keys, linked, raw};
use crate::access::{EntityRights, ObjectError, Rights};
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
    held: Vec<Held>,
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
        if let Some(at) = self.held.iter().position(|held| held.table.entity.name == *entity) {
            return Some(at);
        }
        let table = self.tables.get(entity)?.clone();
        let rights = self.rights.entities.get(entity).cloned();
        let columns = self.inputs.members(entity).filter_map(|name| column(&table, name)).collect();
        self.held.push(Held { table, rights, columns, rows: ById::default(), lists: Vec::new(), wanted: Vec::new() });
        Some(self.held.len() - 1)
    }

    fn at(&mut self, entity: &QName) -> Result<At, EvalError> {
        self.place(entity).ok_or_else(|| EvalError::Data(format!("{entity} is not stored")))
    }

    /// How an association leads on.
    pub(super) fn hop(&self, entity: &QName, name: &Name) -> Option<Hop> {
        self.tables.hop(entity, name).map(|(hop, _)| hop)
    }
    pub(super) fn table(&self, at: At) -> Result<&Arc<Table>, ObjectError> {
        self.held.get(at).map(|held| &held.table).ok_or_else(|| fault("an entity is missing"))
    }
    pub(super) fn rules(&self, at: At) -> Option<&Arc<EntityRights>> {
        self.held.get(at).and_then(|held| held.rights.as_ref())
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
        if held.columns.iter().any(|known| known.member == *name) {
            return;
        }
        if let Some(column) = column(&held.table, name) {
            held.columns.push(column);
            // What was read before lacks it, so it is read again when it is needed.
            held.rows.clear();
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

    /// Whether the row is there.
    pub(super) fn exists(&mut self, at: At, id: ObjectId) -> Result<bool, EvalError> {
        let Some(held) = self.held.get_mut(at) else { return Ok(false) };
        match held.rows.get(&id) {
            Some(row) => Ok(row.is_some()),
            None => {
                held.wanted.push(id);
                self.missing = true;
                Err(missing())
            }
        }
    }

    /// How a rule came out for a row, if it was asked before.
    pub(super) fn verdict(&self, at: At, id: ObjectId, rule: usize) -> Option<bool> {
        *self.held.get(at)?.rows.get(&id)?.as_ref()?.holds.get(rule)?
    }
    pub(super) fn note(&mut self, at: At, id: ObjectId, rule: usize, holds: bool) {
        let row = self.held.get_mut(at).and_then(|held| held.rows.get_mut(&id)).and_then(Option::as_mut);
        if let Some(place) = row.and_then(|row| row.holds.get_mut(rule)) {
            *place = Some(holds);
        }
    }

    /// A stored value that was read already.
    pub(super) fn peek(&self, at: At, id: ObjectId, name: &str) -> Option<&Value> {
        let held = self.held.get(at)?;
        let column = held.columns.iter().position(|column| column.member.as_str() == name)?;
        held.rows.get(&id)?.as_ref()?.value(column)
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
            Hop::Back { column, .. } => {
                let member = held.table.entity.inverses.get(name).ok_or_else(no_list)?.association.clone();
                By::Column { owner, member, column }
            }
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
        let mut ids = std::mem::take(&mut held.wanted);
        ids.retain(|id| !held.rows.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let entity = &held.table.entity;
        let parent = entity.tree.as_ref().filter(|_| self.inputs.climbs(&entity.name)).and_then(|tree| column(&held.table, tree));
        let keys = parent.as_ref().map_or(Keys::Own, |parent| Keys::Climbing(&parent.column));
        let found = raw(conn, params, &held.table, &held.columns, &keys, &ids)?;
        found.into_iter().for_each(|row| held.keep(row));
        for id in ids {
            held.rows.entry(id).or_insert(None);
        }
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
                    linked(conn, params, &link, &ids)?.iter().filter_map(|row| pair(row.first(), row.last())).collect()
                }
                By::Column { owner, member, column } => {
                    let owner = self.place(&owner).ok_or_else(|| fault("an entity is missing"))?;
                    self.want_member(owner, &member);
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
        let found = raw(conn, params, &held.table, &held.columns, &Keys::Referring(column), ids)?;
        let pairs = found.iter().filter_map(|row| pair(row.last(), row.first())).collect();
        found.into_iter().for_each(|row| held.keep(row));
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
        let held = self.held.get_mut(at).ok_or_else(missing)?;
        if let Some(column) = held.columns.iter().position(|column| column.member == *name) {
            return match held.rows.get(&object) {
                Some(row) => Ok(row.as_ref().and_then(|row| row.value(column)).cloned().unwrap_or(Value::Empty)),
                None => {
                    held.wanted.push(object);
                    self.missing = true;
                    Err(missing())
                }
            };
        }
        if column(&held.table, name).is_some() {
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
}
