//! The audit trail: what happened, who did it, and proof that nobody edited it afterwards.
//!
//! Guarantees: a record is written in the transaction of the deed, so there is no deed without a
//! record and no record without a deed; it is linked to the one before it in its lane, with the
//! installation's secret, and writers of different lanes never meet; shortly after, [`seal`] fixes
//! the order of all lanes of a node in a chain of its own. So [`verify`] names the first record that
//! was altered, removed, inserted, moved or cut off the end. The database refuses to change or delete
//! a record by itself.
//! Where an order ends is noted outside of the trail too ([`AnchorFile`]), so that one that was
//! emptied or put back is found. Deliberately not here: protection where everything was put back
//! together. That shows only against a head ([`Report`] prints them) that was noted elsewhere. Nor
//! does it decide who may see a detail: each detail carries the member's name, so that its reader's rights
//! can be asked.

mod anchor;
mod chain;
mod denials;
mod event;
mod record;
mod seal;
mod search;
mod verify;

pub use crate::config::Level as Severity;
pub use anchor::{Anchor, AnchorError, AnchorFile, Noted, accept_anchors, anchor_faults};
pub use denials::follow_denials;
pub use event::{Detail, Event, EventKind, Who};
pub use record::record;
pub use seal::{Sealed, Unsealed, seal};
pub use search::{Filter, Found, Page, Place, Record, Start, search};
pub use verify::{At, Fault, NodeReport, Report, verify};

use crate::db::DbError;

/// Why nothing was recorded. The deed must then not happen either.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not take it.
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests;
