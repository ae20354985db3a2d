//! Choices that are the same for the same seed.

/// A generator of the SplitMix64 kind: good enough to spread choices, useless as a secret.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x005E_ED0F_CA4A_41E5)
    }
    /// Begins for something that has a name, whatever was chosen before.
    pub fn about(seed: u64, name: &str) -> Self {
        let sum =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self::new(seed ^ sum)
    }
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }
    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to.saturating_sub(from)).unwrap_or(0).saturating_add(1);
        from.saturating_add(i64::try_from(self.number() % span).unwrap_or(0))
    }
    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    /// One of several.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
    /// So many letters and digits, the first a letter; no vowels, so that no word comes out.
    pub fn word(&mut self, length: usize) -> String {
        const SIGNS: &[u8] = b"bcdfghjklmnpqrstvwxz0123456789";
        let letters = 20;
        (0..length)
            .filter_map(|at| SIGNS.get(self.below(if at == 0 { letters } else { SIGNS.len() })))
            .map(|sign| char::from(*sign))
            .collect()
    }
}
