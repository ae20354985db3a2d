//! Object keys as the browser sees them: opaque, bound to their entity; what lives in memory
//! travels inside its handle, sealed for this caller.

use super::context::SharedWorkspace;
use crate::clock::Clock;
use crate::crypto::{Keys, random_token};
use crate::domain::{ObjectId, QName};
use crate::page::{FormState, Handles};
use crate::workspace::Exported;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// How long a form may lie open, in seconds.
pub(super) const FORM_LIFETIME: i64 = 12 * 3_600;
/// What the state of a form is sealed for.
const FORM: &str = "form";
/// The longest sealed text that is looked at.
const LONGEST: usize = 64 * 1_024;

/// Handles of one caller.
pub(super) struct Book {
    pub keys: Keys,
    pub clock: Clock,
    /// The session or visitor that sealed things are bound to.
    pub binding: String,
    /// Digest of the model.
    pub model: String,
    pub workspace: SharedWorkspace,
    /// The form that is shown again, with its random word.
    pub again: Option<(String, String)>,
    /// The object that was written last, and its handle.
    pub last: RefCell<Option<(QName, ObjectId, String)>>,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    until: i64,
    content: T,
}

impl Book {
    fn seal_for<T: Serialize>(&self, purpose: &str, about: &str, content: T) -> String {
        self.keys.seal(purpose, self.bound(about).as_bytes(), &self.limited(content))
    }

    fn limited<T: Serialize>(&self, content: T) -> Vec<u8> {
        let until = self.clock.now().and_utc().timestamp() + FORM_LIFETIME;
        serde_json::to_vec(&Sealed { until, content }).unwrap_or_default()
    }

    // SECURITY: a state of another session, model, page kind or time does not open (icsa-23-320-04).
    fn open_for<T: DeserializeOwned>(&self, purpose: &str, about: &str, text: &str) -> Option<T> {
        let sealed = self.unsealed(purpose, &self.bound(about), text)?;
        (!self.is_late(sealed.until)).then_some(sealed.content)
    }

    fn unsealed<T: DeserializeOwned>(&self, purpose: &str, bound: &str, text: &str) -> Option<Sealed<T>> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = self.keys.open(purpose, bound.as_bytes(), text).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The state of a form that this caller was given, whenever that was and by whichever model.
    fn form(&self, text: &str) -> Option<Sealed<FormState>> {
        self.unsealed(FORM, &self.binding, text)
    }

    fn is_over(&self, form: &Sealed<FormState>) -> bool {
        self.is_late(form.until) || form.content.model != self.model
    }

    fn is_late(&self, until: i64) -> bool {
        until < self.clock.now().and_utc().timestamp()
    }

    fn bound(&self, about: &str) -> String {
        format!("{}\n{}\n{about}", self.binding, self.model)
    }
}

impl Handles for Book {
    fn write(&self, entity: &QName, id: ObjectId) -> String {
        if id.0 < 0
            && let Some(object) = self.workspace.borrow().export(id)
        {
            return format!("~{}", self.seal_for("object", &entity.to_string(), object));
        }
        // The same is mostly asked twice: for a row, and for what the row opens.
        let mut last = self.last.borrow_mut();
        match last.as_ref() {
            Some((of, known, handle)) if *known == id && of == entity => handle.clone(),
            _ => {
                let handle = self.keys.handle(entity, id);
                *last = Some((entity.clone(), id, handle.clone()));
                handle
            }
        }
    }
    fn read(&mut self, entity: &QName, text: &str) -> Option<ObjectId> {
        let Some(sealed) = text.strip_prefix('~') else { return self.keys.object(entity, text) };
        let object: Exported = self.open_for("object", &entity.to_string(), sealed)?;
        self.workspace.borrow_mut().import(&object).ok()
    }
    fn nonce(&self, form: &str) -> String {
        let again = self.again.as_ref().filter(|(id, nonce)| id == form && !nonce.is_empty());
        again.map_or_else(random_token, |(_, nonce)| nonce.clone())
    }
    fn seal_shown(&self, about: &str, shown: &str) -> String {
        self.seal_for("shown", about, shown)
    }
    fn open_shown(&self, about: &str, text: &str) -> Option<String> {
        self.open_for("shown", about, text)
    }
    fn seal(&self, state: &FormState) -> String {
        self.keys.seal(FORM, self.binding.as_bytes(), &self.limited(state))
    }
    // SECURITY: a state of another model does not open either; only the reason that is given differs from that for another session.
    fn open(&self, text: &str) -> Option<FormState> {
        self.form(text).filter(|form| !self.is_over(form)).map(|form| form.content)
    }
    fn is_outdated(&self, text: &str) -> bool {
        self.form(text).is_some_and(|form| self.is_over(&form))
    }
}
