//! A figure over exactly the rows and values that the reader may see.

use super::super::source::{MOST_COUNTED, Source};
use crate::access::{Cell, Rows};
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
    if source.is_snapshot() {
        source.query.paths = stat.sum.iter().map(|member| vec![member.clone()]).collect();
        source.query.limit = MOST_COUNTED;
        return Ok(Some(source.rows(walk)?.map(|rows| added(&rows, stat.sum.is_some()))));
    }
    let figure = walk.context.objects.figure(&source.permit, &source.query, stat.sum.as_ref())?;
    Ok(Some(figure.into()))
}

/// The count of rows, or the sum of their only cell.
fn added(rows: &Rows, sum: bool) -> Cell {
    if !sum {
        return Cell::Shown(i64::try_from(rows.rows.len()).map_or(Value::Empty, Value::Integer));
    }
    let numbers = rows.rows.iter().filter_map(|row| row.cells.first()?.value()?.as_decimal());
    let total = numbers.into_iter().try_fold(Decimal::ZERO, |total, number| total.checked_add(number));
    total.map_or(Cell::Withheld, |total| Cell::Shown(Value::Decimal(total)))
}

fn said(speech: Speech<'_>, kind: &Kind, cell: &Cell) -> CellView {
    let shown = speech.cell(kind, cell);
    match cell.value() {
        Some(Value::Integer(number)) => CellView { text: speech.decimal(&Decimal::from(*number)), ..shown },
        _ => shown,
    }
}
