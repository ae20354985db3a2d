//! The pairs that a browser sent, sorted into what they are for.

use crate::page::PageError;
use crate::page::context::{Drawn, FormState, Handles, digest};
use crate::page::walk::Walk;
use std::collections::BTreeMap;

/// At most so many fields.
const MOST_FIELDS: usize = 500;

/// A form as sent.
pub(super) struct Sent {
    pub(super) state: String,
    pub(super) button: String,
    /// Handle of the row, and what its button was drawn over, sealed.
    pub(super) row: Option<(String, String)>,
    pub(super) confirmed: bool,
    /// Widget id → text.
    pub(super) values: BTreeMap<String, String>,
}

/// The sealed state of a form, before anything else is read: it may carry objects of the page's parameters.
pub fn state(posted: &[(String, String)], handles: &dyn Handles) -> Option<FormState> {
    let (_, text) = posted.iter().find(|(key, _)| key == "_state")?;
    handles.open(text)
}

impl Sent {
    /// Sorts the pairs; a key twice, or a name of ours that we do not use, is refused.
    pub(super) fn read(posted: &[(String, String)]) -> Result<Self, PageError> {
        const REFUSED: PageError = PageError::BadRequest("a field that the form does not have");
        let mut all = BTreeMap::new();
        for (key, value) in posted {
            if posted.len() > MOST_FIELDS || all.insert(key.as_str(), value.as_str()).is_some() {
                return Err(REFUSED);
            }
        }
        all.remove("_csrf");
        let state = all.remove("_state").ok_or(REFUSED)?.to_owned();
        let act = all.remove("_do").ok_or(REFUSED)?;
        let confirmed = all.remove("_confirmed").is_some();
        if all.keys().any(|key| key.starts_with('_')) {
            return Err(REFUSED);
        }
        let (button, row) = match act.split_once(':') {
            None => (act.to_owned(), None),
            Some((button, rest)) => {
                let (handle, shown) = rest.rsplit_once(':').ok_or(REFUSED)?;
                (button.to_owned(), Some((handle.to_owned(), shown.to_owned())))
            }
        };
        let values = all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(Self { state, button, row, confirmed, values })
    }
}

impl Walk<'_, '_> {
    /// SECURITY: refuses a field that this caller was not shown in this form (mass assignment; test
    /// `a_field_that_was_not_offered_is_refused`). Gives those that they were shown, and changed, and that are closed
    /// to them by now.
    pub(super) fn closed_since(&self, sent: &Sent, form: &str, drawn: &Drawn) -> Result<Vec<String>, PageError> {
        let mut closed = Vec::new();
        for (id, text) in &sent.values {
            let offered = self.fields.get(id).is_some_and(|field| field.form == form);
            match drawn.fields.get(id) {
                Some(_) if offered => {}
                Some(seen) if *seen == digest(text) => {}
                Some(_) => closed.push(id.clone()),
                None if offered && self.is_unguarded() => {}
                None => return Err(PageError::BadRequest("a field that is not offered")),
            }
        }
        Ok(closed)
    }
}
