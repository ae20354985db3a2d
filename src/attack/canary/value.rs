//! Values for attributes.

use super::random::Random;
use super::text::text;
use crate::domain::{Decimal, Kind, Number, Value};
use crate::model::{Attribute, Model};
use chrono::{Days, NaiveDateTime, TimeDelta};

/// Dates further from now than this many days stand for themselves; nearer ones may be anybody's.
pub(super) const NEAR: i64 = 90;

/// A value for an attribute: one of those that rules compare it with, or one of its own.
pub(super) fn value(
    random: &mut Random,
    model: &Model,
    attribute: &Attribute,
    compared: &[Value],
    now: NaiveDateTime,
    empty: usize,
) -> Value {
    if !attribute.required && attribute.kind() != Kind::Boolean && random.chance(empty) {
        return Value::Empty;
    }
    if random.chance(40)
        && let Some(known) = random.pick(compared)
    {
        return known.clone();
    }
    match attribute.kind() {
        Kind::Text => Value::text(text(random, attribute)),
        Kind::Boolean => Value::Boolean(random.chance(50)),
        Kind::Number(number) => figure(random, attribute, number),
        Kind::Date => day(random, now).map_or(Value::Empty, |day| Value::Date(day.date())),
        Kind::DateTime => day(random, now).map_or(Value::Empty, Value::DateTime),
        Kind::Enumeration(name) => {
            let values: Vec<&str> = model
                .enumerations
                .get(&name)
                .map(|all| all.values.keys().map(|name| name.as_str()).collect())
                .unwrap_or_default();
            random.pick(&values).map_or(Value::Empty, Value::text)
        }
        _ => Value::Empty,
    }
}

/// A number between the limits, with as many digits as there is room for.
fn figure(random: &mut Random, attribute: &Attribute, number: Number) -> Value {
    let bound = |value: &Option<Value>| value.as_ref().and_then(Value::as_decimal);
    let unit = 10_i64.saturating_pow(number.scale);
    let whole = 10_i64.saturating_pow(number.whole().min(8)).saturating_sub(1);
    let scaled = |value: Decimal| (value * Decimal::from(unit)).trunc().to_string().parse::<i64>().ok();
    let from = bound(&attribute.min).and_then(scaled).unwrap_or(0);
    let to = bound(&attribute.max).and_then(scaled).unwrap_or_else(|| whole.saturating_mul(unit)).max(from);
    let chosen = random.between(from, to.min(from.saturating_add(whole.saturating_mul(unit))));
    if number.scale == 0 { Value::Integer(chosen) } else { Value::Decimal(Decimal::new(chosen, number.scale)) }
}

/// A day near now in one of three cases, else far from it.
fn day(random: &mut Random, now: NaiveDateTime) -> Option<NaiveDateTime> {
    let near = random.chance(34);
    let distance = if near { random.between(0, 20) } else { random.between(NEAR + 30, 12_000) };
    let by = Days::new(distance.unsigned_abs());
    let date = if random.chance(60) { now.checked_sub_days(by) } else { now.checked_add_days(by) };
    Some(
        date?.checked_add_signed(TimeDelta::minutes(-random.between(0, 500)))?.date().and_time(now.time())
            - TimeDelta::minutes(random.between(1, 500)),
    )
}
