//! `y = a + b`

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, Var};

impl<B: Backend> Graph<'_, B> {
    /// The sum of two values of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn add(&mut self, a: Var, b: Var) -> Var {
        let shape = self.shape(a);
        assert_eq!(shape, self.shape(b), "add: shapes differ");
        let mut y = self.alloc(shape.len());
        self.backend.add(&mut y, self.tensor(a), self.tensor(b));
        let y = self.push(y, shape);
        self.record(Node::Add { y, a, b });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, a: Var, b: Var) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let mut da = graph.take_gradient(a);
    graph.backend.add_assign(&mut da, &dy);
    graph.put_gradient(a, da);
    graph.add_gradient(b, dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences_also_when_both_sides_are_one_value() {
        let shape = Shape::new(1, 3, 5);
        let inputs = [(wave(15, 0.3), shape), (wave(15, 0.7), shape)];
        check_gradients(&inputs, vec![], |g, x, _| vec![g.add(x[0], x[1])]);
        check_gradients(&inputs[..1], vec![], |g, x, _| vec![g.add(x[0], x[0])]);
    }

    #[test]
    fn it_agrees_with_pytorch_also_when_both_sides_are_one_value() {
        golden_op("add", &["a", "b"], &[], &["y", "twice:r2"], |g, x, _| vec![g.add(x[0], x[1]), g.add(x[0], x[0])]);
    }
}
