//! The views of a set: what it reads, and what its rules look at.

use super::Set;
use crate::db::sql::Sql;
use crate::domain::{Name, QName, Value};
use crate::store::lower::{Condition, Lowered};
use crate::store::names;
use crate::store::statements::{Compiled, Footing, ROW, Readable, Source, Statements};
use crate::store::sync::Step;
use crate::store::tables::{OWNER, Place, TARGET, Table};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Set<'_> {
    /// The views that paths lead to: first, because the readers' views are made of them.
    pub(super) fn witness_views(&self, statements: &Statements) -> Vec<Step> {
        let mut steps = Vec::new();
        for (entity, columns) in &self.inputs.columns {
            let Some(table) = statements.tables.get(entity) else { continue };
            let view = self.names.witness(&table.name);
            let sql = witness_view(&view, &table.name, columns);
            steps.push(Step::new(format!("view {view}: what rules of {} compare in {entity}", self.rights.key), vec![sql]));
        }
        for link in &self.inputs.links {
            let view = self.names.witness(link);
            let sql = witness_links(&view, link);
            steps.push(Step::new(format!("view {view}: links that rules of {} follow", self.rights.key), vec![sql]));
        }
        steps
    }

    /// The views that the set reads. Row-level security holds their owner to the same rows, so they do not ask for the
    /// rows again: the rule would be computed once more for nothing.
    pub(super) fn reader_views(&self, statements: &Statements) -> Lowered<Vec<Step>> {
        let mut steps = Vec::new();
        for compiled in self.readable(statements)? {
            let entity = &compiled.table.entity.name;
            let view = self.names.reader(&compiled.table.name);
            let step = format!("view {view}: what {} reads of {entity}", self.rights.key);
            steps.push(Step::new(step, vec![self.reader_view(&view, &compiled, true)]));
            for (member, readable) in &compiled.readable {
                let (Source::Link(link), Some(Place::Link(_))) = (&readable.value, compiled.table.members.get(member)) else {
                    continue;
                };
                let view = self.names.reader(link);
                let step = format!("view {view}: what {} reads of {entity}.{member}", self.rights.key);
                steps.push(Step::new(step, vec![link_view(&view, link, &compiled, readable, true)]));
            }
        }
        Ok(steps)
    }

    /// The entities of which anything is read, in order.
    pub(super) fn readable(&self, statements: &Statements) -> Lowered<Vec<Arc<Compiled>>> {
        let names: BTreeSet<&QName> = self.rights.entities.keys().collect();
        let mut all = Vec::new();
        for entity in names {
            // What is not stored has no table.
            if statements.tables.get(entity).is_none() {
                continue;
            }
            let compiled = statements.compiled_on(self.rights, entity, Footing::Maker)?;
            all.extend(compiled.filter(|compiled| !compiled.rights.readable.is_empty()));
        }
        Ok(all)
    }

    /// The columns that stand unmasked in the reader's view.
    pub(super) fn unmasked(&self, entity: &QName) -> BTreeSet<Name> {
        let inputs = self.inputs.columns.get(entity).into_iter().flatten();
        inputs.chain(self.inputs.along.get(entity).into_iter().flatten()).cloned().collect()
    }

    pub(super) fn reader_view(&self, view: &Name, compiled: &Compiled, secured: bool) -> Sql {
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
        if !secured && !matches!(compiled.visible, Condition::Always) {
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
pub(super) fn link_view(view: &Name, link: &Name, compiled: &Compiled, readable: &Readable, secured: bool) -> Sql {
    let mut sql = create(view);
    link_columns(&mut sql, link);
    let owner = compiled.visible.clone().and(readable.shown.clone());
    if !secured && !matches!(owner, Condition::Always) {
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
