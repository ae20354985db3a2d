//! What a page is opened with.

use super::query::ClientQuery;
use crate::access::{Feedback, Grants, Objects};
use crate::crypto::hash_token;
use crate::domain::{Kind, Name, ObjectId, QName};
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything a page may look at.
pub struct PageContext<'a> {
    /// The reader's grants.
    pub grants: &'a Grants,
    /// The data.
    pub objects: &'a mut dyn Objects,
    /// The objects of the page's parameters (see [`super::arguments`]).
    pub arguments: BTreeMap<Name, ObjectId>,
    /// What the address asked for.
    pub query: &'a ClientQuery,
    /// Object keys as the browser sees them.
    pub handles: &'a mut dyn Handles,
    /// A form to show again after it was refused.
    pub form: Option<&'a Posted>,
    /// Who reads.
    pub reader: Reader,
    /// Marks everything with the rule that released or withheld it. Only for those who may have that.
    pub xray: bool,
}

/// Who reads, and when.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The account; `None` for a visitor.
    pub user: Option<ObjectId>,
    /// Own name.
    pub name: String,
    /// Own address.
    pub email: String,
    /// The moment of the request.
    pub now: NaiveDateTime,
    /// The language to speak.
    pub language: String,
}

/// Object keys as the browser sees them.
pub trait Handles {
    /// The handle of an object. For a non-persistable one it carries the sealed object itself.
    fn write(&self, entity: &QName, id: ObjectId) -> String;
    /// The object of a handle, or `None` when it is none of this entity. A handle that carries an
    /// object puts it back into memory and gives its new key.
    fn read(&mut self, entity: &QName, text: &str) -> Option<ObjectId>;
    /// The random word of a form, by which it is known when it is sent again; a form that is shown again keeps its own.
    fn nonce(&self, form: &str) -> String;
    /// Seals what the button of a row acts on, as it is shown now: for this caller, and for what `about` names.
    fn seal_shown(&self, about: &str, shown: &str) -> String;
    /// Opens it again; `None` when this caller was never given it for that.
    fn open_shown(&self, about: &str, text: &str) -> Option<String>;
    /// Seals the state of a form, for this caller only.
    fn seal(&self, state: &FormState) -> String;
    /// Opens a sealed state; `None` when it is foreign, altered, too old or of another model.
    fn open(&self, text: &str) -> Option<FormState>;
    /// Whether this caller was given it, too long ago or by a model that no longer runs.
    fn is_outdated(&self, text: &str) -> bool;
}

/// What a form was made from; it travels sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormState {
    /// The page.
    pub page: String,
    /// Digest of the model that drew it.
    pub model: String,
    /// Which form of the page.
    pub form: String,
    /// Handles of page parameters that are not stored (the others stand in the address).
    pub arguments: BTreeMap<String, String>,
    /// What makes it this form and no other. (Empty: drawn by an older program, which had none.)
    #[serde(default)]
    pub nonce: String,
    /// Data view → its object.
    pub views: BTreeMap<String, ViewState>,
    /// What it offered. (`None`: drawn by an older program, which did not say.)
    #[serde(default)]
    pub drawn: Option<Drawn>,
}

/// What a form offered when it was drawn, and what that was about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// A digest of the stored objects in the address of its page.
    pub about: String,
    /// Button → a digest of what it acts on, as it was shown. (Buttons of rows carry their own.)
    pub buttons: BTreeMap<String, String>,
    /// Field → a digest of the text that it showed.
    pub fields: BTreeMap<String, String>,
}

/// The object of a data view at the time the form was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewState {
    /// A stored object.
    Stored {
        /// Its handle.
        handle: String,
        /// Its version then.
        version: i64,
    },
    /// A new object.
    New,
    /// An object in memory; the handle carries it.
    Fresh {
        /// Its handle.
        handle: String,
    },
}

/// A form to show again: what was typed, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Widget id → text as sent.
    pub values: BTreeMap<String, String>,
    /// Widget id → what is wrong.
    pub errors: BTreeMap<String, String>,
    /// What the deed answered.
    pub feedback: Vec<Feedback>,
    /// Field → a digest of the text that it showed when the form was drawn.
    pub seen: BTreeMap<String, String>,
    /// Somebody changed the data meanwhile, so what was only sent along gives way to what there is now.
    pub stale: bool,
}

impl Posted {
    /// What the person left in a field, if it is to stand there again.
    pub(super) fn typed(&self, id: &str, kind: &Kind) -> Option<&str> {
        let seen = self.seen.get(id);
        // An unticked box is not sent at all.
        let unticked = (*kind == Kind::Boolean && seen.is_some()).then_some("false");
        let text = self.values.get(id).map(String::as_str).or(unticked)?;
        let untouched = seen.is_some_and(|seen| *seen == digest(text));
        (!self.stale || !untouched).then_some(text)
    }
    /// Whether a field that the person changed shows something else now than when they began.
    pub(super) fn conflicts(&self, id: &str, present: &str) -> bool {
        self.stale && self.seen.get(id).is_some_and(|seen| *seen != digest(present))
    }
}

/// A short digest of a text, however its lines end.
pub(super) fn digest(text: &str) -> String {
    hash_token(&text.replace("\r\n", "\n")).chars().take(22).collect()
}
