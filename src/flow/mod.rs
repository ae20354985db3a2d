//! The microflow interpreter.
//!
//! [`run`] carries out a flow's activities, one file each under `activity`; [`deed`] is how flows
//! *and pages* create, change and delete, so that event handlers stand around every write.
//!
//! Guarantees: a flow runs under the caller's own rights plus exactly what it declares itself; what
//! it calls gets the caller's rights and its *own* elevation, never a borrowed one; a value that
//! the flow may not read ends the run as refused; steps, time, depth and sizes are bounded; what
//! reaches beyond the data ([`Effects`]) is only collected, and carried out by whoever commits.
//!
//! It deliberately opens no transaction and commits nothing: an error means that the caller rolls
//! back. It cannot show data: it hands out references, and a page reads them under the reader's
//! own rights.

mod activity;
mod budget;
mod context;
pub mod deed;
mod effects;
mod error;
mod frame;
mod memory;
mod reading;
mod run;
pub mod text;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use context::{Account, FlowContext, Outcome};
pub use effects::{Effects, ElevatedRun, LogLine, Outgoing, Published, RegistrationRequest};
pub use error::FlowError;
pub use run::{run, run_job};
