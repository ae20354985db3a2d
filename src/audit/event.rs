//! What is recorded.

use crate::config::Level;
use crate::domain::ObjectId;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal, $severity:ident;)+) => {
        /// What kind of thing happened. The ids are stored: they never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[doc = $doc])+ $name,)+ }

        impl EventKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// The stored name.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }
            /// How grave it is unless the event says otherwise.
            pub fn severity(self) -> Level {
                match self { $(Self::$name => Level::$severity,)+ }
            }
        }
    };
}

kinds! {
    /// Somebody proved who they are.
    SignedIn = "sign-in.ok", Info;
    /// A proof failed.
    SignInFailed = "sign-in.failed", Warning;
    /// Too many proofs failed; further ones are not looked at for a while.
    SignInThrottled = "sign-in.throttled", Error;
    /// Somebody left.
    SignedOut = "sign-out", Info;
    /// A session was ended by somebody else or by another sign-in.
    SessionEnded = "session.ended", Info;
    /// Something was refused. Repetition raises its severity.
    Denied = "denied", Warning;
    /// Something that a page offered was refused when it was tried: no fault of the person, so it raises nothing.
    OfferRefused = "offer.refused", Info;
    /// An object was created.
    Created = "object.created", Info;
    /// An object was changed.
    Changed = "object.changed", Info;
    /// An object was deleted.
    Deleted = "object.deleted", Info;
    /// A microflow ran with declared extra grants.
    ElevatedRun = "flow.elevated", Info;
    /// A user role was given or taken.
    RoleChanged = "user.role", Warning;
    /// An account came into being.
    UserCreated = "user.created", Info;
    /// Somebody was invited.
    UserInvited = "user.invited", Info;
    /// An account was blocked.
    UserBlocked = "user.blocked", Warning;
    /// An account was opened again.
    UserUnblocked = "user.unblocked", Warning;
    /// A link to choose a new password was sent.
    UserReset = "user.reset", Warning;
    /// A password was chosen.
    PasswordChanged = "password.changed", Info;
    /// A one-time link was opened.
    LinkUsed = "link.used", Info;
    /// The server started, or with other settings.
    Configuration = "configuration", Info;
    /// Another model took effect.
    ModelReloaded = "model.reloaded", Warning;
    /// A log level was changed while running.
    LevelChanged = "log.level", Info;
    /// Somebody opened the log, which may tell more than their own rights.
    LogOpened = "log.opened", Info;
    /// A mail could not be handed over.
    MailFailed = "mail.failed", Error;
    /// A microflow ended in an error.
    FlowFailed = "flow.failed", Error;
    /// A public snapshot was published.
    SnapshotPublished = "snapshot.published", Info;
    /// The trail was accepted as it is, although it does not agree with what was noted of it: a backup was restored.
    TrailAccepted = "trail.accepted", Critical;
    /// Two layers disagreed, or an invariant broke.
    Incident = "incident", Critical;
}

impl EventKind {
    /// Reads a stored name.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.id() == id)
    }
}

/// Who did it, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The account, if one was proved.
    pub account: Option<ObjectId>,
    /// The name of the account at that time, or the network address of a visitor.
    pub name: String,
}

/// One changed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The member as `module.Entity.member`, or a plain word for what is no member.
    pub name: String,
    /// The canonical text before.
    pub old: Option<String>,
    /// The canonical text after.
    pub new: Option<String>,
}

/// Something to record.
#[derive(Clone, Debug)]
pub struct Event {
    /// How grave it is.
    pub severity: Level,
    /// What kind of thing.
    pub kind: EventKind,
    /// Who did it.
    pub caller: Option<Who>,
    /// What it was done to, such as `hr.Employee#7`.
    pub object: Option<String>,
    /// One sentence, without values of the app.
    pub summary: String,
    /// The values.
    pub details: Vec<Detail>,
    /// The request in which it happened.
    pub request_id: Option<String>,
}

impl Event {
    /// An event with its kind's severity.
    pub fn new(kind: EventKind, summary: impl Into<String>) -> Self {
        Self {
            severity: kind.severity(),
            kind,
            caller: None,
            object: None,
            summary: summary.into(),
            details: Vec::new(),
            request_id: None,
        }
    }
    /// Sets who did it.
    #[must_use]
    pub fn by(mut self, account: Option<ObjectId>, name: impl Into<String>) -> Self {
        self.caller = Some(Who { account, name: name.into() });
        self
    }
    /// Sets what it was done to.
    #[must_use]
    pub fn on(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }
    /// Adds a changed value.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, old: Option<String>, new: Option<String>) -> Self {
        self.details.push(Detail { name: name.into(), old, new });
        self
    }
    /// Sets the request.
    #[must_use]
    pub fn in_request(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }
}
