//! Questions: rows, totals, figures.

use super::cells::Found;
use super::frame::{End, Frame, Joined};
use super::{not_there, outside, shape};
use crate::access::{Cell, LoadedObject, ObjectError, Query, Rights, Row, Rows, Total};
use crate::db::sql::Sql;
use crate::domain::{Kind, Name, Number, ObjectId, Value};
use crate::model::Path;
use crate::store::error::fault;
use crate::store::lower::{self, Condition};
use crate::store::statements::Source;
use crate::store::{Store, inside, links};
use std::sync::Arc;

/// The rows a reader gets, and the one that follows them.
pub(in crate::store) fn view(
    store: &mut Store<'_>,
    rights: &Rights,
    query: &Query,
) -> Result<(Rows, Option<ObjectId>), ObjectError> {
    let (mut answer, next) = rows(store, rights, query, &query.paths)?;
    if let Some(cap) = query.total {
        let known = all_seen(query, &answer).or_else(|| store.kept.counted(rights, query));
        let count = known.map_or_else(|| total(store, rights, query, cap), Ok)?;
        answer.total = Some(Total { count: count.min(cap), capped: count > cap });
    }
    Ok((answer, next))
}

/// How many rows there are, where the last one was seen.
fn all_seen(query: &Query, answer: &Rows) -> Option<u32> {
    let last = !answer.more && (query.offset == 0 || !answer.rows.is_empty());
    last.then(|| u32::try_from(answer.rows.len()).unwrap_or(u32::MAX).saturating_add(query.offset))
}

/// The objects a flow gets: every member that it may read; many-to-many ones only if asked for.
pub(in crate::store) fn load(store: &mut Store<'_>, rights: &Rights, query: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
    let frame = Frame::new(store, rights, &query.entity)?;
    let first = frame.sources.first().ok_or_else(|| fault("a source is missing"))?;
    let asked = |name: &Name| query.paths.iter().any(|path| path.as_slice() == std::slice::from_ref(name));
    let wanted = first.compiled.readable.iter().filter(|(name, r)| !matches!(r.value, Source::Link(_)) || asked(name));
    let names: Vec<Name> = wanted.map(|(name, _)| name.clone()).collect();
    let paths: Vec<Path> = names.iter().map(|name| vec![name.clone()]).collect();
    let (found, _) = rows(store, rights, query, &paths)?;
    let object = |row: Row| LoadedObject {
        entity: query.entity.clone(),
        id: row.id,
        version: row.version,
        members: names.iter().cloned().zip(row.cells).collect(),
    };
    Ok(found.rows.into_iter().map(object).collect())
}

/// How many, or the sum of a member: over exactly what the reader may see.
pub(in crate::store) fn figure(
    store: &mut Store<'_>,
    rights: &Rights,
    query: &Query,
    sum: Option<&Name>,
) -> Result<Cell, ObjectError> {
    let mut frame = Frame::new(store, rights, &query.entity)?;
    let (mut out, mut kind, mut within) = (Sql::new(), Kind::INTEGER, None);
    match sum {
        None => out.raw("SELECT count(*)"),
        Some(member) => {
            let (source, at, number) = addends(&mut frame, rights, query, member)?;
            let (_, readable) = frame.readable(source, at)?;
            let most = digits(number);
            (kind, within) = (Kind::Number(most), Some(most));
            out.raw("(SELECT ").append(&lower::sum(&frame.column(source, at)?, &readable.kind)).raw(" AS n")
        }
    };
    let outside = outside::conditions(&mut frame, query)?;
    out.raw(" FROM ").append(&frame.from(&inside::condition(store, rights, query)?)?);
    out.raw(" WHERE ").append(&outside.sql());
    if let Some(within) = within {
        out.raw(")");
        let mut sum = Sql::new();
        sum.raw("SELECT ").append(&lower::checked(&out, within));
        out = sum;
    }
    let found = store.asked_about(rights, query, &out, &[kind])?;
    let value = found.into_iter().next().and_then(|row| row.into_iter().next());
    Ok(Cell::Shown(value.ok_or_else(|| fault("a figure has no row"))?))
}

/// The digits of the sum of a member; refused as [`figure`] refuses it.
pub(in crate::store) fn summed(store: &Store<'_>, rights: &Rights, query: &Query, member: &Name) -> Result<Number, ObjectError> {
    let mut frame = Frame::new(store, rights, &query.entity)?;
    addends(&mut frame, rights, query, member).map(|(_, _, number)| digits(number))
}

/// Where the numbers of a sum are.
fn addends(frame: &mut Frame<'_>, rights: &Rights, query: &Query, member: &Name) -> Result<(usize, usize, Number), ObjectError> {
    let refused = || not_there(rights, &query.entity, member);
    let End::Member(source, at) = frame.locate(&vec![member.clone()], false)? else { return Err(refused()) };
    let (_, readable) = frame.readable(source, at)?;
    match (&readable.kind, &readable.value) {
        (Kind::Number(number), Source::Sql(_)) => Ok((source, at, *number)),
        _ => Err(refused()),
    }
}

/// A sum has as many digits as there can be.
fn digits(of: Number) -> Number {
    Number { digits: Number::MOST_DIGITS, scale: of.scale }
}

/// The one statement of a question, and how its answer is read.
pub(in crate::store) struct Composed {
    sources: Arc<Vec<Joined>>,
    ends: Vec<End>,
    pub sql: Sql,
    kinds: Vec<Kind>,
}

/// Writes the one statement of a query.
pub(in crate::store) fn compose(
    store: &Store<'_>,
    rights: &Rights,
    query: &Query,
    paths: &[Path],
) -> Result<Composed, ObjectError> {
    let mut frame = Frame::new(store, rights, &query.entity)?;
    let ends = paths.iter().map(|path| frame.locate(path, true)).collect::<Result<Vec<_>, _>>()?;
    let outside = outside::conditions(&mut frame, query)?;
    let order = outside::order(&mut frame, &query.sort)?;
    let mut kinds = vec![Kind::Object(query.entity.clone()), Kind::INTEGER];
    let columns = frame.columns(&mut kinds)?;
    let mut sql = Sql::new();
    sql.raw("SELECT ").ident("o").raw(".").ident("id").raw(", ").ident("o").raw(".").ident("version").append(&columns);
    sql.raw(" FROM ").append(&frame.from(&inside::condition(store, rights, query)?)?);
    if !matches!(outside, Condition::Always) {
        sql.raw(" WHERE ").append(&outside.sql());
    }
    sql.append(&order).raw(" LIMIT ").int(i64::from(query.limit).saturating_add(1));
    if query.offset > 0 {
        sql.raw(" OFFSET ").int(i64::from(query.offset));
    }
    Ok(Composed { sources: frame.sources, ends, sql, kinds })
}

/// Writes the statement that counts what a query matches.
pub(super) fn compose_total(store: &Store<'_>, rights: &Rights, query: &Query, cap: u32) -> Result<Composed, ObjectError> {
    let mut frame = Frame::new(store, rights, &query.entity)?;
    let outside = outside::conditions(&mut frame, query)?;
    let mut sql = Sql::new();
    sql.raw("SELECT count(*) FROM (SELECT 1 FROM ").append(&frame.from(&inside::condition(store, rights, query)?)?);
    sql.raw(" WHERE ").append(&outside.sql()).raw(" LIMIT ").int(i64::from(cap).saturating_add(1)).raw(") AS c");
    Ok(Composed { sources: frame.sources, ends: Vec::new(), sql, kinds: vec![Kind::INTEGER] })
}

fn rows(store: &mut Store<'_>, rights: &Rights, query: &Query, paths: &[Path]) -> Result<(Rows, Option<ObjectId>), ObjectError> {
    let question = shape::rows(store, rights, query, paths)?;
    let mut found = store.asked_about(rights, query, &question.sql, &question.kinds)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let next = found.get(limit).and_then(|row| row.first()).and_then(Value::as_object);
    let more = found.len() > limit;
    found.truncate(limit);
    let frame = Frame::over(store, rights, question.sources.clone());
    let rows = read(store, rights, &frame, &question.ends, found)?;
    Ok((Rows { rows, more, total: None }, next))
}

fn read(
    store: &mut Store<'_>,
    rights: &Rights,
    frame: &Frame<'_>,
    ends: &[End],
    found: Vec<Vec<Value>>,
) -> Result<Vec<Row>, ObjectError> {
    let mut out = Vec::with_capacity(found.len());
    let mut linked: Vec<(usize, usize)> = Vec::new();
    for (at, row) in found.iter().enumerate() {
        let (Some(Value::Object(id)), Some(Value::Integer(version))) = (row.first(), row.get(1)) else {
            return Err(fault("a row has no key"));
        };
        let mut cells = Vec::with_capacity(ends.len());
        for (n, end) in ends.iter().enumerate() {
            cells.push(match frame.cell(end, *id, row)? {
                Found::Cell(cell) => cell,
                Found::Linked => {
                    linked.push((at, n));
                    Cell::Withheld
                }
                // The right to a calculated member is the right to what it shows.
                Found::Memory(expression, object) => Cell::Shown(store.compute(&expression, Some(object), rights)?),
            });
        }
        out.push(Row { id: *id, version: *version, cells });
    }
    fill(store, rights, frame, ends, &linked, &mut out)?;
    Ok(out)
}

/// Many-to-many members, one statement for each.
fn fill(
    store: &mut Store<'_>,
    rights: &Rights,
    frame: &Frame<'_>,
    ends: &[End],
    linked: &[(usize, usize)],
    rows: &mut [Row],
) -> Result<(), ObjectError> {
    for (n, end) in ends.iter().enumerate() {
        let those: Vec<usize> = linked.iter().filter(|(_, cell)| *cell == n).map(|(row, _)| *row).collect();
        let End::Member(source, member) = end else { continue };
        if those.is_empty() {
            continue;
        }
        let entity = &frame.sources.first().ok_or_else(|| fault("a source is missing"))?.compiled.table.entity.name;
        let (name, readable) = frame.readable(*source, *member)?;
        let Source::Link(from) = &readable.value else { return Err(fault("a link is missing")) };
        if *source > 0 {
            return Err(not_there(rights, entity, name));
        }
        let ids: Vec<ObjectId> = those.iter().filter_map(|at| rows.get(*at)).map(|row| row.id).collect();
        let question = links::question(&store.statements.tables, entity, name, Some(from), &ids)?;
        let mut lists = links::gathered(store.asked(rights, &question.sql, &question.kinds)?);
        for at in those {
            if let Some(row) = rows.get_mut(at)
                && let Some(cell) = row.cells.get_mut(n)
            {
                *cell = Cell::Shown(Value::List(lists.remove(&row.id).unwrap_or_default()));
            }
        }
    }
    Ok(())
}

/// How many rows there are; of more than `cap`, only that there are more.
fn total(store: &mut Store<'_>, rights: &Rights, query: &Query, cap: u32) -> Result<u32, ObjectError> {
    let question = shape::total(store, rights, query, cap)?;
    let found = store.asked_about(rights, query, &question.sql, &question.kinds)?;
    let Some(Value::Integer(count)) = found.first().and_then(|row| row.first()) else {
        return Err(fault("a total has no row"));
    };
    Ok(u32::try_from(*count).unwrap_or(u32::MAX))
}
