//! `y[n] = [a[n]; b[n]]`: rows side by side.

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// The rows of `a` and `b` side by side, `a` first.
    ///
    /// # Panics
    /// If steps or rows differ.
    pub fn concat(&mut self, a: Var, b: Var) -> Var {
        let (left, right) = (self.shape(a), self.shape(b));
        assert_eq!((left.steps, left.batch), (right.steps, right.batch), "concat: rows differ");
        let shape = Shape { width: left.width + right.width, ..left };
        let mut y = self.alloc(shape.len());
        self.backend.concat(&mut y, self.tensor(a), self.tensor(b), left.width, right.width);
        let y = self.push(y, shape);
        self.record(Node::Concat { y, a, b });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, a: Var, b: Var) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let mut offset = 0;
    for x in [a, b] {
        let width = graph.shape(x).width;
        let mut dx = graph.take_gradient(x);
        graph.backend.split_add(&mut dx, &dy, width, graph.shape(y).width, offset);
        graph.put_gradient(x, dx);
        offset += width;
    }
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        let inputs = [(wave(2 * 3 * 5, 0.3), Shape::new(2, 3, 5)), (wave(2 * 3 * 2, 0.7), Shape::new(2, 3, 2))];
        check_gradients(&inputs, vec![], |g, x, _| vec![g.concat(x[0], x[1])]);
    }

    #[test]
    fn the_attentional_state_agrees_with_pytorch() {
        golden_op("concat_linear_tanh", &["a", "s"], &["w", "b"], &["y"], |g, x, p| {
            let both = g.concat(x[0], x[1]);
            let z = g.linear(both, p[0], Some(p[1]));
            vec![g.tanh(z)]
        });
    }
}
