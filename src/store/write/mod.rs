//! Writing: what is given is checked, the row is tested before and after, the deed is recorded.

mod change;
mod clash;
mod create;
mod delete;
mod feedback;
mod hand;
mod lock;
mod row;
mod values;

pub(super) use change::change;
pub(super) use create::create;
pub(super) use delete::delete;
pub(super) use lock::lock;
pub(super) use row::{inserted, linked};
pub(super) use values::check;

use super::Store;
use super::error::{lowering, wire};
use super::inside::rows_of;
use super::lower::Condition;
use super::statements::{Compiled, Footing, ROW};
use crate::access::{Act, Denied, Layer, ObjectError, Permit, Reason, Rights, WriteError};
use crate::audit::{Event, EventKind};
use crate::db::sql::{Sql, fetch};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Values = BTreeMap<Name, Value>;

/// The rules of a permit, compiled.
fn compiled<A: Act>(store: &Store<'_>, permit: &Permit<A>) -> Result<Arc<Compiled>, ObjectError> {
    let found = store.statements.compiled_on(permit.rights(), permit.target(), Footing::System).map_err(lowering)?;
    found.filter(|c| !c.table.entity.system).ok_or_else(|| refused(permit.target(), Vec::new()))
}

/// A refusal that does not tell whether the object exists.
fn refused(entity: &QName, rules: Vec<usize>) -> ObjectError {
    Denied::concealed(Layer::EntityAccess, Reason::RowCondition { entity: entity.clone(), rules }).into()
}

/// A refusal of an object that the writer sees anyway.
fn refused_openly(entity: &QName, rules: Vec<usize>) -> ObjectError {
    Denied::new(Layer::EntityAccess, Reason::RowCondition { entity: entity.clone(), rules }).into()
}

// SECURITY: every member that was sent is looked at here again, whatever the permit was asked for.
fn writable(compiled: &Compiled, members: &Values) -> Result<(), Denied> {
    if !compiled.heeded {
        return Ok(());
    }
    let entity = &compiled.table.entity;
    for name in members.keys() {
        let granted = compiled.rights.writable.contains_key(name);
        if !granted || !entity.has_member(name) || entity.server_kept(name) {
            return Err(Denied::new(Layer::EntityAccess, Reason::Member(entity.name.clone(), name.clone())));
        }
    }
    Ok(())
}

/// For each distinct set of rules that grants some of the members: any rule of it holds.
fn granting(compiled: &Compiled, members: &Values) -> Vec<Condition> {
    let sets: BTreeSet<&Vec<usize>> = members.keys().filter_map(|name| compiled.rights.writable.get(name)).collect();
    sets.into_iter().map(|rules| compiled.any(rules)).collect()
}

/// The members among these whose rules do not hold for a stored row: at their fields the refusal is shown.
fn closed(store: &mut Store<'_>, compiled: &Compiled, object: ObjectId, members: &Values) -> Result<Vec<Name>, ObjectError> {
    let mut closed = Vec::new();
    for name in members.keys() {
        let rules = compiled.rights.writable.get(name).map(Vec::as_slice).unwrap_or_default();
        if !row_satisfies(store, compiled, object, vec![compiled.any(rules)])? {
            closed.push(name.clone());
        }
    }
    Ok(closed)
}

/// Whether all conditions hold for a stored row; `None` when there is no such row.
fn row_satisfies(store: &mut Store<'_>, compiled: &Compiled, object: ObjectId, all: Vec<Condition>) -> Result<bool, ObjectError> {
    let all = all.into_iter().fold(Condition::Always, Condition::and);
    match all {
        Condition::Always => return Ok(true),
        Condition::Never => return Ok(false),
        Condition::When(_) => {}
    }
    let mut sql = Sql::new();
    sql.raw("SELECT ").append(&all.truth()).raw(" FROM ").ident(&compiled.table.name).raw(" AS ").ident(ROW);
    sql.raw(" WHERE ").append(&key_is(&compiled.table.entity.name, object));
    let found = fetch(store.conn, &sql, &store.params, &[Kind::Boolean]).map_err(wire)?;
    Ok(found.first().and_then(|row| row.first()).is_some_and(Value::holds))
}

/// What the tested rules say of a row, as a write can ask it that runs in the name of a set of rights: through the
/// witness view, because it may compare no more of the table than keys.
fn still(
    store: &Store<'_>,
    rights: &Rights,
    compiled: &Compiled,
    object: ObjectId,
    rules: impl FnOnce(&Compiled) -> Condition,
) -> Result<Condition, ObjectError> {
    if !stands(Removable::DatabaseEngine) {
        return Ok(rules(compiled));
    }
    let entity = &compiled.table.entity.name;
    let footing = Footing::Reader(store.conn.dialect());
    let through = store.statements.compiled_on(rights, entity, footing).map_err(lowering)?;
    let rule = match through.map_or(Condition::Never, |through| rules(&through)) {
        Condition::When(rule) => rule,
        known => return Ok(known),
    };
    let names = store.statements.names(rights, entity, footing).map_err(lowering)?;
    let witness = names.map_or_else(|| compiled.table.name.clone(), |names| names.witness(&compiled.table.name));
    let mut sql = Sql::new();
    sql.raw("EXISTS (SELECT 1 FROM ").ident(witness).raw(" AS ").ident(ROW);
    sql.raw(" WHERE ").append(&key_is(entity, object)).raw(" AND ").append(&rule).raw(")");
    Ok(Condition::When(sql))
}

/// `t.id = ?`
fn key_is(entity: &QName, object: ObjectId) -> Sql {
    let mut sql = Sql::new();
    sql.ident(ROW).raw(".").ident("id").raw(" = ").bind(&Value::Object(object), &Kind::Object(entity.clone()));
    sql
}

/// What the written row must satisfy: the conditions, and the entity's own validations.
fn settle(
    store: &mut Store<'_>,
    rights: &Rights,
    compiled: &Compiled,
    object: ObjectId,
    rules: Vec<Condition>,
    given: &Values,
) -> Result<(), WriteError> {
    if !row_satisfies(store, compiled, object, rules)? {
        let members = closed(store, compiled, object, given)?;
        let reason = Reason::NewRow(compiled.table.entity.name.clone(), members);
        return Err(Denied::new(Layer::EntityAccess, reason).into());
    }
    let mut wrong = Vec::new();
    for validation in &compiled.table.entity.validations {
        if !store.satisfies(&validation.rule, object, rights)? {
            wrong.push(feedback::of(validation.member.clone(), validation.message.clone()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(WriteError::Invalid(wrong)) }
}

// SECURITY: a reference may point only at what the writer may read: a foreign handle is refused
// exactly like one that points nowhere.
fn references(
    store: &mut Store<'_>,
    rights: &Rights,
    compiled: &Compiled,
    values: &Values,
    before: Option<&Values>,
) -> Result<(), ObjectError> {
    if !compiled.heeded {
        return Ok(());
    }
    for (name, value) in values {
        let Some(association) = compiled.table.entity.associations.get(name) else { continue };
        let old = before.and_then(|values| values.get(name));
        let ids = match value {
            Value::Object(id) => vec![*id],
            Value::List(ids) => ids.clone(),
            _ => continue,
        };
        for id in ids {
            let kept = match old {
                Some(Value::Object(old)) => *old == id,
                Some(Value::List(old)) => old.contains(&id),
                _ => false,
            };
            let oneself = association.target == Model::user_entity() && store.caller.user == Some(id);
            if !kept && !oneself {
                reachable(store, rights, &association.target, id)?;
            }
        }
    }
    Ok(())
}

fn reachable(store: &mut Store<'_>, rights: &Rights, target: &QName, id: ObjectId) -> Result<(), ObjectError> {
    let condition = rows_of(store, rights, target, id)?;
    let mut sql = Sql::new();
    sql.raw("SELECT ").append(&condition.truth());
    let found = fetch(store.conn, &sql, &store.params, &[Kind::Boolean]).map_err(wire)?;
    if found.first().and_then(|row| row.first()).is_some_and(Value::holds) {
        return Ok(());
    }
    Err(refused(target, Vec::new()))
}

/// Notes a deed with the members that differ.
fn note(store: &mut Store<'_>, kind: EventKind, entity: &QName, object: ObjectId, old: &Values, new: &Values) {
    let verb = match kind {
        EventKind::Created => "created",
        EventKind::Deleted => "deleted",
        _ => "changed",
    };
    let mut event = Event::new(kind, format!("{entity} {verb}")).on(format!("{entity}#{}", object.0));
    let names: BTreeSet<&Name> = old.keys().chain(new.keys()).collect();
    for name in names {
        let text = |values: &Values| values.get(name).filter(|v| !v.is_empty()).map(Value::canonical);
        let (before, after) = (text(old), text(new));
        if before != after {
            event = event.detail(format!("{entity}.{name}"), before, after);
        }
    }
    store.events.push(event);
}
