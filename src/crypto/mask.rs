//! A secret that stands in many answers, and in no two of them as the same text.

use super::{constant_time_eq, random_bytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const LENGTH: usize = 32;
/// Bytes of a mask and of what it covers.
const BOTH: usize = 2 * LENGTH;
/// Characters of both.
const TEXT: usize = 86;

/// What every form of one session carries, to show that a page of ours made it. It leaves the server masked only.
// SECURITY: how well an answer compresses tells what in it repeats. A secret that stood as the same text in every
// answer could be guessed letter by letter from the lengths of many answers with guesses in them (BREACH). So it is
// covered with fresh random bytes in each (`two_texts_of_a_form_secret_have_nothing_in_common_and_both_are_taken`,
// `no_two_answers_carry_the_same_token_and_both_tokens_are_taken`).
#[derive(Clone)]
pub struct FormSecret([u8; LENGTH]);

impl FormSecret {
    /// Of these bytes.
    pub fn new(secret: [u8; LENGTH]) -> Self {
        Self(secret)
    }

    /// A text for one answer: a mask, and the secret under it.
    pub fn masked(&self) -> String {
        let mask = random_bytes::<LENGTH>();
        let mut both = [0; BOTH];
        let (left, right) = both.split_at_mut(LENGTH);
        left.copy_from_slice(&mask);
        right.iter_mut().zip(mask).zip(self.0).for_each(|((to, mask), secret)| *to = mask ^ secret);
        URL_SAFE_NO_PAD.encode(both)
    }

    /// Whether a text is this secret under any mask.
    pub fn is_in(&self, text: &str) -> bool {
        let mut both = [0; BOTH];
        if text.len() != TEXT || URL_SAFE_NO_PAD.decode_slice(text, &mut both) != Ok(BOTH) {
            return false;
        }
        let (mask, covered) = both.split_at_mut(LENGTH);
        covered.iter_mut().zip(mask).for_each(|(covered, mask)| *covered ^= *mask);
        constant_time_eq(covered, &self.0)
    }
}

impl std::fmt::Debug for FormSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn two_texts_of_a_form_secret_have_nothing_in_common_and_both_are_taken() {
        let secret = FormSecret::new(random_bytes());
        let texts: Vec<String> = (0..1_000).map(|_| secret.masked()).collect();
        assert!(texts.iter().all(|text| text.len() == TEXT && secret.is_in(text)));
        let runs = texts.iter().flat_map(|text| text.as_bytes().windows(8).enumerate());
        let mut seen = HashSet::new();
        assert_eq!(runs.filter(|run| !seen.insert(*run)).count(), 0, "no run of characters stands at one place of two of them");
        let plain = URL_SAFE_NO_PAD.encode(secret.0);
        assert!(texts.iter().all(|text| !text.contains(&plain)) && !format!("{secret:?}").contains(&plain));
    }

    #[test]
    fn another_secret_a_changed_bit_and_anything_else_are_not_taken() {
        let (secret, other) = (FormSecret::new(random_bytes()), FormSecret::new(random_bytes()));
        let text = secret.masked();
        assert!(secret.is_in(&text) && !other.is_in(&text));
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(!secret.is_in(&URL_SAFE_NO_PAD.encode(&changed)), "{at}.{bit}");
            }
        }
        let bare = URL_SAFE_NO_PAD.encode(secret.0);
        let (cut, longer) = (text[..85].to_owned(), format!("{text}A"));
        let padded = format!("{text}==");
        for wrong in
            ["", "A", bare.as_str(), &cut, &longer, &padded, &"A".repeat(TEXT), &"\u{1F512}".repeat(22), &"A".repeat(1 << 20)]
        {
            assert!(!secret.is_in(wrong), "{wrong:.100}");
        }
    }

    #[test]
    fn the_same_mask_twice_does_not_help_to_forge() {
        let secret = FormSecret::new(random_bytes());
        let text = secret.masked();
        let halves = URL_SAFE_NO_PAD.decode(&text).unwrap();
        let (mask, covered) = halves.split_at(LENGTH);
        for forged in [[mask, mask].concat(), [covered, covered].concat()] {
            assert!(!secret.is_in(&URL_SAFE_NO_PAD.encode(forged)));
        }
        assert!(secret.is_in(&URL_SAFE_NO_PAD.encode([covered, mask].concat())), "which half is the mask is all the same");
    }
}
