//! How a run ends when it does not end well.

use crate::access::{Denied, Feedback, Ground, Layer, ObjectError, Reason, WriteError};
use crate::domain::{Name, QName};
use crate::expr::EvalError;

/// Why a run (or a deed with its handlers) changed nothing: whoever opened the transaction rolls
/// it back.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Refused.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The flow, or a validation, says what is wrong at which field.
    #[error("the values are not acceptable")]
    Feedback(Vec<Feedback>),
    /// The flow says why it cannot be done; the text is for the person.
    #[error("{0}")]
    Raised(String),
    /// Somebody changed an object meanwhile.
    #[error("an object was changed meanwhile")]
    Stale,
    /// An object is still referred to.
    #[error("the object is still in use by {0}")]
    InUse(QName),
    /// A variable that should name an object or a list is empty or something else.
    #[error("there is nothing in ${0}")]
    Nothing(Name),
    /// A budget is used up.
    #[error("the run was ended: {0}")]
    Exhausted(&'static str),
    /// A number needs more digits than a number has; the text is for the person.
    #[error("A number became too large to be computed. Nothing was changed.")]
    Overflow,
    /// The data could not be read or written; nothing that the model could help.
    #[error("the data is not available")]
    Object(#[source] ObjectError),
    /// The model and what runs do not agree; the model check should have seen it.
    #[error("{0}")]
    Broken(String),
}

impl From<ObjectError> for FlowError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Denied(denied) => Self::Denied(denied),
            other => Self::Object(other),
        }
    }
}

impl From<WriteError> for FlowError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Object(error) => error.into(),
            WriteError::Stale => Self::Stale,
            WriteError::Invalid(feedback) => Self::Feedback(feedback),
            WriteError::InUse(entity) => Self::InUse(entity),
        }
    }
}

impl From<EvalError> for FlowError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Overflow => Self::Overflow,
            // SECURITY: an error while deciding is a refusal.
            withheld => Self::Denied(Denied::new(Layer::EntityAccess, Reason::Other(Ground::Undecided, withheld.to_string()))),
        }
    }
}
