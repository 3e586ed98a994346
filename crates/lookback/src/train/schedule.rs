//! The learning rate of every update.

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
/// inverse_sqrt   rate·√(warmup/update)                 Vaswani et al. 2017, §5.3, with the peak given
/// exponential    rate·decay^(epoch − decay_from + 1)   from epoch decay_from
/// plateau        rate·decay^(validations without a better score)
/// linear         rate·(1 − done)
/// ```
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "updates are far below 2⁵²")]
pub fn learning_rate(config: &TrainConfig, at: Progress) -> f64 {
    let (update, warmup) = (at.update as f64, config.warmup as f64);
    let course = match config.schedule {
        Schedule::Constant => 1.0,
        Schedule::InverseSqrt => (warmup / update.max(warmup)).sqrt(),
        Schedule::Plateau => at.plateau,
        Schedule::Exponential => {
            let decays = (at.epoch + 1).saturating_sub(config.decay_from);
            config.decay.powi(i32::try_from(decays).unwrap_or(i32::MAX))
        }
        Schedule::Linear => 1.0 - at.done.clamp(0.0, 1.0),
    };
    let rise = if warmup > 0.0 { (update / warmup).min(1.0) } else { 1.0 };
    config.learning_rate * rise * course
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule, update: u64, epoch: u64, done: f64, plateau: f64) -> f64 {
        let config = TrainConfig { learning_rate: 1.0, warmup: 100, schedule, decay: 0.5, ..TrainConfig::default() };
        learning_rate(&config, Progress { update, epoch, done, plateau })
    }

    #[test]
    fn it_rises_over_the_warm_up_and_then_takes_its_course() {
        use Schedule::{Constant, Exponential, InverseSqrt, Linear, Plateau};
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
        ];
        for (i, (got, want)) in cases.into_iter().enumerate() {
            assert!((got - want).abs() < 1e-12, "case {i}: {got} for {want}");
        }
    }
}
