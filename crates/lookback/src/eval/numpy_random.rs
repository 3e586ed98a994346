//! The random numbers of NumPy's `default_rng(seed)`, since p-values computed elsewhere were drawn with them.
//!
//! The generator is PCG64 (O'Neill 2014, PCG XSL-RR 128/64), a linear congruence of 128 bits
//!
//! ```text
//! s ← a·s + c mod 2¹²⁸        output: (high s ⊕ low s), rotated right by the top 6 bits of s
//! ```
//! seeded through `SeedSequence` (O'Neill's `seed_seq_fe`), which spreads the seed over four words and draws the state from them. Integers
//! below a bound of 32 bits come from multiplication with rejection (Lemire 2019), fed with 32-bit halves, the low one first.

/// NumPy's default generator. Everything else that draws here uses `RandomKey`.
#[derive(Debug, Clone)]
pub(super) struct NumpyRandom {
    state: u128,
    increment: u128,
    /// The high half of the last output, if it was not used yet.
    half: Option<u32>,
}

const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

impl NumpyRandom {
    /// `numpy.random.default_rng(seed)`.
    pub(super) fn new(seed: u64) -> Self {
        let [a, b, c, d] = state_words(seed).map(u128::from);
        let increment = (c << 64 | d) << 1 | 1;
        let mut this = Self { state: 0, increment, half: None };
        this.step();
        this.state = this.state.wrapping_add(a << 64 | b);
        this.step();
        this
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 bits.
    #[allow(clippy::cast_possible_truncation, reason = "the state is split into its parts")]
    fn next_u64(&mut self) -> u64 {
        self.step();
        ((self.state >> 64) as u64 ^ self.state as u64).rotate_right((self.state >> 122) as u32)
    }

    /// The next 32 bits.
    #[allow(clippy::cast_possible_truncation, reason = "an output is split into its halves")]
    fn next_u32(&mut self) -> u32 {
        self.half.take().unwrap_or_else(|| {
            let both = self.next_u64();
            self.half = Some((both >> 32) as u32);
            both as u32
        })
    }

    /// An integer below `bound`, which is at least 1: an element of `integers(bound)` or `choice(bound)`.
    #[allow(clippy::cast_possible_truncation, reason = "a product is split into its halves")]
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        if bound == 1 {
            return 0;
        }
        // 2³² mod bound values of the low half would favour some results.
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= unfair {
                return (product >> 32) as u32;
            }
        }
    }
}

/// The elements of `integers(2, size=…, dtype=bool)`: the bits of 32-bit words, lowest first.
#[derive(Debug)]
pub(super) struct NumpyBits {
    random: NumpyRandom,
    word: u32,
    left: u32,
}

impl NumpyBits {
    /// The bits that `random` yields from here on.
    pub(super) fn new(random: NumpyRandom) -> Self {
        Self { random, word: 0, left: 0 }
    }
}

impl Iterator for NumpyBits {
    type Item = bool;

    fn next(&mut self) -> Option<bool> {
        if self.left == 0 {
            (self.word, self.left) = (self.random.next_u32(), 32);
        }
        let bit = self.word & 1 == 1;
        (self.word, self.left) = (self.word >> 1, self.left - 1);
        Some(bit)
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
#[allow(clippy::cast_possible_truncation, reason = "the seed is split into its halves")]
fn state_words(seed: u64) -> [u64; 4] {
    let mut hash = Hash { factor: 0x43B0_D7E5, growth: 0x931E_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.next(word));
    for from in 0..4 {
        for to in (0..4).filter(|&to| to != from) {
            let mixed =
                pool[to].wrapping_mul(0xCA01_F9DD).wrapping_sub(hash.next(pool[from]).wrapping_mul(0x4973_F715));
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    let mut hash = Hash { factor: 0x8B51_F9DD, growth: 0x58F3_8DED };
    let mut word = |i: usize| u64::from(hash.next(pool[i % 4]));
    std::array::from_fn(|i| word(2 * i) | word(2 * i + 1) << 32)
}

/// A multiplicative hash whose factor grows with every use.
struct Hash {
    factor: u32,
    growth: u32,
}

impl Hash {
    fn next(&mut self, word: u32) -> u32 {
        let word = word ^ self.factor;
        self.factor = self.factor.wrapping_mul(self.growth);
        let word = word.wrapping_mul(self.factor);
        word ^ word >> 16
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        streams: Vec<Stream>,
    }

    /// What NumPy drew after `default_rng(seed)`.
    #[derive(Deserialize)]
    struct Stream {
        seed: u64,
        /// `bit_generator.random_raw`, as decimal text.
        raw: Vec<String>,
        /// (bound, `choice(bound, size)`), each from a fresh generator.
        choices: Vec<(u32, Vec<u32>)>,
        /// `integers(2, dtype=bool)` as 0 and 1.
        bits: String,
    }

    #[test]
    fn every_draw_is_numpys() {
        let fixture: Fixture = serde_json::from_str(include_str!("../../../../fixtures/numpy_random.json")).unwrap();
        assert!(fixture.streams.len() > 5);
        for Stream { seed, raw, choices, bits } in fixture.streams {
            let mut random = NumpyRandom::new(seed);
            for want in raw {
                assert_eq!(random.next_u64().to_string(), want, "seed {seed}");
            }
            for (bound, want) in choices {
                let mut random = NumpyRandom::new(seed);
                let got: Vec<u32> = want.iter().map(|_| random.below(bound)).collect();
                assert_eq!(got, want, "seed {seed}, bound {bound}");
            }
            let drawn = NumpyBits::new(NumpyRandom::new(seed)).take(bits.len());
            assert_eq!(drawn.map(|bit| if bit { '1' } else { '0' }).collect::<String>(), bits, "seed {seed}");
        }
    }
}
