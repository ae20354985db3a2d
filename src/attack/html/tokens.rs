//! Text → tags and texts, as tolerant as a browser where it costs little.

use std::collections::BTreeMap;

/// A piece of HTML.
#[derive(Debug)]
pub(super) enum Token {
    Start(String, BTreeMap<String, String>),
    End(String),
    Text(String),
}

/// `&amp;` and its like.
pub fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|end| *end < 10) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let name = &rest[1..end];
        let number = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16)).or(name.strip_prefix('#').map(str::parse));
        let meant = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            _ => number.and_then(Result::ok).and_then(char::from_u32),
        };
        match meant {
            Some(found) => out.push(found),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

pub(super) fn tokens(html: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        if at > 0 {
            out.push(Token::Text(decoded(&rest[..at])));
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = &comment[comment.find("-->").map_or(comment.len(), |end| end + 3)..];
            continue;
        }
        let (token, after) = tag(&rest[1..]);
        out.extend(token);
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Token::Text(decoded(rest)));
    }
    out
}

fn tag(text: &str) -> (Option<Token>, &str) {
    if let Some(name) = text.strip_prefix('/') {
        let end = name.find('>').unwrap_or(name.len());
        return (Some(Token::End(name[..end].trim().to_ascii_lowercase())), &name[(end + 1).min(name.len())..]);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let name = text[..end].to_ascii_lowercase();
    let mut rest = &text[end..];
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let value = match rest.strip_prefix('=') {
            None => String::new(),
            Some(value) => {
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (inner, after) = match quote {
                    Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
                    None => {
                        let end = value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len());
                        value.split_at(end)
                    }
                };
                rest = after;
                decoded(inner)
            }
        };
        attributes.insert(key, value);
    }
    let after = rest.strip_prefix('>').unwrap_or(rest);
    (name.chars().next().is_some_and(char::is_alphabetic).then_some(Token::Start(name, attributes)), after)
}
