//! The output layer and its loss in one: softmax cross-entropy of `x·Wᵀ + b`, summed over target tokens, in nats.
//!
//! The logits (N, V) are the largest thing a model computes, so they live in blocks of rows, and their gradients are taken while a block is at hand: in a
//! recording graph, the parameter gradients of the *summed* loss are added in the forward pass, and that of `x` waits for the backward pass. The sum is what
//! is differentiated everywhere; division by the number of tokens happens once, in the update.

use crate::backend::{Backend, CrossEntropy, LossGradients, Smoothing};
use crate::ops::Node;
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Var};

impl<B: Backend> Graph<'_, B> {
    /// The loss of `targets` (T·B,) under `softmax(x·Wᵀ + b)`, `x` (T, B, H). A recording graph takes it as the loss to be minimised.
    ///
    /// # Panics
    /// If the shapes disagree, or a target is outside the vocabulary.
    pub fn cross_entropy(
        &mut self,
        x: Var,
        weight: ParamId,
        bias: ParamId,
        targets: IdsVar,
        smoothing: Smoothing,
    ) -> CrossEntropy {
        if !self.is_recording() {
            let params = self.params;
            return self.backend.linear_cross_entropy(
                self.tensor(x),
                params.weight(weight),
                params.weight(bias),
                self.ids_of(targets),
                smoothing,
                None,
                None,
            );
        }
        let mut dx = self.alloc(self.shape(x).len());
        let (backend, params, tape, gradients) = self.split();
        let (dw, store, db) = gradients.layer(backend, weight, bias);
        let loss = backend.linear_cross_entropy(
            tape.tensor(x),
            params.weight(weight),
            params.weight(bias),
            tape.ids(targets),
            smoothing,
            Some(LossGradients { dx: &mut dx, dw, store, db }),
            None,
        );
        self.record(Node::Loss { x, dx });
        loss
    }

    /// The negative log-likelihood of every target, in nats (0 where it is ignored).
    ///
    /// # Panics
    /// As [`Graph::cross_entropy`].
    pub fn token_nll(&mut self, x: Var, weight: ParamId, bias: ParamId, targets: IdsVar, ignore: u32) -> Vec<f64> {
        let mut rows = Vec::new();
        let params = self.params;
        self.backend.linear_cross_entropy(
            self.tensor(x),
            params.weight(weight),
            params.weight(bias),
            self.ids_of(targets),
            Smoothing { epsilon: 0.0, ignore },
            None,
            Some(&mut rows),
        );
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Cpu, Real};
    use crate::ops::checks::{matrix, vector, wave};
    use crate::params::{Gradients, Params};
    use crate::tape::{Recording, Shape, Tape};
    use lookback_testkit::{Golden, assert_close_f64, max_grad_error};

    /// Loss, nll, dx, dw, db of a loss over rows of `x`.
    fn run<T: Real>([x, w, b]: [&[f64]; 3], targets: &[u32], epsilon: f32) -> (CrossEntropy, [Vec<f64>; 3]) {
        let cpu = Cpu::<T>::detect(2);
        let (vocabulary, width) = (b.len(), w.len() / b.len());
        let mut params = Params::init(&cpu, vec![matrix("w", vocabulary, width), vector("b", vocabulary)], 0);
        params.set_exact(&cpu, &[w.to_vec(), b.to_vec()]);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        let values: Vec<T> = x.iter().map(|&v| T::from_f64(v)).collect();
        let input = g.input(&values, Shape::new(1, targets.len(), width));
        let ids = g.ids(targets);
        let (weight, bias) = (ParamId(0), ParamId(1));
        let loss = g.cross_entropy(input, weight, bias, ids, Smoothing { epsilon, ignore: 0 });
        g.backward();
        let wide = |x: &[T]| x.iter().map(|v| v.to_f64()).collect::<Vec<_>>();
        let dx = wide(&g.gradient(input).expect("the loss reaches its input"));
        let gradients = gradients.values(&cpu);
        (loss, [dx, wide(&gradients[weight.0]), wide(&gradients[bias.0])])
    }

    #[test]
    fn gradients_agree_with_differences_with_and_without_smoothing() {
        let (x, w, b) = (wave(4 * 5, 0.3), wave(7 * 5, 0.9), wave(7, 1.3));
        let targets = [3, 0, 6, 1];
        for epsilon in [0.0, 0.1] {
            let (_, grads) = run::<f64>([&x, &w, &b], &targets, epsilon);
            for (i, grad) in grads.iter().enumerate() {
                let loss = |v: &[f64]| {
                    let mut all = [&x[..], &w, &b];
                    all[i] = v;
                    run::<f64>(all, &targets, epsilon).0.loss
                };
                let mut at = [&x, &w, &b][i].clone();
                // Rounding of a loss near 10 over a step of 1e-5, relative to gradients of 1e-4 and more.
                assert!(max_grad_error(&mut at, grad, loss) < 1e-5);
            }
        }
    }

    #[test]
    fn a_target_is_right_if_it_is_the_most_probable() {
        let (x, w, mut b) = (wave(4 * 5, 0.3), wave(7 * 5, 0.9), wave(7, 1.3));
        // 0 does not count.
        b[0] = -99.0;
        let logit = |n: usize, v: usize| b[v] + (0..5).map(|i| x[n * 5 + i] * w[v * 5 + i]).sum::<f64>();
        let best = |n: usize| (0..7).max_by(|&a, &b| logit(n, a).total_cmp(&logit(n, b))).expect("seven");
        let mut targets = [0, 1, 2, 3].map(|n| u32::try_from(best(n)).expect("small"));
        for right in (0..=4).rev() {
            let (loss, _) = run::<f64>([&x, &w, &b], &targets, 0.1);
            assert_eq!((loss.right, loss.tokens), (right, 4));
            if right > 0 {
                targets[right as usize - 1] = targets[right as usize - 1] % 6 + 1;
            }
        }
    }

    #[test]
    fn it_agrees_with_pytorch_in_both_precisions() {
        let golden = Golden::read("cross_entropy");
        let [x, w, b] = ["x", "w", "b"].map(|n| golden.f64(n));
        let targets = golden.ids("target");
        for (prefix, epsilon) in [("", 0.0), ("smoothed.", 0.1)] {
            let stored = |n: &str| golden.f64(&format!("{prefix}{n}"));
            // The golden's values are stored in single precision: half a unit of the last place, and the sums of a few of them.
            for (loss, grads) in
                [run::<f64>([&x, &w, &b], &targets, epsilon), run::<f32>([&x, &w, &b], &targets, epsilon)]
            {
                assert_close_f64("loss", &[loss.loss], &stored("loss"), 1e-6, 0.0);
                assert_close_f64("nll", &[loss.nll], &golden.f64("loss"), 1e-6, 0.0);
                for (name, got) in ["dx", "dw", "db"].iter().zip(&grads) {
                    assert_close_f64(&format!("{prefix}{name}"), got, &stored(name), 1e-5, 1e-6);
                }
            }
        }
    }
}
