//! Creating.

use super::hand::Hand;
use super::{Values, clash, compiled, granting, note, references, row, settle, values, writable};
use crate::access::{Create, ObjectError, Permit, Rights, WriteError};
use crate::audit::EventKind;
use crate::db::sql::{Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::expr::Typed;
use crate::model::{AttributeKind, Entity};
use crate::store::Store;
use crate::store::error::{fault, wire};
use std::collections::BTreeMap;

pub(in crate::store) fn create(store: &mut Store<'_>, permit: &Permit<Create>, given: &Values) -> Result<ObjectId, WriteError> {
    let compiled = compiled(store, permit)?;
    let entity = compiled.table.entity.clone();
    writable(&compiled, given)?;
    let mut all = defaults(store, permit.rights(), &entity, given)?;
    all.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut all = values::normal(&entity, all);
    let wrong = values::check(store.statements.model(), &entity, &all, &all);
    if !wrong.is_empty() {
        return Err(WriteError::Invalid(wrong));
    }
    references(store, permit.rights(), &compiled, given, None)?;
    kept(store, &entity, &mut all)?;
    let wrong = clash::clashes(store, permit.rights(), &compiled.table, None, &all, &all)?;
    if !wrong.is_empty() {
        return Err(WriteError::Invalid(wrong));
    }
    let mut rules = granting(&compiled, given);
    rules.push(compiled.any(permit.rules()));
    let write = |store: &mut Store<'_>, hand: Hand<'_>| {
        let id = row::insert(store, hand, &compiled.table, &all)?;
        row::write_links(store, hand, &compiled.table, id, &BTreeMap::new(), &all)?;
        Ok(id)
    };
    let settle = |store: &mut Store<'_>, id: &ObjectId| settle(store, permit.rights(), &compiled, *id, rules.clone(), given);
    let id = store.held(permit.rights(), write, settle)?;
    note(store, EventKind::Created, &entity.name, id, &BTreeMap::new(), &all);
    Ok(id)
}

/// The model's first values for members that were not given.
fn defaults(store: &mut Store<'_>, rights: &Rights, entity: &Entity, given: &Values) -> Result<Values, ObjectError> {
    let attributes = entity.attributes.values().map(|a| (&a.name, a.default.as_ref(), a.kind()));
    let associations = entity.associations.values().map(|a| (&a.name, a.default.as_ref(), a.kind()));
    let wanted: Vec<(Name, Option<Typed>, Kind)> = attributes
        .chain(associations)
        .filter(|(name, _, _)| !given.contains_key(*name))
        .map(|(name, default, kind)| (name.clone(), default.cloned(), kind))
        .collect();
    let mut all = Values::new();
    for (name, default, kind) in wanted {
        let value = match default {
            Some(expression) => store.compute(&expression, None, rights)?,
            None if kind == Kind::Boolean && !entity.server_kept(&name) => Value::Boolean(false),
            None => continue,
        };
        all.insert(name, value);
    }
    Ok(all)
}

/// Members that the server keeps.
fn kept(store: &mut Store<'_>, entity: &Entity, all: &mut Values) -> Result<(), ObjectError> {
    all.extend(row::stamps(store, entity, true));
    for attribute in entity.attributes.values().filter(|a| a.kind == AttributeKind::Autonumber) {
        let number = next_number(store, &format!("{}.{}", entity.name, attribute.name))?;
        all.insert(attribute.name.clone(), number);
    }
    Ok(())
}

fn next_number(store: &mut Store<'_>, key: &str) -> Result<Value, ObjectError> {
    let mut sql = Sql::new();
    sql.raw("INSERT INTO autonumber (entity_member, next) VALUES (").bind(&Value::text(key), &Kind::Text);
    sql.raw(", 2) ON CONFLICT (entity_member) DO UPDATE SET next = autonumber.next + 1 RETURNING next - 1");
    let found = fetch(store.conn, &sql, &store.params, &[Kind::INTEGER]).map_err(wire)?;
    found.into_iter().next().and_then(|row| row.into_iter().next()).ok_or_else(|| fault("no number was given"))
}
