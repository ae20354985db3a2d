//! What a form that was sent means.
//!
//! A form is taken apart against the page as it is offered to this caller *now*: the button must be
//! shown to them, each field must be one they can edit. A field too many is refused, not dropped.

mod decode;
mod once;
mod sent;

pub use once::{once, once_before};
pub use sent::state;

use super::context::{Drawn, FormState, Posted, ViewState};
use super::told::Told;
use super::walk::{Act, Bound, Life, Offer, Walk, about};
use super::{ClientQuery, PageContext, PageError, same};
use crate::access::{Feedback, Open, Permit};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::model::{Action, Page};
use decode::refill;
use sent::Sent;
use std::collections::BTreeMap;

/// What a caller wants done. Nothing has been done yet; who carries it out asks for the permits.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Save data views, then stay or close.
    Save {
        /// What to save, outer data views first.
        changes: Vec<Change>,
        /// Close the page afterwards.
        close: bool,
        /// What to say afterwards.
        message: Option<String>,
    },
    /// Run a microflow.
    Run {
        /// Which.
        microflow: QName,
        /// Its arguments.
        arguments: Vec<(Name, Argument)>,
        /// What to apply before, outer data views first.
        changes: Vec<Change>,
    },
    /// Delete an object.
    Delete {
        /// Its entity.
        entity: QName,
        /// Which.
        id: ObjectId,
        /// Its version when the page was drawn.
        version: Option<i64>,
    },
    /// Leave the page.
    Cancel,
    /// Ask first, then the same again with `_confirmed`.
    Confirm {
        /// The question.
        question: String,
        /// Caption of the button that was used.
        caption: String,
        /// Whether it destroys something.
        danger: bool,
    },
}

/// A data view's part of a deed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The data view.
    pub view: String,
    /// Its entity.
    pub entity: QName,
    /// Its object.
    pub target: Target,
    /// Members that were really changed (for a new object: all that are not as by default).
    pub values: BTreeMap<Name, Value>,
}

/// The object of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A new one.
    New,
    /// A stored one, with the version that the form was drawn from.
    Stored(ObjectId, i64),
    /// One in memory.
    Fresh(ObjectId),
}

/// An argument of a microflow.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A value.
    Value(Value),
    /// The new object of this data view, once it is made.
    New(String),
}

/// Whether a form was drawn for the stored objects that an address names: then one of them that is not there any more
/// was taken away meanwhile, and nobody is looking for what is not theirs.
pub fn was_about(state: &FormState, page: &Page, query: &ClientQuery) -> bool {
    let stored = page.parameters.keys().filter(|name| !state.arguments.contains_key(name.as_str()));
    let pair = |name: &Name| Some((name.to_string(), query.value(name)?.to_owned()));
    let pairs: Vec<(String, String)> = stored.filter_map(pair).collect();
    state.page == page.name.to_string() && state.drawn.as_ref().is_some_and(|drawn| drawn.about == about(&pairs))
}

/// Reads a form that was sent from a page.
pub fn read(
    permit: &Permit<Open>,
    page: &Page,
    posted: &[(String, String)],
    context: &mut PageContext<'_>,
) -> Result<Deed, PageError> {
    same(permit, page)?;
    let sent = Sent::read(posted)?;
    let state = context.handles.open(&sent.state).ok_or_else(|| match context.handles.is_outdated(&sent.state) {
        true => PageError::Expired,
        false => PageError::BadRequest("a state that is not ours"),
    })?;
    if state.page != page.name.to_string() {
        return Err(PageError::BadRequest("a form of another page"));
    }
    if state.model != context.grants.model().fingerprint {
        return Err(PageError::Expired);
    }
    let drawn = state.drawn.clone().ok_or(PageError::Expired)?;
    let act = Act { button: sent.button.clone(), row: sent.row.clone() };
    let (_, mut walk) = Walk::new(page, context, Some(act))?.run()?;
    let shown = given(&walk, &sent, &drawn);
    let offer = walk.offer.take();
    let shown = match (&offer, shown) {
        (Some(offer), _) if offer.scope.form != state.form => return Err(PageError::BadRequest("a button of another form")),
        (Some(Offer { action: Action::Cancel, .. }), _) => return Ok(Deed::Cancel),
        (Some(_), Some(shown)) => shown,
        (Some(offer), None) if walk.is_unguarded() => offer.shown.clone(),
        // Offered when the page was drawn, and no longer: something was changed in between.
        (None, Some(_)) => return Err(stale(&sent, &drawn)),
        _ => return Err(PageError::BadRequest("a button that is not offered")),
    };
    let offer = offer.ok_or(PageError::BadRequest("a button that is not offered"))?;
    let any = matches!(&offer.action, Action::Run { microflow, .. } if walk.takes_any_version(microflow));
    let bound = same_objects(&mut walk, &state, any).ok_or_else(|| stale(&sent, &drawn))?;
    if shown != offer.shown {
        return Err(stale(&sent, &drawn));
    }
    let closed = walk.closed_since(&sent, &state.form, &drawn)?;
    if !closed.is_empty() {
        return Err(PageError::Invalid(Box::new(Posted { feedback: lost(&walk, &sent, &closed), ..refill(&sent, &drawn) })));
    }
    if let Some(question) = offer.confirm.clone().filter(|_| !sent.confirmed) {
        return Ok(Deed::Confirm { question, caption: offer.caption, danger: offer.danger });
    }
    deed(&mut walk, &sent, &state, &drawn, &bound, &offer)
}

/// What the page gave out with the button that was used: a digest of what it acts on. `None`: it never gave it to this
/// caller.
fn given(walk: &Walk<'_, '_>, sent: &Sent, drawn: &Drawn) -> Option<String> {
    match &sent.row {
        Some((handle, sealed)) => walk.open_row(&sent.button, handle, sealed),
        None => drawn.buttons.get(&sent.button).cloned(),
    }
}

fn stale(sent: &Sent, drawn: &Drawn) -> PageError {
    PageError::Stale(Box::new(Posted { stale: true, ..refill(sent, drawn) }))
}

/// What was typed into fields that are closed by now, so that it is not lost.
fn lost(walk: &Walk<'_, '_>, sent: &Sent, closed: &[String]) -> Vec<Feedback> {
    let said = walk.say("A field was closed while you were typing. Nothing was saved. What you typed there:");
    let typed = closed.iter().filter_map(|id| sent.values.get(id));
    typed.map(|text| Feedback { object: None, member: None, message: format!("{said} {text}") }).collect()
}

/// The form's data views, checked to show the very objects that they showed when it was drawn, and (unless any version
/// will do) as they were then. It comes before the fields: when somebody changed the object meanwhile, other fields may
/// be offered now, and the truth to tell is that it was changed.
fn same_objects(walk: &mut Walk<'_, '_>, state: &FormState, any: bool) -> Option<Vec<Bound>> {
    let bound: Vec<Bound> = walk.bound.iter().filter(|bound| bound.form == state.form).cloned().collect();
    if bound.len() != state.views.len() {
        return None;
    }
    for one in &bound {
        let same = match (state.views.get(&one.view), one.this.life) {
            (Some(ViewState::New), Life::New) => true,
            (Some(ViewState::Stored { handle, version }), Life::Stored(now)) => {
                (any || *version == now) && walk.context.handles.read(&one.this.entity, handle) == Some(one.this.id)
            }
            (Some(ViewState::Fresh { .. }), Life::Fresh) => true,
            _ => false,
        };
        if !same {
            return None;
        }
    }
    Some(bound)
}

fn deed(
    walk: &mut Walk<'_, '_>,
    sent: &Sent,
    state: &FormState,
    drawn: &Drawn,
    bound: &[Bound],
    offer: &Offer,
) -> Result<Deed, PageError> {
    Ok(match &offer.action {
        Action::Cancel => Deed::Cancel,
        Action::Delete => delete(offer)?,
        Action::Save { close, message } => {
            let changes = changes(walk, sent, state, drawn, bound)?;
            let message = message.as_ref().map(|text| walk.plain(text, &offer.scope)).transpose()?;
            Deed::Save { changes, close: *close, message: message.map(|text| text.peek().clone()) }
        }
        Action::Run { microflow, with } => {
            let changes = changes(walk, sent, state, drawn, bound)?;
            let mut arguments = Vec::with_capacity(with.len());
            for (name, typed) in with {
                let value = walk.value(typed, &offer.scope)?;
                // An argument over a value that the caller may not know is no argument of theirs.
                let value = value.peek().clone().map_err(|_| PageError::BadRequest("an argument over a withheld value"))?;
                arguments.push((name.clone(), argument(value, bound)));
            }
            Deed::Run { microflow: microflow.clone(), arguments, changes }
        }
        Action::Open(_) => return Err(PageError::BadRequest("a link is not a button")),
    })
}

fn argument(value: Value, bound: &[Bound]) -> Argument {
    let new = |id: ObjectId| bound.iter().find(|one| one.this.life == Life::New && one.this.id == id);
    match value.as_object().and_then(new) {
        Some(one) => Argument::New(one.view.clone()),
        None => Argument::Value(value),
    }
}

fn delete(offer: &Offer) -> Result<Deed, PageError> {
    let this = offer.scope.this.as_ref().ok_or(PageError::BadRequest("nothing to delete"))?;
    // The version is the one that was shown: anything else was refused as stale.
    let version = if let Life::Stored(version) = this.life { Some(version) } else { None };
    Ok(Deed::Delete { entity: this.entity.clone(), id: this.id, version })
}

/// What the form changes, and learns it, so that messages and arguments speak of the new values.
fn changes(
    walk: &mut Walk<'_, '_>,
    sent: &Sent,
    state: &FormState,
    drawn: &Drawn,
    bound: &[Bound],
) -> Result<Vec<Change>, PageError> {
    let mut decoded = decode::fields(walk, sent, &state.form, drawn)?;
    let mut changes = Vec::new();
    for one in bound {
        let values = decoded.remove(&one.view).unwrap_or_default();
        walk.assume(&one.this.entity, one.this.id, &Told::fixed(values.clone()));
        let target = match (state.views.get(&one.view), one.this.life) {
            (Some(ViewState::Stored { version, .. }), Life::Stored(_)) => Target::Stored(one.this.id, *version),
            (_, Life::Fresh) => Target::Fresh(one.this.id),
            _ => Target::New,
        };
        let values = match target {
            Target::New => one.set.clone().into_iter().chain(values).collect(),
            _ => values,
        };
        if target == Target::New || !values.is_empty() {
            changes.push(Change { view: one.view.clone(), entity: one.this.entity.clone(), target, values });
        }
    }
    Ok(changes)
}
