//! What a walk through a microflow knows of the objects in its variables.
//!
//! Each thing known is a condition over `this` about the object's own stored members, so that it can
//! be put beside the condition of a rule.

use super::super::types::{AccessRule, AttributeKind, Entity};
use crate::domain::{Kind, Name, QName, Value};
use crate::expr::{Comparison, Node, Root, Span, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// One thing known of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// The condition, over `this`.
    pub condition: Typed,
}

impl Known {
    /// Whether a change of this member makes it unknown.
    pub fn is_about(&self, name: &Name) -> bool {
        mentions(&self.condition, name)
    }
}

/// Variable → the entity of its objects, and what is known of each of them.
#[derive(Clone, Debug, Default)]
pub(super) struct State(BTreeMap<Name, (QName, Vec<Known>)>);

impl State {
    pub fn of(&self, variable: &Name) -> Vec<Known> {
        self.0.get(variable).map(|(_, known)| known.clone()).unwrap_or_default()
    }
    pub fn put(&mut self, variable: &Name, entity: &QName, known: Vec<Known>) {
        self.0.insert(variable.clone(), (entity.clone(), known));
    }
    pub fn forget(&mut self, variable: &Name) {
        self.0.remove(variable);
    }
    pub fn forget_member(&mut self, entity: &QName, name: &Name) {
        for (_, known) in self.0.values_mut().filter(|(of, _)| of == entity) {
            known.retain(|known| !known.is_about(name));
        }
    }
    pub fn forget_entities(&mut self, entities: &BTreeSet<QName>) {
        self.0.retain(|_, (entity, _)| !entities.contains(entity));
    }
    /// A deletion may clear what others refer to.
    pub fn forget_links(&mut self) {
        let leads = |known: &Known| {
            let mut found = false;
            known
                .condition
                .visit(&mut |node| found |= matches!((&node.node, &node.kind), (Node::Member { .. }, Kind::Object(_))));
            found
        };
        self.0.values_mut().for_each(|(_, known)| known.retain(|known| !leads(known)));
    }
    /// An element of a list is what each of them is.
    pub fn element(&mut self, list: &Name, element: &Name) {
        match self.0.get(list).cloned() {
            Some(known) => drop(self.0.insert(element.clone(), known)),
            None => self.forget(element),
        }
    }
    /// What is known either way.
    pub fn common(&self, other: &Self) -> Self {
        let both = |(name, (entity, known)): (&Name, &(QName, Vec<Known>))| {
            let (_, others) = other.0.get(name).filter(|(of, _)| of == entity)?;
            let kept = known.iter().filter(|known| others.contains(known)).cloned().collect();
            Some((name.clone(), (entity.clone(), kept)))
        };
        Self(self.0.iter().filter_map(both).collect())
    }
    /// What is known in a branch of a decision.
    pub fn decided(&self, condition: &Typed, met: bool) -> Self {
        let mut state = self.clone();
        let mut roots = Vec::new();
        condition.visit(&mut |node| {
            if let (Node::Root(Root::Variable(name)), Kind::Object(entity)) = (&node.node, &node.kind) {
                roots.push((name.clone(), entity.clone()));
            }
        });
        roots.sort();
        roots.dedup();
        for (name, entity) in roots {
            let found = conjuncts(condition, met, &Root::Variable(name.clone()));
            state.0.entry(name).or_insert_with(|| (entity, Vec::new())).1.extend(found);
        }
        state
    }
}

/// The things that are known of the object at `root` when a condition is met, or is not.
pub(super) fn conjuncts(condition: &Typed, met: bool, root: &Root) -> Vec<Known> {
    match (&condition.node, met) {
        (Node::And(a, b), true) | (Node::Or(a, b), false) => [conjuncts(a, met, root), conjuncts(b, met, root)].concat(),
        (Node::Not(a), _) => conjuncts(a, !met, root),
        _ => {
            let Some(plain) = plain(condition, root) else { return Vec::new() };
            let condition = if met { plain } else { boolean(Node::Not(Box::new(plain))) };
            vec![Known { condition }]
        }
    }
}

/// A comparison of own stored members with each other and with literals, over `this`.
fn plain(e: &Typed, root: &Root) -> Option<Typed> {
    let side = |e: &Typed| match &e.node {
        Node::Literal(_) => Some(Box::new(e.clone())),
        Node::Member { of, entity, name, calculated: None } if matches!(&of.node, Node::Root(found) if found == root) => {
            Some(Box::new(own(entity, name, &e.kind)))
        }
        _ => None,
    };
    Some(match &e.node {
        Node::Compare(op, a, b) => boolean(Node::Compare(*op, side(a)?, side(b)?)),
        Node::IsEmpty(a) => boolean(Node::IsEmpty(side(a)?)),
        Node::InValues(a, values) => boolean(Node::InValues(side(a)?, values.clone())),
        Node::Member { .. } if e.kind == Kind::Boolean => *side(e)?,
        _ => return None,
    })
}

fn boolean(node: Node) -> Typed {
    Typed { node, kind: Kind::Boolean, span: Span::default() }
}

/// `this.name`
fn own(entity: &QName, name: &Name, kind: &Kind) -> Typed {
    let this = Typed { node: Node::Root(Root::This), kind: Kind::Object(entity.clone()), span: Span::default() };
    let node = Node::Member { of: Box::new(this), entity: entity.clone(), name: name.clone(), calculated: None };
    Typed { node, kind: kind.clone(), span: Span::default() }
}

/// What is known of an object after these members were written; of a new one its first values too.
pub(super) fn constants(entity: &Entity, set: &[(Name, Typed)], new: bool) -> Vec<Known> {
    let mut out: Vec<Known> = set.iter().filter_map(|(name, value)| constant(entity, name, value)).collect();
    if !new {
        return out;
    }
    let unset = |name: &Name| !entity.server_kept(name) && !set.iter().any(|(other, _)| other == name);
    let empty = Typed { node: Node::Literal(Value::Empty), kind: Kind::Empty, span: Span::default() };
    let no = Typed::boolean(false);
    for attribute in entity.attributes.values().filter(|attribute| unset(&attribute.name)) {
        let first = if attribute.kind == AttributeKind::Boolean { &no } else { &empty };
        out.extend(constant(entity, &attribute.name, attribute.default.as_ref().unwrap_or(first)));
    }
    for association in entity.associations.values().filter(|association| unset(&association.name)) {
        out.extend(constant(entity, &association.name, association.default.as_ref().unwrap_or(&empty)));
    }
    out
}

fn constant(entity: &Entity, name: &Name, value: &Typed) -> Option<Known> {
    let kind = entity.member_kind(name).filter(|kind| !matches!(kind, Kind::List(_)))?;
    let Node::Literal(literal) = &value.node else { return None };
    let member = own(&entity.name, name, &kind);
    let condition = if literal.is_empty() {
        boolean(Node::IsEmpty(Box::new(member)))
    } else {
        let literal = Typed { kind, ..value.clone() };
        boolean(Node::Compare(Comparison::Equal, Box::new(member), Box::new(literal)))
    };
    Some(Known { condition })
}

fn mentions(e: &Typed, name: &Name) -> bool {
    let mut found = false;
    e.visit(&mut |node| found |= matches!(&node.node, Node::Member { name: other, .. } if other == name));
    found
}

/// ` while status is 'Submitted'`: what is known of members that the rules ask about.
pub(super) fn words(known: &[Known], rules: &[&AccessRule]) -> String {
    let asked = |name: &Name| rules.iter().any(|rule| rule.condition.as_ref().is_some_and(|condition| mentions(condition, name)));
    let told: BTreeSet<String> = known.iter().filter_map(|known| word(&known.condition, &asked)).collect();
    if told.is_empty() {
        return String::new();
    }
    format!(" while {}", told.into_iter().collect::<Vec<_>>().join(" and "))
}

fn word(e: &Typed, asked: &dyn Fn(&Name) -> bool) -> Option<String> {
    let member = |e: &Typed| match &e.node {
        Node::Member { name, .. } if asked(name) => Some(name.to_string()),
        _ => None,
    };
    match &e.node {
        Node::Compare(Comparison::Equal, a, b) => {
            let Node::Literal(value) = &b.node else { return None };
            let shown = if value.as_text().is_some() { format!("'{}'", value.canonical()) } else { value.canonical() };
            Some(format!("{} is {shown}", member(a)?))
        }
        Node::IsEmpty(a) => Some(format!("{} is empty", member(a)?)),
        _ => None,
    }
}
