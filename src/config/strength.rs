//! Whether a secret was made by chance.

/// A random secret of 32 bytes has about thirty different ones; fewer than this happens to none.
const LEAST_DIFFERENT: usize = 16;

/// Why these bytes cannot be a random secret; `None` when nothing speaks against it.
// SECURITY: a secret that was typed, copied from an example or left empty can be guessed, and with it every session,
// link and record can be forged (`what_was_not_made_by_chance_is_no_secret`).
pub fn weakness(secret: &[u8]) -> Option<&'static str> {
    let (Some(first), Some(last)) = (secret.first(), secret.last()) else { return Some("is empty") };
    if secret.iter().all(|byte| byte == first) {
        return Some("is one byte, repeated");
    }
    let step =
        |pair: &[u8]| matches!(pair, [a, b] if b.wrapping_sub(*a) == secret.get(1).map_or(0, |next| next.wrapping_sub(*first)));
    if secret.windows(2).all(step) && first != last {
        return Some("counts up or down");
    }
    let repeats = |period: usize| secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b);
    if (1..=secret.len() / 2).any(repeats) {
        return Some("repeats itself");
    }
    if secret.iter().all(|byte| *byte == 0 || byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return Some("is text");
    }
    let different = (0..=u8::MAX).filter(|byte| secret.contains(byte)).count();
    (different < LEAST_DIFFERENT.min(secret.len())).then_some("has too few different bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_made_by_chance_is_no_secret() {
        let text = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(32, 0);
            bytes
        };
        let counting: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).map(|n: u8| 250_u8.wrapping_sub(n * 3)).collect();
        let mostly_zero: Vec<u8> = (0..32).map(|n: u8| if n < 8 { n * 31 + 7 } else { 0 }).collect();
        let weak: [(Vec<u8>, &str); 12] = [
            (vec![0; 32], "one byte"),
            (vec![0xff; 32], "one byte"),
            (b"ab".repeat(16), "repeats"),
            ([0xde, 0xad, 0xbe, 0xef].repeat(8), "repeats"),
            ((0..16).chain(0..16).map(|n: u8| n.wrapping_mul(37)).collect(), "repeats"),
            (counting, "counts"),
            (down, "counts"),
            (text("correct horse battery staple 123"), "text"),
            (text("changeme"), "text"),
            (text("0123456789abcdef0f1e2d3c4b5a6978"), "text"),
            (mostly_zero, "few"),
            (Vec::new(), "empty"),
        ];
        for (secret, why) in weak {
            let found = weakness(&secret);
            assert!(found.is_some_and(|found| found.contains(why)), "{secret:?}: {found:?}");
        }
    }

    #[test]
    fn a_random_secret_is_never_called_weak() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let secret: Vec<u8> = (0..32)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 24) as u8
                })
                .collect();
            assert_eq!(weakness(&secret), None, "{secret:?}");
        }
    }
}
