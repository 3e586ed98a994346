//! Inverted dropout (Srivastava et al. 2014): `y = x·m / (1 − p)`, m drawn anew for every update and place; by a [`SequenceMask`], m is the same at every step
//! (Gal & Ghahramani 2016).
//!
//! The mask is not stored: it is a function of (seed, place, update, position) and is drawn again in the backward pass.

use crate::backend::{Backend, RandomKey, Real};
use crate::ops::Node;
use crate::tape::{Graph, Var};

/// One mask for all steps: every row of a batch has its own, and whatever is dropped by it has the same rows and width. It draws nothing where masks are not drawn.
#[derive(Debug, Clone, Copy)]
pub struct SequenceMask(Option<RandomKey>);

impl SequenceMask {
    /// The mask that was drawn `places` after this one.
    #[must_use]
    pub fn following(self, places: u32) -> Self {
        Self(self.0.map(|key| RandomKey { stream: key.stream + places, ..key }))
    }
}

impl<B: Backend> Graph<'_, B> {
    /// A mask for all steps.
    pub fn sequence_mask(&mut self) -> SequenceMask {
        SequenceMask(self.next_random())
    }

    /// Drops the same elements of every step of `x` (T, B, W), and of every other value that is dropped by this mask.
    pub fn dropout_by(&mut self, x: Var, p: f32, SequenceMask(key): SequenceMask) -> Var {
        let shape = self.shape(x);
        key.map_or(x, |key| self.dropped(x, p, key, shape.batch * shape.width))
    }

    /// Drops elements with probability `p` and scales the others up, if this graph draws random masks; else `x` itself.
    pub fn dropout(&mut self, x: Var, p: f32) -> Var {
        if p <= 0.0 {
            return x;
        }
        let len = self.shape(x).len();
        self.next_random().map_or(x, |key| self.dropped(x, p, key, len))
    }

    fn dropped(&mut self, x: Var, p: f32, key: RandomKey, period: usize) -> Var {
        let shape = self.shape(x);
        let mut y = self.alloc(shape.len());
        self.backend.fill(&mut y, B::Elem::ZERO);
        self.backend.dropout(&mut y, self.tensor(x), p, key, period);
        let y = self.push(y, shape);
        self.record(Node::Dropout { y, x, p, key, period });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var, p: f32, key: RandomKey, period: usize) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let mut dx = graph.take_gradient(x);
    graph.backend.dropout(&mut dx, &dy, p, key, period);
    graph.put_gradient(x, dx);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::backend::{Backend, Cpu, RandomKey};
    use crate::ops::checks::{check_gradients_random, wave};
    use crate::params::{Gradients, Params};
    use crate::tape::{Graph, Recording, Shape, Tape};
    use lookback_testkit::Golden;

    #[test]
    fn gradients_agree_with_differences_under_a_frozen_mask() {
        check_gradients_random(&[(wave(60, 0.3), Shape::new(2, 6, 5))], vec![], |g, x, _| vec![g.dropout(x[0], 0.4)]);
    }

    /// PyTorch's masks are its own, so its formula is compared: kept elements are scaled as it scales them, in value and gradient.
    #[test]
    fn kept_elements_are_scaled_as_pytorch_scales_them() {
        let golden = Golden::read("dropout");
        let [x, mask, y, r, dx] = ["x", "mask", "y", "r", "dx"].map(|n| golden.f64(n));
        let p = golden.f64("p")[0];
        let cpu = Cpu::<f64>::detect(1);
        let key = RandomKey { seed: 1, stream: 1, step: 1 };
        for (input, output) in [(x, y), (r, dx)] {
            let mut ours = vec![0.0; input.len()];
            cpu.dropout(&mut ours, &input, p as f32, key, input.len());
            for i in 0..input.len() {
                if mask[i] > 0.0 && ours[i].abs() > 0.0 {
                    assert!((ours[i] / output[i] - 1.0).abs() < 1e-6, "{i}: {} for {}", ours[i], output[i]);
                }
            }
            assert!((0..input.len()).filter(|&i| mask[i] > 0.0 && ours[i].abs() > 0.0).count() > 3);
        }
    }

    #[test]
    fn gradients_of_a_mask_for_all_steps_agree_with_differences() {
        check_gradients_random(&[(wave(60, 0.3), Shape::new(4, 3, 5))], vec![], |g, x, _| {
            let mask = g.sequence_mask();
            // Used twice, as in a loop over steps.
            let (whole, step) = (g.dropout_by(x[0], 0.4, mask), g.step(x[0], 2));
            vec![whole, g.dropout_by(step, 0.4, mask)]
        });
    }

    #[test]
    fn a_mask_for_all_steps_is_one_for_each_row_and_the_same_at_every_step() {
        let cpu = Cpu::<f64>::detect(1);
        let params = Params::init(&cpu, vec![], 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let recording = Recording::On { seed: 1, step: 1 };
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, recording);
        let (steps, batch, width) = (7, 4, 33);
        let x = g.input(&vec![1.0; steps * batch * width], Shape::new(steps, batch, width));
        let masks = [g.sequence_mask(), g.sequence_mask()].map(|mask| {
            let y = g.dropout_by(x, 0.5, mask);
            g.download(y)
        });
        for y in &masks {
            let first = &y[..batch * width];
            assert!(y.chunks(batch * width).all(|step| step == first));
            assert!(first.chunks(width).skip(1).all(|row| row != &first[..width]), "every sequence has its own");
        }
        assert_ne!(masks[0], masks[1], "every place has its own");
    }

    #[test]
    fn a_mask_that_follows_is_the_one_drawn_next() {
        let cpu = Cpu::<f32>::detect(1);
        let params = Params::init(&cpu, vec![], 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let recording = Recording::On { seed: 1, step: 1 };
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, recording);
        let x = g.input(&[1.0; 64], Shape::new(1, 1, 64));
        let [first, second, third] = [0; 3].map(|_| g.sequence_mask());
        let mut dropped = |mask| {
            let y = g.dropout_by(x, 0.5, mask);
            g.download(y)
        };
        assert_eq!(dropped(first.following(2)), dropped(third));
        assert_ne!(dropped(first.following(1)), dropped(third));
        assert_eq!(dropped(first.following(1)), dropped(second));
    }

    #[test]
    fn inference_drops_nothing() {
        let cpu = Cpu::<f32>::detect(1);
        let (params, mut tape) = (Params::init(&cpu, vec![], 1), Tape::new());
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let x = g.zeros(Shape::new(1, 2, 3));
        assert_eq!(g.dropout(x, 0.5), x);
        let mask = g.sequence_mask();
        assert_eq!(g.dropout_by(x, 0.5, mask), x);
    }
}
