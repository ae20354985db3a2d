//! Ranges that may not overlap: `exclude` of an entity, as the database compares it.
//!
//! Dates: both days belong to the range. Dates with a time: the end does not. An empty end is open, and what is
//! empty is the same as nothing.
//! Deliberately not here: who is told what (`write::clash`), and the constraint itself (`sync::exclude`).

use super::names;
use super::tables::{Place, Table};
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Name, ObjectId, Value};
use crate::model::Exclusion;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// One `exclude` of a table.
pub(super) struct Range<'t> {
    table: &'t Table,
    pub of: &'t Exclusion,
    /// Member, column and kind of what is compared.
    pub same: Vec<(&'t Name, &'t Name, &'t Kind)>,
    pub from: &'t Name,
    pub to: &'t Name,
    kind: &'t Kind,
}

impl<'t> Range<'t> {
    /// All of a table.
    pub(super) fn of(table: &'t Table) -> Vec<Self> {
        table.entity.exclude.iter().filter_map(|of| Self::one(table, of)).collect()
    }

    fn one(table: &'t Table, of: &'t Exclusion) -> Option<Self> {
        let column = |name: &'t Name| match table.members.get(name)? {
            Place::Column { column, kind, .. } => Some((name, column, kind)),
            _ => None,
        };
        let same = of.same.iter().map(column).collect::<Option<_>>()?;
        let ((_, from, kind), (_, to, _)) = (column(&of.from)?, column(&of.to)?);
        Some(Self { table, of, same, from, to, kind })
    }

    /// The name of the constraint, or of SQLite's index.
    pub(super) fn name(&self) -> Name {
        let ends = [self.from.clone(), self.to.clone()];
        let columns: Vec<Name> = self.same.iter().map(|(_, column, _)| (*column).clone()).chain(ends).collect();
        names::index("xx", &self.table.name, &columns)
    }

    /// Whether any of these members is compared.
    pub(super) fn concerns(&self, written: &BTreeMap<Name, Value>) -> bool {
        self.members().any(|member| written.contains_key(member))
    }

    /// All members that are compared.
    pub(super) fn members(&self) -> impl Iterator<Item = &'t Name> {
        self.same.iter().map(|(member, _, _)| *member).chain([&self.of.from, &self.of.to])
    }

    /// What finds a row that an object with these values would overlap; `None` when there can be none.
    pub(super) fn other(&self, values: &BTreeMap<Name, Value>, except: Option<ObjectId>) -> Option<Sql> {
        let value = |name: &Name| values.get(name).filter(|value| !value.is_empty());
        let mut sql = Sql::new();
        sql.raw("SELECT t.id FROM ").ident(&self.table.name).raw(" AS t WHERE TRUE");
        for (member, column, kind) in &self.same {
            sql.raw(" AND t.").ident(*column).raw(" = ").bind(value(member)?, kind);
        }
        let meets = self.meets();
        if let Some(from) = value(&self.of.from) {
            sql.raw(" AND (t.")
                .ident(self.to)
                .raw(" IS NULL OR ")
                .bind(from, self.kind)
                .raw(meets)
                .raw("t.")
                .ident(self.to)
                .raw(")");
        }
        if let Some(to) = value(&self.of.to) {
            sql.raw(" AND (t.").ident(self.from).raw(" IS NULL OR t.").ident(self.from).raw(meets).bind(to, self.kind).raw(")");
        }
        if let Some(object) = except {
            sql.raw(" AND t.id <> ").bind(&Value::Object(object), &Kind::Object(self.table.entity.name.clone()));
        }
        sql.raw(" ORDER BY t.id LIMIT 1");
        Some(sql)
    }

    /// How the beginning of one range stands to the end of another when they overlap.
    fn meets(&self) -> &'static str {
        if *self.kind == Kind::Date { " <= " } else { " < " }
    }

    /// Whether a stored row overlaps another one: for rows that nobody wrote through the rules.
    pub(super) fn overlaps(&self, conn: &mut Conn, params: &Params, object: ObjectId) -> Result<bool, DbError> {
        let meets = self.meets();
        let mut sql = Sql::new();
        sql.raw("SELECT s.id FROM ")
            .ident(&self.table.name)
            .raw(" AS t JOIN ")
            .ident(&self.table.name)
            .raw(" AS s ON s.id <> t.id");
        for (_, column, _) in &self.same {
            sql.raw(" AND s.").ident(*column).raw(" = t.").ident(*column);
        }
        for (one, other) in [("s.", "t."), ("t.", "s.")] {
            sql.raw(" AND (").raw(one).ident(self.from).raw(" IS NULL OR ").raw(other).ident(self.to).raw(" IS NULL OR ");
            sql.raw(one).ident(self.from).raw(meets).raw(other).ident(self.to).raw(")");
        }
        let kind = Kind::Object(self.table.entity.name.clone());
        sql.raw(" WHERE t.id = ").bind(&Value::Object(object), &kind).raw(" LIMIT 1");
        Ok(!fetch(conn, &sql, params, &[kind])?.is_empty())
    }
}

/// Whether a range with these ends has nothing in it: it ends before it begins.
pub(super) fn is_backwards(from: &Value, to: &Value) -> bool {
    let order = crate::expr::compare_values(from, to);
    order == Some(Ordering::Greater) || (order == Some(Ordering::Equal) && matches!(from, Value::DateTime(_)))
}
