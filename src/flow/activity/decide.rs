//! Decide which way to go. An empty condition does not hold.

use super::Next;
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::model::Activity;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    condition: &Typed,
    then: &[Activity],
    otherwise: &[Activity],
) -> Result<Next, FlowError> {
    let holds = run.value(frame, condition)?.holds();
    run.body(frame, if holds { then } else { otherwise })
}
