//! What is still wrong with an object as a whole.

use super::Workspace;
use super::reading::Reading;
use super::values::accept;
use crate::access::{Denied, Feedback, Layer, ObjectError, Objects, Permit, Reason, View};
use crate::domain::{ObjectId, Value};

impl Workspace {
    pub(super) fn validate(
        &self,
        beyond: &mut dyn Objects,
        permit: &Permit<View>,
        object: ObjectId,
    ) -> Result<Vec<Feedback>, ObjectError> {
        let unknown =
            || Denied::concealed(Layer::EntityAccess, Reason::RowCondition { entity: permit.target().clone(), rules: vec![] });
        let held = self.held(object).filter(|held| held.entity == *permit.target()).ok_or_else(unknown)?;
        let entity = self.model.entity(&held.entity).ok_or_else(unknown)?;
        let mut wrong = Vec::new();
        let mut say = |member: Option<&_>, message: String| {
            wrong.push(Feedback { object: Some(object), member: member.cloned(), message });
        };
        for name in entity.members().filter(|name| !entity.server_kept(name)) {
            let value = held.member(name);
            let required =
                entity.attributes.get(name).map(|a| a.required).or_else(|| entity.associations.get(name).map(|a| a.required));
            let missing = value.is_empty() || matches!(&value, Value::List(all) if all.is_empty());
            if missing && required == Some(true) {
                say(Some(name), "This is required".into());
            } else if let Err(message) = accept(&self.model, entity, name, &value) {
                say(Some(name), message);
            }
        }
        for validation in &entity.validations {
            let mut reading = Reading { workspace: self, beyond, reader: Some(permit), failure: None };
            if !reading.satisfied(&validation.rule, object)? {
                say(validation.member.as_ref(), validation.message.clone());
            }
        }
        Ok(wrong)
    }
}
