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

mod agreement;
mod alone;
mod decide;
mod figures;
mod held;
mod inputs;
mod kept;
mod plan;
mod question;
mod raw;
mod reader;
mod values;

pub use agreement::Compared;
pub(super) use figures::of_few;
pub(super) use inputs::Known;
pub(super) use kept::Kept;

use super::Store;
use super::error::fault;
use crate::access::{Disagreement, Layer, ObjectError, Query, Rights, Rows};
use crate::domain::knockout::{Removable, stands};
use crate::domain::{ObjectId, QName};
use crate::model::Path;
use decide::Findings;
use question::Question;
use reader::Reader;
use values::{At, Values};

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
        return Err(error(differ(query.entity.to_string(), "more rows than were asked for", "no more than the limit")));
    }
    figures::total(query, answer)?;
    if answer.rows.is_empty() {
        return Ok(());
    }
    let kept = std::mem::take(&mut store.kept);
    let (mut reader, at) = knowing(store, kept, rights, &query.entity)?;
    let question = Question { query, at, plan: reader.values.plan(at)?.clone() };
    expect(&mut reader, &question, answer, next);
    let differences = settled(store, &mut reader, |reader, found| {
        decide::rows(reader, &question, answer, found)?;
        decide::order(reader, &question, answer, next, found)
    })?;
    if let Some(first) = differences.into_iter().next() {
        return Err(error(first));
    }
    // In a write what was read before may be otherwise now.
    if !store.conn.writes() {
        store.kept = Kept::of(reader, &rights.key);
    }
    Ok(())
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
    if let Some((entity, _, name)) = &query.along
        && let Some(from) = reader.values.place(entity)
        && let Some(back) = reader.values.table(from).ok().and_then(|table| table.entity.inverses.get(name)).cloned()
    {
        reader.prepare(question.at, &[back.association], true);
    }
    if let Some(inside) = &query.inside {
        reader.prepare_condition(&inside.condition);
    }
    if !everywhere(question) {
        reader.prepare_caller();
        reader.values.want(question.at, answer.rows.iter().map(|row| row.id).chain(next));
    }
}

/// Whether what is asked for is shown in every row, so that none need be read to decide about it.
fn everywhere(question: &Question<'_>) -> bool {
    let query = question.query;
    let shown = |path: &Path| matches!(path.as_slice(), [member] if question.plan.granting(member).is_none());
    query.inside.is_none() && query.along.is_none() && query.paths.iter().all(shown)
}

/// A reader who knows nothing yet, and the place of the entity.
fn reader<'a>(store: &Store<'a>, rights: &'a Rights, entity: &QName) -> Result<(Reader<'a>, At), ObjectError> {
    knowing(store, Kept::default(), rights, entity)
}

/// A reader who knows what the transaction read before to decide for the same caller and the same rights.
fn knowing<'a>(store: &Store<'a>, kept: Kept, rights: &'a Rights, entity: &QName) -> Result<(Reader<'a>, At), ObjectError> {
    let statements = store.statements;
    let inputs = statements.known.of(&statements.tables, rights, entity);
    let mut reader = Reader::new(Values::new(&statements.tables, rights, inputs), rights, store.caller);
    kept.give(&mut reader, rights);
    let at = reader.values.place(entity).ok_or_else(|| fault("this entity is not stored"))?;
    Ok((reader, at))
}

/// Reads, and decides until nothing is missing for it.
fn settled<'a>(
    store: &mut Store<'_>,
    reader: &mut Reader<'a>,
    mut decide: impl FnMut(&mut Reader<'a>, &mut Findings) -> Result<(), ObjectError>,
) -> Result<Vec<Disagreement>, ObjectError> {
    for _ in 0..MOST_ROUNDS {
        reader.values.read(store.conn, &store.params)?;
        let mut found = Findings::default();
        decide(reader, &mut found)?;
        if let Some(differences) = found.settled() {
            return Ok(differences);
        }
    }
    Err(fault("a decision needs more than can be read"))
}

fn differ(about: String, first: &str, second: &str) -> Disagreement {
    let (first, second) = ((Layer::EntityAccess, first.to_owned()), (Layer::Release, second.to_owned()));
    Disagreement { about, first, second }
}

fn error(found: Disagreement) -> ObjectError {
    ObjectError::Disagreement(Box::new(found))
}
