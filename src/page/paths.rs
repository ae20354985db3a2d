//! Which members a part of a page needs.

use crate::domain::{Kind, Name, QName};
use crate::expr::{Node, Root, Template, Typed};
use crate::model::{Action, ColumnShow, Model, Multiplicity, Open, Page, Path, ViewSource, Widget, WidgetKind, each_widget};
use indexmap::IndexSet;
use std::collections::BTreeSet;

/// Where one step from an object leads.
pub(super) enum Step {
    /// A value.
    Attribute,
    /// At most one object, by an own association.
    ToOne(QName),
    /// Several objects, by an own association.
    ToMany(QName),
    /// The other side of an association: its owner, its name there, and whether there are several.
    Inverse { owner: QName, association: Name, many: bool },
}

/// The step a member of an entity is; `None` when there is no such member.
pub(super) fn step(model: &Model, entity: &QName, member: &str) -> Option<Step> {
    let entity = model.entity(entity)?;
    if entity.attributes.contains_key(member) {
        return Some(Step::Attribute);
    }
    if let Some(association) = entity.associations.get(member) {
        let target = association.target.clone();
        return Some(match association.multiplicity {
            Multiplicity::ManyToMany => Step::ToMany(target),
            _ => Step::ToOne(target),
        });
    }
    let inverse = entity.inverses.get(member)?;
    Some(Step::Inverse { owner: inverse.owner.clone(), association: inverse.association.clone(), many: inverse.many })
}

/// The kind at the end of a path that leads to at most one object.
pub(super) fn kind_at(model: &Model, entity: &QName, path: &[Name]) -> Option<Kind> {
    let (last, way) = path.split_last()?;
    let mut at = entity.clone();
    for name in way {
        match step(model, &at, name)? {
            Step::ToOne(target) | Step::Inverse { owner: target, many: false, .. } => at = target,
            _ => return None,
        }
    }
    model.entity(&at)?.member_kind(last)
}

/// The label of the member at the end of a path.
pub(super) fn label_at<'m>(model: &'m Model, entity: &QName, path: &[Name]) -> Option<&'m str> {
    let (last, way) = path.split_last()?;
    let mut at = entity.clone();
    for name in way {
        match step(model, &at, name)? {
            Step::ToOne(target) | Step::Inverse { owner: target, many: false, .. } => at = target,
            _ => return None,
        }
    }
    model.entity(&at)?.member_label(last)
}

/// Collects the paths from one root that widgets and expressions need, each with the paths on its way.
pub(super) struct Wanted {
    root: Root,
    /// What was found, in order.
    pub(super) paths: IndexSet<Path>,
}

impl Wanted {
    /// Nothing yet, from the given root.
    pub(super) fn from(root: Root) -> Self {
        Self { root, paths: IndexSet::new() }
    }

    /// A path and those on its way.
    pub(super) fn path(&mut self, path: &[Name]) {
        for end in 1..=path.len() {
            self.paths.insert(path.iter().take(end).cloned().collect());
        }
    }

    /// What an expression needs (calculated members count as members: the store computes them).
    pub(super) fn expression(&mut self, typed: &Typed) {
        if let Some(path) = chain(typed, &self.root) {
            return self.path(&path);
        }
        let mut inner = Vec::new();
        typed.children(&mut |child| inner.push(child));
        inner.into_iter().for_each(|child| self.expression(child));
    }

    /// What a template needs.
    pub(super) fn template(&mut self, template: &Template) {
        template.expressions().for_each(|typed| self.expression(typed));
    }

    fn open(&mut self, open: &Open) {
        open.with.iter().for_each(|(_, typed)| self.expression(typed));
    }

    /// What widgets need that stand where the root is in reach.
    pub(super) fn widgets(&mut self, widgets: &[Widget]) {
        widgets.iter().for_each(|widget| self.widget(widget));
    }

    fn widget(&mut self, widget: &Widget) {
        if let Some(visible) = &widget.visible {
            self.expression(visible);
        }
        let own = self.root == Root::This;
        match &widget.kind {
            WidgetKind::Container { title, content, .. } => {
                title.iter().for_each(|title| self.template(title));
                self.widgets(content);
            }
            WidgetKind::Columns(columns) => columns.iter().for_each(|(_, content)| self.widgets(content)),
            WidgetKind::Tabs(tabs) => tabs.iter().for_each(|(_, content)| self.widgets(content)),
            WidgetKind::Snippet { content, .. } => self.widgets(content),
            WidgetKind::Heading { text, .. } | WidgetKind::Alert { text, .. } | WidgetKind::Text { value: text, .. } => {
                self.template(text);
            }
            WidgetKind::Badge { value } => self.expression(value),
            WidgetKind::DataView(view) => {
                match &view.source {
                    ViewSource::Association(name) if own => self.path(std::slice::from_ref(name)),
                    ViewSource::New(set) => set.iter().for_each(|(_, typed)| self.expression(typed)),
                    ViewSource::Parameter(name) if self.root == Root::Variable(name.clone()) => self.inside(&view.content),
                    _ => {}
                }
                self.elsewhere(&view.content);
            }
            WidgetKind::DataGrid(grid) => {
                grid.title.iter().for_each(|title| self.template(title));
                self.widgets(&grid.buttons);
                if !own {
                    self.grid_rows(grid);
                }
            }
            WidgetKind::ListView(list) => {
                list.title.iter().for_each(|title| self.template(title));
                self.elsewhere(&list.content);
            }
            WidgetKind::Input(input) => {
                if own {
                    self.path(std::slice::from_ref(&input.member));
                }
                input.read_only.iter().for_each(|typed| self.expression(typed));
            }
            WidgetKind::Reference(reference) => {
                if own {
                    self.path(&[reference.member.clone(), reference.show.clone()]);
                }
                reference.read_only.iter().for_each(|typed| self.expression(typed));
            }
            WidgetKind::Stat(stat) => stat.opens.iter().for_each(|open| self.open(open)),
            WidgetKind::Button(button) => self.button(button),
        }
    }

    fn button(&mut self, button: &crate::model::Button) {
        self.template(&button.caption);
        button.confirm.iter().for_each(|text| self.template(text));
        match &button.action {
            Action::Open(open) => self.open(open),
            Action::Run { with, .. } => with.iter().for_each(|(_, typed)| self.expression(typed)),
            Action::Save { message, .. } => message.iter().for_each(|text| self.template(text)),
            Action::Cancel | Action::Delete => {}
        }
    }

    /// What the rows of a grid need, apart from plain columns.
    pub(super) fn grid_rows(&mut self, grid: &crate::model::DataGrid) {
        for column in &grid.columns {
            match &column.show {
                ColumnShow::Path(_) => {}
                ColumnShow::Text(text) => self.template(text),
                ColumnShow::Badge(typed) => self.expression(typed),
            }
        }
        grid.opens.iter().for_each(|open| self.open(open));
        self.widgets(&grid.row_buttons);
    }

    /// Widgets with another `this`: only variables are looked for.
    fn elsewhere(&mut self, widgets: &[Widget]) {
        if self.root != Root::This {
            self.widgets(widgets);
        }
    }

    /// Widgets whose `this` is the variable looked for.
    fn inside(&mut self, widgets: &[Widget]) {
        let mut own = Self::from(Root::This);
        own.widgets(widgets);
        self.paths.extend(own.paths);
    }
}

/// The members of `root.a.b.c`; `None` when the expression is something else or only the root.
fn chain(typed: &Typed, root: &Root) -> Option<Path> {
    let Node::Member { of, name, .. } = &typed.node else { return None };
    let mut path = match &of.node {
        Node::Root(found) if found == root => Vec::new(),
        _ => chain(of, root)?,
    };
    path.push(name.clone());
    Some(path)
}

/// The stored entities that a page shows something of, as far as that is known without opening it.
pub fn shown_entities(model: &Model, page: &Page) -> BTreeSet<QName> {
    let mut found = BTreeSet::new();
    let mut along = |entity: &QName, path: &[Name]| {
        let mut at = entity.clone();
        for name in path {
            match step(model, &at, name) {
                Some(Step::ToOne(target) | Step::ToMany(target) | Step::Inverse { owner: target, .. }) => at = target,
                _ => break,
            }
            found.insert(at.clone());
        }
        found.insert(entity.clone());
    };
    each_widget(&page.content, &mut |widget| match &widget.kind {
        WidgetKind::DataView(view) => along(&view.entity, &[]),
        WidgetKind::ListView(list) => along(&list.source.entity, &[]),
        WidgetKind::Stat(stat) => along(&stat.source.entity, &[]),
        WidgetKind::Reference(reference) => along(&reference.target, std::slice::from_ref(&reference.show)),
        WidgetKind::DataGrid(grid) => {
            along(&grid.source.entity, &[]);
            for column in &grid.columns {
                if let ColumnShow::Path(path) = &column.show {
                    along(&grid.source.entity, path);
                }
            }
        }
        _ => {}
    });
    found.retain(|entity| model.entity(entity).is_some_and(|entity| entity.persistable));
    found
}

/// Whether a widget with this id stands among these, at any depth.
pub(super) fn holds_widget(widgets: &[Widget], id: &str) -> bool {
    let mut found = false;
    each_widget(widgets, &mut |widget| found |= widget.id == id);
    found
}

/// Whether a condition asks only for single values: no list, no tree.
pub(super) fn is_simple(typed: &Typed) -> bool {
    let mut simple = true;
    typed.visit(&mut |node| {
        let many = matches!(
            node.node,
            Node::Many { .. } | Node::Filter(..) | Node::Aggregate(..) | Node::InList(..) | Node::Within { .. }
        );
        simple &= !many;
    });
    simple
}
