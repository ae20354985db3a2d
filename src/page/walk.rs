//! The walk through a page's widgets, for one reader.
//!
//! Opening a page and reading a form are the same walk: a form is taken apart against exactly the
//! fields and buttons that the walk offers this caller now, so what was not shown cannot be sent.

use super::context::{FormState, ViewState};
use super::facts::{Cells, Facts, Permits, Reading};
use super::paths::{Step, Wanted, each_widget, holds_widget, step};
use super::query::url;
use super::show::{CellView, Speech};
use super::told::Told;
use super::view::{Form, Node, View};
use super::{PageContext, PageError, widget};
use crate::access::{Authority, Cell, Feedback, Permit, Query, Rows};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Environment, EvalError, Part, Root, Template, Typed, evaluate};
use crate::model::{Action, Model, Open, Page, Path, Reference, Widget, WidgetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The form of buttons outside every data view.
pub(super) const PAGE_FORM: &str = "f-page";

/// Where an object of the page lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Stored(i64),
    Fresh,
    New,
}

/// The object that `this` is.
#[derive(Clone, Debug)]
pub(super) struct This {
    pub(super) entity: QName,
    pub(super) id: ObjectId,
    pub(super) life: Life,
}

/// Where a widget stands.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The current object.
    pub(super) this: Option<This>,
    /// The data view around it.
    pub(super) view: Option<String>,
    /// The form that buttons send.
    pub(super) form: String,
    /// Number (for ids in the document) and handle of the row it stands in.
    pub(super) row: Option<(String, String)>,
    /// No input is editable.
    pub(super) read_only: bool,
    /// The form has something that this caller may write.
    pub(super) saves: bool,
}

impl Scope {
    /// The place of a row's content.
    pub(super) fn row(&self, this: This, number: usize, handle: String) -> Self {
        let number = match &self.row {
            Some((outer, _)) => format!("{outer}-{number}"),
            None => number.to_string(),
        };
        Self {
            this: Some(this),
            view: None,
            form: PAGE_FORM.to_owned(),
            row: Some((number, handle)),
            read_only: true,
            saves: false,
        }
    }
}

/// A field that the caller was offered.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) form: String,
    pub(super) view: String,
    pub(super) member: Name,
    pub(super) kind: Kind,
    /// Most characters.
    pub(super) longest: u32,
    /// What the field showed.
    pub(super) text: String,
    pub(super) original: Value,
    pub(super) reference: Option<Reference>,
}

/// A data view whose object a form may change.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) view: String,
    pub(super) form: String,
    pub(super) this: This,
    /// First values of a new object that the model set.
    pub(super) set: BTreeMap<Name, Value>,
}

/// A button that a caller wants to use.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) button: String,
    /// Handle and version of the row.
    pub(super) row: Option<(String, i64)>,
}

/// The button found, as offered.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) action: Action,
    pub(super) caption: String,
    pub(super) danger: bool,
    pub(super) confirm: Option<String>,
    pub(super) scope: Scope,
}

/// One walk.
pub(super) struct Walk<'c, 'a> {
    pub(super) page: &'c Page,
    pub(super) context: &'c mut PageContext<'a>,
    pub(super) model: Arc<Model>,
    pub(super) permits: Permits,
    pub(super) facts: Facts,
    roles: Arc<BTreeSet<Name>>,
    variables: BTreeMap<Name, Value>,
    parameters: BTreeMap<Name, Life>,
    forms: BTreeMap<String, FormState>,
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) bound: Vec<Bound>,
    pub(super) act: Option<Act>,
    pub(super) offer: Option<Offer>,
    feedback: Vec<Feedback>,
    news: i64,
}

impl<'c, 'a> Walk<'c, 'a> {
    /// Prepares a walk: the parameters' objects are read through the reader's own grants first.
    pub(super) fn new(page: &'c Page, context: &'c mut PageContext<'a>, act: Option<Act>) -> Result<Self, PageError> {
        let model = context.grants.model().clone();
        let feedback = context.form.map(|form| form.feedback.clone()).unwrap_or_default();
        let mut walk = Self {
            page,
            model,
            permits: Permits::new(),
            facts: Facts::about(context),
            roles: context.grants.roles().clone(),
            variables: context.arguments.iter().map(|(name, id)| (name.clone(), Value::Object(*id))).collect(),
            parameters: BTreeMap::new(),
            forms: BTreeMap::new(),
            fields: BTreeMap::new(),
            bound: Vec::new(),
            act,
            offer: None,
            feedback,
            news: 0,
            context,
        };
        walk.refuse_unknown_keys()?;
        for (name, entity) in &page.parameters {
            walk.parameter(name, entity)?;
        }
        Ok(walk)
    }

    /// SECURITY: a key that no widget of the page answers to is refused, whatever it names (test
    /// `sorting_by_a_hidden_member_is_refused_exactly_like_an_unknown_one`).
    fn refuse_unknown_keys(&self) -> Result<(), PageError> {
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        each_widget(&self.page.content, &mut |widget| {
            if matches!(widget.kind, WidgetKind::DataGrid(_) | WidgetKind::ListView(_)) {
                ids.insert(&widget.id);
            }
        });
        for (key, _) in self.context.query.pairs() {
            let widget = key.split_once('.').is_some_and(|(id, _)| ids.contains(id));
            if !widget && !self.page.parameters.contains_key(key) {
                return Err(PageError::BadRequest("a key that the page does not have"));
            }
        }
        Ok(())
    }

    fn parameter(&mut self, name: &Name, entity: &QName) -> Result<(), PageError> {
        let id = *self.context.arguments.get(name).ok_or(PageError::Gone)?;
        let permit = self.context.grants.view(entity)?;
        let mut wanted = Wanted::from(Root::Variable(name.clone()));
        wanted.template(&self.page.title);
        wanted.widgets(&self.page.content);
        let found = self.object(&permit, entity, id, wanted)?;
        self.parameters.insert(name.clone(), found.ok_or(PageError::Gone)?);
        Ok(())
    }

    /// Reads one object and learns it; `None` when the reader has no such object.
    pub(super) fn object(
        &mut self,
        permit: &Permit<crate::access::View>,
        entity: &QName,
        id: ObjectId,
        wanted: Wanted,
    ) -> Result<Option<Life>, PageError> {
        let mut query = Query::of(entity, self.readable(entity, wanted));
        query.object = Some(id);
        query.limit = 1;
        let rows = Told::from(self.context.objects.view(permit, &query)?);
        let Some(row) = rows.peek().rows.first() else { return Ok(None) };
        let life = self.life(entity, row.version);
        self.facts.learn_rows(entity, &query.paths, &rows);
        Ok(Some(life))
    }

    /// The paths among those wanted that the reader may read at all; no other is ever asked for.
    pub(super) fn readable(&mut self, entity: &QName, wanted: Wanted) -> Vec<Path> {
        wanted.paths.into_iter().filter(|path| self.permits.readable(self.context, entity, path)).collect()
    }

    pub(super) fn life(&self, entity: &QName, version: i64) -> Life {
        let stored = self.model.entity(entity).is_some_and(|entity| entity.persistable);
        if stored { Life::Stored(version) } else { Life::Fresh }
    }

    /// The object of a page parameter.
    pub(super) fn argument(&self, name: &Name) -> Option<(ObjectId, Life)> {
        Some((*self.context.arguments.get(name)?, *self.parameters.get(name)?))
    }

    /// A key for a new object, which no stored object has.
    pub(super) fn fresh_key(&mut self) -> ObjectId {
        self.news += 1;
        ObjectId(i64::MIN + self.news)
    }

    /// The top of the page: no current object.
    pub(super) fn top() -> Scope {
        Scope { this: None, view: None, form: PAGE_FORM.to_owned(), row: None, read_only: false, saves: false }
    }

    /// Walks the whole page.
    pub(super) fn run(mut self) -> Result<(View, Self), PageError> {
        let top = Self::top();
        let page = self.page;
        let nodes = self.widgets(&page.content, &top)?;
        let title = self.plain(&page.title, &top)?;
        let forms = self.seal_forms();
        let problems = self.feedback.iter().map(|feedback| feedback.message.clone()).collect();
        let view = View { page: self.page.name.clone(), title, layout: self.page.layout, forms, nodes, problems };
        Ok((view, self))
    }

    fn seal_forms(&self) -> Vec<Form> {
        let action = self.address();
        let form = |(id, state): (&String, &FormState)| Form {
            id: id.clone(),
            action: action.clone(),
            state: self.context.handles.seal(state),
        };
        self.forms.iter().map(form).collect()
    }

    /// The page's own address with its stored parameters and what the reader asked of its lists.
    pub(super) fn address(&self) -> String {
        let kept = self.context.query.changed(|key| !key.contains('.'), &[]);
        let mut pairs: Vec<(String, String)> = self.stored_arguments();
        pairs.extend(kept.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())));
        url(&self.page.name, pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// Parameter → handle, of those that stand in the address.
    pub(super) fn stored_arguments(&self) -> Vec<(String, String)> {
        let stored = self.page.parameters.iter().filter(|(name, _)| !matches!(self.parameters.get(*name), Some(Life::Fresh)));
        let handle = |(name, entity): (&Name, &QName)| {
            Some((name.to_string(), self.context.handles.write(entity, *self.context.arguments.get(name)?)))
        };
        stored.filter_map(handle).collect()
    }

    /// Widgets in a place.
    pub(super) fn widgets(&mut self, widgets: &[Widget], scope: &Scope) -> Result<Vec<Node>, PageError> {
        let mut nodes = Vec::with_capacity(widgets.len());
        for one in widgets {
            if self.visible(one, scope)? {
                nodes.extend(widget::node(self, one, scope)?);
            }
        }
        Ok(nodes)
    }

    /// Whether a widget is to be shown; a condition that cannot be decided does not hold.
    pub(super) fn visible(&mut self, widget: &Widget, scope: &Scope) -> Result<bool, PageError> {
        match &widget.visible {
            Some(condition) => self.holds(condition, scope),
            None => Ok(true),
        }
    }

    /// Whether a condition holds over what the reader may see.
    pub(super) fn holds(&mut self, condition: &Typed, scope: &Scope) -> Result<bool, PageError> {
        let value = self.value(condition, scope)?;
        Ok(value.peek().as_ref().is_ok_and(Value::holds))
    }

    /// The value of an expression over what the reader may see.
    pub(super) fn value(&mut self, typed: &Typed, scope: &Scope) -> Result<Told<Result<Value, EvalError>>, PageError> {
        self.tell(scope, |reading, environment| evaluate(typed, environment, reading))
    }

    /// Makes something from the facts.
    pub(super) fn tell<T>(
        &mut self,
        scope: &Scope,
        make: impl Fn(&mut Reading<'_>, &Environment<'_>) -> T,
    ) -> Result<Told<T>, PageError> {
        let environment = Environment {
            this: scope.this.as_ref().map(|this| this.id),
            user: self.context.reader.user,
            roles: &self.roles,
            now: self.context.reader.now,
            variables: &self.variables,
        };
        self.facts.tell(self.context, &mut self.permits, |reading| make(reading, &environment))
    }

    /// The text of a template; `None` when a part of it is withheld.
    pub(super) fn text(&mut self, template: &Template, scope: &Scope) -> Result<Told<Option<String>>, PageError> {
        let model = self.model.clone();
        let language = self.context.reader.language.clone();
        let speech = Speech { model: &model, language: &language };
        self.tell(scope, |reading, environment| {
            let mut out = String::new();
            for part in &template.parts {
                match part {
                    Part::Text(text) => out.push_str(model.translate(&language, text)),
                    Part::Value(typed) => {
                        let value = evaluate(typed, environment, reading).ok()?;
                        out.push_str(&speech.text(&typed.kind, &value));
                    }
                }
            }
            Some(out)
        })
    }

    /// The text of a template where no lock can stand.
    pub(super) fn plain(&mut self, template: &Template, scope: &Scope) -> Result<Told<String>, PageError> {
        let withheld = self.say("Withheld");
        Ok(self.text(template, scope)?.map(|text| text.unwrap_or(withheld)))
    }

    /// The text of a template as a cell.
    pub(super) fn text_cell(&mut self, template: &Template, scope: &Scope) -> Result<Told<CellView>, PageError> {
        let text = self.text(template, scope)?;
        Ok(text.map(|text| {
            self.speak(|speech| match text {
                Some(text) => speech.value(&Kind::Text, &Value::text(text)),
                None => speech.withheld(&Kind::Text),
            })
        }))
    }

    /// The value of an expression as a cell.
    pub(super) fn value_cell(&mut self, typed: &Typed, scope: &Scope) -> Result<Told<CellView>, PageError> {
        let value = self.value(typed, scope)?;
        Ok(value.map(|value| {
            self.speak(|speech| match value {
                Ok(value) => speech.value(&typed.kind, &value),
                Err(_) => speech.withheld(&typed.kind),
            })
        }))
    }

    /// A member of the current object, as the reader may have it.
    pub(super) fn member(&mut self, this: &This, path: &[Name], scope: &Scope) -> Result<Told<Cell>, PageError> {
        let model = self.model.clone();
        self.tell(scope, |reading, _| {
            let mut at = (this.entity.clone(), this.id);
            let Some((last, way)) = path.split_last() else { return Cell::Withheld };
            for name in way {
                match (reading.shown(&at.0, at.1, name), step(&model, &at.0, name)) {
                    (
                        Cell::Shown(Value::Object(id)),
                        Some(Step::ToOne(target) | Step::Inverse { owner: target, many: false, .. }),
                    ) => at = (target, id),
                    (Cell::Shown(Value::Empty), _) => return Cell::Shown(Value::Empty),
                    _ => return Cell::Withheld,
                }
            }
            reading.shown(&at.0, at.1, last)
        })
    }

    /// Adds what the caller typed or the model set for an object that is not stored.
    pub(super) fn assume(&mut self, entity: &QName, id: ObjectId, values: &Told<BTreeMap<Name, Value>>) {
        self.facts.learn(values.derive(|values| {
            let mut cells = Cells::default();
            values.iter().for_each(|(name, value)| cells.put(entity, id, name, Cell::Shown(value.clone())));
            cells
        }));
    }

    /// Makes something in the reader's language.
    pub(super) fn speak<T>(&self, make: impl FnOnce(Speech<'_>) -> T) -> T {
        make(Speech { model: &self.model, language: &self.context.reader.language })
    }
    /// A fixed text in the reader's language.
    pub(super) fn say(&self, text: &str) -> String {
        self.model.translate(&self.context.reader.language, text).to_owned()
    }
    /// The same for a text that may not be there.
    pub(super) fn say_some(&self, text: Option<&str>) -> Option<String> {
        text.filter(|text| !text.is_empty()).map(|text| self.say(text))
    }

    /// Values of the page's parameters, for constraints of the model.
    pub(super) fn variables(&self) -> BTreeMap<Name, Value> {
        self.variables.clone()
    }
    /// The caller's rights to change things.
    pub(super) fn authority(&self) -> &dyn Authority {
        self.context.grants
    }
    /// The reader's permit to view an entity.
    pub(super) fn view_permit(&mut self, entity: &QName) -> Option<Rc<Permit<crate::access::View>>> {
        self.permits.view(self.context, entity)
    }

    /// Whether a list is walked: in a deed only the one that holds the button.
    pub(super) fn skips(&self, widgets: &[Widget]) -> bool {
        self.act.as_ref().is_some_and(|act| !holds_widget(widgets, &act.button))
    }
    /// In a deed: the row whose button was used.
    pub(super) fn acted_row(&mut self, entity: &QName) -> Result<Option<ObjectId>, PageError> {
        let Some(act) = &self.act else { return Ok(None) };
        let (handle, _) = act.row.as_ref().ok_or(PageError::BadRequest("a row's button without a row"))?;
        let id = self.context.handles.read(entity, handle).ok_or(PageError::BadRequest("a foreign handle"))?;
        Ok(Some(id))
    }

    /// The address that a page is opened at, if the caller may and every argument is there.
    pub(super) fn href(&mut self, open: &Open, scope: &Scope) -> Result<Option<Told<String>>, PageError> {
        if self.context.grants.open(&open.page).is_err() {
            return Ok(None);
        }
        let Some(page) = self.model.pages.get(&open.page).cloned() else { return Ok(None) };
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
    pub(super) fn form(&mut self, id: &str) {
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
                views: BTreeMap::new(),
            };
            self.forms.insert(id.to_owned(), state);
        }
    }

    /// Binds a data view's object to a form.
    pub(super) fn bind(&mut self, bound: Bound) {
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
    pub(super) fn error_at(&mut self, id: &str, this: &This, member: &Name) -> Option<String> {
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

    /// Rows of released data as something to show.
    pub(super) fn rows_cell(&self, rows: &Told<Rows>, row: usize, column: usize, kind: &Kind) -> Told<CellView> {
        rows.derive(|rows| {
            let cell = rows.rows.get(row).and_then(|row| row.cells.get(column));
            self.speak(|speech| cell.map_or_else(|| speech.withheld(kind), |cell| speech.cell(kind, cell)))
        })
    }
}
