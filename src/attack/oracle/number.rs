//! Numbers by the language's description, in a library that loses no digit.

use crate::domain::{Decimal, Kind, Number, Value};
use crate::expr::{Aggregate, Arithmetic, Function, Node, Typed, sql_gap};
use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Zero};
use rust_decimal::RoundingStrategy::MidpointNearestEven;
use std::str::FromStr;

fn big(value: &Value) -> Option<BigDecimal> {
    BigDecimal::from_str(&value.as_decimal()?.to_string()).ok()
}

/// The number as a value, if one can hold it: whole where it has no digits after the point and is to have none.
fn value(exact: &BigDecimal, whole: bool) -> Value {
    let text = exact.normalized().to_plain_string();
    match (whole, text.parse()) {
        (true, Ok(whole)) => Value::Integer(whole),
        _ => Decimal::from_str_exact(&text).map_or(Value::Uncomputable, Value::Decimal),
    }
}

/// `10^power`
fn ten(power: i64) -> BigDecimal {
    BigDecimal::new(BigInt::from(1), -power)
}

/// A number is whole where both sides are and nothing is divided; an empty side makes it empty.
pub(super) fn calculate(op: Arithmetic, a: &Value, b: &Value) -> Value {
    if a.is_empty() || b.is_empty() {
        return Value::Empty;
    }
    let whole = matches!((a, b), (Value::Integer(_), Value::Integer(_)));
    let (Some(x), Some(y)) = (big(a), big(b)) else { return Value::Uncomputable };
    match op {
        Arithmetic::Add => value(&(x + y), whole),
        Arithmetic::Subtract => value(&(x - y), whole),
        Arithmetic::Multiply => value(&(x * y), whole),
        Arithmetic::Divide if y.is_zero() => Value::Empty,
        Arithmetic::Divide => {
            let quotient = a.as_decimal().zip(b.as_decimal()).and_then(|(a, b)| a.checked_div(b));
            quotient.map_or(Value::Uncomputable, |q| Value::Decimal(q.round_dp_with_strategy(8, MidpointNearestEven)))
        }
    }
}

/// The sum of numbers that are all there.
pub(super) fn total(values: &[Value]) -> Value {
    let whole = values.iter().all(|value| matches!(value, Value::Integer(_)));
    value(&values.iter().filter_map(big).sum::<BigDecimal>(), whole)
}

/// `round(x, digits)`: half to even.
pub(super) fn rounded(of: &Value, digits: i64) -> Value {
    let Some(exact) = big(of) else { return Value::Empty };
    // No number has digits beyond these, nor is larger.
    value(&exact.with_scale_round(digits.clamp(-40, 40), RoundingMode::HalfEven), digits <= 0)
}

/// With the digits that a member declares.
pub(super) fn declared(number: Number, of: &Value) -> Value {
    let Some(exact) = big(of) else { return of.clone() };
    let kept = exact.with_scale_round(i64::from(number.scale), RoundingMode::HalfEven);
    if kept.abs() < ten(i64::from(number.whole())) { value(&kept, number.scale == 0) } else { Value::Uncomputable }
}

/// What was computed has at most 18 digits, those after the point that it could have counted in; only what no database
/// could compute has more.
pub(super) fn held_to(e: &Typed, found: Value) -> Value {
    let computed = match &e.node {
        Node::Arithmetic(..) | Node::If(..) | Node::Aggregate(Aggregate::Sum, ..) => true,
        Node::Call(function, _) => matches!(function, Function::Abs | Function::Min | Function::Max | Function::Round),
        _ => false,
    };
    let (true, Kind::Number(number), Some(exact)) = (computed, &e.kind, big(&found)) else { return found };
    let few = exact.abs() < ten(18 - i64::from(number.scale));
    if few || sql_gap(e).is_some() { found } else { Value::Uncomputable }
}
