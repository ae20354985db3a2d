//! The statements of release: values of rows by key, without any rule.
//!
//! Guarantees: nothing else in this layer asks the database; the text of a statement depends on the
//! model and on how many keys there are (rounded up), so it is prepared once.
//! Deliberately not here: rules. What is read decides, and is never shown.

use crate::access::ObjectError;
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::Model;
use crate::store::error::wire;
use crate::store::tables::{Link, Table};

/// So many keys stand in one statement at most.
const MOST_KEYS: usize = 512;

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

/// The rows: the key they were asked by, their own key, and the columns.
pub(super) fn raw(
    conn: &mut Conn,
    params: &Params,
    table: &Table,
    columns: &[Column],
    keys: &Keys<'_>,
    of: &[ObjectId],
) -> Result<Vec<Vec<Value>>, ObjectError> {
    let object = Kind::Object(Model::user_entity());
    let mut kinds = vec![object.clone(), object.clone()];
    kinds.extend(columns.iter().map(|column| column.kind.clone()));
    let by = if let Keys::Referring(column) = keys { column.as_str() } else { "id" };
    let mut found = Vec::new();
    for chunk in of.chunks(MOST_KEYS) {
        let mut sql = Sql::new();
        if let Keys::Climbing(parent) = keys {
            // INVARIANT: UNION drops what is already there, so a circle in the tree ends the climb.
            sql.raw("WITH RECURSIVE up(id) AS (SELECT c.id FROM ").ident(&table.name).raw(" AS c WHERE c.id IN (");
            bind(&mut sql, &object, chunk);
            sql.raw(") UNION SELECT c.").ident(parent).raw(" FROM ").ident(&table.name).raw(" AS c JOIN up ON c.id = up.id) ");
        }
        sql.raw("SELECT s.").ident(by).raw(", s.id");
        for column in columns {
            sql.raw(", s.").ident(&column.column);
        }
        sql.raw(" FROM ").ident(&table.name).raw(" AS s WHERE s.").ident(by).raw(" IN (");
        if let Keys::Climbing(_) = keys {
            sql.raw("SELECT up.id FROM up");
        } else {
            bind(&mut sql, &object, chunk);
        }
        sql.raw(")");
        found.extend(fetch(conn, &sql, params, &kinds).map_err(wire)?);
    }
    Ok(found)
}

/// The pairs of a link table that begin at these keys.
pub(super) fn linked(conn: &mut Conn, params: &Params, link: &Link, of: &[ObjectId]) -> Result<Vec<Vec<Value>>, ObjectError> {
    let object = Kind::Object(Model::user_entity());
    let kinds = [object.clone(), object.clone()];
    let mut found = Vec::new();
    for chunk in of.chunks(MOST_KEYS) {
        let mut sql = Sql::new();
        sql.raw("SELECT s.").ident(link.from).raw(", s.").ident(link.to).raw(" FROM ").ident(&link.table);
        sql.raw(" AS s WHERE s.").ident(link.from).raw(" IN (");
        bind(&mut sql, &object, chunk);
        sql.raw(")");
        found.extend(fetch(conn, &sql, params, &kinds).map_err(wire)?);
    }
    Ok(found)
}

/// The keys, the last one repeated up to a power of two: few texts for any number of keys.
fn bind(sql: &mut Sql, kind: &Kind, keys: &[ObjectId]) {
    let Some(last) = keys.last() else {
        sql.raw("NULL");
        return;
    };
    let padded = keys.iter().chain(std::iter::repeat(last)).take(keys.len().next_power_of_two());
    for (at, key) in padded.enumerate() {
        if at > 0 {
            sql.raw(", ");
        }
        sql.bind(&Value::Object(*key), kind);
    }
}
