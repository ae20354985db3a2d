//! Create an object with first values.

use crate::domain::{Kind, Name, QName, Value};
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    output: &Name,
    entity: &QName,
    set: &[(Name, Typed)],
) -> Result<(), FlowError> {
    let values = run.values(frame, set)?;
    let object = run.create(&frame.authority, entity, &values)?;
    frame.put(output, &Kind::Object(entity.clone()), Value::Object(object))
}
