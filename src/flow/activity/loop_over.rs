//! Loop over a list as it is when the loop begins.

use super::Next;
use crate::domain::{Kind, Name, Value};
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::model::Activity;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    over: &Name,
    element: &Name,
    body: &[Activity],
) -> Result<Next, FlowError> {
    let ids = frame.list(over)?;
    let entity = frame.entity(over)?.clone();
    run.prefetch(frame, &entity, &ids)?;
    let kind = Kind::Object(entity);
    for id in ids {
        run.context.budget.step()?;
        frame.put(element, &kind, Value::Object(id))?;
        if let Next::End(value) = run.body(frame, body)? {
            return Ok(Next::End(value));
        }
    }
    Ok(Next::On)
}
