//! Publish a list as a public snapshot, after the commit. Copied are the attributes that the
//! flow may read; associations never are, because a public copy leads nowhere.

use crate::access::Cell;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::EvalError;
use crate::flow::FlowError;
use crate::flow::effects::Published;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use std::collections::BTreeMap;

const MOST: usize = 2_000;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    snapshot: &QName,
    list: &Name,
) -> Result<(), FlowError> {
    run.heed_feedback()?;
    let ids = frame.list(list)?;
    let found = run.model.snapshots.get(snapshot).map(|found| found.entity.clone());
    let entity = found.ok_or_else(|| FlowError::Broken(format!("there is no snapshot {snapshot}")))?;
    if ids.len() > MOST {
        return Err(FlowError::Exhausted("it publishes more than 2 000 objects"));
    }
    let objects = ids.into_iter().map(|id| copied(run, frame, &entity, id)).collect::<Result<_, _>>()?;
    run.context.effects.published.push(Published { snapshot: snapshot.clone(), objects });
    Ok(())
}

fn copied(
    run: &mut Interpreter<'_, '_>,
    frame: &Frame,
    entity: &QName,
    id: ObjectId,
) -> Result<BTreeMap<Name, Value>, FlowError> {
    let model = run.model.clone();
    let attributes = model.entity(entity).map(|found| &found.attributes).into_iter().flat_map(|all| all.values());
    let loaded = run.reading(&frame.authority).loaded(entity, id)?;
    let mut copy = BTreeMap::new();
    for attribute in attributes.filter(|attribute| attribute.calculated.is_none()) {
        let cell = loaded.as_ref().and_then(|object| object.members.get(&attribute.name));
        let Some(Cell::Shown(value)) = cell else {
            return Err(EvalError::Withheld(entity.clone(), attribute.name.clone()).into());
        };
        copy.insert(attribute.name.clone(), value.clone());
    }
    Ok(copy)
}
