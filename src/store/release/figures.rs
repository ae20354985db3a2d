//! Totals, counts and sums, held against the rows themselves.

use super::question::alike;
use super::{differ, error};
use crate::access::{Cell, ObjectError, Query, Rights, Rows};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Name, Value};
use crate::expr::{compare_values, sum_values};
use crate::store::{Store, read};
use std::cmp::Ordering;

/// A figure over at most so many rows is computed again from the rows; one over more stands on the
/// layers below.
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

/// Decides a figure again from the rows one by one, if they are few.
pub(in crate::store) fn figure(
    store: &mut Store<'_>,
    rights: &Rights,
    query: &Query,
    sum: Option<&Name>,
    told: &Cell,
) -> Result<(), ObjectError> {
    let many = |value: &Value| compare_values(value, &Value::Integer(i64::from(FEW))) == Some(Ordering::Greater);
    if !stands(Removable::Release) || (sum.is_none() && told.value().is_some_and(many)) {
        return Ok(());
    }
    let paths = sum.map(|member| vec![member.clone()]).into_iter().collect();
    let each = Query { paths, sort: Vec::new(), limit: FEW, offset: 0, total: None, ..query.clone() };
    let (answer, next) = read::view(store, rights, &each)?;
    super::rows(store, rights, &each, &answer, next)?;
    if answer.more {
        return Ok(());
    }
    let again = match sum {
        None => Value::Integer(i64::try_from(answer.rows.len()).unwrap_or(i64::MAX)),
        Some(_) => added(&answer),
    };
    if told.value().is_some_and(|told| alike(&again, told)) {
        return Ok(());
    }
    let about = sum.map_or_else(|| query.entity.to_string(), |member| format!("{}.{member}", query.entity));
    Err(error(differ(format!("a figure over {about}"), "this figure", "another, from the rows one by one")))
}

fn added(answer: &Rows) -> Value {
    let cells = answer.rows.iter().filter_map(|row| row.cells.first()).filter_map(Cell::value);
    sum_values(&cells.cloned().collect::<Vec<_>>())
}
