//! What is there: the shape last applied, and whether the database still has it.

use super::SyncError;
use super::layout::Layout;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use std::collections::{BTreeSet, HashMap};

/// What stands before the fingerprint in the note.
pub(super) const MODEL: &str = "model ";

/// Asks the database while a plan is made or carried out.
pub(super) struct Ask<'a> {
    pub conn: &'a mut Conn,
    pub params: &'a Params,
}

impl Ask<'_> {
    pub(super) fn rows(&mut self, sql: &Sql, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, DbError> {
        fetch(self.conn, sql, self.params, kinds)
    }

    fn any(&mut self, sql: &mut Sql) -> Result<bool, DbError> {
        sql.uncacheable().raw(" LIMIT 1");
        Ok(!self.rows(sql, &[Kind::INTEGER])?.is_empty())
    }

    pub(super) fn has_rows(&mut self, table: &str) -> Result<bool, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT 1 FROM ").ident(table);
        self.any(&mut sql)
    }

    pub(super) fn has_values(&mut self, table: &str, column: &str) -> Result<bool, DbError> {
        self.has_column_where(table, column, " IS NOT NULL")
    }

    pub(super) fn has_gaps(&mut self, table: &str, column: &str) -> Result<bool, DbError> {
        self.has_column_where(table, column, " IS NULL")
    }

    fn has_column_where(&mut self, table: &str, column: &str, question: &'static str) -> Result<bool, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT 1 FROM ").ident(table).raw(" WHERE ").ident(column).raw(question);
        self.any(&mut sql)
    }

    pub(super) fn has_longer(&mut self, table: &str, column: &str, length: u32) -> Result<bool, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT 1 FROM ").ident(table).raw(" WHERE length(").ident(column).raw(") > ").int(i64::from(length));
        self.any(&mut sql)
    }
}

/// The layout last applied, with the text it is noted as.
pub(super) fn applied(ask: &mut Ask<'_>) -> Result<(Layout, String), SyncError> {
    let mut sql = Sql::new();
    sql.raw("SELECT applied FROM schema_state WHERE id = 1");
    let found = ask.rows(&sql, &[Kind::Text])?;
    let text = found.first().and_then(|row| row.first()).and_then(Value::as_text).unwrap_or_default().to_owned();
    if text.is_empty() {
        return Ok((Layout::default(), text));
    }
    let layout = serde_json::from_str(&text).map_err(SyncError::State)?;
    Ok((layout, text))
}

/// The fingerprint of the model last applied; empty if none was.
pub(super) fn in_force(ask: &mut Ask<'_>) -> Result<String, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT fingerprint FROM schema_state WHERE id = 1");
    let found = ask.rows(&sql, &[Kind::Text])?;
    let text = found.first().and_then(|row| row.first()).and_then(Value::as_text).unwrap_or_default();
    Ok(text.strip_prefix(MODEL).unwrap_or_default().to_owned())
}

/// Refuses when tables or columns that were applied are gone, or ones to be made are there already.
pub(super) fn check(ask: &mut Ask<'_>, applied: &Layout, wanted: &Layout) -> Result<(), SyncError> {
    let mut sql = Sql::new();
    sql.raw_by(
        "SELECT m.name, p.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table'",
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema()",
    );
    let mut there: HashMap<String, BTreeSet<String>> = HashMap::new();
    for row in ask.rows(&sql, &[Kind::Text, Kind::Text])? {
        if let [Value::Text(table), Value::Text(column)] = row.as_slice() {
            there.entry(table.to_string()).or_default().insert(column.to_string());
        }
    }
    let mut drift = Vec::new();
    for (name, table) in &applied.tables {
        match there.get(name) {
            None => drift.push(format!("table {name} is gone")),
            Some(columns) => {
                let gone = table.columns.keys().filter(|column| !columns.contains(*column));
                drift.extend(gone.map(|column| format!("column {name}.{column} is gone")));
            }
        }
    }
    let taken = wanted.tables.keys().filter(|name| !applied.tables.contains_key(*name) && there.contains_key(*name));
    drift.extend(taken.map(|name| format!("table {name} is there but was not made here")));
    if drift.is_empty() { Ok(()) } else { Err(SyncError::Drift(drift)) }
}
