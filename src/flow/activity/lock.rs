//! Lock a stored object: others who would lock or change it wait until this run is over, and what is read of it from
//! here on is what it is now.

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
    run.lock(&frame.authority, entity, id)
}
