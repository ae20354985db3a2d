//! The checked tree.

use super::Span;
use crate::domain::{Kind, Name, QName, Value};
use std::sync::Arc;

/// A checked expression: its kind is known and every name is resolved.
#[derive(Clone, Debug)]
pub struct Typed {
    /// What it is.
    pub node: Node,
    /// What it gives.
    pub kind: Kind,
    /// Where it stands in the text.
    pub span: Span,
}

/// Two expressions are the same when they say the same, wherever they stand.
impl PartialEq for Typed {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.node == other.node
    }
}

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The current object.
    This,
    /// The element inside `[ … ]`, and inside an aggregate.
    Item,
    /// The signed-in user (an object of `system.User`).
    User,
    /// A parameter or a variable.
    Variable(Name),
}

/// `==` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// `+ - * /`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// Aggregates over a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many.
    Count,
    /// The sum; 0 over nothing.
    Sum,
    /// The least; empty over nothing.
    Min,
    /// The greatest; empty over nothing.
    Max,
    /// Whether there is any.
    Exists,
}

/// The functions with plain arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented under its own name in docs/MODEL.md")]
pub enum Function {
    Lower,
    Upper,
    Trim,
    Length,
    Contains,
    StartsWith,
    EndsWith,
    Substring,
    Abs,
    Min,
    Max,
    Round,
    Text,
    Date,
    AddDays,
    DaysBetween,
    WorkdaysBetween,
    Year,
    Month,
    Day,
    Weekday,
    StartOfMonth,
    StartOfYear,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A constant value.
    Literal(Value),
    /// The moment of the run, the same throughout it.
    Now,
    /// The date of the run.
    Today,
    /// The start of a path.
    Root(Root),
    /// An attribute of, or one step along a to-one association from, an object.
    Member {
        /// The object.
        of: Box<Typed>,
        /// The entity that has the member.
        entity: QName,
        /// The member.
        name: Name,
        /// What a calculated attribute computes, over `this`.
        calculated: Option<Arc<Typed>>,
    },
    /// The objects along a to-many association.
    Many {
        /// The object the association starts from.
        of: Box<Typed>,
        /// The entity it starts from.
        entity: QName,
        /// The association's name on that side.
        name: Name,
    },
    /// The elements of a list that satisfy a condition over `item`.
    Filter(Box<Typed>, Box<Typed>),
    /// An aggregate over a list, of an expression over `item`.
    Aggregate(Aggregate, Box<Typed>, Option<Box<Typed>>),
    /// `!a`
    Not(Box<Typed>),
    /// `a && b`
    And(Box<Typed>, Box<Typed>),
    /// `a || b`
    Or(Box<Typed>, Box<Typed>),
    /// `if(c, a, b)`
    If(Box<Typed>, Box<Typed>, Box<Typed>),
    /// `a op b`; false when a side is empty.
    Compare(Comparison, Box<Typed>, Box<Typed>),
    /// `a == empty`
    IsEmpty(Box<Typed>),
    /// Arithmetic on numbers; empty when a side is.
    Arithmetic(Arithmetic, Box<Typed>, Box<Typed>),
    /// Joining of texts; empty counts as no text.
    Concat(Box<Typed>, Box<Typed>),
    /// `a in [x, y]`
    InValues(Box<Typed>, Vec<Typed>),
    /// `a in list`
    InList(Box<Typed>, Box<Typed>),
    /// `within(object, roots)`: object is one of the roots or below one, along the entity's tree.
    Within {
        /// The object.
        object: Box<Typed>,
        /// One object or a list.
        roots: Box<Typed>,
        /// The entity with the tree.
        entity: QName,
        /// Its self-association.
        parent: Name,
    },
    /// `role('Name')`
    HasRole(Name),
    /// `signedIn()`
    SignedIn,
    /// A function of plain values.
    Call(Function, Vec<Typed>),
    /// A number with the digits that were declared for it: rounded half to even to the scale of the node's kind,
    /// uncomputable where its precision does not suffice.
    Declared(Box<Typed>),
}

impl Typed {
    /// Visits this node and all below it, also inside calculated members.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Typed)) {
        see(self);
        self.children(&mut |child| child.visit(see));
    }

    /// The direct children (without the inside of calculated members).
    pub fn children<'a>(&'a self, see: &mut dyn FnMut(&'a Typed)) {
        match &self.node {
            Node::Literal(_) | Node::Now | Node::Today | Node::Root(_) | Node::HasRole(_) | Node::SignedIn => {}
            Node::Member { of, .. } | Node::Many { of, .. } => see(of),
            Node::Not(a) | Node::IsEmpty(a) | Node::Declared(a) => see(a),
            Node::And(a, b)
            | Node::Or(a, b)
            | Node::Compare(_, a, b)
            | Node::Arithmetic(_, a, b)
            | Node::Concat(a, b)
            | Node::Filter(a, b)
            | Node::InList(a, b)
            | Node::Within { object: a, roots: b, .. } => {
                see(a);
                see(b);
            }
            Node::If(a, b, c) => {
                see(a);
                see(b);
                see(c);
            }
            Node::Aggregate(_, list, of) => {
                see(list);
                if let Some(of) = of {
                    see(of);
                }
            }
            Node::InValues(a, values) => {
                see(a);
                values.iter().for_each(see);
            }
            Node::Call(_, arguments) => arguments.iter().for_each(see),
        }
    }

    /// Whether the expression depends on the given root (also inside its parts).
    pub fn mentions(&self, root: &Root) -> bool {
        let mut found = false;
        self.visit(&mut |node| found |= matches!(&node.node, Node::Root(r) if r == root));
        found
    }

    /// A constant condition.
    pub fn boolean(value: bool) -> Self {
        Self { node: Node::Literal(Value::Boolean(value)), kind: Kind::Boolean, span: Span::default() }
    }
}
