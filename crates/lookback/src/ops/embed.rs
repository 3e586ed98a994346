//! `y[n] = table[ids[n]]`: token ids become rows of a table.

use crate::backend::Backend;
use crate::ops::Node;
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Shape, Var};

impl<B: Backend> Graph<'_, B> {
    /// The rows of `table` (V, E) named by `ids` (T·B,): a value (T, B, E).
    ///
    /// # Panics
    /// If there are not T·B ids, or one is outside the table.
    pub fn embed(&mut self, table: ParamId, ids: IdsVar, steps: usize, batch: usize) -> Var {
        let (_, width) = self.params.specs()[table.0].matrix();
        let shape = Shape::new(steps, batch, width);
        let mut y = self.alloc(shape.len());
        self.backend.embed(&mut y, self.params.weight(table), self.ids_of(ids));
        let y = self.push(y, shape);
        self.record(Node::Embed { y, table, ids });
        y
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, y: Var, table: ParamId, ids: IdsVar) {
    let Some(dy) = graph.take_output_gradient(y) else { return };
    let width = graph.shape(y).width;
    let (backend, _, tape, gradients) = graph.split();
    backend.embed_backward(gradients.sum(backend, table), tape.ids(ids), &dy, width);
    graph.release(dy);
}

#[cfg(test)]
mod tests {
    use crate::ops::checks::{check_gradients, golden_with_ids, matrix, wave};
    use crate::params::{ParamSpec, Role};

    const IDS: [u32; 6] = [2, 0, 3, 3, 1, 3];

    #[test]
    fn gradients_agree_with_differences_when_ids_repeat() {
        for role in [Role::LookUp, Role::Product] {
            let table = ParamSpec { role, ..matrix("table", 4, 3) };
            check_gradients(&[], vec![(table, wave(12, 0.9))], |g, _, p| {
                let ids = g.ids(&IDS);
                vec![g.embed(p[0], ids, 3, 2)]
            });
        }
    }

    #[test]
    fn it_agrees_with_pytorch() {
        golden_with_ids("embedding", "ids", &[], &["table"], &["y"], |g, _, p, ids| {
            let var = g.ids(ids);
            vec![g.embed(p[0], var, 5, 3)]
        });
    }
}
