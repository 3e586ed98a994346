//! Bahdanau's order: the decoder looks back before its step, and what it sees is an input of the step.
//!
//! ```text
//! a_t = look(s_{t-1})        s_t = cell([y_{t-1}; a_t], s_{t-1})        s̃_t = tanh(W_c [a_t; s_t; y_{t-1}] + b_c)
//! ```
//! Bahdanau, Cho & Bengio 2015, appendix A.2.2. Their output reads state, context and word before through a maxout layer; here it is a tanh layer of the model's width,
//! so that the output layer is the same in both orders. With several layers the last one's state asks, as in Luong's order, and the first one reads the context.
//!
//! Only what the recurrence needs is in the loop; keys, projected embeddings and s̃ are products over all steps.

use super::{Decoder, DecoderState, Decoding, Places, Sight, joined_gates, stacked_weights};
use crate::backend::Backend;
use crate::model::Memory;
use crate::model::attention::AttentionLayer;
use crate::params::ParamId;
use crate::tape::{Graph, Var};

/// What the loop reads.
pub(super) struct Before<'a> {
    pub(super) attention: &'a AttentionLayer,
    /// W_a (G·H, D): what the context adds to the first layer's gates.
    pub(super) weight: ParamId,
    /// y (T, R, E).
    pub(super) embedded: Var,
    /// y projected to the first layer's gates (T, R, G·H).
    pub(super) projected: Var,
    pub(super) places: &'a Places,
}

impl Decoder {
    pub(super) fn run_before<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        before: &Before<'_>,
        sight: Sight,
    ) -> Decoding {
        let steps = g.shape(before.projected).steps;
        let mut layers = g.states();
        layers.extend_from_slice(&state.layers);
        let (mut contexts, mut states, mut weights) = (g.list(), g.list(), g.list());
        let mut last = None;
        for t in 0..steps {
            let looked = before.attention.look(g, layers[layers.len() - 1].h, memory, state.position + t);
            let context = sight.of(g, looked.attended.context);
            let joined = g.linear(context, before.weight, None);
            let gates = joined_gates(g, before.projected, t, joined);
            let s = self.run_layers(g, gates, &mut layers, before.places);
            contexts.push(context);
            states.push(s);
            weights.push(looked.attended.weights);
            last = Some((s, Some(looked)));
        }
        g.forget(before.projected);
        let (contexts, states) = (g.stack(contexts), g.stack(states));
        let joined = g.concat(contexts, states);
        let joined = g.concat(joined, before.embedded);
        let attentional = self.attentional(g, joined, before.places);
        let seen = last.unwrap_or((attentional, None));
        let weights = stacked_weights(g, weights, seen.1);
        let state = DecoderState { layers, input_feed: None, position: state.position + steps };
        Decoding { attentional, weights, state, seen }
    }
}
