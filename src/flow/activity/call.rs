//! Call another microflow. It runs under the caller's own grants and its own elevation.

use crate::domain::{Kind, Name, QName, Value};
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    microflow: &QName,
    with: &[(Name, Typed)],
    output: Option<&Name>,
) -> Result<(), FlowError> {
    let arguments = run.values(frame, with)?;
    let permit = run.context.grants.call(microflow)?;
    let value = run.flow(&permit, arguments)?;
    let Some(output) = output else { return Ok(()) };
    let kind = run.model.microflows.get(microflow).and_then(|flow| flow.returns.clone()).unwrap_or(Kind::Empty);
    frame.put(output, &kind, value.unwrap_or(Value::Empty))
}
