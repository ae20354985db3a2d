//! Lists along to-many associations, aggregates over them, and trees.

use super::condition::is_in;
use super::{Condition, Lower, LowerError, Lowered, Scope, exact};
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, Number, ObjectId, QName, Value};
use crate::expr::{Aggregate, Node, Typed};
use crate::store::tables::{Hop, Place};

/// The rows of a list: what stands after FROM, and the condition.
struct Rows {
    alias: String,
    from: Sql,
    condition: Condition,
}

/// `?, ?, …`: as many as there are, so the statement is not kept.
pub(in crate::store) fn ids(all: &[ObjectId]) -> Sql {
    let mut out = Sql::new();
    out.uncacheable();
    for (at, id) in all.iter().enumerate() {
        out.raw(if at == 0 { "" } else { ", " });
        out.bind(&Value::Object(*id), &Kind::Object(QName::new("system", "User")));
    }
    out
}

/// The least number; BEYOND when there is any, which is the greatest.
fn least(number: &Sql) -> Sql {
    let (mut out, beyond) = (Sql::new(), exact::beyond());
    out.raw("CASE WHEN max(").append(number).raw(") = ").append(&beyond).raw(" THEN ").append(&beyond);
    out.raw(" ELSE min(").append(number).raw(") END");
    out
}

impl Lower<'_> {
    fn rows(&self, list: &Typed, scope: Scope<'_>) -> Lowered<Rows> {
        self.step()?;
        match &list.node {
            Node::Filter(inner, condition) => {
                let rows = self.rows(inner, scope)?;
                let item = Scope { this: scope.this, item: Some(&rows.alias) };
                let filter = self.condition(condition, item)?;
                Ok(Rows { condition: rows.condition.and(filter), alias: rows.alias, from: rows.from })
            }
            Node::Many { of, entity, name } => self.many(of, entity, name, scope),
            _ => Err(LowerError::Beyond("a list that is no association")),
        }
    }

    fn many(&self, of: &Typed, entity: &QName, name: &Name, scope: Scope<'_>) -> Lowered<Rows> {
        let (hop, target) = self.tables.hop(entity, name).ok_or_else(|| LowerError::Unstored(format!("{entity}.{name}")))?;
        let start = self.value(of, scope)?;
        let (x, l) = (self.alias(), self.alias());
        let (mut from, mut when) = (Sql::new(), Sql::new());
        from.append(&self.from(&self.table(&target)?.name)).raw(" AS ").ident(&x);
        match hop {
            Hop::Column(column) | Hop::Back { column, .. } => when.raw("(").ident(&x).raw(".").ident(&column),
            Hop::Link(link) => {
                from.raw(" JOIN ")
                    .append(&self.from(&link.table))
                    .raw(" AS ")
                    .ident(&l)
                    .raw(" ON ")
                    .ident(&l)
                    .raw(".")
                    .ident(link.to);
                from.raw(" = ").ident(&x).raw(".").ident("id");
                when.raw("(").ident(&l).raw(".").ident(link.from)
            }
        };
        when.raw(" = ").append(&start).raw(")");
        Ok(Rows { alias: x, from, condition: Condition::When(when) })
    }

    /// `SELECT id FROM …`: the keys of a list's objects.
    pub(super) fn members(&self, list: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let rows = self.rows(list, scope)?;
        let mut out = Sql::new();
        out.raw("SELECT ").ident(&rows.alias).raw(".").ident("id").raw(" FROM ").append(&rows.from);
        out.raw(" WHERE ").append(&rows.condition.sql());
        Ok(out)
    }

    pub(super) fn exists(&self, list: &Typed, scope: Scope<'_>) -> Lowered<Sql> {
        let rows = self.rows(list, scope)?;
        let mut out = Sql::new();
        out.raw("EXISTS (SELECT 1 FROM ").append(&rows.from).raw(" WHERE ").append(&rows.condition.sql()).raw(")");
        Ok(out)
    }

    pub(super) fn aggregate(&self, aggregate: Aggregate, list: &Typed, of: Option<&Typed>, scope: Scope<'_>) -> Lowered<Sql> {
        let rows = self.rows(list, scope)?;
        let item = Scope { this: scope.this, item: Some(&rows.alias) };
        let (mut out, mut within) = (Sql::new(), None);
        out.raw("(SELECT ");
        match (aggregate, of) {
            (Aggregate::Sum, Some(of)) => {
                within = self.sum_within(of);
                out.append(&exact::sum(&self.value(of, item)?, &of.kind))
            }
            (Aggregate::Min, Some(of)) if self.overflows(of) => out.append(&least(&self.value(of, item)?)),
            (Aggregate::Min, Some(of)) => out.raw("min(").append(&self.value(of, item)?).raw(")"),
            (Aggregate::Max, Some(of)) => out.raw("max(").append(&self.value(of, item)?).raw(")"),
            _ => out.raw("count(*)"),
        };
        if within.is_some() {
            out.raw(" AS n");
        }
        out.raw(" FROM ").append(&rows.from).raw(" WHERE ").append(&rows.condition.sql()).raw(")");
        Ok(within.map_or(out.clone(), |within| exact::checked(&out, within)))
    }

    /// The digits that a sum is held to, if it can have more.
    fn sum_within(&self, of: &Typed) -> Option<Number> {
        let Kind::Number(number) = of.kind else { return None };
        let more = number.digits > 9 || self.overflows(of);
        more.then_some(Number { digits: Number::MOST_DIGITS, scale: number.scale })
    }

    pub(super) fn within(&self, object: &Typed, roots: &Typed, entity: &QName, parent: &Name, scope: Scope<'_>) -> Lowered<Sql> {
        let table = self.table(entity)?;
        let Some(Place::Column { column, .. }) = table.members.get(parent) else {
            return Err(LowerError::Unstored(format!("{entity}.{parent}")));
        };
        let (start, up, below, c) = (self.walk(), self.walk(), self.walk(), self.alias());
        let from = self.from(&table.name);
        let mut tree = Sql::new();
        tree.raw("WITH RECURSIVE ").ident(&start).raw("(id) AS (");
        if matches!(roots.kind, Kind::List(_)) {
            tree.append(&self.members(roots, scope)?);
        } else {
            tree.raw("SELECT CAST(").append(&self.value(roots, scope)?).raw(" AS BIGINT)");
        }
        // ` FROM table AS c JOIN walk ON `
        let joined = |tree: &mut Sql, walk: &Name| {
            tree.raw(" FROM ").append(&from).raw(" AS ").ident(&c).raw(" JOIN ").ident(walk).raw(" ON ").ident(&c).raw(".");
        };
        // INVARIANT: UNION drops what is already there, so a circle in the tree ends the walk.
        // SECURITY: nothing is within an object from which the way up never ends: a circle would make everything
        // above an object lie below it too (`a_circle_in_a_tree_shows_nothing_and_is_named`).
        tree.raw("), ").ident(&up).raw("(root, id) AS (SELECT id, id FROM ").ident(&start);
        tree.raw(" UNION SELECT ").ident(&up).raw(".root, ").ident(&c).raw(".").ident(column);
        joined(&mut tree, &up);
        // The last step up, from a root of the tree, leads to nothing.
        tree.ident("id").raw(" = ").ident(&up).raw(".id), ");
        tree.ident(&below).raw("(id) AS (SELECT root FROM ").ident(&up).raw(" WHERE id IS NULL UNION SELECT ");
        tree.ident(&c).raw(".").ident("id");
        joined(&mut tree, &below);
        tree.ident(column).raw(" = ").ident(&below).raw(".id) SELECT id FROM ").ident(&below);
        if roots.depends_on_row() {
            return Ok(is_in(&self.value(object, scope)?, &tree));
        }
        self.along(object, scope, &|value| Ok(is_in(&value, &tree)))
    }
}
