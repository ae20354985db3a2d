//! What the rules of a model compare, so that rows can be made for which they hold.

use crate::domain::{Name, QName, Value};
use crate::expr::{Node, Root, Typed};
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};

/// Literals that rules and validations compare a member with.
pub(super) struct Compared(BTreeMap<(QName, Name), Vec<Value>>);

impl Compared {
    pub(super) fn of(model: &Model) -> Self {
        let mut all: BTreeMap<(QName, Name), Vec<Value>> = BTreeMap::new();
        for expression in conditions(model) {
            expression.visit(&mut |node| {
                let pairs: Vec<(&Typed, &Typed)> = match &node.node {
                    Node::Compare(_, a, b) => vec![(a, b), (b, a)],
                    Node::InValues(a, values) => values.iter().map(|value| (&**a, value)).collect(),
                    _ => Vec::new(),
                };
                for (member, literal) in pairs {
                    if let (Node::Member { entity, name, calculated: None, .. }, Node::Literal(value)) =
                        (&member.node, &literal.node)
                    {
                        let known = all.entry((entity.clone(), name.clone())).or_default();
                        if !known.contains(value) {
                            known.push(value.clone());
                        }
                    }
                }
            });
        }
        Self(all)
    }

    pub(super) fn values(&self, entity: &QName, member: &Name) -> &[Value] {
        self.0.get(&(entity.clone(), member.clone())).map(Vec::as_slice).unwrap_or_default()
    }
}

fn conditions(model: &Model) -> impl Iterator<Item = &Typed> {
    let rules = model.entities.values().flat_map(|entity| entity.rules.iter().filter_map(|rule| rule.condition.as_deref()));
    rules.chain(model.entities.values().flat_map(|entity| entity.validations.iter().map(|validation| &validation.rule)))
}

/// The ways that the rules of a role go from the user: `user.employee`, `user.employee.headOf`.
pub(super) fn paths_of_the_user(model: &Model, role: &Name) -> BTreeSet<Vec<Name>> {
    let held = model.user_roles.get(role).map(|role| role.module_roles.clone()).unwrap_or_default();
    let mut paths = BTreeSet::new();
    for entity in model.entities.values() {
        let theirs = entity.rules.iter().filter(|rule| !rule.roles.is_disjoint(&held));
        for condition in theirs.filter_map(|rule| rule.condition.as_deref()) {
            condition.visit(&mut |node| paths.extend(path(node).filter(|path| !path.is_empty())));
            // `this.owner.account == user`: the same way, seen from the other end.
            condition.visit(&mut |node| {
                if let Node::Compare(_, a, b) = &node.node {
                    for (member, other) in [(a, b), (b, a)] {
                        if let (Node::Member { entity, name, .. }, Node::Root(Root::User)) = (&member.node, &other.node) {
                            let inverse = model.entities.get(&Model::user_entity()).and_then(|user| {
                                user.inverses.iter().find(|(_, known)| known.owner == *entity && known.association == *name)
                            });
                            paths.extend(inverse.map(|(name, _)| vec![name.clone()]));
                        }
                    }
                }
            });
        }
    }
    paths
}

fn path(node: &Typed) -> Option<Vec<Name>> {
    match &node.node {
        Node::Root(Root::User) => Some(Vec::new()),
        Node::Member { of, name, .. } | Node::Many { of, name, .. } => {
            let mut before = path(of)?;
            before.push(name.clone());
            Some(before)
        }
        _ => None,
    }
}
