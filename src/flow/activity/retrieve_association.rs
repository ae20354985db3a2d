//! Retrieve over an association: to-one gives an object or empty, to-many a list.

use crate::domain::{Kind, Name, QName, Value};
use crate::expr::Data;
use crate::flow::FlowError;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    (output, from, entity, member, many): (&Name, &Name, &QName, &Name, bool),
) -> Result<(), FlowError> {
    let object = frame.object(from)?;
    let start = frame.entity(from)?.clone();
    let authority = frame.authority.clone();
    let mut reading = run.reading(&authority);
    let value = if many { reading.many(&start, object, member).map(Value::List) } else { reading.member(&start, object, member) };
    let value = match value {
        Ok(value) => value,
        Err(error) => return Err(reading.failed(error)),
    };
    let target = run.model.entity(&start).and_then(|found| {
        let own = found.associations.get(member).map(|association| association.target.clone());
        own.or_else(|| found.inverses.get(member).map(|inverse| inverse.owner.clone()))
    });
    let target = target.unwrap_or_else(|| entity.clone());
    if let Value::List(ids) = &value {
        run.prefetch(frame, &target, ids)?;
    }
    frame.put(output, &if many { Kind::List(target) } else { Kind::Object(target) }, value)
}
