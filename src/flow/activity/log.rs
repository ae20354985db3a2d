//! Write a line to the log, also when the run fails later.

use crate::expr::Template;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;
use crate::model::LogLevel;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    node: &str,
    level: LogLevel,
    template: &Template,
) -> Result<(), FlowError> {
    let line = text::log_line(&run.text(frame, template)?);
    run.context.effects.line(node, level, line);
    Ok(())
}
