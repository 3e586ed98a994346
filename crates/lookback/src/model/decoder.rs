//! The decoder: an embedding, n recurrent layers started from the encoder, attention, and the attentional state.

use crate::backend::{Backend, Direction};
use crate::config::{AttentionKind, ModelConfig};
use crate::model::Memory;
use crate::model::bridge::Bridge;
use crate::model::layout::{Layout, Sizes};
use crate::model::output::Output;
use crate::model::recurrent::RecurrentLayer;
use crate::ops::{Attention, State};
use crate::params::ParamId;
use crate::tape::{Graph, Shape, Var};

/// What the decoder carries from step to step.
#[derive(Debug, Clone)]
pub struct DecoderState {
    /// The state of every layer, (1, R, H) each.
    pub layers: Vec<State>,
    /// The attentional state of the step before, s̃_{t-1} (1, R, H), if it is fed back.
    pub input_feed: Option<Var>,
}

impl DecoderState {
    /// Every value of the state, to be gathered or kept.
    pub fn vars_mut(&mut self) -> Vec<&mut Var> {
        let layers = self.layers.iter_mut().flat_map(|s| std::iter::once(&mut s.h).chain(&mut s.c));
        layers.chain(self.input_feed.as_mut()).collect()
    }
}

/// What the decoder says of T steps.
#[derive(Debug, Clone)]
pub struct Decoding {
    /// s̃ (T, R, H).
    pub attentional: Var,
    /// α (T, R, S); none without attention.
    pub weights: Option<Var>,
    /// The state after the last step.
    pub state: DecoderState,
}

#[derive(Debug, Clone)]
pub(super) struct Decoder {
    embedding: ParamId,
    layers: Vec<RecurrentLayer>,
    /// W_f (G·H, H): what the fed-back state adds to the first layer's gates.
    feed: Option<ParamId>,
    bridge: Bridge,
    attention: AttentionKind,
    attentional: (ParamId, ParamId),
    output: Output,
    hidden: usize,
    dropout: f32,
}

impl Decoder {
    /// A decoder of `vocab` pieces, embedded by `embedding`.
    pub(super) fn new(
        layout: &mut Layout,
        config: &ModelConfig,
        sizes: Sizes,
        vocab: usize,
        embedding: ParamId,
    ) -> Self {
        let Sizes { embedding: width, hidden, encoder, dropout } = sizes;
        let layers: Vec<RecurrentLayer> = (0..config.decoder_layers)
            .map(|layer| {
                let input = if layer == 0 { width } else { hidden };
                RecurrentLayer::new(layout, config.cell, "decoder.rnn", layer, input, hidden, Direction::Forward)
            })
            .collect();
        let feed = config.input_feeding.then(|| {
            let gates = config.cell.gates() * hidden;
            layout.matrix("decoder.feed.weight".into(), gates, hidden, hidden, true)
        });
        let bridge = Bridge::new(layout, config, sizes);
        let context = if config.attention == AttentionKind::None { 0 } else { encoder };
        let attentional = layout.linear("decoder.attentional", hidden, context + hidden, config.input_feeding);
        let output = Output::new(layout, config, sizes, vocab, embedding);
        Self { embedding, layers, feed, bridge, attention: config.attention, attentional, output, hidden, dropout }
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    pub(super) fn start<B: Backend>(&self, g: &mut Graph<'_, B>, memory: &Memory) -> DecoderState {
        let layers = self.bridge.start(g, memory, &self.layers);
        let batch = g.shape(layers[0].h).batch;
        let input_feed = self.feed.map(|_| g.zeros(Shape::new(1, batch, self.hidden)));
        DecoderState { layers, input_feed }
    }

    pub(super) fn run<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        tgt_in: &[u32],
    ) -> Decoding {
        let batch = g.shape(state.layers[0].h).batch;
        let steps = tgt_in.len() / batch;
        let ids = g.ids(tgt_in);
        let embedded = g.embed(self.embedding, ids, steps, batch);
        let embedded = g.dropout(embedded, self.dropout);
        let projected = self.layers[0].project(g, embedded);
        match (self.feed, state.input_feed) {
            (Some(feed), Some(input_feed)) => self.run_fed(g, memory, state, projected, feed, input_feed),
            _ => self.run_steps(g, memory, &state.layers, projected),
        }
    }

    /// Any number of steps at once: nothing is fed back. `projected` is the input of the first layer's gates.
    fn run_steps<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        initial: &[State],
        projected: Var,
    ) -> Decoding {
        let mut layers = Vec::with_capacity(self.layers.len());
        let (mut s, last) = self.layers[0].run_projected(g, projected, initial[0], None);
        layers.push(last);
        for (layer, &initial) in self.layers.iter().zip(initial).skip(1) {
            let input = g.dropout(s, self.dropout);
            let (y, last) = layer.run(g, input, initial, None);
            s = y;
            layers.push(last);
        }
        let (attentional, weights) = self.look_back(g, memory, s);
        Decoding { attentional, weights, state: DecoderState { layers, input_feed: None } }
    }

    /// Step by step: the attentional state of a step is input of the next. What does not depend on it was projected before the loop.
    fn run_fed<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        projected: Var,
        feed: ParamId,
        input_feed: Var,
    ) -> Decoding {
        let steps = g.shape(projected).steps;
        let (mut layers, mut input_feed) = (state.layers.clone(), input_feed);
        let (mut attentional, mut weights) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
        for t in 0..steps {
            let x = g.step(projected, t);
            let fed = g.linear(input_feed, feed, None);
            let gates = g.add(x, fed);
            let step = self.run_steps(g, memory, &layers, gates);
            input_feed = step.attentional;
            attentional.push(step.attentional);
            weights.extend(step.weights);
            layers = step.state.layers;
        }
        let attentional = g.stack(&attentional);
        let weights = (!weights.is_empty()).then(|| g.stack(&weights));
        Decoding { attentional, weights, state: DecoderState { layers, input_feed: Some(input_feed) } }
    }

    /// Attention and attentional state: s̃ = tanh(W_c [a ; s] + b_c), or tanh(W_c s + b_c) without attention.
    fn look_back<B: Backend>(&self, g: &mut Graph<'_, B>, memory: &Memory, s: Var) -> (Var, Option<Var>) {
        let (input, weights) = match self.attention {
            AttentionKind::None => (s, None),
            AttentionKind::Dot => {
                let h = memory.states;
                let attended = g.attend(Attention { query: s, keys: h, values: h, src_len: memory.src_len });
                (g.concat(attended.context, s), Some(attended.weights))
            }
        };
        let z = g.linear(input, self.attentional.0, Some(self.attentional.1));
        let attentional = g.tanh(z);
        (g.dropout(attentional, self.dropout), weights)
    }
}
