//! What the address of a page asks for.

use super::PageError;
use crate::domain::QName;
use std::fmt::Write;

/// At most so many pairs.
const MOST_PAIRS: usize = 100;
/// At most so many bytes in one value.
const LONGEST: usize = 4_000;

/// The pairs of a decoded URL query, in order. Keys of widgets look like `w4.q`, `w4.sort`,
/// `w4.p`, `w4.f.status`; the others are page parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientQuery {
    pairs: Vec<(String, String)>,
}

impl ClientQuery {
    /// Takes decoded pairs; refuses too many, too long, or the same key twice.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, PageError> {
        let long = pairs.iter().any(|(key, value)| key.len() > 200 || value.len() > LONGEST);
        let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        let twice = keys.windows(2).any(|pair| pair.first() == pair.last());
        if pairs.len() > MOST_PAIRS || long || twice {
            return Err(PageError::BadRequest("an impossible query"));
        }
        Ok(Self { pairs })
    }
    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
    /// The pairs without those for which `drop` holds, with others added; empty values are left out.
    pub(super) fn changed(&self, drop: impl Fn(&str) -> bool, add: &[(&str, &str)]) -> Self {
        let kept = self.pairs.iter().filter(|(key, value)| !drop(key) && !value.is_empty()).cloned();
        let added =
            add.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Self { pairs: kept.chain(added).collect() }
    }
    /// As text of an address, with the question mark; nothing when there are no pairs.
    pub fn text(&self) -> String {
        let mut out = String::new();
        write_pairs(self.pairs(), &mut out);
        out
    }
}

fn write_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut String) {
    for (index, (key, value)) in pairs.into_iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        encode(key, out);
        out.push('=');
        encode(value, out);
    }
}

/// The path of a page: `/p/<module>.<Page>`.
pub fn path(page: &QName) -> String {
    format!("/p/{page}")
}

/// The address of a page with handles for its parameters.
pub fn url<'a>(page: &QName, arguments: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(128);
    ["/p/", page.module.as_str(), ".", page.name.as_str()].iter().for_each(|part| out.push_str(part));
    write_pairs(arguments, &mut out);
    out
}

/// Percent-encodes everything but letters, digits and `-_.~`.
fn encode(text: &str, out: &mut String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !plain(byte)) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        // A character of several bytes is encoded as a whole.
        let length = from.chars().next().map_or(1, char::len_utf8);
        let (odd, after) = from.split_at_checked(length).unwrap_or((from, ""));
        for byte in odd.bytes() {
            let _ = write!(out, "%{byte:02X}");
        }
        rest = after;
    }
    out.push_str(rest);
}
