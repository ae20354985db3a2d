//! What the database knows of the sizes of tables, by which it plans statements.
//!
//! A plan that was made without it can be a thousand times slower than the right one, so it is gathered when rows
//! came by themselves (demo data, a migration) and when tables have grown much.
//! Deliberately not here: when it is looked after while the server runs (`schedule`).

use super::statements::Statements;
use super::tables::{Place, Tables};
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, Db, DbError, Dialect};
use crate::domain::{Kind, Name, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Tables below this size are read as a whole, whatever is known of them.
const SMALL: i64 = 50;
/// So many rows of an index SQLite looks at; more changes little and takes long.
const SQLITE_LIMIT: u32 = 1_000;
/// Accounts stand in nearly every rule.
const ACCOUNTS: [&str; 2] = ["account", "account_role"];

/// How large each table was when its statistics were gathered; the highest key stands for the number of rows.
pub type Sizes = BTreeMap<Name, i64>;

/// The tables that have grown so much that what is known of them misleads, with their sizes now. It costs one look
/// at the end of each table's key.
pub fn outgrown(conn: &mut Conn, statements: &Statements, gathered: &Sizes) -> Result<Sizes, DbError> {
    let known = known(conn)?;
    let mut found = sizes(conn, &statements.tables)?;
    found.retain(|table, now| {
        let before = gathered.get(table).copied().max(known.get(table.as_str()).copied()).unwrap_or(0);
        *now >= SMALL && *now > before.saturating_mul(2)
    });
    Ok(found)
}

/// Gathers the statistics of these tables, and of the links that they own.
pub fn gather(db: &Db, statements: &Statements, tables: &Sizes) -> Result<(), DbError> {
    if tables.is_empty() {
        return Ok(());
    }
    db.owner(|conn| gather_as_owner(conn, statements, tables))?;
    // SQLite's connections plan by what they read when they were opened.
    db.bump_generation();
    Ok(())
}

/// Gathers the statistics of every table that has outgrown them. For after rows came by themselves.
pub fn gather_outgrown(db: &Db, statements: &Statements) -> Result<Sizes, DbError> {
    let grown = db.read(|conn| outgrown(conn, statements, &Sizes::new()))?;
    gather(db, statements, &grown)?;
    Ok(grown)
}

/// The same in a transaction of the owner's.
pub(super) fn gather_as_owner(conn: &mut Conn, statements: &Statements, tables: &Sizes) -> Result<(), DbError> {
    match conn.dialect() {
        // All at once: it is bounded, and each index is looked at only in part.
        Dialect::Sqlite => conn.batch(&format!("PRAGMA analysis_limit = {SQLITE_LIMIT}; ANALYZE")),
        Dialect::Postgres => {
            let names = with_links(&statements.tables, tables);
            let list: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
            conn.batch(&format!("ANALYZE {}", list.join(", ")))
        }
    }
}

fn with_links(tables: &Tables, wanted: &Sizes) -> BTreeSet<Name> {
    let mut names: BTreeSet<Name> = wanted.keys().cloned().collect();
    for table in tables.all().filter(|table| wanted.contains_key(&table.name)) {
        names.extend(table.members.values().filter_map(|place| match place {
            Place::Link(link) => Some(link.table.clone()),
            _ => None,
        }));
    }
    names
}

/// The highest key of each table.
fn sizes(conn: &mut Conn, tables: &Tables) -> Result<Sizes, DbError> {
    let stored = tables.all().filter(|table| !table.entity.system).map(|table| table.name.clone());
    let names: BTreeSet<Name> = stored.chain([Name::new("account")]).collect();
    let mut sql = Sql::new();
    for (at, name) in names.iter().enumerate() {
        sql.raw(if at == 0 { "SELECT " } else { " UNION ALL SELECT " }).bind(&Value::text(&**name), &Kind::Text);
        sql.raw(", (SELECT max(").ident("id").raw(") FROM ").ident(name).raw(")");
    }
    let mut found = Sizes::new();
    for row in fetch(conn, &sql, &nobody(), &[Kind::Text, Kind::INTEGER])? {
        if let [Value::Text(name), Value::Integer(size)] = row.as_slice() {
            found.insert(Name::new(&**name), *size);
        }
    }
    if let Some(size) = found.get("account").copied() {
        found.extend(ACCOUNTS.map(|name| (Name::new(name), size)));
    }
    Ok(found)
}

/// How many rows the database believes that tables have; none for what it never looked at.
fn known(conn: &mut Conn) -> Result<BTreeMap<String, i64>, DbError> {
    let mut sql = Sql::new();
    if conn.dialect() == Dialect::Sqlite {
        sql.raw("SELECT name, 0 FROM sqlite_master WHERE name = 'sqlite_stat1'");
        if fetch(conn, &sql, &nobody(), &[Kind::Text, Kind::INTEGER])?.is_empty() {
            return Ok(BTreeMap::new());
        }
        sql = Sql::new();
        // The first number of the text is that of the rows.
        sql.raw("SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl");
    } else {
        sql.raw(
            "SELECT c.relname::text, c.reltuples::bigint FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace ",
        );
        sql.raw("WHERE n.nspname = current_schema() AND c.relkind = 'r'");
    }
    let rows = fetch(conn, &sql, &nobody(), &[Kind::Text, Kind::INTEGER])?;
    let pair = |row: &Vec<Value>| match row.as_slice() {
        [Value::Text(name), Value::Integer(rows)] => Some((name.to_string(), *rows)),
        _ => None,
    };
    Ok(rows.iter().filter_map(pair).collect())
}

fn nobody() -> Params {
    let never = chrono::NaiveDateTime::default();
    Params::new(None, never, never.date())
}
