//! One direction of a recurrent layer with its input projection: `x_t = W_ih·input_t + b_ih`, then the cell.
//!
//! Names and shapes are those of PyTorch's `nn.LSTM`, `nn.GRU` and `nn.RNN`.

use crate::backend::{Backend, CellKind, Direction};
use crate::model::layout::Layout;
use crate::ops::{Recurrent, State};
use crate::params::{Init, ParamId};
use crate::tape::{Graph, IdsVar, Shape, Var};

#[derive(Debug, Clone, Copy)]
pub(super) struct RecurrentLayer {
    w_ih: ParamId,
    b_ih: ParamId,
    recurrent: Recurrent,
    hidden: usize,
}

impl RecurrentLayer {
    /// Layer `layer` of `name`, from `input` to `hidden` values.
    pub(super) fn new(
        layout: &mut Layout,
        cell: CellKind,
        name: &str,
        layer: usize,
        input: usize,
        hidden: usize,
        direction: Direction,
    ) -> Self {
        let gates = cell.gates() * hidden;
        let suffix = if direction == Direction::Forward { "" } else { "_reverse" };
        let named = |what: &str| format!("{name}.{what}_l{layer}{suffix}");
        let start = cell.forget_gate().map_or(Init::Constant(0.0), |gate| Init::ForgetGate { hidden, gate });
        let w_ih = layout.matrix(named("weight_ih"), gates, input, hidden, false);
        let weight = layout.matrix(named("weight_hh"), gates, hidden, hidden, true);
        let b_ih = layout.vector(named("bias_ih"), gates, start);
        let bias = layout.vector(named("bias_hh"), gates, Init::Constant(0.0));
        Self { w_ih, b_ih, recurrent: Recurrent { cell, weight, bias, direction }, hidden }
    }

    /// The state of zeros for `batch` rows.
    pub(super) fn zeros<B: Backend>(&self, g: &mut Graph<'_, B>, batch: usize) -> State {
        State::zeros(g, self.recurrent.cell, batch, self.hidden)
    }

    /// The projection of the input of all steps.
    pub(super) fn project<B: Backend>(&self, g: &mut Graph<'_, B>, x: Var) -> Var {
        g.linear(x, self.w_ih, Some(self.b_ih))
    }

    /// The layer over projected input, which is used up; returns the outputs and the last state.
    pub(super) fn run_projected<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        projected: Var,
        initial: State,
        lengths: Option<IdsVar>,
    ) -> (Var, State) {
        let out = g.recurrent(self.recurrent, projected, initial, lengths);
        (out.y, out.last)
    }

    /// [`Self::run`], and the probe that receives the total gradient of every step's h in the backward pass, as its own gradient.
    pub(super) fn run_probed<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        x: Var,
        initial: State,
        lengths: IdsVar,
    ) -> (Var, State, Var) {
        let projected = self.project(g, x);
        let Shape { steps, batch, .. } = g.shape(x);
        let probe = g.zeros(Shape::new(steps, batch, self.hidden));
        let out = g.recurrent_probed(self.recurrent, projected, initial, Some(lengths), Some(probe));
        (out.y, out.last, probe)
    }

    /// The layer over its input.
    pub(super) fn run<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        x: Var,
        initial: State,
        lengths: Option<IdsVar>,
    ) -> (Var, State) {
        let projected = self.project(g, x);
        self.run_projected(g, projected, initial, lengths)
    }
}
