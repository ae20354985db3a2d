//! What a page is opened with.

use super::query::ClientQuery;
use crate::access::{Feedback, Grants, Objects};
use crate::domain::{Name, ObjectId, QName};
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
    /// Seals the state of a form, for this caller only.
    fn seal(&self, state: &FormState) -> String;
    /// Opens a sealed state; `None` when it is foreign, altered or too old.
    fn open(&self, text: &str) -> Option<FormState>;
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
}
