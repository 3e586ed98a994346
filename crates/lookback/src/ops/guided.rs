//! Guided alignment: what attention weights cost against given ones, as a second loss beside that of the words (Chen, Matusov, Khadivi & Peter 2016, §4).
//!
//! The costs and their gradients are those of [`lookback_kernels::guided_rows`]; from the weights the gradient goes on through softmax and score like any other.

use crate::backend::{Backend, GuidedCost, GuidedLoss, GuidedRows, Real};
use crate::ops::Node;
use crate::tape::{Graph, Var};

impl<B: Backend> Graph<'_, B> {
    /// The summed cost of `weights` (T, R, S) against `given`, whose rows are the T·R rows of the weights. A recording graph takes `factor` times the sum as a loss to be
    /// minimised.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn guided_alignment(
        &mut self,
        weights: Var,
        given: GuidedRows<'_>,
        cost: GuidedCost,
        factor: f64,
    ) -> GuidedLoss {
        let shape = self.shape(weights);
        if !self.is_recording() {
            return self.backend.guided_alignment(self.tensor(weights), shape.width, given, cost, factor, None);
        }
        let mut dx = self.alloc(shape.len());
        self.backend.fill(&mut dx, B::Elem::ZERO);
        let weights_tensor = self.tensor(weights);
        let loss = self.backend.guided_alignment(weights_tensor, shape.width, given, cost, factor, Some(&mut dx));
        self.record(Node::Loss { x: weights, dx });
        loss
    }
}

#[cfg(test)]
mod tests {
    use lookback_testkit::{Golden, assert_close_f64, max_grad_error};

    use crate::backend::{Cpu, GuidedCost, GuidedRows};
    use crate::ops::{Attention, AttentionScore, AttentionWindow};
    use crate::params::{Gradients, Params};
    use crate::tape::{Graph, Recording, Shape, Tape};

    const COSTS: [(&str, GuidedCost); 3] =
        [("ce", GuidedCost::CrossEntropy), ("mse", GuidedCost::SquaredError), ("mult", GuidedCost::Product)];

    /// Cost and gradient of `scores` (T, B, N·S) through the softmax of N heads and their mean.
    fn through_softmax(
        (scores, shape): (&[f64], Shape),
        src_len: &[u32],
        heads: usize,
        given: GuidedRows<'_>,
        (cost, factor): (GuidedCost, f64),
    ) -> (f64, Vec<f64>) {
        let cpu = Cpu::<f64>::detect(1);
        let params = Params::init(&cpu, vec![], 0);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        let query = g.input(scores, shape);
        // The key of a position is 1 at its place in the share of each head, so that the query is the scores.
        let (width, positions) = (shape.width, shape.width / heads);
        let is_own = |i: usize| i % width % positions == i / (width * shape.batch);
        let keys: Vec<f64> = (0..positions * shape.batch * width).map(|i| f64::from(u8::from(is_own(i)))).collect();
        let keys = g.input(&keys, Shape::new(positions, shape.batch, width));
        let values = g.zeros(Shape::new(positions, shape.batch, heads));
        let src_len = g.ids(src_len);
        let (score, window) = (AttentionScore::Dot { keys, scale: 1.0 }, AttentionWindow::Global);
        let attended = g.attend(Attention { query, values, src_len, score, window, heads });
        let mean = if heads == 1 { attended.weights } else { g.mean_rows(attended.weights, heads) };
        let loss = g.guided_alignment(mean, given, cost, factor).loss;
        g.backward();
        (loss, g.gradient(query).expect("it was reached"))
    }

    #[test]
    fn cost_and_gradient_through_the_softmax_agree_with_pytorch() {
        let golden = Golden::read("guided_alignment");
        let [t, b, _] = golden.shape("given")[..] else { panic!("(T, B, S)") };
        let (dense, width) = (golden.f64("given"), golden.shape("given")[2]);
        let (mut starts, mut columns, mut shares) = (vec![0], Vec::new(), Vec::new());
        for row in dense.chunks(width) {
            for (s, &share) in (0..).zip(row).filter(|(_, share)| **share > 0.0) {
                columns.push(s);
                #[allow(clippy::cast_possible_truncation, reason = "stored in single precision")]
                shares.push(share as f32);
            }
            starts.push(u32::try_from(columns.len()).expect("few"));
        }
        let given = GuidedRows { starts: &starts, columns: &columns, shares: &shares };
        let src_len = golden.ids("src_len");
        for heads in [1, 2] {
            let scores = golden.f64(&format!("scores_{heads}h"));
            let shape = Shape::new(t, b, scores.len() / (t * b));
            for (name, cost) in COSTS {
                let (loss, gradient) = through_softmax((&scores, shape), &src_len, heads, given, (cost, 1.0));
                assert_close_f64(name, &[loss], &golden.f64(&format!("{name}_{heads}h")), 1e-7, 1e-7);
                assert_close_f64(name, &gradient, &golden.f64(&format!("{name}_{heads}h.dscores")), 1e-7, 1e-7);
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences_for_any_number_of_heads_and_scale_with_the_factor() {
        let given = GuidedRows { starts: &[0, 2, 2, 3, 4], columns: &[0, 2, 1, 0], shares: &[0.5, 0.5, 1.0, 1.0] };
        for heads in [1, 2, 3] {
            let shape = Shape::new(2, 2, heads * 3);
            let mut scores = crate::ops::checks::wave(shape.len(), 0.7);
            for (_, cost) in COSTS {
                let of = |x: &[f64], factor| through_softmax((x, shape), &[3, 2], heads, given, (cost, factor));
                let (_, gradient) = of(&scores, 1.0);
                let error = max_grad_error(&mut scores, &gradient, |x| of(x, 1.0).0);
                assert!(error < 1e-6, "{cost:?}, {heads} heads: relative error {error}");
                let half: Vec<f64> = of(&scores, 0.5).1.iter().map(|g| 2.0 * g).collect();
                assert_close_f64("factor", &half, &gradient, 1e-12, 1e-14);
            }
        }
    }
}
