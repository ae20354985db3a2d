//! Why a page was not shown or a form not taken.

use super::context::Posted;
use crate::access::{Denied, ObjectError};

/// Why a page was not shown or a form not taken.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nothing this page offers sends such a request: forged, altered or from another page. The
    /// reason is for the record; it is the same for what does not exist and what is not for the caller.
    #[error("this request is none that the page offers: {0}")]
    BadRequest(&'static str),
    /// An object of the address is not there for this caller.
    #[error("the object is not there")]
    Gone,
    /// The model, or the program, is another than when the form was drawn.
    #[error("the form is out of date")]
    Expired,
    /// What the form acts on is not what it showed; show the page as it is now, with what was typed.
    #[error("the data is not what the form showed")]
    Stale(Box<Posted>),
    /// Values could not be read; show the form again with this.
    #[error("some values cannot be read")]
    Invalid(Box<Posted>),
    /// Refused, or the data is not available.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

impl From<Denied> for PageError {
    fn from(denied: Denied) -> Self {
        Self::Object(ObjectError::Denied(denied))
    }
}
