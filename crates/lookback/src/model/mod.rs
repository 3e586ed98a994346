//! The model, written once and forward only: it reads like the equations.
//!
//! ```text
//! h_1 … h_S = encoder(x_1 … x_S)                  the memory
//! s_t = decoder(y_{t-1}, s_{t-1})                 started from the encoder's final states
//! e_i = score(s_t, h_i)      α = softmax(e)      a = Σ_i α_i h_i
//! s̃_t = tanh(W_c [a ; s_t] + b_c)                 the attentional state
//! p(y_t) = softmax(W_y s̃_t + b_y)
//! ```
//! Luong, Pham & Manning 2015; Bahdanau's order looks back before the step, see `decoder`. The same code trains (on a recording graph), validates and decodes.

mod attention;
mod bridge;
mod decoder;
mod dropout;
mod encoder;
mod layout;
mod output;
mod recurrent;

use crate::backend::{Backend, Candidates, CrossEntropy, GuidedCost, GuidedLoss, GuidedRows, Smoothing, TopK};
use crate::config::{ModelConfig, TiedEmbeddings};
use crate::data::Batch;
use crate::ops::{Narrow, State};
use crate::params::ParamSpec;
use crate::tape::{Graph, IdsVar, Var};
use crate::text::{BOS, EOS, PAD, UNK};

pub use attention::{HeadWeights, Looked};
use decoder::{Decoder, Sight};
pub use decoder::{DecoderState, Decoding};
use encoder::Encoder;
use layout::Layout;

/// A sequence-to-sequence model: the structure, and where each parameter is. The values are in [`Params`](crate::params::Params).
#[derive(Debug, Clone)]
pub struct Seq2Seq {
    encoder: Encoder,
    decoder: Decoder,
}

/// What attention weights are drawn towards (guided alignment).
#[derive(Debug, Clone, Copy)]
pub struct Guidance<'a> {
    /// Given weights of the T·B target positions, time-major.
    pub given: GuidedRows<'a>,
    /// How they are compared.
    pub cost: GuidedCost,
    /// What the summed cost is multiplied by.
    pub weight: f64,
}

/// Everything that depends on the source alone: computed once per batch, then read.
#[derive(Debug, Clone)]
pub struct Memory {
    /// The encoder's output h (S, B, D), 0 in padding: the values of the attention.
    pub states: Var,
    /// The keys of the attention (S, B, ·), where they are not the states themselves.
    pub keys: Option<Var>,
    /// The final state of every layer, directions side by side.
    pub last: Vec<State>,
    /// Real source lengths (B,).
    pub src_len: IdsVar,
}

impl Memory {
    /// Every value that attention reads, to be gathered or kept.
    pub fn vars_mut(&mut self) -> impl Iterator<Item = &mut Var> {
        std::iter::once(&mut self.states).chain(self.keys.as_mut())
    }
}

impl Seq2Seq {
    /// The model of a configuration, and the parameters it needs.
    ///
    /// # Panics
    /// If the configuration was not resolved ([`Config::resolve`](crate::config::Config::resolve)), or all embeddings are tied and the vocabularies differ.
    #[must_use]
    pub fn new(config: &ModelConfig, src_vocab: usize, tgt_vocab: usize) -> (Self, Vec<ParamSpec>) {
        let mut layout = Layout::default();
        let sizes = layout::Sizes::of(config);
        let one = config.tied_embeddings == TiedEmbeddings::All;
        assert!(!one || src_vocab == tgt_vocab, "one table for vocabularies of {src_vocab} and {tgt_vocab} pieces");
        let name = if one { "embedding" } else { "encoder.embedding" };
        let src_embedding = layout.embedding(name, src_vocab, sizes.embedding);
        let encoder = Encoder::new(&mut layout, config, sizes, src_embedding);
        let tgt_embedding =
            if one { src_embedding } else { layout.embedding("decoder.embedding", tgt_vocab, sizes.embedding) };
        let decoder = Decoder::new(&mut layout, config, sizes, tgt_vocab, tgt_embedding);
        (Self { encoder, decoder }, layout.specs)
    }

    /// Whether there are attention weights to look at.
    #[must_use]
    pub fn has_attention(&self) -> bool {
        self.decoder.attention().is_some()
    }

    /// The most source positions the model can read, the end counted; none if there is no limit. Only `location` has one.
    #[must_use]
    pub fn max_positions(&self) -> Option<usize> {
        self.decoder.attention()?.max_positions()
    }

    /// Reads the source: `src` (S, B) ids, padded, and real lengths.
    pub fn encode<B: Backend>(&self, g: &mut Graph<'_, B>, src: &[u32], src_len: &[u32]) -> Memory {
        let memory = self.encoder.run(g, src, src_len);
        self.with_keys(g, memory)
    }

    fn with_keys<B: Backend>(&self, g: &mut Graph<'_, B>, memory: Memory) -> Memory {
        let keys = self.decoder.attention().and_then(|attention| attention.prepare(g, memory.states));
        Memory { keys, ..memory }
    }

    /// The decoder's state before its first step.
    pub fn start<B: Backend>(&self, g: &mut Graph<'_, B>, memory: &Memory) -> DecoderState {
        self.decoder.start(g, memory)
    }

    /// Runs the decoder over `tgt_in` (T, R) ids, the words before each position: whole targets in training, one step in search.
    /// R is a multiple of the memory's sentences.
    pub fn decode<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        tgt_in: &[u32],
    ) -> Decoding {
        self.decoder.run(g, memory, state, tgt_in, Sight::Used)
    }

    /// As [`Seq2Seq::decode`], with zeros for what every step looked up.
    pub fn decode_blindly<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        state: &DecoderState,
        tgt_in: &[u32],
    ) -> Decoding {
        self.decoder.run(g, memory, state, tgt_in, Sight::Zeroed)
    }

    /// The logits (T, R, V) of attentional states.
    pub fn logits<B: Backend>(&self, g: &mut Graph<'_, B>, attentional: Var) -> Var {
        self.decoder.output().logits(g, attentional)
    }

    /// The output layer of the pieces `ids` alone, ascending, for [`Seq2Seq::narrow_log_probs`].
    pub fn narrow<B: Backend>(&self, g: &Graph<'_, B>, ids: &[u32]) -> Narrow<B> {
        self.decoder.output().narrow(g, ids)
    }

    /// Log-probabilities (T, R, V) of attentional states among the pieces in each sentence's list, given as places in the layer's ids; −∞ elsewhere.
    pub fn narrow_log_probs<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        attentional: Var,
        layer: &Narrow<B>,
        lists: &[Vec<u32>],
    ) -> Var {
        self.decoder.output().narrow_log_probs(g, attentional, layer, lists)
    }

    /// The summed loss of `tgt_out` (T, B) given the words before, in nats; padding does not count.
    pub fn loss<B: Backend>(&self, g: &mut Graph<'_, B>, batch: &Batch, epsilon: f32) -> CrossEntropy {
        self.loss_and_weights(g, batch, epsilon).0
    }

    /// [`Seq2Seq::loss`], and with attention its weights.
    pub fn loss_and_weights<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        batch: &Batch,
        epsilon: f32,
    ) -> (CrossEntropy, Option<HeadWeights>) {
        let decoding = self.forced(g, batch);
        let targets = g.ids(&batch.tgt_out);
        let smoothing = Smoothing { epsilon, ignore: PAD };
        g.keep_states(decoding.state.layers);
        (self.decoder.output().cross_entropy(g, decoding.attentional, targets, smoothing), decoding.weights)
    }

    /// [`Seq2Seq::loss`] without smoothing, and a probe (S, B, ·) for each direction of the encoder's last layer: after the backward pass its gradient is the total ∂L/∂h_i, by all ways
    /// that lead from the loss to an encoder state, those through later states included.
    pub fn probed_loss<B: Backend>(&self, g: &mut Graph<'_, B>, batch: &Batch) -> (CrossEntropy, Vec<Var>) {
        let (memory, probes) = self.encoder.run_probed(g, &batch.src, &batch.src_len);
        let memory = self.with_keys(g, memory);
        let attentional = self.forced_from(g, &memory, batch).attentional;
        let targets = g.ids(&batch.tgt_out);
        let smoothing = Smoothing { epsilon: 0.0, ignore: PAD };
        (self.decoder.output().cross_entropy(g, attentional, targets, smoothing), probes)
    }

    /// [`Seq2Seq::loss`], with `guidance.weight` times the cost of the attention weights (the mean over the heads) added to what is minimised; the losses are told apart.
    ///
    /// # Panics
    /// If there is no attention ([`Config::guided`](crate::config::Config::guided) refuses that), or the rows given are not those of the batch.
    pub fn guided_loss<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        batch: &Batch,
        epsilon: f32,
        guidance: Guidance<'_>,
    ) -> (CrossEntropy, GuidedLoss) {
        let (loss, weights) = self.loss_and_weights(g, batch, epsilon);
        let weights = weights.expect("a model without attention is not guided").mean(g);
        (loss, g.guided_alignment(weights, guidance.given, guidance.cost, guidance.weight))
    }

    /// The negative log-likelihood of every target position (T, B), in nats; 0 in padding. With attention, also its weights.
    pub fn score<B: Backend>(&self, g: &mut Graph<'_, B>, batch: &Batch) -> (Vec<f64>, Option<HeadWeights>) {
        let decoding = self.forced(g, batch);
        let targets = g.ids(&batch.tgt_out);
        (self.decoder.output().token_nll(g, decoding.attentional, targets, PAD), decoding.weights)
    }

    /// The most probable word at every target position (T, B), each given the written words before it; never one of those that no translation has. For a graph
    /// that does not record.
    pub fn predictions<B: Backend>(&self, g: &mut Graph<'_, B>, batch: &Batch) -> Vec<u32> {
        let attentional = self.forced(g, batch).attentional;
        let mark = g.mark();
        let (mut words, mut found) = (Vec::with_capacity(batch.tgt_in.len()), TopK::default());
        for t in 0..batch.tgt_max {
            let step = g.step(attentional, t);
            let logits = self.logits(g, step);
            let width = g.shape(logits).width;
            let candidates = |_| Candidates::AllExcept(&[PAD, UNK, BOS]);
            g.backend.top_k(g.tensor(logits), width, 1, &candidates, &mut found);
            // Where nothing is a number there is no best word; the loss will tell.
            words.extend((0..found.rows()).map(|row| found.row(row).first().map_or(EOS, |&(id, _)| id)));
            g.keep(mark, &mut []);
        }
        words
    }

    fn forced<B: Backend>(&self, g: &mut Graph<'_, B>, batch: &Batch) -> Decoding {
        let memory = self.encode(g, &batch.src, &batch.src_len);
        let decoding = self.forced_from(g, &memory, batch);
        g.keep_states(memory.last);
        decoding
    }

    fn forced_from<B: Backend>(&self, g: &mut Graph<'_, B>, memory: &Memory, batch: &Batch) -> Decoding {
        let state = self.start(g, memory);
        let decoding = self.decode(g, memory, &state, &batch.tgt_in);
        g.keep_states(state.layers);
        decoding
    }
}

#[cfg(test)]
mod tests;
