//! The types of values.

use super::{Decimal, QName};

/// Digits that a number may have, known before anything runs.
///
/// The checker adds these up through arithmetic, so that an expression which could exceed 18
/// digits in the database is refused while the model is read, not while a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// Decimal digits in all.
    pub digits: u32,
    /// Digits after the point; 0 for an integer.
    pub scale: u32,
}

impl Number {
    /// An integer attribute: up to 15 digits, so that every value is exact in JavaScript too.
    pub const INTEGER: Self = Self { digits: 15, scale: 0 };
    /// The most digits a stored number may have (it must fit a signed 64-bit integer when scaled).
    pub const MOST_DIGITS: u32 = 18;

    /// Digits before the point.
    pub fn whole(self) -> u32 {
        self.digits.saturating_sub(self.scale)
    }

    /// Whether a number has no more digits than these, before the point and after it.
    pub fn fits(self, number: Decimal) -> bool {
        let number = number.normalize();
        let ten = |power: u32| 10_i128.checked_pow(power);
        let Some(shift) = self.scale.checked_sub(number.scale()).and_then(ten) else { return false };
        let Some(most) = ten(self.digits) else { return false };
        number.mantissa().checked_mul(shift).is_some_and(|scaled| scaled.abs() < most)
    }
}

/// The type of a value or an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text; never empty-but-present.
    Text,
    /// A whole number or a decimal.
    Number(Number),
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// A moment in UTC, to the millisecond.
    DateTime,
    /// A value of this enumeration.
    Enumeration(QName),
    /// A reference to an object of this entity.
    Object(QName),
    /// Several objects of this entity.
    List(QName),
    /// The literal `empty`: fits every kind.
    Empty,
}

impl Kind {
    /// An integer kind.
    pub const INTEGER: Self = Self::Number(Number::INTEGER);

    /// How the kind is called in a finding.
    pub fn describe(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Number(n) if n.scale == 0 => "integer".into(),
            Self::Number(_) => "decimal".into(),
            Self::Boolean => "boolean".into(),
            Self::Date => "date".into(),
            Self::DateTime => "datetime".into(),
            Self::Enumeration(name) => format!("enumeration {name}"),
            Self::Object(entity) => entity.to_string(),
            Self::List(entity) => format!("list of {entity}"),
            Self::Empty => "empty".into(),
        }
    }
}
