//! Complain at a field. The run goes on to gather further complaints, but writes, calls out and
//! changes nothing any more, and ends as [`FlowError::Feedback`].

use crate::access::Feedback;
use crate::domain::Name;
use crate::expr::Template;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;

const MOST: usize = 100;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    object: &Name,
    member: &Name,
    message: &Template,
) -> Result<(), FlowError> {
    let (object, message) = (frame.object(object)?, run.text(frame, message)?);
    if run.outcome.feedback.len() >= MOST {
        return run.heed_feedback();
    }
    let message = text::one_line(&message, 2_000);
    run.outcome.feedback.push(Feedback { object: Some(object), member: Some(member.clone()), message });
    Ok(())
}
