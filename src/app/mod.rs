//! The use cases: what a person, a visitor or a job may ask of the server, wired once.
//!
//! From here down everything is synchronous and testable without a runtime. A visitor's context
//! owns no connection (`visitor`); everybody else's work happens in one transaction. Every refusal
//! is one [`Refusal`], recorded in one place. The module deliberately knows nothing of HTTP.

mod act;
pub mod admin;
mod adopt;
mod agreement;
mod ask;
mod carry;
mod context;
mod demo;
mod duty;
mod handles;
mod jobs;
mod known;
mod live;
mod meter;
mod once;
mod post;
mod recording;
mod refusal;
mod registration;
mod runs;
mod sealing;
mod second;
pub mod seed;
mod shared;
mod show;
mod tally;
mod visit;
mod visitor;

#[cfg(test)]
mod tests;

pub use act::{Done, Sent};
pub use agreement::{Agreement, Round, compare_layers};
pub use ask::{Ask, Asker, binding_of_session};
pub use demo::Demo;
pub use duty::{Duty, Relief};
pub use live::Live;
pub use recording::Reference;
pub use refusal::Refusal;
pub use registration::{LinkPage, LinkRefusal, LinkUse, sentence};
pub use runs::Runs;
pub use show::{Shell, Who};
pub use visit::Refilled;

use crate::audit::AnchorFile;
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::Keys;
use crate::db::{Db, Hold};
use crate::identity::Identity;
use crate::log::Logs;
use crate::mail::Mailer;
use crate::model::Findings;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, RwLock};

/// A running server's parts.
pub struct App {
    /// What the operator decided.
    pub settings: Settings,
    /// Keys of this installation.
    pub keys: Keys,
    /// Time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Accounts, sessions, links.
    pub identity: Identity,
    /// Outgoing mail.
    pub mailer: Mailer,
    /// The log.
    pub logs: Logs,
    /// Present only while demo mode runs, on loopback.
    pub demo: Option<Demo>,
    live: RwLock<Arc<Live>>,
    /// Read-locked by each request, write-locked while the model is replaced.
    working: RwLock<()>,
    /// Locked while jobs run, and while the model is replaced.
    jobs: Mutex<()>,
    /// Findings of a model that did not replace the running one.
    rejected: RwLock<Option<Arc<Findings>>>,
    registrations: meter::Meter,
    waiting: recording::Waiting,
    post: duty::Post,
    known: known::Known,
    /// Held while it is looked what other nodes did.
    following: Mutex<()>,
    /// Held while the trail is walked.
    verifying: Mutex<()>,
    reported: sealing::Reported,
    /// With which set of roles the next agreement check begins.
    compared: AtomicUsize,
    /// Where the ends of the trail are noted beside the database.
    anchors: AnchorFile,
}

impl App {
    /// Puts the parts together.
    #[expect(clippy::too_many_arguments, reason = "each part is made once, by the server")]
    pub fn new(
        settings: Settings,
        keys: Keys,
        clock: Clock,
        db: Db,
        hold: Hold,
        identity: Identity,
        mailer: Mailer,
        logs: Logs,
        demo: Option<Demo>,
        live: Live,
    ) -> Self {
        // A server that is started again and again does not begin with the same each time.
        let begin = usize::try_from(clock.now().and_utc().timestamp()).unwrap_or(0);
        let anchors = AnchorFile::beside(&settings.secret_file, &settings.node);
        Self {
            settings,
            keys,
            clock,
            db,
            identity,
            mailer,
            logs,
            demo,
            live: RwLock::new(Arc::new(live)),
            working: RwLock::new(()),
            jobs: Mutex::new(()),
            rejected: RwLock::new(None),
            registrations: meter::Meter::default(),
            waiting: recording::Waiting::default(),
            post: duty::Post::new(hold),
            known: known::Known::default(),
            following: Mutex::new(()),
            verifying: Mutex::new(()),
            reported: sealing::Reported::default(),
            compared: AtomicUsize::new(begin),
            anchors,
        }
    }

    /// The model that runs now. A request keeps the one it began with.
    pub fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
    /// Lets another model take effect here, over a database that is made for it ([`App::adopt`] sees to that).
    pub fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(live);
        self.reject(None);
    }
    /// Remembers why a changed model did not take effect, or that there is nothing to say.
    pub fn reject(&self, findings: Option<Findings>) {
        *self.rejected.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = findings.map(Arc::new);
    }
    /// Why a changed model did not take effect.
    pub fn rejected(&self) -> Option<Arc<Findings>> {
        self.rejected.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}
