//! What a run is given, and what it gives.

use super::{Budget, Effects};
use crate::access::{Feedback, Grants, Objects};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::Tone;
use chrono::NaiveDateTime;
use std::collections::BTreeMap;

/// The signed-in person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The object of system.User.
    pub id: ObjectId,
    /// Full name.
    pub name: String,
    /// Address.
    pub email: String,
}

/// What flows and deeds of one request run in.
pub struct FlowContext<'a> {
    /// The caller's own grants; for a job [`Grants::none`].
    pub grants: &'a Grants,
    /// The data, inside one transaction.
    pub objects: &'a mut dyn Objects,
    /// Who is signed in; `None` for visitors and jobs.
    pub account: Option<&'a Account>,
    /// The language of texts for the person.
    pub language: &'a str,
    /// The moment of the run, the same throughout it.
    pub now: NaiveDateTime,
    /// What is collected to be done afterwards.
    pub effects: &'a mut Effects,
    /// What may still be done.
    pub budget: Budget,
}

/// What a flow ended with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Its value, if it returns one.
    pub value: Option<Value>,
    /// The page to open, with objects for its parameters. Opening it is decided anew.
    pub page: Option<(QName, BTreeMap<Name, Value>)>,
    /// Whether to close the present page.
    pub close: bool,
    /// What to tell the person.
    pub messages: Vec<(Tone, String)>,
    /// Complaints at fields; never left in a run that ended well.
    pub(super) feedback: Vec<Feedback>,
}
