//! Locking a row for the rest of the transaction, without changing it.

use super::{key_is, refused};
use crate::access::{Load, Permit, Query, WriteError};
use crate::db::sql::{Sql, fetch};
use crate::domain::{Kind, ObjectId};
use crate::store::error::{fault, wire};
use crate::store::statements::ROW;
use crate::store::{Store, read};

/// Locks a row that the permit may load. On SQLite a write transaction is alone, so there it only looks whether the
/// row is there.
///
// SECURITY: the row is locked by the server's own hand, so the right to read it is asked afterwards; who has none is
// refused as for an object that never was (`locking_needs_the_right_to_read_and_waits_for_who_was_first`).
pub(in crate::store) fn lock(store: &mut Store<'_>, permit: &Permit<Load>, object: ObjectId) -> Result<(), WriteError> {
    let entity = permit.target();
    let table = store.statements.tables.get(entity).ok_or_else(|| fault("this entity is not stored"))?.clone();
    let mut sql = Sql::new();
    sql.raw("SELECT ").ident(ROW).raw(".").ident("id").raw(" FROM ").ident(&table.name).raw(" AS ").ident(ROW);
    sql.raw(" WHERE ").append(&key_is(entity, object)).raw_by("", " FOR UPDATE OF t");
    let found = fetch(store.conn, &sql, &store.params, &[Kind::Object(entity.clone())]).map_err(wire)?;
    if found.is_empty() {
        return Err(WriteError::Stale);
    }
    let query = Query { object: Some(object), limit: 1, ..Query::of(entity, Vec::new()) };
    match read::load(store, permit.rights(), &query) {
        Ok(loaded) if loaded.iter().any(|one| one.id == object) => Ok(()),
        Ok(_) => Err(refused(entity, permit.rules().to_vec()).into()),
        Err(error) => Err(error.into()),
    }
}
