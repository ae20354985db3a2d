//! What the rules of a set of rights compare: found once, so that it can be read in few statements.

use super::held::column;
use super::plan::Plan;
use super::raw::Column;
use crate::access::{EntityRights, Rights};
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed};
use crate::model::Model;
use crate::recent::Recent;
use crate::store::tables::{Table, Tables};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// The members that decide about reading, by the entity that owns them, and the rules of each.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The rights that it was made of.
    rights: HashMap<QName, Arc<EntityRights>>,
    /// What they say of each entity that was met.
    plans: RwLock<HashMap<QName, Arc<Plan>>>,
    /// Stored members with a column.
    members: BTreeMap<QName, BTreeSet<Name>>,
    /// Entities whose tree is climbed.
    trees: BTreeSet<QName>,
    /// Where rules go on from the caller's account.
    anchors: BTreeSet<Name>,
}

/// The inputs of the sets of rights that were met lately.
pub(in crate::store) struct Known(Recent<Arc<str>, Arc<Inputs>>);

/// So many sets of rights are at work at a time; those of others are found again when they are met again.
const MOST: usize = 64;

impl Default for Known {
    fn default() -> Self {
        Self(Recent::new(MOST))
    }
}

impl Known {
    /// The inputs of these rights, for a question about this entity.
    pub(super) fn of(&self, tables: &Tables, rights: &Rights, entity: &QName) -> Arc<Inputs> {
        if let Some(found) = self.0.get(&rights.key)
            && found.is_of(rights, entity)
        {
            return found;
        }
        let made = Arc::new(Inputs::of(tables, rights));
        self.0.keep(rights.key.clone(), made.clone());
        made
    }
}

impl Inputs {
    fn of(tables: &Tables, rights: &Rights) -> Self {
        let mut found = Self { rights: rights.entities.clone(), ..Self::default() };
        let rules = rights.entities.values().flat_map(|entity| &entity.rules).filter(|rule| !rule.read.is_empty());
        for condition in rules.filter_map(|rule| rule.condition.as_ref()) {
            found.collect(tables, condition, 0);
        }
        found
    }

    /// Whether it was made of the very rights on an entity. They are compared: a name alone proves nothing.
    fn is_of(&self, rights: &Rights, entity: &QName) -> bool {
        match (self.rights.get(entity), rights.entities.get(entity)) {
            (Some(own), Some(theirs)) => Arc::ptr_eq(own, theirs),
            (own, theirs) => own.is_none() && theirs.is_none(),
        }
    }

    /// What these rights say of an entity; a plan serves the very rights that it was made of.
    pub(super) fn plan(&self, table: &Arc<Table>, rights: Option<&Arc<EntityRights>>) -> Arc<Plan> {
        let name = &table.entity.name;
        let known = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known.filter(|plan| plan.is_of(rights)) {
            return known;
        }
        let made = Arc::new(Plan::of(table, rights, self));
        self.plans.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), made.clone());
        made
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
