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
        let until = self.clock.now().and_utc().timestamp() + FORM_LIFETIME;
        let text = serde_json::to_vec(&Sealed { until, content }).unwrap_or_default();
        self.keys.seal(purpose, self.bound(about).as_bytes(), &text)
    }

    // SECURITY: a state of another session, model, page kind or time does not open (icsa-23-320-04).
    fn open_for<T: DeserializeOwned>(&self, purpose: &str, about: &str, text: &str) -> Option<T> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = self.keys.open(purpose, self.bound(about).as_bytes(), text).ok()?;
        let sealed: Sealed<T> = serde_json::from_slice(&bytes).ok()?;
        (sealed.until >= self.clock.now().and_utc().timestamp()).then_some(sealed.content)
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
        self.seal_for("form", "", state)
    }
    fn open(&self, text: &str) -> Option<FormState> {
        self.open_for("form", "", text)
    }
}
