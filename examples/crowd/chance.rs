//! Numbers that look random and are the same for the same seed.

/// A stream of numbers (SplitMix64, by Sebastiano Vigna).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of one thing, such as the person with this number: it does not depend on what was drawn for others.
    pub const fn of(seed: u64, thing: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thing.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether something happens that happens so many times in a thousand.
    pub const fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, all: &[T], otherwise: T) -> T {
        let at = usize::try_from(self.below(all.len().max(1) as u64)).unwrap_or(0);
        all.get(at).copied().unwrap_or(otherwise)
    }

    /// Ten octets, for identifiers.
    pub const fn octets(&mut self) -> [u8; 10] {
        let ([a, b, c, d, e, f, g, h], [i, j, ..]) = (self.next().to_be_bytes(), self.next().to_be_bytes());
        [a, b, c, d, e, f, g, h, i, j]
    }
}
