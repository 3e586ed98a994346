//! The learning rate of every update.

use lookback_kernels::power;

use crate::config::{Schedule, TrainConfig};

/// Where a training stands, as far as the learning rate depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The number of the update at hand, from 1.
    pub update: u64,
    /// Its epoch, from 1.
    pub epoch: u64,
    /// The share of the run that is done, in 0..=1.
    pub done: f64,
    /// What plateaus have multiplied the rate by.
    pub plateau: f64,
}

/// The learning rate of an update: a linear warm-up, then the configured course.
///
/// ```text
/// warm-up        rate·update/warmup
/// inverse_sqrt   rate·√(warmup/update)                      Vaswani et al. 2017, §5.3, with the peak given
/// exponential    rate·decay^⌈(epoch − decay_from + 1)/every⌉   from epoch decay_from
/// halving        the same with decay = ½                    Luong, Pham & Manning 2015, §4.1
/// plateau        rate·decay^(validations without a better score)
/// linear         min + (rate − min)·(1 − done)
/// cosine         min + (rate − min)·(1 + cos(π·done))/2     Loshchilov & Hutter 2017, eq. 5, without restarts
/// luong5         rate·2^−⌊5·(done − ½)/½⌋                   from done = ½; luong10 with 10; luong234 with 4 from ⅔
/// ```
/// The minimum holds for all of them after the warm-up.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "updates are far below 2⁵²")]
pub fn learning_rate(config: &TrainConfig, at: Progress) -> f64 {
    let (update, warmup) = (at.update as f64, config.warmup as f64);
    let (peak, lowest, done) = (config.peak_rate(), config.min_learning_rate, at.done.clamp(0.0, 1.0));
    let between = |share: f64| lowest + (peak - lowest) * share;
    let course = match config.schedule {
        Schedule::Constant => peak,
        Schedule::InverseSqrt => peak * (warmup / update.max(warmup)).sqrt(),
        Schedule::Plateau => peak * at.plateau,
        Schedule::Exponential => peak * power(config.decay, epochs_reduced(config, at.epoch)),
        Schedule::Halving => peak * power(0.5, epochs_reduced(config, at.epoch)),
        Schedule::Linear => between(1.0 - done),
        Schedule::Cosine => between(half_cosine(done)),
        Schedule::Luong5 => peak * power(0.5, parts(done, 0.5, 5)),
        Schedule::Luong10 => peak * power(0.5, parts(done, 0.5, 10)),
        Schedule::Luong234 => peak * power(0.5, parts(done, 2.0 / 3.0, 4)),
    };
    let rise = if warmup > 0.0 { (update / warmup).min(1.0) } else { 1.0 };
    rise * course.max(lowest)
}

/// How often the rate was reduced by the epoch at hand.
fn epochs_reduced(config: &TrainConfig, epoch: u64) -> u64 {
    (epoch + 1).saturating_sub(config.decay_from).div_ceil(config.decay_every.max(1))
}

/// How many of `count` equal parts of what follows `from` are over.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..=count")]
fn parts(done: f64, from: f64, count: u32) -> u64 {
    // A part that ends with an update is over in the next one, whatever the share is rounded to.
    ((done - from) / (1.0 - from) * f64::from(count) + 1e-9).max(0.0) as u64
}

/// `(1 + cos(πx))/2` for x in 0..=1, the same bits everywhere: cos²(πx/2) by the Taylor polynomial, whose remainder is below 1e-16.
fn half_cosine(x: f64) -> f64 {
    let z = std::f64::consts::FRAC_PI_2 * x;
    let squared = z * z;
    // 1 − z²/(1·2)·(1 − z²/(3·4)·(1 − …))
    let cosine = (1..=13).rev().fold(1.0, |inner, k| {
        let k = f64::from(2 * k);
        1.0 - squared / (k * (k - 1.0)) * inner
    });
    cosine * cosine
}

#[cfg(test)]
mod tests {
    use super::*;
    use Schedule::{Constant, Cosine, Exponential, Halving, InverseSqrt, Linear, Luong5, Luong10, Luong234, Plateau};

    fn config(schedule: Schedule) -> TrainConfig {
        TrainConfig { learning_rate: Some(1.0), warmup: 100, schedule, decay: 0.5, ..TrainConfig::default() }
    }

    fn rate(schedule: Schedule, update: u64, epoch: u64, done: f64, plateau: f64) -> f64 {
        learning_rate(&config(schedule), Progress { update, epoch, done, plateau })
    }

    #[test]
    fn it_rises_over_the_warm_up_and_then_takes_its_course() {
        let cases = [
            (rate(Constant, 50, 1, 0.0, 1.0), 0.5),
            (rate(Constant, 5_000, 9, 0.9, 0.1), 1.0),
            (rate(InverseSqrt, 25, 1, 0.0, 1.0), 0.25),
            (rate(InverseSqrt, 100, 1, 0.0, 1.0), 1.0),
            (rate(InverseSqrt, 400, 1, 0.0, 1.0), 0.5),
            (rate(Plateau, 400, 1, 0.0, 0.25), 0.25),
            (rate(Exponential, 400, 4, 0.0, 1.0), 1.0),
            (rate(Exponential, 400, 5, 0.0, 1.0), 0.5),
            (rate(Exponential, 400, 7, 0.0, 1.0), 0.125),
            (rate(Linear, 400, 1, 0.75, 1.0), 0.25),
            (rate(Cosine, 50, 1, 0.0, 1.0), 0.5),
            (rate(Cosine, 400, 1, 0.5, 1.0), 0.5),
            (rate(Cosine, 400, 1, 1.0 / 3.0, 1.0), 0.75),
            (rate(Cosine, 400, 1, 1.0, 1.0), 0.0),
        ];
        for (i, (got, want)) in cases.into_iter().enumerate() {
            assert!((got - want).abs() < 1e-12, "case {i}: {got} for {want}");
        }
    }

    #[test]
    fn halving_is_luongs() {
        // Luong et al. 2015, §4.1: ten epochs, halved every epoch after the fifth.
        let luong = TrainConfig { decay_from: 6, warmup: 0, ..config(Halving) };
        let luong = TrainConfig { decay: TrainConfig::default().decay, ..luong };
        let rates = |config: &TrainConfig| -> Vec<f64> {
            (1..=10)
                .map(|epoch| learning_rate(config, Progress { update: 1, epoch, done: 0.0, plateau: 1.0 }))
                .collect()
        };
        assert_eq!(rates(&luong), [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125]);
        let slower = TrainConfig { decay_every: 2, min_learning_rate: 0.2, ..luong };
        assert_eq!(rates(&slower), [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2]);
    }

    /// The learning rates of TensorFlow's NMT tutorial: from `start` on, halved after every `remaining / times` steps.
    #[test]
    fn the_tutorials_schedules_halve_where_it_halves() {
        for (schedule, start, times) in [(Luong5, 600, 5), (Luong10, 600, 10), (Luong234, 800, 4)] {
            let (total, length) = (1200, (1200 - start) / times);
            for step in 0..total {
                #[allow(clippy::cast_precision_loss, reason = "small")]
                let got = rate(schedule, step + 101, 1, step as f64 / total as f64, 1.0);
                let halvings = i32::try_from(step.saturating_sub(start) / length).expect("small");
                assert!((got - 0.5f64.powi(halvings)).abs() < 1e-12, "{schedule:?}, step {step}: {got}");
            }
        }
    }

    /// `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=8, eta_min=0.1)` from 1, PyTorch 2.15.
    #[test]
    fn cosine_is_pytorchs() {
        let floor = TrainConfig { min_learning_rate: 0.1, warmup: 0, ..config(Cosine) };
        let want = [
            1.0,
            0.965_745_789_630_079_1,
            0.868_198_051_533_946_4,
            0.722_207_544_564_290_5,
            0.55,
            0.377_792_455_435_709_7,
            0.231_801_948_466_053_7,
            0.134_254_210_369_921,
            0.1,
        ];
        for (step, want) in (0..).zip(want) {
            let at = Progress { update: 1, epoch: 1, done: f64::from(step) / 8.0, plateau: 1.0 };
            let got = learning_rate(&floor, at);
            assert!((got - want).abs() < 1e-14, "step {step}: {got} for {want}");
        }
    }
}
