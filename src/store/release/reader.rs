//! What a reader may have of a row, decided in memory, rule by rule.
//!
//! Guarantees: only the rules of the rights and values re-read by key decide; neither the SQL
//! conditions nor what was compiled for them is looked at.

use super::kept::Counted;
use super::plan::{Condition, Granting, Plan};
use super::values::{At, Values};
use crate::access::{ObjectError, Rights};
use crate::domain::{Name, ObjectId, QName, Value};
use crate::expr::{Data, Environment, EvalError, Node, Typed, evaluate};
use crate::model::Model;
use crate::store::Caller;
use crate::store::tables::Hop;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why there is no decision.
pub(super) enum Stop {
    /// A value was not read yet.
    Missing,
    /// It cannot be decided at all.
    Failed(ObjectError),
}

pub(super) type Decided<T> = Result<T, Stop>;

/// Where a path leads to.
pub(super) enum Reach {
    /// Not so far: the reader may not go on.
    Shut,
    /// Not so far: a reference that the reader sees is empty.
    Nowhere,
    /// To this object, which the reader may see.
    Row(At, ObjectId),
}

/// What the parts of a condition that are the same for every row come to; `None` where one of them cannot be computed.
pub(super) type Fixed = Option<Arc<BTreeMap<Name, Value>>>;

/// Decides for one reader.
pub(super) struct Reader<'a> {
    pub values: Values<'a>,
    rights: &'a Rights,
    caller: Caller,
    none: BTreeMap<Name, Value>,
    /// Rules as they are for this caller.
    pub(super) fixed: Vec<(At, usize, Fixed)>,
    /// How many rows questions before this one have.
    pub(super) counted: Vec<Counted>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(values: Values<'a>, rights: &'a Rights, caller: Caller) -> Self {
        Self { values, rights, caller, none: BTreeMap::new(), fixed: Vec::new(), counted: Vec::new() }
    }

    pub(super) fn place(&mut self, entity: &QName) -> Decided<At> {
        self.values.place(entity).ok_or(Stop::Failed(crate::store::error::fault("this entity is not stored")))
    }

    /// What an evaluation comes to; missing values are noted by what it reads from.
    pub(super) fn told<T>(&self, result: Result<T, EvalError>) -> Decided<T> {
        result.map_err(|error| if self.values.missing { Stop::Missing } else { Stop::Failed(ObjectError::Fault(error.into())) })
    }

    pub(super) fn compute(&mut self, e: &Typed, this: ObjectId, variables: &BTreeMap<Name, Value>) -> Decided<Value> {
        let environment =
            Environment { this: Some(this), user: self.caller.user, roles: &self.rights.roles, now: self.caller.now, variables };
        let result = evaluate(e, &environment, &mut self.values);
        self.told(result)
    }

    /// What is said of an entity.
    pub(super) fn plan(&self, at: At) -> Decided<Arc<Plan>> {
        self.values.plan(at).cloned().map_err(Stop::Failed)
    }

    /// Any rule that gives something to read holds for the row.
    pub(super) fn visible(&mut self, at: At, id: ObjectId) -> Decided<bool> {
        let plan = self.plan(at)?;
        self.holds(at, id, &plan, plan.giving())
    }

    /// Any rule that lets the member be read holds for the row.
    pub(super) fn shown(&mut self, at: At, id: ObjectId, member: &Name) -> Decided<bool> {
        let plan = self.plan(at)?;
        self.holds(at, id, &plan, plan.granting(member))
    }

    /// Any of these rules holds for the row.
    pub(super) fn holds(&mut self, at: At, id: ObjectId, plan: &Plan, rules: Granting<'_>) -> Decided<bool> {
        // Without a condition it does not depend on the row, which need not be read then.
        let Some(rules) = rules else { return Ok(true) };
        if rules.is_empty() {
            return Ok(false);
        }
        let found = self.values.find(at, id);
        let Some(row) = self.told(found)? else { return Ok(false) };
        let mut missing = false;
        for rule in rules {
            match self.one(at, id, row, plan, *rule) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // The others may tell what else is missing, or that it does not matter.
                Err(Stop::Missing) => missing = true,
                Err(failed) => return Err(failed),
            }
        }
        if missing { Err(Stop::Missing) } else { Ok(false) }
    }

    fn one(&mut self, at: At, id: ObjectId, row: usize, plan: &Plan, number: usize) -> Decided<bool> {
        if let Some(Some(known)) = self.values.verdict(at, row, number) {
            return Ok(*known);
        }
        let holds = match plan.rule(number) {
            None => false,
            Some(None) => true,
            Some(Some(condition)) => match self.fixed(at, number, condition)? {
                Some(fixed) => self.compute(&condition.split.left, id, &fixed)?.holds(),
                None => self.compute(&condition.written, id, &BTreeMap::new())?.holds(),
            },
        };
        if let Some(place) = self.values.verdict(at, row, number) {
            *place = Some(holds);
        }
        Ok(holds)
    }

    /// What is the same for every row: what the caller leads to.
    fn fixed(&mut self, at: At, number: usize, condition: &Condition) -> Decided<Fixed> {
        if let Some((_, _, known)) = self.fixed.iter().find(|(of, rule, _)| *of == at && *rule == number) {
            return Ok(known.clone());
        }
        let environment = Environment {
            this: None,
            user: self.caller.user,
            roles: &self.rights.roles,
            now: self.caller.now,
            variables: &self.none,
        };
        let mut made = BTreeMap::new();
        for (name, part) in &condition.split.fixed {
            match evaluate(part, &environment, &mut self.values) {
                Ok(value) => drop(made.insert(name.clone(), value)),
                Err(_) if self.values.missing => return Err(Stop::Missing),
                // A part that cannot be computed may not be needed: it is asked for row by row.
                Err(_) => {
                    self.fixed.push((at, number, None));
                    return Ok(None);
                }
            }
        }
        let made = Some(Arc::new(made));
        self.fixed.push((at, number, made.clone()));
        Ok(made)
    }

    /// Follows the steps before the last one: each reference shown, each row on the way visible.
    pub(super) fn reach(&mut self, at: At, id: ObjectId, way: &[Name]) -> Decided<Reach> {
        let (mut at, mut id) = (at, id);
        for name in way {
            let table = self.values.table(at).map_err(Stop::Failed)?.clone();
            let own = table.entity.associations.get(name);
            let (next, target) = match (own, table.entity.inverses.get(name)) {
                (Some(association), _) => {
                    if !self.shown(at, id, name)? {
                        return Ok(Reach::Shut);
                    }
                    let value = self.values.member(&table.entity.name, id, name);
                    match self.told(value)? {
                        Value::Object(next) => (next, self.place(&association.target)?),
                        Value::Empty => return Ok(Reach::Nowhere),
                        _ => return Ok(Reach::Shut),
                    }
                }
                (None, Some(inverse)) => {
                    let owner = self.place(&inverse.owner)?;
                    let first = self.values.list(&table.entity.name, id, name).map(|all| all.first().copied());
                    let Some(next) = self.told(first)? else { return Ok(Reach::Shut) };
                    if !self.shown(owner, next, &inverse.association)? {
                        return Ok(Reach::Shut);
                    }
                    (next, owner)
                }
                (None, None) => return Ok(Reach::Shut),
            };
            if !self.visible(target, next)? {
                return Ok(Reach::Shut);
            }
            (at, id) = (target, next);
        }
        Ok(Reach::Row(at, id))
    }

    /// The value of a member, whoever may see it.
    pub(super) fn value(&mut self, at: At, id: ObjectId, member: &Name) -> Decided<Value> {
        let table = self.values.table(at).map_err(Stop::Failed)?.clone();
        let calculated = table.entity.attributes.get(member).and_then(|attribute| attribute.calculated.clone());
        if let Some(expression) = calculated {
            return self.compute(&expression, id, &BTreeMap::new());
        }
        let entity = &table.entity.name;
        let linked = matches!(self.values.hop(entity, member), Some(Hop::Link(_)));
        let value =
            if linked { self.values.many(entity, id, member).map(Value::List) } else { self.values.member(entity, id, member) };
        self.told(value)
    }

    /// What the rules compare of the caller will be needed.
    pub(super) fn prepare_caller(&mut self) {
        if let Some(user) = self.caller.user {
            self.values.want_anchors(&Model::user_entity(), user);
        }
    }

    /// The members that a condition compares will be needed, whichever rows they turn out to be of.
    pub(super) fn prepare_condition(&mut self, condition: &Typed) {
        condition.visit(&mut |part| {
            if let Node::Member { entity, name, .. } = &part.node
                && let Some(at) = self.values.place(entity)
            {
                self.values.want_member(at, name);
            }
        });
    }

    /// What will be needed along these paths, so that it is read with the rest.
    pub(super) fn prepare(&mut self, at: At, path: &[Name], with_last: bool) {
        let mut at = at;
        for (n, name) in path.iter().enumerate() {
            let last = n + 1 == path.len();
            if last && !with_last {
                return;
            }
            let Ok(table) = self.values.table(at).cloned() else { return };
            self.values.want_member(at, name);
            let entity = &table.entity;
            let next = entity.associations.get(name).map(|own| &own.target);
            let next = next.or_else(|| entity.inverses.get(name).map(|inverse| &inverse.owner));
            let Some(next) = next.and_then(|next| self.values.place(next)) else { return };
            at = next;
        }
    }
}
