//! Randomness by counting: Philox 4×32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//!
//! A random number is a pure function of (seed, stream, step, position), so a resumed run continues the same streams, and threads
//! cannot change what is drawn.

/// Which random numbers: the seed of the run, the stream (which operation), and the step (which update).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomKey {
    /// The seed of the run.
    pub seed: u64,
    /// The stream: one per place that draws.
    pub stream: u32,
    /// The step: advances with every update.
    pub step: u64,
}

/// The four random words at `block` of the stream named by `key`.
#[must_use]
pub fn philox4x32(key: RandomKey, block: u32) -> [u32; 4] {
    let words = blocks::<1>(key, block);
    [words[0][0], words[1][0], words[2][0], words[3][0]]
}

/// `N` consecutive blocks from `first`; word `w` of block `i` is at `[w][i]`, so that the rounds vectorise.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "64-bit values are split into their 32-bit halves")]
pub(crate) fn blocks<const N: usize>(key: RandomKey, first: u32) -> [[u32; N]; 4] {
    const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let mut counter = [[0; N], [key.stream; N], [key.step as u32; N], [(key.step >> 32) as u32; N]];
    for i in 0..N {
        counter[0][i] = first.wrapping_add(i as u32);
    }
    let mut k = [key.seed as u32, (key.seed >> 32) as u32];
    for _ in 0..10 {
        for i in 0..N {
            let a = u64::from(MULTIPLIER[0]) * u64::from(counter[0][i]);
            let b = u64::from(MULTIPLIER[1]) * u64::from(counter[2][i]);
            let next =
                [(b >> 32) as u32 ^ counter[1][i] ^ k[0], b as u32, (a >> 32) as u32 ^ counter[3][i] ^ k[1], a as u32];
            for w in 0..4 {
                counter[w][i] = next[w];
            }
        }
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the reference implementation (Random123, `kat_vectors`): counter and key of zeros, of ones, of π.
    #[test]
    fn the_published_vectors_are_reproduced() {
        let key = |seed, stream, step| RandomKey { seed, stream, step };
        assert_eq!(philox4x32(key(0, 0, 0), 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = key(u64::MAX, u32::MAX, u64::MAX);
        assert_eq!(philox4x32(ones, u32::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = key(0x299f_31d0_a409_3822, 0x85a3_08d3, 0x0370_7344_1319_8a2e);
        assert_eq!(philox4x32(pi, 0x243f_6a88), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn many_blocks_at_once_are_the_blocks_one_by_one() {
        let key = RandomKey { seed: 7, stream: 3, step: 11 };
        let many = blocks::<8>(key, 100);
        for i in 0..8u32 {
            let one = philox4x32(key, 100 + i);
            for w in 0..4 {
                assert_eq!(one[w], many[w][i as usize]);
            }
        }
    }
}
