//! From columns to cells.

use super::frame::{End, Frame, Had, Joined, Shown, ValueAt, Via};
use crate::access::{Cell, ObjectError};
use crate::domain::{ObjectId, Value};
use crate::expr::Typed;
use crate::store::error::fault;
use std::sync::Arc;

/// A cell, or where it is still to be had.
pub(super) enum Found {
    Cell(Cell),
    /// The objects linked to this one by the member at the end.
    Linked,
    /// To be calculated in memory, for this object.
    Memory(Arc<Typed>, ObjectId),
}

impl Frame<'_> {
    /// What the reader may have of a row at the end of a path.
    pub(super) fn cell(&self, end: &End, id: ObjectId, row: &[Value]) -> Result<Found, ObjectError> {
        let (End::Member(source, _) | End::Beyond(source, _)) = end;
        if let Some(stop) = self.way(*source, row)? {
            return Ok(Found::Cell(stop));
        }
        let member = match end {
            End::Member(_, member) => member,
            End::Beyond(_, Some(reference)) => {
                let stop = self.reference(*source, *reference, row)?;
                return Ok(Found::Cell(stop.unwrap_or(Cell::Withheld)));
            }
            End::Beyond(_, None) => return Ok(Found::Cell(Cell::Withheld)),
        };
        let (joined, had) = self.had(*source, *member)?;
        if !is_shown(had, row)? {
            return Ok(Found::Cell(Cell::Withheld));
        }
        Ok(match &had.value {
            ValueAt::Column(at) => Found::Cell(Cell::Shown(value(row, *at)?)),
            ValueAt::Link => Found::Linked,
            ValueAt::Memory(expression) => {
                let object = if *source == 0 { Some(id) } else { value(row, joined.key_at)?.as_object() };
                Found::Memory(expression.clone(), object.ok_or_else(|| fault("a key is missing"))?)
            }
        })
    }

    fn had(&self, source: usize, member: usize) -> Result<(&Joined, &Had), ObjectError> {
        let joined = self.sources.get(source).ok_or_else(|| fault("a source is missing"))?;
        Ok((joined, joined.had.get(member).ok_or_else(|| fault("a member is missing"))?))
    }

    /// Where the way to a source ends early: at an empty reference, or at an object that is not for this reader.
    fn way(&self, source: usize, row: &[Value]) -> Result<Option<Cell>, ObjectError> {
        let joined = self.sources.get(source).ok_or_else(|| fault("a source is missing"))?;
        let Some((parent, by, via)) = &joined.from else { return Ok(None) };
        if let Some(stop) = self.way(*parent, row)? {
            return Ok(Some(stop));
        }
        if *via == Via::Own {
            let of = self.sources.get(*parent).ok_or_else(|| fault("a source is missing"))?;
            let member = of.member_at(by).ok_or_else(|| fault("a member is missing"))?;
            if let Some(stop) = self.reference(*parent, member, row)? {
                return Ok(Some(stop));
            }
        }
        let there = !value(row, joined.key_at)?.is_empty();
        Ok((!there).then_some(Cell::Withheld))
    }

    /// What a reference shows when it leads nowhere: that it is empty, or nothing at all.
    fn reference(&self, source: usize, member: usize, row: &[Value]) -> Result<Option<Cell>, ObjectError> {
        let (_, had) = self.had(source, member)?;
        if !is_shown(had, row)? {
            return Ok(Some(Cell::Withheld));
        }
        let ValueAt::Column(at) = had.value else { return Err(fault("a column is missing")) };
        Ok(value(row, at)?.is_empty().then_some(Cell::Shown(Value::Empty)))
    }
}

fn is_shown(had: &Had, row: &[Value]) -> Result<bool, ObjectError> {
    match had.shown {
        Shown::Always => Ok(true),
        Shown::Never => Ok(false),
        Shown::Flag(at) => Ok(value(row, at)?.holds()),
    }
}

fn value(row: &[Value], at: usize) -> Result<Value, ObjectError> {
    row.get(at).cloned().ok_or_else(|| fault("a column is missing"))
}
