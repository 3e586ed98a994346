//! The decoder: an embedding, n recurrent layers started from the encoder, attention, and the attentional state.
//!
//! ```text
//! Luong       s_t = cell(y_{t-1}, s_{t-1})           a_t = look(s_t)       s̃_t = tanh(W_c [a_t; s_t] + b_c)
//! fed         s_t = cell([y_{t-1}; s̃_{t-1}], …)                                                                 Luong et al. 2015, §3.3
//! Bahdanau    a_t = look(s_{t-1})      s_t = cell([y_{t-1}; a_t], s_{t-1})      s̃_t = tanh(W_c [a_t; s_t; y_{t-1}] + b_c)
//! ```
//! What joins y in the first layer meets a matrix of its own, so that the embeddings of all steps are projected as one product.

use crate::backend::{Backend, Direction};
use crate::config::{AttentionKind, DecoderOrder, ModelConfig};
use crate::model::Memory;
use crate::model::attention::{AttentionLayer, HeadWeights, Looked};
use crate::model::bridge::Bridge;
use crate::model::dropout::{Dropout, Place};
use crate::model::layout::{Layout, Sizes};
use crate::model::output::Output;
use crate::model::recurrent::RecurrentLayer;
use crate::ops::State;
use crate::params::ParamId;
use crate::tape::{Graph, Shape, Var};

mod bahdanau;

/// What the decoder carries from step to step.
#[derive(Debug, Clone)]
pub struct DecoderState {
    /// The state of every layer, (1, R, H) each.
    pub layers: Vec<State>,
    /// The attentional state of the step before, s̃_{t-1} (1, R, H), if it is fed back.
    pub input_feed: Option<Var>,
    /// t, the steps behind it: where `local_m` looks.
    pub position: usize,
}

impl DecoderState {
    /// Every value of the state, to be gathered or kept.
    pub fn vars_mut(&mut self) -> Vec<&mut Var> {
        let layers = self.layers.iter_mut().flat_map(|s| std::iter::once(&mut s.h).chain(&mut s.c));
        layers.chain(self.input_feed.as_mut()).collect()
    }
}

/// What a step makes of the context it looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is used.
    Used,
    /// Zeros stand for it: what would be said without having looked.
    Zeroed,
}

impl Sight {
    fn of<B: Backend>(self, g: &mut Graph<'_, B>, context: Var) -> Var {
        match self {
            Self::Used => context,
            Self::Zeroed => g.zeros(g.shape(context)),
        }
    }
}

/// What the decoder says of T steps.
#[derive(Debug, Clone)]
pub struct Decoding {
    /// s̃ (T, R, H).
    pub attentional: Var,
    /// α; none without attention.
    pub weights: Option<HeadWeights>,
    /// The state after the last step.
    pub state: DecoderState,
    /// s of the last layer, and what was looked up: (T, R, ·) where all steps run at once, else (1, R, ·) of the last one.
    pub seen: (Var, Option<Looked>),
}

#[derive(Debug, Clone)]
pub(super) struct Decoder {
    embedding: ParamId,
    layers: Vec<RecurrentLayer>,
    joins: Joins,
    bridge: Bridge,
    attention: Option<AttentionLayer>,
    attentional: (ParamId, ParamId),
    output: Output,
    hidden: usize,
    dropout: Dropout,
}

/// What input feeding reads.
struct Fed {
    /// y projected to the first layer's gates (T, R, G·H).
    projected: Var,
    /// W_f (G·H, H).
    feed: ParamId,
    /// s̃ before the first step (1, R, H).
    first: Var,
}

/// Where values are dropped in one pass of the decoder, embeddings aside.
struct Places {
    /// Before each layer but the first.
    layers: Vec<Place>,
    state: Place,
}

/// What joins the embedding in the gates of the first layer.
#[derive(Debug, Clone, Copy)]
enum Joins {
    /// Nothing: all steps run at once.
    Nothing,
    /// The attentional state of the step before, through W_f (G·H, H).
    Feed(ParamId),
    /// The context that the state of the step before has looked up, through W_a (G·H, D).
    Context(ParamId),
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
        let gates = config.cell.gates() * hidden;
        let mut joined =
            |name: &str, width| layout.matrix(format!("decoder.{name}.weight"), gates, width, hidden, true);
        let joins = match config.decoder {
            DecoderOrder::Luong if config.input_feeding => Joins::Feed(joined("feed", hidden)),
            DecoderOrder::Luong => Joins::Nothing,
            DecoderOrder::Bahdanau => Joins::Context(joined("context", encoder)),
        };
        let bridge = Bridge::new(layout, config, sizes);
        let attention = AttentionLayer::new(layout, config, sizes, !matches!(joins, Joins::Nothing));
        let context = if config.attention == AttentionKind::None { 0 } else { encoder };
        let before = if config.decoder == DecoderOrder::Bahdanau { width } else { 0 };
        let attentional = layout.linear("decoder.attentional", hidden, context + hidden + before, config.input_feeding);
        let output = Output::new(layout, config, sizes, vocab, embedding);
        Self { embedding, layers, joins, bridge, attention, attentional, output, hidden, dropout }
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    pub(super) fn attention(&self) -> Option<&AttentionLayer> {
        self.attention.as_ref()
    }

    pub(super) fn start<B: Backend>(&self, g: &mut Graph<'_, B>, memory: &Memory) -> DecoderState {
        let layers = self.bridge.start(g, memory, &self.layers);
        let batch = g.shape(layers[0].h).batch;
        let is_fed = matches!(self.joins, Joins::Feed(_));
        let input_feed = is_fed.then(|| g.zeros(Shape::new(1, batch, self.hidden)));
        DecoderState { layers, input_feed, position: 0 }
    }

    pub(super) fn run<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        tgt_in: &[u32],
        sight: Sight,
    ) -> Decoding {
        let batch = g.shape(state.layers[0].h).batch;
        let steps = tgt_in.len() / batch;
        let ids = g.ids(tgt_in);
        let embedded = g.embed(self.embedding, ids, steps, batch);
        let embedded = self.dropout.place(g, self.dropout.embedding).drop(g, embedded);
        let layers = self.layers.iter().skip(1).map(|_| self.dropout.place(g, self.dropout.layers)).collect();
        let places = Places { layers, state: self.dropout.place(g, self.dropout.state) };
        let projected = self.layers[0].project(g, embedded);
        match (self.joins, state.input_feed, &self.attention) {
            (Joins::Feed(feed), Some(input_feed), _) => {
                let fed = Fed { projected, feed, first: input_feed };
                self.run_fed(g, memory, state, &fed, &places, sight)
            }
            (Joins::Context(weight), _, Some(attention)) => {
                let before = bahdanau::Before { attention, weight, embedded, projected, places: &places };
                self.run_before(g, memory, state, &before, sight)
            }
            _ => self.run_steps(g, memory, state, projected, &places, sight),
        }
    }

    /// Any number of steps at once: nothing is fed back. `projected` is the input of the first layer's gates.
    fn run_steps<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        projected: Var,
        places: &Places,
        sight: Sight,
    ) -> Decoding {
        let (s, layers) = self.run_layers(g, projected, &state.layers, places);
        let looked = self.attention.map(|attention| attention.look(g, s, memory, state.position));
        let joined = looked.map_or(s, |looked| {
            let context = sight.of(g, looked.attended.context);
            g.concat(context, s)
        });
        let attentional = self.attentional(g, joined, places);
        let position = state.position + g.shape(projected).steps;
        let state = DecoderState { layers, input_feed: None, position };
        let weights = looked.as_ref().map(Looked::weights);
        Decoding { attentional, weights, state, seen: (s, looked) }
    }

    /// The recurrent layers over any number of steps: outputs of the last (T, R, H), and the last states of all.
    fn run_layers<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        projected: Var,
        initial: &[State],
        places: &Places,
    ) -> (Var, Vec<State>) {
        let mut layers = Vec::with_capacity(self.layers.len());
        let (mut s, last) = self.layers[0].run_projected(g, projected, initial[0], None);
        layers.push(last);
        for ((layer, &initial), place) in self.layers.iter().zip(initial).skip(1).zip(&places.layers) {
            let input = place.drop(g, s);
            let (y, last) = layer.run(g, input, initial, None);
            s = y;
            layers.push(last);
        }
        (s, layers)
    }

    /// Step by step: the attentional state of a step is input of the next. What does not depend on it was projected before the loop.
    fn run_fed<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        fed: &Fed,
        places: &Places,
        sight: Sight,
    ) -> Decoding {
        let steps = g.shape(fed.projected).steps;
        let (mut state, mut input_feed, mut seen) = (state.clone(), fed.first, None);
        let (mut attentional, mut weights) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
        for t in 0..steps {
            let x = g.step(fed.projected, t);
            let back = g.linear(input_feed, fed.feed, None);
            let gates = g.add(x, back);
            let step = self.run_steps(g, memory, &state, gates, places, sight);
            input_feed = step.attentional;
            attentional.push(step.attentional);
            weights.extend(step.weights);
            state = step.state;
            seen = Some(step.seen);
        }
        let attentional = g.stack(&attentional);
        let weights = HeadWeights::stack(g, &weights);
        let state = DecoderState { input_feed: Some(input_feed), ..state };
        Decoding { attentional, weights, state, seen: seen.unwrap_or((input_feed, None)) }
    }

    /// s̃ = tanh(W_c x + b_c), with dropout.
    fn attentional<B: Backend>(&self, g: &mut Graph<'_, B>, joined: Var, places: &Places) -> Var {
        let z = g.linear(joined, self.attentional.0, Some(self.attentional.1));
        let attentional = g.tanh(z);
        g.forget(z);
        places.state.drop(g, attentional)
    }
}
