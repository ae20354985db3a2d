//! What the database could not compute, or not exactly, found while the model is read.

use super::typed::{Aggregate, Arithmetic, Comparison, Function, Node, Root, Typed};
use super::{Fault, Span};
use crate::domain::{Kind, Number, Value};

/// The innermost part of a condition that cannot be lowered to SQL exactly on both databases.
///
/// Rows are decided by the database, so a rule or constraint must be wholly computable there;
/// arithmetic that could exceed 18 digits is refused here, not while a row is read
/// (CVE-2023-23835: queries made to err must never widen an answer).
pub fn sql_gap(expression: &Typed) -> Option<Fault> {
    let mut gap = None;
    expression.visit(&mut |node| {
        // The innermost cause is the one to mend.
        if let Some(message) = node_gap(node) {
            gap = Some(Fault::new(node.span, message));
        }
    });
    gap
}

fn node_gap(node: &Typed) -> Option<String> {
    match &node.node {
        Node::Arithmetic(Arithmetic::Divide, ..) => Some("division is not exact in the database; use it in a microflow".into()),
        Node::Call(Function::Round, arguments) if rounding(arguments).is_none() => {
            Some("the database rounds only to a fixed number of digits, as in round(x, 2)".into())
        }
        Node::Call(Function::Text | Function::WorkdaysBetween, _) => {
            Some("this function is not available in rules and constraints".into())
        }
        // What a microflow divided or summed up in memory is as it is; it is not cut down to what a column holds.
        Node::Root(Root::Variable(_)) if matches!(node.kind, Kind::Number(n) if n.digits > Number::MOST_DIGITS) => {
            Some("this variable can have more than 18 digits; the database compares numbers of at most 18".into())
        }
        Node::Compare(_, a, b) => aligned(a, b),
        Node::InValues(a, values) => values.iter().find_map(|v| aligned(a, v)),
        Node::Aggregate(_, list, _) | Node::InList(_, list) if !reachable(list) => {
            Some("only associations can be aggregated here".into())
        }
        Node::Within { roots, .. } if matches!(roots.kind, Kind::List(_)) && !reachable(roots) => {
            Some("only associations can span the roots here".into())
        }
        Node::Member { calculated: Some(inner), .. } => {
            sql_gap(inner).map(|fault| format!("this is calculated, and {}", fault.message))
        }
        _ => None,
    }
}

fn reachable(list: &Typed) -> bool {
    match &list.node {
        Node::Many { .. } => true,
        Node::Filter(inner, _) => reachable(inner),
        _ => false,
    }
}

/// Comparing two numbers means writing both with the same digits after the point.
fn aligned(a: &Typed, b: &Typed) -> Option<String> {
    let (Kind::Number(x), Kind::Number(y)) = (&a.kind, &b.kind) else { return None };
    // What has more than 18 digits cannot be computed, and is compared with nothing.
    let whole = |number: &Number| number.whole().min(Number::MOST_DIGITS.saturating_sub(number.scale));
    let digits = whole(x).max(whole(y)) + x.scale.max(y.scale);
    (digits > Number::MOST_DIGITS).then(|| format!("comparing these needs {digits} digits; a database number has at most 18"))
}

/// From how many digits after the point to how many a call of `round` goes, if the database can follow: the digits are
/// written out, and the surplus is one that a number can have.
pub fn rounding(arguments: &[Typed]) -> Option<(u32, i64)> {
    let [Typed { kind: Kind::Number(from), .. }, Typed { node: Node::Literal(Value::Integer(to)), .. }] = arguments else {
        return None;
    };
    (i64::from(from.scale).saturating_sub(*to) <= i64::from(Number::MOST_DIGITS)).then_some((from.scale, *to))
}

/// What the digits of an expression say about it.
impl Typed {
    /// Whether the value can be [`Value::Uncomputable`], as far as can be said without data.
    pub fn may_overflow(&self) -> bool {
        let Kind::Number(number) = &self.kind else { return false };
        let too_many = number.digits > Number::MOST_DIGITS;
        match &self.node {
            Node::Literal(_) | Node::Root(_) => false,
            Node::Member { calculated, .. } => calculated.as_ref().is_some_and(|inner| inner.may_overflow()),
            // A thousand million numbers of at most nine digits still fit.
            Node::Aggregate(Aggregate::Sum, _, Some(of)) => {
                of.may_overflow() || matches!(of.kind, Kind::Number(n) if n.digits > 9)
            }
            Node::Declared(of) => {
                let carries = |from: Number| from.whole() + u32::from(from.scale > number.scale) > number.whole();
                of.may_overflow() || matches!(of.kind, Kind::Number(from) if carries(from))
            }
            Node::If(_, a, b) => too_many || a.may_overflow() || b.may_overflow(),
            _ => {
                let mut found = too_many;
                self.children(&mut |child| found |= child.may_overflow());
                found
            }
        }
    }
}

/// Whether the expression can differ from row to row.
impl Typed {
    /// True when the value depends on `this` or `item`.
    pub fn depends_on_row(&self) -> bool {
        self.mentions(&Root::This) || self.mentions(&Root::Item)
    }
}

impl Comparison {
    /// The comparison with its sides swapped.
    pub fn swapped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// A span that covers a whole text.
impl Span {
    /// From the first to the last byte of `text`.
    pub fn whole(text: &str) -> Self {
        Self { start: 0, end: text.len() }
    }
}
