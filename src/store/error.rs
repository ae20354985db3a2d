//! How faults below become answers above.

use super::lower::LowerError;
use crate::access::{ObjectError, WriteError};
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

/// The same for a write.
pub(super) fn write(error: DbError) -> WriteError {
    WriteError::Object(wire(error))
}
