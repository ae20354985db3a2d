//! Whether a condition can be true at all, or false at all.
//!
//! The ways to make a condition true are followed one by one; a way ends where it asks for what
//! cannot be. Emptiness is followed as the language has it: a comparison with an empty side is false.
//!
//! INVARIANT: never a false alarm. A condition is called impossible only when every way ended; what
//! is not understood, and what would take too many ways, counts as possible.

use super::facts::Facts;
use crate::domain::{Kind, Name, QName, Value};
use crate::expr::{Comparison, Node, Root, Typed, compare_values};
use std::cell::Cell;
use std::cmp::Ordering;

/// Ways and steps that are followed at most.
const MOST: u32 = 4_000;

/// Asks conditions.
pub(super) struct Solver<'a> {
    /// The values of an enumeration.
    pub enumeration: &'a dyn Fn(&QName) -> Option<Vec<Name>>,
    /// Literals whose value may be another one tomorrow.
    pub unfixed: &'a dyn Fn(&Typed) -> bool,
    /// Nobody is signed in: what starts at `user` is empty.
    pub nobody: bool,
}

/// What is still to be made true, or false.
type Goals<'e> = Vec<(&'e Typed, bool)>;

impl Solver<'_> {
    /// Whether no values make all of these true.
    pub fn impossible(&self, all: &[&Typed]) -> bool {
        let left = Cell::new(MOST);
        !self.possible(all.iter().map(|e| (*e, true)).collect(), Facts::default(), &left)
    }

    /// Whether no values make it false.
    pub fn certain(&self, condition: &Typed) -> bool {
        let left = Cell::new(MOST);
        !self.possible(vec![(condition, false)], Facts::default(), &left)
    }

    fn possible<'e>(&self, mut goals: Goals<'e>, mut facts: Facts<'e>, left: &Cell<u32>) -> bool {
        while let Some((e, wanted)) = goals.pop() {
            left.set(left.get().saturating_sub(1));
            if left.get() == 0 {
                return true;
            }
            let both = |goals: &Goals<'e>, more: &[(&'e Typed, bool)]| [goals.as_slice(), more].concat();
            match (&e.node, wanted) {
                (Node::Not(a), wanted) => goals.push((&**a, !wanted)),
                (Node::And(a, b), true) => goals.extend([(&**b, true), (&**a, true)]),
                (Node::Or(a, b), false) => goals.extend([(&**b, false), (&**a, false)]),
                (Node::And(a, b), false) | (Node::Or(a, b), true) => {
                    return self.possible(both(&goals, &[(&**a, wanted)]), facts.clone(), left)
                        || self.possible(both(&goals, &[(&**b, wanted)]), facts, left);
                }
                (Node::If(c, a, b), wanted) => {
                    return self.possible(both(&goals, &[(&**a, wanted), (&**c, true)]), facts.clone(), left)
                        || self.possible(both(&goals, &[(&**b, wanted), (&**c, false)]), facts, left);
                }
                _ => {
                    let ways = self.ways(e, wanted);
                    let Some((last, others)) = ways.split_last() else { return false };
                    for way in others {
                        let mut one = facts.clone();
                        if self.take(way, &mut one) && self.possible(goals.clone(), one, left) {
                            return true;
                        }
                    }
                    if !self.take(last, &mut facts) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The ways in which one part without `&&`, `||` and `!` becomes what is wanted; none if it cannot.
    fn ways<'e>(&self, e: &'e Typed, wanted: bool) -> Vec<Way<'e>> {
        match &e.node {
            Node::Literal(value) if !(self.unfixed)(e) => possible_if(value.holds() == wanted),
            Node::IsEmpty(a) => match self.known(a) {
                Some(value) => possible_if(value.is_empty() == wanted),
                None => vec![Way::Empty(a, wanted)],
            },
            Node::Compare(op, a, b) => self.comparison(*op, a, b, wanted),
            Node::InValues(a, values) => self.membership(a, values, wanted),
            Node::HasRole(_) | Node::SignedIn if self.nobody => possible_if(!wanted),
            Node::InList(a, _) | Node::Within { object: a, .. } if self.is_nothing(a) => possible_if(!wanted),
            Node::Within { roots, .. } if self.is_nothing(roots) => possible_if(!wanted),
            _ if self.is_nothing(e) => possible_if(!wanted),
            _ if wanted => vec![Way::OneOf(e, vec![Value::Boolean(true)])],
            // Along an empty association a boolean has no value, and then it does not hold.
            Node::Member { .. } => vec![Way::Empty(e, true), Way::OneOf(e, vec![Value::Boolean(false)])],
            _ => vec![Way::OneOf(e, vec![Value::Boolean(false)])],
        }
    }

    fn comparison<'e>(&self, op: Comparison, a: &'e Typed, b: &'e Typed, wanted: bool) -> Vec<Way<'e>> {
        let (left, right) = (self.known(a), self.known(b));
        let nothing = [&left, &right].into_iter().flatten().any(Value::is_empty);
        if nothing {
            return possible_if(!wanted);
        }
        let met = if wanted { op } else { opposite(op) };
        let (way, sides) = match (left, right) {
            (Some(x), Some(y)) => match compare_values(&x, &y) {
                Some(order) => return possible_if(stands(op, order) == wanted),
                None => return vec![Way::Open],
            },
            (None, Some(fixed)) => (Way::Against(a, met, fixed), vec![a]),
            (Some(fixed), None) => (Way::Against(b, met.swapped(), fixed), vec![b]),
            (None, None) => (Way::Between(a, met, b), vec![a, b]),
        };
        let mut ways = vec![way];
        if !wanted {
            ways.extend(sides.into_iter().map(|side| Way::Empty(side, true)));
        }
        ways
    }

    fn membership<'e>(&self, a: &'e Typed, values: &[Typed], wanted: bool) -> Vec<Way<'e>> {
        let all: Option<Vec<Value>> = values.iter().map(|value| self.known(value)).collect();
        let Some(all) = all else { return vec![Way::Open] };
        match self.known(a) {
            Some(value) => {
                let found = all.iter().any(|other| compare_values(&value, other) == Some(Ordering::Equal));
                possible_if((found && !value.is_empty()) == wanted)
            }
            None if wanted => vec![Way::OneOf(a, all)],
            None => vec![Way::NoneOf(a, all), Way::Empty(a, true)],
        }
    }

    fn take<'e>(&self, way: &Way<'e>, facts: &mut Facts<'e>) -> bool {
        let values = |kind: &Kind| self.values(kind);
        match way {
            Way::Open => true,
            Way::Empty(e, empty) => facts.empty(e, *empty, &values),
            Way::OneOf(e, wanted) => facts.one_of(e, wanted, &values),
            Way::NoneOf(e, unwanted) => facts.none_of(e, unwanted, &values),
            Way::Against(e, op, fixed) => facts.against(e, *op, fixed, &values),
            Way::Between(a, op, b) => facts.between(a, *op, b, &values),
        }
    }

    /// All values of a kind that has few.
    fn values(&self, kind: &Kind) -> Option<Vec<Value>> {
        match kind {
            Kind::Boolean => Some(vec![Value::Boolean(true), Value::Boolean(false)]),
            Kind::Enumeration(name) => {
                (self.enumeration)(name).map(|all| all.iter().map(|name| Value::text(name.as_str())).collect())
            }
            _ => None,
        }
    }

    /// The value, where the text alone says it.
    fn known(&self, e: &Typed) -> Option<Value> {
        match &e.node {
            Node::Literal(value) if !(self.unfixed)(e) => Some(value.clone()),
            _ => self.is_nothing(e).then_some(Value::Empty),
        }
    }

    fn is_nothing(&self, e: &Typed) -> bool {
        self.nobody && starts_at_user(e)
    }
}

/// One way to make a part of a condition true, or false.
enum Way<'e> {
    /// Not understood: possible.
    Open,
    Empty(&'e Typed, bool),
    OneOf(&'e Typed, Vec<Value>),
    NoneOf(&'e Typed, Vec<Value>),
    Against(&'e Typed, Comparison, Value),
    Between(&'e Typed, Comparison, &'e Typed),
}

fn possible_if<'e>(possible: bool) -> Vec<Way<'e>> {
    if possible { vec![Way::Open] } else { Vec::new() }
}

/// `user`, `user.employee`, `user.employee.headOf`.
pub(super) fn starts_at_user(e: &Typed) -> bool {
    match &e.node {
        Node::Root(Root::User) => true,
        Node::Member { of, .. } | Node::Many { of, .. } => starts_at_user(of),
        _ => false,
    }
}

fn stands(op: Comparison, order: Ordering) -> bool {
    match op {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// The comparison that holds of two values exactly where the other does not.
fn opposite(op: Comparison) -> Comparison {
    match op {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}
