//! Values made ready to be bound, in the form each database wants.

use crate::db::Moment;
use crate::domain::{Decimal, Kind, Value};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use chrono::NaiveDate;
use std::sync::Arc;

/// A value with the column type it is bound as; `None` is a typed NULL.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    /// NULL that fits any type.
    Null,
    Text(Option<Arc<str>>),
    BigInt(Option<i64>),
    /// Scaled integer for SQLite, exact numeric for PostgreSQL.
    Numeric(Option<(i64, BigDecimal)>),
    Boolean(Option<bool>),
    Date(Option<NaiveDate>),
    Moment(Option<Moment>),
    /// The value does not fit the kind: the statement must not run.
    Misfit(&'static str),
}

impl Bound {
    pub(super) fn new(value: &Value, kind: &Kind) -> Self {
        match (kind, value) {
            (Kind::Text | Kind::Enumeration(_), Value::Text(text)) => Self::Text(Some(text.clone())),
            (Kind::Text | Kind::Enumeration(_), Value::Empty) => Self::Text(None),
            (Kind::Number(number), Value::Empty) if number.scale == 0 => Self::BigInt(None),
            (Kind::Number(_), Value::Empty) => Self::Numeric(None),
            (Kind::Number(number), Value::Integer(_) | Value::Decimal(_)) => match scaled(value, number.scale) {
                Some(whole) if number.scale == 0 => Self::BigInt(Some(whole)),
                Some(whole) => Self::Numeric(Some((whole, BigDecimal::new(BigInt::from(whole), i64::from(number.scale))))),
                None => Self::Misfit("a number has more digits than its kind"),
            },
            (Kind::Boolean, Value::Boolean(truth)) => Self::Boolean(Some(*truth)),
            (Kind::Boolean, Value::Empty) => Self::Boolean(None),
            (Kind::Date, Value::Date(date)) => Self::Date(Some(*date)),
            (Kind::Date, Value::Empty) => Self::Date(None),
            (Kind::DateTime, Value::DateTime(at)) => Self::Moment(Some(Moment(*at))),
            (Kind::DateTime, Value::Empty) => Self::Moment(None),
            (Kind::Object(_), Value::Object(id)) => Self::BigInt(Some(id.0)),
            (Kind::Object(_), Value::Empty) => Self::BigInt(None),
            (Kind::Empty, Value::Empty) => Self::Null,
            _ => Self::Misfit("a value does not have the kind of its column"),
        }
    }
}

/// The number as an integer of 10^-scale; `None` when digits would be lost.
fn scaled(value: &Value, scale: u32) -> Option<i64> {
    match value {
        Value::Integer(whole) => whole.checked_mul(10_i64.checked_pow(scale)?),
        Value::Decimal(decimal) => {
            let decimal = decimal.normalize();
            let missing = scale.checked_sub(decimal.scale())?;
            i64::try_from(decimal.mantissa()).ok()?.checked_mul(10_i64.checked_pow(missing)?)
        }
        _ => None,
    }
}

/// The number a scaled integer stands for.
pub(super) fn unscaled(whole: i64, scale: u32) -> Value {
    if scale == 0 { Value::Integer(whole) } else { Value::Decimal(Decimal::from_i128_with_scale(i128::from(whole), scale)) }
}

/// An exact numeric as a value of this scale; `None` when digits would be lost.
pub(super) fn exact(number: &BigDecimal, scale: u32) -> Option<Value> {
    let fixed = number.with_scale(i64::from(scale));
    if fixed != *number {
        return None;
    }
    let (mantissa, _) = fixed.into_bigint_and_exponent();
    i64::try_from(mantissa).ok().map(|whole| unscaled(whole, scale))
}
