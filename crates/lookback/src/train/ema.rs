//! The exponential moving average of the weights: smoother than any of them, and what is validated and kept if it is asked for.
//!
//! ```text
//! a_0 = w_0      a_t = a_{t−1} + (1 − d_t)(w_t − a_{t−1})      d_t = min(d, (t + 1)/(t + 10))
//! ```
//! Polyak & Juditsky 1992; the smaller d of the first updates, so that the start is soon forgotten, is that of TensorFlow's and Marian's averages.

use crate::backend::Backend;
use crate::params::Params;

/// The moving average of a model's weights.
#[derive(Debug)]
pub(super) struct Ema<B: Backend> {
    /// The averages.
    pub(super) params: Params<B>,
    decay: f64,
}

impl<B: Backend> Ema<B> {
    /// The name of the averages in a training's state.
    pub(super) const SLOT: &'static str = "ema";

    /// An average that stands at `params`.
    pub(super) fn new(params: Params<B>, decay: f64) -> Self {
        Self { params, decay }
    }

    /// Takes in the weights after update `update`, from 1.
    pub(super) fn step(&mut self, backend: &B, weights: &Params<B>, update: u64) {
        self.params.update_average(backend, weights, 1.0 - decay(self.decay, update));
    }
}

/// d_t
#[allow(clippy::cast_precision_loss, reason = "updates are far below 2⁵²")]
fn decay(limit: f64, update: u64) -> f64 {
    limit.min((update as f64 + 1.0) / (update as f64 + 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::ops::checks::matrix;
    use lookback_testkit::{Golden, assert_close_f64};

    /// Ten steps of `torch.optim.swa_utils.AveragedModel` with this decay, along its SGD.
    #[test]
    fn ten_updates_agree_with_pytorch() {
        let golden = Golden::read("optimizers");
        let limit = golden.f64("ema.decay")[0];
        let cpu = Cpu::<f64>::detect(2);
        for name in ["p0", "p1", "p2"] {
            let (start, weights, want) =
                (golden.f64(name), golden.f64(&format!("sgd.after.{name}")), golden.f64(&format!("ema.after.{name}")));
            let len = start.len();
            let specs = [matrix(name, 1, len)];
            let mut params = Params::init(&cpu, specs.to_vec(), 0);
            let mut ema = Ema::new(Params::init(&cpu, specs.to_vec(), 0), limit);
            ema.params.set_exact(&cpu, &[start]);
            for (update, (weights, want)) in (1..).zip(weights.chunks(len).zip(want.chunks(len))) {
                params.set_exact(&cpu, &[weights.to_vec()]);
                ema.step(&cpu, &params, update);
                let got: Vec<f64> = ema.params.values(&cpu)[0].iter().map(|&v| f64::from(v)).collect();
                assert_close_f64(&format!("{name}, update {update}"), &got, want, 1e-6, 1e-7);
            }
        }
    }

    #[test]
    fn the_decay_grows_to_its_limit() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(decay(0.999, 1), 2.0 / 11.0) && close(decay(0.999, 90), 0.91));
        assert!(close(decay(0.999, 1_000_000), 0.999) && close(decay(0.1, 1), 0.1));
    }
}
