//! A value of the model, in memory.

use super::{Decimal, Kind, ObjectId, date_text, datetime_text};
use chrono::{NaiveDate, NaiveDateTime};
use std::sync::Arc;

/// How a moment is written in text (SQLite column, JSON): fixed width, so text order is time order.
pub const DATETIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// What stands for [`Value::Uncomputable`] in a text; no value is read back from it.
pub const UNCOMPUTABLE: &str = "cannot be computed";

/// One value. There is no empty text: `''` is [`Value::Empty`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// No value.
    Empty,
    /// Text, or the name of an enumeration value.
    Text(Arc<str>),
    /// A whole number.
    Integer(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// True or false.
    Boolean(bool),
    /// A date.
    Date(NaiveDate),
    /// A moment in UTC with milliseconds.
    DateTime(NaiveDateTime),
    /// A reference to an object.
    Object(ObjectId),
    /// References to several objects.
    List(Vec<ObjectId>),
    /// There is a value, but it needs more digits than a number has. Neither empty nor withheld: it has no order,
    /// no comparison with it is true, and it cannot be stored.
    Uncomputable,
}

impl Value {
    /// Text, with the empty one as [`Value::Empty`].
    pub fn text(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        if text.is_empty() { Self::Empty } else { Self::Text(Arc::from(text)) }
    }
    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
    /// Whether it has a place among others: one that is empty, or cannot be computed, comes after them.
    pub fn has_order(&self) -> bool {
        !matches!(self, Self::Empty | Self::Uncomputable)
    }
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
    /// The number as a decimal, if it is one.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(n) => Some(Decimal::from(*n)),
            Self::Decimal(d) => Some(*d),
            _ => None,
        }
    }
    /// The referenced object, if it is one.
    pub fn as_object(&self) -> Option<ObjectId> {
        match self {
            Self::Object(id) => Some(*id),
            _ => None,
        }
    }
    /// True only for the boolean true: an empty condition does not hold.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }
    /// The value as canonical text: what [`parse_value`] reads back, and what the audit trail keeps.
    pub fn canonical(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.to_string(),
            Self::Integer(n) => n.to_string(),
            Self::Decimal(d) => d.to_string(),
            Self::Boolean(b) => b.to_string(),
            Self::Date(d) => date_text(*d),
            Self::DateTime(t) => datetime_text(*t),
            Self::Object(id) => format!("#{}", id.0),
            Self::List(ids) => ids.iter().map(|id| format!("#{}", id.0)).collect::<Vec<_>>().join(" "),
            Self::Uncomputable => UNCOMPUTABLE.to_owned(),
        }
    }
}

/// Reads canonical text as a value of `kind`; `None` when it is not one.
///
/// Text is refused when it holds a NUL or another control character than tab and line feed.
/// Dates lie in the years 1 to 9999.
pub fn parse_value(kind: &Kind, text: &str) -> Option<Value> {
    use chrono::Datelike;
    if text.is_empty() {
        return Some(Value::Empty);
    }
    let in_years = |year: i32| (1..=9999).contains(&year);
    match kind {
        Kind::Text | Kind::Enumeration(_) => {
            let clean = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'));
            clean.then(|| Value::text(text))
        }
        Kind::Number(number) => {
            let plain = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'));
            let decimal = plain.then(|| Decimal::from_str_exact(text).ok()).flatten()?.normalize();
            if decimal.scale() > number.scale || decimal.abs().trunc().to_string().len() as u32 > number.whole().max(1) {
                return None;
            }
            if number.scale == 0 {
                decimal.to_string().parse().ok().map(Value::Integer)
            } else {
                let mut fixed = decimal;
                fixed.rescale(number.scale);
                Some(Value::Decimal(fixed))
            }
        }
        Kind::Boolean => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        Kind::Date => {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            (text.len() == 10 && in_years(date.year())).then_some(Value::Date(date))
        }
        Kind::DateTime => {
            let text = text.strip_suffix('Z').unwrap_or(text);
            let time =
                ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"].iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok())?;
            let millis = time.and_utc().timestamp_millis();
            let time = chrono::DateTime::from_timestamp_millis(millis)?.naive_utc();
            in_years(time.year()).then_some(Value::DateTime(time))
        }
        Kind::Object(_) => text.strip_prefix('#')?.parse().ok().map(|id| Value::Object(ObjectId(id))),
        Kind::List(_) | Kind::Empty => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Number;

    #[test]
    fn numbers_are_exact_and_bounded() {
        let money = Kind::Number(Number { digits: 12, scale: 2 });
        let read = |text: &str| parse_value(&money, text).map(|v| v.canonical());
        assert_eq!(read("1234567890.5").as_deref(), Some("1234567890.50"));
        assert_eq!(read("-0.05").as_deref(), Some("-0.05"));
        // The last but one would become 1.00 if a digit too many were rounded away.
        let nearly_one = format!("0.{}", "9".repeat(35));
        for wrong in ["12345678901", "1.234", "1e5", "abc", "NaN", "1,5", " 1", &nearly_one, "1.0000000000000000000000000000001"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(parse_value(&Kind::INTEGER, "999999999999999"), Some(Value::Integer(999_999_999_999_999)));
        assert_eq!(parse_value(&Kind::INTEGER, "1000000000000000"), None);
    }

    #[test]
    fn text_with_a_nul_is_refused_and_no_text_is_empty() {
        assert_eq!(parse_value(&Kind::Text, "a\0b"), None);
        assert_eq!(parse_value(&Kind::Text, ""), Some(Value::Empty));
        assert_eq!(Value::text(""), Value::Empty);
    }

    #[test]
    fn dates_stay_within_four_digit_years() {
        assert!(parse_value(&Kind::Date, "2026-02-29").is_none());
        assert!(parse_value(&Kind::Date, "0000-01-01").is_none());
        assert!(parse_value(&Kind::Date, "2024-02-29").is_some());
        let time = parse_value(&Kind::DateTime, "2026-01-31T10:20:30.123456Z").map(|v| v.canonical());
        assert_eq!(time.as_deref(), Some("2026-01-31T10:20:30.123Z"));
    }
}
