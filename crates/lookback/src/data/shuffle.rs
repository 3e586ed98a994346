//! Random order from counters.
//!
//! Number `index` of stream `stream` under `seed` is a hash of the three: nothing is carried along, so a resumed run draws
//! what an uninterrupted one draws. The hash is the finalizer of SplitMix64 (Steele, Lea & Flood 2014, variant 13 of
//! Stafford), applied once per word of the input.

/// Draws from one stream, in order.
#[derive(Clone, Debug)]
pub struct Draws {
    key: u64,
    index: u64,
}

impl Draws {
    /// The stream's draws from its first. Streams of one seed, and seeds, are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self { key: mix(mix(seed) ^ stream), index: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let index = self.index;
        self.index += 1;
        mix(self.key ^ mix(index))
    }

    /// A number of `0..bound`, each equally likely (Lemire 2019: the high half of a product, rejecting the few draws that
    /// would favour some numbers).
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            #[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
            let (high, low) = ((product >> 64) as u64, product as u64);
            if low >= threshold {
                return high;
            }
        }
    }

    /// `count` of `items`, in their order; each choice is equally likely.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn choose<T>(&mut self, items: Vec<T>, count: usize) -> Vec<T> {
        let mut items = items;
        let mut is_chosen = self.choices(items.len(), count);
        items.retain(|_| is_chosen());
        items
    }

    /// Says of each of `of` items, one after another, whether it is among the `count` that [`choose`](Self::choose) takes.
    ///
    /// # Panics
    /// If there are not as many.
    pub(crate) fn choices(&mut self, of: usize, count: usize) -> impl FnMut() -> bool {
        assert!(count <= of, "there are only {of} items to choose from");
        let (mut of, mut left) = (of, count);
        move || {
            let is_chosen = left > 0 && self.below(of as u64) < left as u64;
            left -= usize::from(is_chosen);
            of -= 1;
            is_chosen
        }
    }

    /// Puts `items` into random order (Fisher–Yates); each order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// A bijection on 64 bits whose every output bit depends on every input bit.
pub(super) fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equally_and_others_differ() {
        let draws = |seed, stream| -> Vec<u64> {
            let mut draws = Draws::new(seed, stream);
            (0..100).map(|_| draws.bits()).collect()
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        for (seed, stream) in [(1, 3), (2, 2), (2, 1), (0, 0)] {
            assert!(draws(1, 2).iter().zip(draws(seed, stream)).all(|(a, b)| *a != b));
        }
    }

    #[test]
    fn numbers_below_a_bound_are_equally_likely() {
        let mut draws = Draws::new(7, 0);
        let mut counts = [0_i32; 6];
        for _ in 0..60_000 {
            counts[draws.below(6) as usize] += 1;
        }
        // The standard deviation of a count is 91; five of them.
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 460), "{counts:?}");
        assert!((0..100).all(|_| draws.below(1) == 0));
    }

    #[test]
    fn every_choice_is_equally_likely_and_in_order() {
        let mut draws = Draws::new(4, 1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..10_000 {
            *counts.entry(draws.choose(vec![0, 1, 2, 3, 4], 2)).or_insert(0_i32) += 1;
        }
        assert!(counts.keys().all(|chosen| chosen.len() == 2 && chosen[0] < chosen[1]));
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (count - 1000).abs() < 150), "{counts:?}"); // five deviations of 30
        assert_eq!(draws.choose(vec![7, 8], 2), [7, 8]);
    }

    #[test]
    fn every_order_is_equally_likely() {
        let mut draws = Draws::new(3, 9);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            draws.shuffle(&mut items);
            *counts.entry(items).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (count - 1000).abs() < 160), "{counts:?}"); // five deviations of 31
    }
}
