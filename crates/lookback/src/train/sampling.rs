//! Scheduled sampling (Bengio et al. 2015): in training the decoder now and then reads a word of its own in the place of the written one, more often as it learns, so that it meets its own mistakes.
//!
//! ```text
//! linear            p = max·done
//! inverse_sigmoid   p = min(max, 1 − k/(k + exp(update/k)))
//! ```
//! In two passes: the first reads the written words and says at every position what it would write (without dropout, the most probable word); the second reads a mixture and
//! learns. So all steps still run at once where nothing is fed back; the words of the first pass were chosen after written ones, not after a mixture (Mihaylova & Martins 2019, §3;
//! Duckworth et al. 2019). The choice of a word is a constant: no gradient flows through it, as in Bengio et al. Where its own word would be `</s>`, the written one stays.

use lookback_kernels::{RandomKey, Real, philox4x32};

use crate::config::{ScheduledSampling, TrainConfig};
use crate::data::Batch;
use crate::text::{EOS, PAD};

/// The stream of the coins, beside those of word dropout.
const STREAM: u32 = u32::MAX - 2;

/// The probability of a word of its own in update `update`, from 1, when the share `done` of the run is done.
#[allow(clippy::cast_precision_loss, reason = "updates are far below 2⁵²")]
pub(super) fn share(config: &TrainConfig, update: u64, done: f64) -> f64 {
    let k = config.sampling_k;
    match config.scheduled_sampling {
        ScheduledSampling::None => 0.0,
        ScheduledSampling::Linear => config.sampling_max * done.clamp(0.0, 1.0),
        ScheduledSampling::InverseSigmoid => {
            // In single precision, whose exponential is our own and the same everywhere.
            let power = Real::exp((update as f64 / k) as f32);
            config.sampling_max.min(1.0 - k / (k + f64::from(power)))
        }
    }
}

/// Puts the model's `own` words (T, B) in the place of the written ones with probability `share`. `step` is the number of the forward pass.
pub(super) fn mix(batch: &mut Batch, own: &[u32], share: f64, seed: u64, step: u64) {
    let key = RandomKey { seed, stream: STREAM, step };
    // What is said at a position is read at the next one.
    let read = &mut batch.tgt_in[batch.batch..];
    for (block, (read, own)) in (0..).zip(read.chunks_mut(4).zip(own.chunks(4))) {
        for ((read, &own), coin) in read.iter_mut().zip(own).zip(philox4x32(key, block)) {
            if f64::from(coin) < share * 4_294_967_296.0 && *read != PAD && own != EOS {
                *read = own;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Example;

    fn config(schedule: ScheduledSampling) -> TrainConfig {
        TrainConfig { scheduled_sampling: schedule, sampling_max: 0.5, sampling_k: 100.0, ..TrainConfig::default() }
    }

    #[test]
    fn words_of_its_own_become_more_frequent() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(share(&config(ScheduledSampling::None), 900, 0.9), 0.0));
        let linear = |done| share(&config(ScheduledSampling::Linear), 1, done);
        assert!(close(linear(0.0), 0.0) && close(linear(0.5), 0.25) && close(linear(1.0), 0.5));
        let sigmoid = |update| share(&config(ScheduledSampling::InverseSigmoid), update, 0.0);
        assert!(close(sigmoid(100), 1.0 - 100.0 / (100.0 + std::f64::consts::E)), "{}", sigmoid(100));
        assert!(sigmoid(200) < sigmoid(400) && close(sigmoid(1_000), 0.5) && close(sigmoid(u64::MAX), 0.5));
    }

    #[test]
    fn what_was_said_at_a_position_is_read_at_the_next_one() {
        let sentence = |b: u32| (0..20 + b % 7).map(|t| 4 + (b * 31 + t * 17) % 296).collect::<Vec<u32>>();
        let examples: Vec<Example> = (0..99).map(|b| Example { src: vec![5], tgt: sentence(b), line: 1 }).collect();
        let batch = Batch::new(examples.iter());
        let own: Vec<u32> =
            (0u32..).map(|i| if i % 10 == 0 { EOS } else { 1000 + i }).take(batch.tgt_in.len()).collect();
        let mixed = |share, step| {
            let mut batch = batch.clone();
            mix(&mut batch, &own, share, 5, step);
            batch
        };
        let all = mixed(1.0, 1);
        for (i, (&read, &written)) in all.tgt_in.iter().zip(&batch.tgt_in).enumerate() {
            let said = i.checked_sub(batch.batch).map(|before| own[before]);
            let want = said.filter(|&said| written != PAD && said != EOS).unwrap_or(written);
            assert_eq!(read, want, "position {i}");
        }
        assert_eq!(Batch { tgt_in: batch.tgt_in.clone(), ..all }, batch, "nothing else changes");
        let count = |share, step| mixed(share, step).tgt_in.iter().filter(|&&id| id >= 1000).count();
        let most = count(1.0, 1);
        #[allow(clippy::cast_precision_loss, reason = "thousands")]
        let part = count(0.3, 1) as f64 / most as f64;
        assert!((part - 0.3).abs() < 0.05, "five standard deviations: {part}");
        assert!(mixed(0.3, 1) == mixed(0.3, 1) && mixed(0.3, 1) != mixed(0.3, 2) && mixed(0.0, 1) == batch);
    }
}
