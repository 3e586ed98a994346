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
    use crate::backend::Cpu;
    use crate::ops::checks::{check_gradients_random, wave};
    use crate::params::Params;
    use crate::tape::{Graph, Shape, Tape};

    #[test]
    fn gradients_agree_with_differences_under_a_frozen_mask() {
        check_gradients_random(&[(wave(60, 0.3), Shape::new(2, 6, 5))], vec![], |g, x, _| vec![g.dropout(x[0], 0.4)]);
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
