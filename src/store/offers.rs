//! Which rules hold for the objects that a page shows, so that it offers what they allow.
//!
//! Guarantees: the answer is that of the statements by which writes are tested ([`super::write`]), over the same rows,
//! and about rows that the reader sees only; one statement for all objects of a page, up to [`MOST_AT_ONCE`].
//! Deliberately not here: a decision. What is offered is tested again when it is done, before and after.

use super::Store;
use super::error::{lowering, wire};
use super::lower::Condition;
use super::statements::{Footing, ROW};
use crate::access::{Holding, ObjectError, Rights};
use crate::db::sql::{Sql, fetch};
use crate::domain::{Kind, ObjectId, QName, Value};

/// At most so many objects in one statement.
const MOST_AT_ONCE: usize = 200;

/// Object → for each rule about its entity, by number, whether it holds. Rules that only let something be read, or
/// created, are not asked about.
// SECURITY: it tells the reader whether they may change or delete an object that they see, which trying would tell too.
pub(super) fn holding(
    store: &mut Store<'_>,
    rights: &Rights,
    entity: &QName,
    objects: &[ObjectId],
) -> Result<Holding, ObjectError> {
    let mut all = Holding::new();
    let compiled = store.statements.compiled_on(rights, entity, Footing::System).map_err(lowering)?;
    let Some(compiled) = compiled else { return Ok(all) };
    let mut rules: Vec<Condition> = Vec::with_capacity(compiled.rights.rules.len());
    for (number, rule) in compiled.rights.rules.iter().enumerate() {
        let writes = !rule.write.is_empty() || rule.delete;
        rules.push(if writes { compiled.any(&[number]) } else { Condition::Never });
    }
    for objects in objects.chunks(MOST_AT_ONCE) {
        let (mut sql, mut kinds) = (Sql::new(), vec![Kind::Object(entity.clone())]);
        sql.raw("SELECT ").ident(ROW).raw(".").ident("id");
        for rule in rules.iter().filter(|rule| matches!(rule, Condition::When(_))) {
            sql.raw(", ").append(&rule.truth());
            kinds.push(Kind::Boolean);
        }
        sql.raw(" FROM ").ident(&compiled.table.name).raw(" AS ").ident(ROW).raw(" WHERE ").ident(ROW).raw(".").ident("id");
        sql.raw(" IN (");
        for (at, object) in objects.iter().enumerate() {
            sql.raw(if at == 0 { "" } else { ", " }).bind(&Value::Object(*object), &Kind::Object(entity.clone()));
        }
        sql.raw(") AND ").append(&compiled.visible.sql());
        for row in fetch(store.conn, &sql, &store.params, &kinds).map_err(wire)? {
            let mut cells = row.into_iter();
            let Some(object) = cells.next().as_ref().and_then(Value::as_object) else { continue };
            let mut holds = Vec::with_capacity(rules.len());
            for rule in &rules {
                holds.push(match rule {
                    Condition::When(_) => cells.next().is_some_and(|value| value.holds()),
                    known => matches!(known, Condition::Always),
                });
            }
            all.insert(object, holds);
        }
    }
    Ok(all)
}
