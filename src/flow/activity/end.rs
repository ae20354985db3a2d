//! End the flow, perhaps with a value.

use super::Next;
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(run: &mut Interpreter<'_, '_>, frame: &mut Frame, value: Option<&Typed>) -> Result<Next, FlowError> {
    let value = value.map(|value| run.value(frame, value)).transpose()?;
    Ok(Next::End(value))
}
