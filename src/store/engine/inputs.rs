//! What rules compare: the columns and link tables that a set's conditions have to see in every row.
//!
//! Deliberately coarse in one way: a part of a rule that these roles fold away still counts.

use crate::access::{EntityRights, Rights};
use crate::domain::{Name, QName};
use crate::expr::{Node, Root, Typed, split};
use crate::model::Multiplicity;
use crate::store::tables::{Hop, Place, Tables};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Columns by entity, and link tables, that stand unmasked in the views of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inputs {
    pub columns: BTreeMap<QName, BTreeSet<Name>>,
    pub links: BTreeSet<Name>,
    /// References to the asked entity by which its rows are found from the other side; in the reader's view only.
    pub along: BTreeMap<QName, BTreeSet<Name>>,
}

impl Inputs {
    /// What the rules of these rights compare, and what these questions of the model do.
    pub(super) fn of(tables: &Tables, rights: &Rights, questions: &[(QName, Arc<Typed>)]) -> Self {
        let mut all = Self::default();
        rights.entities.values().for_each(|of| all.entity(tables, of));
        all.questions(tables, rights, questions);
        all
    }

    /// What the rules about one entity compare.
    pub(super) fn of_entity(tables: &Tables, of: &EntityRights) -> Self {
        let mut all = Self::default();
        all.entity(tables, of);
        all
    }

    /// What these questions compare, as far as these rights may ask them.
    pub(super) fn of_questions(tables: &Tables, rights: &Rights, questions: &[(QName, Arc<Typed>)]) -> Self {
        let mut all = Self::default();
        all.questions(tables, rights, questions);
        all
    }

    fn entity(&mut self, tables: &Tables, of: &EntityRights) {
        let name = &of.entity.name;
        let Some(table) = tables.get(name) else { return };
        for rule in &of.rules {
            self.touch(name);
            if let Some(condition) = &rule.condition {
                self.expression(tables, condition);
            }
        }
        if of.rules.iter().any(|rule| rule.create) {
            // What the server puts into a new row by itself may follow paths too.
            let defaults = of.entity.attributes.values().map(|a| a.default.as_ref());
            let defaults = defaults.chain(of.entity.associations.values().map(|a| a.default.as_ref()));
            defaults.flatten().for_each(|default| self.expression(tables, default));
        }
        for (member, place) in table.members.iter().filter(|(member, _)| of.readable.contains_key(*member)) {
            match place {
                Place::Calculated { expression, .. } => self.paths(tables, expression),
                Place::Column { column, .. } if leads_back(table, member) => {
                    self.along.entry(name.clone()).or_default().insert(column.clone());
                }
                _ => {}
            }
        }
    }

    fn questions(&mut self, tables: &Tables, rights: &Rights, questions: &[(QName, Arc<Typed>)]) {
        let readable = |name: &QName| rights.entities.get(name).is_some_and(|of| !of.readable.is_empty());
        for (_, condition) in questions.iter().filter(|(entity, _)| readable(entity)) {
            self.expression(tables, &settled(condition));
        }
    }

    fn touch(&mut self, entity: &QName) {
        self.columns.entry(entity.clone()).or_default();
    }

    fn add(&mut self, entity: &QName, column: &Name) {
        self.columns.entry(entity.clone()).or_default().insert(column.clone());
    }

    /// Everything that the expression reads.
    pub(super) fn expression(&mut self, tables: &Tables, e: &Typed) {
        e.visit(&mut |node| self.node(tables, node));
    }

    /// Everything that it reads of other rows; what it reads of its own is computed in the view.
    fn paths(&mut self, tables: &Tables, e: &Typed) {
        e.visit(&mut |node| match &node.node {
            Node::Member { of, calculated: None, .. } if matches!(of.node, Node::Root(Root::This)) && !is_back(tables, node) => {}
            Node::Member { of, calculated: Some(inner), .. } if matches!(of.node, Node::Root(Root::This)) => {
                self.paths(tables, inner);
            }
            _ => self.node(tables, node),
        });
    }

    fn node(&mut self, tables: &Tables, node: &Typed) {
        match &node.node {
            Node::Member { calculated: Some(inner), entity, .. } => {
                self.touch(entity);
                self.expression(tables, inner);
            }
            Node::Member { entity, name, .. } | Node::Many { entity, name, .. } => self.member(tables, entity, name),
            Node::Within { entity, parent, .. } => self.member(tables, entity, parent),
            _ => {}
        }
    }

    fn member(&mut self, tables: &Tables, entity: &QName, name: &Name) {
        match tables.hop(entity, name) {
            Some((Hop::Column(column), _)) => self.add(entity, &column),
            Some((Hop::Back { column, .. }, owner)) => self.add(&owner, &column),
            Some((Hop::Link(link), target)) => {
                self.links.insert(link.table);
                self.touch(&target);
            }
            None => match tables.get(entity).and_then(|table| table.members.get(name)) {
                Some(Place::Column { column, .. }) => self.add(entity, column),
                Some(Place::Calculated { expression, .. }) => self.expression(tables, expression),
                _ => self.touch(entity),
            },
        }
    }
}

/// Whether an association can be asked for from its other side.
fn leads_back(table: &crate::store::tables::Table, member: &Name) -> bool {
    let found = table.entity.associations.get(member);
    found.is_some_and(|a| a.inverse.is_some() && a.multiplicity != Multiplicity::ManyToMany)
}

fn is_back(tables: &Tables, node: &Typed) -> bool {
    let Node::Member { entity, name, .. } = &node.node else { return false };
    matches!(tables.hop(entity, name), Some((Hop::Back { .. }, _)))
}

/// A constraint as it comes to the store: what a parameter leads to has been read before.
fn settled(condition: &Typed) -> Typed {
    let mut reads = false;
    condition.visit(&mut |node| {
        if let Node::Member { of, .. } | Node::Many { of, .. } = &node.node {
            reads |= matches!(of.node, Node::Root(Root::Variable(_)));
        }
    });
    if !reads {
        return condition.clone();
    }
    split(condition).left
}
