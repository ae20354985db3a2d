//! What is written and clashes with another object: values that are unique, ranges that may not overlap.
//!
//! SECURITY: a refusal says that there is another object only to somebody who sees it, with the members that clash.
//! Everybody else is told no more than that the value cannot be used, in the same words whatever the cause. That it
//! cannot be used is not hidden: the database keeps what the model declares
//! (`what_is_taken_by_a_hidden_object_is_refused_in_general_words`).

use super::{Values, feedback};
use crate::access::{Cell, Feedback, ObjectError, Query, Rights, RuleOrigin};
use crate::db::sql::{Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::store::error::wire;
use crate::store::ranges::Range;
use crate::store::tables::{Place, Table};
use crate::store::{Store, released};

/// What is said of a value that clashes with an object out of sight.
pub(super) const GENERAL: &str = "This value can't be used here";

/// What of an object's values clashes with another object. Call it when the values themselves are sound.
pub(super) fn clashes(
    store: &mut Store<'_>,
    rights: &Rights,
    table: &Table,
    object: Option<ObjectId>,
    written: &Values,
    all: &Values,
) -> Result<Vec<Feedback>, ObjectError> {
    let mut wrong = Vec::new();
    for members in table.unique_sets().filter(|members| members.iter().any(|member| written.contains_key(*member))) {
        let Some(sql) = same(table, &members, all, object) else { continue };
        let Some(other) = found(store, table, &sql)? else { continue };
        let message = if sees(store, rights, table, other, &members)? { in_use(table, &members) } else { GENERAL.to_owned() };
        wrong.extend(members.first().map(|first| feedback::of(Some((*first).clone()), message)));
    }
    for range in Range::of(table).into_iter().filter(|range| range.concerns(written)) {
        let Some(sql) = range.other(all, object) else { continue };
        let Some(other) = found(store, table, &sql)? else { continue };
        let members: Vec<&Name> = range.members().collect();
        let message = match &range.of.message {
            Some(message) => message.clone(),
            None if sees(store, rights, table, other, &members)? => overlaps(table),
            None => GENERAL.to_owned(),
        };
        wrong.push(feedback::of(Some(range.of.member.clone()), message));
    }
    Ok(wrong)
}

fn in_use(table: &Table, members: &[&Name]) -> String {
    let labels: Vec<&str> = members.iter().map(|name| table.entity.member_label(name).unwrap_or(name)).collect();
    format!("{} is already in use", labels.join(" with "))
}

fn overlaps(table: &Table) -> String {
    format!("This overlaps with another {}", table.entity.label)
}

/// What finds a row with the same values; `None` when one of them is empty, which equals nothing.
fn same(table: &Table, members: &[&Name], all: &Values, object: Option<ObjectId>) -> Option<Sql> {
    let mut sql = Sql::new();
    sql.raw("SELECT t.id FROM ").ident(&table.name).raw(" AS t WHERE TRUE");
    for member in members {
        let Some(Place::Column { column, kind, .. }) = table.members.get(*member) else { return None };
        let value = all.get(*member).filter(|value| !value.is_empty())?;
        sql.raw(" AND t.").ident(column).raw(" = ").bind(value, kind);
    }
    if let Some(object) = object {
        sql.raw(" AND t.id <> ").bind(&Value::Object(object), &Kind::Object(table.entity.name.clone()));
    }
    sql.raw(" LIMIT 1");
    Some(sql)
}

fn found(store: &mut Store<'_>, table: &Table, sql: &Sql) -> Result<Option<ObjectId>, ObjectError> {
    let rows = fetch(store.conn, sql, &store.params, &[Kind::Object(table.entity.name.clone())]).map_err(wire)?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_object))
}

/// Whether the writer sees the object with these members, as a page would show it. A flow with grants of its own
/// sees more than the person who runs it and who is told.
fn sees(store: &mut Store<'_>, rights: &Rights, table: &Table, object: ObjectId, members: &[&Name]) -> Result<bool, ObjectError> {
    let entity = &table.entity.name;
    let elevated = |of: &std::sync::Arc<crate::access::EntityRights>| {
        of.rules.iter().any(|rule| matches!(rule.origin, RuleOrigin::Elevation(..)))
    };
    if rights.entities.values().any(elevated) {
        return Ok(false);
    }
    let paths = members.iter().map(|member| vec![(*member).clone()]).collect();
    let query = Query { object: Some(object), limit: 1, ..Query::of(entity, paths) };
    match released(store, rights, &query) {
        Ok(rows) => Ok(rows.rows.first().is_some_and(|row| row.cells.iter().all(|cell| matches!(cell, Cell::Shown(_))))),
        Err(ObjectError::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is said when only the database noticed: somebody else wrote the same at the same time.
pub(super) fn late(table: &Table, constraint: &str) -> Option<Feedback> {
    let range = Range::of(table).into_iter().find(|range| range.name().as_str() == constraint)?;
    let message = range.of.message.clone().unwrap_or_else(|| GENERAL.to_owned());
    Some(feedback::of(Some(range.of.member.clone()), message))
}
