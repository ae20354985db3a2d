//! What the trail is told of refusals, and the small clocks of sessions.

use super::{App, Ask, Asker, Refusal};
use crate::access::{Disagreement, Layer};
use crate::audit::{self, Event, EventKind, Who};
use crate::config::Level;
use crate::crypto::sha256;
use crate::store::Recorder;
use chrono::NaiveDateTime;
use std::collections::HashMap;
use std::sync::Mutex;

/// Refusals of visitors wait here: a visitor's request never touches the database itself.
#[derive(Default)]
pub(super) struct Waiting {
    events: Mutex<Vec<Event>>,
    seen: Mutex<HashMap<[u8; 32], NaiveDateTime>>,
}

/// At most so many wait; what comes on top is counted.
const MOST_WAITING: usize = 1_000;
const MOST_SESSIONS: usize = 10_000;
const MINUTE: i64 = 60;

impl App {
    pub(super) fn recorder(&self, asker: &Asker, ask: &Ask) -> Recorder {
        let who = asker.account().map(|id| Who { account: Some(id), name: asker.name_and_email().0.to_owned() });
        Recorder {
            keys: self.keys.clone(),
            node: self.settings.node.clone(),
            clock: self.clock.clone(),
            who,
            request_id: Some(ask.request_id.clone()),
        }
    }

    pub(super) fn told_by(&self, event: Event, asker: &Asker, ask: &Ask) -> Event {
        let name = match asker.account() {
            Some(_) => asker.name_and_email().0.to_owned(),
            None => ask.address.to_string(),
        };
        event.by(asker.account(), name).in_request(&ask.request_id)
    }

    /// Records a refusal (all denials; S1-26, ASVS 16.3.2), and notes faults in the log.
    pub fn record_refusal(&self, ask: &Ask, asker: &Asker, refusal: &Refusal) {
        let level = match refusal {
            Refusal::Disagreement(_) => Level::Critical,
            Refusal::Fault(_) => Level::Error,
            Refusal::Unavailable(_) | Refusal::Unsettled(_) => Level::Warning,
            Refusal::Denied(_) | Refusal::Forged(_) => Level::Info,
            _ => Level::Debug,
        };
        self.note(level, "portcullis.refusal", &format!("{} {refusal}", ask.target), ask);
        let event = match (refusal, refusal.denial()) {
            (Refusal::Disagreement(found), _) => incident(found),
            (_, Some(summary)) => Event::new(EventKind::Denied, summary).on(&ask.target),
            _ => return,
        };
        let event = self.told_by(event, asker, ask);
        if asker.account().is_none() {
            return self.wait(event);
        }
        if let Err(error) = self.record(&event) {
            self.note(Level::Critical, "portcullis.audit", &format!("a denial could not be recorded: {error}"), ask);
            self.wait(event);
        }
    }

    /// Appends one event in a transaction of its own.
    pub fn record(&self, event: &Event) -> Result<(), Refusal> {
        self.db.write(|conn| audit::record(conn, &self.keys, &self.settings.node, &self.clock, event).map_err(super::act::fault))
    }

    fn wait(&self, event: Event) {
        let mut events = self.waiting.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if events.len() < MOST_WAITING {
            events.push(event);
        } else {
            self.logs.write("portcullis.audit", Level::Error, "too many refusals at once; some stand in the log only", None);
        }
    }

    /// Records what waits; called on the schedule. What cannot be recorded now waits on.
    pub fn record_waiting(&self) {
        let events = std::mem::take(&mut *self.waiting.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        if events.is_empty() {
            return;
        }
        let done = self.db.write(|conn| {
            for event in &events {
                audit::record(conn, &self.keys, &self.settings.node, &self.clock, event).map_err(super::act::fault)?;
            }
            Ok::<_, Refusal>(())
        });
        if done.is_err() {
            let mut waiting = self.waiting.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let newer = std::mem::replace(&mut *waiting, events);
            waiting.extend(newer.into_iter().take(MOST_WAITING));
        }
    }

    /// Whether a session was last noted as used more than a minute ago, as far as this node knows.
    pub(super) fn session_is_due(&self, token: &str) -> bool {
        let now = self.clock.now();
        let mut seen = self.waiting.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.len() > MOST_SESSIONS {
            seen.clear();
        }
        let entry = seen.entry(sha256(token.as_bytes()));
        match entry {
            std::collections::hash_map::Entry::Occupied(mut known) if (now - *known.get()).num_seconds() >= MINUTE => {
                known.insert(now);
                true
            }
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(now);
                true
            }
        }
    }
}

/// The event that names both decisions (S1-26, ASVS 16.3.3).
pub(super) fn incident(found: &Disagreement) -> Event {
    let told = |(layer, decision): &(Layer, String)| format!("{layer:?}: {decision}");
    Event::new(EventKind::Incident, "two layers decided differently; the request was refused").on(&found.about).detail(
        "layers",
        Some(told(&found.first)),
        Some(told(&found.second)),
    )
}
