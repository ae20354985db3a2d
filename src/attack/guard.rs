//! What no two rows of an entity may have in common: unique members, one-to-one associations, ranges that may not overlap.
//!
//! Written from the description of the language, like the oracle: it shares no code with the store, whose refusals are
//! compared with it. Deliberately not here: who may be told what (`class::taken`).

use super::oracle::order;
use super::world::World;
use crate::domain::{Name, ObjectId, Value};
use crate::model::{Entity, Exclusion, Multiplicity};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The values of a row.
pub type Values = BTreeMap<Name, Value>;

/// One such rule of an entity.
#[derive(Clone, Debug)]
pub enum Guard<'e> {
    /// No two rows have the same in all of these members; what is empty equals nothing.
    Unique(Vec<&'e Name>),
    /// No two rows that have the same in some members overlap in their ranges.
    Range(&'e Exclusion),
}

impl<'e> Guard<'e> {
    /// All of an entity.
    pub fn of(entity: &'e Entity) -> Vec<Self> {
        let single = entity.associations.values().filter(|link| link.multiplicity == Multiplicity::OneToOne);
        let unique = entity.unique.iter().map(|members| members.iter().collect()).chain(single.map(|link| vec![&link.name]));
        unique.map(Self::Unique).chain(entity.exclude.iter().map(Self::Range)).collect()
    }

    /// The members that it compares.
    pub fn members(&self) -> Vec<&'e Name> {
        match self {
            Self::Unique(members) => members.clone(),
            Self::Range(range) => range.same.iter().chain([&range.from, &range.to]).collect(),
        }
    }

    /// The member at which a refusal stands.
    pub fn place(&self) -> Option<&'e Name> {
        match self {
            Self::Unique(members) => members.first().copied(),
            Self::Range(range) => Some(&range.member),
        }
    }

    /// Whether a row clashes with no other, whatever the others have: something that would have to be the same is empty.
    pub fn is_idle(&self, row: &Values) -> bool {
        let members = match self {
            Self::Unique(members) => members.clone(),
            Self::Range(range) => range.same.iter().collect(),
        };
        members.iter().any(|name| value(row, name).is_none())
    }

    /// Whether two rows may not both be there.
    pub fn clashes(&self, one: &Values, other: &Values) -> bool {
        let same = |members: &[&Name]| {
            let mut pairs = members.iter().map(|name| (value(one, name), value(other, name)));
            pairs.all(|(a, b)| matches!((a, b), (Some(a), Some(b)) if equal(a, b)))
        };
        match self {
            Self::Unique(members) => same(members),
            Self::Range(range) => {
                let before = |a: &Values, b: &Values| ends_before(value(a, &range.to), value(b, &range.from));
                same(&range.same.iter().collect::<Vec<_>>()) && !before(one, other) && !before(other, one)
            }
        }
    }

    /// Whether the range of a row has nothing in it, which is refused.
    pub fn is_backwards(&self, row: &Values) -> bool {
        let Self::Range(range) = self else { return false };
        match (value(row, &range.from), value(row, &range.to)) {
            (Some(from), Some(to)) => match order(from, to) {
                Some(Ordering::Equal) => matches!(from, Value::DateTime(_)),
                found => found == Some(Ordering::Greater),
            },
            _ => false,
        }
    }
}

/// Whether a row has a sound range and clashes with no other row of a world, by those of its entity's rules that compare
/// one of these members.
pub fn is_sound(entity: &Entity, world: &World, id: Option<ObjectId>, row: &Values, of: &[Name]) -> bool {
    let guards: Vec<Guard<'_>> =
        Guard::of(entity).into_iter().filter(|guard| guard.members().iter().any(|m| of.contains(m))).collect();
    let others = || world.rows.get(&entity.name).into_iter().flatten().filter(|(other, _)| Some(**other) != id);
    guards.iter().all(|guard| !guard.is_backwards(row) && !others().any(|(_, other)| guard.clashes(row, &other.values)))
}

fn value<'v>(row: &'v Values, name: &Name) -> Option<&'v Value> {
    row.get(name).filter(|value| !value.is_empty())
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || order(a, b) == Some(Ordering::Equal)
}

/// Whether a range that ends here is over before one begins there: a last day belongs to its range, a last moment not.
fn ends_before(to: Option<&Value>, from: Option<&Value>) -> bool {
    let (Some(to), Some(from)) = (to, from) else { return false };
    match order(to, from) {
        Some(Ordering::Equal) => matches!(to, Value::DateTime(_)),
        found => found == Some(Ordering::Less),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(all: [(&str, Value); N]) -> Values {
        all.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
    }

    fn day(day: u32) -> Value {
        Value::Date(chrono::NaiveDate::from_ymd_opt(2026, 3, day).unwrap())
    }

    fn moment(hour: u32) -> Value {
        Value::DateTime(chrono::NaiveDate::from_ymd_opt(2026, 3, 1).unwrap().and_hms_opt(hour, 0, 0).unwrap())
    }

    #[test]
    fn what_is_empty_equals_nothing_and_all_members_count_together() {
        let (a, b) = (Name::new("a"), Name::new("b"));
        let guard = Guard::Unique(vec![&a, &b]);
        let one = row([("a", Value::text("x")), ("b", Value::Integer(1))]);
        assert!(guard.clashes(&one, &one) && !guard.is_idle(&one));
        assert!(guard.clashes(&one, &row([("a", Value::text("x")), ("b", Value::Decimal("1.00".parse().unwrap()))])));
        assert!(!guard.clashes(&one, &row([("a", Value::text("x")), ("b", Value::Integer(2))])));
        let open = row([("a", Value::text("x")), ("b", Value::Empty)]);
        assert!(!guard.clashes(&open, &open) && guard.is_idle(&open));
    }

    #[test]
    fn a_last_day_belongs_to_its_range_a_last_moment_does_not_and_an_open_end_has_none() {
        let range = Exclusion {
            same: vec![Name::new("room")],
            from: Name::new("from"),
            to: Name::new("to"),
            member: Name::new("from"),
            message: None,
        };
        let guard = Guard::Range(&range);
        let of = |from: Value, to: Value| row([("room", Value::Object(ObjectId(1))), ("from", from), ("to", to)]);
        assert!(
            guard.clashes(&of(day(1), day(3)), &of(day(3), day(5))) && !guard.clashes(&of(day(1), day(3)), &of(day(4), day(5)))
        );
        assert!(!guard.clashes(&of(moment(1), moment(3)), &of(moment(3), moment(5))));
        assert!(guard.clashes(&of(moment(1), moment(4)), &of(moment(3), moment(5))));
        assert!(guard.clashes(&of(Value::Empty, day(3)), &of(day(2), Value::Empty)));
        assert!(!guard.clashes(&of(Value::Empty, day(3)), &of(day(4), Value::Empty)));
        assert!(guard.is_backwards(&of(day(3), day(2))) && !guard.is_backwards(&of(day(3), day(3))));
        assert!(guard.is_backwards(&of(moment(3), moment(3))) && !guard.is_backwards(&of(Value::Empty, day(1))));
        let elsewhere = row([("room", Value::Object(ObjectId(2))), ("from", day(1)), ("to", day(3))]);
        assert!(!guard.clashes(&of(day(1), day(3)), &elsewhere));
    }
}
