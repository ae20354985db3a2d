//! Pages of the attack's own, in a copy of the model in memory: whatever an author could put on a page, open to everybody.
//!
//! For each stored entity a list, a form, a new one and its figures with every member, and for each microflow a button,
//! all of them open to every user role, the visitors' too. No check of the model would let most of them pass: that is
//! what they are for. Whoever opens one must see and do no more than the rules on entities and microflows give.

use crate::domain::{ByName, Kind, Name, QName};
use crate::expr::{Node, Root, Span, Template, Typed};
use crate::model::{
    Action, Button, ButtonStyle, Column, ColumnShow, DataGrid, DataView, Entity, Input, Layout, ListFrom, ListSource, Microflow,
    Model, Module, Open, Page, Place, Reference, Stat, Tone, ViewSource, Widget, WidgetKind,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The module of these pages.
pub const MODULE: &str = "attack";
/// The page parameter of forms.
pub const OBJECT: &str = "Object";
/// The user role that holds nothing but the right to open these pages.
pub const NOBODY: &str = "AttackNobody";
/// Rows of a list: more than there are.
const ROWS: u32 = 500;

/// The page of a kind about an entity or a microflow: `attack.List_hr_Employee`.
pub fn page_of(what: &str, of: &QName) -> QName {
    QName::new(MODULE, format!("{what}_{}_{}", of.module, of.name).as_str())
}

/// Adds the pages and the role that holds nothing.
pub fn equip(model: &mut Model) {
    let role = QName::new(MODULE, "Everybody");
    let mut roles = ByName::default();
    roles.insert(role.name.clone(), "The attack".to_owned());
    model.modules.insert(Name::new(MODULE), Module { roles });
    model.user_roles.insert(Name::new(NOBODY), Default::default());
    model.user_roles.values_mut().for_each(|known| known.module_roles.extend([role.clone()]));
    let mut pages = Vec::new();
    let entities: Vec<Arc<Entity>> = model.entities.values().filter(|entity| entity.persistable).cloned().collect();
    for entity in &entities {
        let maker = Maker { model, role: &role };
        pages.extend([maker.list(entity), maker.form(entity), maker.fresh(entity), maker.figures(entity), maker.along(entity)]);
    }
    for flow in model.microflows.values() {
        pages.extend(Maker { model, role: &role }.run(flow));
    }
    model.pages.extend(pages.into_iter().map(|page| (page.name.clone(), Arc::new(page))));
}

struct Maker<'m> {
    model: &'m Model,
    role: &'m QName,
}

fn typed(node: Node, kind: Kind) -> Typed {
    Typed { node, kind, span: Span::default() }
}

fn root(root: Root, entity: &QName) -> Typed {
    typed(Node::Root(root), Kind::Object(entity.clone()))
}

fn widget(kind: WidgetKind) -> Widget {
    Widget { id: String::new(), visible: None, kind, place: Place::default() }
}

fn button(caption: &str, action: Action) -> Widget {
    let (caption, style) = (Template::fixed(caption), ButtonStyle::Secondary);
    widget(WidgetKind::Button(Button { caption, style, icon: None, confirm: None, action }))
}

/// Every attribute of the entity, as paths.
fn paths(entity: &Entity) -> Vec<Vec<Name>> {
    entity.attributes.keys().map(|name| vec![name.clone()]).collect()
}

fn source(entity: &QName, from: ListFrom) -> ListSource {
    ListSource { from, entity: entity.clone(), condition: None, sort: Vec::new() }
}

impl Maker<'_> {
    fn page(&self, name: QName, parameters: ByName<Name, QName>, mut content: Vec<Widget>) -> Page {
        let mut number = 0;
        content.iter_mut().for_each(|widget| count(widget, &mut number));
        let (title, place) = (Template::fixed("Attack"), Place::default());
        Page { name, title, layout: Layout::Plain, roles: BTreeSet::from([self.role.clone()]), parameters, content, place }
    }

    fn grid(&self, entity: &Entity, from: ListFrom) -> Widget {
        let links = entity.associations.values().filter(|a| matches!(a.kind(), Kind::Object(_))).map(|a| vec![a.name.clone()]);
        let columns = paths(entity).into_iter().chain(links.clone()).map(|path| Column {
            title: path.iter().map(Name::as_str).collect::<Vec<_>>().join("."),
            show: ColumnShow::Path(path),
            right: false,
        });
        let opens = Open { page: page_of("Form", &entity.name), with: vec![(Name::new(OBJECT), root(Root::This, &entity.name))] };
        let texts = entity.attributes.values().filter(|attribute| attribute.kind() == Kind::Text);
        widget(WidgetKind::DataGrid(DataGrid {
            title: None,
            source: source(&entity.name, from),
            columns: columns.collect(),
            search: texts.map(|attribute| vec![attribute.name.clone()]).collect(),
            filters: paths(entity).into_iter().chain(links).collect(),
            page_size: ROWS,
            total: true,
            opens: Some(opens),
            buttons: Vec::new(),
            row_buttons: vec![button("Delete", Action::Delete)],
            empty: None,
        }))
    }

    fn list(&self, entity: &Entity) -> Page {
        let content = vec![self.grid(entity, ListFrom::Entity), button("Leave", Action::Cancel)];
        self.page(page_of("List", &entity.name), ByName::default(), content)
    }

    /// An input or a selector for every member that can have one.
    fn inputs(&self, entity: &Entity) -> Vec<Widget> {
        let input = |member: &Name| {
            let member = member.clone();
            widget(WidgetKind::Input(Input { member, label: None, help: None, placeholder: None, read_only: None, rows: 1 }))
        };
        let links = entity.associations.values().filter(|association| matches!(association.kind(), Kind::Object(_)));
        let links = links.filter_map(|association| {
            let target = self.model.entities.get(&association.target)?;
            let show = target.display.clone().or_else(|| target.attributes.keys().next().cloned())?;
            let (member, target) = (association.name.clone(), association.target.clone());
            let reference = Reference { member, target, show, condition: None, label: None, help: None, read_only: None };
            Some(widget(WidgetKind::Reference(reference)))
        });
        entity.attributes.keys().map(input).chain(links).collect()
    }

    fn view(&self, entity: &Entity, source: ViewSource, last: Vec<Widget>) -> Widget {
        let content = self.inputs(entity).into_iter().chain(last).chain([button("Leave", Action::Cancel)]).collect();
        widget(WidgetKind::DataView(DataView { source, entity: entity.name.clone(), read_only: false, content }))
    }

    fn form(&self, entity: &Entity) -> Page {
        let save = button("Save", Action::Save { close: false, message: None });
        let parts = vec![save, button("Delete", Action::Delete)];
        let content = vec![self.view(entity, ViewSource::Parameter(Name::new(OBJECT)), parts)];
        self.page(page_of("Form", &entity.name), one(OBJECT, &entity.name), content)
    }

    fn fresh(&self, entity: &Entity) -> Page {
        let save = button("Save", Action::Save { close: false, message: None });
        let content = vec![self.view(entity, ViewSource::New(Vec::new()), vec![save]), button("Leave", Action::Cancel)];
        self.page(page_of("New", &entity.name), ByName::default(), content)
    }

    fn figures(&self, entity: &Entity) -> Page {
        let numbers = entity.attributes.values().filter(|a| a.calculated.is_none() && matches!(a.kind(), Kind::Number(_)));
        let figures = std::iter::once(None).chain(numbers.map(|attribute| Some(attribute.name.clone())));
        let stat = |sum: Option<Name>| {
            let title = sum.as_ref().map_or("count".to_owned(), |name| format!("sum of {name}"));
            let source = source(&entity.name, ListFrom::Entity);
            widget(WidgetKind::Stat(Stat { title, source, sum, opens: None, icon: None, tone: Tone::Neutral }))
        };
        self.page(page_of("Figures", &entity.name), ByName::default(), figures.map(stat).collect())
    }

    /// What an object leads to along associations to many.
    fn along(&self, entity: &Entity) -> Page {
        let own = entity.associations.values().filter(|a| matches!(a.kind(), Kind::List(_))).map(|a| (&a.name, &a.target));
        let others = entity.inverses.iter().map(|(name, inverse)| (name, &inverse.owner));
        let grids = own.chain(others).filter_map(|(name, target)| {
            let target = self.model.entities.get(target).filter(|target| target.persistable)?;
            Some(self.grid(target, ListFrom::Association(name.clone())))
        });
        let view = DataView {
            source: ViewSource::Parameter(Name::new(OBJECT)),
            entity: entity.name.clone(),
            read_only: true,
            content: grids.collect(),
        };
        self.page(page_of("Along", &entity.name), one(OBJECT, &entity.name), vec![widget(WidgetKind::DataView(view))])
    }

    /// A button for a flow. Stored objects come as page parameters, one in memory is filled in on the page; `None` for a
    /// flow that takes several of those, or a list.
    fn run(&self, flow: &Microflow) -> Option<Page> {
        let mut parameters = ByName::default();
        let (mut with, mut memory) = (Vec::new(), None);
        for (name, kind) in &flow.parameters {
            let value = match kind {
                Kind::Object(entity) if self.model.entities.get(entity)?.persistable => {
                    parameters.insert(name.clone(), entity.clone());
                    root(Root::Variable(name.clone()), entity)
                }
                Kind::Object(entity) if memory.is_none() => {
                    memory = self.model.entities.get(entity).cloned();
                    root(Root::This, entity)
                }
                Kind::Object(_) | Kind::List(_) => return None,
                plain => typed(Node::Literal(super::class::plain_value(self.model, plain)), plain.clone()),
            };
            with.push((name.clone(), value));
        }
        let run = button("Run", Action::Run { microflow: flow.name.clone(), with });
        let leave = button("Leave", Action::Cancel);
        let content = match memory {
            Some(entity) => vec![self.view(&entity, ViewSource::New(Vec::new()), vec![run]), leave],
            None => vec![run, leave],
        };
        Some(self.page(page_of("Run", &flow.name), parameters, content))
    }
}

fn one(name: &str, entity: &QName) -> ByName<Name, QName> {
    ByName::from_iter([(Name::new(name), entity.clone())])
}

/// Gives the widgets their ids, in document order.
fn count(widget: &mut Widget, number: &mut u32) {
    *number += 1;
    widget.id = format!("w{number}");
    match &mut widget.kind {
        WidgetKind::DataView(view) => view.content.iter_mut().for_each(|inner| count(inner, number)),
        WidgetKind::DataGrid(grid) => grid.buttons.iter_mut().chain(&mut grid.row_buttons).for_each(|inner| count(inner, number)),
        _ => {}
    }
}
