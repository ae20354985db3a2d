//! Values as people read them, and templates with values in them.
//!
//! A value is only ever inserted: nothing reads the result as a template again.

use crate::domain::{Kind, UNCOMPUTABLE, Value};
use crate::expr::{Part, Template, Typed};
use crate::model::Model;

/// The value as text: dates as `2026-01-31`, moments as `2026-01-31 14:05`, captions of
/// enumeration values, Yes and No. Objects have no text.
pub fn display(model: &Model, language: &str, kind: &Kind, value: &Value) -> String {
    match (value, kind) {
        (Value::Text(name), Kind::Enumeration(of)) => {
            let caption = model.enumerations.get(of).and_then(|e| e.values.get(&**name)).map(|v| v.caption.as_str());
            model.translate(language, caption.unwrap_or(name)).to_owned()
        }
        (Value::Boolean(yes), _) => model.translate(language, if *yes { "Yes" } else { "No" }).to_owned(),
        (Value::DateTime(moment), _) => moment.format("%Y-%m-%d %H:%M").to_string(),
        (Value::Object(_) | Value::List(_), _) => String::new(),
        (Value::Uncomputable, _) => model.translate(language, UNCOMPUTABLE).to_owned(),
        (plain, _) => plain.canonical(),
    }
}

/// The template with its values inserted.
pub fn render<E>(
    template: &Template,
    model: &Model,
    language: &str,
    evaluate: &mut dyn FnMut(&Typed) -> Result<Value, E>,
) -> Result<String, E> {
    let mut out = String::new();
    for part in &template.parts {
        match part {
            Part::Text(text) => out.push_str(model.translate(language, text)),
            Part::Value(expression) => out.push_str(&display(model, language, &expression.kind, &evaluate(expression)?)),
        }
    }
    Ok(out)
}

/// The text on one line of at most so many characters: whatever could start another line, steer a
/// terminal or turn the reading direction becomes a space.
pub fn one_line(text: &str, most: usize) -> String {
    let plain: String = text.chars().take(most).map(|c| if steers(c) { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// The text without control characters but tab and line feed.
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|c| matches!(c, '\n' | '\t') || !steers(*c)).collect()
}

/// The text for one line of a log. Line ends and other steering characters are written as escapes,
/// so that no value can forge a line or hide one (ASVS 16.4.1).
pub fn log_line(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(4_000) {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if steers(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, line and paragraph separators, and those that turn the reading direction.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}
