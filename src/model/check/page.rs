//! Pages: titles, contents, and which members they use.

use super::super::source::{self, At, Text};
use super::super::types::*;
use super::checker::{Checker, Context, Here, Sources, Use};
use crate::domain::{Kind, Member, Name, QName};
use crate::expr::{Node, Root, Template, Typed};
use std::sync::Arc;

/// Where in a page the check is.
#[derive(Clone)]
pub(super) struct Spot {
    pub page: QName,
    pub here: Here,
    pub context: Context,
    /// Visibility conditions around this place.
    pub guards: Vec<Typed>,
    /// The data view around this place can be saved.
    pub form: Option<Form>,
    /// Snippets around this place.
    pub depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    New,
    Existing,
}

impl Checker<'_> {
    /// Titles and contents of all pages.
    pub fn pages(&mut self, sources: &Sources) {
        for (here, name, source) in &sources.pages {
            let Some(page) = self.model.pages.get(name).cloned() else { continue };
            let variables = page.parameters.iter().map(|(name, entity)| (name.clone(), Kind::Object(entity.clone()))).collect();
            let spot = Spot {
                page: name.clone(),
                here: here.clone(),
                context: Context { this: None, variables },
                guards: Vec::new(),
                form: None,
                depth: 0,
            };
            let mut built = (*page).clone();
            built.title = self.page_template(&spot, &source.title).unwrap_or_default();
            let mut number = 0;
            built.content = self.widgets(&spot, &mut number, &source.content, sources);
            self.model.pages.insert(name.clone(), Arc::new(built));
        }
        for (here, source) in sources.snippets.values() {
            if source.content.is_empty() {
                let at = At { value: String::new(), line: 1, column: 1 };
                self.warn(here, &at, "empty", "this snippet has no content", None);
            }
        }
    }

    // ---- expressions that a page shows: their members must be readable by whoever opens it ----

    pub fn page_expression(&mut self, spot: &Spot, at: &Text, expected: Option<&Kind>) -> Option<Typed> {
        let typed = self.typed(&spot.here, at, &spot.context, expected)?;
        self.page_use(spot, at, &typed);
        Some(typed)
    }
    pub fn page_template(&mut self, spot: &Spot, at: &Text) -> Option<Template> {
        let template = self.template(&spot.here, at, &spot.context)?;
        for expression in template.expressions() {
            self.page_use(spot, at, expression);
        }
        Some(template)
    }
    pub fn page_texts(&mut self, spot: &Spot, at: Option<&Text>) -> Option<Template> {
        at.and_then(|at| self.page_template(spot, at))
    }

    /// Notes every member in an expression as used by the page.
    fn page_use(&mut self, spot: &Spot, at: &Text, typed: &Typed) {
        let mut uses = Vec::new();
        let mut refused = None;
        let model = &self.model;
        typed.visit(&mut |node| match &node.node {
            Node::Member { of, entity, name, .. } => {
                // The first step from `user` says only who the caller is; what lies beyond is read like anything else.
                let own_link = matches!(of.node, Node::Root(Root::User));
                if own_link && matches!(node.kind, Kind::Boolean) {
                    refused.get_or_insert("a page shows of `user` only user.name, user.email and what an association leads to");
                } else if !own_link {
                    uses.extend(own_member(model, entity, name));
                }
            }
            Node::Many { .. } | Node::Within { .. } | Node::Filter(..) | Node::Aggregate(..) => {
                refused.get_or_insert("a page shows single values; use a list, a grid or a stat for several objects");
            }
            _ => {}
        });
        if let Some(message) = refused {
            self.error(&spot.here, at, "page-expression", message, None);
        }
        for member in uses {
            self.member_use(spot, at, member);
        }
    }

    pub fn member_use(&mut self, spot: &Spot, at: &Text, member: Member) {
        let place = spot.here.place(at);
        let length = at.value.chars().count();
        self.uses.push(Use { page: spot.page.clone(), member, place, length, guards: spot.guards.clone() });
    }

    /// Notes each step of a path as used.
    pub fn path_use(&mut self, spot: &Spot, at: &Text, entity: &QName, path: &Path) {
        let mut at_entity = entity.clone();
        for name in path {
            if let Some(member) = own_member(&self.model, &at_entity, name) {
                self.member_use(spot, at, member);
            }
            let Some(found) = self.model.entities.get(&at_entity) else { return };
            let own = found.associations.get(name).map(|a| a.target.clone());
            match own.or_else(|| found.inverses.get(name).map(|i| i.owner.clone())) {
                Some(next) => at_entity = next,
                None => return,
            }
        }
    }

    /// A list source; its constraint is the model's, so it needs no right of the reader.
    pub fn list_source(&mut self, spot: &Spot, source: &At<source::ListSource>) -> Option<ListSource> {
        let here = &spot.here;
        let written = &source.value;
        let (from, entity) = match (&written.entity, &written.association, &written.snapshot) {
            (Some(at), None, None) => {
                let entity = self.entity(here, at)?;
                if !entity.persistable {
                    self.error(
                        here,
                        at,
                        "source",
                        format!("{} is not stored; show a snapshot of it, or a data view", entity.name),
                        None,
                    );
                    return None;
                }
                (ListFrom::Entity, entity.name.clone())
            }
            (None, Some(at), None) => {
                let surrounding = spot.context.this.as_ref().and_then(|name| self.model.entities.get(name).cloned());
                let Some(surrounding) = surrounding else {
                    self.error(
                        here,
                        at,
                        "source",
                        "an association needs an object around it",
                        Some("put this into a data view".into()),
                    );
                    return None;
                };
                let (entity, many) = self.along(here, &surrounding, at)?;
                if !many {
                    self.error(here, at, "source", format!("`{}` leads to one object; show it in a data view", at.value), None);
                    return None;
                }
                if let Some(member) = own_member(&self.model, &surrounding.name, &Name::new(&at.value)) {
                    self.member_use(spot, at, member);
                }
                (ListFrom::Association(Name::new(&at.value)), entity)
            }
            (None, None, Some(at)) => {
                let name = here.resolve(&at.value);
                let Some(snapshot) = self.model.snapshots.get(&name).cloned() else {
                    let names: Vec<String> = self.model.snapshots.keys().map(|n| here.short(n)).collect();
                    self.unknown(here, at, "snapshot", names.iter().map(String::as_str));
                    return None;
                };
                if let Some(condition) = &written.condition {
                    self.error(here, condition, "source", "a snapshot is shown as it was published", None);
                }
                (ListFrom::Snapshot(name), snapshot.entity)
            }
            _ => {
                let at = At { value: "source".to_owned(), line: source.line, column: source.column };
                self.error(here, &at, "source", "a list's source is one of `entity`, `association`, `snapshot`", None);
                return None;
            }
        };
        let inner = spot.context.with_this(&entity);
        let condition = match &written.condition {
            Some(at) => Some(self.row_condition(here, at, &inner)?),
            None => None,
        };
        let sort = self.sort(here, &entity, &written.sort);
        for ((path, _), at) in sort.iter().zip(&written.sort) {
            self.path_use(spot, at, &entity, path);
        }
        Some(ListSource { from, entity, condition, sort })
    }

    /// A page to open from a page; the objects it passes are read there.
    pub fn page_open(&mut self, spot: &Spot, open: &source::Open) -> Option<Open> {
        let built = self.open(&spot.here, open, &spot.context)?;
        for (_, typed) in &built.with {
            self.page_use(spot, &open.page, typed);
        }
        Some(built)
    }
}

impl Spot {
    pub fn inside(&self, entity: &QName) -> Self {
        Self { context: self.context.with_this(entity), ..self.clone() }
    }
    pub fn guarded(&self, guard: Option<&Typed>) -> Self {
        let mut inner = self.clone();
        inner.guards.extend(guard.cloned());
        inner
    }
}

/// The member whose right covers a step: the step's own member, or the owning side of an inverse.
fn own_member(model: &Model, entity: &QName, name: &Name) -> Option<Member> {
    let found = model.entities.get(entity)?;
    if found.has_member(name) {
        return Some(Member { entity: entity.clone(), name: name.clone() });
    }
    let inverse = found.inverses.get(name)?;
    Some(Member { entity: inverse.owner.clone(), name: inverse.association.clone() })
}
