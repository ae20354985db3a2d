//! One caller on one page: showing it, and carrying out what a form of it asks for.
//!
//! The same for everybody; what differs is the store behind it. A visitor's is closed.

use super::carry::{Carry, apply, run};
use super::context::{Joined, SharedWorkspace};
use super::handles::Book;
use super::once::{Ledger, Taken};
use super::{Asker, Live, Refusal};
use crate::access::matrix::Doors;
use crate::access::{Denied, Feedback, Grants, Layer, Objects, Open, Permit, Reason};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::flow::{self, Account, Budget, Effects, FlowContext, FlowError, Outcome};
use crate::model::{Page, Tone};
use crate::page::form::{self, Deed};
use crate::page::{self, ClientQuery, FormState, PageContext, PageError, Posted, Reader, View};
use crate::workspace::{Exported, Workspace};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// One caller on one page.
pub(super) struct Visit<'a> {
    pub live: &'a Live,
    pub asker: &'a Asker,
    pub clock: &'a Clock,
    pub keys: &'a Keys,
    pub language: &'a str,
    /// Reasons were asked for, by somebody who may have them.
    pub xray: bool,
}

/// A form that was refused, to be shown again.
pub struct Refilled {
    /// What was typed, and what is wrong.
    pub posted: Posted,
    /// All fields as sent, the sealed state among them.
    pub pairs: Vec<(String, String)>,
}

/// Where to go after a deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To this address.
    Page(String),
    /// Back to where the page was opened from.
    Back,
    /// To the same page, fresh.
    Stay,
}

/// A deed that was carried out (not committed yet).
pub(super) struct Carried {
    pub next: Next,
    pub messages: Vec<(Tone, String)>,
    pub effects: Effects,
    /// Objects that travel with a registration link.
    pub registered: Vec<Option<Exported>>,
}

/// Why a form was not carried out.
#[derive(Debug)]
pub(super) enum Again {
    /// Refused.
    Refused(Refusal),
    /// Show the form again with this.
    Form(Box<Posted>, Box<Effects>),
    /// Somebody changed the data since the page was shown: show it as it is now, with this.
    Stale(Box<Posted>),
    /// The page offered it, and yet it is refused: show the form again with this, and record it as what it is.
    Unoffered(Box<Posted>, Box<Denied>),
    /// Ask first.
    Confirm { question: String, caption: String, danger: bool },
}

impl Again {
    /// The rights that the database was not told of.
    pub(super) fn unprepared(&self) -> Option<Arc<Grants>> {
        if let Self::Refused(refusal) = self { refusal.unprepared() } else { None }
    }
}

impl<E: Into<Refusal>> From<E> for Again {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Visit<'_> {
    fn user(&self) -> Option<ObjectId> {
        self.asker.account()
    }

    pub fn workspace(&self) -> SharedWorkspace {
        let roles = self.asker.grants.roles().clone();
        let workspace = Workspace::new(self.live.model.clone(), self.user(), roles, self.clock.now());
        Rc::new(RefCell::new(workspace.with_snapshots(self.live.snapshots.clone())))
    }

    fn book(&self, workspace: &SharedWorkspace) -> Book {
        Book {
            again: None,
            last: Default::default(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            binding: self.asker.binding.clone(),
            model: self.live.model.fingerprint.clone(),
            workspace: workspace.clone(),
        }
    }

    fn reader(&self) -> Reader {
        let (name, email) = self.asker.name_and_email();
        Reader {
            user: self.user(),
            name: name.to_owned(),
            email: email.to_owned(),
            now: self.clock.now(),
            language: self.language.to_owned(),
        }
    }

    fn page(&self, name: &QName) -> Result<(Permit<Open>, Arc<Page>), Refusal> {
        let permit = self.asker.grants.open(name)?;
        self.decide_again(Layer::PageAccess, "open", name, Doors::opens)?;
        let page = self.live.model.pages.get(name).cloned().ok_or(Refusal::Gone)?;
        Ok((permit, page))
    }

    /// Opens a page.
    pub fn show(
        &self,
        store: &mut dyn Objects,
        name: &QName,
        query: &ClientQuery,
        again: Option<&Refilled>,
    ) -> Result<View, Refusal> {
        let (permit, page) = self.page(name)?;
        let workspace = self.workspace();
        let mut handles = self.book(&workspace);
        let state = again.and_then(|again| form::state(&again.pairs, &handles));
        handles.again = state.as_ref().map(|state| (state.form.clone(), state.nonce.clone()));
        let arguments = page::arguments(&page, query, state.as_ref(), &mut handles)?;
        let mut objects = Joined { workspace: workspace.clone(), store };
        let mut context = PageContext {
            grants: &self.asker.grants,
            objects: &mut objects,
            arguments,
            query,
            handles: &mut handles,
            form: again.map(|again| &again.posted),
            reader: self.reader(),
            xray: self.xray,
        };
        Ok(page::open(&permit, &page, &mut context)?)
    }

    /// Carries out what a form asks for; whoever opened the transaction keeps it only on `Ok`.
    pub fn act(
        &self,
        store: &mut impl Ledger,
        name: &QName,
        query: &ClientQuery,
        pairs: &[(String, String)],
    ) -> Result<Carried, Again> {
        let (permit, page) = self.page(name)?;
        let workspace = self.workspace();
        let mut handles = self.book(&workspace);
        let state = form::state(pairs, &handles);
        let arguments = page::arguments(&page, query, state.as_ref(), &mut handles)?;
        let seen = state.as_ref().and_then(|state| state.drawn.clone()).unwrap_or_default().fields;
        let mut objects = Joined { workspace: workspace.clone(), store };
        let mut context = PageContext {
            grants: &self.asker.grants,
            objects: &mut objects,
            arguments,
            query,
            handles: &mut handles,
            form: None,
            reader: self.reader(),
            xray: false,
        };
        let deed = match form::read(&permit, &page, pairs, &mut context) {
            Ok(deed) => deed,
            Err(error) => return self.unread(store, &page, query, pairs, state.as_ref(), error),
        };
        let once = state.as_ref().and_then(|state| form::once(&self.live.model, state, &deed));
        if let Some(form) = &once
            && let Taken::Before(next) = store.take(form, self.clock.now()).map_err(Refusal::from)?
        {
            return Ok(self.carried_before(next));
        }
        let mut objects = Joined { workspace: workspace.clone(), store };
        let account = self.user().map(|id| {
            let (name, email) = self.asker.name_and_email();
            Account { id, name: name.to_owned(), email: email.to_owned() }
        });
        let mut effects = Effects::default();
        let mut made = BTreeMap::new();
        let mut context = FlowContext {
            grants: &self.asker.grants,
            objects: &mut objects,
            account: account.as_ref(),
            language: self.language,
            now: self.clock.now(),
            effects: &mut effects,
            budget: Budget::start(self.clock),
        };
        let deletes = matches!(deed, Deed::Delete { .. });
        let done = self.carry_out(deed, &mut context, &mut made)?;
        let (next, outcome) = match done {
            Ok(done) => done,
            Err(FlowError::Feedback(feedback)) => {
                let posted = again(pairs, feedback, &made, seen);
                effects.rolled_back();
                return Err(Again::Form(Box::new(posted), Box::new(effects)));
            }
            Err(error @ (FlowError::Raised(_) | FlowError::Overflow)) => {
                let message = match error {
                    FlowError::Raised(message) => message,
                    other => self.live.model.translate(self.language, &other.to_string()).to_owned(),
                };
                let feedback = vec![crate::access::Feedback { object: None, member: None, message }];
                effects.rolled_back();
                return Err(Again::Form(Box::new(again(pairs, feedback, &made, seen)), Box::new(effects)));
            }
            Err(FlowError::Stale) => {
                let posted = Posted { stale: true, ..again(pairs, Vec::new(), &made, seen) };
                return Err(Again::Stale(Box::new(posted)));
            }
            Err(FlowError::Denied(denied)) if is_own(&denied) => {
                let feedback = self.not_allowed(&denied, deletes);
                return Err(Again::Unoffered(Box::new(again(pairs, feedback, &made, seen)), Box::new(denied)));
            }
            Err(other) => return Err(Again::Refused(other.into())),
        };
        let next = self.next(next, &outcome, &handles);
        if let Some(form) = &once {
            store.lead(form, &next, self.clock.now()).map_err(Refusal::from)?;
        }
        let registered = effects.registrations.iter().map(|wish| workspace.borrow().export(wish.data)).collect();
        Ok(Carried { next, messages: outcome.messages, effects, registered })
    }

    /// What becomes of a form that could not be read. One that was carried out before is no news, whatever became since
    /// of what it acted on.
    fn unread(
        &self,
        store: &mut impl Ledger,
        page: &Page,
        query: &ClientQuery,
        pairs: &[(String, String)],
        state: Option<&FormState>,
        error: PageError,
    ) -> Result<Carried, Again> {
        let changed = match (&error, state) {
            (PageError::Stale(_), _) => true,
            // An object that the page showed, and that was taken away since.
            (PageError::Gone, Some(state)) => form::was_about(state, page, query),
            _ => false,
        };
        if changed
            && let Some(form) = state.and_then(|state| form::once_before(&self.live.model, page, state, pairs))
            && let Some(next) = store.taken(&form, self.clock.now()).map_err(Refusal::from)?
        {
            return Ok(self.carried_before(next));
        }
        Err(match error {
            PageError::Invalid(posted) => Again::Form(posted, Box::default()),
            PageError::Stale(posted) => Again::Stale(posted),
            PageError::Gone if changed => Again::Refused(Refusal::Stale),
            other => Again::Refused(other.into()),
        })
    }

    /// What is said, and at which fields, when rules refuse what the page offered.
    fn not_allowed(&self, denied: &Denied, deletes: bool) -> Vec<Feedback> {
        let translated = |text: &str| self.live.model.translate(self.language, text).to_owned();
        let at = |member: Option<Name>, message: &str| Feedback { object: None, member, message: translated(message) };
        let members = match &denied.reason {
            Reason::Member(_, member) => vec![member.clone()],
            Reason::NewRow(_, members) => members.clone(),
            _ => Vec::new(),
        };
        if deletes {
            return vec![at(None, "You are not allowed to delete this.")];
        }
        if members.is_empty() {
            return vec![at(None, "You are not allowed to save this. Nothing was saved.")];
        }
        members.into_iter().map(|member| at(Some(member), "You are not allowed to save this value.")).collect()
    }

    /// What was typed into a form that was given up for others, with why.
    pub fn given_up(&self, pairs: &[(String, String)], message: String) -> Posted {
        let state = form::state(pairs, &self.book(&self.workspace()));
        let seen = state.and_then(|state| state.drawn).unwrap_or_default().fields;
        again(pairs, vec![crate::access::Feedback { object: None, member: None, message }], &BTreeMap::new(), seen)
    }

    /// Nothing, because the form was carried out before.
    fn carried_before(&self, next: Next) -> Carried {
        let said = self.live.model.translate(self.language, "This was done already, and was not done a second time.");
        let messages = vec![(Tone::Info, said.to_owned())];
        Carried { next, messages, effects: Effects::default(), registered: Vec::new() }
    }

    fn carry_out(
        &self,
        deed: Deed,
        context: &mut FlowContext<'_>,
        made: &mut BTreeMap<String, ObjectId>,
    ) -> Result<Carry, Again> {
        let grants = &*self.asker.grants;
        match deed {
            Deed::Cancel => Ok(Ok((Next::Back, Outcome::default()))),
            Deed::Confirm { question, caption, danger } => Err(Again::Confirm { question, caption, danger }),
            Deed::Delete { entity, id, version } => {
                Ok(flow::deed::delete(context, grants, &entity, id, version).map(|outcome| (Next::Back, outcome)))
            }
            Deed::Save { changes, close, message } => Ok(apply(grants, changes, context, made).map(|mut outcome| {
                outcome.messages.extend(message.map(|text| (Tone::Success, text)));
                (if close { Next::Back } else { Next::Stay }, outcome)
            })),
            Deed::Run { microflow, arguments, changes } => {
                // The button was shown, so the right was there a moment ago; it is asked for all the same.
                let permit = grants.run(&microflow)?;
                self.decide_again(Layer::ActionAccess, "run", &microflow, Doors::runs)?;
                Ok(run(grants, &permit, arguments, changes, context, made).map(|outcome| (Next::Stay, outcome)))
            }
        }
    }

    fn next(&self, next: Next, outcome: &Outcome, handles: &Book) -> Next {
        let Some((name, arguments)) = &outcome.page else {
            return if outcome.close { Next::Back } else { next };
        };
        let Some(page) = self.live.model.pages.get(name) else { return next };
        Next::Page(address(page, arguments, handles))
    }
}

/// Whether rules refused what a form itself wanted, not what a microflow did. Everything in the form was offered, so it
/// was an honest try; in a build without that layer nothing was.
fn is_own(denied: &Denied) -> bool {
    denied.way.is_empty() && denied.layer == Layer::EntityAccess && stands(Removable::ActionAccess)
}

/// The address of a page with objects for its parameters.
fn address(page: &Page, arguments: &BTreeMap<Name, Value>, handles: &dyn page::Handles) -> String {
    let written: Vec<(String, String)> = arguments
        .iter()
        .filter_map(|(name, value)| {
            let entity = page.parameters.get(name)?;
            Some((name.to_string(), handles.write(entity, value.as_object()?)))
        })
        .collect();
    page::url(&page.name, written.iter().map(|(name, handle)| (name.as_str(), handle.as_str())))
}

/// What was typed, with what is wrong: an object that was made and taken back counts as new.
pub(super) fn again(
    pairs: &[(String, String)],
    mut feedback: Vec<crate::access::Feedback>,
    made: &BTreeMap<String, ObjectId>,
    seen: BTreeMap<String, String>,
) -> Posted {
    for found in &mut feedback {
        if found.object.is_some_and(|object| made.values().any(|id| *id == object)) {
            found.object = None;
        }
    }
    let values = pairs.iter().filter(|(name, _)| !name.starts_with('_')).cloned().collect();
    Posted { values, feedback, seen, ..Posted::default() }
}
