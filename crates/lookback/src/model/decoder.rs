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
use crate::model::dropout::{self, Dropout, Place};
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
    pub fn vars_mut(&mut self) -> impl Iterator<Item = &mut Var> {
        let layers = self.layers.iter_mut().flat_map(|s| std::iter::once(&mut s.h).chain(&mut s.c));
        layers.chain(self.input_feed.as_mut())
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
    layers: dropout::Places,
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
        g.forget_ids(ids);
        let embedded = self.dropout.place(g, self.dropout.embedding).drop(g, embedded);
        let layers = self.dropout.places(g, self.dropout.layers, self.layers.len() - 1);
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
        let steps = g.shape(projected).steps;
        let mut layers = g.states();
        layers.extend_from_slice(&state.layers);
        let (attentional, seen) = self.look_after(g, memory, &mut layers, state.position, projected, places, sight);
        let state = DecoderState { layers, input_feed: None, position: state.position + steps };
        Decoding { attentional, weights: seen.1.as_ref().map(Looked::weights), state, seen }
    }

    /// Luong's order over any number of steps, the first being step `position`: s̃ (T, R, H), s and what was looked up. `layers` pass from their first to their last states.
    fn look_after<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        layers: &mut [State],
        position: usize,
        projected: Var,
        places: &Places,
        sight: Sight,
    ) -> (Var, (Var, Option<Looked>)) {
        let s = self.run_layers(g, projected, layers, places);
        let looked = self.attention.map(|attention| attention.look(g, s, memory, position));
        let joined = looked.map_or(s, |looked| {
            let context = sight.of(g, looked.attended.context);
            let joined = g.concat(context, s);
            // Only an explanation looks at it again.
            if g.is_recording() {
                g.forget(context);
            }
            joined
        });
        (self.attentional(g, joined, places), (s, looked))
    }

    /// The recurrent layers over any number of steps: outputs of the last (T, R, H). `states` pass from their first to their last.
    fn run_layers<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        projected: Var,
        states: &mut [State],
        places: &Places,
    ) -> Var {
        let mut s;
        (s, states[0]) = self.layers[0].run_projected(g, projected, states[0], None);
        for ((layer, state), i) in self.layers.iter().zip(states).skip(1).zip(0..) {
            let input = places.layers.get(i).drop(g, s);
            (s, *state) = layer.run(g, input, *state, None);
        }
        s
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
        let (mut layers, mut input_feed, mut seen) = (g.states(), fed.first, (fed.first, None));
        layers.extend_from_slice(&state.layers);
        let (mut attentional, mut weights) = (g.list(), g.list());
        for t in 0..steps {
            let back = g.linear(input_feed, fed.feed, None);
            let gates = joined_gates(g, fed.projected, t, back);
            (input_feed, seen) = self.look_after(g, memory, &mut layers, state.position + t, gates, places, sight);
            attentional.push(input_feed);
            weights.extend(seen.1.map(|looked| looked.attended.weights));
        }
        g.forget(fed.projected);
        let attentional = g.stack(attentional);
        let weights = stacked_weights(g, weights, seen.1);
        let state = DecoderState { layers, input_feed: Some(input_feed), position: state.position + steps };
        Decoding { attentional, weights, state, seen }
    }

    /// s̃ = tanh(W_c x + b_c), with dropout.
    fn attentional<B: Backend>(&self, g: &mut Graph<'_, B>, joined: Var, places: &Places) -> Var {
        let z = g.linear(joined, self.attentional.0, Some(self.attentional.1));
        let attentional = g.tanh(z);
        g.forget(z);
        places.state.drop(g, attentional)
    }
}

/// The gates' input of step `t` of `projected`, with what `joins` it.
fn joined_gates<B: Backend>(g: &mut Graph<'_, B>, projected: Var, t: usize, joins: Var) -> Var {
    let x = g.step(projected, t);
    let gates = g.add(x, joins);
    [x, joins].into_iter().for_each(|part| g.forget(part));
    gates
}

/// The weights of all steps from those of each; none of none. `last` is what the last one looked up.
fn stacked_weights<B: Backend>(g: &mut Graph<'_, B>, each: Vec<Var>, last: Option<Looked>) -> Option<HeadWeights> {
    if let Some(looked) = last {
        return Some(HeadWeights { each: g.stack(each), heads: looked.heads });
    }
    g.keep_list(each);
    None
}
