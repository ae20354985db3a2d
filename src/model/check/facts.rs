//! What is known of the values in a condition while one way of making it true is followed.
//!
//! INVARIANT: [`Facts`] says "impossible" only of what no values can satisfy. What it does not
//! understand it takes for possible.

use crate::domain::{Kind, Value};
use crate::expr::{Comparison, Typed, compare_values};
use std::cmp::Ordering;

/// A value and whether the bound leaves it out.
type Bound = Option<(Value, bool)>;

/// What one part of the condition may be.
#[derive(Clone, Default)]
struct Range {
    empty: Option<bool>,
    allowed: Option<Vec<Value>>,
    excluded: Vec<Value>,
    low: Bound,
    high: Bound,
}

/// How two parts may stand to each other: less, equal, greater.
type Stand = [bool; 3];

/// Everything that one way of making a condition true has asked for so far.
#[derive(Clone, Default)]
pub(super) struct Facts<'e> {
    ranges: Vec<(&'e Typed, Range)>,
    stands: Vec<(&'e Typed, &'e Typed, Stand)>,
}

impl<'e> Facts<'e> {
    fn range(&mut self, of: &'e Typed, values: &dyn Fn(&Kind) -> Option<Vec<Value>>) -> Option<&mut Range> {
        let at = match self.ranges.iter().position(|(known, _)| **known == *of) {
            Some(at) => at,
            None => {
                self.ranges.push((of, Range { allowed: values(&of.kind), ..Range::default() }));
                self.ranges.len() - 1
            }
        };
        self.ranges.get_mut(at).map(|(_, range)| range)
    }

    /// The part is empty, or it is not. Says whether that is still possible.
    pub fn empty(&mut self, of: &'e Typed, empty: bool, values: &dyn Fn(&Kind) -> Option<Vec<Value>>) -> bool {
        let Some(range) = self.range(of, values) else { return true };
        if range.empty.is_some_and(|known| known != empty) {
            return false;
        }
        range.empty = Some(empty);
        range.possible()
    }

    /// The part has a value, and it is one of these.
    pub fn one_of(&mut self, of: &'e Typed, wanted: &[Value], values: &dyn Fn(&Kind) -> Option<Vec<Value>>) -> bool {
        if !self.empty(of, false, values) {
            return false;
        }
        let Some(range) = self.range(of, values) else { return true };
        range.allowed = Some(match range.allowed.take() {
            Some(before) => before.into_iter().filter(|value| wanted.iter().any(|other| same(value, other))).collect(),
            None => wanted.to_vec(),
        });
        range.possible()
    }

    /// The part has a value, and it is none of these.
    pub fn none_of(&mut self, of: &'e Typed, unwanted: &[Value], values: &dyn Fn(&Kind) -> Option<Vec<Value>>) -> bool {
        if !self.empty(of, false, values) {
            return false;
        }
        let Some(range) = self.range(of, values) else { return true };
        range.excluded.extend(unwanted.iter().cloned());
        range.possible()
    }

    /// The part has a value that stands so to a fixed one.
    pub fn against(
        &mut self,
        of: &'e Typed,
        op: Comparison,
        fixed: &Value,
        values: &dyn Fn(&Kind) -> Option<Vec<Value>>,
    ) -> bool {
        match op {
            Comparison::Equal => return self.one_of(of, std::slice::from_ref(fixed), values),
            Comparison::NotEqual => return self.none_of(of, std::slice::from_ref(fixed), values),
            _ => {}
        }
        if !self.empty(of, false, values) {
            return false;
        }
        let Some(range) = self.range(of, values) else { return true };
        let whole = matches!(&of.kind, Kind::Number(number) if number.scale == 0);
        let strict = matches!(op, Comparison::Less | Comparison::Greater);
        let bound = match (fixed, whole && strict) {
            (Value::Integer(n), true) if op == Comparison::Less => (Value::Integer(n.saturating_sub(1)), false),
            (Value::Integer(n), true) => (Value::Integer(n.saturating_add(1)), false),
            _ => (fixed.clone(), strict),
        };
        let (side, wanted) = match op {
            Comparison::Less | Comparison::LessOrEqual => (&mut range.high, Ordering::Less),
            _ => (&mut range.low, Ordering::Greater),
        };
        tighten(side, bound, wanted);
        range.possible()
    }

    /// Two parts have values that stand so to each other.
    pub fn between(&mut self, a: &'e Typed, op: Comparison, b: &'e Typed, values: &dyn Fn(&Kind) -> Option<Vec<Value>>) -> bool {
        if *a == *b {
            let reflexive = matches!(op, Comparison::Equal | Comparison::LessOrEqual | Comparison::GreaterOrEqual);
            return reflexive && self.empty(a, false, values);
        }
        if !self.empty(a, false, values) || !self.empty(b, false, values) {
            return false;
        }
        let known = self.stands.iter_mut().find_map(|(x, y, stand)| match (**x == *a && **y == *b, **x == *b && **y == *a) {
            (true, _) => Some((stand, op)),
            (_, true) => Some((stand, op.swapped())),
            _ => None,
        });
        match known {
            Some((stand, op)) => {
                let other = stand_of(op);
                stand.iter_mut().zip(other).for_each(|(known, other)| *known &= other);
                stand.iter().any(|possible| *possible)
            }
            None => {
                self.stands.push((a, b, stand_of(op)));
                true
            }
        }
    }
}

fn stand_of(op: Comparison) -> Stand {
    match op {
        Comparison::Equal => [false, true, false],
        Comparison::NotEqual => [true, false, true],
        Comparison::Less => [true, false, false],
        Comparison::LessOrEqual => [true, true, false],
        Comparison::Greater => [false, false, true],
        Comparison::GreaterOrEqual => [false, true, true],
    }
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || compare_values(a, b) == Some(Ordering::Equal)
}

/// Keeps the narrower of two bounds; what cannot be compared leaves the bound as it is.
fn tighten(side: &mut Bound, new: (Value, bool), narrower: Ordering) {
    let better = match side {
        None => true,
        Some((known, strict)) => match compare_values(&new.0, known) {
            Some(Ordering::Equal) => new.1 && !*strict,
            Some(order) => order == narrower,
            None => false,
        },
    };
    if better {
        *side = Some(new);
    }
}

impl Range {
    fn within(&self, value: &Value) -> bool {
        let fits = |bound: &Bound, wanted: Ordering| {
            bound.as_ref().is_none_or(|(limit, strict)| match compare_values(value, limit) {
                Some(Ordering::Equal) => !strict,
                Some(order) => order == wanted,
                None => true,
            })
        };
        !self.excluded.iter().any(|other| same(value, other))
            && fits(&self.low, Ordering::Greater)
            && fits(&self.high, Ordering::Less)
    }

    /// Whether anything satisfies all of it.
    fn possible(&self) -> bool {
        if self.empty != Some(false) {
            return true;
        }
        if let Some(allowed) = &self.allowed {
            return allowed.iter().any(|value| self.within(value));
        }
        let (Some((low, open)), Some((high, shut))) = (&self.low, &self.high) else { return true };
        match compare_values(low, high) {
            Some(Ordering::Greater) => false,
            Some(Ordering::Equal) => !open && !shut && self.within(low),
            _ => true,
        }
    }
}
