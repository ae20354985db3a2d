//! Texts with `{expression}` in them.

use super::{Fault, Scope, Span, Typed, check};
use crate::domain::Kind;

/// A checked template. Values are inserted, never read as template again (ASVS 1.3.10).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Template {
    /// Fixed texts and expressions, in order.
    pub parts: Vec<Part>,
}

/// One part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Fixed text.
    Text(String),
    /// An expression whose value is written here.
    Value(Typed),
}

impl Template {
    /// A template of fixed text only.
    pub fn fixed(text: &str) -> Self {
        Self { parts: vec![Part::Text(text.to_owned())] }
    }
    /// The expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Typed> {
        self.parts.iter().filter_map(|part| if let Part::Value(typed) = part { Some(typed) } else { None })
    }
}

/// Splits and checks a template; `{{` is a brace.
pub fn check_template(text: &str, scope: &Scope<'_>) -> Result<Template, Fault> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("{{") || rest.starts_with("}}") {
            plain.push(c);
            at += 2;
        } else if c == '{' {
            let end = closing(rest)
                .ok_or_else(|| Fault::new(Span { start: at, end: at + 1 }, "this brace is not closed; {{ writes a brace"))?;
            let inner = rest.get(1..end).unwrap_or_default();
            let shift = |span: Span| Span { start: span.start + at + 1, end: span.end + at + 1 };
            let typed = check(inner, scope, None).map_err(|fault| Fault { span: shift(fault.span), ..fault })?;
            if matches!(typed.kind, Kind::List(_) | Kind::Object(_)) {
                let fault = Fault::new(shift(typed.span), format!("{} cannot be written as text", typed.kind.describe()));
                return Err(fault.hint("name one of its members"));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Value(typed));
            at += end + 1;
        } else if c == '}' {
            return Err(Fault::new(Span { start: at, end: at + 1 }, "no brace is open here; }} writes a brace"));
        } else {
            plain.push(c);
            at += c.len_utf8();
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(Template { parts })
}

/// The closing brace of the expression at the start of `text`, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}
