//! Statements that say what SQLite does not ask its guard about.
//!
//! SECURITY: SQLite tells its guard the name of the view in which a table is read, and `WITH r_… AS (SELECT …)`
//! has the name of a view; it does not ask about the columns that `NATURAL` and `USING` compare, nor whether the
//! row that another replaces may be removed; and whether a bare row is read by a view or by the statement shows
//! in the schema's name only. So a statement with the rights of a set has none of these words. All text is a
//! literal of the source and every name is quoted, so none can come from a request: this holds the source to it.
//! Tests: `no_statement_of_a_set_reaches_what_its_views_do_not_show`, `a_name_of_the_owners_is_not_given_by_a_statement`.

use super::{Piece, Sql};
use crate::db::admit::{is_generated, speaks_of_generated};

impl Sql {
    /// Whether the statement says what SQLite does not ask about.
    pub(super) fn deceives(&self) -> bool {
        let next = self.pieces.iter().skip(1).map(Some).chain([None]);
        self.pieces.iter().zip(next).any(|(piece, next)| match piece {
            Piece::Ident(name) => {
                let after = next.and_then(text).unwrap_or_default().trim_start();
                let schema = ["main", "temp"].iter().any(|schema| name.eq_ignore_ascii_case(schema));
                (is_generated(name) && defines(after)) || (schema && after.starts_with('.'))
            }
            // It was looked through before it was written; what was added to it since was not.
            Piece::Text(..) => true,
            other => text(other).is_some_and(|text| speaks_of_generated(text) || unasked(text)),
        })
    }
}

/// The fixed text of a piece as SQLite is given it.
fn text(piece: &Piece) -> Option<&'static str> {
    match piece {
        Piece::Raw(text) | Piece::RawBy { sqlite: text, .. } => Some(text),
        _ => None,
    }
}

/// Whether what follows a name makes it one that the statement gives: `name(…)`, `name AS (…)`.
fn defines(after: &str) -> bool {
    let Some(rest) = strip_word(after, "AS") else { return after.starts_with(['(', '/', '-']) };
    let rest = rest.trim_start();
    rest.starts_with(['(', '/', '-']) || strip_word(rest, "NOT").is_some() || strip_word(rest, "MATERIALIZED").is_some()
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

/// Whether fixed text has a word whose effect SQLite does not ask about.
fn unasked(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        let next = words.peek().copied().unwrap_or_default();
        let replaces = (is("OR") && next.eq_ignore_ascii_case("REPLACE")) || (is("REPLACE") && next.eq_ignore_ascii_case("INTO"));
        if replaces || ["NATURAL", "USING", "main", "temp"].into_iter().any(is) {
            return true;
        }
    }
    false
}
