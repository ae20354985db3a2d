//! What a migration cannot compute in SQL: the columns of accounts by which names are compared.
//!
//! Guarantees: it runs to its end or leaves nothing behind, can run again, and takes no account away
//! from its owner: of two older addresses that differ in case or composition only, the newer one
//! keeps its own spelling as its key.

use super::sql::{Params, Sql, execute, fetch};
use super::{Conn, DbError};
use crate::domain::text::{folded, look};
use crate::domain::{Kind, Value};

/// Computes what is missing. Call it outside of a transaction, as the owner of the schema.
pub(super) fn name_accounts(conn: &mut Conn) -> Result<(), DbError> {
    conn.batch("BEGIN")?;
    match compute(conn) {
        Ok(()) => conn.batch("COMMIT"),
        Err(error) => {
            // The error is what matters; a connection that cannot roll back is thrown away.
            let _ = conn.batch("ROLLBACK");
            Err(error)
        }
    }
}

fn compute(conn: &mut Conn) -> Result<(), DbError> {
    let mut nameless = Sql::new();
    nameless.raw("SELECT id, email, name FROM account WHERE email_key IS NULL ORDER BY id");
    for row in fetch(conn, &nameless, &nobody(), &[Kind::INTEGER, Kind::Text, Kind::Text])? {
        let [Value::Integer(id), Value::Text(email), Value::Text(name)] = row.as_slice() else { continue };
        let mut key = folded(email);
        if is_taken(conn, &key)? {
            // No address has a space in it, so nobody can register this key.
            key = format!(" {email}");
        }
        let mut sql = Sql::new();
        for (before, text) in
            [("UPDATE account SET email_key = ", key), (", email_look = ", look(email)), (", name_look = ", look(name))]
        {
            sql.raw(before).bind(&Value::text(text), &Kind::Text);
        }
        sql.raw(" WHERE id = ").int(*id);
        execute(conn, &sql, &nobody())?;
    }
    Ok(())
}

fn is_taken(conn: &mut Conn, key: &str) -> Result<bool, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT id FROM account WHERE email_key = ").bind(&Value::text(key), &Kind::Text).raw(" LIMIT 1");
    Ok(!fetch(conn, &sql, &nobody(), &[Kind::INTEGER])?.is_empty())
}

fn nobody() -> Params {
    let never = chrono::NaiveDateTime::default();
    Params::new(None, never, never.date())
}
