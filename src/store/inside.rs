//! What the model asks: it stands inside the reader's table.

use super::Store;
use super::error::lowering;
use super::lower::{Condition, Lower};
use super::read::not_there;
use super::statements::{Footing, ROW, Source};
use super::tables::Hop;
use crate::access::{ObjectError, Query, Rights};
use crate::db::sql::{Param, Sql};
use crate::domain::{Kind, Name, ObjectId, QName, Value};

/// The object, the association and the constraint of a query, over the row `t`.
pub(super) fn condition(store: &Store<'_>, rights: &Rights, query: &Query) -> Result<Condition, ObjectError> {
    let mut all = Condition::Always;
    // The keys are filled in when the statement runs, so that its text is the same for every object.
    if query.object.is_some() {
        let mut out = Sql::new();
        out.raw("(").ident(ROW).raw(".").ident("id").raw(" = ").param(Param::Object).raw(")");
        all = all.and(Condition::When(out));
    }
    if let Some((entity, _, name)) = &query.along {
        all = all.and(along(store, rights, query, entity, name)?);
    }
    if let Some(inside) = &query.inside {
        let names = store.statements.names_asked(rights, store.footing).map_err(lowering)?;
        let lower = Lower::new(&store.statements.tables, rights, &inside.variables).through(names.as_ref());
        let asked = lower.condition_at(&inside.condition, ROW).map_err(lowering)?;
        if let Condition::When(question) = &asked {
            store.statements.about_to_ask(rights, store.footing, question);
        }
        all = all.and(asked);
    }
    Ok(all)
}

fn key(object: ObjectId) -> Sql {
    let mut out = Sql::new();
    out.bind(&Value::Object(object), &Kind::Object(QName::new("system", "User")));
    out
}

/// The right to an association is the right to the member on the owning side, in the row that owns it.
fn along(store: &Store<'_>, rights: &Rights, query: &Query, entity: &QName, name: &Name) -> Result<Condition, ObjectError> {
    let start = || {
        let mut key = Sql::new();
        key.param(Param::Start);
        key
    };
    let refused = || not_there(rights, entity, name);
    let tables = &store.statements.tables;
    let (hop, target) = tables.hop(entity, name).ok_or_else(refused)?;
    if target != query.entity {
        return Err(refused());
    }
    let from = tables.get(entity).ok_or_else(refused)?;
    let owned = from.entity.associations.contains_key(name);
    // The rule that shows the association, over the owning row.
    let (owner, member) = match from.entity.inverses.get(name) {
        Some(inverse) if !owned => (inverse.owner.clone(), inverse.association.clone()),
        _ => (entity.clone(), name.clone()),
    };
    let compiled = store.statements.compiled_on(rights, &owner, store.footing).map_err(lowering)?.ok_or_else(refused)?;
    let readable = compiled.readable.get(&member).ok_or_else(refused)?;
    let shows = compiled.shows(&member);
    let mut out = Sql::new();
    out.raw("(");
    match (hop, &readable.value) {
        (Hop::Back { column, .. }, Source::Sql(value)) => {
            out.append(value).raw(" = ").append(&start());
            if compiled.from != compiled.table.name {
                // What the view masks can use no index; what it does not mask stands beside it.
                out.raw(" AND ").ident(ROW).raw(".").ident(&column).raw(" = ").append(&start());
            }
            out.raw(")");
            return Ok(Condition::When(out).and(shows));
        }
        (Hop::Column(_), Source::Sql(value)) => {
            out.ident(ROW).raw(".").ident("id").raw(" = (SELECT ").append(value);
            out.append(&parent(&compiled.from, &start(), &shows)).raw("))");
            return Ok(Condition::When(out));
        }
        (Hop::Link(link), Source::Link(table)) => {
            out.ident(ROW).raw(".").ident("id").raw(" IN (SELECT l.").ident(link.to).raw(" FROM ").ident(table);
            out.raw(" AS l WHERE l.").ident(link.from).raw(" = ").append(&start()).raw("))");
        }
        _ => return Err(refused()),
    }
    if !owned {
        return Ok(Condition::When(out).and(shows));
    }
    let mut visible = Sql::new();
    visible.raw("EXISTS (SELECT 1").append(&parent(&compiled.from, &start(), &shows)).raw(")");
    Ok(Condition::When(out).and(Condition::When(visible)))
}

/// ` FROM table AS t WHERE id = ? AND rule`
fn parent(table: &Name, key: &Sql, shows: &Condition) -> Sql {
    let mut out = Sql::new();
    out.raw(" FROM ").ident(table).raw(" AS ").ident(ROW).raw(" WHERE ").ident(ROW).raw(".").ident("id").raw(" = ");
    out.append(key).raw(" AND ").append(&shows.sql());
    out
}

/// The object is one of those the reader may see, as the system looks at it.
pub(super) fn rows_of(store: &Store<'_>, rights: &Rights, entity: &QName, object: ObjectId) -> Result<Condition, ObjectError> {
    let compiled = store.statements.compiled_on(rights, entity, Footing::System).map_err(lowering)?;
    let Some(compiled) = compiled else { return Ok(Condition::Never) };
    let mut out = Sql::new();
    out.raw("EXISTS (SELECT 1").append(&parent(&compiled.table.name, &key(object), &compiled.visible)).raw(")");
    Ok(Condition::When(out))
}
