//! `y = tanh(x)`, element by element.

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, Var};

impl<B: Backend> Graph<'_, B> {
    /// The hyperbolic tangent of every element.
    pub fn tanh(&mut self, x: Var) -> Var {
        let shape = self.shape(x);
        let mut y = self.alloc(shape.len());
        self.backend.tanh(&mut y, self.tensor(x));
        let y = self.push(y, shape);
        self.record(Node::Tanh { y, x });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var) {
    let Some(mut d) = graph.take_output_gradient(y) else { return };
    graph.backend.tanh_backward(&mut d, graph.tensor(y));
    graph.add_gradient(x, d);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        check_gradients(&[(wave(15, 0.3), Shape::new(1, 3, 5))], vec![], |g, x, _| vec![g.tanh(x[0])]);
    }

    #[test]
    fn a_linear_layer_and_tanh_agree_with_pytorch() {
        golden_op("linear_tanh", &["x"], &["w", "b"], &["y"], |g, x, p| {
            let z = g.linear(x[0], p[0], Some(p[1]));
            vec![g.tanh(z)]
        });
    }
}
