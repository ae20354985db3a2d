//! Change members of an object.

use crate::domain::{Name, QName};
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    object: &Name,
    entity: &QName,
    set: &[(Name, Typed)],
) -> Result<(), FlowError> {
    let object = frame.object(object)?;
    let values = run.values(frame, set)?;
    run.change(&frame.authority, entity, object, None, &values)
}
