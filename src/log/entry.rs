//! One line of the log, made harmless.

use super::Level;
use crate::domain::text::is_unseen;
use chrono::NaiveDateTime;
use serde_json::Value;
use std::fmt::Write;

/// The longest text of an entry, in characters; the rest is cut and the cut is shown.
const LONGEST_TEXT: usize = 4_096;
/// The longest value of a field.
const LONGEST_VALUE: usize = 1_024;
/// The longest name of a node or field, and the longest request id.
const LONGEST_NAME: usize = 128;
/// The most fields.
const MOST_FIELDS: usize = 32;
/// A field with one of these in its name is never written out.
const SECRET: [&str; 8] = ["password", "passwd", "secret", "token", "cookie", "authorization", "credential", "api_key"];

/// One line of the log. Its texts hold no control character.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts up from 1 within this process.
    pub number: u64,
    /// When, in UTC.
    pub at: NaiveDateTime,
    /// How grave.
    pub level: Level,
    /// Who says it.
    pub node: String,
    /// What.
    pub text: String,
    /// In which request.
    pub request_id: Option<String>,
    /// Further values, by name.
    pub fields: Vec<(String, Value)>,
}

impl Entry {
    pub(super) fn new(
        at: NaiveDateTime,
        level: Level,
        node: &str,
        text: &str,
        request_id: Option<&str>,
        fields: Vec<(String, Value)>,
    ) -> Self {
        let request_id = request_id.map(|id| clean(id, LONGEST_NAME));
        let fields = fields.into_iter().take(MOST_FIELDS).map(|(name, value)| {
            let name = clean(&name, LONGEST_NAME);
            let value = harmless(&name, value);
            (name, value)
        });
        Self {
            number: 0,
            at,
            level,
            node: clean(node, LONGEST_NAME),
            text: clean(&without_passwords(text), LONGEST_TEXT),
            request_id,
            fields: fields.collect(),
        }
    }
}

fn harmless(name: &str, value: Value) -> Value {
    let lower = name.to_ascii_lowercase();
    if SECRET.iter().any(|word| lower.contains(word)) {
        return Value::from("(withheld)");
    }
    match value {
        Value::String(text) => Value::from(clean(&without_passwords(&text), LONGEST_VALUE)),
        other => other,
    }
}

// SECURITY: nothing that was logged can begin a line of its own or drive a terminal (ASVS 16.4.1, log injection;
// test `a_hostile_text_stays_one_line`). Besides control characters: what breaks lines or reverses text on screen.
fn clean(text: &str, longest: usize) -> String {
    let mut out = String::with_capacity(text.len().min(longest));
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unseen(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// `postgres://user:password@host` → `postgres://…@host`: errors of libraries quote addresses.
fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'')).unwrap_or(after.len());
        let (authority, tail) = after.split_at_checked(end).unwrap_or((after, ""));
        match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                out.push_str("…@");
                out.push_str(host);
            }
            _ => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}
