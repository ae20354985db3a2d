//! Whether a value fits a member: type, length, range, pattern, address, enumeration.

use crate::domain::{Decimal, Kind, Name, Number, Value, is_email_address};
use crate::expr::compare_values;
use crate::model::{Attribute, AttributeKind, Entity, Model};
use std::cmp::Ordering;

/// The longest text an unlimited attribute takes in memory, in characters.
const LONGEST_TEXT: usize = 100_000;

/// The value as the member keeps it, or what is wrong with it.
pub(super) fn accept(model: &Model, entity: &Entity, name: &Name, value: &Value) -> Result<Value, String> {
    let Some(kind) = entity.member_kind(name) else { return Err("There is no such field".into()) };
    if value.is_empty() {
        return Ok(if kind == Kind::Boolean { Value::Boolean(false) } else { Value::Empty });
    }
    if *value == Value::Uncomputable {
        return Err("This cannot be computed: it needs more digits than a number has".into());
    }
    let value = fit(model, &kind, value)?;
    match entity.attributes.get(name) {
        Some(attribute) => constraints(attribute, &value).map(|()| value),
        None => Ok(value),
    }
}

fn fit(model: &Model, kind: &Kind, value: &Value) -> Result<Value, String> {
    let wrong = || Err(format!("This is not a valid {}", noun(kind)));
    match (kind, value) {
        (Kind::Text, Value::Text(text)) => {
            let clean = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'));
            if clean { Ok(value.clone()) } else { Err("This text holds characters that are not allowed".into()) }
        }
        (Kind::Enumeration(name), Value::Text(text)) => {
            let known = model.enumerations.get(name).is_some_and(|e| e.values.contains_key(&**text));
            if known { Ok(value.clone()) } else { Err("This is not one of the choices".into()) }
        }
        (Kind::Number(number), _) => match value.as_decimal() {
            Some(decimal) => number_fit(*number, decimal),
            None => wrong(),
        },
        (Kind::Boolean, Value::Boolean(_))
        | (Kind::Date, Value::Date(_))
        | (Kind::DateTime, Value::DateTime(_))
        | (Kind::Object(_), Value::Object(_))
        | (Kind::List(_), Value::List(_)) => Ok(value.clone()),
        _ => wrong(),
    }
}

fn number_fit(number: Number, decimal: Decimal) -> Result<Value, String> {
    let decimal = decimal.normalize();
    if decimal.scale() > number.scale {
        return Err(match number.scale {
            0 => "This must be a whole number".into(),
            scale => format!("This has more than {scale} digits after the point"),
        });
    }
    if !decimal.trunc().is_zero() && decimal.abs().trunc().to_string().len() > number.whole() as usize {
        return Err("This number is too large".into());
    }
    if number.scale == 0 {
        return decimal.to_string().parse().map(Value::Integer).map_err(|_| "This number is too large".into());
    }
    let mut fixed = decimal;
    fixed.rescale(number.scale);
    Ok(Value::Decimal(fixed))
}

fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Number(n) if n.scale == 0 => "whole number",
        Kind::Number(_) => "number",
        Kind::Boolean => "yes or no",
        Kind::Date => "date",
        Kind::DateTime => "date and time",
        Kind::Enumeration(_) => "choice",
        _ => "choice of an object",
    }
}

fn constraints(attribute: &Attribute, value: &Value) -> Result<(), String> {
    if let Value::Text(text) = value {
        let longest = match attribute.kind {
            AttributeKind::String(length) => length as usize,
            _ => LONGEST_TEXT,
        };
        if text.chars().count() > longest {
            return Err(format!("This is longer than {longest} characters"));
        }
        if attribute.pattern.as_ref().is_some_and(|pattern| !matches_whole(pattern, text)) {
            return Err(attribute.message.clone().unwrap_or_else(|| "This does not have the expected form".into()));
        }
        if attribute.email && !is_email_address(text) {
            return Err("This is not a valid e-mail address".into());
        }
    }
    let beyond =
        |limit: &Option<Value>, order| limit.as_ref().filter(|limit| compare_values(value, limit) == Some(order)).cloned();
    if let Some(min) = beyond(&attribute.min, Ordering::Less) {
        return Err(format!("This must be at least {}", min.canonical()));
    }
    if let Some(max) = beyond(&attribute.max, Ordering::Greater) {
        return Err(format!("This must be at most {}", max.canonical()));
    }
    Ok(())
}

fn matches_whole(pattern: &regex::Regex, text: &str) -> bool {
    pattern.find_iter(text).any(|found| found.start() == 0 && found.end() == text.len())
}
