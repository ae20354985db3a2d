//! What the client sends: filters, search text, order. It sees only columns of the reader's table.

use super::frame::{End, Frame};
use super::not_there;
use crate::access::{Denied, Filter, FilterOp, Ground, Layer, ObjectError, Order, Query, Reason};
use crate::db::sql::Sql;
use crate::domain::{Kind, Value};
use crate::model::Path;
use crate::store::lower::{Condition, comparable};
use crate::store::statements::Source;

/// All filters hold, and the search text is in one of its members.
pub(super) fn conditions(frame: &mut Frame<'_>, query: &Query) -> Result<Condition, ObjectError> {
    let mut all = Condition::Always;
    for one in &query.filters {
        all = all.and(filter(frame, one)?);
    }
    let Some((text, paths)) = &query.search else { return Ok(all) };
    let mut any = Condition::Never;
    for path in paths {
        any = any.or(contains(frame, path, &Value::text(text))?);
    }
    Ok(if text.is_empty() { all } else { all.and(any) })
}

fn place(frame: &mut Frame<'_>, path: &Path) -> Result<(usize, usize, Kind), ObjectError> {
    let entity = frame.sources.first().map(|s| s.compiled.table.entity.name.clone());
    if let End::Member(source, member) = frame.locate(path, false)? {
        let (_, readable) = frame.readable(source, member)?;
        if matches!(readable.value, Source::Sql(_)) {
            return Ok((source, member, readable.kind.clone()));
        }
    }
    let entity = entity.unwrap_or_else(crate::model::Model::user_entity);
    Err(not_there(frame.rights, &entity, path.last().map_or("", |name| name.as_str())))
}

fn filter(frame: &mut Frame<'_>, filter: &Filter) -> Result<Condition, ObjectError> {
    let operator = match filter.op {
        FilterOp::Contains => return contains(frame, &filter.path, &filter.value),
        FilterOp::Empty => return empty(frame, &filter.path),
        FilterOp::Equal => " = ",
        FilterOp::From => " >= ",
        FilterOp::To => " <= ",
    };
    let (source, member, kind) = place(frame, &filter.path)?;
    if filter.value.is_empty() {
        return Ok(Condition::Never);
    }
    if !fits(&kind, &filter.value) {
        return Err(unusable());
    }
    let mut out = Sql::new();
    out.raw("(").append(&compared(frame, source, member)?).raw(operator).bind(&filter.value, &kind);
    if kind == Kind::Text && filter.op != FilterOp::Equal {
        out.raw_by("", " COLLATE \"C\"");
    }
    out.raw(")");
    Ok(Condition::When(out))
}

/// The column as it is compared and ordered by: what cannot be computed is not among the values.
fn compared(frame: &Frame<'_>, source: usize, member: usize) -> Result<Sql, ObjectError> {
    let column = frame.column(source, member)?;
    let (_, readable) = frame.readable(source, member)?;
    Ok(if readable.overflows { comparable(&column) } else { column })
}

/// Empty, and neither withheld nor a number that cannot be computed.
fn empty(frame: &mut Frame<'_>, path: &Path) -> Result<Condition, ObjectError> {
    let (source, member, _) = place(frame, path)?;
    let mut out = Sql::new();
    out.raw("(").append(&frame.column(source, member)?).raw(" IS NULL)");
    Ok(frame.shown(source, member)?.and(Condition::When(out)))
}

fn contains(frame: &mut Frame<'_>, path: &Path, text: &Value) -> Result<Condition, ObjectError> {
    let (source, member, kind) = place(frame, path)?;
    if text.is_empty() {
        return Ok(Condition::Always);
    }
    if !matches!(kind, Kind::Text | Kind::Enumeration(_)) || text.as_text().is_none() {
        return Err(unusable());
    }
    let column = frame.column(source, member)?;
    let mut out = Sql::new();
    out.raw_by("(instr(lower(", "(strpos(lower(").append(&column).raw_by("), lower(", " COLLATE \"C\"), lower(");
    out.bind(text, &Kind::Text).raw_by(")) > 0)", " COLLATE \"C\")) > 0)");
    Ok(Condition::When(out))
}

/// ` ORDER BY …`: empty values and those that cannot be computed last, the key as the last tie-break.
pub(super) fn order(frame: &mut Frame<'_>, sort: &[Order]) -> Result<Sql, ObjectError> {
    let mut out = Sql::new();
    out.raw(" ORDER BY ");
    for (path, descending) in sort {
        let (source, member, kind) = place(frame, path)?;
        let (_, readable) = frame.readable(source, member)?;
        let never_empty = readable.required && source == 0 && matches!(readable.shown, Condition::Always);
        out.append(&compared(frame, source, member)?);
        if matches!(kind, Kind::Text | Kind::Enumeration(_)) {
            out.raw_by("", " COLLATE \"C\"");
        }
        match (descending, never_empty) {
            (false, true) => out.raw(", "),
            (true, true) => out.raw(" DESC, "),
            (false, false) => out.raw_by(" NULLS LAST, ", ", "),
            (true, false) => out.raw_by(" DESC, ", " DESC NULLS LAST, "),
        };
    }
    out.ident("o").raw(".").ident("id");
    Ok(out)
}

/// Whether a value can be compared with a column of this kind.
fn fits(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Text | Kind::Enumeration(_), Value::Text(text)) => !text.contains('\0'),
        (Kind::Number(number), Value::Integer(_) | Value::Decimal(_)) => value.as_decimal().is_some_and(|d| {
            let d = d.normalize();
            d.scale() <= number.scale && d.abs().trunc().to_string().len() <= 18_usize.saturating_sub(number.scale as usize)
        }),
        (Kind::Boolean, Value::Boolean(_)) | (Kind::Date, Value::Date(_)) | (Kind::DateTime, Value::DateTime(_)) => true,
        (Kind::Object(_), Value::Object(_)) => true,
        _ => false,
    }
}

fn unusable() -> ObjectError {
    Denied::new(Layer::EntityAccess, Reason::Other(Ground::Misfit, "a filter does not fit its member".into())).into()
}
