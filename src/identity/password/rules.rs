//! Which passwords are accepted: length, not common, not about the person or the app.
//!
//! ASVS 6.2.1 and 6.2.9 (12 to 128 characters), 6.2.4 (common ones refused), 6.2.5 (no composition
//! rules), 6.2.11 (words of the context refused).

use crate::domain::text::{composed, folded};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// The least number of characters.
pub const LEAST: usize = 12;
/// The greatest number of characters.
pub const MOST: usize = 128;
/// Words of the context shorter than this say nothing about a person.
const LEAST_WORD: usize = 4;

/// The most bytes that can be composed to [`MOST`] characters, generously; what is longer is not even composed.
const MOST_BYTES: usize = MOST * 4 * 4;

/// A password as it was typed; wiped from memory when dropped, never printed.
///
/// Keyboards differ in how they write one letter (`é`, or `e` and an accent), so what counts is the composed form
/// (NFC; NIST SP 800-63B). Nothing else is changed: neither case nor spaces.
#[derive(Clone)]
pub struct Password {
    composed: Zeroizing<String>,
    /// What was typed, where it differs.
    typed: Option<Zeroizing<String>>,
}

impl Password {
    /// Takes what was typed.
    pub fn new(text: impl Into<String>) -> Self {
        let typed = Zeroizing::new(text.into());
        if typed.len() > MOST_BYTES {
            return Self { composed: typed, typed: None };
        }
        let composed = Zeroizing::new(composed(&typed).into_owned());
        if composed == typed { Self { composed, typed: None } } else { Self { composed, typed: Some(typed) } }
    }
    /// Whether both are the same password.
    pub fn same_as(&self, other: &Self) -> bool {
        crate::crypto::constant_time_eq(self.composed.as_bytes(), other.composed.as_bytes())
    }
    /// The composed form, which is hashed.
    pub(in crate::identity) fn expose(&self) -> &str {
        &self.composed
    }
    /// The form that was typed, where it differs: older hashes were made of it.
    pub(in crate::identity) fn as_typed(&self) -> Option<&str> {
        self.typed.as_ref().map(|typed| typed.as_str())
    }
    /// Whether it has more characters than any accepted password, in either form; such a one is never hashed.
    pub(in crate::identity) fn is_oversized(&self) -> bool {
        let over = |text: &str| text.len() > MOST * 4 || text.chars().count() > MOST;
        over(&self.composed) && self.as_typed().is_none_or(over)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What a password of this account must not be about.
#[derive(Clone, Copy, Debug)]
pub struct PasswordContext<'a> {
    /// The account's address.
    pub email: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The title of the app.
    pub app: &'a str,
}

/// Why a password is not accepted, in words for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Fewer than [`LEAST`] characters.
    #[error("use at least 12 characters")]
    TooShort,
    /// More than [`MOST`] characters.
    #[error("use at most 128 characters")]
    TooLong,
    /// On the list of common passwords, or made of one.
    #[error("this password is too common; others will guess it")]
    Common,
    /// Holds the address, the name or the name of the app.
    #[error("do not use your name, your e-mail address or the name of this app")]
    AboutYou,
    /// The two entries differ.
    #[error("the two passwords differ")]
    Differs,
}

impl Password {
    /// Every reason why this password is not accepted; empty when it is.
    pub fn problems(&self, about: PasswordContext<'_>) -> Vec<PasswordProblem> {
        let text = self.expose();
        if text.len() > MOST_BYTES || text.chars().count() > MOST {
            return vec![PasswordProblem::TooLong];
        }
        let mut problems = Vec::new();
        if text.chars().count() < LEAST {
            problems.push(PasswordProblem::TooShort);
        }
        let folded = Zeroizing::new(folded(text));
        if is_common(&folded) {
            problems.push(PasswordProblem::Common);
        }
        if words_of(about).any(|word| folded.contains(&word)) {
            problems.push(PasswordProblem::AboutYou);
        }
        problems
    }
}

/// Words of address, name and app that are long enough to mean something, folded.
fn words_of(about: PasswordContext<'_>) -> impl Iterator<Item = String> {
    let local = folded(about.email.split('@').next().unwrap_or_default());
    let parts: Vec<String> = [&local, &folded(about.name), &folded(about.app)]
        .into_iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .map(str::to_owned)
        .collect();
    std::iter::once(local).chain(parts).filter(|word| word.chars().count() >= LEAST_WORD)
}

/// The common passwords, lower case, in byte order.
static COMMON: LazyLock<Box<[&'static str]>> =
    LazyLock::new(|| include_str!("../common_passwords.txt").lines().filter(|line| !line.starts_with('#')).collect());

/// Whether `folded` is on the list, as it is, without trailing digits and marks, or repeated.
fn is_common(folded: &str) -> bool {
    let bare = folded.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    is_listed(folded) || is_repeated(folded) || (bare.len() < folded.len() && (is_listed(bare) || is_repeated(bare)))
}

fn is_listed(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// Whether `text` is one short unit, or one listed word, over and over (the last may be cut off).
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=chars.len() / 2).any(|unit| {
        let over_and_over = chars.iter().zip(chars.iter().skip(unit)).all(|(a, b)| a == b);
        over_and_over && (unit <= 4 || is_listed(&chars.iter().take(unit).collect::<String>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: PasswordContext<'_> = PasswordContext { email: "ada.lovelace@b.example", name: "Ada Lovelace", app: "People" };

    fn problems(text: &str) -> Vec<PasswordProblem> {
        Password::new(text).problems(ABOUT)
    }

    #[test]
    fn the_list_is_long_sorted_and_folded() {
        assert!(COMMON.len() > 20_000, "{}", COMMON.len());
        assert!(COMMON.is_sorted());
        assert!(COMMON.iter().all(|word| *word == word.to_lowercase() && !word.is_empty()));
    }

    #[test]
    fn long_enough_passwords_need_no_composition() {
        for fine in [
            "correct horse battery",
            "zwölf boxkämpfer jagen",
            "🦊🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔",
            "tr0ub4dor&3xyzzy",
            "            x            ",
        ] {
            assert_eq!(problems(fine), [], "{fine}");
        }
        assert_eq!(problems(&"aü🦊q".repeat(31).replacen('a', "z", 1)), []);
    }

    #[test]
    fn one_password_typed_on_two_keyboards_is_one_password() {
        let (one, other) = (Password::new("cafe\u{301} au lait 9"), Password::new("caf\u{e9} au lait 9"));
        assert!(one.same_as(&other) && one.expose() == other.expose());
        assert_eq!((one.as_typed(), other.as_typed()), (Some("cafe\u{301} au lait 9"), None));
        assert!(!one.same_as(&Password::new("cafe au lait 9")) && !one.same_as(&Password::new("CAF\u{c9} au lait 9")));
        assert_eq!(problems("LOVELACÉ"), problems("LOVELACE\u{301}"));
        assert_eq!(
            problems(&"e\u{301}xq".repeat(42).replacen('x', "z", 1)),
            [],
            "what counts is 126 letters, not 168 characters"
        );
        assert!(!Password::new("e\u{301}".repeat(128)).is_oversized());
        assert!(
            Password::new("e\u{301}".repeat(129)).is_oversized() && Password::new("e\u{301}".repeat(9_000_000)).is_oversized()
        );
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert_eq!(problems("xkcd-9364!q"), [PasswordProblem::TooShort]);
        assert!(problems("").contains(&PasswordProblem::TooShort));
        assert_eq!(problems(&"xyq".repeat(43)), [PasswordProblem::TooLong]);
        assert_eq!(problems(&"🦊".repeat(10_000_000)), [PasswordProblem::TooLong]);
    }

    #[test]
    fn common_passwords_are_refused_in_every_dress() {
        for common in [
            "1qaz2wsx3edc",
            "QWERTY123456",
            "Motherfucker",
            "password2024!",
            "Password123456",
            "passwordpassword",
            "dragondragondragon",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "123412341234",
            "passwordpasswordpass",
            "iloveyou999999999",
        ] {
            assert!(problems(common).contains(&PasswordProblem::Common), "{common}");
        }
    }

    #[test]
    fn every_listed_password_is_refused() {
        for word in COMMON.iter() {
            assert!(problems(word).contains(&PasswordProblem::Common), "{word}");
        }
    }

    #[test]
    fn a_password_about_the_person_or_the_app_is_refused() {
        for mine in ["my.lovelace.is.best", "xADA.LOVELACEx9", "the people we trust", "9-Lovelace-9-secret"] {
            assert_eq!(problems(mine), [PasswordProblem::AboutYou], "{mine}");
        }
        assert_eq!(problems("canada is quite cold"), [], "three letters say nothing about a person");
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(format!("{:?}", Password::new("correct horse battery")), "Password(..)");
    }
}
