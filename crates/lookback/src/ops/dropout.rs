//! Inverted dropout (Srivastava et al. 2014): `y = x·m / (1 − p)`, m drawn anew for every update and place.
//!
//! The mask is not stored: it is a function of (seed, place, update, position) and is drawn again in the backward pass.

use crate::backend::{Backend, RandomKey, Real};
use crate::ops::Node;
use crate::tape::{Graph, Var};

impl<B: Backend> Graph<'_, B> {
    /// Drops elements with probability `p` and scales the others up, if this graph draws random masks; else `x` itself.
    pub fn dropout(&mut self, x: Var, p: f32) -> Var {
        if p <= 0.0 {
            return x;
        }
        let Some(key) = self.next_random() else { return x };
        let shape = self.shape(x);
        let mut y = self.alloc(shape.len());
        self.backend.fill(&mut y, B::Elem::ZERO);
        self.backend.dropout(&mut y, self.tensor(x), p, key);
        let y = self.push(y, shape);
        self.record(Node::Dropout { y, x, p, key });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var, p: f32, key: RandomKey) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let mut dx = graph.take_gradient(x);
    graph.backend.dropout(&mut dx, &dy, p, key);
    graph.put_gradient(x, dx);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::backend::{Backend, Cpu, RandomKey};
    use crate::ops::checks::{check_gradients_random, wave};
    use crate::params::Params;
    use crate::tape::{Graph, Shape, Tape};
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
            cpu.dropout(&mut ours, &input, p as f32, key);
            for i in 0..input.len() {
                if mask[i] > 0.0 && ours[i].abs() > 0.0 {
                    assert!((ours[i] / output[i] - 1.0).abs() < 1e-6, "{i}: {} for {}", ours[i], output[i]);
                }
            }
            assert!((0..input.len()).filter(|&i| mask[i] > 0.0 && ours[i].abs() > 0.0).count() > 3);
        }
    }

    #[test]
    fn inference_drops_nothing() {
        let cpu = Cpu::<f32>::detect(1);
        let (params, mut tape) = (Params::init(&cpu, vec![], 1), Tape::new());
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let x = g.zeros(Shape::new(1, 2, 3));
        assert_eq!(g.dropout(x, 0.5), x);
    }
}
