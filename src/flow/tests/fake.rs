//! A store in memory that decides by the same permits. It deliberately shows nothing.

use crate::access::*;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, EvalError, Typed, compare_values, evaluate};
use crate::model::{Model, OnDelete};
use chrono::NaiveDateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Members = BTreeMap<Name, Value>;

#[derive(Clone)]
pub(super) struct Fake {
    model: Arc<Model>,
    now: NaiveDateTime,
    user: ObjectId,
    pub(super) rows: BTreeMap<ObjectId, (QName, Members)>,
    /// Questions asked so far.
    pub(super) asked: u32,
    next: i64,
    /// What somebody else wrote, who was first to lock it.
    pub(super) waited_for: Option<(ObjectId, Members)>,
}

impl Fake {
    pub(super) fn new(model: Arc<Model>, now: NaiveDateTime, user: ObjectId) -> Self {
        Self { model, now, user, rows: BTreeMap::new(), asked: 0, next: 1000, waited_for: None }
    }

    pub(super) fn put<'a>(&mut self, id: i64, entity: &str, members: impl IntoIterator<Item = (&'a str, Value)>) {
        self.rows.insert(ObjectId(id), (super::q(entity), super::values(members)));
    }

    pub(super) fn value(&self, id: i64, name: &str) -> Value {
        self.rows.get(&ObjectId(id)).and_then(|(_, members)| members.get(name)).cloned().unwrap_or(Value::Empty)
    }

    fn eval(&self, rights: &Rights, e: &Typed, this: Option<ObjectId>, variables: &Members) -> Result<Value, ObjectError> {
        let environment = Environment { this, user: Some(self.user), roles: &rights.roles, now: self.now, variables };
        evaluate(e, &environment, &mut Raw(self)).map_err(|error| ObjectError::Fault(Box::new(error)))
    }

    fn holds(&self, rights: &Rights, entity: &EntityRights, rules: &[usize], id: ObjectId) -> bool {
        rules.iter().any(|index| match &entity.rules[*index].condition {
            None => true,
            Some(condition) => self.eval(rights, condition, Some(id), &Members::new()).unwrap().holds(),
        })
    }

    fn loaded(&self, permit: &Permit<Load>, id: ObjectId) -> LoadedObject {
        let rights = permit.entity_rights().unwrap();
        let cell = |name: &Name, rules: &[usize]| {
            if !self.holds(permit.rights(), rights, rules, id) {
                return Cell::Withheld;
            }
            match rights.entity.attributes.get(name).and_then(|a| a.calculated.clone()) {
                Some(e) => Cell::Shown(self.eval(permit.rights(), &e, Some(id), &Members::new()).unwrap()),
                None => Cell::Shown(self.value(id.0, name)),
            }
        };
        let members = rights.readable.iter().map(|(name, rules)| (name.clone(), cell(name, rules))).collect();
        LoadedObject { entity: permit.target().clone(), id, version: 1, members }
    }

    fn refuse(permit: &QName) -> WriteError {
        Denied::new(Layer::EntityAccess, Reason::NewRow(permit.clone(), Vec::new())).into()
    }

    fn writable(&self, rights: &Rights, entity: &EntityRights, id: ObjectId, values: &Members) -> bool {
        values.keys().all(|name| self.holds(rights, entity, &entity.writable[name], id))
    }

    fn valid(&self, entity: &EntityRights, id: ObjectId) -> Result<(), WriteError> {
        let missing = entity.entity.attributes.values().find(|a| a.required && self.value(id.0, &a.name).is_empty());
        let complaint = |member: Name| Feedback { object: Some(id), member: Some(member), message: "This is required".into() };
        missing.map_or(Ok(()), |a| Err(WriteError::Invalid(vec![complaint(a.name.clone())])))
    }
}

struct Raw<'a>(&'a Fake);

impl Data for Raw<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let found = self.0.model.entity(entity).unwrap();
        if found.inverses.contains_key(name) {
            return Ok(self.many(entity, object, name)?.first().map_or(Value::Empty, |id| Value::Object(*id)));
        }
        Ok(self.0.value(object.0, name))
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        let inverse = &self.0.model.entity(entity).unwrap().inverses[name];
        let rows = self.0.rows.iter().filter(|(_, (of, _))| *of == inverse.owner);
        let leads = |members: &Members| members.get(&inverse.association) == Some(&Value::Object(object));
        Ok(rows.filter(|(_, (_, members))| leads(members)).map(|(id, _)| *id).collect())
    }
}

impl Objects for Fake {
    fn view(&mut self, _: &Permit<View>, _: &Query) -> Result<Released<Rows>, ObjectError> {
        panic!("a flow never views")
    }
    fn figure(&mut self, _: &Permit<View>, _: &Query, _: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        panic!("a flow never views")
    }
    fn load(&mut self, permit: &Permit<Load>, query: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        self.asked += 1;
        let rights = permit.entity_rights().unwrap();
        let along = query.along.as_ref().map(|(entity, id, name)| Raw(self).many(entity, *id, name).unwrap());
        let mut found = Vec::new();
        for (id, (entity, _)) in &self.rows {
            let meant = entity == permit.target()
                && query.object.is_none_or(|o| o == *id)
                && along.as_ref().is_none_or(|a| a.contains(id));
            let inside = |inside: &Inside| {
                Ok::<_, ObjectError>(self.eval(permit.rights(), &inside.condition, Some(*id), &inside.variables)?.holds())
            };
            if meant
                && self.holds(permit.rights(), rights, permit.rules(), *id)
                && query.inside.as_ref().map_or(Ok(true), inside)?
            {
                found.push(self.loaded(permit, *id));
            }
        }
        for (path, descending) in query.sort.iter().rev() {
            found.sort_by(|a, b| {
                let order = compare_values(&self.value(a.id.0, &path[0]), &self.value(b.id.0, &path[0])).unwrap();
                if *descending { order.reverse() } else { order }
            });
        }
        Ok(found.into_iter().skip(query.offset as usize).take(query.limit as usize).collect())
    }
    fn create(&mut self, permit: &Permit<Create>, values: &Members) -> Result<ObjectId, WriteError> {
        let rights = permit.entity_rights().unwrap();
        let id = ObjectId(self.next);
        self.next += 1;
        let mut members = Members::new();
        for attribute in rights.entity.attributes.values() {
            if let Some(default) = &attribute.default {
                members.insert(attribute.name.clone(), self.eval(permit.rights(), default, None, &Members::new())?);
            } else if attribute.kind() == Kind::Boolean {
                members.insert(attribute.name.clone(), Value::Boolean(false));
            }
        }
        members.extend(values.clone());
        self.rows.insert(id, (permit.target().clone(), members));
        self.valid(rights, id)?;
        let fits = self.holds(permit.rights(), rights, permit.rules(), id) && self.writable(permit.rights(), rights, id, values);
        if fits { Ok(id) } else { Err(Self::refuse(permit.target())) }
    }
    fn change(&mut self, permit: &Permit<Change>, id: ObjectId, _: Option<i64>, values: &Members) -> Result<(), WriteError> {
        let rights = permit.entity_rights().unwrap();
        let there = self.rows.get(&id).is_some_and(|(entity, _)| entity == permit.target());
        if !there || !self.writable(permit.rights(), rights, id, values) {
            return Err(Self::refuse(permit.target()));
        }
        self.rows.get_mut(&id).unwrap().1.extend(values.clone());
        self.valid(rights, id)?;
        if self.writable(permit.rights(), rights, id, values) { Ok(()) } else { Err(Self::refuse(permit.target())) }
    }
    fn delete(&mut self, permit: &Permit<Delete>, id: ObjectId, _: Option<i64>) -> Result<(), WriteError> {
        let rights = permit.entity_rights().unwrap();
        if !self.rows.contains_key(&id) || !self.holds(permit.rights(), rights, permit.rules(), id) {
            return Err(Self::refuse(permit.target()));
        }
        let held: BTreeSet<QName> = self.rows.values().map(|(entity, _)| entity.clone()).collect();
        for entity in held {
            let associations = self.model.entity(&entity).unwrap().associations.values();
            for association in associations.filter(|a| a.target == *permit.target() && a.on_delete == OnDelete::Refuse) {
                let points = |m: &Members| m.get(&association.name) == Some(&Value::Object(id));
                if self.rows.values().any(|(of, members)| *of == entity && points(members)) {
                    return Err(WriteError::InUse(entity));
                }
            }
        }
        self.rows.remove(&id);
        Ok(())
    }
    fn lock(&mut self, permit: &Permit<Load>, id: ObjectId) -> Result<(), WriteError> {
        if let Some((object, members)) = self.waited_for.take() {
            self.rows.get_mut(&object).unwrap().1.extend(members);
        }
        let rights = permit.entity_rights().unwrap();
        match self.rows.contains_key(&id) {
            false => Err(WriteError::Stale),
            true if !self.holds(permit.rights(), rights, permit.rules(), id) => Err(Self::refuse(permit.target())),
            true => Ok(()),
        }
    }
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        Raw(self).member(&Model::user_entity(), self.user, name)
    }
}
