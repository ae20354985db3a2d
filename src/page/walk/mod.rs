//! The walk through a page's widgets, for one reader.
//!
//! Opening a page and reading a form are the same walk: a form is taken apart against exactly the
//! fields and buttons that the walk offers this caller now, so what was not shown cannot be sent.

mod forms;
mod offers;
mod shown;
mod tell;

pub(in crate::page) use forms::about;
pub(in crate::page) use offers::fields;

use super::context::FormState;
use super::facts::{Facts, Permits};
use super::paths::{Wanted, holds_widget, is_simple};
use super::told::Told;
use super::view::{Node, View};
use super::xray::Xray;
use super::{PageContext, PageError, widget};
use crate::access::{Authority, Feedback, Permit, Query, Rows};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::Root;
use crate::model::{Action, Model, Page, Path, Reference, ViewSource, Widget, WidgetKind, each_widget};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// The form of buttons outside every data view.
pub(in crate::page) const PAGE_FORM: &str = "f-page";

/// Where an object of the page lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Life {
    Stored(i64),
    Fresh,
    New,
}

/// The object that `this` is.
#[derive(Clone, Debug)]
pub(in crate::page) struct This {
    pub(in crate::page) entity: QName,
    pub(in crate::page) id: ObjectId,
    pub(in crate::page) life: Life,
}

/// Where a widget stands.
#[derive(Clone, Debug)]
pub(in crate::page) struct Scope {
    /// The current object.
    pub(in crate::page) this: Option<This>,
    /// The data view around it.
    pub(in crate::page) view: Option<String>,
    /// The form that buttons send.
    pub(in crate::page) form: String,
    /// Number (for ids in the document) and handle of the row it stands in.
    pub(in crate::page) row: Option<(String, String)>,
    /// No input is editable.
    pub(in crate::page) read_only: bool,
    /// The form has something that this caller may write.
    pub(in crate::page) saves: bool,
    /// The objects between the row and the current one, the row's own first.
    pub(in crate::page) around: Vec<This>,
}

impl Scope {
    /// The place of a row's content.
    pub(in crate::page) fn row(&self, this: This, number: usize, handle: String) -> Self {
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
            around: Vec::new(),
        }
    }
}

/// A field that the caller was offered.
#[derive(Clone, Debug)]
pub(in crate::page) struct Field {
    pub(in crate::page) form: String,
    pub(in crate::page) view: String,
    pub(in crate::page) member: Name,
    pub(in crate::page) kind: Kind,
    /// Most characters.
    pub(in crate::page) longest: u32,
    /// What the field showed.
    pub(in crate::page) text: String,
    pub(in crate::page) original: Value,
    pub(in crate::page) reference: Option<Reference>,
}

/// A data view whose object a form may change.
#[derive(Clone, Debug)]
pub(in crate::page) struct Bound {
    pub(in crate::page) view: String,
    pub(in crate::page) form: String,
    pub(in crate::page) this: This,
    /// First values of a new object that the model set.
    pub(in crate::page) set: BTreeMap<Name, Value>,
}

/// A button that a caller wants to use.
#[derive(Clone, Debug)]
pub(in crate::page) struct Act {
    pub(in crate::page) button: String,
    /// Handle of the row, and what its button was drawn over, sealed.
    pub(in crate::page) row: Option<(String, String)>,
}

/// The button found, as offered.
#[derive(Clone, Debug)]
pub(in crate::page) struct Offer {
    pub(in crate::page) action: Action,
    pub(in crate::page) caption: String,
    pub(in crate::page) danger: bool,
    pub(in crate::page) confirm: Option<String>,
    pub(in crate::page) scope: Scope,
    /// A digest of what it acts on, as it is now.
    pub(in crate::page) shown: String,
}

/// One walk.
pub(in crate::page) struct Walk<'c, 'a> {
    pub(in crate::page) page: &'c Page,
    pub(in crate::page) context: &'c mut PageContext<'a>,
    pub(in crate::page) model: Arc<Model>,
    pub(in crate::page) permits: Permits,
    pub(in crate::page) facts: Facts,
    roles: Arc<BTreeSet<Name>>,
    variables: BTreeMap<Name, Value>,
    parameters: BTreeMap<Name, Life>,
    forms: BTreeMap<String, FormState>,
    /// Versions of objects that buttons act on; `None` for one that the reader does not see.
    versions: HashMap<(QName, ObjectId), Option<i64>>,
    /// Which rules hold for stored objects, where that was asked.
    held: HashMap<(QName, ObjectId), Vec<bool>>,
    /// Members of new objects that the caller can give a value here.
    open: HashMap<ObjectId, BTreeSet<Name>>,
    /// What data views outside of rows show, found once.
    pub(in crate::page) found: HashMap<String, widget::Found>,
    pub(in crate::page) fields: BTreeMap<String, Field>,
    pub(in crate::page) bound: Vec<Bound>,
    pub(in crate::page) act: Option<Act>,
    pub(in crate::page) offer: Option<Offer>,
    feedback: Vec<Feedback>,
    news: i64,
    /// Reasons, where they are wanted: never in a deed.
    pub(in crate::page) xray: Option<Xray>,
}

impl<'c, 'a> Walk<'c, 'a> {
    /// Prepares a walk: the parameters' objects are read through the reader's own grants first.
    pub(in crate::page) fn new(page: &'c Page, context: &'c mut PageContext<'a>, act: Option<Act>) -> Result<Self, PageError> {
        let model = context.grants.model().clone();
        let feedback = context.form.map(|form| form.feedback.clone()).unwrap_or_default();
        let act_is_none = act.is_none();
        let mut walk = Self {
            page,
            model,
            permits: Permits::new(),
            facts: Facts::about(context),
            roles: context.grants.roles().clone(),
            variables: context.arguments.iter().map(|(name, id)| (name.clone(), Value::Object(*id))).collect(),
            parameters: BTreeMap::new(),
            forms: BTreeMap::new(),
            versions: HashMap::new(),
            held: HashMap::new(),
            open: HashMap::new(),
            found: HashMap::new(),
            fields: BTreeMap::new(),
            bound: Vec::new(),
            act,
            offer: None,
            feedback,
            news: 0,
            xray: (context.xray && act_is_none).then(Xray::default),
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
        let mut written = false;
        each_widget(&self.page.content, &mut |widget| {
            let shows = |view: &crate::model::DataView| {
                !view.read_only && matches!(&view.source, ViewSource::Parameter(of) if of == name)
            };
            written |= matches!(&widget.kind, WidgetKind::DataView(view) if shows(view));
        });
        let found = self.object(&permit, entity, id, wanted, written)?;
        self.parameters.insert(name.clone(), found.ok_or(PageError::Gone)?);
        Ok(())
    }

    /// Reads one object and learns it; `None` when the reader has no such object. For one that may
    /// be written here, also what the rules about writing ask of it.
    pub(in crate::page) fn object(
        &mut self,
        permit: &Permit<crate::access::View>,
        entity: &QName,
        id: ObjectId,
        mut wanted: Wanted,
        written: bool,
    ) -> Result<Option<Life>, PageError> {
        if written && let Some(rights) = permit.entity_rights() {
            let mut rules = Wanted::from(Root::This);
            let conditions = rights.rules.iter().filter(|rule| !rule.write.is_empty() || rule.delete);
            let conditions = conditions.filter_map(|rule| rule.condition.as_deref());
            conditions.filter(|condition| is_simple(condition)).for_each(|condition| rules.expression(condition));
            wanted.paths.extend(rules.paths);
        }
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
    pub(in crate::page) fn readable(&mut self, entity: &QName, wanted: Wanted) -> Vec<Path> {
        wanted.paths.into_iter().filter(|path| self.permits.readable(self.context, entity, path)).collect()
    }

    /// The objects of released rows.
    pub(in crate::page) fn all_of(&self, entity: &QName, rows: &Told<Rows>) -> Vec<This> {
        let this = |row: &crate::access::Row| This { entity: entity.clone(), id: row.id, life: self.life(entity, row.version) };
        rows.peek().rows.iter().map(this).collect()
    }

    pub(in crate::page) fn life(&self, entity: &QName, version: i64) -> Life {
        let stored = self.model.entity(entity).is_some_and(|entity| entity.persistable);
        if stored { Life::Stored(version) } else { Life::Fresh }
    }

    /// The object of a page parameter.
    pub(in crate::page) fn argument(&self, name: &Name) -> Option<(ObjectId, Life)> {
        Some((*self.context.arguments.get(name)?, *self.parameters.get(name)?))
    }

    /// A key for a new object, which no stored object has.
    pub(in crate::page) fn fresh_key(&mut self) -> ObjectId {
        self.news += 1;
        ObjectId(i64::MIN + self.news)
    }

    /// The top of the page: no current object.
    pub(in crate::page) fn top() -> Scope {
        Scope {
            this: None,
            view: None,
            form: PAGE_FORM.to_owned(),
            row: None,
            read_only: false,
            saves: false,
            around: Vec::new(),
        }
    }

    /// Walks the whole page.
    pub(in crate::page) fn run(mut self) -> Result<(View, Self), PageError> {
        let top = Self::top();
        let page = self.page;
        self.mark_page();
        let nodes = self.widgets(&page.content, &top)?;
        let title = self.plain(&page.title, &top)?;
        let forms = self.seal_forms();
        let problems = self.feedback.iter().map(|feedback| feedback.message.clone()).collect();
        let legend = self.legend();
        let view = View { page: self.page.name.clone(), title, layout: self.page.layout, forms, nodes, problems, legend };
        Ok((view, self))
    }

    /// Widgets in a place.
    pub(in crate::page) fn widgets(&mut self, widgets: &[Widget], scope: &Scope) -> Result<Vec<Node>, PageError> {
        let mut nodes = Vec::with_capacity(widgets.len());
        for one in widgets {
            let visible = self.visible(one, scope)?;
            let node = if visible { widget::node(self, one, scope)? } else { None };
            nodes.extend(if self.xray.is_some() { self.marked(one, scope, visible, node)? } else { node });
        }
        Ok(nodes)
    }

    /// Values of the page's parameters, for constraints of the model.
    pub(in crate::page) fn variables(&self) -> BTreeMap<Name, Value> {
        self.variables.clone()
    }
    /// The caller's rights to change things.
    pub(in crate::page) fn authority(&self) -> &dyn Authority {
        self.context.grants
    }
    /// The reader's permit to view an entity.
    pub(in crate::page) fn view_permit(&mut self, entity: &QName) -> Option<Rc<Permit<crate::access::View>>> {
        self.permits.view(self.context, entity)
    }

    /// Whether this is a deed, in a build where action access was taken away: then every button and
    /// every field that the page has in a form counts as offered.
    pub(in crate::page) fn is_unguarded(&self) -> bool {
        self.act.is_some() && !stands(Removable::ActionAccess)
    }
    /// Whether a list is walked: in a deed only the one that holds the button.
    pub(in crate::page) fn skips(&self, widgets: &[Widget]) -> bool {
        self.act.as_ref().is_some_and(|act| !holds_widget(widgets, &act.button))
    }
    /// In a deed: the row whose button was used.
    pub(in crate::page) fn acted_row(&mut self, entity: &QName) -> Result<Option<ObjectId>, PageError> {
        let Some(act) = &self.act else { return Ok(None) };
        let (handle, _) = act.row.as_ref().ok_or(PageError::BadRequest("a row's button without a row"))?;
        let id = self.context.handles.read(entity, handle).ok_or(PageError::BadRequest("a foreign handle"))?;
        Ok(Some(id))
    }
}
