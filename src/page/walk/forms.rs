//! Forms and addresses during a walk.

use super::super::context::{Drawn, FormState, ViewState, digest};
use super::super::query::url;
use super::super::told::Told;
use super::super::view::Form;
use super::{Bound, Life, Scope, This, Walk};
use crate::domain::{Name, QName, Value};
use crate::model::{Open, Page};
use crate::page::PageError;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Walk<'_, '_> {
    pub(super) fn seal_forms(&self) -> Vec<Form> {
        let action = self.address();
        let form = |(id, state): (&String, &FormState)| {
            let mut state = state.clone();
            if let Some(drawn) = &mut state.drawn {
                let fields = self.fields.iter().filter(|(_, field)| field.form == *id);
                drawn.fields = fields.map(|(id, field)| (id.clone(), digest(&field.text))).collect();
            }
            Form { id: id.clone(), action: action.clone(), state: self.context.handles.seal(&state) }
        };
        self.forms.iter().map(form).collect()
    }

    /// The page's own address with its stored parameters and what the reader asked of its lists.
    pub(in crate::page) fn address(&self) -> String {
        let kept = self.context.query.changed(|key| !key.contains('.'), &[]);
        let mut pairs: Vec<(String, String)> = self.stored_arguments();
        pairs.extend(kept.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())));
        url(&self.page.name, pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// Parameter → handle, of those that stand in the address.
    pub(in crate::page) fn stored_arguments(&self) -> Vec<(String, String)> {
        let stored = self.page.parameters.iter().filter(|(name, _)| !matches!(self.parameters.get(*name), Some(Life::Fresh)));
        let handle = |(name, entity): (&Name, &QName)| {
            Some((name.to_string(), self.context.handles.write(entity, *self.context.arguments.get(name)?)))
        };
        stored.filter_map(handle).collect()
    }

    /// The address that a page is opened at, if the caller may and every argument is there.
    pub(in crate::page) fn href(&mut self, open: &Open, scope: &Scope) -> Result<Option<Told<String>>, PageError> {
        match self.opening(&open.page) {
            Some(page) => self.href_to(&page, open, scope),
            None => Ok(None),
        }
    }

    /// A page, if the caller may open it.
    pub(in crate::page) fn opening(&self, page: &QName) -> Option<Arc<Page>> {
        self.context.grants.open(page).ok()?;
        self.model.pages.get(page).cloned()
    }

    /// The address of a page that the caller may open, if every argument is there.
    pub(in crate::page) fn href_to(
        &mut self,
        page: &Page,
        open: &Open,
        scope: &Scope,
    ) -> Result<Option<Told<String>>, PageError> {
        let mut pairs = Told::fixed(Vec::new());
        for (name, typed) in &open.with {
            let value = self.value(typed, scope)?;
            let Some(entity) = page.parameters.get(name) else { return Ok(None) };
            let Ok(Value::Object(id)) = value.peek() else { return Ok(None) };
            // An object that does not exist yet has no address.
            if id.0 < 0 && self.bound.iter().any(|bound| bound.this.id == *id && bound.this.life == Life::New) {
                return Ok(None);
            }
            let handle = self.context.handles.write(entity, *id);
            pairs = pairs.join(value.map(|_| (name.to_string(), handle))).map(|(mut pairs, pair)| {
                pairs.push(pair);
                pairs
            });
        }
        Ok(Some(pairs.map(|pairs| url(&open.page, pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))))))
    }

    /// Makes sure a form exists.
    pub(in crate::page) fn form(&mut self, id: &str) {
        if !self.forms.contains_key(id) {
            let fresh = self.page.parameters.iter().filter(|(name, _)| self.parameters.get(*name) == Some(&Life::Fresh));
            let handle = |(name, entity): (&Name, &QName)| {
                Some((name.to_string(), self.context.handles.write(entity, *self.context.arguments.get(name)?)))
            };
            let state = FormState {
                page: self.page.name.to_string(),
                model: self.model.fingerprint.clone(),
                form: id.to_owned(),
                arguments: fresh.filter_map(handle).collect(),
                nonce: self.context.handles.nonce(id),
                views: BTreeMap::new(),
                drawn: Some(Drawn { about: about(&self.stored_arguments()), ..Drawn::default() }),
            };
            self.forms.insert(id.to_owned(), state);
        }
    }

    /// Notes that a form offers a button, and over what.
    pub(in crate::page) fn offers(&mut self, form: &str, button: &str, shown: &str) {
        let drawn = self.forms.get_mut(form).and_then(|form| form.drawn.as_mut());
        drawn.map(|drawn| drawn.buttons.insert(button.to_owned(), shown.to_owned()));
    }

    /// Binds a data view's object to a form.
    pub(in crate::page) fn bind(&mut self, bound: Bound) {
        self.form(&bound.form);
        let handle = |walk: &Self| walk.context.handles.write(&bound.this.entity, bound.this.id);
        let state = match bound.this.life {
            Life::New => ViewState::New,
            Life::Fresh => ViewState::Fresh { handle: handle(self) },
            Life::Stored(version) => ViewState::Stored { handle: handle(self), version },
        };
        if let Some(form) = self.forms.get_mut(&bound.form) {
            form.views.insert(bound.view.clone(), state);
        }
        self.bound.push(bound);
    }

    /// Takes the feedback that belongs to a field.
    pub(in crate::page) fn error_at(&mut self, id: &str, this: &This, member: &Name) -> Option<String> {
        let mut said: Vec<String> = self.context.form.and_then(|form| form.errors.get(id)).into_iter().cloned().collect();
        let object = (this.life != Life::New).then_some(this.id);
        self.feedback.retain(|feedback| {
            let here = feedback.member.as_ref() == Some(member) && (feedback.object == object || feedback.object.is_none());
            if here {
                said.push(feedback.message.clone());
            }
            !here
        });
        (!said.is_empty()).then(|| said.join(" "))
    }
}

/// A digest of the stored objects in the address of a page.
pub(in crate::page) fn about(arguments: &[(String, String)]) -> String {
    let pairs: Vec<String> = arguments.iter().map(|(name, handle)| format!("{name}={handle}")).collect();
    digest(&pairs.join("&"))
}
