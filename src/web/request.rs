//! A request as the functions of `Web` see it.

use crate::app::Ask;
use crate::gate::Client;

/// A request: who asks (unproved), and what the edge read from it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub ask: Ask,
    /// Used once, in this answer's policy.
    pub nonce: String,
    /// The path.
    pub path: String,
    /// Decoded query.
    pub query: Vec<(String, String)>,
    /// Decoded form, of a POST.
    pub form: Vec<(String, String)>,
    /// `auto`, `light` or `dark`.
    pub theme: String,
    /// The sealed messages to show once.
    pub flash: Option<String>,
    /// Path and query of the page this one was opened from, when it is one of ours.
    pub came_from: Option<String>,
    /// Whether the answer may be compressed.
    pub packs: bool,
    /// Who its turn is counted for.
    pub client: Client,
}

impl Request {
    /// The value of a form field; empty when it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
    /// All values of a form field.
    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.form.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    /// The value of a query parameter; empty when it is not there.
    pub fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}

/// A path of this server, safe to redirect to; anything else is none.
// SECURITY: no scheme, host or backslash gets through, so no link of ours leads elsewhere (open redirect, ASVS 3.7.2).
pub fn local(target: &str) -> Option<&str> {
    let path = target.starts_with('/') && !target.starts_with("//") && !target.contains('\\');
    (path && target.len() < 8_000 && !target.chars().any(char::is_control)).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_paths_of_this_server_are_redirected_to() {
        assert_eq!(local("/p/hr.Home?x=1"), Some("/p/hr.Home?x=1"));
        for foreign in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb"] {
            assert_eq!(local(foreign), None, "{foreign}");
        }
    }
}
