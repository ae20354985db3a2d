//! Set a variable.

use crate::domain::Name;
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    variable: &Name,
    value: &Typed,
) -> Result<(), FlowError> {
    let result = run.value(frame, value)?;
    frame.put(variable, &value.kind, result)
}
