//! Carrying out the changes of a form, and the microflow that it starts with them.

use super::visit::Next;
use crate::access::{Grants, Permit, Run};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::flow::{self, FlowContext, FlowError, Outcome};
use crate::page::form::{self, Argument, Target};
use std::collections::BTreeMap;

/// Where to go, and what came of it.
pub(super) type Carry = Result<(Next, Outcome), FlowError>;

/// Makes and changes what the form says, outer data views first; `made` learns what is new.
pub(super) fn apply(
    grants: &Grants,
    changes: Vec<form::Change>,
    context: &mut FlowContext<'_>,
    made: &mut BTreeMap<String, ObjectId>,
) -> Result<Outcome, FlowError> {
    let mut all = Outcome::default();
    for change in changes {
        let form::Change { view, entity, target, values } = change;
        let outcome = match target {
            Target::New => {
                let (id, outcome) = flow::deed::create(context, grants, &entity, &values)?;
                made.insert(view, id);
                outcome
            }
            Target::Stored(_, _) | Target::Fresh(_) if values.is_empty() => continue,
            Target::Stored(id, version) => flow::deed::change(context, grants, &entity, id, Some(version), &values)?,
            Target::Fresh(id) => flow::deed::change(context, grants, &entity, id, None, &values)?,
        };
        all.messages.extend(outcome.messages);
    }
    Ok(all)
}

/// The same, then the microflow.
pub(super) fn run(
    grants: &Grants,
    permit: &Permit<Run>,
    arguments: Vec<(Name, Argument)>,
    changes: Vec<form::Change>,
    context: &mut FlowContext<'_>,
    made: &mut BTreeMap<String, ObjectId>,
) -> Result<Outcome, FlowError> {
    let fresh: Vec<(QName, Target, String)> = changes.iter().map(|c| (c.entity.clone(), c.target, c.view.clone())).collect();
    let applied = apply(grants, changes, context, made)?;
    for (entity, target, view) in fresh {
        let stored = grants.model().entity(&entity).is_none_or(|found| found.persistable);
        let object = match target {
            Target::Fresh(id) => Some(id),
            Target::New if !stored => made.get(&view).copied(),
            _ => None,
        };
        if let Some(object) = object {
            let complaints = context.objects.validate(&grants.view(&entity)?, object)?;
            if !complaints.is_empty() {
                return Err(FlowError::Feedback(complaints));
            }
        }
    }
    let mut values = BTreeMap::new();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Value(value) => value,
            Argument::New(view) => made.get(&view).copied().map_or(Value::Empty, Value::Object),
        };
        values.insert(name, value);
    }
    let mut outcome = flow::run(permit, values, context)?;
    outcome.messages.splice(0..0, applied.messages);
    Ok(outcome)
}
