//! A figure over exactly the rows and values that the reader may see.

use super::super::source::Source;
use crate::access::Cell;
use crate::domain::{Decimal, Kind, Value};
use crate::model::Stat;
use crate::page::PageError;
use crate::page::show::{CellView, Speech};
use crate::page::told::Told;
use crate::page::view::{Node, StatNode};
use crate::page::walk::{Scope, Walk};

pub(super) fn node(walk: &mut Walk<'_, '_>, id: &str, stat: &Stat, scope: &Scope) -> Result<Node, PageError> {
    let kind = match &stat.sum {
        None => Kind::INTEGER,
        Some(member) => {
            walk.model.entity(&stat.source.entity).and_then(|entity| entity.member_kind(member)).unwrap_or(Kind::INTEGER)
        }
    };
    let figure = if walk.act.is_some() { None } else { figure(walk, stat, scope)? };
    let cell = match figure {
        Some(cell) => cell.map(|cell| walk.speak(|speech| said(speech, &kind, &cell))),
        None => Told::fixed(walk.speak(|speech| speech.withheld(&kind))),
    };
    let href = stat.opens.as_ref().map(|open| walk.href(open, scope)).transpose()?.flatten();
    let title = walk.say(&stat.title);
    Ok(Node::Stat(StatNode { id: id.to_owned(), title, cell, icon: stat.icon.clone(), tone: stat.tone.as_str(), href }))
}

fn figure(walk: &mut Walk<'_, '_>, stat: &Stat, scope: &Scope) -> Result<Option<Told<Cell>>, PageError> {
    let Some(mut source) = Source::open(walk, &stat.source, scope)? else { return Ok(None) };
    if stat.sum.as_ref().is_some_and(|member| !source.permit.may_read(member)) {
        return Ok(None);
    }
    if source.nothing {
        return Ok(Some(Told::fixed(Cell::Shown(Value::Integer(0)))));
    }
    source.query.sort = Vec::new();
    let figure = walk.context.objects.figure(&source.permit, &source.query, stat.sum.as_ref())?;
    Ok(Some(figure.into()))
}

fn said(speech: Speech<'_>, kind: &Kind, cell: &Cell) -> CellView {
    let shown = speech.cell(kind, cell);
    match cell.value() {
        Some(Value::Integer(number)) => CellView { text: speech.decimal(&Decimal::from(*number)), ..shown },
        _ => shown,
    }
}
