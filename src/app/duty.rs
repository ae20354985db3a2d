//! Whether this node serves: it may be leaving, or another model may be in force.
//!
//! Guarantees: a node that runs another model than the one applied to the database changes nothing
//! from the moment it knows (within a second), goes on showing pages for the drain time only, and
//! runs no job; so does a node whose name another process holds. A node that is leaving serves as
//! before, but is not ready for more.
//! Deliberately not here: ending the process. An operator or supervisor does.

use super::{App, Refusal};
use crate::config::Level;
use crate::db::{DbError, Hold};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// What a node does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It serves.
    Serving,
    /// It was told to stop: it serves what still comes, and is not ready for more.
    Leaving,
    /// It must not go on, since when: it changes nothing, and soon shows nothing.
    Relieved(Instant, Relief),
}

/// Why a node must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// Another model was applied to the database.
    Model,
    /// Another process holds the node's name.
    Name,
}

/// The node's own state: what it does, and its hold on its name (SQLite: on the file).
pub(super) struct Post(Mutex<State>);

struct State {
    hold: Hold,
    leaving: bool,
    relieved: Option<(Instant, Relief)>,
}

impl Post {
    pub(super) fn new(hold: Hold) -> Self {
        Self(Mutex::new(State { hold, leaving: false, relieved: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl App {
    /// What this node does at present.
    pub fn duty(&self) -> Duty {
        let state = self.post.state();
        match state.relieved {
            Some((since, why)) => Duty::Relieved(since, why),
            None if state.leaving => Duty::Leaving,
            None => Duty::Serving,
        }
    }

    /// The process was told to stop: from now on this node is not ready for more.
    pub fn leave(&self) {
        self.post.state().leaving = true;
    }

    /// Whether a request is taken, one that changes something or one that does not.
    pub fn takes(&self, changes: bool) -> bool {
        match self.duty() {
            Duty::Serving | Duty::Leaving => true,
            Duty::Relieved(since, _) => !changes && self.clock.instant().duration_since(since) < self.settings.drain,
        }
    }

    /// Compares this node with what the installation says, and goes on or off duty.
    pub(super) fn report(&self, model_in_force: &str) -> Result<(), DbError> {
        let kept = self.keeps_its_name()?;
        let why = match (kept, model_in_force == self.live().model.fingerprint) {
            (false, _) => Some(Relief::Name),
            (true, false) => Some(Relief::Model),
            (true, true) => None,
        };
        let mut state = self.post.state();
        let before = state.relieved.map(|(_, why)| why);
        if before == why {
            return Ok(());
        }
        state.relieved = why.map(|why| (state.relieved.map_or_else(|| self.clock.instant(), |(since, _)| since), why));
        drop(state);
        let (level, text) = match why {
            Some(Relief::Model) => (
                Level::Critical,
                "another model was applied to the database: this node steps down; start it anew with that model",
            ),
            Some(Relief::Name) => (
                Level::Critical,
                "another process holds this node's name: this node steps down; give each node a name of its own",
            ),
            None => (Level::Warning, "this node is back on duty"),
        };
        self.logs.write("portcullis.node", level, text, None);
        Ok(())
    }

    /// A database that restarted has forgotten who held the name; it is taken again.
    fn keeps_its_name(&self) -> Result<bool, DbError> {
        if self.post.state().hold.stands() {
            return Ok(true);
        }
        match self.db.hold(&self.settings.node)? {
            Some(hold) => {
                self.post.state().hold = hold;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Whether jobs may run here now.
    pub fn may_work(&self) -> Result<(), Refusal> {
        match self.duty() {
            Duty::Serving => Ok(()),
            Duty::Leaving => Err(Refusal::Unavailable("this node is leaving".into())),
            Duty::Relieved(..) => Err(Refusal::Unavailable("this node stepped down".into())),
        }
    }
}
