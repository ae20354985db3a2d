//! An input for an attribute: editable, read-only, or withheld.

use crate::access::Cell;
use crate::domain::{Kind, Name, Value};
use crate::model::{Attribute, AttributeKind, Input};
use crate::page::PageError;
use crate::page::show::field_text;
use crate::page::told::Told;
use crate::page::view::{Choice, FieldState, InputNode, Node};
use crate::page::walk::{Field, Life, Scope, This, Walk};

/// Texts without a limit of their own still end somewhere.
const LONGEST_TEXT: u32 = 100_000;

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, input: &Input, scope: &Scope) -> Result<Option<Node>, PageError> {
    let Some(this) = scope.this.clone() else { return Ok(None) };
    let Some(entity) = walk.model.entity(&this.entity).cloned() else { return Ok(None) };
    let Some(attribute) = entity.attributes.get(&input.member) else { return Ok(None) };
    let kind = attribute.kind();
    let cell = shown(walk, &this, &input.member, scope)?;
    let mut state = state(walk, &this, &input.member, &cell, input.read_only.as_ref(), scope)?;
    let allowed = allowed(walk, &this, attribute, &cell, scope, &mut state)?;
    let mut node = InputNode {
        id: in_document(id, scope),
        name: id.to_owned(),
        form: scope.form.clone(),
        label: walk.say(input.label.as_deref().unwrap_or(&attribute.label)),
        help: walk.say_some(input.help.as_deref().or(Some(&attribute.help))),
        placeholder: walk.say_some(input.placeholder.as_deref()),
        required: attribute.required,
        error: None,
        control: control(attribute),
        state,
        value: None,
        cell: cell.derive(|cell| walk.speak(|speech| speech.cell(&kind, cell))),
        max_length: longest(attribute),
        min: attribute.min.as_ref().map(field_text),
        max: attribute.max.as_ref().map(field_text),
        step: step(attribute),
        rows: (attribute.kind == AttributeKind::Text).then_some(input.rows),
        options: None,
        truncated: false,
        conflict: false,
    };
    if state == FieldState::Editable {
        edit(walk, id, &this, attribute, &cell, scope, &mut node);
        if let (Some(allowed), Some(options)) = (allowed, node.options.take()) {
            let fits = |choice: &Choice| choice.selected || allowed.iter().any(|value| field_text(value) == choice.value);
            node.options = Some(options.map(|all| all.into_iter().filter(fits).collect()));
        }
    }
    Ok(Some(Node::Input(Box::new(node))))
}

/// Of a member with few values: those that the changed object could have. A field that could only stay as it is, is no
/// field.
fn allowed(
    walk: &mut Walk<'_, '_>,
    this: &This,
    attribute: &Attribute,
    cell: &Told<Cell>,
    scope: &Scope,
    state: &mut FieldState,
) -> Result<Option<Vec<Value>>, PageError> {
    let values: Vec<Value> = match &attribute.kind {
        AttributeKind::Boolean => vec![Value::Boolean(false), Value::Boolean(true)],
        AttributeKind::Enumeration(name) => {
            let known = walk.model.enumerations.get(name).into_iter().flat_map(|found| found.values.keys());
            let empty = (!attribute.required).then_some(Value::Empty);
            known.map(|name| Value::text(name.as_str())).chain(empty).collect()
        }
        _ => return Ok(None),
    };
    let Some(present) = cell.peek().value().cloned().filter(|_| *state == FieldState::Editable) else { return Ok(None) };
    if walk.is_unguarded() {
        return Ok(None);
    }
    let could = walk.could_become(this, &attribute.name, &present, values, scope)?;
    if could.iter().all(|value| *value == present) {
        *state = FieldState::Readonly;
    }
    Ok(Some(could))
}

/// Makes the field of an editable input, and offers it.
fn edit(
    walk: &mut Walk<'_, '_>,
    id: &str,
    this: &This,
    attribute: &Attribute,
    cell: &Told<Cell>,
    scope: &Scope,
    node: &mut InputNode,
) {
    let present = cell.derive(|cell| cell.value().map(field_text).unwrap_or_default());
    let form = walk.context.form;
    let typed = form.and_then(|form| form.typed(id, &attribute.kind())).map(str::to_owned);
    node.conflict = typed.is_some() && form.is_some_and(|form| form.conflicts(id, present.peek()));
    let value = typed.map_or_else(|| present.clone(), Told::fixed);
    if let AttributeKind::Enumeration(name) = &attribute.kind {
        node.options = Some(choices(walk, name, &value, attribute.required));
    }
    node.error = walk.error_at(id, this, &attribute.name);
    node.value = Some(value);
    walk.fields.insert(
        id.to_owned(),
        Field {
            form: scope.form.clone(),
            view: scope.view.clone().unwrap_or_default(),
            member: attribute.name.clone(),
            kind: attribute.kind(),
            longest: longest(attribute).unwrap_or(LONGEST_TEXT),
            text: present.peek().clone(),
            original: cell.peek().value().cloned().unwrap_or(Value::Empty),
            reference: None,
        },
    );
}

/// The member as the reader may have it; one that no rule lets them read is not even asked for.
pub(super) fn shown(walk: &mut Walk<'_, '_>, this: &This, member: &Name, scope: &Scope) -> Result<Told<Cell>, PageError> {
    if !walk.view_permit(&this.entity).is_some_and(|permit| permit.may_read(member)) {
        return Ok(Told::fixed(Cell::Withheld));
    }
    walk.member(this, std::slice::from_ref(member), scope)
}

/// Whether the caller could write a member of this very object (see [`Walk::could`]).
pub(super) fn writable(walk: &mut Walk<'_, '_>, this: &This, member: &Name, scope: &Scope) -> Result<bool, PageError> {
    let kept = walk.model.entity(&this.entity).is_none_or(|entity| entity.server_kept(member));
    let granted = match this.life {
        Life::New => walk.authority().create(&this.entity, [member]).is_ok(),
        _ => walk.authority().change(&this.entity, [member]).is_ok(),
    };
    if kept || !granted || (this.life == Life::New && !walk.is_open(this, member)) {
        return Ok(false);
    }
    walk.could(this, |rule| rule.write.contains(member), scope)
}

/// What the caller can do with a member here.
pub(super) fn state(
    walk: &mut Walk<'_, '_>,
    this: &This,
    member: &Name,
    cell: &Told<Cell>,
    read_only: Option<&crate::expr::Typed>,
    scope: &Scope,
) -> Result<FieldState, PageError> {
    if walk.is_unguarded() && !scope.read_only && scope.row.is_none() && scope.view.is_some() {
        return Ok(FieldState::Editable);
    }
    if *cell.peek() == Cell::Withheld {
        return Ok(FieldState::Withheld);
    }
    if scope.read_only || scope.row.is_some() || scope.view.is_none() || !writable(walk, this, member, scope)? {
        return Ok(FieldState::Readonly);
    }
    // A condition that cannot be decided leaves the field closed.
    let closed = match read_only {
        Some(condition) => walk.value(condition, scope)?.peek().as_ref().map_or(true, Value::holds),
        None => false,
    };
    Ok(if closed { FieldState::Readonly } else { FieldState::Editable })
}

/// Ids in rows are told apart.
pub(super) fn in_document(id: &str, scope: &Scope) -> String {
    scope.row.as_ref().map_or_else(|| id.to_owned(), |(number, _)| format!("{id}-{number}"))
}

fn control(attribute: &Attribute) -> &'static str {
    match &attribute.kind {
        AttributeKind::String(_) if attribute.email => "email",
        AttributeKind::String(_) => "text",
        AttributeKind::Text => "textarea",
        AttributeKind::Integer | AttributeKind::Autonumber => "integer",
        AttributeKind::Decimal(_) => "decimal",
        AttributeKind::Boolean => "checkbox",
        AttributeKind::Date => "date",
        AttributeKind::DateTime => "datetime",
        AttributeKind::Enumeration(_) => "select",
    }
}

fn longest(attribute: &Attribute) -> Option<u32> {
    match attribute.kind {
        AttributeKind::String(length) => Some(length),
        _ => None,
    }
}

fn step(attribute: &Attribute) -> Option<String> {
    match attribute.kind() {
        Kind::Number(number) if number.scale == 0 => Some("1".into()),
        Kind::Number(number) => Some(format!("0.{}1", "0".repeat(number.scale.saturating_sub(1) as usize))),
        _ => None,
    }
}

fn choices(walk: &Walk<'_, '_>, name: &crate::domain::QName, value: &Told<String>, required: bool) -> Told<Vec<Choice>> {
    value.derive(|value| {
        let nothing = Choice { value: String::new(), label: "–".into(), selected: value.is_empty() };
        let mut all: Vec<Choice> = (!required || value.is_empty()).then_some(nothing).into_iter().collect();
        let values = walk.model.enumerations.get(name).into_iter().flat_map(|found| &found.values);
        all.extend(values.map(|(name, shown)| Choice {
            value: name.to_string(),
            label: walk.say(&shown.caption),
            selected: name.as_str() == value,
        }));
        all
    })
}
