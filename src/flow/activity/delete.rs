//! Delete an object.

use crate::domain::{Name, QName};
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    object: &Name,
    entity: &QName,
) -> Result<(), FlowError> {
    let id = frame.object(object)?;
    run.delete(&frame.authority, entity, id, None)
}
