//! What a text looks like to a person: invisible characters, comparison without case, lookalikes.
//!
//! Guarantees: two texts that differ only in composition or case fold to the same key; characters
//! that show nothing, or that reorder what stands around them, are named in one place
//! ([`is_unseen`]), which entry, logs and pages share. Deliberately not here: what an address or a
//! name may otherwise be made of, and transliteration.

use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;

/// Whether a character shows nothing by itself or changes the direction of what stands around it:
/// controls, bidirectional marks, zero-width and other invisible characters, fillers, tags, noncharacters.
///
/// Joiners (U+200C, U+200D) are among them: they are legitimate in some scripts, but a name differs
/// from another by them without showing it.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The text in composed form (NFC): the same letters are the same characters, however they were typed.
pub fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// The key by which texts are the same without regard to case and composition.
///
/// Each letter goes to lower, upper and lower case again, so that letters with several forms meet
/// (`ẞ`, `ß` and `SS`; `ς` and `Σ`; the Kelvin sign and `k`). It is a key, not something to show.
pub fn folded(text: &str) -> String {
    let lower = text.nfc().flat_map(char::to_lowercase);
    let folded = lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.nfc().collect()
}

/// What a text looks like: texts with the same look can be taken for each other (Unicode TS 39, "skeleton").
pub fn look(text: &str) -> String {
    // The skeleton of a folded text may hold capitals (`1` and `l` meet in `l`, `0` in `O`): fold once more.
    folded(&skeleton(&folded(text)).collect::<String>())
}

/// Whether a text mixes scripts as no language does, such as a Cyrillic `а` in a Latin word.
pub fn mixes_scripts(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| !word.is_single_script())
}

/// Whether a character changes the direction of the text around it.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name or an address for a place among other text: what shows nothing is shown as an escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// Any text for the middle of a sentence: marks that reorder text are shown as escapes, and what is written from
/// right to left is isolated, so that it does not reorder the words beside it. Line breaks and joiners stay.
pub fn isolated(text: &str) -> Cow<'_, str> {
    let text = escaped(text, is_reordering);
    if text.chars().any(is_right_to_left) { Cow::Owned(format!("\u{2068}{text}\u{2069}")) } else { text }
}

fn escaped(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Letters of the scripts that are written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_stable_and_joins_every_form_of_a_letter() {
        for c in '\0'..=char::MAX {
            let (text, key) = (c.to_string(), folded(&c.to_string()));
            assert_eq!(folded(&key), key, "{c:?} folds once and for all");
            assert_eq!(folded(&text.to_lowercase()), key, "{c:?} and its lower case");
            assert_eq!(folded(&text.nfd().collect::<String>()), key, "{c:?} and its parts");
        }
        for (one, other) in [("STRASSE", "straße"), ("ẞ", "ss"), ("ΣΊΣΥΦΟΣ", "Σίσυφος"), ("É", "e\u{301}"), ("K", "\u{212a}")]
        {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("e", "é"), ("a", "а"), ("o", "0"), ("ada", "ada ")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn lookalikes_meet_and_different_words_do_not() {
        for (one, other) in [
            ("paul@b.example", "pau1@b.example"),
            ("paul@b.example", "раul@b.example"),
            ("ADMIN", "аdmin"),
            ("modern", "modem"),
            ("bob0", "bobo"),
        ] {
            assert_eq!(look(one), look(other), "{one} {other}");
        }
        assert_ne!(look("ada@b.example"), look("eve@b.example"));
        assert!(mixes_scripts("раypal") && mixes_scripts("Ada Lоvelace"));
        for fine in ["Ada Lovelace", "Ада Лавлейс", "山田 太郎", "やまだ たろう", "Nguyễn Văn A", "O'Brien-Smith 3", "محمد", ""]
        {
            assert!(!mixes_scripts(fine), "{fine}");
        }
    }

    #[test]
    fn nothing_unseen_stays_unseen() {
        let unseen = [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{200d}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}',
            '\u{e0041}',
            '\u{fe0f}',
            '\0',
            '\u{85}',
            '\u{10ffff}',
        ];
        for c in unseen {
            assert!(is_unseen(c), "{c:?}");
            let text = format!("a{c}b");
            assert!(!visible(&text).contains(c) && visible(&text).contains("\\u{"), "{c:?}");
        }
        for seen in "aZ9éß漢字あ한अعב🦊'-. ".chars() {
            assert!(!is_unseen(seen), "{seen:?}");
        }
        assert_eq!(isolated("Ada"), "Ada");
        assert_eq!(isolated("דנה"), "\u{2068}דנה\u{2069}");
        assert_eq!(
            isolated("one\ntwo 👨\u{200d}👩"),
            "one\ntwo 👨\u{200d}👩",
            "line breaks and joined emoji stay in texts of an app"
        );
        assert_eq!(isolated("\u{2069}\u{202e}x"), "\\u{2069}\\u{202e}x", "what is isolated cannot end its isolation");
    }
}
