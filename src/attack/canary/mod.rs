//! Canary data for any model: rows such that every rule of every role holds for some and not for others, and cells
//! whose texts stand nowhere else, so that each is known again wherever it comes out.
//!
//! The same seed gives the same data. What cannot carry a mark (an enumeration, a boolean, a small number) is told
//! by comparing answers over two sets of data (`class::compared`).

mod mark;
mod random;
mod rules;
mod text;
mod value;

pub use mark::{Found, Marks};
pub use random::Random;

use super::guard::is_sound;
use super::oracle::{Oracle, Who};
use super::world::World;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::Typed;
use crate::model::{Association, Attribute, AttributeKind, Entity, Model, Multiplicity};
use crate::store::StoredRow;
use chrono::NaiveDateTime;
use rules::{Compared, paths_of_the_user};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keys of canary rows begin here, so that rows which the server makes have others.
pub const FIRST: i64 = 1_000_000;
/// Rows of each entity before anything is covered on purpose.
const ROWS: usize = 6;
/// Most rows of an entity.
const MOST: usize = 60;
/// Rows that are tried for one case of one rule.
const TRIES: usize = 160;

/// A row class: a rule holds, or does not, for one of those it speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowClass {
    entity: QName,
    rule: usize,
    user: Option<ObjectId>,
    holds: bool,
}

/// The data, and how much of what was wanted it shows.
pub struct Canaries {
    /// The rows.
    pub world: World,
    /// The order in which rows were made: what a row refers to comes before it, as far as it can.
    pub order: Vec<(QName, ObjectId)>,
    /// Row classes that have a row.
    pub covered: usize,
    /// Row classes that have none: rules that hold for every possible row, or for none.
    pub missing: Vec<String>,
}

/// Makes the data for these people.
pub fn grow(model: &Model, accounts: World, people: &[Who], now: NaiveDateTime, seed: u64) -> Canaries {
    let mut nursery = Nursery {
        model,
        people,
        now,
        random: Random::new(seed),
        compared: Compared::of(model),
        world: accounts,
        order: Vec::new(),
        next: FIRST,
    };
    for entity in sorted(model) {
        nursery.world.rows.entry(entity.name.clone()).or_default();
    }
    nursery.homes();
    for entity in sorted(model) {
        for _ in 0..ROWS {
            nursery.row(&entity, &BTreeMap::new(), 0);
        }
    }
    let mut missing = BTreeMap::new();
    let mut covered = 0;
    for entity in sorted(model) {
        let (found, open) = nursery.cover(&entity);
        covered += found;
        missing.insert(entity.name.clone(), open);
    }
    let missing = missing.into_values().flatten().map(|class| {
        let holds = if class.holds { "holds for no row" } else { "holds for every row" };
        let user = class.user.map(|id| format!(" for {}", called(people, &nursery.world, id))).unwrap_or_default();
        format!("rule {} of {} {holds}{user}", class.rule, class.entity)
    });
    let missing = missing.collect();
    Canaries { world: nursery.world, order: nursery.order, covered, missing }
}

/// A person by name and role, for people who read the report.
fn called(people: &[Who], world: &World, id: ObjectId) -> String {
    let role = people.iter().find(|who| who.user == Some(id)).map(|who| format!(" ({})", who.role)).unwrap_or_default();
    match world.value(&Model::user_entity(), id, &Name::new("name")) {
        Value::Text(name) => format!("{name}{role}"),
        _ => format!("a person without a name{role}"),
    }
}

/// Stored entities of the model's own, each after those that it must refer to.
fn sorted(model: &Model) -> Vec<Arc<Entity>> {
    let mut open: Vec<Arc<Entity>> = model.entities.values().filter(|e| e.persistable && !e.system).cloned().collect();
    let mut done: Vec<Arc<Entity>> = Vec::new();
    while !open.is_empty() {
        let ready = |entity: &Arc<Entity>| {
            let mut needs = entity.associations.values().filter(|a| a.required && a.target != entity.name);
            needs.all(|a| a.target == Model::user_entity() || done.iter().any(|known| known.name == a.target))
        };
        let (now, later): (Vec<_>, Vec<_>) = open.drain(..).partition(ready);
        if now.is_empty() {
            done.extend(later);
            break;
        }
        done.extend(now);
        open = later;
    }
    done
}

struct Nursery<'m> {
    model: &'m Model,
    people: &'m [Who],
    now: NaiveDateTime,
    random: Random,
    compared: Compared,
    world: World,
    order: Vec<(QName, ObjectId)>,
    next: i64,
}

impl Nursery<'_> {
    /// For each person the objects that rules reach from the account: their record, what they head, and so on.
    fn homes(&mut self) {
        for who in self.people {
            let Some(user) = who.user else { continue };
            for path in paths_of_the_user(self.model, &who.role) {
                let mut at = (Model::user_entity(), user);
                for name in path {
                    let Some(next) = self.onwards(&at.0, at.1, &name) else { break };
                    at = next;
                }
            }
        }
    }

    /// The object one step on, made if there is none.
    fn onwards(&mut self, entity: &QName, id: ObjectId, name: &Name) -> Option<(QName, ObjectId)> {
        let of = self.model.entities.get(entity)?.clone();
        if let Some(inverse) = of.inverses.get(name) {
            let owner = self.model.entities.get(&inverse.owner).filter(|owner| owner.persistable)?.clone();
            let many = owner.associations.get(&inverse.association)?.multiplicity == Multiplicity::ManyToMany;
            let leads = |found: &ObjectId| match self.world.value(&owner.name, *found, &inverse.association) {
                Value::Object(to) => to == id,
                Value::List(all) => all.contains(&id),
                _ => false,
            };
            let known = self.world.ids(&owner.name).into_iter().find(leads);
            let value = if many { Value::List(vec![id]) } else { Value::Object(id) };
            let made = known.or_else(|| self.row(&owner, &BTreeMap::from([(inverse.association.clone(), value)]), 0));
            return made.map(|made| (inverse.owner.clone(), made));
        }
        let association = of.associations.get(name)?;
        match self.world.value(entity, id, name) {
            Value::Object(to) => Some((association.target.clone(), to)),
            Value::List(all) => all.first().map(|to| (association.target.clone(), *to)),
            _ => {
                // Where a rule leads from an account there is to be something, whether or not the model demands it.
                let to = self.target(&of, association, 0).or_else(|| self.made(association, 0))?;
                if of.tree.as_ref() == Some(name) && self.is_below(&of, to, id) {
                    return None;
                }
                self.world.set(entity, id, name, Value::Object(to));
                Some((association.target.clone(), to))
            }
        }
    }

    /// Whether an object is another one of the same tree, or below it.
    fn is_below(&self, entity: &Entity, id: ObjectId, other: ObjectId) -> bool {
        let Some(parent) = &entity.tree else { return false };
        let mut up = Some(id);
        for _ in 0..=self.world.ids(&entity.name).len() {
            match up {
                Some(at) if at == other => return true,
                Some(at) => up = self.world.value(&entity.name, at, parent).as_object(),
                None => return false,
            }
        }
        true
    }

    /// Makes rows until each rule holds for one and not for another, for each of those it speaks of.
    fn cover(&mut self, entity: &Arc<Entity>) -> (usize, Vec<RowClass>) {
        let wanted = self.wanted(entity);
        let ids = self.world.ids(&entity.name);
        let mut seen: BTreeSet<RowClass> = ids.into_iter().flat_map(|id| self.shown(entity, id)).collect();
        for class in &wanted {
            let mut tries = 0;
            while !seen.contains(class) && tries < TRIES && self.world.ids(&entity.name).len() < MOST {
                tries += 1;
                let kept = self.order.len();
                let Some(id) = self.row(entity, &BTreeMap::new(), 0) else { break };
                // One rule for one person first: most rows are tried in vain, and there may be hundreds of rules.
                if self.shows(entity, class, id) {
                    seen.extend(self.shown(entity, id));
                    continue;
                }
                for (name, id) in self.order.drain(kept..) {
                    self.world.rows.entry(name).or_default().remove(&id);
                }
            }
        }
        let open: Vec<RowClass> = wanted.iter().filter(|class| !seen.contains(*class)).cloned().collect();
        (wanted.len() - open.len(), open)
    }

    fn wanted(&self, entity: &Arc<Entity>) -> Vec<RowClass> {
        let oracle = self.oracle();
        let mut all = Vec::new();
        for who in self.people {
            let rules = oracle.rules(&who.role, entity).into_iter().filter(|rule| rule.condition.is_some());
            for rule in rules {
                let class = |holds| RowClass { entity: entity.name.clone(), rule: rule.number, user: who.user, holds };
                all.extend([class(true), class(false)]);
            }
        }
        all
    }

    /// Whether a row is of a class.
    fn shows(&self, entity: &Arc<Entity>, class: &RowClass, id: ObjectId) -> bool {
        let rule = entity.rules.iter().find(|rule| rule.number == class.rule);
        let who = self.people.iter().find(|who| who.user == class.user);
        who.zip(rule).is_some_and(|(who, rule)| self.oracle().holds(who, rule, id) == class.holds)
    }

    /// The classes that a row is of.
    fn shown(&self, entity: &Arc<Entity>, id: ObjectId) -> Vec<RowClass> {
        let oracle = self.oracle();
        let of = |who: &Who| {
            let rules = oracle.rules(&who.role, entity).into_iter().filter(|rule| rule.condition.is_some());
            rules
                .map(|rule| RowClass {
                    entity: entity.name.clone(),
                    rule: rule.number,
                    user: who.user,
                    holds: oracle.holds(who, rule, id),
                })
                .collect::<Vec<_>>()
        };
        self.people.iter().flat_map(of).collect()
    }

    fn oracle(&self) -> Oracle<'_> {
        Oracle { model: self.model, world: &self.world, now: self.now }
    }

    /// Makes a row with these values and others as they come; `None` when what it needs cannot be had.
    fn row(&mut self, entity: &Arc<Entity>, fixed: &BTreeMap<Name, Value>, depth: usize) -> Option<ObjectId> {
        for last in (0..8).map(|round| round == 7) {
            let mut values = fixed.clone();
            for association in entity.associations.values() {
                if !fixed.contains_key(&association.name) {
                    values.insert(association.name.clone(), self.reference(entity, association, depth)?);
                }
            }
            for attribute in entity.attributes.values().filter(|attribute| attribute.calculated.is_none()) {
                if !fixed.contains_key(&attribute.name) {
                    values.insert(attribute.name.clone(), self.attribute(entity, attribute));
                }
            }
            if self.collides(entity, &values) {
                continue;
            }
            let id = ObjectId(self.next);
            self.world.rows.entry(entity.name.clone()).or_default().insert(id, StoredRow { version: 1, values });
            if last || is_valid(&self.oracle(), entity, id) {
                self.next += 1;
                self.order.push((entity.name.clone(), id));
                return Some(id);
            }
            self.world.rows.entry(entity.name.clone()).or_default().remove(&id);
        }
        None
    }

    fn attribute(&mut self, entity: &Entity, attribute: &Attribute) -> Value {
        if attribute.kind == AttributeKind::Autonumber {
            return Value::Integer(self.next - FIRST + 7_000_001);
        }
        let compared = self.compared.values(&entity.name, &attribute.name);
        value::value(&mut self.random, self.model, attribute, compared, self.now, 20)
    }

    fn reference(&mut self, entity: &Arc<Entity>, association: &Association, depth: usize) -> Option<Value> {
        if matches!(association.kind(), Kind::List(_)) {
            let all = self.world.ids(&association.target);
            let count = self.random.below(4);
            let chosen: BTreeSet<ObjectId> = (0..count).filter_map(|_| self.random.pick(&all).copied()).collect();
            return Some(Value::List(chosen.into_iter().collect()));
        }
        if !association.required && self.random.chance(25) {
            return Some(Value::Empty);
        }
        match self.target(entity, association, depth) {
            Some(to) => Some(Value::Object(to)),
            None => (!association.required).then_some(Value::Empty),
        }
    }

    /// An object to refer to; for one-to-one associations one that nobody refers to yet.
    fn target(&mut self, entity: &Entity, association: &Association, depth: usize) -> Option<ObjectId> {
        let mut all = self.world.ids(&association.target);
        if association.multiplicity == Multiplicity::OneToOne {
            let rows = self.world.rows.get(&entity.name);
            let taken: BTreeSet<ObjectId> = rows
                .into_iter()
                .flat_map(|rows| rows.values())
                .filter_map(|row| row.values.get(&association.name)?.as_object())
                .collect();
            all.retain(|id| !taken.contains(id));
        }
        if let Some(known) = self.random.pick(&all) {
            return Some(*known);
        }
        (association.required && depth < 4).then(|| self.made(association, depth))?
    }

    /// A new object to refer to.
    fn made(&mut self, association: &Association, depth: usize) -> Option<ObjectId> {
        let target = self.model.entities.get(&association.target).filter(|target| !target.system && target.persistable)?.clone();
        self.row(&target, &BTreeMap::new(), depth + 1)
    }

    /// Whether a unique combination is there already, or a range overlaps that may not.
    fn collides(&self, entity: &Entity, values: &BTreeMap<Name, Value>) -> bool {
        let all: Vec<Name> = entity.members().cloned().collect();
        !is_sound(entity, &self.world, None, values, &all)
    }
}

/// Whether the validations of an entity hold for a row.
pub fn is_valid(oracle: &Oracle<'_>, entity: &Entity, id: ObjectId) -> bool {
    let nobody = Who { role: Name::new(""), user: None };
    let holds = |rule: &Typed| oracle.compute(rule, &nobody, Some(id)) == Ok(Value::Boolean(true));
    entity.validations.iter().all(|validation| holds(&validation.rule))
}

/// A value of chance for an attribute that its limits and its pattern admit.
pub fn fresh(random: &mut Random, model: &Model, attribute: &Attribute, now: NaiveDateTime) -> Value {
    value::value(random, model, attribute, &[], now, 0)
}

#[cfg(test)]
mod tests;
