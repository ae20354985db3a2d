//! What is said at a field.

use super::row;
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

/// A value that another object has already is told at its member; everything else as it is.
pub(super) fn of_write(failed: DbError, table: &Table, object: Option<ObjectId>) -> WriteError {
    match table.told(failed) {
        DbError::Unique { constraint, columns } => {
            let members: Vec<&Name> = columns.iter().filter_map(|column| table.member_of(column)).collect();
            let label = |name: &&Name| table.entity.member_label(name).unwrap_or(name).to_owned();
            let labels: Vec<String> = members.iter().map(label).collect();
            match members.first() {
                Some(first) => {
                    let message = format!("{} is already in use", labels.join(" with "));
                    WriteError::Invalid(vec![of(Some((*first).clone()), message)])
                }
                None => error::write(DbError::Unique { constraint, columns }),
            }
        }
        other => error::granted(|| row::told(table, object), other).into(),
    }
}
