//! The order of the record of what happened, fixed shortly after.
//!
//! Guarantees: what is found changed while sealing is an incident, recorded once and logged; denials that other nodes
//! recorded count here a few seconds later. Deliberately not here: how often (the clockwork).

use super::{App, Refusal};
use crate::audit::{self, Event, EventKind, Unsealed};
use crate::config::Level;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What was found wrong with the trail and reported.
#[derive(Default)]
pub(super) struct Reported(Mutex<BTreeSet<String>>);

impl Reported {
    fn is_new(&self, text: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }
}

impl App {
    /// Seals what was recorded and is not sealed yet.
    pub fn seal(&self, what: Unsealed) -> Result<(), Refusal> {
        let sealed = audit::seal(&self.db, &self.keys, what)?;
        for (node, fault) in sealed.faults {
            self.trail_is_broken(&format!("node {node}: {fault}"))?;
        }
        Ok(())
    }

    /// Learns what other nodes refused lately.
    pub fn follow_denials(&self) -> Result<(), Refusal> {
        Ok(audit::follow_denials(&self.db, self.clock.now())?)
    }

    /// Reports a fault of the trail once.
    fn trail_is_broken(&self, text: &str) -> Result<(), Refusal> {
        if !self.reported.is_new(text) {
            return Ok(());
        }
        self.logs.write("portcullis.audit", Level::Critical, &format!("the audit trail was tampered with: {text}"), None);
        let event = Event::new(EventKind::Incident, "the audit trail was tampered with: run `portcullis audit verify`");
        self.record(&event.on("audit trail").by(None, "job seal").detail("fault", None, Some(text.to_owned())))
    }
}
