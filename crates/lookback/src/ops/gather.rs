//! Rows chosen anew: how the states of a beam follow the hypotheses that survive, and how finished sentences leave a batch.
//!
//! ```text
//! y[t, i] = x[t, rows[i]]
//! ```
//! Search only: no gradients flow through it.

use crate::backend::Backend;
use crate::tape::{Graph, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// The rows of `x` (T, B, W) named by `rows`, in that order and as often as they are named: a value (T, `rows.len()`, W).
    ///
    /// # Panics
    /// If the graph records, no row is named, or a row does not exist.
    pub fn gather(&mut self, x: Var, rows: &[u32]) -> Var {
        assert!(!self.is_recording(), "no gradients flow through a gather");
        let shape = self.shape(x);
        assert!(!rows.is_empty(), "gather: at least one row");
        assert!(rows.iter().all(|&row| (row as usize) < shape.batch), "gather: rows {rows:?} of {}", shape.batch);
        let mut y = self.alloc(shape.steps * rows.len() * shape.width);
        self.backend.gather_rows(&mut y, self.tensor(x), rows, shape.steps, shape.batch, shape.width);
        self.push(y, Shape { batch: rows.len(), ..shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::params::{Gradients, Params};
    use crate::tape::{Recording, Tape};

    #[test]
    fn rows_are_taken_in_order_at_every_step() {
        let cpu = Cpu::<f32>::detect(1);
        let (params, mut tape) = (Params::init(&cpu, vec![], 0), Tape::new());
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let x = g.input(&[0., 1., 10., 11., 20., 21., 100., 101., 110., 111., 120., 121.], Shape::new(2, 3, 2));
        let y = g.gather(x, &[2, 0, 2, 2]);
        assert_eq!(g.shape(y), Shape::new(2, 4, 2));
        #[rustfmt::skip]
        let want = [20., 21., 0., 1., 20., 21., 20., 21.,  120., 121., 100., 101., 120., 121., 120., 121.];
        assert_eq!(g.download(y), want);
    }

    #[test]
    #[should_panic(expected = "no gradients")]
    fn a_recording_graph_refuses() {
        let cpu = Cpu::<f32>::detect(1);
        let params = Params::init(&cpu, vec![], 0);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        let x = g.zeros(Shape::new(1, 1, 1));
        g.gather(x, &[0]);
    }
}
