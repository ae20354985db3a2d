//! Another model takes effect while people work.
//!
//! Guarantees: the change waits for requests and jobs that are running, which finish with the model they started with.
//! Requests that arrive during the change wait for it, but not while it waits for a job. So no request, job or comparison
//! of the layers runs against a database that was made for another model. Deliberately not here: when that happens
//! (`schedule`), and a database that other nodes change (`duty`).

use super::{App, Live};
use crate::store::{self, SyncError};
use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError, RwLockReadGuard};

impl App {
    /// For a request: while this is kept, no other model takes effect. A thread takes it once.
    pub fn at_work(&self) -> RwLockReadGuard<'_, ()> {
        self.working.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for jobs, which may take long: a change that waits for them does not keep requests waiting.
    pub fn at_jobs(&self) -> MutexGuard<'_, ()> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets another model take effect, in the database and then here; `with` is done at the same time. When the database
    /// cannot follow without losing data, everything stays as it was.
    pub fn adopt(&self, live: Live, with: impl FnOnce()) -> Result<(), SyncError> {
        let _no_jobs = self.at_jobs();
        let _no_requests = self.working.write().unwrap_or_else(PoisonError::into_inner);
        // Between the note of the new model and its taking effect here, this node is not one that runs an old one.
        let _still = self.hold_still();
        store::apply(&self.db, &live.statements, &BTreeSet::new(), self.clock.now())?;
        self.replace(live);
        with();
        Ok(())
    }
}
