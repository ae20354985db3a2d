//! Whether a row answers the question: what the model asks, and what the client asks of the reader's
//! own values.

use super::plan::{Granting, Plan};
use super::reader::{Decided, Reach, Reader, Stop};
use super::values::At;
use crate::access::{Cell, Filter, FilterOp, Query, Row};
use crate::domain::{Name, ObjectId, Value};
use crate::expr::{Data, compare_values};
use crate::model::Path;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// The question about one row.
pub(super) struct Question<'q> {
    pub query: &'q Query,
    pub at: At,
    pub plan: Arc<Plan>,
}

impl Question<'_> {
    /// Why the row is no answer; `None` when it is one.
    pub(super) fn refuses(&self, reader: &mut Reader<'_>, id: ObjectId, row: Option<&Row>) -> Decided<Option<&'static str>> {
        let visible = reader.holds(self.at, id, &self.plan, self.plan.giving());
        // Asked together, so that all that is missing is read at once.
        let asked = self.asked(reader, id);
        if !visible? {
            return Ok(Some("no rule that lets it be read holds"));
        }
        if !asked? {
            return Ok(Some("outside what the model asks"));
        }
        Ok((!self.sent(reader, id, row)?).then_some("outside the filters, over what the reader may see"))
    }

    /// What the model asks: over the stored values.
    fn asked(&self, reader: &mut Reader<'_>, id: ObjectId) -> Decided<bool> {
        if self.query.object.is_some_and(|object| object != id) {
            return Ok(false);
        }
        let along = self.along(reader, id);
        let inside = match &self.query.inside {
            Some(inside) => reader.compute(&inside.condition, id, &inside.variables).map(|value| value.holds()),
            None => Ok(true),
        };
        Ok(along? && inside?)
    }

    /// The right to an association is the right to the member on the owning side, in the row that owns it.
    fn along(&self, reader: &mut Reader<'_>, id: ObjectId) -> Decided<bool> {
        let Some((entity, object, name)) = &self.query.along else { return Ok(true) };
        let from = reader.place(entity)?;
        let table = reader.values.table(from).map_err(Stop::Failed)?.clone();
        if table.entity.associations.contains_key(name) {
            if !reader.shown(from, *object, name)? {
                return Ok(false);
            }
            return Ok(match reader.value(from, *object, name)? {
                Value::Object(target) => target == id,
                Value::List(targets) => targets.contains(&id),
                _ => false,
            });
        }
        let Some(inverse) = table.entity.inverses.get(name) else { return Ok(false) };
        if inverse.owner != self.query.entity || !reader.shown(self.at, id, &inverse.association)? {
            return Ok(false);
        }
        Ok(match reader.value(self.at, id, &inverse.association)? {
            Value::Object(target) => target == *object,
            Value::List(targets) => targets.contains(object),
            _ => false,
        })
    }

    /// What the client asks: over the reader's own values, so that a filter tells nothing more.
    fn sent(&self, reader: &mut Reader<'_>, id: ObjectId, row: Option<&Row>) -> Decided<bool> {
        for filter in &self.query.filters {
            if !self.passes(reader, id, row, filter)? {
                return Ok(false);
            }
        }
        let Some((text, paths)) = self.query.search.as_ref().filter(|(text, _)| !text.is_empty()) else { return Ok(true) };
        let mut found = false;
        for path in paths {
            found = found || self.seen(reader, id, row, path)?.is_some_and(|value| contains(&value, text));
        }
        Ok(found)
    }

    fn passes(&self, reader: &mut Reader<'_>, id: ObjectId, row: Option<&Row>, filter: &Filter) -> Decided<bool> {
        let sought = &filter.value;
        if filter.op == FilterOp::Contains && sought.is_empty() {
            return Ok(true);
        }
        let Some(value) = self.seen(reader, id, row, &filter.path)? else { return Ok(false) };
        Ok(match filter.op {
            FilterOp::Empty => value.is_empty(),
            FilterOp::Contains => sought.as_text().is_some_and(|text| contains(&value, text)),
            FilterOp::Equal => compare_values(&value, sought) == Some(Ordering::Equal),
            FilterOp::From => compare_values(&value, sought).is_some_and(Ordering::is_ge),
            FilterOp::To => compare_values(&value, sought).is_some_and(Ordering::is_le),
        })
    }

    /// The value at the end of a path as the reader has it; `None` when they have none.
    fn seen<'r>(
        &self,
        reader: &mut Reader<'_>,
        id: ObjectId,
        row: Option<&'r Row>,
        path: &Path,
    ) -> Decided<Option<Cow<'r, Value>>> {
        // A cell that is released is decided by itself; it need not be read again.
        let cell = self.query.paths.iter().position(|own| own == path && own.len() == 1);
        if let Some(cell) = cell.and_then(|n| row?.cells.get(n)) {
            return Ok(cell.value().map(Cow::Borrowed));
        }
        let Some((last, way)) = path.split_last() else { return Ok(None) };
        let Reach::Row(at, object) = reader.reach(self.at, id, way)? else { return Ok(None) };
        if !reader.shown(at, object, last)? {
            return Ok(None);
        }
        reader.value(at, object, last).map(|value| Some(Cow::Owned(value)))
    }

    /// Whether one row may stand before another.
    pub(super) fn in_order(&self, reader: &mut Reader<'_>, before: &Row, after: &Row) -> Decided<bool> {
        for (path, descending) in &self.query.sort {
            let one = self.seen(reader, before.id, Some(before), path)?.filter(|value| value.has_order());
            let other = self.seen(reader, after.id, Some(after), path)?.filter(|value| value.has_order());
            // Empty values, and those that cannot be computed, come last either way.
            let order = match (one, other) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(one), Some(other)) => {
                    let order = compare_values(&one, &other).unwrap_or(Ordering::Equal);
                    if *descending { order.reverse() } else { order }
                }
            };
            if order.is_ne() {
                return Ok(order.is_lt());
            }
        }
        Ok(before.id < after.id)
    }

    /// What a cell must be; `None` when it is as it is.
    pub(super) fn differs(&self, reader: &mut Reader<'_>, row: &Row, path: &Path, cell: &Cell) -> Decided<Option<&'static str>> {
        let Some((last, way)) = path.split_last() else { return Ok(None) };
        let (at, id) = match reader.reach(self.at, row.id, way)? {
            Reach::Row(at, id) => (at, id),
            Reach::Shut => return Ok((*cell != Cell::Withheld).then_some("withheld: the way to it is shut")),
            Reach::Nowhere => return Ok((*cell != Cell::Shown(Value::Empty)).then_some("empty: the way to it ends")),
        };
        let plan = reader.plan(at)?;
        End::of(reader, at, &plan, last).differs(reader, id, cell)
    }
}

/// Where a path ends: a member, and what is said of it.
pub(super) struct End<'p> {
    at: At,
    member: &'p Name,
    plan: &'p Plan,
    granting: Granting<'p>,
    /// The number of its column, if it is read again.
    column: Option<usize>,
}

impl<'p> End<'p> {
    pub(super) fn of(reader: &Reader<'_>, at: At, plan: &'p Plan, member: &'p Name) -> Self {
        Self { at, member, plan, granting: plan.granting(member), column: reader.values.column(at, member) }
    }

    /// What the cell of this object must be; `None` when it is as it is.
    pub(super) fn differs(&self, reader: &mut Reader<'_>, id: ObjectId, cell: &Cell) -> Decided<Option<&'static str>> {
        let shown = reader.holds(self.at, id, self.plan, self.granting)?;
        match cell {
            Cell::Withheld => Ok(shown.then_some("shown")),
            Cell::Shown(_) if !shown => Ok(Some("withheld: no rule that lets it be read holds")),
            Cell::Shown(value) => Ok((!self.same(reader, id, value)?).then_some("another value")),
        }
    }

    /// Values that were read anyway are compared: references and lists always, others where rules need them.
    fn same(&self, reader: &mut Reader<'_>, id: ObjectId, value: &Value) -> Decided<bool> {
        if let Value::List(ids) = value {
            let linked = reader.values.many(&self.plan.table.entity.name, id, self.member);
            return Ok(reader.told(linked)? == *ids);
        }
        let known = self.column.and_then(|column| reader.values.peek(self.at, id, column));
        Ok(known.is_none_or(|known| alike(known, value)))
    }
}

/// The same value, however many digits a number is written with.
pub(super) fn alike(one: &Value, other: &Value) -> bool {
    one == other || compare_values(one, other) == Some(Ordering::Equal)
}

/// As filters and searches do: letters A–Z regardless of case.
fn contains(value: &Value, text: &str) -> bool {
    value.as_text().is_some_and(|value| value.to_ascii_lowercase().contains(&text.to_ascii_lowercase()))
}
