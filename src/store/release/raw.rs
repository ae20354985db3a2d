//! The statements of release: values of rows by key, without any rule.
//!
//! Guarantees: nothing else in this layer asks the database; the text of a statement depends on the
//! model only (all keys are one bound value), so it is prepared once.
//! Deliberately not here: rules. What is read decides, and is never shown.

use crate::access::ObjectError;
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::Model;
use crate::store::error::wire;
use crate::store::tables::{Link, Table};
use std::fmt::Write;

/// A stored member and the column that has it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub member: Name,
    pub column: Name,
    pub kind: Kind,
}

/// Which rows are asked for.
pub(super) enum Keys<'a> {
    /// Those with these keys.
    Own,
    /// Those, and all above them along this column of the tree.
    Climbing(&'a Name),
    /// Those whose column holds one of these keys.
    Referring(&'a Name),
}

/// The rows: their own key, the columns, and last the key they were asked by where that is another's.
pub(super) fn raw(
    conn: &mut Conn,
    params: &Params,
    table: &Table,
    columns: &[Column],
    keys: &Keys<'_>,
    of: &[ObjectId],
) -> Result<Vec<Vec<Value>>, ObjectError> {
    let object = Kind::Object(Model::user_entity());
    let mut kinds = vec![object.clone()];
    kinds.extend(columns.iter().map(|column| column.kind.clone()));
    let mut sql = Sql::new();
    if let Keys::Climbing(parent) = keys {
        // INVARIANT: UNION drops what is already there, so a circle in the tree ends the climb.
        sql.raw("WITH RECURSIVE up(id) AS (SELECT c.id FROM ").ident(&table.name).raw(" AS c WHERE c.id IN ");
        among(&mut sql, of).raw(" UNION SELECT c.").ident(parent).raw(" FROM ").ident(&table.name);
        sql.raw(" AS c JOIN up ON c.id = up.id) ");
    }
    sql.raw("SELECT s.id");
    for column in columns {
        sql.raw(", s.").ident(&column.column);
    }
    if let Keys::Referring(by) = keys {
        sql.raw(", s.").ident(by);
        kinds.push(object);
    }
    sql.raw(" FROM ").ident(&table.name).raw(" AS s WHERE s.");
    match keys {
        Keys::Own => among(sql.raw("id IN "), of),
        Keys::Climbing(_) => sql.raw("id IN (SELECT up.id FROM up)"),
        Keys::Referring(by) => among(sql.ident(by).raw(" IN "), of),
    };
    fetch(conn, &sql, params, &kinds).map_err(wire)
}

/// The pairs of a link table that begin at these keys.
pub(super) fn linked(conn: &mut Conn, params: &Params, link: &Link, of: &[ObjectId]) -> Result<Vec<Vec<Value>>, ObjectError> {
    let object = Kind::Object(Model::user_entity());
    let mut sql = Sql::new();
    sql.raw("SELECT s.").ident(link.from).raw(", s.").ident(link.to).raw(" FROM ").ident(&link.table);
    among(sql.raw(" AS s WHERE s.").ident(link.from).raw(" IN "), of);
    fetch(conn, &sql, params, &[object.clone(), object]).map_err(wire)
}

/// `(…)`: any number of keys as one bound text.
fn among<'s>(sql: &'s mut Sql, keys: &[ObjectId]) -> &'s mut Sql {
    let mut text = String::with_capacity(2 + keys.len() * 8);
    for key in keys {
        text.push(if text.is_empty() { '[' } else { ',' });
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", key.0);
    }
    text.push_str(if text.is_empty() { "[]" } else { "]" });
    sql.raw_by("(SELECT k.value FROM json_each(", "(SELECT k.value::bigint FROM json_array_elements_text((");
    sql.bind(&Value::text(text), &Kind::Text).raw_by(") AS k)", ")::json) AS k(value))")
}
