//! Everything that can end a request without its deed.

use crate::access::{Authority, Denied, Disagreement, Grants, Ground, Layer, ObjectError, Reason};
use crate::db::DbError;
use crate::flow::FlowError;
use crate::page::PageError;
use std::sync::Arc;
use std::time::Duration;

/// Why a request was not answered with what it asked for. Nothing was done (of `Unsettled` one cannot know).
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not granted.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Two layers decided differently: refused, and an incident.
    #[error(transparent)]
    Disagreement(#[from] Box<Disagreement>),
    /// Nothing that a page of ours would send: forged or altered.
    #[error("forged: {0}")]
    Forged(&'static str),
    /// The page or object is not there (for this caller).
    #[error("not there")]
    Gone,
    /// The form is out of date.
    #[error("out of date")]
    Expired,
    /// Somebody changed the object meanwhile.
    #[error("changed meanwhile")]
    Stale,
    /// The app says why it cannot be done.
    #[error("{0}")]
    Said(String),
    /// Too much at once.
    #[error("too many attempts")]
    TooFast(Duration),
    /// The database is not there, or full: try again.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Others changed the same data at the same moment, again and again: try again.
    #[error("busy: {0}")]
    Busy(String),
    /// The database was not told of these rights yet: leave the transaction, prepare, and ask once more.
    #[error("the database was not told of the rights {}", Authority::rights(&**.0).key)]
    Unprepared(Arc<Grants>),
    /// The database went away at the very moment of keeping a change: nobody can say whether it was kept.
    #[error("not settled: {0}")]
    Unsettled(String),
    /// A fault of ours or of the model. Details stand in the log only.
    #[error("fault: {0}")]
    Fault(String),
}

impl Refusal {
    /// A door for signed-in people only.
    pub fn sign_in_first() -> Self {
        Self::Denied(Denied::new(Layer::Identity, Reason::Other(Ground::SignedOut, "not signed in".into())))
    }
    /// The rights that the database was not told of.
    pub(super) fn unprepared(&self) -> Option<Arc<Grants>> {
        if let Self::Unprepared(grants) = self { Some(grants.clone()) } else { None }
    }
    /// Whether it belongs into the audit trail as a denial.
    pub fn denial(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.summary()),
            Self::Forged(what) => Some(format!("forged request: {what}")),
            // A handle that leads nowhere for this caller is how somebody looks for what is not theirs.
            Self::Gone => Some("an object that is not there for this caller".into()),
            // Recorded as an incident.
            Self::Disagreement(_) => None,
            // No decision about rights: time, values, somebody else's change, or a fault.
            Self::Expired | Self::Stale | Self::Said(_) | Self::TooFast(_) => None,
            Self::Unavailable(_) | Self::Busy(_) | Self::Unprepared(_) | Self::Unsettled(_) | Self::Fault(_) => None,
        }
    }
    /// What kept the door shut beside the rules of the model, and the layer.
    pub(super) fn ground(&self) -> Option<(Ground, Layer)> {
        match self {
            Self::Denied(denied) => denied.ground().map(|ground| (ground, denied.layer)),
            Self::Disagreement(found) => Some((Ground::Disagreement, found.first.0)),
            Self::Forged(_) => Some((Ground::Forged, Layer::Gate)),
            Self::Gone => Some((Ground::NotThere, Layer::EntityAccess)),
            Self::Expired | Self::Stale | Self::Said(_) | Self::TooFast(_) => None,
            Self::Unavailable(_) | Self::Busy(_) | Self::Unprepared(_) | Self::Unsettled(_) | Self::Fault(_) => None,
        }
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        let text = error.to_string();
        match error {
            DbError::Unsettled(_) => Self::Unsettled(text),
            DbError::Contended { .. } => Self::Busy(text),
            passing if passing.is_passing() => Self::Unavailable(text),
            _ => Self::Fault(text),
        }
    }
}

impl From<ObjectError> for Refusal {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Denied(denied) => Self::Denied(denied),
            ObjectError::Disagreement(found) => Self::Disagreement(found),
            ObjectError::Unavailable(source) => Self::Unavailable(source.to_string()),
            ObjectError::Fault(source) => Self::Fault(source.to_string()),
        }
    }
}

impl From<PageError> for Refusal {
    fn from(error: PageError) -> Self {
        match error {
            PageError::BadRequest(what) => Self::Forged(what),
            PageError::Gone => Self::Gone,
            PageError::Expired => Self::Expired,
            PageError::Stale(_) => Self::Stale,
            PageError::Invalid(_) => Self::Said("Some values cannot be read.".into()),
            PageError::Object(error) => error.into(),
        }
    }
}

impl From<FlowError> for Refusal {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Denied(denied) => Self::Denied(denied),
            FlowError::Feedback(feedback) => {
                Self::Said(feedback.into_iter().map(|found| found.message).collect::<Vec<_>>().join(" "))
            }
            FlowError::Raised(text) => Self::Said(text),
            FlowError::Stale => Self::Stale,
            FlowError::InUse(entity) => Self::Said(format!("This is still in use ({}) and cannot be deleted.", entity.name)),
            FlowError::Overflow => Self::Said(FlowError::Overflow.to_string()),
            FlowError::Object(error) => error.into(),
            other => Self::Fault(other.to_string()),
        }
    }
}
