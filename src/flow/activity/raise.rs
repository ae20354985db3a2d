//! End the run with a sentence for the person. Complaints at fields, if there are any, say it better.

use crate::expr::Template;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;

pub(super) fn carry_out(run: &mut Interpreter<'_, '_>, frame: &mut Frame, message: &Template) -> Result<(), FlowError> {
    run.heed_feedback()?;
    let message = run.text(frame, message)?;
    Err(FlowError::Raised(text::one_line(&message, 2_000)))
}
