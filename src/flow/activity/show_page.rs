//! Show a page when the run has ended. Whether the caller may open it is decided then.

use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::model::Open;

pub(super) fn carry_out(run: &mut Interpreter<'_, '_>, frame: &mut Frame, open: &Open) -> Result<(), FlowError> {
    let with = run.values(frame, &open.with)?;
    run.outcome.page = Some((open.page.clone(), with));
    Ok(())
}
