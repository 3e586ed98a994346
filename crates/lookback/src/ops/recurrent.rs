//! A recurrent layer, one direction, over all steps of a sequence; with a sequence of length 1 it is the single step of decoding.
//!
//! ```text
//! u_t = W_hh·h_{t-1} + b_hh        (h_t, c_t) = cell(x_t, u_t, h_{t-1}, c_{t-1})
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
    /// c (1, B, H), if the cell has it.
    pub c: Option<Var>,
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
    pub(super) fn output(&self) -> RecurrentOutput {
        self.output
    }

    pub(super) fn release(self, put: &mut dyn FnMut(B::Tensor)) {
        let RecurrentTrace { gates, saved, h_prev, c_prev } = self.trace;
        [gates, saved, h_prev].into_iter().chain(c_prev).for_each(put);
    }
}

impl<B: Backend> Graph<'_, B> {
    /// Runs a layer over `x` (T, B, G·H), the projected input, from the state `initial`. The numbers of `x` are used up: activations take their place. `lengths` (B,) are the real lengths, if there is padding.
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
        assert_eq!(initial.c.is_some(), layer.cell.has_c(), "recurrent: c is part of the state of some cells only");
        assert!(initial.c.is_none_or(|c| self.shape(c) == state), "recurrent: c has the shape of h");
        let spec = RecurrentSpec { cell: layer.cell, steps, batch, hidden, direction: layer.direction };
        let rows = steps * batch;
        let out = Shape::new(steps, batch, hidden);
        assert!(total.is_none_or(|t| self.shape(t) == out), "recurrent: total gradients are (T, B, H)");
        let mut trace = RecurrentTrace {
            gates: self.take_value(x),
            saved: self.alloc(rows * layer.cell.saved() * hidden),
            h_prev: self.alloc(rows * hidden),
            c_prev: initial.c.map(|_| self.alloc(rows * hidden)),
        };
        let mut y = self.alloc(rows * hidden);
        let (mut h, mut c) = (self.copied(initial.h), initial.c.map(|c| self.copied(c)));
        self.backend.recurrent(
            spec,
            &mut y,
            &mut h,
            c.as_mut(),
            &mut trace,
            self.params.weight(layer.weight),
            self.params.weight(layer.bias),
            lengths.map(|l| self.ids_of(l)),
        );
        let last = State { h: self.push(h, state), c: c.map(|c| self.push(c, state)) };
        let output = RecurrentOutput { y: self.push(y, out), last };
        self.record(Node::Recurrent(RecurrentNode { spec, layer, x, initial, output, lengths, trace, total }));
        output
    }

    /// A buffer with the numbers of `x`.
    fn copied(&mut self, x: Var) -> B::Tensor {
        let len = self.shape(x).len();
        let mut copy = self.alloc(len);
        self.backend.copy(&mut copy, 0, self.tensor(x), 0, len);
        copy
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, mut node: RecurrentNode<B>) {
    let RecurrentNode { spec, layer, x, initial, output, lengths, total, .. } = node;
    let reached = [output.y, output.last.h].into_iter().chain(output.last.c).any(|v| graph.has_gradient(v));
    if !reached {
        node.release(&mut |tensor| graph.release(tensor));
        return;
    }
    let dy = graph.take_output_gradient(output.y);
    let mut dh = graph.take_gradient(output.last.h);
    let mut dc = output.last.c.map(|c| graph.take_gradient(c));
    let mut dx = spec.cell.has_separate_input_gradient().then(|| graph.alloc(graph.shape(x).len()));
    let mut dtotal = total.map(|total| graph.take_gradient(total));
    let (backend, params, tape, gradients) = graph.split();
    let (dweight, store, dbias) = gradients.layer(backend, layer.weight, layer.bias);
    backend.recurrent_backward(
        spec,
        dx.as_mut(),
        &mut dh,
        dc.as_mut(),
        dweight,
        store,
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
    if let Some(dx) = &mut dx {
        std::mem::swap(dx, &mut node.trace.gates);
    }
    let RecurrentTrace { gates: own, saved, h_prev, c_prev } = node.trace;
    graph.add_gradient(x, own);
    graph.add_gradient(initial.h, dh);
    if let (Some(c), Some(dc)) = (initial.c, dc) {
        graph.add_gradient(c, dc);
    }
    [saved, h_prev].into_iter().chain(c_prev).chain(dx).chain(dy).for_each(|tensor| graph.release(tensor));
}

impl State {
    /// A cell's state of zeros for `batch` rows of `hidden`.
    pub fn zeros<B: Backend>(graph: &mut Graph<'_, B>, cell: CellKind, batch: usize, hidden: usize) -> Self {
        let shape = Shape::new(1, batch, hidden);
        Self { h: graph.zeros(shape), c: cell.has_c().then(|| graph.zeros(shape)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::checks::{check_gradients, golden_op, golden_with_ids, matrix, vector, wave};

    const CELLS: [CellKind; 3] = [CellKind::Lstm, CellKind::Gru, CellKind::Rnn];
    const PARAMS: [&str; 4] = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];

    /// The state in inputs x, h and perhaps c.
    fn state(cell: CellKind, inputs: &[Var]) -> State {
        State { h: inputs[1], c: cell.has_c().then(|| inputs[2]) }
    }

    fn values(output: RecurrentOutput) -> Vec<Var> {
        [output.y, output.last.h].into_iter().chain(output.last.c).collect()
    }

    /// Names for a cell with or without c.
    fn names<'a>(cell: CellKind, all: &[&'a str]) -> Vec<&'a str> {
        all.iter().copied().filter(|name| cell.has_c() || !name.starts_with('c')).collect()
    }

    #[test]
    fn gradients_agree_with_differences_in_both_directions_with_and_without_lengths() {
        for cell in CELLS {
            let (gates, shape) = (cell.gates() * 3, Shape::new(1, 2, 3));
            let mut inputs = vec![(wave(4 * 2 * gates, 0.3), Shape::new(4, 2, gates)), (wave(6, 0.7), shape)];
            inputs.extend(cell.has_c().then(|| (wave(6, 1.1), shape)));
            let params = || vec![(matrix("w", gates, 3), wave(gates * 3, 0.9)), (vector("b", gates), wave(gates, 1.3))];
            for direction in [Direction::Forward, Direction::Backward] {
                for lengths in [None, Some([4, 2])] {
                    check_gradients(&inputs, params(), |g, x, p| {
                        let lengths = lengths.map(|l| g.ids(&l));
                        let layer = Recurrent { cell, weight: p[0], bias: p[1], direction };
                        values(g.recurrent(layer, x[0], state(cell, x), lengths))
                    });
                }
            }
        }
    }

    #[test]
    fn whole_layers_agree_with_pytorch_in_both_directions() {
        for cell in CELLS {
            for (way, direction) in [("forward", Direction::Forward), ("reverse", Direction::Backward)] {
                let name = format!("{}_{way}", cell.name());
                let mut outputs = vec!["y:r_y"];
                outputs.extend(names(cell, &["h_n:r_h_n", "c_n:r_c_n"]));
                let mut inputs = vec!["x"];
                inputs.extend(names(cell, &["h0", "c0"]));
                golden_with_ids(&name, "lengths", &inputs, &PARAMS, &outputs, |g, x, p, lengths| {
                    let lengths = g.ids(lengths);
                    let projected = g.linear(x[0], p[0], Some(p[2]));
                    let layer = Recurrent { cell, weight: p[1], bias: p[3], direction };
                    values(g.recurrent(layer, projected, state(cell, x), Some(lengths)))
                });
            }
        }
    }

    #[test]
    fn one_step_agrees_with_pytorch() {
        for cell in CELLS {
            let mut inputs = vec!["x"];
            inputs.extend(names(cell, &["h0", "c0"]));
            let outputs = names(cell, &["h_n:r_h_n", "c_n:r_c_n"]);
            golden_op(&format!("{}_step", cell.name()), &inputs, &PARAMS, &outputs, |g, x, p| {
                let projected = g.linear(x[0], p[0], Some(p[2]));
                let layer = Recurrent { cell, weight: p[1], bias: p[3], direction: Direction::Forward };
                let last = g.recurrent(layer, projected, state(cell, x), None).last;
                [last.h].into_iter().chain(last.c).collect()
            });
        }
    }

    #[test]
    fn the_probe_of_a_step_receives_what_later_steps_and_the_final_state_send_back() {
        for cell in CELLS {
            let gates = cell.gates() * 3;
            let params = vec![(matrix("w", gates, 3), wave(gates * 3, 0.9)), (vector("b", gates), wave(gates, 1.3))];
            let shape = Shape::new(1, 2, 3);
            let mut inputs = vec![(wave(2 * gates, 0.3), Shape::new(1, 2, gates)), (wave(6, 0.7), shape)];
            inputs.extend(cell.has_c().then(|| (wave(6, 1.1), shape)));
            inputs.push((wave(6, 0.5), shape));
            // With one step the total gradient is that of its output and of the final h together: as if the probe were added to both.
            let run = |probed: bool| {
                crate::ops::checks::gradients(&inputs, &params, |g, x, p| {
                    let layer = Recurrent { cell, weight: p[0], bias: p[1], direction: Direction::Forward };
                    let probe = x[x.len() - 1];
                    let out = g.recurrent_probed(layer, x[0], state(cell, x), None, probed.then_some(probe));
                    if probed { vec![out.y, out.last.h] } else { vec![g.add(out.y, probe), g.add(out.last.h, probe)] }
                })
            };
            let at = inputs.len() - 1;
            assert_eq!(run(true)[at], run(false)[at], "{cell:?}");
        }
    }
}
