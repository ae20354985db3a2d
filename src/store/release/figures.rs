//! Totals, counts and sums, from the rows themselves where they are few.

use super::{differ, error};
use crate::access::{Cell, ObjectError, Query, Rights, Rows};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Name, Value};
use crate::expr::{declared_value, sum_values};
use crate::store::{Store, read};

/// A figure over at most so many rows is computed from the rows; one over more stands on the layers below.
const FEW: u32 = 100;

/// A total is never less than what is seen, and exact when the page is all there is.
pub(super) fn total(query: &Query, answer: &Rows) -> Result<(), ObjectError> {
    let Some(total) = answer.total else { return Ok(()) };
    let seen = query.offset.saturating_add(u32::try_from(answer.rows.len()).unwrap_or(u32::MAX));
    let last = !answer.more && (!answer.rows.is_empty() || query.offset == 0);
    let fits = match (total.capped, last) {
        (true, _) => true,
        (false, true) => total.count == seen,
        (false, false) if answer.rows.is_empty() => total.count <= query.offset,
        (false, false) => total.count > seen,
    };
    if fits {
        Ok(())
    } else {
        Err(error(differ(format!("{} in all", query.entity), "this total", "another, by the rows that are seen")))
    }
}

/// A figure over few rows, from the rows themselves, each of them decided: then there is nothing left that a figure of
/// the database could tell. `None` where there are more, or where this layer is taken away.
pub(in crate::store) fn of_few(
    store: &mut Store<'_>,
    rights: &Rights,
    query: &Query,
    sum: Option<&Name>,
) -> Result<Option<Cell>, ObjectError> {
    if !stands(Removable::Release) {
        return Ok(None);
    }
    let number = sum.map(|member| read::summed(store, rights, query, member)).transpose()?;
    let paths = sum.map(|member| vec![member.clone()]).into_iter().collect();
    let each = Query { paths, sort: Vec::new(), limit: FEW, offset: 0, total: None, ..query.clone() };
    let (answer, next) = read::view(store, rights, &each)?;
    // Of many rows the first ones are decided where their values count.
    if answer.more && sum.is_none() {
        return Ok(None);
    }
    super::rows(store, rights, &each, &answer, next)?;
    if answer.more {
        return Ok(None);
    }
    let count = u32::try_from(answer.rows.len()).unwrap_or(u32::MAX);
    // In a write there may be more of them later.
    if !store.conn.writes() {
        store.kept.count(rights, query, count);
    }
    Ok(Some(Cell::Shown(match number {
        None => Value::Integer(count.into()),
        Some(number) => declared_value(number, &added(&answer)),
    })))
}

fn added(answer: &Rows) -> Value {
    let cells = answer.rows.iter().filter_map(|row| row.cells.first()).filter_map(Cell::value);
    sum_values(&cells.cloned().collect::<Vec<_>>())
}
