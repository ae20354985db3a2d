//! Objects that travel: canonical text out, and strictly read back in.

use super::{Held, Workspace, WorkspaceError, snapshots};
use crate::domain::{Kind, Name, ObjectId, QName, Value, parse_value};
use crate::model::Model;
use std::collections::BTreeMap;

/// An object and the objects in memory that it refers to, as text. What travels must be sealed by
/// whoever lets it go: nothing here proves where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The object itself first.
    objects: Vec<One>,
}

/// One object as text. Kinds are not told: the model knows them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    /// Its number; 0 asks for a fresh one.
    id: i64,
    entity: String,
    version: i64,
    members: BTreeMap<String, String>,
}

impl Workspace {
    /// The object, with those in memory that it leads to; `None` when it is not held here.
    pub fn export(&self, object: ObjectId) -> Option<Exported> {
        let mut ids = vec![object];
        let mut objects = Vec::new();
        let mut at = 0;
        while let Some(id) = ids.get(at).copied() {
            at += 1;
            let Some(held) = self.held(id) else { continue };
            for value in held.members.values() {
                let leads: &[ObjectId] = match value {
                    Value::Object(to) => std::slice::from_ref(to),
                    Value::List(all) => all,
                    _ => &[],
                };
                let new: Vec<_> = leads.iter().filter(|to| self.objects.contains_key(to) && !ids.contains(to)).copied().collect();
                ids.extend(new);
            }
            let number = if self.objects.contains_key(&id) { id.0 } else { 0 };
            let members = text_of(&held.members);
            objects.push(One { id: number, entity: held.entity.to_string(), version: held.version, members });
        }
        self.held(object).map(|_| Exported { objects })
    }

    /// Takes back what [`Workspace::export`] gave; the object's number in this workspace.
    ///
    /// Unknown entities, members and values are refused, and so is an object whose number is taken
    /// by a different one. All or nothing.
    pub fn import(&mut self, exported: &Exported) -> Result<ObjectId, WorkspaceError> {
        let mut trial = self.clone();
        let mut first = None;
        for one in &exported.objects {
            let id = trial.import_one(one)?;
            first.get_or_insert(id);
        }
        let first = first.ok_or_else(|| WorkspaceError::Misfit("nothing is in it".into()))?;
        *self = trial;
        Ok(first)
    }

    fn import_one(&mut self, one: &One) -> Result<ObjectId, WorkspaceError> {
        let misfit = |text: String| Err(WorkspaceError::Misfit(text));
        let Some(entity) = QName::parse(&one.entity) else { return misfit("this is no entity".into()) };
        let held = Held { members: read_members(&self.model, &entity, &one.members)?, entity, version: one.version };
        let id = if one.id == 0 { self.fresh() } else { ObjectId(one.id) };
        if id.0 >= 0 || id.0 <= snapshots::FIRST || one.version < 0 {
            return misfit("this number is not one of an object in memory".into());
        }
        match self.objects.get(&id) {
            Some(there) if *there != held => misfit(format!("object {} is here already and differs", id.0)),
            _ => self.put(id, held).map(|()| id),
        }
    }
}

pub(super) fn text_of(members: &BTreeMap<Name, Value>) -> BTreeMap<String, String> {
    members.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_string(), value.canonical())).collect()
}

/// Reads members of a non-persistable entity; unknown or unreadable ones are refused.
pub(super) fn read_members(
    model: &Model,
    entity: &QName,
    texts: &BTreeMap<String, String>,
) -> Result<BTreeMap<Name, Value>, WorkspaceError> {
    let misfit = |text: String| WorkspaceError::Misfit(text);
    let found =
        model.entity(entity).filter(|e| !e.persistable).ok_or_else(|| misfit(format!("{entity} is not kept in memory")))?;
    let mut members = BTreeMap::new();
    for (name, text) in texts {
        let stored = found.attributes.get(name.as_str()).is_none_or(|attribute| attribute.calculated.is_none());
        let kind = found.member_kind(name).filter(|_| stored).ok_or_else(|| misfit(format!("{entity} keeps no {name}")))?;
        let value = read_value(&kind, text).ok_or_else(|| misfit(format!("{entity}.{name} cannot be read")))?;
        let known = match (&kind, &value) {
            (Kind::Enumeration(of), Value::Text(text)) => {
                model.enumerations.get(of).is_some_and(|e| e.values.contains_key(&**text))
            }
            _ => true,
        };
        if !known {
            return Err(misfit(format!("{entity}.{name} has no such value")));
        }
        members.insert(Name::new(name), value);
    }
    Ok(members)
}

fn read_value(kind: &Kind, text: &str) -> Option<Value> {
    let Kind::List(_) = kind else { return parse_value(kind, text) };
    let ids = text.split(' ').filter(|part| !part.is_empty());
    let ids = ids.map(|part| part.strip_prefix('#')?.parse().ok().map(ObjectId));
    ids.collect::<Option<Vec<_>>>().map(Value::List)
}
