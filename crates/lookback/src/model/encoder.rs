//! The encoder: an embedding and n recurrent layers in one or both directions.

use crate::backend::{Backend, CellKind, Direction};
use crate::config::ModelConfig;
use crate::model::Memory;
use crate::model::layout::{Layout, Sizes};
use crate::ops::{Recurrent, State};
use crate::params::{Init, ParamId};
use crate::tape::{Graph, IdsVar, Var};

/// One direction of a recurrent layer, input projection included. Names and shapes are those of PyTorch's `nn.LSTM`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lstm {
    w_ih: ParamId,
    b_ih: ParamId,
    recurrent: Recurrent,
    hidden: usize,
}

impl Lstm {
    pub(super) fn new(
        layout: &mut Layout,
        name: &str,
        layer: usize,
        input: usize,
        hidden: usize,
        direction: Direction,
    ) -> Self {
        let cell = CellKind::Lstm;
        let gates = cell.gates() * hidden;
        let suffix = if direction == Direction::Forward { "" } else { "_reverse" };
        let named = |what: &str| format!("{name}.{what}_l{layer}{suffix}");
        let w_ih = layout.matrix(named("weight_ih"), gates, input, hidden, false);
        let weight = layout.matrix(named("weight_hh"), gates, hidden, hidden, true);
        let b_ih = layout.vector(named("bias_ih"), gates, Init::ForgetGate(hidden));
        let bias = layout.vector(named("bias_hh"), gates, Init::Constant(0.0));
        Self { w_ih, b_ih, recurrent: Recurrent { cell, weight, bias, direction }, hidden }
    }

    /// The projection of the input of all steps.
    pub(super) fn project<B: Backend>(&self, g: &mut Graph<'_, B>, x: Var) -> Var {
        g.linear(x, self.w_ih, Some(self.b_ih))
    }

    /// The layer over projected input; returns the outputs and the last state.
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

#[derive(Debug, Clone)]
pub(super) struct Encoder {
    embedding: ParamId,
    /// Per layer, one or two directions.
    layers: Vec<Vec<Lstm>>,
    dropout: f32,
}

impl Encoder {
    pub(super) fn new(layout: &mut Layout, config: &ModelConfig, sizes: Sizes, vocab: usize) -> Self {
        let embedding = layout.embedding("encoder.embedding", vocab, sizes.embedding);
        let directions =
            if config.bidirectional { &[Direction::Forward, Direction::Backward][..] } else { &[Direction::Forward] };
        let width = sizes.encoder / directions.len();
        let layers = (0..config.encoder_layers)
            .map(|layer| {
                let input = if layer == 0 { sizes.embedding } else { sizes.encoder };
                let lstm = |&direction| Lstm::new(layout, "encoder.rnn", layer, input, width, direction);
                directions.iter().map(lstm).collect()
            })
            .collect();
        Self { embedding, layers, dropout: sizes.dropout }
    }

    pub(super) fn run<B: Backend>(&self, g: &mut Graph<'_, B>, src: &[u32], src_len: &[u32]) -> Memory {
        let batch = src_len.len();
        let steps = src.len() / batch;
        let ids = g.ids(src);
        let lengths = g.ids(src_len);
        let mut x = g.embed(self.embedding, ids, steps, batch);
        let mut last = Vec::with_capacity(self.layers.len());
        for directions in &self.layers {
            x = g.dropout(x, self.dropout);
            let outputs: Vec<(Var, State)> = directions
                .iter()
                .map(|lstm| {
                    let initial = State::zeros(g, batch, lstm.hidden);
                    lstm.run(g, x, initial, Some(lengths))
                })
                .collect();
            let ((y, state), rest) = (outputs[0], &outputs[1..]);
            x = y;
            let mut state = state;
            for &(y, other) in rest {
                x = g.concat(x, y);
                state = State { h: g.concat(state.h, other.h), c: g.concat(state.c, other.c) };
            }
            last.push(state);
        }
        Memory { states: x, last, src_len: lengths }
    }
}
