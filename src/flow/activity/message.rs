//! Tell the person something.

use crate::expr::Template;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;
use crate::model::Tone;

const MOST: usize = 50;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    template: &Template,
    tone: Tone,
) -> Result<(), FlowError> {
    let told = run.text(frame, template)?;
    if run.outcome.messages.len() >= MOST {
        return Err(FlowError::Exhausted("it tells more than 50 messages"));
    }
    run.outcome.messages.push((tone, text::one_line(&told, 2_000)));
    Ok(())
}
