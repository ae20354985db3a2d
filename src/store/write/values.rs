//! Whether values are acceptable by themselves: present, of the right kind, within their limits.

use super::{Values, feedback};
use crate::access::Feedback;
use crate::domain::{Kind, Name, Number, Value, is_email_address};
use crate::expr::compare_values;
use crate::model::{Attribute, AttributeKind, Entity, Model};
use crate::store::ranges::is_backwards;
use std::cmp::Ordering;

/// No text is longer, whatever its attribute says.
const LONGEST_TEXT: usize = 1_000_000;

/// What is wrong with the written members of an object; required ones are looked at in `all`.
pub(in crate::store) fn check(model: &Model, entity: &Entity, written: &Values, all: &Values) -> Vec<Feedback> {
    let mut wrong = Vec::new();
    for (name, value) in written {
        let fault = match entity.attributes.get(name) {
            Some(attribute) => attribute_fault(model, attribute, value),
            None => entity.associations.get(name).and_then(|a| association_fault(&a.kind(), value)),
        };
        wrong.extend(fault.map(|message| feedback::of(Some(name.clone()), message)));
    }
    for range in entity.exclude.iter().filter(|range| written.contains_key(&range.from) || written.contains_key(&range.to)) {
        let end = |name: &Name| all.get(name).cloned().unwrap_or(Value::Empty);
        if is_backwards(&end(&range.from), &end(&range.to)) {
            let label = |name: &Name| entity.member_label(name).unwrap_or_default().to_owned();
            let dates = matches!(end(&range.from), Value::Date(_));
            let must = if dates { "can't be before" } else { "must be after" };
            let message = format!("{} {must} {}", label(&range.to), label(&range.from));
            wrong.push(feedback::of(Some(range.to.clone()), message));
        }
    }
    for name in required(entity) {
        let none = match all.get(name) {
            None | Some(Value::Empty) => true,
            Some(Value::List(ids)) => ids.is_empty(),
            Some(_) => false,
        };
        if none {
            let label = entity.member_label(name).unwrap_or(name);
            wrong.push(feedback::of(Some(name.clone()), format!("{label} is required")));
        }
    }
    wrong
}

/// The same values in one form: a number with the digits of its attribute, a list in the order of its keys.
pub(super) fn normal(entity: &Entity, values: Values) -> Values {
    let one = |(name, value): (Name, Value)| {
        let value = match (entity.member_kind(&name), value) {
            (Some(Kind::Number(number)), value @ (Value::Integer(_) | Value::Decimal(_))) => number_form(number, value),
            (Some(Kind::List(_)), Value::Empty) => Value::List(Vec::new()),
            (_, Value::List(mut ids)) => {
                ids.sort_unstable();
                ids.dedup();
                Value::List(ids)
            }
            (_, other) => other,
        };
        (name, value)
    };
    values.into_iter().map(one).collect()
}

/// A number that does not fit stays as it is: it is refused where values are checked.
fn number_form(number: Number, value: Value) -> Value {
    let Some(mut exact) = value.as_decimal().map(|d| d.normalize()).filter(|d| d.scale() <= number.scale) else { return value };
    if number.scale == 0 {
        return exact.to_string().parse().map_or(value, Value::Integer);
    }
    exact.rescale(number.scale);
    Value::Decimal(exact)
}

fn required(entity: &Entity) -> impl Iterator<Item = &Name> {
    let attributes = entity.attributes.iter().filter(|(_, a)| a.required).map(|(name, _)| name);
    let associations = entity.associations.iter().filter(|(_, a)| a.required).map(|(name, _)| name);
    attributes.chain(associations).filter(|name| !entity.server_kept(name))
}

fn association_fault(kind: &Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::Object(_), Value::Object(_) | Value::Empty) | (Kind::List(_), Value::List(_) | Value::Empty) => None,
        _ => Some("this is not a choice".into()),
    }
}

fn attribute_fault(model: &Model, attribute: &Attribute, value: &Value) -> Option<String> {
    if value.is_empty() {
        let never = attribute.kind == AttributeKind::Boolean;
        return never.then(|| format!("{} is required", attribute.label));
    }
    if *value == Value::Uncomputable {
        return Some(format!("{} cannot be computed: it needs more digits than a number has", attribute.label));
    }
    let wrong_kind = || Some(format!("{} is not {}", attribute.label, attribute.kind().describe()));
    match (&attribute.kind, value) {
        (AttributeKind::String(_) | AttributeKind::Text, Value::Text(text)) => text_fault(attribute, text),
        (AttributeKind::Integer, Value::Integer(_)) | (AttributeKind::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            number_fault(attribute, value)
        }
        (AttributeKind::Boolean, Value::Boolean(_)) | (AttributeKind::Autonumber, Value::Integer(_)) => None,
        (AttributeKind::Date, Value::Date(_)) | (AttributeKind::DateTime, Value::DateTime(_)) => range_fault(attribute, value),
        (AttributeKind::Enumeration(name), Value::Text(text)) => {
            let known = model.enumerations.get(name).is_some_and(|e| e.values.contains_key(&**text));
            if known { None } else { wrong_kind() }
        }
        _ => wrong_kind(),
    }
}

fn text_fault(attribute: &Attribute, text: &str) -> Option<String> {
    let label = &attribute.label;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Some(format!("{label} has characters that cannot be kept"));
    }
    let most = match attribute.kind {
        AttributeKind::String(length) => usize::try_from(length).unwrap_or(usize::MAX),
        _ => LONGEST_TEXT,
    };
    if text.chars().count() > most {
        return Some(format!("{label} has more than {most} characters"));
    }
    if attribute.email && !is_email_address(text) {
        return Some(format!("{label} is not an e-mail address"));
    }
    let whole = |found: regex::Match<'_>| found.start() == 0 && found.end() == text.len();
    let pattern = attribute.pattern.as_ref()?;
    let fits = pattern.find(text).is_some_and(whole) || pattern.find_iter(text).any(whole);
    if fits {
        return None;
    }
    Some(attribute.message.clone().unwrap_or_else(|| format!("{label} does not have the expected form")))
}

fn number_fault(attribute: &Attribute, value: &Value) -> Option<String> {
    let Kind::Number(number) = attribute.kind() else { return None };
    let exact = value.as_decimal().map(|d| d.normalize())?;
    let whole = exact.abs().trunc().to_string();
    let whole = if whole == "0" { 0 } else { whole.len() };
    if exact.scale() > number.scale {
        return Some(format!("{} has more than {} digits after the point", attribute.label, number.scale));
    }
    if whole > usize::try_from(number.whole()).unwrap_or(0) {
        return Some(format!("{} is too large", attribute.label));
    }
    range_fault(attribute, value)
}

fn range_fault(attribute: &Attribute, value: &Value) -> Option<String> {
    use chrono::Datelike;
    let year = match value {
        Value::Date(date) => date.year(),
        Value::DateTime(at) => at.year(),
        _ => 1,
    };
    if !(1..=9999).contains(&year) {
        return Some(format!("{} lies outside the years 1 to 9999", attribute.label));
    }
    let beyond = |limit: &Option<Value>, order| limit.as_ref().filter(|l| compare_values(value, l) == Some(order)).cloned();
    if let Some(least) = beyond(&attribute.min, Ordering::Less) {
        return Some(format!("{} must be at least {}", attribute.label, least.canonical()));
    }
    let most = beyond(&attribute.max, Ordering::Greater)?;
    Some(format!("{} must be at most {}", attribute.label, most.canonical()))
}
