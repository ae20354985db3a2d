//! The stage: a model, objects, handles, and callers.

use super::app::files;
use super::store::Memory;
use crate::access::Grants;
use crate::domain::{Name, ObjectId, QName, Value, parse_value};
use crate::model::{Files, Model, each_widget, load};
use crate::page::form::{self, Deed};
use crate::page::*;
use chrono::{NaiveDate, NaiveDateTime};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Handles that a reader of a test can read.
#[derive(Default)]
pub(crate) struct Plain {
    sealed: RefCell<Vec<FormState>>,
}

impl Handles for Plain {
    fn write(&self, entity: &QName, id: ObjectId) -> String {
        format!("{}~{}", entity.name, id.0)
    }
    fn read(&mut self, entity: &QName, text: &str) -> Option<ObjectId> {
        text.strip_prefix(entity.name.as_str())?.strip_prefix('~')?.parse().ok().map(ObjectId)
    }
    fn nonce(&self, form: &str) -> String {
        format!("nonce of {form}")
    }
    fn seal_shown(&self, about: &str, shown: &str) -> String {
        format!("{}.{shown}", about.replace('\n', "."))
    }
    fn open_shown(&self, about: &str, text: &str) -> Option<String> {
        text.strip_prefix(&about.replace('\n', "."))?.strip_prefix('.').map(str::to_owned)
    }
    fn seal(&self, state: &FormState) -> String {
        self.sealed.borrow_mut().push(state.clone());
        format!("sealed-{}", self.sealed.borrow().len() - 1)
    }
    fn open(&self, text: &str) -> Option<FormState> {
        self.sealed.borrow().get(text.strip_prefix("sealed-")?.parse::<usize>().ok()?).cloned()
    }
    fn is_outdated(&self, text: &str) -> bool {
        text.strip_prefix("outdated-").is_some_and(|rest| self.open(rest).is_some())
    }
}

/// The stage.
pub(crate) struct Desk {
    pub(crate) model: Arc<Model>,
    pub(crate) memory: Memory,
    pub(crate) handles: Plain,
    pub(crate) roles: BTreeSet<Name>,
    pub(crate) language: String,
}

pub(crate) fn name(text: &str) -> QName {
    QName::new("hr", text)
}

fn noon() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 1, 31).unwrap().and_hms_opt(12, 0, 0).unwrap()
}

impl Desk {
    /// As a caller with one role; Emma is employee 1 and signed in unless a visitor.
    pub(crate) fn of(role: &str) -> Self {
        let (model, findings) = load(&Files::of(files()));
        let mut model = model.unwrap_or_else(|| panic!("{}", findings.human()));
        // The checker would name these gaps; the page must hold without it.
        for (entity, member) in [("Employee", "hidden"), ("Department", "secretPlan")] {
            let entity = Arc::make_mut(model.entities.get_mut(&name(entity)).unwrap());
            Arc::make_mut(&mut entity.rules[0]).read.remove(member);
        }
        let model = Arc::new(model);
        let user = (role != "Visitor").then_some(ObjectId(70));
        let memory = Memory { model: model.clone(), rows: BTreeMap::new(), user, now: noon(), queries: Vec::new() };
        let roles = BTreeSet::from([Name::new(role)]);
        let mut desk = Self { model, memory, handles: Plain::default(), roles, language: "en".into() };
        desk.put("Department", 5, &[("name", "Works"), ("secretPlan", "Sell it")]);
        desk.put("Department", 6, &[("name", "Sales")]);
        let emma = [("name", "Emma"), ("salary", "1234.50"), ("joined", "2024-02-29"), ("seen", "2026-01-30T08:15:59.123Z")];
        desk.put("Employee", 1, &emma);
        desk.put(
            "Employee",
            1,
            &[("status", "Active"), ("department", "#5"), ("account", "#70"), ("remote", "true"), ("number", "7")],
        );
        desk.put(
            "Employee",
            1,
            &[("hidden", "mole"), ("children", "2"), ("email", "emma@desk.example"), ("notes", "Line\nbreak")],
        );
        desk.put("Employee", 2, &[("name", "Bo"), ("salary", "99.00"), ("status", "Gone"), ("remote", "false"), ("hidden", "z")]);
        desk.put(
            "Employee",
            3,
            &[("name", "Cleo"), ("salary", "5000000.00"), ("status", "Active"), ("department", "#6"), ("hidden", "a")],
        );
        desk
    }

    /// Over an app of the project, with one empty object of each entity.
    pub(crate) fn over(app: &str, role: &str) -> Self {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(app);
        let (model, findings) = load(&Files::read(&folder).unwrap());
        let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
        let visitor = model.anonymous_role().is_some_and(|anonymous| anonymous.as_str() == role);
        let rows = model.entities.keys().map(|entity| ((entity.clone(), ObjectId(1)), (1, BTreeMap::new()))).collect();
        let user = (!visitor).then_some(ObjectId(1));
        let memory = Memory { model: model.clone(), rows, user, now: noon(), queries: Vec::new() };
        let roles = BTreeSet::from([Name::new(role)]);
        Self { model, memory, handles: Plain::default(), roles, language: "en".into() }
    }

    /// Puts members of an object.
    pub(crate) fn put(&mut self, entity: &str, id: i64, members: &[(&str, &str)]) {
        let entity = name(entity);
        let known = self.model.entity(&entity).unwrap().clone();
        let row = self.memory.rows.entry((entity, ObjectId(id))).or_insert((3, BTreeMap::new()));
        for (member, text) in members {
            let kind = known.member_kind(member).unwrap();
            row.1.insert(Name::new(member), parse_value(&kind, text).unwrap_or_else(|| Value::text(text)));
        }
    }

    /// Takes all access rules of an entity away.
    pub(crate) fn forget_rules(&mut self, entity: &str) {
        let model = Arc::make_mut(&mut self.model);
        Arc::make_mut(model.entities.get_mut(&name(entity)).unwrap()).rules.clear();
        self.memory.model = self.model.clone();
    }

    pub(crate) fn grants(&self) -> Grants {
        Grants::compile(&self.model, &self.roles, self.memory.user.is_some())
    }

    fn act<T>(
        &mut self,
        page: &str,
        query: &[(&str, &str)],
        posted: Option<&Posted>,
        act: impl FnOnce(
            &crate::access::Permit<crate::access::Open>,
            &crate::model::Page,
            &mut PageContext<'_>,
        ) -> Result<T, PageError>,
    ) -> Result<T, PageError> {
        let grants = self.grants();
        let page = QName::parse(page).unwrap_or_else(|| name(page));
        let permit = grants.open(&page)?;
        let page = self.model.pages[&page].clone();
        let query = ClientQuery::new(query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())?;
        let arguments = arguments(&page, &query, None, &mut self.handles)?;
        let reader = Reader {
            user: self.memory.user,
            name: "Emma Stone".into(),
            email: "emma@desk.example".into(),
            now: noon(),
            language: self.language.clone(),
        };
        let (objects, handles) = (&mut self.memory, &mut self.handles);
        act(
            &permit,
            &page,
            &mut PageContext { grants: &grants, objects, arguments, query: &query, handles, form: posted, reader, xray: false },
        )
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, page: &str, query: &[(&str, &str)]) -> Result<View, PageError> {
        self.act(page, query, None, open)
    }

    /// Shows a refused form again.
    pub(crate) fn again(&mut self, page: &str, query: &[(&str, &str)], posted: &Posted) -> View {
        self.act(page, query, Some(posted), open).unwrap()
    }

    /// Draws the page, then sends one of its forms with a button and fields.
    pub(crate) fn send(
        &mut self,
        page: &str,
        query: &[(&str, &str)],
        form: &str,
        fields: &[(&str, &str)],
    ) -> Result<Deed, PageError> {
        let view = self.open(page, query)?;
        let state = view.forms.iter().find(|known| known.id == form).map(|form| form.state.clone()).unwrap_or_default();
        self.send_state(page, query, &state, fields)
    }

    /// Sends a form with a state.
    pub(crate) fn send_state(
        &mut self,
        page: &str,
        query: &[(&str, &str)],
        state: &str,
        fields: &[(&str, &str)],
    ) -> Result<Deed, PageError> {
        let mut posted: Vec<(String, String)> = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        posted.push(("_state".into(), state.into()));
        posted.push(("_csrf".into(), "token".into()));
        self.act(page, query, None, |permit, page, context| form::read(permit, page, &posted, context))
    }

    /// The id of the first widget of a page that fits.
    pub(crate) fn widget(&self, page: &str, fits: impl Fn(&crate::model::WidgetKind) -> bool) -> String {
        let mut found = None;
        each_widget(&self.model.pages[&name(page)].content, &mut |widget| {
            if found.is_none() && fits(&widget.kind) {
                found = Some(widget.id.clone());
            }
        });
        found.unwrap()
    }

    /// The id of the input of a member.
    pub(crate) fn input(&self, page: &str, member: &str) -> String {
        self.widget(page, |kind| match kind {
            crate::model::WidgetKind::Input(input) => input.member.as_str() == member,
            crate::model::WidgetKind::Reference(reference) => reference.member.as_str() == member,
            _ => false,
        })
    }

    /// The id of the button whose caption starts with a text.
    pub(crate) fn button_starting(&self, page: &str, start: &str) -> String {
        self.widget(page, |kind| match kind {
            crate::model::WidgetKind::Button(button) => {
                matches!(button.caption.parts.first(), Some(crate::expr::Part::Text(text)) if text.starts_with(start))
            }
            _ => false,
        })
    }

    /// The id of the button with a caption.
    pub(crate) fn button(&self, page: &str, caption: &str) -> String {
        let caption = crate::expr::Template::fixed(caption);
        self.widget(page, |kind| matches!(kind, crate::model::WidgetKind::Button(button) if button.caption == caption))
    }
}

/// All nodes of a view, at every depth.
pub(crate) fn nodes(view: &View) -> Vec<&Node> {
    fn below<'v>(nodes: &'v [Node], out: &mut Vec<&'v Node>) {
        for node in nodes {
            out.push(node);
            match node {
                Node::Container(node) => below(&node.children, out),
                Node::Snippet(children) => below(children, out),
                Node::DataView(node) => below(&node.children, out),
                Node::Columns(columns) => columns.iter().for_each(|column| below(&column.children, out)),
                Node::Tabs(node) => node.tabs.iter().for_each(|tab| below(&tab.children, out)),
                Node::ListView(node) => node.items.iter().for_each(|item| below(&item.children, out)),
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    below(&view.nodes, &mut out);
    out
}

/// The grid of a view.
pub(crate) fn grid(view: &View) -> &DataGridNode {
    nodes(view).into_iter().find_map(|node| if let Node::DataGrid(grid) = node { Some(&**grid) } else { None }).unwrap()
}

/// The input or selector with an id.
pub(crate) fn field<'v>(view: &'v View, id: &str) -> &'v InputNode {
    let found = nodes(view).into_iter().find_map(|node| match node {
        Node::Input(input) | Node::Reference(input) if input.name == id => Some(&**input),
        _ => None,
    });
    found.unwrap()
}
