//! Texts of fields → typed values, with a plain sentence at each field that cannot be read.

use super::sent::Sent;
use crate::domain::{Kind, Name, Number, Value, parse_value};
use crate::page::context::{Drawn, Posted};
use crate::page::walk::{Field, Walk};
use crate::page::{PageError, widget};
use std::collections::BTreeMap;

type Values = BTreeMap<String, BTreeMap<Name, Value>>;

/// Data view → the members that were really changed.
pub(super) fn fields(walk: &mut Walk<'_, '_>, sent: &Sent, form: &str, drawn: &Drawn) -> Result<Values, PageError> {
    let offered: Vec<(String, Field)> =
        walk.fields.iter().filter(|(_, field)| field.form == form).map(|(id, field)| (id.clone(), field.clone())).collect();
    let mut values = Values::new();
    let mut errors = BTreeMap::new();
    for (id, field) in offered {
        let text = match (sent.values.get(&id), &field.kind) {
            (Some(text), _) => text.replace("\r\n", "\n"),
            // An unticked box is not sent at all; neither is one that the form did not have when it was drawn.
            (None, Kind::Boolean) if drawn.fields.contains_key(&id) => "false".to_owned(),
            (None, _) => continue,
        };
        match one(walk, &field, &text)? {
            Ok(Some(value)) => {
                values.entry(field.view.clone()).or_default().insert(field.member.clone(), value);
            }
            Ok(None) => {}
            Err(message) => {
                errors.insert(id, walk.say(message));
            }
        }
    }
    match errors.is_empty() {
        true => Ok(values),
        false => Err(PageError::Invalid(Box::new(Posted { errors, ..refill(sent, drawn) }))),
    }
}

/// What was sent, to be shown again.
pub(super) fn refill(sent: &Sent, drawn: &Drawn) -> Posted {
    Posted { values: sent.values.clone(), seen: drawn.fields.clone(), ..Posted::default() }
}

/// The new value of a field; `None` when it is as it was.
fn one(walk: &mut Walk<'_, '_>, field: &Field, text: &str) -> Result<Result<Option<Value>, &'static str>, PageError> {
    if text == field.text {
        return Ok(Ok(None));
    }
    let read = match &field.reference {
        Some(_) => chosen(walk, field, text)?,
        None => typed(walk, field, text)?,
    };
    Ok(read.map(|value| (value != field.original).then_some(value)))
}

/// The object chosen in a selector: one of those offered, asked again now.
fn chosen(walk: &mut Walk<'_, '_>, field: &Field, text: &str) -> Result<Result<Value, &'static str>, PageError> {
    let Some(reference) = &field.reference else { return Ok(Ok(Value::Empty)) };
    if text.is_empty() {
        return Ok(Ok(Value::Empty));
    }
    let id = walk.context.handles.read(&reference.target, text).ok_or(PageError::BadRequest("a foreign handle"))?;
    let rows = widget::offered(walk, &reference.target, &reference.show, reference, Some(id))?;
    let there = rows.is_some_and(|rows| rows.peek().rows.iter().any(|row| row.id == id));
    Ok(if there { Ok(Value::Object(id)) } else { Err("Choose one of the entries offered") })
}

/// What is wrong with a text where a number is wanted.
fn wrong_number(number: Number, walk: &Walk<'_, '_>, text: &str) -> &'static str {
    let plain = walk.speak(|speech| speech.plain_number(text)).unwrap_or_default();
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain.trim_start_matches(['-', '+']), ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let number_like =
        digits(whole.trim_start_matches(['-', '+'])) && digits(fraction) && plain.bytes().any(|b| b.is_ascii_digit());
    match number_like {
        true if fraction.trim_end_matches('0').len() > number.scale as usize && number.scale > 0 => {
            "This has more digits after the point than are kept"
        }
        true if fraction.trim_end_matches('0').is_empty() => "This number is too large",
        _ if number.scale == 0 => "Enter a whole number",
        _ => "Enter a number such as 1234.50",
    }
}

fn typed(walk: &Walk<'_, '_>, field: &Field, text: &str) -> Result<Result<Value, &'static str>, PageError> {
    let kind = &field.kind;
    Ok(match kind {
        Kind::Text => match parse_value(kind, text) {
            _ if text.chars().count() > field.longest as usize => Err("This text is too long"),
            Some(value) => Ok(value),
            None => Err("This text holds characters that cannot be kept"),
        },
        Kind::Number(number) => {
            let value = walk.speak(|speech| speech.plain_number(text)).and_then(|text| parse_value(kind, &text));
            value.ok_or_else(|| wrong_number(*number, walk, text))
        }
        Kind::Date => parse_value(kind, text).ok_or("Enter a date such as 2026-01-31"),
        Kind::DateTime => parse_value(kind, text).ok_or("Enter a date and time such as 2026-01-31T14:30"),
        // Boxes and selectors send only what they offer.
        Kind::Boolean => Ok(parse_value(kind, text).filter(|value| !value.is_empty()).ok_or(UNOFFERED)?),
        Kind::Enumeration(name) => {
            let known = walk.model.enumerations.get(name).is_some_and(|found| found.values.contains_key(text));
            if !known && !text.is_empty() {
                return Err(UNOFFERED);
            }
            Ok(Value::text(text))
        }
        _ => return Err(UNOFFERED),
    })
}

const UNOFFERED: PageError = PageError::BadRequest("a value that is not offered");
