//! How many tables one question joins: the rows of a list, with what its columns show along
//! associations. SQLite joins 64 tables at most.
//!
//! Conditions are not counted: they follow associations by questions inside the question.

use super::super::finding::Severity;
use super::super::types::*;
use super::checker::Checker;
use super::closure::{each_activity, each_widget};
use crate::domain::Name;
use crate::expr::{Node, Root, Template, Typed};
use std::collections::BTreeSet;

/// Associations that one question can follow, beside the table it begins with.
const MOST: usize = 63;

impl Checker<'_> {
    /// Reports what follows more associations at once than the database joins.
    pub fn joins(&mut self) {
        let mut found: Vec<(Place, usize)> = Vec::new();
        for page in self.model.pages.values() {
            each_widget(&page.content, &mut |widget| {
                let mut followed = Followed::from(Root::This);
                match &widget.kind {
                    WidgetKind::DataGrid(grid) => followed.grid(grid),
                    WidgetKind::ListView(list) => {
                        list.source.sort.iter().for_each(|(path, _)| followed.path(path));
                        followed.widgets(&list.content);
                    }
                    WidgetKind::DataView(view) => followed.widgets(&view.content),
                    _ => return,
                }
                found.push((widget.place.clone(), followed.ways.len()));
            });
            for parameter in page.parameters.keys() {
                let mut followed = Followed::from(Root::Variable(parameter.clone()));
                followed.template(&page.title);
                each_widget(&page.content, &mut |widget| {
                    followed.own(widget);
                    if let WidgetKind::DataView(DataView { source: ViewSource::Parameter(name), content, .. }) = &widget.kind
                        && name == parameter
                    {
                        let mut inner = Followed::from(Root::This);
                        inner.widgets(content);
                        followed.ways.extend(inner.ways);
                    }
                });
                found.push((page.place.clone(), followed.ways.len()));
            }
        }
        for flow in self.model.microflows.values() {
            each_activity(&flow.body, &mut |activity| {
                if let ActivityKind::Retrieve { sort, .. } = &activity.kind {
                    let mut followed = Followed::from(Root::This);
                    sort.iter().for_each(|(path, _)| followed.path(path));
                    found.push((activity.place.clone(), followed.ways.len()));
                }
            });
        }
        for (place, count) in found.into_iter().filter(|(_, count)| *count > MOST) {
            let message =
                format!("this follows {count} associations at once; a database joins at most {MOST} to one list or object");
            let hint = "show fewer of them here, or put some into a data view or a list of their own".to_owned();
            self.report(Severity::Error, "joins", &place, 1, message, Some(hint));
        }
    }
}

/// The ways along associations from one root, each with those before it.
struct Followed {
    root: Root,
    ways: BTreeSet<Vec<Name>>,
}

impl Followed {
    fn from(root: Root) -> Self {
        Self { root, ways: BTreeSet::new() }
    }

    /// All but the last step of a path are joined.
    fn path(&mut self, path: &[Name]) {
        for end in 1..path.len() {
            self.ways.insert(path.iter().take(end).cloned().collect());
        }
    }

    fn expression(&mut self, e: &Typed) {
        if let Some(path) = chain(e, &self.root) {
            return self.path(&path);
        }
        let mut inner = Vec::new();
        e.children(&mut |child| inner.push(child));
        inner.into_iter().for_each(|child| self.expression(child));
    }

    fn template(&mut self, template: &Template) {
        template.expressions().for_each(|e| self.expression(e));
    }

    fn open(&mut self, open: Option<&Open>) {
        open.into_iter().flat_map(|open| &open.with).for_each(|(_, e)| self.expression(e));
    }

    fn grid(&mut self, grid: &DataGrid) {
        for column in &grid.columns {
            match &column.show {
                ColumnShow::Path(path) => self.path(path),
                ColumnShow::Text(text) => self.template(text),
                ColumnShow::Badge(e) => self.expression(e),
            }
        }
        grid.search.iter().chain(&grid.filters).for_each(|path| self.path(path));
        grid.source.sort.iter().for_each(|(path, _)| self.path(path));
        self.open(grid.opens.as_ref());
        self.widgets(&grid.row_buttons);
    }

    /// Widgets that stand where the root is in reach; those with an object of their own are asked apart.
    fn widgets(&mut self, widgets: &[Widget]) {
        for widget in widgets {
            self.own(widget);
            match &widget.kind {
                WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => self.widgets(content),
                WidgetKind::Columns(columns) => columns.iter().for_each(|(_, content)| self.widgets(content)),
                WidgetKind::Tabs(tabs) => tabs.iter().for_each(|(_, content)| self.widgets(content)),
                _ => {}
            }
        }
    }

    /// What a widget itself shows.
    fn own(&mut self, widget: &Widget) {
        widget.visible.iter().for_each(|e| self.expression(e));
        match &widget.kind {
            WidgetKind::Container { title: Some(text), .. }
            | WidgetKind::Heading { text, .. }
            | WidgetKind::Alert { text, .. }
            | WidgetKind::Text { value: text, .. } => self.template(text),
            WidgetKind::Badge { value } => self.expression(value),
            WidgetKind::Input(input) => input.read_only.iter().for_each(|e| self.expression(e)),
            WidgetKind::Reference(reference) => {
                reference.read_only.iter().for_each(|e| self.expression(e));
                if self.root == Root::This {
                    self.path(&[reference.member.clone(), reference.show.clone()]);
                }
            }
            WidgetKind::Stat(stat) => self.open(stat.opens.as_ref()),
            WidgetKind::Button(button) => {
                self.template(&button.caption);
                match &button.action {
                    Action::Open(open) => self.open(Some(open)),
                    Action::Run { with, .. } => with.iter().for_each(|(_, e)| self.expression(e)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// The members of `root.a.b.c`; `None` when the expression is something else.
fn chain(e: &Typed, root: &Root) -> Option<Vec<Name>> {
    let Node::Member { of, name, .. } = &e.node else { return None };
    let mut path = match &of.node {
        Node::Root(found) if found == root => Vec::new(),
        _ => chain(of, root)?,
    };
    path.push(name.clone());
    Some(path)
}
