//! The order of the record of what happened, fixed shortly after.
//!
//! Guarantees: what is found changed while sealing is an incident, recorded once and logged; denials that other nodes
//! recorded count here a few seconds later. Deliberately not here: how often (the clockwork).

use super::{App, Refusal};
use crate::audit::{self, AnchorError, Event, EventKind, Unsealed};
use crate::config::Level;
use crate::log::with_causes;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was found wrong with the trail and reported.
#[derive(Default)]
pub(super) struct Reported {
    told: Mutex<BTreeSet<String>>,
    /// Whether the file of anchors is behind.
    unfiled: AtomicBool,
}

impl Reported {
    fn is_new(&self, text: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }
}

impl App {
    /// Seals what was recorded and is not sealed yet.
    pub fn seal(&self, what: Unsealed) -> Result<(), Refusal> {
        let sealed = audit::seal(&self.db, &self.keys, what)?;
        if sealed.records > 0 {
            self.reported.unfiled.store(true, Ordering::SeqCst);
        }
        for (node, fault) in sealed.faults {
            self.trail_is_broken(&format!("node {node}: {fault}"))?;
        }
        Ok(())
    }

    /// Notes the ends of the trail in the file beside the secret, when there is something new.
    pub fn file_anchors(&self) -> Result<(), Refusal> {
        if !self.reported.unfiled.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let kept = self.anchors.keep(&self.db, &self.keys);
        if kept.is_err() {
            self.reported.unfiled.store(true, Ordering::SeqCst);
        }
        kept.map_err(|error| match error {
            AnchorError::Db(error) => error.into(),
            other => Refusal::Unavailable(with_causes(&other)),
        })
    }

    /// Compares the ends of the trail with what was noted of them. What does not agree is an incident.
    pub fn check_anchors(&self) -> Result<(), Refusal> {
        let noted = self.anchors.noted(&self.keys);
        let faults = self.db.read(|conn| audit::anchor_faults(conn, &self.keys, Some(&noted)))?;
        faults.into_iter().try_for_each(|(node, fault)| self.trail_is_broken(&format!("node {node}: {fault}")))
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
