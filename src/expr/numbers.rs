//! Arithmetic in memory: exact, or not at all.
//!
//! Guarantees: a result is exact, or [`Value::Uncomputable`]; an empty side makes it empty; rounding is half to even,
//! for negative numbers and negative digits too. The store computes the same in both databases
//! (`the_evaluator_and_both_databases_agree_on_every_expression`).
//! Deliberately not here: how many digits the result of an expression may have; the evaluator knows its kind.

use super::typed::Arithmetic;
use crate::domain::{Decimal, Number, Value};

/// The sum of the values of a member, as a number has digits; 0 over nothing. Empty ones do not count.
pub fn sum_values(values: &[Value]) -> Value {
    let sum = sum(values);
    let fits = |sum: Decimal| Number { digits: Number::MOST_DIGITS, scale: sum.scale() }.fits(sum);
    if sum.as_decimal().is_some_and(fits) { sum } else { Value::Uncomputable }
}

/// The value with the digits of `number`: rounded half to even, and uncomputable when it has too many before the point.
pub fn declared_value(number: Number, value: &Value) -> Value {
    let Some(exact) = value.as_decimal() else { return value.clone() };
    let Some(mut fixed) = rounded(exact, i64::from(number.scale)).filter(|fixed| number.fits(*fixed)) else {
        return Value::Uncomputable;
    };
    if number.scale == 0 {
        return whole(fixed);
    }
    fixed.rescale(number.scale);
    Value::Decimal(fixed)
}

/// The sum of numbers, in whatever order they come; 0 over nothing. Empty ones do not count.
pub(super) fn sum(values: &[Value]) -> Value {
    let scale = values.iter().filter_map(Value::as_decimal).map(|d| d.scale()).max().unwrap_or(0);
    let (mut total, mut decimal) = (0_i128, false);
    for value in values.iter().filter(|value| !value.is_empty()) {
        decimal |= matches!(value, Value::Decimal(_));
        let scaled = value.as_decimal().and_then(|d| d.mantissa().checked_mul(ten(scale.checked_sub(d.scale())?)?));
        match scaled.and_then(|scaled| total.checked_add(scaled)) {
            Some(more) => total = more,
            None => return Value::Uncomputable,
        }
    }
    match Decimal::try_from_i128_with_scale(total, scale) {
        Ok(exact) if decimal => Value::Decimal(exact),
        Ok(exact) => whole(exact),
        Err(_) => Value::Uncomputable,
    }
}

pub(super) fn arithmetic(op: Arithmetic, a: &Value, b: &Value) -> Value {
    if a.is_empty() || b.is_empty() {
        return Value::Empty;
    }
    if let (Value::Integer(a), Value::Integer(b)) = (a, b) {
        let exact = match op {
            Arithmetic::Add => a.checked_add(*b),
            Arithmetic::Subtract => a.checked_sub(*b),
            Arithmetic::Multiply => a.checked_mul(*b),
            Arithmetic::Divide => return divide(Decimal::from(*a), Decimal::from(*b)),
        };
        return exact.map_or(Value::Uncomputable, Value::Integer);
    }
    let (Some(a), Some(b)) = (a.as_decimal(), b.as_decimal()) else { return Value::Uncomputable };
    let (exact, scale) = match op {
        Arithmetic::Add => (a.checked_add(b), a.scale().max(b.scale())),
        Arithmetic::Subtract => (a.checked_sub(b), a.scale().max(b.scale())),
        Arithmetic::Multiply => (a.checked_mul(b), a.scale() + b.scale()),
        Arithmetic::Divide => return divide(a, b),
    };
    // A decimal that lost digits to make room says so by its scale; a zero needs none.
    let zero = |exact: &Decimal| a.is_zero() || b.is_zero() || exact.is_zero() && op != Arithmetic::Multiply;
    exact.filter(|exact| zero(exact) || exact.scale() >= scale).map_or(Value::Uncomputable, Value::Decimal)
}

/// Eight digits after the point; by zero it is empty.
fn divide(a: Decimal, b: Decimal) -> Value {
    if b.is_zero() {
        return Value::Empty;
    }
    a.checked_div(b).and_then(|quotient| rounded(quotient, 8)).map_or(Value::Uncomputable, Value::Decimal)
}

/// `round(x, digits)`.
pub(super) fn round(value: &Value, digits: i64) -> Value {
    let Some(exact) = value.as_decimal() else { return value.clone() };
    match rounded(exact, digits) {
        Some(rounded) if digits <= 0 => whole(rounded),
        Some(rounded) => Value::Decimal(rounded),
        None => Value::Uncomputable,
    }
}

/// A whole number as an integer, as far as one reaches.
fn whole(number: Decimal) -> Value {
    number.normalize().to_string().parse().map_or(Value::Decimal(number), Value::Integer)
}

/// Rounded half to even to so many digits after the point, or to tens, hundreds, … where they are negative.
fn rounded(number: Decimal, digits: i64) -> Option<Decimal> {
    let surplus = i64::from(number.scale()).saturating_sub(digits);
    if surplus <= 0 {
        return Some(number);
    }
    // Beyond what a mantissa has, nothing is left.
    let Some(unit) = u32::try_from(surplus).ok().and_then(ten) else { return Some(Decimal::ZERO) };
    let (quotient, rest) = (number.mantissa().checked_div(unit)?, number.mantissa().checked_rem(unit)?);
    let up = match rest.abs().cmp(&(unit / 2)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    let units = if up { quotient.checked_add(number.mantissa().signum())? } else { quotient };
    match u32::try_from(digits) {
        Ok(scale) => Decimal::try_from_i128_with_scale(units, scale).ok(),
        Err(_) if units == 0 => Some(Decimal::ZERO),
        Err(_) => {
            let zeros = u32::try_from(digits.unsigned_abs()).ok()?;
            Decimal::try_from_i128_with_scale(units.checked_mul(ten(zeros)?)?, 0).ok()
        }
    }
}

fn ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[test]
    fn rounding_is_half_to_even_on_both_sides_of_zero_and_of_the_point() {
        let cases = [
            ("0.125", 2, "0.12"),
            ("0.135", 2, "0.14"),
            ("-0.125", 2, "-0.12"),
            ("-0.135", 2, "-0.14"),
            ("0.1251", 2, "0.13"),
            ("2.5", 0, "2"),
            ("-3.5", 0, "-4"),
            ("1250", -2, "1200"),
            ("1350.00", -2, "1400"),
            ("-50", -2, "0"),
            ("-50.01", -2, "-100"),
            ("1.5", 4, "1.5"),
            ("49", -18, "0"),
            ("49", i64::MIN, "0"),
            ("49", i64::MAX, "49"),
        ];
        for (number, digits, wanted) in cases {
            let found = round(&d(number), digits).as_decimal().unwrap().normalize();
            assert_eq!(found.to_string(), wanted, "round({number}, {digits})");
        }
    }

    #[test]
    fn a_result_that_would_lose_digits_is_none() {
        let long = d("0.12345678901234567");
        assert_eq!(arithmetic(Arithmetic::Multiply, &long, &long), Value::Uncomputable);
        assert_eq!(arithmetic(Arithmetic::Multiply, &d("0.00"), &long), d("0.0000000000000000000"));
        assert_eq!(arithmetic(Arithmetic::Add, &Value::Integer(i64::MAX), &Value::Integer(1)), Value::Uncomputable);
        assert_eq!(arithmetic(Arithmetic::Add, &Value::Uncomputable, &Value::Integer(1)), Value::Uncomputable);
        assert_eq!(arithmetic(Arithmetic::Add, &Value::Uncomputable, &Value::Empty), Value::Empty, "empty is empty");
    }

    #[test]
    fn a_sum_does_not_depend_on_its_order_and_does_not_forget_what_cannot_be_computed() {
        let (most, one) = (Value::Integer(i64::MAX), Value::Integer(1));
        assert_eq!(sum(&[most.clone(), one.clone(), Value::Integer(-1)]), most);
        assert_eq!(sum(&[d("1.50"), Value::Empty, one.clone()]), d("2.50"));
        assert_eq!(sum(&[one, Value::Uncomputable]), Value::Uncomputable);
        assert_eq!(sum(&[]), Value::Integer(0));
    }

    #[test]
    fn a_declared_number_is_rounded_and_bounded() {
        let money = Number { digits: 5, scale: 2 };
        assert_eq!(declared_value(money, &d("1.005")), d("1.00"));
        assert_eq!(declared_value(money, &Value::Integer(999)), d("999.00"));
        assert_eq!(declared_value(money, &d("999.995")), Value::Uncomputable, "rounding carries");
        assert_eq!(declared_value(money, &Value::Empty), Value::Empty);
    }
}
