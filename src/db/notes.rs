//! What is noted of what was generated in PostgreSQL's schema: which pieces were made, who was given what, and since when
//! a set of rights has not been held.
//!
//! Guarantees: what is noted is what its owner made, in the transaction in which it was made.
//! Deliberately not here: making it (`supply`), and comparing notes and catalogue (`generated`).

use super::admit::id_of;
use super::generated::{self, Made};
use super::sql::{Param, Params, Sql, execute, fetch};
use super::stock::Need;
use super::{Conn, DbError};
use crate::domain::{Kind, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What the notes of pieces are called.
pub(super) const PIECE: &str = "piece of ";

/// What is noted under these ids.
pub(super) fn noted(conn: &mut Conn, ids: &[&str], params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut sql = Sql::new();
    sql.raw("SELECT set_id, made FROM engine_set WHERE set_id IN (").append(&generated::texts(ids)).raw(")").uncacheable();
    let mut found = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text])? {
        let [Value::Text(id), Value::Text(made)] = row.as_slice() else { continue };
        let made = serde_json::from_str(made).map_err(|error| DbError::Other(error.into()))?;
        found.insert(id.to_string(), made);
    }
    Ok(found)
}

/// Notes what was made under an id, in addition to what is noted there.
pub(super) fn write_note(conn: &mut Conn, id: &str, called: &str, entries: &Made, params: &Params) -> Result<(), DbError> {
    let entries = serde_json::to_string(entries).map_err(|error| DbError::Other(error.into()))?;
    let mut sql = Sql::new();
    sql.raw("INSERT INTO engine_set (set_id, rights, digest, made, at) VALUES (");
    for text in [id, called] {
        sql.bind(&Value::text(text), &Kind::Text).raw(", ");
    }
    sql.raw("'', ").bind(&Value::text(&*entries), &Kind::Text).raw(", ");
    sql.param(Param::Now).raw(
        ") ON CONFLICT (set_id) DO UPDATE SET made = (engine_set.made::jsonb || excluded.made::jsonb)::text, at = excluded.at",
    );
    execute(conn, &sql, params).map(drop)
}

/// Which of this was not made, or not given, as far as it is noted. The rest is known from now on.
pub fn missing(conn: &mut Conn, needs: &[Need], params: &Params) -> Result<Vec<Need>, DbError> {
    let Some(roles) = conn.roles().cloned() else { return Ok(Vec::new()) };
    let sets: BTreeSet<&str> = needs.iter().map(|need| &*need.set).collect();
    let noted = noted(conn, &Vec::from_iter(sets), params)?;
    let given = |need: &Need| {
        let Some(made) = noted.get(&*need.set) else { return false };
        let reader = roles.reader(&need.set);
        need.piece.as_ref().is_none_or(|piece| match piece.looks() {
            true => made.contains_key(&format!("writes {}", piece.id)),
            false => piece.views().all(|view| made.contains_key(&generated::right(&reader, view))),
        })
    };
    let (there, missing): (Vec<&Need>, Vec<&Need>) = needs.iter().partition(|need| given(need));
    there.into_iter().for_each(|need| conn.stock.note(need));
    Ok(missing.into_iter().cloned().collect())
}

/// The views that were given to a set, as far as it is noted.
pub fn given(conn: &mut Conn, set: &str, params: &Params) -> Result<BTreeSet<String>, DbError> {
    let Some(roles) = conn.roles().cloned() else { return Ok(BTreeSet::new()) };
    let begins = generated::right(&roles.reader(set), "");
    let made = noted(conn, &[set], params)?.remove(set).unwrap_or_default();
    Ok(made.keys().filter_map(|entry| entry.strip_prefix(&begins)).map(str::to_owned).collect())
}

/// So long a set is not held before it goes: longer than any transaction lasts that began while it was.
const GRACE: &str = "interval '5 minutes'";
/// How long to wait for transactions that use a view which is dropped.
const PATIENCE: &str = "SET LOCAL lock_timeout = '1s'";

/// What was made for sets that are not among these for a while, and the pieces that no other set uses, with the objects
/// of each. Call it under the lock of those who prepare.
pub fn unused(conn: &mut Conn, kept: &BTreeSet<String>, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    mark(conn, kept, params)?;
    conn.batch(PATIENCE)?;
    let mut sql = Sql::new();
    sql.raw("SELECT set_id, starts_with(rights, ")
        .bind(&Value::text(PIECE), &Kind::Text)
        .raw("), digest <> '' AND digest < to_char(");
    sql.param(Param::Now)
        .raw("::timestamp - ")
        .raw(GRACE)
        .raw(", 'YYYY-MM-DD HH24:MI:SS'), made FROM engine_set WHERE set_id <> ");
    sql.bind(&Value::text(generated::EVERY), &Kind::Text);
    let (mut gone, mut pieces, mut todo) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Boolean, Kind::Boolean, Kind::Text])? {
        let [Value::Text(id), piece, past, Value::Text(made)] = row.as_slice() else { continue };
        let made: Made = serde_json::from_str(made).map_err(|error| DbError::Other(error.into()))?;
        match (*piece == Value::Boolean(true), *past == Value::Boolean(true)) {
            (true, _) => drop(pieces.insert(id.to_string(), made)),
            (false, true) => drop(gone.insert(id.to_string(), made)),
            (false, false) => todo.extend(made.keys().filter_map(|entry| stands_on(entry)).map(str::to_owned)),
        }
    }
    while let Some(id) = todo.pop() {
        if let Some(made) = pieces.remove(&id) {
            todo.extend(made.keys().filter_map(|entry| stands_on(entry)).map(str::to_owned));
        }
    }
    gone.extend(pieces);
    Ok(gone)
}

/// The piece that an entry of a note speaks of.
fn stands_on(entry: &str) -> Option<&str> {
    let named = entry.strip_prefix("writes ").or_else(|| entry.strip_prefix("needs "));
    named.or_else(|| id_of(entry.strip_prefix("right ")?.split_once(" ON ")?.1))
}

/// Notes since when sets are not held.
fn mark(conn: &mut Conn, kept: &BTreeSet<String>, params: &Params) -> Result<(), DbError> {
    // A list is never empty, and no set is called like that.
    let kept: Vec<&str> = kept.iter().map(String::as_str).chain(["-"]).collect();
    let mut sql = Sql::new();
    sql.raw("UPDATE engine_set SET digest = CASE WHEN set_id IN (")
        .append(&generated::texts(&kept))
        .raw(") THEN '' ELSE to_char(");
    sql.param(Param::Now).raw("::timestamp, 'YYYY-MM-DD HH24:MI:SS') END WHERE set_id <> ");
    sql.bind(&Value::text(generated::EVERY), &Kind::Text).raw(" AND NOT starts_with(rights, ");
    sql.bind(&Value::text(PIECE), &Kind::Text)
        .raw(") AND (digest = '') <> (set_id IN (")
        .append(&generated::texts(&kept))
        .raw("))");
    sql.uncacheable();
    execute(conn, &sql, params).map(drop)
}

/// Takes notes away.
pub fn forget(conn: &mut Conn, ids: &[&str], params: &Params) -> Result<(), DbError> {
    let mut sql = Sql::new();
    sql.raw("DELETE FROM engine_set WHERE set_id IN (").append(&generated::texts(ids)).raw(")").uncacheable();
    execute(conn, &sql, params).map(drop)
}
