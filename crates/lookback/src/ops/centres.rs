//! Where a predicted window lies: `p[t, r] = len · sigmoid(z[t, r])`, a place in the source of the row's sentence (Luong, Pham & Manning 2015, eq. 9).

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, IdsVar, Var};

impl<B: Backend> Graph<'_, B> {
    /// The centres of predicted windows from `z` (T, R, 1), in units of positions; `src_len` (B,) are the real source lengths, R a multiple of B.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn window_centres(&mut self, z: Var, src_len: IdsVar) -> Var {
        let shape = self.shape(z);
        assert_eq!(shape.width, 1, "window centres: one number for every query");
        let mut p = self.alloc(shape.len());
        self.backend.window_centres(&mut p, self.tensor(z), shape.batch, self.ids_of(src_len));
        let y = self.push(p, shape);
        self.record(Node::WindowCentres { y, x: z, src_len });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var, src_len: IdsVar) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let mut dx = graph.take_gradient(x);
    let rows = graph.shape(x).batch;
    graph.backend.window_centres_backward(&mut dx, &dy, graph.tensor(y), rows, graph.ids_of(src_len));
    graph.put_gradient(x, dx);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        check_gradients(&[(wave(12, 0.3), Shape::new(4, 3, 1))], vec![], |g, x, _| {
            let src_len = g.ids(&[7, 1, 4]);
            vec![g.window_centres(x[0], src_len)]
        });
    }
}
