//! The audit trail: what happened, who did it, and proof that nobody edited it afterwards.
//!
//! Guarantees: a record is written in the transaction of the deed, so there is no deed without a
//! record and no record without a deed; each node's records form one chain, each link keyed with
//! the installation's secret, so that [`verify`] names the first record that was altered, removed,
//! slipped in or cut off the end. The database refuses to change or delete a record by itself.
//! Deliberately not here: protection against a whole database put back to an earlier state. That
//! shows only against a chain head ([`Report`] prints them) that was noted elsewhere. Nor does it
//! decide who may see a detail: each detail carries the member's name, so that its reader's rights
//! can be asked.

mod chain;
mod event;
mod record;
mod search;
mod verify;

pub use crate::config::Level as Severity;
pub use event::{Detail, Event, EventKind, Who};
pub use record::record;
pub use search::{Filter, Found, Page, Record, search};
pub use verify::{Fault, NodeReport, Report, verify};

use crate::db::DbError;

/// Why nothing was recorded. The deed must then not happen either.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not take it.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The end of the chain is not the one that was written.
    #[error("the audit trail of node `{0}` was tampered with: run `portcullis audit verify`")]
    Tampered(String),
}

#[cfg(test)]
mod tests;
