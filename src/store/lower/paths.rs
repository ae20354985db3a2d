//! Members along to-one associations.

use super::condition::is_in;
use super::{Lower, LowerError, Lowered, Scope};
use crate::db::sql::Sql;
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};
use crate::store::tables::{Hop, Place, Table};
use std::sync::Arc;

impl Lower<'_> {
    pub(super) fn table(&self, entity: &QName) -> Lowered<&Arc<Table>> {
        self.tables.get(entity).ok_or_else(|| LowerError::Unstored(entity.to_string()))
    }

    /// The alias of the row that an object *is*, when it is one of the rows in reach.
    fn row_of<'s>(object: &Typed, scope: Scope<'s>) -> Option<&'s str> {
        match &object.node {
            Node::Root(Root::This) => Some(scope.this),
            Node::Root(Root::Item) => scope.item,
            _ => None,
        }
    }

    pub(super) fn member(
        &self,
        of: &Typed,
        entity: &QName,
        name: &Name,
        calculated: Option<&Typed>,
        scope: Scope<'_>,
    ) -> Lowered<Sql> {
        if let Some(row) = Self::row_of(of, scope) {
            return self.at(row, entity, name, calculated);
        }
        let object = self.value(of, scope)?;
        let x = self.alias();
        let mut out = Sql::new();
        match self.tables.hop(entity, name) {
            Some((Hop::Back { column, .. }, owner)) => {
                out.raw("(SELECT ").ident(&x).raw(".").ident("id").raw(" FROM ").append(&self.from(&self.table(&owner)?.name));
                out.raw(" AS ").ident(&x).raw(" WHERE ").ident(&x).raw(".").ident(&column);
            }
            _ => {
                out.raw("(SELECT ").append(&self.at(&x, entity, name, calculated)?);
                out.raw(" FROM ").append(&self.from(&self.table(entity)?.name)).raw(" AS ").ident(&x);
                out.raw(" WHERE ").ident(&x).raw(".").ident("id");
            }
        }
        out.raw(" = ").append(&object).raw(")");
        Ok(out)
    }

    /// A member of the row with this alias.
    fn at(&self, row: &str, entity: &QName, name: &Name, calculated: Option<&Typed>) -> Lowered<Sql> {
        if let Some(expression) = calculated {
            return self.value(expression, Scope { this: row, item: None });
        }
        let mut out = Sql::new();
        if let Some((Hop::Back { column, .. }, owner)) = self.tables.hop(entity, name) {
            let x = self.alias();
            out.raw("(SELECT ").ident(&x).raw(".").ident("id").raw(" FROM ").append(&self.from(&self.table(&owner)?.name));
            out.raw(" AS ").ident(&x).raw(" WHERE ").ident(&x).raw(".").ident(&column);
            out.raw(" = ").ident(row).raw(".").ident("id").raw(")");
            return Ok(out);
        }
        match self.table(entity)?.members.get(name) {
            Some(Place::Column { column, .. }) => {
                out.ident(row).raw(".").ident(column);
                Ok(out)
            }
            Some(Place::Calculated { expression, .. }) => self.value(expression, Scope { this: row, item: None }),
            _ => Err(LowerError::Unstored(format!("{entity}.{name}"))),
        }
    }

    /// A condition on the value of a path, asked where its last column is: `first IN (SELECT id … WHERE last …)`,
    /// so that the database can begin at either end.
    pub(super) fn along(&self, e: &Typed, scope: Scope<'_>, test: &dyn Fn(Sql) -> Lowered<Sql>) -> Lowered<Sql> {
        if let Node::Member { of, entity, name, calculated } = &e.node
            && Self::row_of(of, scope).is_none()
            && of.depends_on_row()
        {
            let calculated = calculated.as_deref();
            return self.reach(of, scope, entity, &|row| test(self.at(row, entity, name, calculated)?));
        }
        test(self.value(e, scope)?)
    }

    /// The object is a row of the entity for which `inner` holds.
    fn reach(&self, object: &Typed, scope: Scope<'_>, entity: &QName, inner: &dyn Fn(&str) -> Lowered<Sql>) -> Lowered<Sql> {
        self.step()?;
        let x = self.alias();
        let select = |column: &str| -> Lowered<Sql> {
            let mut out = Sql::new();
            out.raw("SELECT ").ident(&x).raw(".").ident(column).raw(" FROM ").append(&self.from(&self.table(entity)?.name));
            out.raw(" AS ").ident(&x).raw(" WHERE ").append(&inner(&x)?);
            Ok(out)
        };
        if let Node::Member { of, entity: from, name, calculated: None } = &object.node
            && let Some((Hop::Back { column, .. }, _)) = self.tables.hop(from, name)
        {
            let keys = select(&column)?;
            return self.along(of, scope, &|value| Ok(is_in(&value, &keys)));
        }
        let keys = select("id")?;
        self.along(object, scope, &|value| Ok(is_in(&value, &keys)))
    }
}
