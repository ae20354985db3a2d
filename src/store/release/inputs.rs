//! What the rules of a set of rights compare: found once, so that it can be read in few statements.

use super::held::column;
use super::plan::Plan;
use super::raw::Column;
use crate::access::{EntityRights, Rights};
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};
use crate::model::Model;
use crate::store::tables::{Table, Tables};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// The members that decide about reading, by the entity that owns them, and the rules of each.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// What the rights say of each entity.
    plans: HashMap<QName, Arc<Plan>>,
    /// Stored members with a column.
    members: BTreeMap<QName, BTreeSet<Name>>,
    /// Entities whose tree is climbed.
    trees: BTreeSet<QName>,
    /// Where rules go on from the caller's account.
    anchors: BTreeSet<Name>,
}

/// The inputs of each set of rights that was met.
#[derive(Default)]
pub(in crate::store) struct Known(RwLock<HashMap<Arc<str>, Arc<Inputs>>>);

/// Sets of rights are made of role sets, so their number is bounded; this is far beyond it.
const MOST: usize = 10_000;

impl Known {
    /// The inputs of these rights, for a question about this entity.
    pub(super) fn of(&self, tables: &Tables, rights: &Rights, entity: &QName) -> Arc<Inputs> {
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&rights.key)
            && found.plans.get(entity).is_some_and(|plan| plan.is_of(rights.entities.get(entity)))
        {
            return found.clone();
        }
        let made = Arc::new(Inputs::of(tables, rights));
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(rights.key.clone(), made.clone());
        made
    }
}

impl Inputs {
    fn of(tables: &Tables, rights: &Rights) -> Self {
        let mut found = Self::default();
        let rules = rights.entities.values().flat_map(|entity| &entity.rules).filter(|rule| !rule.read.is_empty());
        for condition in rules.filter_map(|rule| rule.condition.as_ref()) {
            found.collect(tables, condition, 0);
        }
        for table in tables.all() {
            let name = &table.entity.name;
            let plan = Plan::of(table, rights.entities.get(name), &found);
            found.plans.insert(name.clone(), Arc::new(plan));
        }
        found
    }

    /// What these rights say of an entity. They are compared: a name alone proves nothing.
    pub(super) fn plan(&self, table: &Arc<Table>, rights: Option<&Arc<EntityRights>>) -> Arc<Plan> {
        let known = self.plans.get(&table.entity.name).filter(|plan| plan.is_of(rights));
        known.cloned().unwrap_or_else(|| Arc::new(Plan::of(table, rights, self)))
    }

    /// The members of an entity that decide.
    pub(super) fn members(&self, entity: &QName) -> impl Iterator<Item = &Name> {
        self.members.get(entity).into_iter().flatten()
    }
    /// The column that leads up the entity's tree, if it is climbed.
    pub(super) fn climbs(&self, table: &Table) -> Option<Column> {
        let tree = table.entity.tree.as_ref().filter(|_| self.trees.contains(&table.entity.name));
        tree.and_then(|tree| column(table, tree))
    }
    /// Where rules go on from the caller's account.
    pub(super) fn anchors(&self) -> impl Iterator<Item = &Name> {
        self.anchors.iter()
    }

    fn collect(&mut self, tables: &Tables, e: &Typed, depth: usize) {
        // A circle of calculated members is refused when the model is read; this only ends the walk.
        if depth > 64 {
            return;
        }
        match &e.node {
            Node::Member { calculated: Some(inner), .. } => self.collect(tables, inner, depth + 1),
            Node::Member { of, entity, name, calculated: None } | Node::Many { of, entity, name } => {
                if of.node == Node::Root(Root::User) && *entity == Model::user_entity() {
                    self.anchors.insert(name.clone());
                }
                self.note(tables, entity, name);
            }
            Node::Within { entity, parent, .. } => {
                self.trees.insert(entity.clone());
                self.note(tables, entity, parent);
            }
            _ => {}
        }
        e.children(&mut |child| self.collect(tables, child, depth + 1));
    }

    /// Notes the column that a step is read from: of the object itself, or of those that point back at it.
    fn note(&mut self, tables: &Tables, entity: &QName, name: &Name) {
        let Some(table) = tables.get(entity) else { return };
        let back = table.entity.inverses.get(name).map(|back| (&back.owner, &back.association));
        let own = table.entity.has_member(name).then_some((entity, name));
        if let Some((owner, member)) = own.or(back) {
            self.members.entry(owner.clone()).or_default().insert(member.clone());
        }
    }
}
