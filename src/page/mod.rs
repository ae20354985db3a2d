//! Pages: what a model's page becomes for one reader, and what a form sent from it means.
//!
//! [`open`] turns a permit to open a page into a [`View`]. [`form::read`] turns what a browser sent
//! into a [`form::Deed`], against exactly the fields and buttons that the page offers this caller
//! at that moment: what was not shown cannot be sent, and what does not fit is refused, never
//! dropped in silence. Every value comes from the reader's own grants; expressions are computed
//! over released values only, and one withheld value withholds the whole expression.
//!
//! The module deliberately does no deeds (the application carries them out), decides no rule of its
//! own, and knows neither the database nor HTML.

mod context;
mod error;
mod facts;
pub mod form;
mod menu;
mod paths;
mod query;
mod show;
mod source;
mod told;
mod view;
mod walk;
mod widget;
mod xray;

#[cfg(test)]
pub(crate) mod tests;

pub use context::{Drawn, FormState, Handles, PageContext, Posted, Reader, ViewState};
pub use error::PageError;
pub use menu::{MenuEntry, home, menu};
pub use paths::shown_entities;
pub use query::{ClientQuery, path, url};
pub use show::{CellState, CellView, Speech};
pub use told::Told;
pub use view::*;

use crate::access::{Open, Permit};
use crate::domain::{Name, ObjectId};
use crate::model::Page;
use std::collections::BTreeMap;

/// Opens a page for one reader.
pub fn open(permit: &Permit<Open>, page: &Page, context: &mut PageContext<'_>) -> Result<View, PageError> {
    same(permit, page)?;
    walk::Walk::new(page, context, None)?.run().map(|(view, _)| view)
}

/// The objects of a page's parameters: from the address, and from a form's sealed state for those
/// that are not stored. Which of them the caller may see is decided when the page is opened.
pub fn arguments(
    page: &Page,
    query: &ClientQuery,
    state: Option<&FormState>,
    handles: &mut dyn Handles,
) -> Result<BTreeMap<Name, ObjectId>, PageError> {
    let mut found = BTreeMap::new();
    for (name, entity) in &page.parameters {
        let sealed = state.and_then(|state| state.arguments.get(name.as_str())).map(String::as_str);
        let text = sealed.or_else(|| query.value(name)).ok_or(PageError::Gone)?;
        found.insert(name.clone(), handles.read(entity, text).ok_or(PageError::Gone)?);
    }
    Ok(found)
}

/// A permit for one page opens no other.
fn same(permit: &Permit<Open>, page: &Page) -> Result<(), PageError> {
    match *permit.target() == page.name {
        true => Ok(()),
        false => Err(PageError::BadRequest("a permit for another page")),
    }
}
