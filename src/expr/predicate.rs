//! Named conditions: written once at an entity, used as `name(object)` wherever an expression stands.
//!
//! A use is replaced by the condition itself while the expression is checked, with the object in the
//! place of `this`. So the evaluator, the database and the explanations know nothing of predicates;
//! every part that came from one points at its use in the text, which is how an explanation names it.
//!
//! It deliberately takes no further arguments, and does not know who may read what is compared: a
//! predicate needs the same rights as the condition written out.

use super::typed::{Node, Root, Typed};
use super::{Fault, Span};
use std::sync::Arc;

/// A condition with a name.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// The condition, over `this`.
    pub body: Arc<Typed>,
    /// The condition as written.
    pub text: Arc<str>,
}

impl Predicate {
    /// The condition for an object, as it stands at a use of the name.
    pub(super) fn of(&self, object: &Typed, at: Span) -> Result<Typed, Fault> {
        let takes_item = object.mentions(&Root::Item);
        Inlining { predicate: self, object, at, takes_item }.part(&self.body, false)
    }
}

/// Whether a literal was not written at its place in the text: it is the value of a constant, which
/// may be another one tomorrow.
pub fn is_constant(literal: &Typed, text: &str) -> bool {
    text.get(literal.span.start..literal.span.end).is_none_or(|part| part.is_empty() || part.starts_with('@'))
}

struct Inlining<'a> {
    predicate: &'a Predicate,
    object: &'a Typed,
    at: Span,
    takes_item: bool,
}

impl Inlining<'_> {
    /// `inside`: within a list of its own, where `item` means an element of that list.
    fn part(&self, e: &Typed, inside: bool) -> Result<Typed, Fault> {
        if matches!(e.node, Node::Root(Root::This)) {
            if inside && self.takes_item {
                let fault = Fault::new(self.at, "this predicate filters a list itself, so it cannot be asked of `item`");
                return Err(fault.hint("write the condition out here"));
            }
            return Ok(self.object.clone());
        }
        let node = self.node(&e.node, inside)?;
        // A place without an extent marks the value of a constant (see `is_constant`).
        let constant = matches!(e.node, Node::Literal(_)) && is_constant(e, &self.predicate.text);
        let span = if constant { Span { start: self.at.start, end: self.at.start } } else { self.at };
        Ok(Typed { node, kind: e.kind.clone(), span })
    }

    fn boxed(&self, e: &Typed, inside: bool) -> Result<Box<Typed>, Fault> {
        self.part(e, inside).map(Box::new)
    }

    fn all(&self, parts: &[Typed], inside: bool) -> Result<Vec<Typed>, Fault> {
        parts.iter().map(|part| self.part(part, inside)).collect()
    }

    fn node(&self, node: &Node, inside: bool) -> Result<Node, Fault> {
        let one = |e: &Typed| self.boxed(e, inside);
        Ok(match node {
            Node::Literal(_) | Node::Now | Node::Today | Node::Root(_) | Node::HasRole(_) | Node::SignedIn => node.clone(),
            Node::Member { of, entity, name, calculated } => {
                Node::Member { of: one(of)?, entity: entity.clone(), name: name.clone(), calculated: calculated.clone() }
            }
            Node::Many { of, entity, name } => Node::Many { of: one(of)?, entity: entity.clone(), name: name.clone() },
            Node::Filter(list, condition) => Node::Filter(one(list)?, self.boxed(condition, true)?),
            Node::Aggregate(how, list, of) => {
                Node::Aggregate(*how, one(list)?, of.as_ref().map(|of| self.boxed(of, true)).transpose()?)
            }
            Node::Not(a) => Node::Not(one(a)?),
            Node::IsEmpty(a) => Node::IsEmpty(one(a)?),
            Node::Declared(a) => Node::Declared(one(a)?),
            Node::And(a, b) => Node::And(one(a)?, one(b)?),
            Node::Or(a, b) => Node::Or(one(a)?, one(b)?),
            Node::If(a, b, c) => Node::If(one(a)?, one(b)?, one(c)?),
            Node::Compare(op, a, b) => Node::Compare(*op, one(a)?, one(b)?),
            Node::Arithmetic(op, a, b) => Node::Arithmetic(*op, one(a)?, one(b)?),
            Node::Concat(a, b) => Node::Concat(one(a)?, one(b)?),
            Node::InValues(a, values) => Node::InValues(one(a)?, self.all(values, inside)?),
            Node::InList(a, b) => Node::InList(one(a)?, one(b)?),
            Node::Within { object, roots, entity, parent } => {
                Node::Within { object: one(object)?, roots: one(roots)?, entity: entity.clone(), parent: parent.clone() }
            }
            Node::Call(function, arguments) => Node::Call(*function, self.all(arguments, inside)?),
        })
    }
}
