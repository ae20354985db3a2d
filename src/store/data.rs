//! The trusted reader of members, for validations and calculated members. Nothing it reads is shown
//! as such; each row is read once.

use super::error::{fault, wire};
use super::links;
use super::statements::Statements;
use super::tables::Hop;
use crate::access::ObjectError;
use crate::db::Conn;
use crate::db::sql::{Params, Sql, fetch};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Data, EvalError};
use std::collections::HashMap;

/// Member values as the database has them, whoever asks.
pub struct SystemData<'a> {
    conn: &'a mut Conn,
    statements: &'a Statements,
    params: &'a Params,
    rows: HashMap<(QName, ObjectId), HashMap<Name, Value>>,
    failure: Option<ObjectError>,
}

impl<'a> SystemData<'a> {
    pub(super) fn new(conn: &'a mut Conn, statements: &'a Statements, params: &'a Params) -> Self {
        Self { conn, statements, params, rows: HashMap::new(), failure: None }
    }

    /// Why an evaluation ended: the database's own failure where there was one.
    pub(super) fn failed(self, error: EvalError) -> ObjectError {
        self.failure.unwrap_or_else(|| ObjectError::Fault(error.into()))
    }

    /// Whether there is such a row.
    pub(super) fn exists(&mut self, entity: &QName, object: ObjectId) -> Result<bool, EvalError> {
        self.row(entity, object).map(|row| row.contains_key("id"))
    }

    fn fails(&mut self, error: ObjectError) -> EvalError {
        let told = EvalError::Data(error.to_string());
        self.failure.get_or_insert(error);
        told
    }

    fn row(&mut self, entity: &QName, object: ObjectId) -> Result<&HashMap<Name, Value>, EvalError> {
        let key = (entity.clone(), object);
        if !self.rows.contains_key(&key) {
            let values = row(self.conn, self.statements, self.params, entity, object);
            let values = values.map_err(|error| self.fails(error))?.unwrap_or_default();
            self.rows.insert(key.clone(), values);
        }
        self.rows.get(&key).ok_or_else(|| EvalError::Data("a row is missing".into()))
    }
}

/// All stored members of a row, and its key as `id`, which no member is called.
fn row(
    conn: &mut Conn,
    statements: &Statements,
    params: &Params,
    entity: &QName,
    object: ObjectId,
) -> Result<Option<HashMap<Name, Value>>, ObjectError> {
    let table = statements.tables.get(entity).ok_or_else(|| fault("this entity is not stored"))?;
    let (mut sql, mut kinds, mut names) = (Sql::new(), vec![Kind::Object(entity.clone())], vec![Name::new("id")]);
    sql.raw("SELECT ").ident("id");
    for (name, column, kind) in table.columns() {
        sql.raw(", ").ident(column);
        kinds.push(kind.clone());
        names.push(name.clone());
    }
    sql.raw(" FROM ").ident(&table.name).raw(" WHERE ").ident("id").raw(" = ");
    sql.bind(&Value::Object(object), &Kind::Object(entity.clone()));
    let found = fetch(conn, &sql, params, &kinds).map_err(wire)?;
    Ok(found.into_iter().next().map(|row| names.into_iter().zip(row).collect()))
}

impl Data for SystemData<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        if let Some((Hop::Back { .. }, _)) = self.statements.tables.hop(entity, name) {
            let first = self.many(entity, object, name)?.into_iter().next();
            return Ok(first.map_or(Value::Empty, Value::Object));
        }
        Ok(self.row(entity, object)?.get(name).cloned().unwrap_or(Value::Empty))
    }

    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        let lists = links::lists(self.conn, &self.statements.tables, self.params, entity, name, &[object]);
        let mut lists = lists.map_err(|error| self.fails(error))?;
        Ok(lists.remove(&object).unwrap_or_default())
    }
}
