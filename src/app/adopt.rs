//! Another model takes effect while people work.
//!
//! Guarantees: whoever works when the model changes works on with the one they began with, and the change waits for
//! them; whoever comes meanwhile waits for the change. So nobody meets a database that is made for another model than
//! the one that their request runs with. Deliberately not here: when that happens (`schedule`), and a database that other
//! nodes change (`duty`).

use super::{App, Live};
use crate::store::{self, SyncError};
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLockReadGuard};

impl App {
    /// While this is kept, no other model takes effect. A thread takes it once.
    pub fn at_work(&self) -> RwLockReadGuard<'_, ()> {
        self.working.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets another model take effect, in the database and then here; `with` is done at the same time. When the database
    /// cannot follow without losing data, everything stays as it was.
    pub fn adopt(&self, live: Live, with: impl FnOnce()) -> Result<(), SyncError> {
        let _nobody_works = self.working.write().unwrap_or_else(PoisonError::into_inner);
        // Between the note of the new model and its taking effect here, this node is not one that runs an old one.
        let _still = self.hold_still();
        store::apply(&self.db, &live.statements, &BTreeSet::new(), self.clock.now())?;
        self.replace(live);
        with();
        Ok(())
    }
}
