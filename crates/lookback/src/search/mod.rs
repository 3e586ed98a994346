//! From a model to hypotheses: greedy and beam search.
//!
//! At every step, each hypothesis that has not ended is extended by its most probable next tokens; of all extensions of a sentence the K = `beam_size` most
//! probable survive. Those that end with `</s>` are set aside, the others live on. K = 1 is greedy search.
//!
//! - **Probabilities** are over the whole vocabulary; what may not be said is left out afterwards. So a hypothesis' log-probability is what
//!   [`Seq2Seq::score`] says of it.
//! - **Never said:** `<pad>`, `<unk>`, `<s>`, and bytes that form no character ([`Utf8State`](crate::text::Utf8State)); a character that would not fit before
//!   the length limit is not begun. What a hypothesis spells can therefore always be decoded. (Half an escape, see [`text`](crate::text), decodes to itself.)
//! - **Comparison:** hypotheses that ended are ranked by `log_prob / lengthᵅ`, with `</s>` counted (Wu et al. 2016 without the constant). Equal ones stand in
//!   the order in which they were found: shorter, then earlier in the beam, then smaller id.
//! - **Length limit:** `max_length_ratio` × the source's pieces + `max_length_extra` ids, `</s>` included, and at least 1. What lives on there is *cut*; cut
//!   hypotheses rank below all that ended.
//! - **Stop:** a sentence is done when nothing lives on, or when K hypotheses have ended and no live one would overtake the best of them by ending with the
//!   next token at no cost, `log_prob / (length + 1)ᵅ`. For α = 0 this loses nothing, because log-probabilities only fall. For α > 0 a live hypothesis could
//!   still win by many nearly certain tokens, which in practice are repetitions; waiting for that would mean going to the length limit.
//!
//! Sentences that are done leave the batch: the work of a step is proportional to what lives.

mod allowed;
mod beam;

use crate::backend::{Backend, Candidates};
use crate::config::SearchConfig;
use crate::data::Batch;
use crate::model::{DecoderState, Memory, Seq2Seq};
use crate::params::Params;
use crate::tape::{Graph, Tape};
use crate::text::Tokenizer;

use allowed::{Allowed, Choice};
use beam::Beam;

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// The search itself.
    pub config: SearchConfig,
    /// Hypotheses returned per sentence, `1..=beam_size`; fewer come back if fewer were found.
    pub nbest: usize,
    /// Whether hypotheses carry their attention weights.
    pub weights: KeepWeights,
}

impl From<SearchConfig> for SearchOptions {
    /// The best hypothesis of this search, without attention weights.
    fn from(config: SearchConfig) -> Self {
        Self { config, nbest: 1, weights: KeepWeights::No }
    }
}

impl Default for SearchOptions {
    fn default() -> Self {
        SearchConfig::default().into()
    }
}

/// Whether hypotheses carry their attention weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepWeights {
    /// They do, if the model has any.
    Yes,
    /// They do not.
    No,
}

/// What was found for a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The ids, without `<s>`; the last is `</s>` unless the hypothesis was cut.
    pub ids: Vec<u32>,
    /// Log-probability of all ids given the source, in nats.
    pub log_prob: f64,
    /// What it is ranked by: `log_prob / ids.len()ᵅ`.
    pub score: f64,
    /// α (T, S): one row per id, over the real source positions, `</s>` included. None without attention, or if not asked for.
    pub weights: Option<Vec<f32>>,
    /// Whether the length limit was met before `</s>`.
    pub is_cut: bool,
}

/// Why a search failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// An option out of range.
    #[error("{key}: {message}")]
    Option {
        /// The option.
        key: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The model gives no numbers.
    #[error(
        "sentence {sentence}, step {step}: the log-probabilities are not finite; the model's weights are damaged or too large"
    )]
    NotFinite {
        /// Which sentence of those given, from 0.
        sentence: usize,
        /// Which token of the hypothesis, from 0.
        step: usize,
    },
}

impl SearchError {
    /// The same error with the sentence counted otherwise.
    pub(crate) fn of_sentence(self, number: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::NotFinite { sentence, step } => Self::NotFinite { sentence: number(sentence), step },
            other => other,
        }
    }
}

impl SearchOptions {
    pub(crate) fn check(&self) -> Result<(), SearchError> {
        let SearchConfig { beam_size, length_penalty, max_length_ratio, .. } = self.config;
        let refuse = |key, message: String| Err(SearchError::Option { key, message });
        if !(1..=1024).contains(&beam_size) {
            return refuse("beam_size", format!("{beam_size} is outside 1..=1024; 1 is greedy search"));
        }
        if !(1..=beam_size).contains(&self.nbest) {
            return refuse("nbest", format!("{} is outside 1..={beam_size}, the beam size", self.nbest));
        }
        for (key, value) in [("length_penalty", length_penalty), ("max_length_ratio", max_length_ratio)] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(key, format!("{value} is not a finite number of at least 0"));
            }
        }
        Ok(())
    }

    /// The most ids of a hypothesis, `</s>` included, for a source of `src_len` positions, `</s>` included.
    fn length_limit(&self, src_len: u32) -> usize {
        let SearchConfig { max_length_ratio, max_length_extra, .. } = self.config;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
        let scaled = (max_length_ratio * f64::from(src_len - 1)) as usize;
        // What a search remembers is counted in 32 bits.
        scaled.saturating_add(max_length_extra).clamp(1, 1 << 24)
    }
}

/// Searches translations of the sources of `batch`; targets, if it has any, are not read. Per sentence, in the batch's order: up to `options.nbest` different
/// hypotheses, at least one, best first.
///
/// The tape is reset before and after. The result does not depend on what else is in the batch, beyond the rounding of the products.
///
/// # Errors
/// If an option is out of range, or the model's log-probabilities are not finite.
///
/// # Panics
/// If `tgt` is not the tokenizer of the model's target side.
pub fn search<B: Backend>(
    backend: &B,
    params: &Params<B>,
    tape: &mut Tape<B>,
    model: &Seq2Seq,
    tgt: &Tokenizer,
    batch: &Batch,
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, SearchError> {
    options.check()?;
    tape.reset();
    let beams = Search { model, tgt, options }.run(Graph::inference(backend, params, tape), batch);
    tape.reset();
    Ok(beams?.into_iter().map(|beam| beam.into_hypotheses(options)).collect())
}

struct Search<'a> {
    model: &'a Seq2Seq,
    tgt: &'a Tokenizer,
    options: &'a SearchOptions,
}

impl Search<'_> {
    fn run<B: Backend>(&self, mut g: Graph<'_, B>, batch: &Batch) -> Result<Vec<Beam>, SearchError> {
        let config = &self.options.config;
        let keep_weights = self.options.weights == KeepWeights::Yes && self.model.has_attention();
        let mark = g.mark();
        let mut memory = self.model.encode(&mut g, &batch.src, &batch.src_len);
        let mut state = self.model.start(&mut g, &memory);
        memory.last.clear();
        let beam = |&src_len| Beam::new(src_len as usize, self.options.length_limit(src_len), keep_weights);
        let mut beams: Vec<Beam> = batch.src_len.iter().map(beam).collect();
        let mut allowed = Allowed::new(self.tgt, config.no_repeat_ngram_size);
        // Sentences still searched, and the rows each has: the most live hypotheses of any of them. A sentence with fewer has rows that nobody reads.
        let (mut open, mut group): (Vec<usize>, usize) = ((0..beams.len()).collect(), 1);
        let (mut prev, mut choices) = (Vec::new(), Vec::new());
        for step in 0.. {
            let mut kept = state.vars_mut();
            kept.push(&mut memory.states);
            g.keep(mark, &mut kept);
            prev.clear();
            choices.clear();
            for &sentence in &open {
                beams[sentence].read(group, &mut allowed, &mut prev, &mut choices);
            }
            let decoding = self.model.decode(&mut g, &memory, &state, &prev);
            let logits = self.model.logits(&mut g, decoding.attentional);
            g.log_softmax(logits);
            let width = g.shape(logits).width;
            assert_eq!(width, self.tgt.vocab_size(), "the tokenizer has as many pieces as the model");
            let candidates = |row: usize| match &choices[row] {
                Choice::Nothing => Candidates::Only(&[]),
                Choice::Usual(list) => allowed.list(*list).candidates(),
                Choice::Own(list) => list.candidates(),
            };
            let best = g.backend.top_k(g.tensor(logits), width, config.beam_size.min(width), &candidates);
            let weights = decoding.weights.filter(|_| keep_weights).map(|weights| g.download(weights));
            let weights = weights.as_deref().map(|weights| (weights, g.shape(memory.states).steps));
            for (place, &sentence) in open.iter().enumerate() {
                let rows = place * group..(place + 1) * group;
                let weights = weights.map(|(w, columns)| (&w[rows.start * columns..rows.end * columns], columns));
                if !beams[sentence].advance(&best[rows], weights, config, &allowed) {
                    return Err(SearchError::NotFinite { sentence, step });
                }
            }
            state = decoding.state;
            let stays = |place: &usize| !beams[open[*place]].is_done(config);
            let places: Vec<usize> = (0..open.len()).filter(stays).collect();
            if places.is_empty() {
                break;
            }
            self.follow(&mut g, (&mut memory, &mut state), batch, &beams, (&mut open, &mut group), &places);
        }
        Ok(beams)
    }

    /// Lets states follow the hypotheses that live, and memory the sentences in `places`, which stay.
    fn follow<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        (memory, state): (&mut Memory, &mut DecoderState),
        batch: &Batch,
        beams: &[Beam],
        (open, group): (&mut Vec<usize>, &mut usize),
        places: &[usize],
    ) {
        let next_group = places.iter().map(|&place| beams[open[place]].live()).max().unwrap_or(1);
        let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        let parents = places.iter().flat_map(|&place| {
            let first = place * *group;
            beams[open[place]].parents(next_group).map(move |parent| row(first + parent))
        });
        let rows: Vec<u32> = parents.collect();
        if (0..).zip(&rows).any(|(i, &row)| row != i) || rows.len() != open.len() * *group {
            state.vars_mut().into_iter().for_each(|var| *var = g.gather(*var, &rows));
        }
        if places.len() < open.len() {
            *open = places.iter().map(|&place| open[place]).collect();
            if self.model.has_attention() {
                let rows: Vec<u32> = places.iter().map(|&place| row(place)).collect();
                memory.states = g.gather(memory.states, &rows);
                let src_len: Vec<u32> = open.iter().map(|&sentence| batch.src_len[sentence]).collect();
                memory.src_len = g.ids(&src_len);
            }
        }
        *group = next_group;
    }
}

#[cfg(all(test, feature = "train"))]
mod tests;
