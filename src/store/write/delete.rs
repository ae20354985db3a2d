//! Deleting, with what the associations that point here say about it.

use super::row::{self, bound};
use super::{Values, compiled, note, refused, refused_openly};
use crate::access::{Delete, ObjectError, Permit, WriteError};
use crate::audit::EventKind;
use crate::db::DbError;
use crate::db::sql::{Sql, execute, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::OnDelete;
use crate::store::Store;
use crate::store::error::{fault, wire};
use crate::store::lower::Condition;
use crate::store::tables::{Place, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most objects that one deletion may take with it.
const MOST: usize = 10_000;

pub(in crate::store) fn delete(
    store: &mut Store<'_>,
    permit: &Permit<Delete>,
    object: ObjectId,
    version: Option<i64>,
) -> Result<(), WriteError> {
    let compiled = compiled(store, permit)?;
    let (name, tried) = (permit.target(), permit.rules().to_vec());
    let granted = compiled.any(permit.rules());
    let found = row::stored(store, &compiled.table, object, &[&compiled.visible, &granted])?;
    let Some(found) = found else { return Err(refused(name, tried).into()) };
    match found.holds.as_slice() {
        [_, true] => {}
        [true, _] => return Err(refused_openly(name, tried).into()),
        _ => return Err(refused(name, tried).into()),
    }
    if version.is_some_and(|known| known != found.version) {
        return Err(WriteError::Stale);
    }
    Removal { store, seen: BTreeSet::new() }.remove(&compiled.table, object, found.values, &granted)
}

struct Removal<'r, 'c> {
    store: &'r mut Store<'c>,
    seen: BTreeSet<(QName, ObjectId)>,
}

impl Removal<'_, '_> {
    fn remove(&mut self, table: &Arc<Table>, object: ObjectId, values: Values, condition: &Condition) -> Result<(), WriteError> {
        let name = &table.entity.name;
        if !self.seen.insert((name.clone(), object)) {
            return Ok(());
        }
        if self.seen.len() > MOST {
            return Err(ObjectError::Fault("too many objects would go with this one".into()).into());
        }
        // The row is held since it was read, so it is still the one that was tested.
        self.loosen(name, object)?;
        let mut sql = Sql::new();
        sql.raw("DELETE FROM ").ident(&table.name).raw(" AS ").ident("t").raw(" WHERE ");
        sql.append(&super::key_is(name, object)).raw(" AND ").append(&condition.sql());
        let touched = execute(self.store.conn, &sql, &self.store.params).map_err(|error| match error {
            DbError::ForeignKey(_) => WriteError::InUse(name.clone()),
            other => WriteError::Object(wire(other)),
        })?;
        if touched != 1 {
            return Err(WriteError::Stale);
        }
        note(self.store, EventKind::Deleted, name, object, &values, &BTreeMap::new());
        Ok(())
    }

    /// Deals with all that points at the object.
    fn loosen(&mut self, target: &QName, object: ObjectId) -> Result<(), WriteError> {
        let statements = self.store.statements;
        for (owner, association) in statements.tables.pointing_at(target) {
            let Some(Place::Column { column, .. }) = owner.members.get(&association.name) else { continue };
            for other in self.owners(owner, column, object)? {
                let gone = self.seen.contains(&(owner.entity.name.clone(), other));
                match association.on_delete {
                    OnDelete::Refuse if gone => self.clear(owner, &association.name, other)?,
                    OnDelete::Refuse => return Err(WriteError::InUse(owner.entity.name.clone())),
                    OnDelete::Clear => self.clear(owner, &association.name, other)?,
                    OnDelete::Cascade if gone => self.clear(owner, &association.name, other)?,
                    OnDelete::Cascade => {
                        let found = row::stored(self.store, owner, other, &[])?.ok_or_else(|| fault("a row is missing"))?;
                        self.remove(owner, other, found.values, &Condition::Always)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn owners(&mut self, table: &Table, column: &Name, object: ObjectId) -> Result<Vec<ObjectId>, ObjectError> {
        let mut sql = Sql::new();
        sql.raw("SELECT ").ident("id").raw(" FROM ").ident(&table.name).raw(" WHERE ").ident(column).raw(" = ");
        sql.append(&bound(object)).raw(" ORDER BY ").ident("id");
        let kinds = [Kind::Object(table.entity.name.clone())];
        let found = fetch(self.store.conn, &sql, &self.store.params, &kinds).map_err(wire)?;
        Ok(found.iter().filter_map(|row| row.first().and_then(Value::as_object)).collect())
    }

    /// The owner forgets the object; that is a change of the owner, and recorded as one.
    fn clear(&mut self, table: &Arc<Table>, member: &Name, owner: ObjectId) -> Result<(), WriteError> {
        let found = row::stored(self.store, table, owner, &[])?.ok_or_else(|| fault("a row is missing"))?;
        let mut written = row::stamps(self.store, &table.entity, false);
        written.insert(member.clone(), Value::Empty);
        if !row::update(self.store, table, owner, found.version, &Condition::Always, &written)? {
            return Err(WriteError::Stale);
        }
        let old = found.values.into_iter().filter(|(name, _)| written.contains_key(name)).collect();
        note(self.store, EventKind::Changed, &table.entity.name, owner, &old, &written);
        Ok(())
    }
}
