//! Rows as they are written and read back.

use super::hand::Hand;
use super::{Values, feedback, key_is};
use crate::access::{ObjectError, WriteError};
use crate::db::sql::{Params, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::{Entity, Model};
use crate::store::error::{disagreement, fault, granted, wire};
use crate::store::lower::{Condition, ids};
use crate::store::statements::ROW;
use crate::store::tables::{Link, OWNER, Place, TARGET, Table};
use crate::store::{Store, links};

/// A row as it stands, and how it stands to some conditions.
pub(super) struct Stored {
    pub version: i64,
    pub values: Values,
    pub holds: Vec<bool>,
}

/// Reads a row with all members, whoever asks; the conditions are answered with it.
pub(super) fn stored(
    store: &mut Store<'_>,
    table: &Table,
    object: ObjectId,
    conditions: &[&Condition],
) -> Result<Option<Stored>, ObjectError> {
    let (mut sql, mut kinds) = (Sql::new(), vec![Kind::INTEGER]);
    sql.raw("SELECT ").ident(ROW).raw(".").ident("version");
    for condition in conditions {
        sql.raw(", ").append(&condition.truth());
        kinds.push(Kind::Boolean);
    }
    let mut names = Vec::new();
    for (name, column, kind) in table.columns() {
        sql.raw(", ").ident(ROW).raw(".").ident(column);
        kinds.push(kind.clone());
        names.push(name.clone());
    }
    sql.raw(" FROM ").ident(&table.name).raw(" AS ").ident(ROW).raw(" WHERE ").append(&key_is(&table.entity.name, object));
    // Another writer of the same row waits here, so that the row that is tested is the row that is written.
    sql.raw_by("", " FOR UPDATE OF t");
    let Some(row) = fetch(store.conn, &sql, &store.params, &kinds).map_err(wire)?.into_iter().next() else {
        return Ok(None);
    };
    let mut cells = row.into_iter();
    let Some(Value::Integer(version)) = cells.next() else { return Err(fault("a row has no version")) };
    let holds = cells.by_ref().take(conditions.len()).map(|v| v.holds()).collect();
    let mut values: Values = names.into_iter().zip(cells).collect();
    for (name, _) in table.members.iter().filter(|(_, place)| matches!(place, Place::Link(_))) {
        let mut lists = links::lists(store.conn, &store.statements.tables, &store.params, &table.entity.name, name, &[object])?;
        values.insert(name.clone(), Value::List(lists.remove(&object).unwrap_or_default()));
    }
    Ok(Some(Stored { version, values, holds }))
}

pub(super) fn insert(store: &mut Store<'_>, hand: Hand<'_>, table: &Table, values: &Values) -> Result<ObjectId, WriteError> {
    let found = store.deed(hand, &table.entity.name, |conn, params| inserted(conn, params, table, values));
    let found = found.map_err(|error| feedback::of_write(error, table, None))?;
    Ok(found.ok_or_else(|| fault("a new row has no key"))?)
}

/// Inserts a row as it is and tells its key.
pub(in crate::store) fn inserted(
    conn: &mut Conn,
    params: &Params,
    table: &Table,
    values: &Values,
) -> Result<Option<ObjectId>, DbError> {
    let mut sql = Sql::new();
    sql.raw("INSERT INTO ").ident(&table.name).raw(" (").ident("version");
    let columns: Vec<_> = table.columns().collect();
    for (_, column, _) in &columns {
        sql.raw(", ").ident(*column);
    }
    sql.raw(") VALUES (1");
    for (name, _, kind) in &columns {
        sql.raw(", ").bind(values.get(*name).unwrap_or(&Value::Empty), kind);
    }
    sql.raw(") RETURNING ").ident("id");
    let kinds = [Kind::Object(table.entity.name.clone())];
    let found = fetch(conn, &sql, params, &kinds)?;
    Ok(found.first().and_then(|row| row.first()).and_then(Value::as_object))
}

/// A change of a row of this version, if the condition still holds.
pub(super) fn change(table: &Table, object: ObjectId, version: i64, condition: &Condition, values: &Values) -> Sql {
    let mut sql = Sql::new();
    sql.raw("UPDATE ").ident(&table.name).raw(" AS ").ident(ROW).raw(" SET ").ident("version").raw(" = ");
    sql.ident(ROW).raw(".").ident("version").raw(" + 1");
    for (name, column, kind) in table.columns() {
        if let Some(value) = values.get(name) {
            sql.raw(", ").ident(column).raw(" = ").bind(value, kind);
        }
    }
    sql.raw(" WHERE ").append(&key_is(&table.entity.name, object)).raw(" AND ").ident(ROW).raw(".").ident("version");
    sql.raw(" = ").bind(&Value::Integer(version), &Kind::INTEGER).raw(" AND ").append(&condition.sql());
    sql
}

/// The same change of several rows, of whatever version: they have been locked before.
pub(super) fn touch(table: &Table, objects: &[ObjectId], values: &Values) -> Sql {
    let mut sql = Sql::new();
    sql.raw("UPDATE ").ident(&table.name).raw(" AS ").ident(ROW).raw(" SET ").ident("version").raw(" = ");
    sql.ident(ROW).raw(".").ident("version").raw(" + 1");
    for (name, column, kind) in table.columns() {
        if let Some(value) = values.get(name) {
            sql.raw(", ").ident(column).raw(" = ").bind(value, kind);
        }
    }
    sql.raw(" WHERE ").ident(ROW).raw(".").ident("id").raw(" IN (").append(&ids(objects)).raw(")");
    sql
}

/// The row in words, for incidents.
pub(super) fn told(table: &Table, object: Option<ObjectId>) -> String {
    let name = &table.entity.name;
    object.map_or_else(|| format!("a new {name}"), |object| format!("{name}#{}", object.0))
}

/// When and by whom; `owner` and `created` only for a new row.
pub(super) fn stamps(store: &Store<'_>, entity: &Entity, new: bool) -> Values {
    let fresh = |name: &Name| !matches!(name.as_str(), "created" | "owner") || new;
    let times = entity.attributes.values().filter(|a| a.server && fresh(&a.name));
    let people = entity.associations.values().filter(|a| a.server && fresh(&a.name));
    let mut out: Values = times.map(|a| (a.name.clone(), Value::DateTime(store.caller.now))).collect();
    let actor = store.caller.user.map_or(Value::Empty, Value::Object);
    out.extend(people.filter(|a| a.target == Model::user_entity()).map(|a| (a.name.clone(), actor.clone())));
    out
}

/// Brings many-to-many members from what they are to what they shall be.
pub(super) fn write_links(
    store: &mut Store<'_>,
    hand: Hand<'_>,
    table: &Table,
    object: ObjectId,
    old: &Values,
    new: &Values,
) -> Result<(), WriteError> {
    for (name, place) in &table.members {
        let (Place::Link(link), Some(value)) = (place, new.get(name)) else { continue };
        let about = || format!("{}#{}.{name}", table.entity.name, object.0);
        let ids = |value: Option<&Value>| if let Some(Value::List(ids)) = value { ids.clone() } else { Vec::new() };
        let (before, mut after) = (ids(old.get(name)), ids(Some(value)));
        after.sort_unstable();
        after.dedup();
        for gone in before.iter().filter(|id| !after.contains(id)) {
            let mut sql = Sql::new();
            sql.raw("DELETE FROM ").ident(&link.table).raw(" WHERE ").raw(OWNER).raw(" = ").append(&bound(object));
            sql.raw(" AND ").raw(TARGET).raw(" = ").append(&bound(*gone));
            let touched = store
                .deed(hand, &table.entity.name, |conn, params| execute(conn, &sql, params))
                .map_err(|error| granted(about, error))?;
            if touched != 1 {
                return Err(disagreement(about(), "no such link for these rights".into()).into());
            }
        }
        for come in after.iter().filter(|id| !before.contains(id)) {
            let done = store.deed(hand, &table.entity.name, |conn, params| linked(conn, params, link, object, *come));
            done.map_err(|error| granted(about, error))?;
        }
    }
    Ok(())
}

/// Inserts a link as it is.
pub(in crate::store) fn linked(
    conn: &mut Conn,
    params: &Params,
    link: &Link,
    owner: ObjectId,
    target: ObjectId,
) -> Result<(), DbError> {
    let mut sql = Sql::new();
    sql.raw("INSERT INTO ").ident(&link.table).raw(" (").raw(OWNER).raw(", ").raw(TARGET).raw(") VALUES (");
    sql.append(&bound(owner)).raw(", ").append(&bound(target)).raw(")");
    execute(conn, &sql, params).map(drop)
}

pub(super) fn bound(object: ObjectId) -> Sql {
    let mut sql = Sql::new();
    sql.bind(&Value::Object(object), &Kind::Object(Model::user_entity()));
    sql
}
