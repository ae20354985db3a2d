//! Every row as the database has it, and a row put back as it was: for whoever compares before with after.
//!
//! System work of the attack on a throw-away instance. Deliberately not here: rules, handlers, a record.

use super::Bulk;
use super::tables::{Link, OWNER, Place, TARGET, Table};
use super::write::linked;
use crate::db::DbError;
use crate::db::sql::{Sql, execute, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::Model;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// Grows with each change.
    pub version: i64,
    /// Every stored member; calculated ones are none.
    pub values: BTreeMap<Name, Value>,
}

/// What changes when any row of a table does: how many rows, the sum of their versions, the highest key.
pub type Pulse = Vec<(i64, i64, i64)>;

impl Bulk<'_> {
    /// All rows of an entity, accounts included.
    pub fn rows(&mut self, entity: &QName) -> Result<BTreeMap<ObjectId, StoredRow>, DbError> {
        let table = self.any_table(entity)?;
        let (mut sql, mut kinds, mut names) = (Sql::new(), vec![Kind::INTEGER, Kind::INTEGER], Vec::new());
        sql.raw("SELECT ").ident("id").raw(", ").ident("version");
        for (name, column, kind) in table.columns() {
            sql.raw(", ").ident(column);
            kinds.push(kind.clone());
            names.push(name.clone());
        }
        sql.raw(" FROM ").ident(&table.name);
        let mut rows = BTreeMap::new();
        for row in fetch(self.conn, &sql, &self.params, &kinds)? {
            let mut cells = row.into_iter();
            let (Some(Value::Integer(id)), Some(Value::Integer(version))) = (cells.next(), cells.next()) else { continue };
            let values = names.iter().cloned().zip(cells).collect();
            rows.insert(ObjectId(id), StoredRow { version, values });
        }
        for (name, link) in links(&table) {
            rows.values_mut().for_each(|row| drop(row.values.insert(name.clone(), Value::List(Vec::new()))));
            for (owner, target) in self.links(link)? {
                if let Some(Value::List(all)) = rows.get_mut(&owner).and_then(|row| row.values.get_mut(name)) {
                    all.push(target);
                }
            }
        }
        Ok(rows)
    }

    fn links(&mut self, link: &Link) -> Result<Vec<(ObjectId, ObjectId)>, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT ").raw(OWNER).raw(", ").raw(TARGET).raw(" FROM ").ident(&link.table).raw(" ORDER BY 1, 2");
        let found = fetch(self.conn, &sql, &self.params, &[Kind::INTEGER, Kind::INTEGER])?;
        Ok(found
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Value::Integer(owner), Value::Integer(target)] => Some((ObjectId(*owner), ObjectId(*target))),
                _ => None,
            })
            .collect())
    }

    /// The pulse of every table of these entities.
    pub fn pulse(&mut self, entities: &[QName]) -> Result<Pulse, DbError> {
        let mut pulse = Pulse::new();
        for entity in entities {
            let table = self.any_table(entity)?;
            let mut sql = Sql::new();
            sql.raw("SELECT count(*), CAST(coalesce(sum(").ident("version").raw("), 0) AS BIGINT), coalesce(max(").ident("id");
            sql.raw("), 0) FROM ").ident(&table.name);
            let kinds = [Kind::INTEGER, Kind::INTEGER, Kind::INTEGER];
            for row in fetch(self.conn, &sql, &self.params, &kinds)? {
                if let [Value::Integer(count), Value::Integer(sum), Value::Integer(max)] = row.as_slice() {
                    pulse.push((*count, *sum, *max));
                }
            }
        }
        Ok(pulse)
    }

    /// Forgets which forms were carried out, so that all of them are new.
    pub fn forget_forms(&mut self) -> Result<(), DbError> {
        let mut sql = Sql::new();
        sql.raw("DELETE FROM form_once");
        execute(self.conn, &sql, &self.params).map(drop)
    }

    /// Makes a row what it was, or makes it.
    pub fn put(&mut self, entity: &QName, id: ObjectId, row: &StoredRow) -> Result<(), DbError> {
        let table = self.any_table(entity)?;
        let columns: Vec<(&Name, &Name, &Kind)> = table.columns().collect();
        let mut sql = Sql::new();
        sql.raw("INSERT INTO ").ident(&table.name).raw(" (").ident("id").raw(", ").ident("version");
        for (_, column, _) in &columns {
            sql.raw(", ").ident(*column);
        }
        sql.raw(") VALUES (").append(&key(id)).raw(", ").bind(&Value::Integer(row.version), &Kind::INTEGER);
        for (name, _, kind) in &columns {
            sql.raw(", ").bind(row.values.get(*name).unwrap_or(&Value::Empty), kind);
        }
        sql.raw(") ON CONFLICT (").ident("id").raw(") DO UPDATE SET ").ident("version").raw(" = excluded.").ident("version");
        for (_, column, _) in &columns {
            sql.raw(", ").ident(*column).raw(" = excluded.").ident(*column);
        }
        execute(self.conn, &sql, &self.params)?;
        for (name, link) in links(&table) {
            let mut sql = Sql::new();
            sql.raw("DELETE FROM ").ident(&link.table).raw(" WHERE ").raw(OWNER).raw(" = ").append(&key(id));
            execute(self.conn, &sql, &self.params)?;
            if let Some(Value::List(targets)) = row.values.get(name) {
                targets.iter().try_for_each(|target| linked(self.conn, &self.params, link, id, *target))?;
            }
        }
        Ok(())
    }

    /// Removes a row.
    pub fn remove(&mut self, entity: &QName, id: ObjectId) -> Result<(), DbError> {
        let table = self.any_table(entity)?;
        for (_, link) in links(&table) {
            let mut sql = Sql::new();
            sql.raw("DELETE FROM ").ident(&link.table).raw(" WHERE ").raw(OWNER).raw(" = ").append(&key(id));
            execute(self.conn, &sql, &self.params)?;
        }
        let mut sql = Sql::new();
        sql.raw("DELETE FROM ").ident(&table.name).raw(" WHERE ").ident("id").raw(" = ").append(&key(id));
        execute(self.conn, &sql, &self.params).map(drop)
    }

    /// Tries something and undoes it alone when it fails; tells whether it was done.
    pub fn attempt(&mut self, deed: impl Fn(&mut Bulk<'_>) -> Result<(), DbError>) -> bool {
        let (model, params) = (self.model, self.params.clone());
        self.conn
            .savepoint(|conn| {
                let tables = super::tables::Tables::of(model).map_err(|error| DbError::Refused(error.to_string()))?;
                deed(&mut Bulk { conn, model, tables, params, next: Default::default() })
            })
            .is_ok()
    }

    fn any_table(&self, entity: &QName) -> Result<Arc<Table>, DbError> {
        self.tables.get(entity).cloned().ok_or_else(|| DbError::Refused(format!("{entity} is not stored")))
    }
}

fn links(table: &Table) -> impl Iterator<Item = (&Name, &Link)> {
    table.members.iter().filter_map(|(name, place)| if let Place::Link(link) = place { Some((name, link)) } else { None })
}

fn key(id: ObjectId) -> Sql {
    let mut sql = Sql::new();
    sql.bind(&Value::Object(id), &Kind::Object(Model::user_entity()));
    sql
}
