//! A selector for the object that a to-one association leads to.

use super::super::source::inside;
use super::input::{in_document, shown, state};
use crate::access::{Cell, Query, Rows};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::model::Reference;
use crate::page::PageError;
use crate::page::show::CellView;
use crate::page::told::Told;
use crate::page::view::{Choice, FieldState, InputNode, Node};
use crate::page::walk::{Field, Scope, This, Walk};

/// At most so many objects are offered.
const MOST_OFFERED: u32 = 500;

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, reference: &Reference, scope: &Scope) -> Result<Option<Node>, PageError> {
    let Some(this) = scope.this.clone() else { return Ok(None) };
    let Some(entity) = walk.model.entity(&this.entity).cloned() else { return Ok(None) };
    let Some(association) = entity.associations.get(&reference.member) else { return Ok(None) };
    let cell = shown(walk, &this, &reference.member, scope)?;
    let text = present(walk, &this, reference, &cell, scope)?;
    let mut state = state(walk, &this, &reference.member, &cell, reference.read_only.as_ref(), scope)?;
    let offered = match state {
        FieldState::Editable if walk.act.is_none() => offered(walk, &reference.target, &reference.show, reference, None)?,
        _ => None,
    };
    if state == FieldState::Editable && walk.act.is_none() && offered.is_none() {
        state = FieldState::Readonly;
    }
    let mut node = InputNode {
        id: in_document(id, scope),
        name: id.to_owned(),
        form: scope.form.clone(),
        label: walk.say(reference.label.as_deref().unwrap_or(&association.label)),
        help: walk.say_some(reference.help.as_deref().or(Some(&association.help))),
        placeholder: None,
        required: association.required,
        error: None,
        control: "select",
        state,
        value: None,
        cell: text.clone(),
        max_length: None,
        min: None,
        max: None,
        step: None,
        rows: None,
        options: None,
        truncated: offered.as_ref().is_some_and(|rows| rows.peek().more),
        conflict: false,
    };
    if state == FieldState::Editable {
        edit(walk, id, &this, reference, association.required, &cell, &text, offered, scope, &mut node);
    }
    Ok(Some(Node::Reference(Box::new(node))))
}

#[expect(clippy::too_many_arguments, reason = "the parts of one field, used once")]
fn edit(
    walk: &mut Walk<'_, '_>,
    id: &str,
    this: &This,
    reference: &Reference,
    required: bool,
    cell: &Told<Cell>,
    text: &Told<CellView>,
    offered: Option<Told<Rows>>,
    scope: &Scope,
    node: &mut InputNode,
) {
    let present = cell.derive(|cell| cell.value().and_then(Value::as_object));
    let original = cell.peek().value().cloned().unwrap_or(Value::Empty);
    let kind = Kind::Object(reference.target.clone());
    let handle = original.as_object().map(|id| walk.context.handles.write(&reference.target, id)).unwrap_or_default();
    let form = walk.context.form;
    let typed = form.and_then(|form| form.typed(id, &kind)).map(str::to_owned);
    node.conflict = typed.is_some() && form.is_some_and(|form| form.conflicts(id, &handle));
    let chosen = match typed {
        Some(handle) => Told::fixed(walk.context.handles.read(&reference.target, &handle)),
        None => present.clone(),
    };
    node.error = walk.error_at(id, this, &reference.member);
    node.value = Some(chosen.derive(|id| id.map(|id| walk.context.handles.write(&reference.target, id)).unwrap_or_default()));
    node.options = offered.map(|rows| {
        let known = chosen.join(present.clone().join(text.clone()));
        rows.join(known)
            .map(|(rows, (chosen, (present, text)))| choices(walk, reference, required, &rows, chosen, present, &text))
    });
    walk.fields.insert(
        id.to_owned(),
        Field {
            form: scope.form.clone(),
            view: scope.view.clone().unwrap_or_default(),
            member: reference.member.clone(),
            kind,
            longest: 10_000,
            text: handle,
            original,
            reference: Some(reference.clone()),
        },
    );
}

/// The shown member of the object it leads to now.
fn present(
    walk: &mut Walk<'_, '_>,
    this: &This,
    reference: &Reference,
    cell: &Told<Cell>,
    scope: &Scope,
) -> Result<Told<CellView>, PageError> {
    let kind = walk.model.entity(&reference.target).and_then(|entity| entity.member_kind(&reference.show)).unwrap_or(Kind::Text);
    let shown = match cell.peek() {
        Cell::Withheld => Told::fixed(Cell::Withheld),
        Cell::Shown(_) => walk.member(this, &[reference.member.clone(), reference.show.clone()], scope)?,
    };
    Ok(shown.map(|cell| walk.speak(|speech| speech.cell(&kind, &cell))))
}

/// The objects that may be chosen, or the one asked about if it is among them; `None` when the
/// reader may see none of that kind.
pub(in crate::page) fn offered(
    walk: &mut Walk<'_, '_>,
    target: &QName,
    show: &Name,
    reference: &Reference,
    only: Option<ObjectId>,
) -> Result<Option<Told<Rows>>, PageError> {
    let Some(permit) = walk.view_permit(target) else { return Ok(None) };
    let path = vec![show.clone()];
    let readable = walk.permits.readable(walk.context, target, &path);
    let mut query = Query::of(target, if readable { vec![path.clone()] } else { Vec::new() });
    query.object = only;
    if let Some(condition) = &reference.condition {
        match inside(walk, condition, &Walk::top())? {
            Some(inside) => query.inside = Some(inside),
            None => return Ok(None),
        }
    }
    query.sort = if readable { vec![(path, false)] } else { Vec::new() };
    query.limit = MOST_OFFERED;
    Ok(Some(walk.context.objects.view(&permit, &query)?.into()))
}

fn choices(
    walk: &Walk<'_, '_>,
    reference: &Reference,
    required: bool,
    rows: &Rows,
    chosen: Option<ObjectId>,
    present: Option<ObjectId>,
    text: &CellView,
) -> Vec<Choice> {
    let kind = walk.model.entity(&reference.target).and_then(|entity| entity.member_kind(&reference.show)).unwrap_or(Kind::Text);
    let label = |cell: Option<&Cell>| match cell {
        Some(Cell::Shown(value)) => walk.speak(|speech| speech.text(&kind, value)),
        _ => walk.say("Withheld"),
    };
    let choice = |id: ObjectId, label: String| Choice {
        value: walk.context.handles.write(&reference.target, id),
        label,
        selected: chosen == Some(id),
    };
    let mut all = Vec::with_capacity(rows.rows.len() + 2);
    if !required || chosen.is_none() {
        all.push(Choice { value: String::new(), label: "–".into(), selected: chosen.is_none() });
    }
    if let Some(id) = present.filter(|id| rows.rows.iter().all(|row| row.id != *id)) {
        let withheld = text.state == crate::page::show::CellState::Withheld;
        all.push(choice(id, if withheld { walk.say("Withheld") } else { text.text.clone() }));
    }
    all.extend(rows.rows.iter().map(|row| choice(row.id, label(row.cells.first()))));
    all
}
