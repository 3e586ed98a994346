//! A recurrent layer, one direction, over all steps of a sequence; with a sequence of length 1 it is the single step of decoding.
//!
//! ```text
//! z_t = x_t + b_hh + W_hh·h_{t-1}        (h_t, c_t) = cell(z_t, c_{t-1})
//! ```
//! `x_t` is the input's projection `W_ih·input_t + b_ih`, computed for all steps as one [`Graph::linear`]. Beyond a sentence's length the state is carried
//! over and the output is 0, in both directions.

use crate::backend::{Backend, CellKind, Direction, RecurrentSpec, RecurrentTrace};
use crate::ops::Node;
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Shape, Var};

/// The parameters of a recurrent layer's direction, without its input projection.
#[derive(Debug, Clone, Copy)]
pub struct Recurrent {
    /// The cell.
    pub cell: CellKind,
    /// W_hh (G·H, H).
    pub weight: ParamId,
    /// b_hh (G·H,).
    pub bias: ParamId,
    /// Which way it reads.
    pub direction: Direction,
}

/// The state of a recurrent layer between steps.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// h (1, B, H).
    pub h: Var,
    /// c (1, B, H).
    pub c: Var,
}

/// What a recurrent layer gives.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentOutput {
    /// The output of every step (T, B, H), 0 in padding.
    pub y: Var,
    /// The state after the last real step.
    pub last: State,
}

#[derive(Debug)]
pub(crate) struct RecurrentNode<B: Backend> {
    spec: RecurrentSpec,
    layer: Recurrent,
    x: Var,
    initial: State,
    output: RecurrentOutput,
    lengths: Option<IdsVar>,
    trace: RecurrentTrace<B::Tensor>,
    total: Option<Var>,
}

impl<B: Backend> RecurrentNode<B> {
    pub(super) fn release(self, put: &mut dyn FnMut(B::Tensor)) {
        let RecurrentTrace { gates, saved, h_prev, c_prev } = self.trace;
        [gates, saved, h_prev, c_prev].into_iter().for_each(put);
    }
}

impl<B: Backend> Graph<'_, B> {
    /// Runs a layer over `x` (T, B, G·H), the projected input, from the state `initial`. `lengths` (B,) are the real lengths, if there is padding.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn recurrent(&mut self, layer: Recurrent, x: Var, initial: State, lengths: Option<IdsVar>) -> RecurrentOutput {
        self.recurrent_probed(layer, x, initial, lengths, None)
    }

    /// [`Graph::recurrent`], where `total` (T, B, H), if given, receives in the backward pass, as its gradient, the whole ∂L/∂h_t that reached each step.
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn recurrent_probed(
        &mut self,
        layer: Recurrent,
        x: Var,
        initial: State,
        lengths: Option<IdsVar>,
        total: Option<Var>,
    ) -> RecurrentOutput {
        let (shape, state) = (self.shape(x), self.shape(initial.h));
        let (steps, batch, hidden) = (shape.steps, shape.batch, state.width);
        assert_eq!(shape.width, layer.cell.gates() * hidden, "recurrent: gates of the projected input");
        assert_eq!((state.steps, state.batch), (1, batch), "recurrent: one initial state per row");
        let spec = RecurrentSpec { cell: layer.cell, steps, batch, hidden, direction: layer.direction };
        let rows = steps * batch;
        let out = Shape::new(steps, batch, hidden);
        assert!(total.is_none_or(|t| self.shape(t) == out), "recurrent: total gradients are (T, B, H)");
        let mut trace = RecurrentTrace {
            gates: self.alloc(rows * layer.cell.gates() * hidden),
            saved: self.alloc(rows * layer.cell.saved() * hidden),
            h_prev: self.alloc(rows * hidden),
            c_prev: self.alloc(rows * hidden),
        };
        let (mut y, mut h, mut c) = (self.alloc(rows * hidden), self.alloc(batch * hidden), self.alloc(batch * hidden));
        self.backend.copy(&mut h, 0, self.tensor(initial.h), 0, batch * hidden);
        self.backend.copy(&mut c, 0, self.tensor(initial.c), 0, batch * hidden);
        self.backend.recurrent(
            spec,
            &mut y,
            &mut h,
            &mut c,
            &mut trace,
            self.tensor(x),
            self.params.weight(layer.weight),
            self.params.weight(layer.bias),
            lengths.map(|l| self.ids_of(l)),
        );
        let output =
            RecurrentOutput { y: self.push(y, out), last: State { h: self.push(h, state), c: self.push(c, state) } };
        self.record(Node::Recurrent(RecurrentNode { spec, layer, x, initial, output, lengths, trace, total }));
        output
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, mut node: RecurrentNode<B>) {
    let RecurrentNode { spec, layer, x, initial, output, lengths, total, .. } = node;
    let reached = [output.y, output.last.h, output.last.c].into_iter().any(|v| graph.has_gradient(v));
    if !reached {
        node.release(&mut |tensor| graph.release(tensor));
        return;
    }
    let dy = graph.take_output_gradient(output.y);
    let (mut dh, mut dc) = (graph.take_gradient(output.last.h), graph.take_gradient(output.last.c));
    let mut dx = graph.alloc(graph.shape(x).len());
    let mut dtotal = total.map(|total| graph.take_gradient(total));
    let (backend, params, tape, gradients) = graph.split();
    let (dweight, dbias) = gradients.pair_mut(layer.weight, layer.bias);
    backend.recurrent_backward(
        spec,
        &mut dx,
        &mut dh,
        &mut dc,
        dweight,
        dbias,
        dy.as_ref(),
        &mut node.trace,
        params.weight(layer.weight),
        lengths.map(|l| tape.ids(l)),
        dtotal.as_mut(),
    );
    if let (Some(total), Some(dtotal)) = (total, dtotal) {
        graph.put_gradient(total, dtotal);
    }
    graph.add_gradient(x, dx);
    graph.add_gradient(initial.h, dh);
    graph.add_gradient(initial.c, dc);
    dy.into_iter().for_each(|dy| graph.release(dy));
    node.release(&mut |tensor| graph.release(tensor));
}

impl State {
    /// A state of zeros for `batch` rows of `hidden`.
    pub fn zeros<B: Backend>(graph: &mut Graph<'_, B>, batch: usize, hidden: usize) -> Self {
        let shape = Shape::new(1, batch, hidden);
        Self { h: graph.zeros(shape), c: graph.zeros(shape) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::checks::{check_gradients, golden_with_ids, matrix, vector, wave};

    fn layer(weight: ParamId, bias: ParamId, direction: Direction) -> Recurrent {
        Recurrent { cell: CellKind::Lstm, weight, bias, direction }
    }

    #[test]
    fn gradients_agree_with_differences_in_both_directions_with_and_without_lengths() {
        let state = Shape::new(1, 2, 3);
        let inputs = [(wave(4 * 2 * 12, 0.3), Shape::new(4, 2, 12)), (wave(6, 0.7), state), (wave(6, 1.1), state)];
        let params = || vec![(matrix("w", 12, 3), wave(36, 0.9)), (vector("b", 12), wave(12, 1.3))];
        for direction in [Direction::Forward, Direction::Backward] {
            for lengths in [None, Some([4, 2])] {
                check_gradients(&inputs, params(), |g, x, p| {
                    let lengths = lengths.map(|l| g.ids(&l));
                    let initial = State { h: x[1], c: x[2] };
                    let out = g.recurrent(layer(p[0], p[1], direction), x[0], initial, lengths);
                    vec![out.y, out.last.h, out.last.c]
                });
            }
        }
    }

    #[test]
    fn whole_layers_agree_with_pytorch_in_both_directions() {
        let params = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
        let outputs = ["y:r_y", "h_n:r_h_n", "c_n:r_c_n"];
        for (name, direction) in [("lstm_forward", Direction::Forward), ("lstm_reverse", Direction::Backward)] {
            golden_with_ids(name, "lengths", &["x", "h0", "c0"], &params, &outputs, |g, x, p, lengths| {
                let lengths = g.ids(lengths);
                let projected = g.linear(x[0], p[0], Some(p[2]));
                let initial = State { h: x[1], c: x[2] };
                let out = g.recurrent(layer(p[1], p[3], direction), projected, initial, Some(lengths));
                vec![out.y, out.last.h, out.last.c]
            });
        }
    }

    #[test]
    fn one_step_agrees_with_pytorch() {
        let params = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
        let outputs = ["h_n:r_h_n", "c_n:r_c_n"];
        crate::ops::checks::golden_op("lstm_step", &["x", "h0", "c0"], &params, &outputs, |g, x, p| {
            let projected = g.linear(x[0], p[0], Some(p[2]));
            let initial = State { h: x[1], c: x[2] };
            let out = g.recurrent(layer(p[1], p[3], Direction::Forward), projected, initial, None);
            vec![out.last.h, out.last.c]
        });
    }
}
