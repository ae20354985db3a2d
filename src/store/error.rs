//! How faults below become answers above.

use super::lower::LowerError;
use crate::access::{Disagreement, Layer, ObjectError, WriteError};
use crate::db::DbError;

/// A fault of ours.
pub(super) fn fault(what: &'static str) -> ObjectError {
    ObjectError::Fault(what.into())
}

/// What the checker should have refused.
pub(super) fn lowering(error: LowerError) -> ObjectError {
    ObjectError::Fault(error.into())
}

/// What the database said.
pub(super) fn wire(error: DbError) -> ObjectError {
    if error.is_passing() { ObjectError::Unavailable(error.into()) } else { ObjectError::Fault(error.into()) }
}

/// What the database said to what the layer above had granted: when its own rules refuse it, two layers disagree.
pub(super) fn granted(about: impl FnOnce() -> String, error: DbError) -> ObjectError {
    match error {
        DbError::Forbidden(source) => disagreement(about(), source.to_string()),
        other => wire(other),
    }
}

/// The database did not do what the layer above had granted.
pub(super) fn disagreement(about: String, said: String) -> ObjectError {
    let (first, second) = ((Layer::EntityAccess, "granted".to_owned()), (Layer::DatabaseEngine, said));
    ObjectError::Disagreement(Box::new(Disagreement { about, first, second }))
}

/// The same for a write.
pub(super) fn write(error: DbError) -> WriteError {
    WriteError::Object(wire(error))
}
