//! Rows written as they are: no rules, no handlers, no record. For data that is trusted and that nobody
//! made: what demo mode begins with.

use super::Collision;
use super::ranges::Range;
use super::tables::{Place, Table, Tables};
use super::trees::Tree;
use super::write::{check, inserted, linked};
use crate::access::Feedback;
use crate::db::sql::{Params, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::{AttributeKind, Entity, Model};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is wrong with the values of a new object by themselves: kinds, limits, what is required.
pub fn value_faults(model: &Model, entity: &Entity, values: &BTreeMap<Name, Value>) -> Vec<Feedback> {
    check(model, entity, values, values)
}

/// Writes trusted rows in the transaction that the connection is in.
#[must_use = "automatic numbers go on after these rows only when finish() was called"]
pub struct Bulk<'c> {
    pub(super) conn: &'c mut Conn,
    pub(super) model: &'c Model,
    pub(super) tables: Tables,
    pub(super) params: Params,
    /// The next automatic number of each member.
    pub(super) next: HashMap<String, i64>,
}

impl<'c> Bulk<'c> {
    /// System work at this moment.
    pub fn new(conn: &'c mut Conn, model: &'c Model, now: NaiveDateTime) -> Result<Self, Collision> {
        let params = Params::new(None, now, now.date());
        Ok(Self { conn, model, tables: Tables::of(model)?, params, next: HashMap::new() })
    }

    /// Whether no entity of the model has a row; accounts do not count.
    pub fn is_empty(&mut self) -> Result<bool, DbError> {
        let stored = self.model.entities.values().filter(|entity| !entity.system);
        for table in stored.filter_map(|entity| self.tables.get(&entity.name)) {
            let mut sql = Sql::new();
            sql.raw("SELECT ").ident("id").raw(" FROM ").ident(&table.name).raw(" LIMIT 1");
            if !fetch(self.conn, &sql, &self.params, &[Kind::INTEGER])?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Inserts an object; what is not given is empty, automatic numbers are given where there is none.
    pub fn insert(&mut self, entity: &QName, mut values: BTreeMap<Name, Value>) -> Result<ObjectId, DbError> {
        let table = self.table(entity)?;
        for attribute in table.entity.attributes.values().filter(|a| a.kind == AttributeKind::Autonumber) {
            let key = format!("{entity}.{}", attribute.name);
            let next = self.next_number(&key)?;
            let given = values.entry(attribute.name.clone()).or_insert(Value::Integer(next));
            let number = if let Value::Integer(number) = given { *number } else { next };
            *given = Value::Integer(number);
            self.next.insert(key, next.max(number.saturating_add(1)));
        }
        let key = inserted(self.conn, &self.params, &table, &values).map_err(|error| table.told(error))?;
        let key = key.ok_or_else(|| DbError::Refused("a new row has no key".into()))?;
        self.overlaps_nothing(&table, key)?;
        Ok(key)
    }

    /// Points an association of an object to others.
    pub fn refer(&mut self, entity: &QName, object: ObjectId, member: &str, targets: &[ObjectId]) -> Result<(), DbError> {
        let table = self.table(entity)?;
        match table.members.get(member) {
            Some(Place::Link(link)) => {
                targets.iter().try_for_each(|target| linked(self.conn, &self.params, link, object, *target))
            }
            Some(Place::Column { column, kind, .. }) => {
                let value = targets.first().map_or(Value::Empty, |target| Value::Object(*target));
                let mut sql = Sql::new();
                sql.raw("UPDATE ").ident(&table.name).raw(" SET ").ident(column).raw(" = ").bind(&value, kind);
                sql.raw(" WHERE ").ident("id").raw(" = ").bind(&Value::Object(object), &Kind::Object(entity.clone()));
                execute(self.conn, &sql, &self.params)?;
                self.overlaps_nothing(&table, object)?;
                self.stays_a_tree(&table, object, member, &value)
            }
            _ => Err(DbError::Refused(format!("{entity}.{member} is not stored"))),
        }
    }

    /// Refuses a row whose range overlaps that of another row. PostgreSQL has noticed before.
    fn overlaps_nothing(&mut self, table: &Table, object: ObjectId) -> Result<(), DbError> {
        for range in Range::of(table) {
            if range.overlaps(self.conn, &self.params, object)? {
                return Err(DbError::Overlap { constraint: range.name().to_string() });
            }
        }
        Ok(())
    }

    /// Refuses a parent that is the object itself, or one below it.
    fn stays_a_tree(&mut self, table: &Table, object: ObjectId, member: &str, parent: &Value) -> Result<(), DbError> {
        let Some(tree) = Tree::of(table).filter(|tree| tree.member.as_str() == member) else { return Ok(()) };
        let Value::Object(parent) = parent else { return Ok(()) };
        // The row has its new parent already: from there the way up must end, without meeting the row again.
        if tree.admits(self.conn, &self.params, object, *parent)? { Ok(()) } else { Err(DbError::Refused(tree.refusal())) }
    }

    /// Lets automatic numbers go on after the highest that was written.
    pub fn finish(self) -> Result<(), DbError> {
        for (key, next) in self.next {
            let mut sql = Sql::new();
            sql.raw("INSERT INTO autonumber (entity_member, next) VALUES (").bind(&Value::text(key), &Kind::Text);
            sql.raw(", ").bind(&Value::Integer(next), &Kind::INTEGER);
            sql.raw(") ON CONFLICT (entity_member) DO UPDATE SET next = excluded.next");
            execute(self.conn, &sql, &self.params)?;
        }
        Ok(())
    }

    fn table(&self, entity: &QName) -> Result<Arc<Table>, DbError> {
        let found = self.tables.get(entity).filter(|table| !table.entity.system);
        found.cloned().ok_or_else(|| DbError::Refused(format!("{entity} is not stored, or not by the model")))
    }

    fn next_number(&mut self, key: &str) -> Result<i64, DbError> {
        if let Some(next) = self.next.get(key) {
            return Ok(*next);
        }
        let mut sql = Sql::new();
        sql.raw("SELECT next FROM autonumber WHERE entity_member = ").bind(&Value::text(key), &Kind::Text);
        let found = fetch(self.conn, &sql, &self.params, &[Kind::INTEGER])?;
        match found.first().and_then(|row| row.first()) {
            Some(Value::Integer(next)) => Ok(*next),
            _ => Ok(1),
        }
    }
}
