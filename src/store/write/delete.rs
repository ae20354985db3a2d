//! Deleting, with what the associations that point here say about it.

use super::row::{self, bound};
use super::{Values, compiled, note, refused, refused_openly, still};
use crate::access::{Delete, ObjectError, Permit, Rights, WriteError};
use crate::audit::EventKind;
use crate::db::DbError;
use crate::db::sql::{Sql, execute, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::OnDelete;
use crate::store::error::{disagreement, fault, granted, wire};
use crate::store::lower::{Condition, ids};
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
    count(store, &compiled.table, object)?;
    rehearse(store, permit.rights(), &compiled.table, object, &still)?;
    Removal { store, seen: BTreeSet::new(), changed: 0 }.remove(&compiled.table, object, found.values)
}

/// Refuses to begin where too many objects would go with this one: the database would take them all along first.
fn count(store: &mut Store<'_>, table: &Table, object: ObjectId) -> Result<(), ObjectError> {
    let statements = store.statements;
    let mut seen = BTreeSet::from([(table.entity.name.clone(), object)]);
    let mut todo = vec![(table.entity.name.clone(), vec![object])];
    while let Some((target, targets)) = todo.pop() {
        for (owner, association) in statements.tables.pointing_at(&target) {
            let Some(Place::Column { column, .. }) = owner.members.get(&association.name) else { continue };
            if association.on_delete != OnDelete::Cascade {
                continue;
            }
            for part in targets.chunks(AT_ONCE) {
                let mut points = Sql::new();
                points.raw(" IN (").append(&ids(part)).raw(")");
                let mut found = owners(store, owner, column, &points)?;
                found.retain(|id| seen.insert((owner.entity.name.clone(), *id)));
                if seen.len() > MOST {
                    return Err(ObjectError::Fault("too many objects would go with this one".into()));
                }
                todo.push((owner.entity.name.clone(), found));
            }
        }
    }
    Ok(())
}

/// The rows whose column `points` where it says; one more than may change, at most.
fn owners(store: &mut Store<'_>, table: &Table, column: &Name, points: &Sql) -> Result<Vec<ObjectId>, ObjectError> {
    let mut sql = Sql::new();
    sql.raw("SELECT ").ident("id").raw(" FROM ").ident(&table.name).raw(" WHERE ").ident(column).append(points);
    sql.raw(" ORDER BY ").ident("id").raw(" LIMIT ").int(i64::try_from(MOST_CHANGED).unwrap_or(i64::MAX).saturating_add(1));
    let kinds = [Kind::Object(table.entity.name.clone())];
    let found = fetch(store.conn, &sql, &store.params, &kinds).map_err(wire)?;
    Ok(found.iter().filter_map(|row| row.first().and_then(Value::as_object)).collect())
}

/// Deletes the row in the name of the rights, and undoes that again.
///
/// The rules are about the row with all that points at it and all its links. Those have to let go before it can be
/// deleted for good, and then a rule about them would no longer be true. So the database is asked first, while all of
/// it is in place, and what the model says goes by the model afterwards.
fn rehearse(
    store: &mut Store<'_>,
    rights: &Rights,
    table: &Table,
    object: ObjectId,
    still: &Condition,
) -> Result<(), WriteError> {
    let mut sql = row_goes(table, object);
    sql.raw(" AND ").append(&still.sql());
    match store.rehearsed(rights, &table.entity.name, &sql) {
        // What still points at the row is looked at after the row itself.
        Ok(1) | Err(DbError::ForeignKey(_)) => Ok(()),
        Ok(_) => Err(disagreement(row::told(table, Some(object)), "no such row for these rights".into()).into()),
        Err(error) => Err(granted(|| row::told(table, Some(object)), error).into()),
    }
}

fn row_goes(table: &Table, object: ObjectId) -> Sql {
    let mut sql = Sql::new();
    sql.raw("DELETE FROM ").ident(&table.name).raw(" AS ").ident(ROW);
    sql.raw(" WHERE ").append(&super::key_is(&table.entity.name, object));
    sql
}

struct Removal<'r, 'c> {
    store: &'r mut Store<'c>,
    seen: BTreeSet<(QName, ObjectId)>,
    /// How many objects lost a link so far.
    changed: usize,
}

impl Removal<'_, '_> {
    fn remove(&mut self, table: &Arc<Table>, object: ObjectId, values: Values) -> Result<(), WriteError> {
        let name = &table.entity.name;
        if !self.seen.insert((name.clone(), object)) {
            return Ok(());
        }
        // The row is held since it was read, so it is still the one that was tested.
        self.loosen(name, object)?;
        self.unlink(table, object)?;
        let touched = execute(self.store.conn, &row_goes(table, object), &self.store.params);
        let touched = touched.map_err(|error| match error {
            DbError::ForeignKey(_) => WriteError::InUse(name.clone()),
            other => wire(other).into(),
        })?;
        if touched != 1 {
            return Err(fault("a row is missing").into());
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
            let mut points = Sql::new();
            points.raw(" = ").append(&bound(object));
            let found = owners(self.store, owner, column, &points)?;
            if found.len() > MOST_CHANGED {
                return Err(ObjectError::Fault("too many objects would change with this one".into()).into());
            }
            for other in found {
                let gone = self.seen.contains(&(owner.entity.name.clone(), other));
                match association.on_delete {
                    OnDelete::Refuse if gone => self.clear(owner, &association.name, other)?,
                    OnDelete::Refuse => return Err(WriteError::InUse(owner.entity.name.clone())),
                    OnDelete::Clear => self.clear(owner, &association.name, other)?,
                    OnDelete::Cascade if gone => self.clear(owner, &association.name, other)?,
                    OnDelete::Cascade => {
                        let found = row::stored(self.store, owner, other, &[])?.ok_or_else(|| fault("a row is missing"))?;
                        self.remove(owner, other, found.values)?;
                    }
                }
            }
        }
        Ok(())
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
