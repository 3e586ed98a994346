//! The mean of rows that follow each other: what several heads say together.
//!
//! ```text
//! y[t, r] = Σ_{k < n} x[t, r·n + k] / n
//! ```

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// The mean of every `count` rows of `x` (T, R·`count`, W) that follow each other: a value (T, R, W).
    ///
    /// # Panics
    /// If the rows are not a multiple of `count`.
    pub fn mean_rows(&mut self, x: Var, count: usize) -> Var {
        let shape = self.shape(x);
        assert!(count > 0 && shape.batch.is_multiple_of(count), "mean_rows: {} rows by {count}", shape.batch);
        let shape = Shape { batch: shape.batch / count, ..shape };
        let mut y = self.alloc(shape.len());
        self.backend.mean_rows(&mut y, self.tensor(x), count, shape.width);
        let y = self.push(y, shape);
        self.record(Node::MeanRows { y, x });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let (shape, count) = (graph.shape(y), graph.shape(x).batch / graph.shape(y).batch);
    let mut dx = graph.take_gradient(x);
    graph.backend.mean_rows_backward(&mut dx, &dy, count, shape.width);
    graph.put_gradient(x, dx);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        let inputs = [(wave(2 * 6 * 5, 0.3), Shape::new(2, 6, 5))];
        check_gradients(&inputs, vec![], |g, x, _| vec![g.mean_rows(x[0], 3), g.mean_rows(x[0], 1)]);
    }

    #[test]
    fn it_agrees_with_pytorch() {
        golden_op("mean_rows", &["x"], &[], &["y"], |g, x, _| vec![g.mean_rows(x[0], 3)]);
    }
}
