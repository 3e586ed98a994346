//! `y = x·Wᵀ + b`: W is (O, I), as PyTorch stores it.
//!
//! ```text
//! dx = dy·W        dW = dyᵀ·x        db = Σ_n dy[n]
//! ```

use crate::backend::Backend;
use crate::ops::Node;
use crate::params::ParamId;
use crate::tape::{Graph, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// A linear layer over the last dimension.
    ///
    /// # Panics
    /// If the width of `x` is not the number of columns of the weight.
    pub fn linear(&mut self, x: Var, weight: ParamId, bias: Option<ParamId>) -> Var {
        let (rows, cols) = self.params.specs()[weight.0].matrix();
        let shape = self.shape(x);
        assert_eq!(shape.width, cols, "linear: `{}` takes {cols} values", self.params.specs()[weight.0].name);
        let shape = Shape { width: rows, ..shape };
        let mut y = self.alloc(shape.len());
        let params = self.params;
        self.backend.linear(&mut y, self.tensor(x), params.weight(weight), bias.map(|b| params.weight(b)));
        let y = self.push(y, shape);
        self.record(Node::Linear { y, x, weight, bias });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var, weight: ParamId, bias: Option<ParamId>) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let (mut dx, store) = graph.take_gradient_to_store(x);
    let (backend, params, tape, gradients) = graph.split();
    let w = params.weight(weight);
    backend.linear_backward_input(&mut dx, store, &dy, w);
    let (dw, store) = gradients.dense(weight);
    backend.linear_backward_weight(dw, store, &dy, tape.tensor(x), w);
    if let Some(bias) = bias {
        backend.column_sums(gradients.dense_sum(backend, bias), &dy);
    }
    graph.put_gradient(x, dx);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, matrix, vector, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        let inputs = [(wave(2 * 3 * 5, 0.3), Shape::new(2, 3, 5))];
        let params = || vec![(matrix("w", 7, 5), wave(35, 0.9)), (vector("b", 7), wave(7, 1.1))];
        check_gradients(&inputs, params(), |g, x, p| vec![g.linear(x[0], p[0], Some(p[1]))]);
        check_gradients(&inputs, params(), |g, x, p| vec![g.linear(x[0], p[0], None)]);
    }

    #[test]
    fn it_agrees_with_pytorch() {
        golden_op("linear", &["x"], &["w", "b"], &["y"], |g, x, p| vec![g.linear(x[0], p[0], Some(p[1]))]);
    }
}
