//! The statements of release: values of rows by key, without any rule.
//!
//! Guarantees: nothing else in this layer asks the database; the text of a statement depends on the
//! model only, and on whether there is one key or several (which are one bound value), so it is prepared once.
//! Deliberately not here: rules. What is read decides, and is never shown.

use super::held::Layout;
use crate::access::ObjectError;
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch_flat};
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
    /// Those whose column holds one of these keys; and in the same statement, without that column, those with the keys
    /// that are given here.
    Referring(&'a Name, &'a [ObjectId]),
}

/// The rows, one after the other: their own key, the columns, and last the key in the column that refers to another
/// where that is asked for. Each key is given once.
pub(super) fn raw(
    conn: &mut Conn,
    params: &Params,
    table: &Table,
    layout: &Layout,
    keys: &Keys<'_>,
    of: &[ObjectId],
) -> Result<Vec<Value>, ObjectError> {
    let (mut sql, mut kinds, mut rows) = (Sql::new(), layout.kinds(), of.len());
    match keys {
        Keys::Own => {
            select(&mut sql, layout);
            known(sql.raw(" FROM "), &table.name, "id", of);
        }
        Keys::Climbing(parent) => {
            // INVARIANT: UNION drops what is already there, so a circle in the tree ends the climb.
            sql.raw("WITH RECURSIVE up(id) AS (SELECT c.id FROM ").ident(&table.name).raw(" AS c WHERE c.id IN ");
            among(&mut sql, of).raw(" UNION SELECT c.").ident(*parent).raw(" FROM ").ident(&table.name);
            sql.raw(" AS c JOIN up ON c.id = up.id) ");
            select(&mut sql, layout);
            sql.raw(" FROM ").ident(&table.name).raw(" AS s WHERE s.id IN (SELECT up.id FROM up)");
        }
        Keys::Referring(by, own) => {
            if !own.is_empty() {
                select(&mut sql, layout);
                known(sql.raw(", NULL FROM "), &table.name, "id", own);
                sql.raw(" UNION ALL ");
            }
            select(&mut sql, layout);
            sql.raw(", s.").ident(*by).raw(" FROM ");
            known(&mut sql, &table.name, *by, of);
            (kinds, rows) = (layout.kinds_with_key(), of.len() + own.len());
        }
    }
    fetch_flat(conn, &sql, params, kinds, rows).map_err(wire)
}

/// `SELECT …`: the key and the columns.
fn select(sql: &mut Sql, layout: &Layout) {
    sql.raw("SELECT s.id");
    for column in &layout.columns {
        sql.raw(", s.").ident(&column.column);
    }
}

/// The pairs of a link table that begin at these keys.
pub(super) fn linked(conn: &mut Conn, params: &Params, link: &Link, of: &[ObjectId]) -> Result<Vec<Value>, ObjectError> {
    let object = Kind::Object(Model::user_entity());
    let mut sql = Sql::new();
    sql.raw("SELECT s.").ident(link.from).raw(", s.").ident(link.to).raw(" FROM ");
    known(&mut sql, &link.table, link.from, of);
    fetch_flat(conn, &sql, params, &[object.clone(), object], of.len()).map_err(wire)
}

/// `table AS s` where the column holds one of these keys, which are all different: the keys lead, so that a
/// database need not collect them first.
fn known(sql: &mut Sql, table: &Name, column: impl Into<Name>, keys: &[ObjectId]) {
    if let [one] = keys {
        sql.ident(table).raw(" AS s WHERE s.").ident(column).raw(" = ");
        sql.bind(&Value::Object(*one), &Kind::Object(Model::user_entity()));
        return;
    }
    sql.raw_by("json_each(", "(SELECT j.value::bigint AS value FROM json_array_elements_text((");
    sql.bind(&Value::text(listed(keys)), &Kind::Text).raw_by(") AS k CROSS JOIN ", ")::json) AS j(value)) AS k CROSS JOIN ");
    sql.ident(table).raw(" AS s WHERE s.").ident(column).raw(" = k.value");
}

/// `(…)`: any number of keys as one bound text.
fn among<'s>(sql: &'s mut Sql, keys: &[ObjectId]) -> &'s mut Sql {
    sql.raw_by("(SELECT k.value FROM json_each(", "(SELECT k.value::bigint FROM json_array_elements_text((");
    sql.bind(&Value::text(listed(keys)), &Kind::Text).raw_by(") AS k)", ")::json) AS k(value))")
}

fn listed(keys: &[ObjectId]) -> String {
    let mut text = String::with_capacity(2 + keys.len() * 8);
    for key in keys {
        text.push(if text.is_empty() { '[' } else { ',' });
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", key.0);
    }
    text.push_str(if text.is_empty() { "[]" } else { "]" });
    text
}
