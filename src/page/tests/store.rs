//! Objects in memory, read by brute force: rows × rules, nothing clever.

use crate::access::*;
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, EvalError, evaluate, holds};
use crate::model::Model;
use chrono::NaiveDateTime;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Members = BTreeMap<Name, Value>;

/// All objects, and how often they were asked.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) model: Arc<Model>,
    pub(crate) rows: BTreeMap<(QName, ObjectId), (i64, Members)>,
    pub(crate) user: Option<ObjectId>,
    pub(crate) now: NaiveDateTime,
    pub(crate) queries: Vec<Query>,
}

/// The truth, for rules and constraints.
struct Truth<'m>(&'m Memory);

impl Data for Truth<'_> {
    fn member(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Value, EvalError> {
        let found = self.0.model.entity(entity).unwrap();
        if let Some(inverse) = found.inverses.get(name) {
            let owner = self.0.rows.iter().find(|((entity, _), (_, members))| {
                *entity == inverse.owner && members.get(&inverse.association) == Some(&Value::Object(object))
            });
            return Ok(owner.map_or(Value::Empty, |((_, id), _)| Value::Object(*id)));
        }
        let row = self.0.rows.get(&(entity.clone(), object));
        Ok(row.and_then(|(_, members)| members.get(name)).cloned().unwrap_or(Value::Empty))
    }
    fn many(&mut self, entity: &QName, object: ObjectId, name: &Name) -> Result<Vec<ObjectId>, EvalError> {
        Ok(self.0.along(entity, object, name).into_iter().map(|(_, id)| id).collect())
    }
}

impl Memory {
    fn along(&self, entity: &QName, object: ObjectId, name: &Name) -> Vec<(QName, ObjectId)> {
        let Some(inverse) = self.model.entity(entity).unwrap().inverses.get(name) else { return Vec::new() };
        let owners = self.rows.iter().filter(|((entity, _), (_, members))| {
            *entity == inverse.owner && members.get(&inverse.association) == Some(&Value::Object(object))
        });
        owners.map(|(key, _)| key.clone()).collect()
    }

    fn holds(
        &self,
        condition: &crate::expr::Typed,
        this: ObjectId,
        variables: &BTreeMap<Name, Value>,
        roles: &BTreeSet<Name>,
    ) -> bool {
        let environment = Environment { this: Some(this), user: self.user, roles, now: self.now, variables };
        holds(condition, &environment, &mut Truth(self)).unwrap()
    }

    fn satisfied(&self, rights: &Rights, rule: &Rule, id: ObjectId) -> bool {
        rule.condition.as_ref().is_none_or(|condition| self.holds(condition, id, &BTreeMap::new(), &rights.roles))
    }

    fn cell(&self, rights: &Rights, entity: &QName, id: ObjectId, path: &[Name]) -> Cell {
        let (first, rest) = path.split_first().unwrap();
        let found = self.model.entity(entity).unwrap();
        if let Some(inverse) = found.inverses.get(first) {
            let owner = self.along(entity, id, first).into_iter().next();
            let Some((owner, id)) = owner else { return Cell::Shown(Value::Empty) };
            assert!(!rest.is_empty() && !inverse.many, "a path ends at a member");
            return self.cell(rights, &owner, id, rest);
        }
        let readable = rights
            .entities
            .get(entity)
            .is_some_and(|all| all.rules.iter().any(|rule| rule.read.contains(first) && self.satisfied(rights, rule, id)));
        if !readable {
            return Cell::Withheld;
        }
        let value = match &found.attributes.get(first).and_then(|attribute| attribute.calculated.clone()) {
            Some(typed) => {
                let none = BTreeMap::new();
                let environment =
                    Environment { this: Some(id), user: None, roles: &rights.roles, now: self.now, variables: &none };
                evaluate(typed, &environment, &mut Truth(self)).unwrap()
            }
            None => Truth(self).member(entity, id, first).unwrap(),
        };
        match (rest.is_empty(), &value) {
            (true, _) => Cell::Shown(value),
            (false, Value::Object(next)) => self.cell(rights, &found.associations[first].target, *next, rest),
            (false, _) => Cell::Shown(Value::Empty),
        }
    }

    fn found(&self, permit: &Permit<View>, query: &Query) -> Vec<ObjectId> {
        let rights = permit.rights();
        let rules = &permit.entity_rights().unwrap().rules;
        let none = BTreeMap::new();
        let all = self.rows.keys().filter(|(entity, _)| *entity == query.entity).map(|(_, id)| *id);
        all.filter(|id| permit.rules().iter().any(|rule| self.satisfied(rights, &rules[*rule], *id)))
            .filter(|id| query.object.is_none_or(|wanted| wanted == *id))
            .filter(|id| {
                query
                    .along
                    .as_ref()
                    .is_none_or(|(entity, from, name)| self.along(entity, *from, name).iter().any(|(_, to)| to == id))
            })
            .filter(|id| {
                query.inside.as_ref().is_none_or(|inside| {
                    let variables = if inside.variables.is_empty() { &none } else { &inside.variables };
                    self.holds(&inside.condition, *id, variables, &rights.roles)
                })
            })
            .filter(|id| query.filters.iter().all(|filter| fits(filter, &self.cell(rights, &query.entity, *id, &filter.path))))
            .filter(|id| {
                query.search.as_ref().is_none_or(|(text, paths)| {
                    paths.iter().any(|path| contains(&self.cell(rights, &query.entity, *id, path), text))
                })
            })
            .collect()
    }
}

fn contains(cell: &Cell, text: &str) -> bool {
    cell.value().and_then(Value::as_text).is_some_and(|value| value.to_lowercase().contains(&text.to_lowercase()))
}

fn fits(filter: &Filter, cell: &Cell) -> bool {
    let Some(value) = cell.value() else { return false };
    let order = crate::expr::compare_values(value, &filter.value);
    match filter.op {
        FilterOp::Equal => order == Some(Ordering::Equal),
        FilterOp::From => order.is_some_and(Ordering::is_ge),
        FilterOp::To => order.is_some_and(Ordering::is_le),
        FilterOp::Contains => contains(cell, filter.value.as_text().unwrap()),
        FilterOp::Empty => value.is_empty(),
    }
}

impl Objects for Memory {
    fn view(&mut self, permit: &Permit<View>, query: &Query) -> Result<Released<Rows>, ObjectError> {
        self.queries.push(query.clone());
        let rights = permit.rights().clone();
        for path in query.paths.iter().chain(query.sort.iter().map(|(path, _)| path)) {
            assert!(
                permit.may_read(&path[0]) || self.model.entity(&query.entity).unwrap().inverses.contains_key(&path[0]),
                "{path:?} was asked for"
            );
        }
        let mut found = self.found(permit, query);
        for (path, down) in query.sort.iter().rev() {
            let key = |id: &ObjectId| self.cell(&rights, &query.entity, *id, path).value().cloned().unwrap_or(Value::Empty);
            found.sort_by(|a, b| {
                let order = crate::expr::compare_values(&key(a), &key(b)).unwrap_or(Ordering::Equal);
                if *down { order.reverse() } else { order }
            });
        }
        let total = query.total.map(|most| Total { count: (found.len() as u32).min(most), capped: found.len() as u32 > most });
        let rest: Vec<ObjectId> = found.into_iter().skip(query.offset as usize).collect();
        let more = rest.len() > query.limit as usize;
        let rows = rest.into_iter().take(query.limit as usize).map(|id| Row {
            id,
            version: self.rows[&(query.entity.clone(), id)].0,
            cells: query.paths.iter().map(|path| self.cell(&rights, &query.entity, id, path)).collect(),
        });
        let rows = rows.collect();
        Ok(permit.release(Rows { rows, more, total }))
    }
    fn figure(&mut self, permit: &Permit<View>, query: &Query, sum: Option<&Name>) -> Result<Released<Cell>, ObjectError> {
        let found = self.found(permit, query);
        let cells = |name: &Name| {
            found.iter().map(|id| self.cell(permit.rights(), &query.entity, *id, std::slice::from_ref(name))).collect::<Vec<_>>()
        };
        let value = match sum {
            None => Value::Integer(found.len() as i64),
            Some(name) => Value::Decimal(cells(name).iter().filter_map(|cell| cell.value()?.as_decimal()).sum()),
        };
        Ok(permit.release(Cell::Shown(value)))
    }
    fn load(&mut self, _: &Permit<Load>, _: &Query) -> Result<Vec<LoadedObject>, ObjectError> {
        panic!("a page loads nothing")
    }
    fn create(&mut self, _: &Permit<Create>, _: &BTreeMap<Name, Value>) -> Result<ObjectId, WriteError> {
        panic!("a page creates nothing")
    }
    fn change(&mut self, _: &Permit<Change>, _: ObjectId, _: Option<i64>, _: &BTreeMap<Name, Value>) -> Result<(), WriteError> {
        panic!("a page changes nothing")
    }
    fn delete(&mut self, _: &Permit<Delete>, _: ObjectId, _: Option<i64>) -> Result<(), WriteError> {
        panic!("a page deletes nothing")
    }
    fn identity(&mut self, name: &Name) -> Result<Value, EvalError> {
        let user = self.user.ok_or_else(|| EvalError::Withheld(Model::user_entity(), name.clone()))?;
        Truth(self).member(&Model::user_entity(), user, name)
    }
}
