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
    use crate::backend::Cpu;
    use crate::params::Params;
    use crate::tape::{Shape, Tape};

    #[test]
    fn rows_become_log_probabilities() {
        let cpu = Cpu::<f32>::detect(1);
        let (params, mut tape) = (Params::init(&cpu, vec![], 0), Tape::new());
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let x = g.input(&[1.0, 1.0, 0.0, 3f32.ln()], Shape::new(1, 2, 2));
        g.log_softmax(x);
        let want = [0.5f32.ln(), 0.5f32.ln(), 0.25f32.ln(), 0.75f32.ln()];
        lookback_testkit::assert_close("log_softmax", &g.download(x), &want, 1e-6, 1e-6);
    }
}
