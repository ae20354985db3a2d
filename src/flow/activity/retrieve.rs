//! Retrieve from the data: the objects of an entity that the authority may read and that satisfy
//! a constraint.

use crate::access::Query;
use crate::domain::{Kind, Name, QName, Value};
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::budget::LONGEST_LIST;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::model::Path;

/// Which of the matching objects.
pub(super) struct Window {
    pub(super) first: bool,
    pub(super) limit: Option<u32>,
    pub(super) offset: u32,
}

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    output: &Name,
    entity: &QName,
    condition: Option<&Typed>,
    sort: &[(Path, bool)],
    window: Window,
) -> Result<(), FlowError> {
    let inside = condition.map(|condition| run.inside(frame, condition)).transpose()?;
    // One more than a list may have, so that a longer one is noticed and not cut off in silence.
    let limit = if window.first { 1 } else { window.limit.map_or(LONGEST_LIST + 1, |limit| limit.min(LONGEST_LIST + 1)) };
    let query = Query { inside, sort: sort.to_vec(), limit, offset: window.offset, ..Query::of(entity, Vec::new()) };
    let authority = frame.authority.clone();
    let found = run.reading(&authority).find(&query)?;
    let mut ids = found.iter().map(|object| object.id);
    if window.first {
        let value = ids.next().map_or(Value::Empty, Value::Object);
        return frame.put(output, &Kind::Object(entity.clone()), value);
    }
    frame.put(output, &Kind::List(entity.clone()), Value::List(ids.collect()))
}
