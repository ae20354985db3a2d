//! The last layer before data leaves: every row and every cell is decided once more, in memory.
//!
//! Guarantees: what the reader's table gives is released only if the in-memory evaluator comes to
//! the same, from the rules of the rights and from values re-read by key; neither the SQL conditions
//! nor what was compiled for them is looked at. A row too many, a cell shown or withheld against the
//! rules, an order or a filter over what the reader may not see, a total below what is seen: each is
//! a disagreement, which refuses the request and is recorded as an incident.
//! Deliberately not here: rows that the reader's table did not give (the agreement check of the
//! schedule looks for them), what a flow loads (it does not leave, and is viewed again if it is
//! shown), and counts and sums over more rows than a page has: those stand on the layers below.

mod inputs;
mod question;
mod raw;
mod reader;
mod values;

pub(super) use inputs::Known;

use super::Store;
use super::error::fault;
use super::read;
use crate::access::{Cell, Disagreement, Layer, ObjectError, Query, Rights, Row, Rows};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{EvalError, add_values, compare_values};
use crate::model::{Model, Path};
use question::{Question, alike};
use reader::{Decided, Reader, Stop};
use std::cmp::Ordering;
use values::{At, Values};

/// A figure over at most so many rows is computed again from the rows.
pub(super) const FEW: u32 = 100;
/// So many times is read what is missing; each hop of a rule needs one.
const MOST_ROUNDS: usize = 200;
/// Another transaction may commit between a question and its decision while a form is read: the
/// question is asked again so many times before the difference counts.
const ATTEMPTS: usize = 3;

/// Asks, decides what was answered, and asks again while the layers differ.
pub(super) fn decided<T>(mut ask: impl FnMut() -> Result<T, ObjectError>) -> Result<T, ObjectError> {
    let mut answer = ask();
    for _ in 1..ATTEMPTS {
        match answer {
            Err(ObjectError::Disagreement(_)) => answer = ask(),
            other => return other,
        }
    }
    answer
}

/// Decides rows that were read, and the one that follows them (whose existence is told).
pub(super) fn rows(
    store: &mut Store<'_>,
    rights: &Rights,
    query: &Query,
    answer: &Rows,
    next: Option<ObjectId>,
) -> Result<(), ObjectError> {
    if !stands(Removable::Release) {
        return Ok(());
    }
    if answer.rows.len() > usize::try_from(query.limit).unwrap_or(usize::MAX) {
        return Err(differ(query.entity.to_string(), "more rows than were asked for", "no more than the limit"));
    }
    total(query, answer)?;
    if answer.rows.is_empty() {
        return Ok(());
    }
    let (mut reader, at) = reader(store, rights, &query.entity)?;
    let question = Question { query, at };
    expect(&mut reader, &question, answer, next);
    settled(store, &mut reader, |reader| decide(reader, &question, answer, next))
}

/// What will be needed of the rows for certain.
fn expect(reader: &mut Reader<'_>, question: &Question<'_>, answer: &Rows, next: Option<ObjectId>) {
    let query = question.query;
    query.paths.iter().for_each(|path| reader.prepare(question.at, path, false));
    let asked = query.filters.iter().map(|filter| &filter.path).chain(query.sort.iter().map(|(path, _)| path));
    for path in asked.chain(query.search.iter().flat_map(|(_, paths)| paths)) {
        let released = path.len() == 1 && query.paths.contains(path);
        reader.prepare(question.at, path, !released);
    }
    reader.values.want(question.at, answer.rows.iter().map(|row| row.id).chain(next));
}

/// Gives the first difference. What is missing for one row does not keep the others from telling what they miss.
fn decide(
    reader: &mut Reader<'_>,
    question: &Question<'_>,
    answer: &Rows,
    next: Option<ObjectId>,
) -> Decided<Option<ObjectError>> {
    let query = question.query;
    let mut missing = false;
    let mut held = |decided: Decided<Option<ObjectError>>| match decided {
        Ok(difference) => Ok(difference),
        Err(Stop::Missing) => {
            missing = true;
            Ok(None)
        }
        Err(failed) => Err(failed),
    };
    for row in &answer.rows {
        if let Some(difference) = held(row_differs(reader, question, row))? {
            return Ok(Some(difference));
        }
    }
    for pair in answer.rows.windows(2) {
        let [before, after] = pair else { continue };
        let ordered = question.in_order(reader, before, after);
        let about = || format!("{}#{}", query.entity, after.id.0);
        let difference = ordered.map(|fine| (!fine).then(|| differ(about(), "in this order", "in another order")));
        if let Some(difference) = held(difference)? {
            return Ok(Some(difference));
        }
    }
    if let Some(next) = next {
        let about = || format!("{}#{}", query.entity, next.0);
        let refused = question.refuses(reader, next, None);
        let difference = refused.map(|why| why.map(|why| differ(about(), "told to follow", why)));
        if let Some(difference) = held(difference)? {
            return Ok(Some(difference));
        }
    }
    if missing { Err(Stop::Missing) } else { Ok(None) }
}

fn row_differs(reader: &mut Reader<'_>, question: &Question<'_>, row: &Row) -> Decided<Option<ObjectError>> {
    let query = question.query;
    let about = || format!("{}#{}", query.entity, row.id.0);
    let refused = question.refuses(reader, row.id, Some(row));
    let mut missing = matches!(refused, Err(Stop::Missing));
    match refused {
        Ok(Some(why)) => return Ok(Some(differ(about(), "released", why))),
        Err(Stop::Failed(error)) => return Err(Stop::Failed(error)),
        _ => {}
    }
    if row.cells.len() != query.paths.len() {
        return Ok(Some(differ(about(), "released", "not the cells that were asked for")));
    }
    for (path, cell) in query.paths.iter().zip(&row.cells) {
        match question.differs(reader, row, path, cell) {
            Ok(None) => {}
            Ok(Some(instead)) => {
                let told = if matches!(cell, Cell::Shown(_)) { "shown" } else { "withheld" };
                return Ok(Some(differ(format!("{}.{}", about(), text(path)), told, instead)));
            }
            Err(Stop::Missing) => missing = true,
            Err(failed) => return Err(failed),
        }
    }
    if missing { Err(Stop::Missing) } else { Ok(None) }
}

/// A total is never less than what is seen, and exact when the page is all there is.
fn total(query: &Query, answer: &Rows) -> Result<(), ObjectError> {
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
        Err(differ(format!("{} in all", query.entity), "this total", "another, by the rows that are seen"))
    }
}

/// Decides a figure again from the rows one by one, if they are few.
pub(super) fn figure(
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
    rows(store, rights, &each, &answer, next)?;
    if answer.more {
        return Ok(());
    }
    let again = match sum {
        None => Value::Integer(i64::try_from(answer.rows.len()).unwrap_or(i64::MAX)),
        Some(_) => added(&answer).map_err(|error| ObjectError::Fault(error.into()))?,
    };
    if told.value().is_some_and(|told| alike(&again, told)) {
        return Ok(());
    }
    let about = sum.map_or_else(|| query.entity.to_string(), |member| format!("{}.{member}", query.entity));
    Err(differ(format!("a figure over {about}"), "this figure", "another, from the rows one by one"))
}

fn added(answer: &Rows) -> Result<Value, EvalError> {
    let cells = answer.rows.iter().filter_map(|row| row.cells.first()).filter_map(Cell::value);
    cells.filter(|value| !value.is_empty()).try_fold(Value::Integer(0), |sum, value| add_values(&sum, value))
}

/// A reader who knows nothing yet, and the place of the entity.
fn reader<'a>(store: &Store<'a>, rights: &'a Rights, entity: &QName) -> Result<(Reader<'a>, At), ObjectError> {
    let statements = store.statements;
    let inputs = statements.known.of(&statements.tables, rights);
    let mut reader = Reader::new(Values::new(&statements.tables, rights, inputs), rights, store.caller);
    let at = reader.values.place(entity).ok_or_else(|| fault("this entity is not stored"))?;
    if let Some(user) = store.caller.user {
        reader.values.want_anchors(&Model::user_entity(), user);
    }
    Ok((reader, at))
}

/// Reads, and decides until nothing is missing for it.
fn settled<'a>(
    store: &mut Store<'_>,
    reader: &mut Reader<'a>,
    mut decide: impl FnMut(&mut Reader<'a>) -> Decided<Option<ObjectError>>,
) -> Result<(), ObjectError> {
    for _ in 0..MOST_ROUNDS {
        reader.values.read(store.conn, &store.params)?;
        match decide(reader) {
            Ok(None) => return Ok(()),
            Ok(Some(difference)) => return Err(difference),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Missing) => {}
        }
    }
    Err(fault("a decision needs more than can be read"))
}

fn differ(about: String, first: &str, second: &str) -> ObjectError {
    let (first, second) = ((Layer::EntityAccess, first.to_owned()), (Layer::Release, second.to_owned()));
    ObjectError::Disagreement(Box::new(Disagreement { about, first, second }))
}

fn text(path: &Path) -> String {
    path.iter().map(Name::as_str).collect::<Vec<_>>().join(".")
}
