//! Log-probabilities, in place: the logits of a search step are large and not needed twice.
//!
//! ```text
//! x[n, v] ← x[n, v] − log Σ_w exp x[n, w]
//! ```
//! Search only; training never holds all log-probabilities (see the cross-entropy).

use crate::backend::Backend;
use crate::tape::{Graph, Var};

impl<B: Backend> Graph<'_, B> {
    /// Turns the rows of `x` (T, B, V) from logits into log-probabilities, in nats.
    ///
    /// # Panics
    /// If the graph records.
    pub fn log_softmax(&mut self, x: Var) {
        assert!(!self.is_recording(), "no gradients flow through a log-softmax in place");
        let width = self.shape(x).width;
        let backend = self.backend;
        backend.log_softmax(self.tensor_mut(x), width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Cpu, Real};
    use crate::params::Params;
    use crate::tape::{Shape, Tape};
    use lookback_testkit::{Golden, assert_close_f64};

    /// The golden's rows after a log-softmax in the precision of `T`.
    fn log_probs<T: Real>(golden: &Golden) -> Vec<f64> {
        let cpu = Cpu::<T>::detect(2);
        let (params, mut tape) = (Params::init(&cpu, vec![], 0), Tape::new());
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let [rows, width] = golden.shape("x")[..] else { panic!("x is a matrix") };
        let values: Vec<T> = golden.f64("x").into_iter().map(T::from_f64).collect();
        let x = g.input(&values, Shape::new(1, rows, width));
        g.log_softmax(x);
        g.download(x).into_iter().map(Real::to_f64).collect()
    }

    #[test]
    fn it_agrees_with_pytorch_in_both_precisions() {
        let golden = Golden::read("log_softmax");
        let want = golden.f64("y");
        // PyTorch computed in double precision and stored in single: half a unit of the last place, 6e-8.
        assert_close_f64("double", &log_probs::<f64>(&golden), &want, 1e-7, 1e-7);
        // Logits near 300 are themselves known to half a unit of the last place, 1.5e-5, and what is subtracted from them, too.
        assert_close_f64("single", &log_probs::<f32>(&golden), &want, 4e-5, 1e-6);
    }
}
