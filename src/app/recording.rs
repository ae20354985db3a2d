//! What the trail is told of refusals, and the small clocks of sessions.
//!
//! The first refusals of one kind are recorded one by one: those of signed-in people at once, those of
//! visitors by the clockwork, half a second later. What comes on top is counted (`tally`), by network
//! or account and kind, and recorded as sums. A process that is killed loses what was counted and not
//! yet recorded: of signed-in people and of incidents that of the last second, of visitors that of
//! up to half a minute. What was recorded one by one before stands.

use super::tally::{Limits, Noted, Tally, Waiting as Due};
use super::{App, Ask, Asker, Refusal};
use crate::access::explain::{Op, Question, Wanted};
use crate::access::{Denied, Disagreement, Layer};
use crate::audit::{self, Event, EventKind, Who};
use crate::config::Level;
use crate::crypto::sha256;
use crate::domain::{Name, QName};
use crate::identity;
use crate::model::Model;
use crate::store::Recorder;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Refusals wait here, each sort in bounds of its own, so that no flood drives out the others.
// SECURITY: a visitor's request never touches the database itself, and a flood of refusals neither hides others' nor
// fills the trail: `a_flood_of_refusals_leaves_other_peoples_records_alone`.
pub(super) struct Waiting {
    visitors: Tally,
    people: Tally,
    incidents: Tally,
    /// Refusals that were counted, and the reference of the recorded one that is like them.
    samples: Mutex<HashMap<String, String>>,
    seen: Mutex<HashMap<[u8; 32], NaiveDateTime>>,
    /// Statements that recording refusals at once took.
    statements: AtomicU64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            visitors: Tally::new(VISITORS),
            people: Tally::new(PEOPLE),
            incidents: Tally::new(INCIDENTS),
            samples: Mutex::default(),
            seen: Mutex::default(),
            statements: AtomicU64::new(0),
        }
    }
}

/// Refusals of visitors, by network.
const VISITORS: Limits = Limits {
    answered_alike: 20,
    of_a_caller: 60,
    waiting: 1_000,
    callers: 1_000,
    kinds: 50,
    longest_pause: TimeDelta::seconds(30),
};
/// Refusals of signed-in people, by account: each of those that stand alone costs a transaction.
const PEOPLE: Limits = Limits { longest_pause: TimeDelta::seconds(1), ..VISITORS };
/// Incidents, whoever meets them. None is dropped; the same one over and over is counted.
const INCIDENTS: Limits = Limits { of_a_caller: 200, kinds: 200, ..PEOPLE };

/// What a person is given to refer to a refusal.
pub struct Reference {
    /// The id of a request whose refusal stands in the trail.
    pub id: String,
    /// Whether it is that of an earlier refusal of the same kind, with which this one was counted.
    pub counted: bool,
}

/// Plain words of the trail: what somebody wanted who was refused,
pub(super) const WANTED: &str = "wanted";
/// the microflows that wanted it, innermost first,
pub(super) const WAY: &str = "way";
/// what kept the door shut that is no rule of the model,
pub(super) const GROUND: &str = "ground";
/// the layer that refused,
pub(super) const LAYER: &str = "layer";
/// the layers that decided differently,
pub(super) const LAYERS: &str = "layers";
/// the user roles that they held,
pub(super) const ROLES: &str = "roles";
/// and the fingerprint of the model that ran.
pub(super) const MODEL: &str = "model";

/// So many are recorded in one transaction.
const AT_ONCE: usize = 200;
const MOST_SAMPLES: usize = 4_096;
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
            Refusal::Unavailable(_) | Refusal::Busy(_) | Refusal::Unsettled(_) | Refusal::Unprepared(_) => Level::Warning,
            Refusal::Denied(_) | Refusal::Forged(_) => Level::Info,
            _ => Level::Debug,
        };
        self.note(level, "portcullis.refusal", &format!("{} {refusal}", ask.target), ask);
        let event = match (refusal, refusal.denial()) {
            (Refusal::Disagreement(found), _) => incident(found),
            (_, Some(summary)) => Event::new(EventKind::Denied, summary).on(&ask.target),
            _ => return,
        };
        let event = self.explainable(event, ask, asker, refusal);
        self.keep(ask, asker, answer(refusal), self.told_by(event, asker, ask));
    }

    /// Records an event at once, keeps it for the clockwork, or counts it, as its sort and number say.
    fn keep(&self, ask: &Ask, asker: &Asker, answer: &'static str, event: Event) {
        let (now, network) = (self.clock.now(), identity::network(ask.address));
        let who = asker.account().map_or(network, |id| format!("account {}", id.0));
        let tally = match (event.kind, asker.account()) {
            (EventKind::Incident, _) => &self.waiting.incidents,
            (_, Some(_)) => &self.waiting.people,
            (_, None) => &self.waiting.visitors,
        };
        match tally.note(&who, answer, event, now) {
            Noted::Counted(sample) => self.refer(ask, sample),
            Noted::Single(event) if asker.account().is_none() => tally.wait(&who, *event, now),
            Noted::Single(event) => {
                let (before, done) = (self.db.statements(), self.record(&event));
                self.waiting.statements.fetch_add(self.db.statements() - before, Ordering::Relaxed);
                if let Err(error) = done {
                    self.note(Level::Critical, "portcullis.audit", &format!("a refusal could not be recorded: {error}"), ask);
                    tally.wait(&who, *event, now);
                }
            }
        }
    }

    /// How many statements it took so far to record refusals while somebody waited for the answer. Exact while one request
    /// runs at a time; others that run meanwhile are counted too.
    pub fn statements_of_refusals(&self) -> u64 {
        self.waiting.statements.load(Ordering::Relaxed)
    }

    /// Remembers which recorded refusal stands for one that was only counted.
    fn refer(&self, ask: &Ask, sample: Option<String>) {
        let Some(sample) = sample else { return };
        let mut samples = self.waiting.samples.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Taken out as soon as the answer is made; visitors who are sent to sign in leave theirs.
        if samples.len() >= MOST_SAMPLES {
            samples.clear();
        }
        samples.insert(ask.request_id.clone(), sample);
    }

    /// What to refer to a refused request by.
    pub fn reference(&self, request_id: &str) -> Reference {
        let sample = self.waiting.samples.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(request_id);
        match sample {
            Some(id) => Reference { id, counted: true },
            None => Reference { id: request_id.to_owned(), counted: false },
        }
    }

    /// Records that rules refused something that a page had offered: for the trail, and nothing against the person.
    pub(super) fn record_refused_offer(&self, ask: &Ask, asker: &Asker, denied: &Denied) {
        self.note(Level::Info, "portcullis.refusal", &format!("{} {denied}", ask.target), ask);
        if asker.account().is_none() {
            return;
        }
        let event = Event::new(EventKind::OfferRefused, denied.summary()).on(&ask.target);
        let event = self.explainable(event, ask, asker, &Refusal::Denied(denied.clone()));
        self.keep(ask, asker, "offer", self.told_by(event, asker, ask));
    }

    /// Adds what is needed to explain a refusal later: what was wanted, by which roles, of which model. No values.
    fn explainable(&self, mut event: Event, ask: &Ask, asker: &Asker, refusal: &Refusal) -> Event {
        let model = asker.grants.model();
        let wanted = match refusal {
            Refusal::Denied(denied) => {
                event = event.detail(LAYER, None, Some(denied.layer.title().to_owned()));
                for (flow, place) in &denied.way {
                    event = event.detail(WAY, None, Some(format!("{flow} {}:{}", place.file, place.line)));
                }
                Question::of(denied).into_iter().collect()
            }
            Refusal::Gone => self.sought(model, &ask.target),
            _ => Vec::new(),
        };
        if let Some((ground, layer)) = refusal.ground() {
            event = event.detail(GROUND, None, Some(ground.id().to_owned()));
            // The record of an incident names both layers, that of a denial the one that refused.
            if matches!(refusal, Refusal::Forged(_) | Refusal::Gone) {
                event = event.detail(LAYER, None, Some(layer.title().to_owned()));
            }
        }
        for question in wanted {
            event = event.detail(WANTED, None, Some(question.to_string()));
        }
        let roles: Vec<&str> = asker.grants.roles().iter().map(|role| role.as_str()).collect();
        event.detail(ROLES, None, Some(roles.join(", "))).detail(MODEL, None, Some(model.fingerprint.clone()))
    }

    /// The objects that the address of a page names.
    fn sought(&self, model: &Model, target: &str) -> Vec<Question> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let page = path.strip_prefix("/p/").and_then(QName::parse).and_then(|name| model.pages.get(&name));
        let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let object = |(name, entity): (&Name, &QName)| {
            let handle = pairs.iter().find(|(key, _)| *key == name.as_str())?.1;
            let object = self.keys.object(entity, handle)?;
            Some(Question::Data(Wanted { op: Op::Read, entity: entity.clone(), object: Some(object), member: None }))
        };
        page.into_iter().flat_map(|page| page.parameters.iter()).filter_map(object).collect()
    }

    /// Appends one event in a transaction of its own.
    pub fn record(&self, event: &Event) -> Result<(), Refusal> {
        // Nothing is read that the record depends on.
        self.db.write_unserialized(|conn| {
            audit::record(conn, &self.keys, &self.settings.node, &self.clock, event).map_err(super::act::fault)
        })
    }

    /// Records what waits; called on the schedule. What cannot be recorded now waits on.
    pub fn record_waiting(&self) {
        self.record_due(false);
    }

    /// Records all that waits, sums that would grow on included; called when the server ends.
    pub fn record_all_waiting(&self) {
        self.record_due(true);
    }

    fn record_due(&self, all: bool) {
        // Incidents first: whatever fails afterwards, they are recorded.
        for tally in [&self.waiting.incidents, &self.waiting.people, &self.waiting.visitors] {
            let mut due = tally.due(self.clock.now(), all);
            while !due.is_empty() {
                let rest = due.split_off(due.len().min(AT_ONCE));
                if self.record_some(&due).is_err() {
                    tally.restore(due.into_iter().chain(rest).collect());
                    break;
                }
                due = rest;
            }
        }
    }

    fn record_some(&self, due: &[Due]) -> Result<(), Refusal> {
        self.db.write(|conn| {
            for one in due {
                audit::record(conn, &self.keys, &self.settings.node, &self.clock, &one.event()).map_err(super::act::fault)?;
            }
            Ok(())
        })
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

/// What sort of page answers a refusal, as far as the person who reads it can tell sorts apart.
fn answer(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Denied(denied) if denied.conceal => "not there",
        Refusal::Gone => "not there",
        Refusal::Denied(_) => "not yours",
        Refusal::Forged(_) => "forged",
        Refusal::Disagreement(_) => "closed",
        _ => "other",
    }
}

/// The event that names both decisions (S1-26, ASVS 16.3.3).
pub(super) fn incident(found: &Disagreement) -> Event {
    named(found, "two layers decided differently; the request was refused")
}

/// The same, found by the agreement check.
pub(super) fn incident_found(found: &Disagreement) -> Event {
    named(found, "the agreement check found two layers that decide differently")
}

fn named(found: &Disagreement, summary: &str) -> Event {
    let told = |(layer, decision): &(Layer, String)| format!("{layer:?}: {decision}");
    let event = Event::new(EventKind::Incident, summary).on(&found.about);
    event.detail(LAYERS, Some(told(&found.first)), Some(told(&found.second)))
}
