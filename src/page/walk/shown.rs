//! What a button acts on, as the page shows it now.
//!
//! A button acts on objects: the one that it stands at, and those that its microflow is given, with all that leads to
//! them. Which objects these are, and the version of each, is put into a digest when the page is drawn, and again when
//! the button is used. Two that differ mean that somebody changed something in between, or that other objects are
//! there now. Not counted: scalar values (their objects are), objects that the reader does not see, and lists that a
//! row's button would give to its flow (a row shows none).

use super::super::context::digest;
use super::{Life, Scope, This, Walk};
use crate::access::{Inside, Query};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Node, Root, Typed};
use crate::model::{Action, Widget, WidgetKind};
use crate::page::PageError;
use std::collections::{BTreeMap, BTreeSet};

type Object = (QName, ObjectId);

/// Versions are asked for so many objects at a time.
const MOST_AT_ONCE: usize = 500;

impl Walk<'_, '_> {
    /// A digest of what an action acts on; empty when it acts on nothing that is stored, or on whatever it has become.
    pub(in crate::page) fn shown(&mut self, action: &Action, scope: &Scope) -> Result<String, PageError> {
        let with: Vec<&Typed> = match action {
            Action::Delete => Vec::new(),
            Action::Run { microflow, .. } if self.takes_any_version(microflow) => return Ok(String::new()),
            Action::Run { with, .. } => with.iter().map(|(_, typed)| typed).collect(),
            _ => return Ok(String::new()),
        };
        let mut found: BTreeMap<Object, Option<i64>> = BTreeMap::new();
        for this in scope.around.iter().chain(&scope.this) {
            if let Life::Stored(version) = this.life {
                found.insert((this.entity.clone(), this.id), Some(version));
            }
        }
        let others = self.reached(&with, scope)?;
        self.learn_versions(others.iter().filter(|object| !found.contains_key(*object)).cloned())?;
        for object in others {
            let version = self.versions.get(&object).copied().flatten();
            found.entry(object).or_insert(version);
        }
        let one = |((entity, id), version): (&Object, &Option<i64>)| format!("{entity}#{}@{}", id.0, version.unwrap_or(0));
        let all: Vec<String> = found.iter().map(one).collect();
        Ok(if all.is_empty() { String::new() } else { digest(&all.join(" ")) })
    }

    /// Whether a microflow may be run with objects that were changed since they were shown.
    pub(in crate::page) fn takes_any_version(&self, microflow: &QName) -> bool {
        self.model.microflows.get(microflow).is_some_and(|flow| flow.any_version)
    }

    /// Seals what a row's button is drawn over, for this page, this button and this row.
    pub(in crate::page) fn seal_row(&self, button: &str, row: &str, shown: &str) -> String {
        self.context.handles.seal_shown(&self.about_row(button, row), shown)
    }
    /// Opens it again.
    pub(in crate::page) fn open_row(&self, button: &str, row: &str, sealed: &str) -> Option<String> {
        self.context.handles.open_shown(&self.about_row(button, row), sealed)
    }
    fn about_row(&self, button: &str, row: &str) -> String {
        format!("{}\n{button}\n{row}", self.page.name)
    }

    /// Learns the versions of what the buttons of all rows act on beside their row: one question per entity.
    pub(in crate::page) fn foresee(&mut self, widgets: &[Widget], rows: &[This], scope: &Scope) -> Result<(), PageError> {
        let mut given = Vec::new();
        self.given(widgets, &mut given);
        if given.is_empty() {
            return Ok(());
        }
        let mut all = BTreeSet::new();
        for this in rows {
            all.extend(self.reached(&given, &scope.row(this.clone(), 0, String::new()))?);
        }
        self.learn_versions(all.into_iter())
    }

    /// What the buttons at an object, but not those at others within it, give to their flows beyond the object itself.
    fn given<'w>(&self, widgets: &'w [Widget], out: &mut Vec<&'w Typed>) {
        for widget in widgets {
            match &widget.kind {
                WidgetKind::Button(button) => {
                    if let Action::Run { microflow, with } = &button.action
                        && !self.takes_any_version(microflow)
                    {
                        let plain = |typed: &Typed| matches!(typed.node, Node::Root(_) | Node::Literal(_));
                        out.extend(with.iter().map(|(_, typed)| typed).filter(|typed| !plain(typed)));
                    }
                }
                WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => self.given(content, out),
                WidgetKind::Columns(columns) => columns.iter().for_each(|(_, content)| self.given(content, out)),
                WidgetKind::Tabs(tabs) => tabs.iter().for_each(|(_, content)| self.given(content, out)),
                _ => {}
            }
        }
    }

    /// The stored objects that arguments are, or that lead to them.
    fn reached(&mut self, with: &[&Typed], scope: &Scope) -> Result<BTreeSet<Object>, PageError> {
        let mut parts = Vec::new();
        with.iter().for_each(|typed| leads(typed, scope.row.is_none(), &mut parts));
        let mut found = BTreeSet::new();
        for part in parts {
            let (Kind::Object(entity) | Kind::List(entity)) = &part.kind else { continue };
            if !self.model.entity(entity).is_some_and(|entity| entity.persistable) {
                continue;
            }
            let ids = match self.value(part, scope)?.peek() {
                Ok(Value::Object(id)) => vec![*id],
                Ok(Value::List(ids)) => ids.clone(),
                _ => continue,
            };
            found.extend(ids.into_iter().filter(|id| id.0 > 0).map(|id| (entity.clone(), id)));
        }
        Ok(found)
    }

    /// Learns the versions of objects as the reader sees them.
    fn learn_versions(&mut self, objects: impl Iterator<Item = Object>) -> Result<(), PageError> {
        let mut wanted: BTreeMap<QName, Vec<ObjectId>> = BTreeMap::new();
        for (entity, id) in objects {
            if !self.versions.contains_key(&(entity.clone(), id)) {
                let known = self.parameter_version(&entity, id);
                self.versions.insert((entity.clone(), id), known);
                if known.is_none() {
                    wanted.entry(entity).or_default().push(id);
                }
            }
        }
        // Visitors reach nothing that is stored.
        if self.context.reader.user.is_none() {
            return Ok(());
        }
        for (entity, ids) in wanted {
            let Some(permit) = self.view_permit(&entity) else { continue };
            for ids in ids.chunks(MOST_AT_ONCE) {
                let mut query = Query::of(&entity, Vec::new());
                query.inside = Some(Inside::one_of(&entity, ids));
                query.limit = MOST_AT_ONCE as u32;
                let rows = self.context.objects.view(&permit, &query)?;
                for row in &rows.peek().rows {
                    self.versions.insert((entity.clone(), row.id), Some(row.version));
                }
            }
        }
        Ok(())
    }

    /// The version of an object that is a parameter of the page.
    fn parameter_version(&self, entity: &QName, id: ObjectId) -> Option<i64> {
        let same = |name: &Name| self.page.parameters.get(name) == Some(entity) && self.context.arguments.get(name) == Some(&id);
        self.parameters.iter().filter(|(name, _)| same(name)).find_map(|(_, life)| match life {
            Life::Stored(version) => Some(*version),
            _ => None,
        })
    }
}

/// The parts of an expression that are objects, or lists of them where those count.
fn leads<'t>(typed: &'t Typed, lists: bool, out: &mut Vec<&'t Typed>) {
    let many = matches!(typed.kind, Kind::List(_));
    match &typed.node {
        // Who the caller is was not shown, and is read anew.
        Node::Root(Root::User | Root::Item) | Node::Literal(_) => return,
        Node::Many { .. } | Node::Filter(..) | Node::Aggregate(..) if !lists => return,
        _ => {}
    }
    if many || matches!(typed.kind, Kind::Object(_)) {
        out.push(typed);
    }
    match &typed.node {
        // What a list is narrowed by is asked of its elements.
        Node::Filter(list, _) | Node::Aggregate(_, list, _) => leads(list, lists, out),
        _ => typed.children(&mut |child| leads(child, lists, out)),
    }
}
