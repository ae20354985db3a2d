//! One object; the widgets inside have it as `this`. The outermost data view is a form.

use super::super::paths::Wanted;
use super::super::told::Told;
use super::input::{shown, state};
use crate::access::Cell;
use crate::domain::{Name, QName, Value};
use crate::expr::{Root, Typed, evaluate};
use crate::model::{DataView, ViewSource, Widget, WidgetKind};
use crate::page::PageError;
use crate::page::view::{DataState, DataViewNode, FieldState, Node};
use crate::page::walk::{Bound, Life, Scope, This, Walk, fields};
use std::collections::{BTreeMap, BTreeSet};

/// What a data view shows.
#[derive(Clone, Debug)]
pub(in crate::page) enum Found {
    Object(This, BTreeMap<Name, Value>),
    Nothing,
    NotForYou,
}

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, view: &DataView, scope: &Scope) -> Result<Node, PageError> {
    let mut node = DataViewNode {
        id: id.to_owned(),
        state: DataState::Nothing,
        read_only: view.read_only,
        mark: None,
        children: Vec::new(),
    };
    if scope.view.is_none() && walk.skips(&view.content) {
        return Ok(Node::DataView(node));
    }
    let (this, set) = match found(walk, id, view, scope)? {
        Found::Object(this, set) => (this, set),
        Found::Nothing => return Ok(Node::DataView(node)),
        Found::NotForYou => {
            node.state = DataState::NotForYou;
            node.mark = walk.mark_closed(&view.entity);
            return Ok(Node::DataView(node));
        }
    };
    let mut inner = inner(id, view, &this, scope);
    inner.saves = scope.saves || (!inner.read_only && (this.life == Life::New || writes(walk, &view.content, &inner)?));
    let (form, read_only) = (inner.form.clone(), inner.read_only);
    node.mark = walk.mark_object(&this, scope)?;
    if scope.row.is_none() {
        walk.bind(Bound { view: id.to_owned(), form, this, set });
    }
    node.children = walk.widgets(&view.content, &inner)?;
    node.state = DataState::Shown;
    node.read_only = read_only;
    Ok(Node::DataView(node))
}

/// In a row: the objects between it and a data view.
fn around(scope: &Scope) -> Vec<This> {
    let own = scope.this.iter().filter(|_| scope.row.is_some());
    scope.around.iter().chain(own).cloned().collect()
}

/// The place of a data view's content.
fn inner(id: &str, view: &DataView, this: &This, scope: &Scope) -> Scope {
    Scope {
        this: Some(this.clone()),
        view: Some(id.to_owned()),
        form: if scope.view.is_none() && scope.row.is_none() { format!("f-{id}") } else { scope.form.clone() },
        row: scope.row.clone(),
        read_only: scope.read_only || view.read_only,
        saves: scope.saves,
        around: around(scope),
    }
}

/// What a data view shows; outside of rows it is looked for once.
fn found(walk: &mut Walk<'_, '_>, id: &str, view: &DataView, scope: &Scope) -> Result<Found, PageError> {
    if let Some(known) = walk.found.get(id).filter(|_| scope.row.is_none()) {
        return Ok(known.clone());
    }
    let found = find(walk, view, scope)?;
    if scope.row.is_none() {
        walk.found.insert(id.to_owned(), found.clone());
    }
    Ok(found)
}

fn find(walk: &mut Walk<'_, '_>, view: &DataView, scope: &Scope) -> Result<Found, PageError> {
    match &view.source {
        ViewSource::Parameter(name) => Ok(match walk.argument(name) {
            Some((id, life)) => Found::Object(This { entity: view.entity.clone(), id, life }, BTreeMap::new()),
            None => Found::Nothing,
        }),
        ViewSource::Association(name) => associated(walk, view, name, scope),
        ViewSource::New(set) => {
            let created = walk.authority().create(&view.entity, []).is_ok();
            if created { fresh(walk, view, set, scope) } else { Ok(Found::NotForYou) }
        }
    }
}

/// The object along a to-one association of the surrounding one, read through the reader's grants.
fn associated(walk: &mut Walk<'_, '_>, view: &DataView, name: &Name, scope: &Scope) -> Result<Found, PageError> {
    let Some(outer) = &scope.this else { return Ok(Found::Nothing) };
    let cell = walk.member(outer, std::slice::from_ref(name), scope)?;
    let id = match cell.peek() {
        Cell::Withheld => return Ok(Found::NotForYou),
        Cell::Shown(value) => value.as_object(),
    };
    let (Some(id), Some(permit)) = (id, walk.view_permit(&view.entity)) else {
        return Ok(if id.is_some() { Found::NotForYou } else { Found::Nothing });
    };
    let mut wanted = Wanted::from(Root::This);
    wanted.widgets(&view.content);
    let written = !view.read_only && !scope.read_only;
    let life = walk.object(&permit, &view.entity, id, wanted, written)?;
    Ok(life.map_or(Found::NotForYou, |life| Found::Object(This { entity: view.entity.clone(), id, life }, BTreeMap::new())))
}

/// A new object: defaults of its members, then what the page sets. Nothing is stored.
fn fresh(walk: &mut Walk<'_, '_>, view: &DataView, set: &[(Name, Typed)], scope: &Scope) -> Result<Found, PageError> {
    let Some(entity) = walk.model.entity(&view.entity).cloned() else { return Ok(Found::Nothing) };
    let id = walk.fresh_key();
    let mut values: Told<BTreeMap<Name, Value>> =
        Told::fixed(entity.members().map(|name| (name.clone(), Value::Empty)).collect());
    let booleans = entity.attributes.values().filter(|a| a.kind == crate::model::AttributeKind::Boolean);
    let booleans: Vec<Name> = booleans.map(|attribute| attribute.name.clone()).collect();
    values = values.map(|mut all| {
        all.extend(booleans.into_iter().map(|name| (name, Value::Boolean(false))));
        all
    });
    let defaults = entity.attributes.values().filter_map(|a| Some((&a.name, a.default.as_ref()?)));
    let links = entity.associations.values().filter_map(|a| Some((&a.name, a.default.as_ref()?)));
    let set_names: Vec<&Name> = set.iter().map(|(name, _)| name).collect();
    let mut first = BTreeMap::new();
    for (name, typed) in defaults.chain(links).chain(set.iter().map(|(name, typed)| (name, typed))) {
        let value = walk.tell(scope, |reading, environment| evaluate(typed, environment, reading))?;
        // A value that the caller may not know cannot be put into an object of theirs.
        let Ok(known) = value.peek().clone() else {
            if set_names.contains(&name) {
                return Ok(Found::NotForYou);
            }
            continue;
        };
        // What cannot be computed is shown as such, and never sent along to be stored.
        if set_names.contains(&name) && known != Value::Uncomputable {
            first.insert(name.clone(), known);
        }
        values = values.join(value).map(|(mut all, value)| {
            all.insert(name.clone(), value.unwrap_or(Value::Empty));
            all
        });
    }
    walk.assume(&view.entity, id, &values);
    calculate(walk, &view.entity, id, scope)?;
    let this = This { entity: view.entity.clone(), id, life: Life::New };
    let mut given = BTreeSet::new();
    if !view.read_only && !scope.read_only {
        fields(&view.content, &mut given);
    }
    let could = walk.settle_new(&this, given, &first, scope)?;
    Ok(if could || walk.is_unguarded() { Found::Object(this, first) } else { Found::NotForYou })
}

/// Calculated members of an object that no store knows yet.
fn calculate(walk: &mut Walk<'_, '_>, entity: &QName, id: crate::domain::ObjectId, scope: &Scope) -> Result<(), PageError> {
    let Some(found) = walk.model.entity(entity).cloned() else { return Ok(()) };
    let this = This { entity: entity.clone(), id, life: Life::New };
    let inner = Scope { this: Some(this), ..scope.clone() };
    for (name, typed) in found.attributes.values().filter_map(|a| Some((&a.name, a.calculated.as_deref()?))) {
        let value = walk.value(typed, &inner)?;
        let known = value.map(|value| BTreeMap::from([(name.clone(), value.unwrap_or(Value::Empty))]));
        walk.assume(entity, id, &known);
    }
    Ok(())
}

/// Whether any field among these is open to the caller.
fn writes(walk: &mut Walk<'_, '_>, widgets: &[Widget], scope: &Scope) -> Result<bool, PageError> {
    for widget in widgets {
        if walk.visible(widget, scope)? && one_writes(walk, widget, scope)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn one_writes(walk: &mut Walk<'_, '_>, widget: &Widget, scope: &Scope) -> Result<bool, PageError> {
    match &widget.kind {
        WidgetKind::Input(input) => opens(walk, &input.member, input.read_only.as_ref(), scope),
        WidgetKind::Reference(reference) => opens(walk, &reference.member, reference.read_only.as_ref(), scope),
        WidgetKind::Container { content, .. } | WidgetKind::Snippet { content, .. } => writes(walk, content, scope),
        WidgetKind::Columns(columns) => any(walk, columns.iter().map(|(_, content)| content), scope),
        WidgetKind::Tabs(tabs) => any(walk, tabs.iter().map(|(_, content)| content), scope),
        WidgetKind::DataView(view) if !view.read_only => match found(walk, &widget.id, view, scope)? {
            Found::Object(this, _) => {
                let new = this.life == Life::New;
                Ok(new || writes(walk, &view.content, &inner(&widget.id, view, &this, scope))?)
            }
            _ => Ok(false),
        },
        _ => Ok(false),
    }
}

fn opens(walk: &mut Walk<'_, '_>, member: &Name, read_only: Option<&Typed>, scope: &Scope) -> Result<bool, PageError> {
    let Some(this) = scope.this.clone() else { return Ok(false) };
    let cell = shown(walk, &this, member, scope)?;
    Ok(state(walk, &this, member, &cell, read_only, scope)? == FieldState::Editable)
}

fn any<'w>(walk: &mut Walk<'_, '_>, parts: impl Iterator<Item = &'w Vec<Widget>>, scope: &Scope) -> Result<bool, PageError> {
    for content in parts {
        if writes(walk, content, scope)? {
            return Ok(true);
        }
    }
    Ok(false)
}
