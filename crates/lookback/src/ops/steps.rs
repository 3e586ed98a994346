//! One step of a sequence, and a sequence of steps.
//!
//! ```text
//! step:   y = x[t]              stack:   y[t] = parts[t]
//! ```

use crate::backend::Backend;
use crate::ops::Node;
use crate::tape::{Graph, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// Step `step` of `x` (T, B, W): a value (1, B, W).
    ///
    /// # Panics
    /// If there is no such step.
    pub fn step(&mut self, x: Var, step: usize) -> Var {
        let shape = self.shape(x);
        assert!(step < shape.steps, "step {step} of {}", shape.steps);
        let shape = Shape { steps: 1, ..shape };
        let mut y = self.alloc(shape.len());
        self.backend.copy(&mut y, 0, self.tensor(x), step * shape.len(), shape.len());
        let y = self.push(y, shape);
        self.record(Node::Step { y, x, step });
        y
    }

    /// A sequence (T, B, W) of T values (1, B, W). The list of them is kept for the next step.
    ///
    /// # Panics
    /// If there is no step, or shapes differ.
    pub fn stack(&mut self, parts: Vec<Var>) -> Var {
        let stacked = self.stacked(&parts);
        self.keep_list(parts);
        stacked
    }

    fn stacked(&mut self, parts: &[Var]) -> Var {
        let part = self.shape(*parts.first().expect("a sequence has a first step"));
        if let [only] = parts {
            return *only;
        }
        let shape = Shape { steps: parts.len(), ..part };
        let mut y = self.alloc(shape.len());
        for (t, &var) in parts.iter().enumerate() {
            assert_eq!(self.shape(var), part, "stack: shapes differ");
            self.backend.copy(&mut y, t * part.len(), self.tensor(var), 0, part.len());
        }
        let y = self.push(y, shape);
        for (step, &part) in parts.iter().enumerate() {
            self.record(Node::Stack { y, part, step });
        }
        y
    }
}

pub(super) fn step_backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, x: Var, step: usize) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let len = graph.shape(y).len();
    let mut dx = graph.take_gradient(x);
    graph.backend.copy_add(&mut dx, step * len, &dy, 0, len);
    graph.put_gradient(x, dx);
    graph.release(dy);
}

/// The records of a stack share its gradient; the one of step 0 is met last and releases it.
pub(super) fn stack_backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, part: Var, step: usize) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let len = graph.shape(part).len();
    let mut dpart = graph.take_gradient(part);
    graph.backend.copy_add(&mut dpart, 0, &dy, step * len, len);
    graph.put_gradient(part, dpart);
    if step == 0 { graph.release(dy) } else { graph.put_gradient(y, dy) }
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_op, wave};
    use crate::tape::Shape;

    #[test]
    fn gradients_agree_with_differences() {
        let inputs = [(wave(3 * 2 * 5, 0.3), Shape::new(3, 2, 5))];
        check_gradients(&inputs, vec![], |g, x, _| {
            let parts: Vec<_> = [2, 0, 0].iter().map(|&t| g.step(x[0], t)).collect();
            vec![g.stack(parts.clone()), parts[0]]
        });
    }

    #[test]
    fn they_agree_with_pytorch() {
        golden_op("steps", &["x"], &[], &["stacked", "step:r2"], |g, x, _| {
            let parts: Vec<_> = [3, 0, 3].iter().map(|&t| g.step(x[0], t)).collect();
            vec![g.stack(parts), g.step(x[0], 1)]
        });
    }
}
