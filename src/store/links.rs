//! Many-to-many associations.

use super::error::{fault, wire};
use super::lower::ids;
use super::tables::{Hop, Tables};
use crate::access::ObjectError;
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use std::collections::HashMap;

/// A question for links: pairs of keys.
pub(super) struct Question {
    pub sql: Sql,
    pub kinds: [Kind; 2],
}

/// Asks for the objects linked to each of these by an association (own or inverse name), in order of
/// their keys; in place of the link table, `from`.
pub(super) fn question(
    tables: &Tables,
    entity: &QName,
    name: &str,
    from: Option<&Name>,
    of: &[ObjectId],
) -> Result<Question, ObjectError> {
    let (hop, target) = tables.hop(entity, name).ok_or_else(|| fault("an association is missing"))?;
    let mut sql = Sql::new();
    match hop {
        Hop::Link(link) => {
            sql.raw("SELECT ").ident(link.from).raw(", ").ident(link.to).raw(" FROM ").ident(from.unwrap_or(&link.table));
            sql.raw(" WHERE ").ident(link.from)
        }
        Hop::Back { column, .. } => {
            let owner = tables.get(&target).ok_or_else(|| fault("a table is missing"))?;
            sql.raw("SELECT ").ident(&column).raw(", ").ident("id").raw(" FROM ").ident(&owner.name);
            sql.raw(" WHERE ").ident(&column)
        }
        Hop::Column(_) => return Err(fault("an association leads to one object only")),
    };
    sql.raw(" IN (").append(&ids(of)).raw(") ORDER BY 1, 2");
    Ok(Question { sql, kinds: [Kind::Object(entity.clone()), Kind::Object(target)] })
}

/// The answer, by the first key.
pub(super) fn gathered(rows: Vec<Vec<Value>>) -> HashMap<ObjectId, Vec<ObjectId>> {
    let mut lists: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for row in rows {
        if let [Value::Object(from), Value::Object(to)] = row.as_slice() {
            lists.entry(*from).or_default().push(*to);
        }
    }
    lists
}

/// The objects linked to each of these, whoever may see it.
pub(super) fn lists(
    conn: &mut Conn,
    tables: &Tables,
    params: &Params,
    entity: &QName,
    name: &str,
    of: &[ObjectId],
) -> Result<HashMap<ObjectId, Vec<ObjectId>>, ObjectError> {
    let question = question(tables, entity, name, None, of)?;
    fetch(conn, &question.sql, params, &question.kinds).map(gathered).map_err(wire)
}
