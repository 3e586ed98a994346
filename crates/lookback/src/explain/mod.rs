//! One sentence, step by step, with every number in the order of the equations.
//!
//! The model translates the sentence, then its best translation is gone through again a step at a time, and what each step computed is written down: the state, the
//! scores, the weights, the attention value, the attentional state, and the most probable words. Each step also says what it would have been without having looked: the same
//! state, with zeros in place of the attention value.

mod page;
mod text;

use serde::Serialize;

use crate::config::{AttentionKind, DecoderOrder, WindowKind};
use crate::data::Batch;
use crate::model::{DecoderState, Looked, Memory, Seq2Seq};
use crate::search::SearchOptions;
use crate::tape::{Graph, Var};
use crate::text::{BOS, EOS, Tokenizer};
use crate::translator::{TranslateError, Translator};

pub use page::to_page;
pub use text::{head, step};

/// A sentence, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The source.
    pub source: String,
    /// What the model made of it.
    pub translation: String,
    /// Its log-probability in nats, summed over all pieces.
    pub log_prob: f64,
    /// What the equations depend on.
    pub model: Facts,
    /// The source's pieces, with its end: positions 0 to S − 1.
    pub pieces: Vec<String>,
    /// h: what the encoder says of each of them.
    pub encoder_states: Vec<Vec<f32>>,
    /// The steps, one for every piece of the translation and its end.
    pub steps: Vec<Step>,
}

/// What the equations of a model depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The attention score.
    pub attention: AttentionKind,
    /// N.
    pub heads: usize,
    /// The part of the source that a step looks at.
    pub window: WindowKind,
    /// D, of a window.
    pub window_width: Option<usize>,
    /// When the decoder looks.
    pub decoder: DecoderOrder,
    /// Whether s̃ is fed back.
    pub input_feeding: bool,
}

/// What one step computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// t, from 1.
    pub number: usize,
    /// The piece before, which it reads.
    pub reads: String,
    /// The piece it writes.
    pub writes: String,
    /// s_t, of the last layer.
    pub state: Vec<f32>,
    /// What it looked up; none without attention.
    pub look: Option<Look>,
    /// s̃_t.
    pub attentional: Vec<f32>,
    /// The probability of what it writes.
    pub probability: f64,
    /// The most probable pieces, best first.
    pub words: Vec<Word>,
    /// The same without the attention value.
    pub blind: Option<Blind>,
}

/// Where a step looked, and what it saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// p_t, where the model predicts it, in positions from 0.
    pub centre: Option<f32>,
    /// e of every head and position; none outside a window.
    pub scores: Vec<Vec<Option<f32>>>,
    /// α of every head and position.
    pub weights: Vec<Vec<f32>>,
    /// a, the heads side by side.
    pub value: Vec<f32>,
}

/// A step with zeros for its attention value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blind {
    /// s̃_t.
    pub attentional: Vec<f32>,
    /// The probability of what the step writes.
    pub probability: f64,
    /// The most probable pieces, best first.
    pub words: Vec<Word>,
}

/// A piece and its probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// The piece.
    pub piece: String,
    /// p(y_t).
    pub probability: f64,
}

impl Translator {
    /// Translates `source` and writes down what every step computed, with the `words` most probable pieces of each. Of an ensemble only the first model is explained.
    ///
    /// # Errors
    /// As [`Translator::translate_with`].
    pub fn explain(&self, source: &str, options: &SearchOptions, words: usize) -> Result<Explanation, TranslateError> {
        let found = self.translate_with(&[source], options)?;
        let best = found.into_iter().flatten().next();
        let ids = best.map(|best| best.hypothesis.ids).unwrap_or_default();
        let tokenizers = self.tokenizers();
        let src = tokenizers.src.encode(source);
        let config = &self.config().model;
        let model = Facts {
            attention: config.attention,
            heads: config.heads,
            window: config.window,
            window_width: config.window_width,
            decoder: config.decoder,
            input_feeding: config.input_feeding,
        };
        let (encoder_states, steps) = self.with_first(|model, mut g| {
            let batch = Batch::from_sources(std::slice::from_ref(&src));
            let memory = model.encode(&mut g, &batch.src, &batch.src_len);
            let walk = Walk { model, memory: &memory, tgt: &tokenizers.tgt, words };
            let steps = walk.steps(&mut g, &ids);
            (rows(&g, memory.states), steps)
        });
        let log_prob = steps.iter().map(|step: &Step| step.probability.ln()).sum();
        let ended: Vec<u32> = src.iter().copied().chain([EOS]).collect();
        let pieces = tokenizers.src.display_pieces(&ended);
        let translation = tokenizers.tgt.decode(&ids);
        Ok(Explanation { source: source.to_owned(), translation, log_prob, model, pieces, encoder_states, steps })
    }
}

/// A model that goes through a translation.
struct Walk<'a> {
    model: &'a Seq2Seq,
    memory: &'a Memory,
    tgt: &'a Tokenizer,
    words: usize,
}

type Cpu = crate::backend::Cpu<f32>;

impl Walk<'_> {
    fn steps(&self, g: &mut Graph<'_, Cpu>, ids: &[u32]) -> Vec<Step> {
        let mut state = self.model.start(g, self.memory);
        let mut before = BOS;
        let mut steps = Vec::with_capacity(ids.len());
        for (t, &id) in ids.iter().enumerate() {
            let (step, next) = self.step(g, &state, t, before, id);
            steps.push(step);
            (state, before) = (next, id);
        }
        steps
    }

    fn step(
        &self,
        g: &mut Graph<'_, Cpu>,
        state: &DecoderState,
        t: usize,
        before: u32,
        id: u32,
    ) -> (Step, DecoderState) {
        let decoding = self.model.decode(g, self.memory, state, &[before]);
        let (s, looked) = decoding.seen;
        let (probability, words) = self.words(g, decoding.attentional, id);
        let blind = looked.is_some().then(|| {
            let blind = self.model.decode_blindly(g, self.memory, state, &[before]);
            let (probability, words) = self.words(g, blind.attentional, id);
            Blind { attentional: g.download(blind.attentional), probability, words }
        });
        let step = Step {
            number: t + 1,
            reads: self.piece(before),
            writes: self.piece(id),
            state: g.download(s),
            look: looked.map(|looked| look(g, looked)),
            attentional: g.download(decoding.attentional),
            probability,
            words,
            blind,
        };
        (step, decoding.state)
    }

    /// The probability of `id`, and the most probable pieces.
    fn words(&self, g: &mut Graph<'_, Cpu>, attentional: Var, id: u32) -> (f64, Vec<Word>) {
        let logits = self.model.logits(g, attentional);
        g.log_softmax(logits);
        let log_probs = g.download(logits);
        let mut order: Vec<u32> = (0..).take(log_probs.len()).collect();
        let of = |id: u32| f64::from(log_probs[id as usize]);
        // The order of the sort is that of the ids where probabilities are equal.
        order.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
        let word = |&id: &u32| Word { piece: self.piece(id), probability: of(id).exp() };
        (of(id).exp(), order.iter().take(self.words).map(word).collect())
    }

    fn piece(&self, id: u32) -> String {
        self.tgt.display_pieces(&[id]).concat()
    }
}

fn look(g: &Graph<'_, Cpu>, looked: Looked) -> Look {
    let finite = |row: Vec<f32>| row.into_iter().map(|e| Some(e).filter(|e| *e != f32::NEG_INFINITY)).collect();
    Look {
        centre: looked.centres.and_then(|p| g.download(p).first().copied()),
        scores: rows(g, looked.attended.scores).into_iter().map(finite).collect(),
        weights: rows(g, looked.attended.weights),
        value: g.download(looked.attended.context),
    }
}

/// The rows of a value.
fn rows(g: &Graph<'_, Cpu>, x: Var) -> Vec<Vec<f32>> {
    g.download(x).chunks(g.shape(x).width).map(<[f32]>::to_vec).collect()
}

#[cfg(all(test, feature = "train"))]
mod tests;
