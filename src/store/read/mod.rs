//! Reading: the reader's table, and the questions asked of it.
//!
//! INVARIANT: what the model wrote stands inside the reader's table, what the client sent stands
//! outside. So no filter, order, search, count or sum touches a value that the reader may not see.

mod ask;
mod cells;
mod frame;
mod outside;
mod shape;

#[cfg(test)]
pub(super) use ask::compose;
pub(super) use ask::{figure, load, summed, view};
pub(super) use shape::Shapes;

use crate::access::{Denied, Layer, ObjectError, Reason, Rights};
use crate::domain::QName;

/// A member that is not there: the same answer whether it never existed or may not be read.
pub(super) fn not_there(rights: &Rights, entity: &QName, member: &str) -> ObjectError {
    let roles = rights.roles.iter().cloned().collect();
    let wanted = format!("read {entity}.{member}");
    Denied::new(Layer::EntityAccess, Reason::NoRule { wanted, roles }).into()
}
