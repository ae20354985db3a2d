//! Who may do what: grants, permits, elevation, release, and the reason when the door stays shut.
//!
//! `Caller → Grants → Permit<A> → Released<T>`: each is made here only, has no public constructor,
//! and is the only way to the next. An error while deciding is a refusal; absence is no.
//! The module deliberately reads no data: permits carry the rules, the store applies them.

mod administration;
mod denied;
mod elevation;
pub mod explain;
mod grants;
mod ground;
pub mod matrix;
mod objects;
mod permit;
mod released;
mod rights;
mod shared;

pub use administration::Part;
pub use denied::{Denied, Disagreement, Layer, Reason};
pub use elevation::Elevation;
pub use grants::Grants;
pub use ground::Ground;
pub use objects::{
    Cell, Feedback, Filter, FilterOp, Holding, Inside, LoadedObject, ObjectError, Objects, Order, Query, Row, Rows, Total,
    WriteError,
};
pub use permit::{Act, Administer, Change, Create, Delete, Load, Open, Permit, Run, View};
pub use released::Released;
pub use rights::{Authority, EntityRights, Rights, Rule, RuleOrigin};
pub use shared::SharedRights;
