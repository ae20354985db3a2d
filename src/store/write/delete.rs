//! Deleting, with what the associations that point here say about it.

use super::hand::Hand;
use super::row::{self, bound};
use super::{Values, compiled, note, refused, refused_openly, still};
use crate::access::{Delete, ObjectError, Permit, Rights, WriteError};
use crate::audit::EventKind;
use crate::db::DbError;
use crate::db::sql::{Sql, execute, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::OnDelete;
use crate::store::error::{disagreement, fault, granted, wire};
use crate::store::lower::Condition;
use crate::store::statements::ROW;
use crate::store::tables::{Link, OWNER, Place, TARGET, Table};
use crate::store::{Store, links};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most objects that one deletion may take with it.
const MOST: usize = 10_000;
/// The most objects that one deletion may take links away from.
const MOST_CHANGED: usize = 100_000;
/// So many of them are changed by one statement.
const AT_ONCE: usize = 500;

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
    let still = still(store, permit.rights(), &compiled, object, |compiled| compiled.any(permit.rules()))?;
    let asked = Asked { rights: permit.rights(), still };
    Removal { store, seen: BTreeSet::new(), changed: 0 }.remove(&compiled.table, object, found.values, Some(&asked))
}

/// In whose name the object itself goes, and what must still hold of it. What goes with it, goes by the model.
struct Asked<'a> {
    rights: &'a Rights,
    still: Condition,
}

struct Removal<'r, 'c> {
    store: &'r mut Store<'c>,
    seen: BTreeSet<(QName, ObjectId)>,
    /// How many objects lost a link so far.
    changed: usize,
}

impl Removal<'_, '_> {
    fn remove(
        &mut self,
        table: &Arc<Table>,
        object: ObjectId,
        values: Values,
        asked: Option<&Asked<'_>>,
    ) -> Result<(), WriteError> {
        let name = &table.entity.name;
        if !self.seen.insert((name.clone(), object)) {
            return Ok(());
        }
        if self.seen.len() > MOST {
            return Err(ObjectError::Fault("too many objects would go with this one".into()).into());
        }
        // The row is held since it was read, so it is still the one that was tested.
        self.loosen(name, object)?;
        self.unlink(table, object)?;
        let mut sql = Sql::new();
        sql.raw("DELETE FROM ").ident(&table.name).raw(" AS ").ident("t").raw(" WHERE ").append(&super::key_is(name, object));
        let touched = match asked {
            Some(asked) => {
                sql.raw(" AND ").append(&asked.still.sql());
                self.store.deed(Hand::Set(asked.rights), name, |conn, params| execute(conn, &sql, params))
            }
            None => self.store.deed(Hand::System, name, |conn, params| execute(conn, &sql, params)),
        };
        let touched = touched.map_err(|error| match error {
            DbError::ForeignKey(_) => WriteError::InUse(name.clone()),
            other => WriteError::Object(granted(|| row::told(table, Some(object)), other)),
        })?;
        if touched != 1 {
            return Err(disagreement(row::told(table, Some(object)), "no such row for these rights".into()).into());
        }
        note(self.store, EventKind::Deleted, name, object, &values, &BTreeMap::new());
        Ok(())
    }

    /// Takes the object out of every link: no rule is asked for what goes with it.
    fn unlink(&mut self, table: &Table, object: ObjectId) -> Result<(), WriteError> {
        let statements = self.store.statements;
        for place in table.members.values() {
            if let Place::Link(link) = place {
                self.cut(link, OWNER, object)?;
            }
        }
        for (owner, association) in statements.tables.pointing_at(&table.entity.name) {
            if let Some(Place::Link(link)) = owner.members.get(&association.name) {
                self.forget(owner, &association.name, link, object)?;
                self.cut(link, TARGET, object)?;
            }
        }
        Ok(())
    }

    fn cut(&mut self, link: &Link, side: &'static str, object: ObjectId) -> Result<(), ObjectError> {
        let mut sql = Sql::new();
        sql.raw("DELETE FROM ").ident(&link.table).raw(" WHERE ").raw(side).raw(" = ").append(&bound(object));
        execute(self.store.conn, &sql, &self.store.params).map(drop).map_err(wire)
    }

    /// The owners of links to the object lose it from their lists. That is a change of each of them, and recorded as
    /// one, except of those that are being deleted too.
    fn forget(&mut self, owner: &Arc<Table>, member: &Name, link: &Link, object: ObjectId) -> Result<(), WriteError> {
        let entity = &owner.entity.name;
        let stamps = row::stamps(self.store, &owner.entity, false);
        let mut losing = self.losing(owner, link, object, &stamps)?;
        losing.retain(|(id, _)| !self.seen.contains(&(entity.clone(), *id)));
        self.changed += losing.len();
        if self.changed > MOST_CHANGED {
            return Err(ObjectError::Fault("too many objects would change with this one".into()).into());
        }
        for part in losing.chunks(AT_ONCE) {
            let keys: Vec<ObjectId> = part.iter().map(|(id, _)| *id).collect();
            let tables = &self.store.statements.tables;
            let mut lists = links::lists(self.store.conn, tables, &self.store.params, entity, member, &keys)?;
            let sql = row::touch(owner, &keys, &stamps);
            if execute(self.store.conn, &sql, &self.store.params).map_err(wire)? != part.len() {
                return Err(WriteError::Stale);
            }
            for (id, old_stamps) in part {
                let all = lists.remove(id).unwrap_or_default();
                let left = all.iter().filter(|target| **target != object).copied().collect();
                let (mut old, mut new) = (old_stamps.clone(), stamps.clone());
                old.insert(member.clone(), Value::List(all));
                new.insert(member.clone(), Value::List(left));
                note(self.store, EventKind::Changed, entity, *id, &old, &new);
            }
        }
        Ok(())
    }

    /// The objects that have a link to this one, with what they have in the members that the server keeps.
    fn losing(
        &mut self,
        owner: &Table,
        link: &Link,
        object: ObjectId,
        stamps: &Values,
    ) -> Result<Vec<(ObjectId, Values)>, ObjectError> {
        let columns: Vec<_> = owner.columns().filter(|(name, _, _)| stamps.contains_key(*name)).collect();
        let (mut sql, mut kinds) = (Sql::new(), vec![Kind::Object(owner.entity.name.clone())]);
        sql.raw("SELECT ").ident(ROW).raw(".").ident("id");
        for (_, column, kind) in &columns {
            sql.raw(", ").ident(ROW).raw(".").ident(*column);
            kinds.push((*kind).clone());
        }
        sql.raw(" FROM ").ident(&owner.name).raw(" AS ").ident(ROW).raw(" WHERE ").ident(ROW).raw(".").ident("id");
        sql.raw(" IN (SELECT ").raw(OWNER).raw(" FROM ").ident(&link.table).raw(" WHERE ").raw(TARGET).raw(" = ");
        sql.append(&bound(object)).raw(") ORDER BY 1");
        // Who changes one of them meanwhile waits here, and then finds another version.
        sql.raw_by("", " FOR UPDATE OF t");
        let found = fetch(self.store.conn, &sql, &self.store.params, &kinds).map_err(wire)?;
        let one = |row: Vec<Value>| {
            let mut cells = row.into_iter();
            let id = cells.next().and_then(|value| value.as_object())?;
            Some((id, columns.iter().map(|(name, _, _)| (*name).clone()).zip(cells).collect()))
        };
        Ok(found.into_iter().filter_map(one).collect())
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
                        self.remove(owner, other, found.values, None)?;
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
        let sql = row::change(table, owner, found.version, &Condition::Always, &written);
        if execute(self.store.conn, &sql, &self.store.params).map_err(wire)? != 1 {
            return Err(WriteError::Stale);
        }
        let old = found.values.into_iter().filter(|(name, _)| written.contains_key(name)).collect();
        note(self.store, EventKind::Changed, &table.entity.name, owner, &old, &written);
        Ok(())
    }
}
