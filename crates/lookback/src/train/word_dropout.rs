//! Word dropout: whole tokens of what is read become `<unk>` (Iyyer et al. 2015 for sources; Bowman et al. 2016, §3.1, for what the decoder reads), so that a model learns to do without any one
//! of them. What is to be written stays as it is.
//!
//! Coins are counted by seed, forward pass, side and place, so a resumed run tosses the same.

use lookback_kernels::{RandomKey, philox4x32};

use crate::data::Batch;
use crate::text::{BOS, EOS, PAD, UNK};

/// Streams beside those of a graph, which count from 1.
const STREAMS: [u32; 2] = [u32::MAX, u32::MAX - 1];

/// Drops words of the source with probability `src`, and of what the decoder reads with `tgt`. `step` is the number of the forward pass.
pub(super) fn drop_words(batch: &mut Batch, [src, tgt]: [f64; 2], seed: u64, step: u64) {
    for ((ids, p), stream) in [(&mut batch.src, src), (&mut batch.tgt_in, tgt)].into_iter().zip(STREAMS) {
        if p <= 0.0 {
            continue;
        }
        let key = RandomKey { seed, stream, step };
        for (block, ids) in (0..).zip(ids.chunks_mut(4)) {
            for (id, word) in ids.iter_mut().zip(philox4x32(key, block)) {
                if f64::from(word) < p * 4_294_967_296.0 && ![PAD, BOS, EOS].contains(id) {
                    *id = UNK;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Example;

    fn batch() -> Batch {
        let sentence = |b: u32| (0..20 + b % 7).map(|t| 4 + (b * 31 + t * 17) % 296).collect::<Vec<u32>>();
        let examples: Vec<Example> =
            (0..200).map(|b| Example { src: sentence(b), tgt: sentence(b + 3), line: 1 }).collect();
        Batch::new(examples.iter())
    }

    fn dropped(rates: [f64; 2], step: u64) -> Batch {
        let mut batch = batch();
        drop_words(&mut batch, rates, 5, step);
        batch
    }

    #[test]
    fn the_stated_share_of_words_and_nothing_else_becomes_unknown() {
        let whole = batch();
        let some = dropped([0.3, 0.1], 1);
        for (ids, was, p) in [(&some.src, &whole.src, 0.3), (&some.tgt_in, &whole.tgt_in, 0.1)] {
            let words = was.iter().filter(|&&id| id > 3).count();
            let gone = ids.iter().zip(was).filter(|(a, b)| a != b).inspect(|(a, _)| assert_eq!(**a, UNK)).count();
            assert!(ids.iter().zip(was).all(|(a, b)| *b > 3 || a == b), "padding and ends stay");
            #[allow(clippy::cast_precision_loss, reason = "thousands")]
            let share = gone as f64 / words as f64;
            assert!((share - p).abs() < 0.04, "five standard deviations: {share} for {p}");
        }
        assert_eq!(some.tgt_out, whole.tgt_out, "what is to be written stays");
    }

    #[test]
    fn coins_are_those_of_the_pass() {
        assert_eq!(dropped([0.3, 0.3], 1).src, dropped([0.3, 0.0], 1).src);
        assert_ne!(dropped([0.3, 0.0], 1).src, dropped([0.3, 0.0], 2).src);
        assert_eq!(dropped([0.0, 0.0], 1).src, batch().src);
    }
}
