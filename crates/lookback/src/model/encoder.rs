//! The encoder: an embedding and n recurrent layers in one or both directions.

use crate::backend::{Backend, Direction};
use crate::config::ModelConfig;
use crate::model::Memory;
use crate::model::dropout::Dropout;
use crate::model::layout::{Layout, Sizes};
use crate::model::recurrent::RecurrentLayer;
use crate::ops::State;
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Var};

#[derive(Debug, Clone)]
pub(super) struct Encoder {
    embedding: ParamId,
    /// Per layer, one or two directions.
    layers: Vec<Vec<RecurrentLayer>>,
    dropout: Dropout,
}

impl Encoder {
    /// An encoder of pieces embedded by `embedding`.
    pub(super) fn new(layout: &mut Layout, config: &ModelConfig, sizes: Sizes, embedding: ParamId) -> Self {
        let directions =
            if config.bidirectional { &[Direction::Forward, Direction::Backward][..] } else { &[Direction::Forward] };
        let width = sizes.encoder / directions.len();
        let layers = (0..config.encoder_layers)
            .map(|layer| {
                let input = if layer == 0 { sizes.embedding } else { sizes.encoder };
                let new = |&direction| {
                    RecurrentLayer::new(layout, config.encoder_cell(), "encoder.rnn", layer, input, width, direction)
                };
                directions.iter().map(new).collect()
            })
            .collect();
        Self { embedding, layers, dropout: sizes.dropout }
    }

    pub(super) fn run<B: Backend>(&self, g: &mut Graph<'_, B>, src: &[u32], src_len: &[u32]) -> Memory {
        self.through(g, src, src_len, |layer, g, x, initial, lengths| layer.run(g, x, initial, Some(lengths)))
    }

    /// [`Self::run`], and a probe for each direction of the last layer, which receives the total gradient of its h.
    pub(super) fn run_probed<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        src: &[u32],
        src_len: &[u32],
    ) -> (Memory, Vec<Var>) {
        let mut probes = Vec::new();
        let memory = self.through(g, src, src_len, |layer, g, x, initial, lengths| {
            let (y, state, probe) = layer.run_probed(g, x, initial, lengths);
            probes.push(probe);
            (y, state)
        });
        let directions = self.layers.last().map_or(0, Vec::len);
        (memory, probes.split_off(probes.len() - directions))
    }

    /// The layers one after the other, each run by `run`.
    fn through<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        src: &[u32],
        src_len: &[u32],
        mut run: impl FnMut(&RecurrentLayer, &mut Graph<'_, B>, Var, State, IdsVar) -> (Var, State),
    ) -> Memory {
        let batch = src_len.len();
        let steps = src.len() / batch;
        let ids = g.ids(src);
        let lengths = g.ids(src_len);
        let mut x = g.embed(self.embedding, ids, steps, batch);
        let mut last = g.states();
        for (layer, directions) in self.layers.iter().enumerate() {
            let rate = if layer == 0 { self.dropout.embedding } else { self.dropout.layers };
            x = self.dropout.place(g, rate).drop(g, x);
            let mut outputs = directions.iter().map(|layer| {
                let initial = layer.zeros(g, batch);
                run(layer, g, x, initial, lengths)
            });
            let (y, mut state) = outputs.next().expect("a layer has a direction");
            let other = outputs.next();
            x = y;
            if let Some((y, other)) = other {
                let both = g.concat(x, y);
                [x, y].into_iter().for_each(|side| g.forget(side));
                x = both;
                let c = state.c.zip(other.c).map(|(a, b)| g.concat(a, b));
                state = State { h: g.concat(state.h, other.h), c };
            }
            last.push(state);
        }
        Memory { states: x, keys: None, last, src_len: lengths }
    }
}
