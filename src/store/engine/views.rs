//! The views of a set: what it reads, and what its rules look at.

use super::Set;
use crate::db::sql::Sql;
use crate::domain::{Name, QName, Value};
use crate::store::lower::Condition;
use crate::store::names;
use crate::store::statements::{Compiled, ROW, Readable, Source};
use crate::store::tables::{OWNER, Place, TARGET, Table};
use std::collections::BTreeSet;

impl Set<'_> {
    /// The columns that stand unmasked in the reader's view.
    pub(super) fn unmasked(&self, entity: &QName) -> BTreeSet<Name> {
        let inputs = self.inputs.columns.get(entity).into_iter().flatten();
        inputs.chain(self.inputs.along.get(entity).into_iter().flatten()).cloned().collect()
    }

    pub(super) fn reader_view(&self, view: &Name, compiled: &Compiled) -> Sql {
        let mut sql = create(view);
        row_columns(&mut sql, &self.unmasked(&compiled.table.entity.name));
        for (member, readable) in &compiled.readable {
            let (Source::Sql(value), Some(column)) = (&readable.value, masked_column(&compiled.table, member)) else { continue };
            sql.raw(", ");
            match &readable.shown {
                Condition::Always => sql.append(value),
                Condition::Never => sql.bind(&Value::Empty, &readable.kind),
                Condition::When(rule) => sql.raw("CASE WHEN ").append(rule).raw(" THEN ").append(value).raw(" END"),
            };
            sql.raw(" AS ").ident(&column);
        }
        sql.raw(" FROM ").append(&names::stored(&compiled.table.name)).raw(" AS ").ident(ROW);
        if !matches!(compiled.visible, Condition::Always) {
            sql.raw(" WHERE ").append(&compiled.visible.sql());
        }
        sql
    }
}

/// The name of a member's column in the reader's view.
pub(in crate::store) fn masked_column(table: &Table, member: &str) -> Option<Name> {
    match table.members.get(member)? {
        Place::Column { column, .. } => Some(names::masked(column)),
        Place::Calculated { .. } => Some(names::masked(&names::attribute(member))),
        Place::Link(_) => None,
    }
}

/// What rules compare in every row of a table.
pub(super) fn witness_view(view: &Name, table: &Name, columns: &BTreeSet<Name>) -> Sql {
    let mut sql = create(view);
    row_columns(&mut sql, columns);
    sql.raw(" FROM ").append(&names::stored(table)).raw(" AS ").ident(ROW);
    sql
}

/// The links that rules follow.
pub(super) fn witness_links(view: &Name, link: &Name) -> Sql {
    let mut sql = create(view);
    link_columns(&mut sql, link);
    sql
}

/// Links are read where the row that owns them shows the member.
pub(super) fn link_view(view: &Name, link: &Name, compiled: &Compiled, readable: &Readable) -> Sql {
    let mut sql = create(view);
    link_columns(&mut sql, link);
    let owner = compiled.visible.clone().and(readable.shown.clone());
    if !matches!(owner, Condition::Always) {
        sql.raw(" WHERE EXISTS (SELECT 1 FROM ")
            .append(&names::stored(&compiled.table.name))
            .raw(" AS ")
            .ident(ROW)
            .raw(" WHERE ");
        sql.ident(ROW).raw(".").ident("id").raw(" = ").ident("l").raw(".").ident(OWNER);
        sql.raw(" AND ").append(&owner.sql()).raw(")");
    }
    sql
}

fn create(view: &Name) -> Sql {
    let mut sql = Sql::new();
    sql.raw_by("CREATE TEMP VIEW ", "CREATE VIEW ").ident(view).raw(" AS SELECT ");
    sql
}

fn row_columns(sql: &mut Sql, columns: &BTreeSet<Name>) {
    let kept = [Name::new("id"), Name::new("version")];
    for (at, column) in kept.iter().chain(columns).enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).ident(ROW).raw(".").ident(column).raw(" AS ").ident(column);
    }
}

fn link_columns(sql: &mut Sql, link: &Name) {
    for (at, column) in [OWNER, TARGET].into_iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).ident("l").raw(".").ident(column).raw(" AS ").ident(column);
    }
    sql.raw(" FROM ").append(&names::stored(link)).raw(" AS ").ident("l");
}
