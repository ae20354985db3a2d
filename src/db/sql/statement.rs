//! A statement joined with the values of one run, as Diesel sees it.

use super::dialects::DynBackend;
use super::literal::body_text;
use super::{Params, Piece, Sql};
use crate::db::admit::Scope;
use crate::db::{Conn, DbError, Dialect, on};
use crate::domain::{Kind, Value};
use diesel::connection::{Connection, LoadConnection};
use diesel::deserialize;
use diesel::expression::QueryMetadata;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::row::{Field, Row};
use diesel::sql_types::Untyped;
use diesel::sqlite::{Sqlite, SqliteQueryBuilder};

/// Runs a query and reads each row as values of `kinds`, column by column.
pub fn fetch(conn: &mut Conn, sql: &Sql, params: &Params, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, DbError> {
    let mut read = Vec::new();
    each(conn, sql, params, kinds, |row| {
        let mut values = Vec::with_capacity(kinds.len());
        for value in row {
            values.push(value?);
        }
        read.push(values);
        Ok(())
    })?;
    Ok(read)
}

/// Runs a query and reads the values of one row after the other, of each row as many as there are `kinds`; there
/// will be about so many rows.
pub fn fetch_flat(conn: &mut Conn, sql: &Sql, params: &Params, kinds: &[Kind], rows: usize) -> Result<Vec<Value>, DbError> {
    let mut read = Vec::with_capacity(rows.saturating_mul(kinds.len()));
    each(conn, sql, params, kinds, |row| {
        for value in row {
            read.push(value?);
        }
        Ok(())
    })?;
    Ok(read)
}

/// Runs a statement and tells how many rows it touched.
pub fn execute(conn: &mut Conn, sql: &Sql, params: &Params) -> Result<usize, DbError> {
    let scope = conn.tag();
    let statement = Statement::of(sql, params, scope.as_deref(), conn.dialect())?;
    if let Some(scope) = &scope {
        conn.provide(scope, sql)?;
    }
    conn.asking(|conn| on!(conn, |c| c.execute_returning_count(&statement))).map_err(DbError::from)
}

/// The text without its values.
pub(super) fn text(sql: &Sql, dialect: Dialect) -> String {
    let statement = Statement { sql, params: None, tag: "" };
    let (done, text) = match dialect {
        Dialect::Sqlite => {
            let mut out = SqliteQueryBuilder::default();
            (statement.to_sql(&mut out, &Sqlite), <SqliteQueryBuilder as QueryBuilder<Sqlite>>::finish(out))
        }
        Dialect::Postgres => {
            let mut out = PgQueryBuilder::default();
            (statement.to_sql(&mut out, &Pg), <PgQueryBuilder as QueryBuilder<Pg>>::finish(out))
        }
    };
    match done {
        Ok(()) => text,
        Err(error) => format!("-- cannot be written: {error}"),
    }
}

#[derive(Clone, Copy)]
struct Statement<'a> {
    sql: &'a Sql,
    /// Absent when only the text is wanted.
    params: Option<&'a Params>,
    /// Keeps apart, among the prepared statements of a connection, what runs with the rights of a set.
    tag: &'a str,
}

impl<'a> Statement<'a> {
    fn of(sql: &'a Sql, params: &'a Params, scope: Option<&'a Scope>, dialect: Dialect) -> Result<Self, DbError> {
        if scope.is_some() && dialect == Dialect::Sqlite && !sql.honest && sql.deceives() {
            return Err(DbError::Forbidden("a statement gives a name that only the owner gives".into()));
        }
        Ok(Self { sql, params: Some(params), tag: scope.map_or("", |scope| scope.tag.as_str()) })
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    // No type stands for the text, so the text itself is the key of the prepared statement.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

impl<DB: DynBackend> QueryFragment<DB> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.sql.uncacheable || self.params.is_some_and(|params| params.passing) {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(self.tag);
        for piece in self.sql.pieces.iter() {
            match piece {
                Piece::Raw(text) => out.push_sql(text),
                Piece::Text(text, _) => out.push_sql(text),
                Piece::RawBy { sqlite, pg } => out.push_sql(match DB::DIALECT {
                    Dialect::Sqlite => sqlite,
                    Dialect::Postgres => pg,
                }),
                // Most names hold nothing to escape, and are written without a copy.
                Piece::Ident(name) if !name.contains(DB::QUOTE) => {
                    [DB::QUOTE, name, DB::QUOTE].iter().for_each(|s| out.push_sql(s))
                }
                Piece::Ident(name) => out.push_identifier(name)?,
                Piece::Int(number) => out.push_sql(&number.to_string()),
                Piece::Bind(value) => DB::bind(&mut out, value)?,
                Piece::Quoted(body) => out.push_sql(&body_text(body, DB::DIALECT)),
                Piece::Param(param) => match self.params {
                    Some(params) => DB::bind(&mut out, params.value(*param))?,
                    None => DB::bind(&mut out, &super::bound::Bound::BigInt(None))?,
                },
            }
        }
        Ok(())
    }
}

/// The values of one row, column by column.
type Cells<'r> = &'r mut dyn Iterator<Item = deserialize::Result<Value>>;

fn each(
    conn: &mut Conn,
    sql: &Sql,
    params: &Params,
    kinds: &[Kind],
    mut take: impl FnMut(Cells<'_>) -> deserialize::Result<()>,
) -> Result<(), DbError> {
    let scope = conn.tag();
    let statement = Statement::of(sql, params, scope.as_deref(), conn.dialect())?;
    if let Some(scope) = &scope {
        conn.provide(scope, sql)?;
    }
    conn.asking(|conn| on!(conn, |c| load(c, statement, kinds, &mut take))).map_err(DbError::from)
}

fn load<C>(
    conn: &mut C,
    statement: Statement<'_>,
    kinds: &[Kind],
    take: &mut dyn FnMut(Cells<'_>) -> deserialize::Result<()>,
) -> QueryResult<()>
where
    C: LoadConnection,
    C::Backend: DynBackend + QueryMetadata<Untyped>,
{
    for row in LoadConnection::load(conn, statement)? {
        let row = row?;
        if row.field_count() != kinds.len() {
            return Err(Error::DeserializationError("a row has not as many columns as were asked for".into()));
        }
        let mut cells = kinds.iter().enumerate().map(|(at, kind)| cell::<C::Backend, _>(&row, at, kind));
        take(&mut cells).map_err(Error::DeserializationError)?;
    }
    Ok(())
}

fn cell<'a, DB: DynBackend, R: Row<'a, DB>>(row: &R, at: usize, kind: &Kind) -> deserialize::Result<Value> {
    let field = row.get(at).ok_or("a column is missing")?;
    match field.value() {
        Some(raw) => DB::read(raw, kind),
        None => Ok(Value::Empty),
    }
}
