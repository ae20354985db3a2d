//! What is said at a field.

use super::{clash, row};
use crate::access::{Feedback, WriteError};
use crate::db::DbError;
use crate::domain::{Name, ObjectId};
use crate::store::error;
use crate::store::tables::Table;

pub(super) fn of(member: Option<Name>, message: impl Into<String>) -> Feedback {
    Feedback { object: None, member, message: message.into() }
}

/// Feedback about an object that is stored already.
pub(super) fn about(result: Result<(), WriteError>, object: ObjectId) -> Result<(), WriteError> {
    result.map_err(|error| match error {
        WriteError::Invalid(all) => {
            WriteError::Invalid(all.into_iter().map(|f| Feedback { object: Some(object), ..f }).collect())
        }
        other => other,
    })
}

/// What only the database noticed is told at its member, in general words: who wrote the same at the same time may be
/// out of the writer's sight. Everything else as it is.
pub(super) fn of_write(failed: DbError, table: &Table, object: Option<ObjectId>) -> WriteError {
    match table.told(failed) {
        DbError::Unique { constraint, columns } => match columns.iter().find_map(|column| table.member_of(column)) {
            Some(first) => WriteError::Invalid(vec![of(Some(first.clone()), clash::GENERAL)]),
            None => error::write(DbError::Unique { constraint, columns }),
        },
        DbError::Overlap { constraint } => match clash::late(table, &constraint) {
            Some(wrong) => WriteError::Invalid(vec![wrong]),
            None => error::write(DbError::Overlap { constraint }),
        },
        other => error::granted(|| row::told(table, object), other).into(),
    }
}
