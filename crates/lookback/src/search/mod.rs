//! From a model to hypotheses: greedy search, beam search, sampling; one model or several.
//!
//! At every step, each hypothesis that has not ended is extended by its most probable next tokens; of all extensions of a sentence the K = `beam_size` most
//! probable survive. Those that end with `</s>` are set aside, the others live on. K = 1 is greedy search.
//!
//! - **Probabilities** are over the whole vocabulary; what may not be said is left out afterwards. So a hypothesis' log-probability is what
//!   [`Seq2Seq::score`] says of it.
//! - **A shortlist** leaves most pieces out beforehand: probabilities are then over the pieces of a sentence's list, and higher than those of scoring.
//! - **Several models** say the mean of their log-probabilities (log-linear, as Marian, with equal weights); hypotheses carry the mean of the attention weights
//!   of those that have any.
//! - **Never said:** `<pad>`, `<unk>`, `<s>`, and bytes that form no character ([`Utf8State`](crate::text::Utf8State)); a character that would not fit before
//!   the length limit is not begun. What a hypothesis spells can therefore always be decoded. (Half an escape, see [`text`](crate::text), decodes to itself.)
//! - **Comparison:** hypotheses that ended are ranked by `log_prob / lengthᵅ + coverage`, with `</s>` counted (Wu et al. 2016, eq. 14, length penalty without
//!   the constant). `coverage = β Σ_i log min(Σ_t α_ti, 1)` over all source positions, `</s>` included; it takes no part in choosing extensions. Equal ones
//!   stand in the order in which they were found: shorter, then earlier in the beam, then smaller id.
//! - **Length limits:** at least `min_length_ratio` × the source's pieces before `</s>`; at most `max_length_ratio` × the source's pieces + `max_length_extra`
//!   ids, `</s>` included, and at least 1 or what a prefix needs. What lives on there is *cut*; cut hypotheses rank below all that ended. Where the vocabulary
//!   or the shortlist has nothing left that may follow, a hypothesis ends, however short it is.
//! - **Stop:** a sentence is done when nothing lives on, or when K hypotheses have ended and no live one would overtake the best of them by ending with the
//!   next token at no cost, `log_prob / (length + 1)ᵅ`. For α = 0 this loses nothing, because log-probabilities only fall. For α > 0 a live hypothesis could
//!   still win by many nearly certain tokens, which in practice are repetitions; waiting for that would mean going to the length limit.
//! - **[`Constraints`]:** how a translation starts, what it says and what it does not say. With words that must be said, `nbest` instead of K have to end.
//! - **[`Sampling`]** draws every token instead; the samples come back as they were drawn, and may be equal.
//!
//! Sentences that are done leave the batch: the work of a step is proportional to what lives.

mod allowed;
mod beam;
mod constraints;
mod member;
mod narrowed;
mod options;
mod phrase;
mod run;
mod sample;
mod select;

use crate::backend::Backend;
use crate::data::Batch;
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::tape::Tape;
use crate::text::Tokenizer;

use allowed::Allowed;
use beam::Beam;
pub use constraints::{ConstraintError, Constraints};
pub use member::Member;
use member::Together;
use narrowed::Narrowed;
pub use options::{KeepWeights, Sampling, SearchOptions};

/// What was found for a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The ids, without `<s>`; the last is `</s>` unless the hypothesis was cut.
    pub ids: Vec<u32>,
    /// Log-probability of all ids given the source, in nats.
    pub log_prob: f64,
    /// What it is ranked by: `log_prob / ids.len()ᵅ`, and with a coverage penalty what of the source was not looked at.
    pub score: f64,
    /// α (T, S): one row per id, over the real source positions, `</s>` included. None without attention, or if not asked for.
    pub weights: Option<Vec<f32>>,
    /// Whether the length limit was met before `</s>`.
    pub is_cut: bool,
    /// Which of [`Constraints::must`] it does not say, by their numbers. There are any only if the length limit was met first.
    pub unmet: Vec<usize>,
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
    /// What is asked of a translation contradicts itself.
    #[error("sentence {sentence}: {source}")]
    Constraint {
        /// Which sentence of those given, from 0.
        sentence: usize,
        /// What contradicts what.
        source: ConstraintError,
    },
    /// A source has more pieces than a model has attention weights for.
    #[error("sentence {sentence}: {source}")]
    SourceTooLong {
        /// Which sentence of those given, from 0.
        sentence: usize,
        /// By how much, and what to do.
        source: TooLong,
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
    /// Not all that must be said is, and no piece may follow.
    #[error(
        "sentence {sentence}, step {step}: no piece of the vocabulary, or of the shortlist if there is one, may follow, and not all that must be said is; allow more repetitions \
         (`no_repeat_ngram_size`), forbid less, or search without a shortlist"
    )]
    Exhausted {
        /// Which sentence of those given, from 0.
        sentence: usize,
        /// Which token of the hypothesis, from 0.
        step: usize,
    },
}

/// A source that is too long to be read as one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{pieces} pieces are more than the {longest} {because}")]
pub struct TooLong {
    /// The source's pieces, the end not counted.
    pub pieces: usize,
    /// The most there may be.
    pub longest: usize,
    /// What sets the limit.
    pub because: LengthLimit,
}

/// What limits the length of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LengthLimit {
    /// The positions that `location` attention has weights for.
    #[error(
        "that `location` attention was trained for (`model.location_length`); split the sentence, or train a model with a higher `data.max_src` or another \
         `model.attention`"
    )]
    Location,
    /// The memory that a sentence may take.
    #[error("that are read as one sentence; split it")]
    Memory,
}

/// Whether a model can read sources of these positions, the end counted.
fn check_lengths(model: &Seq2Seq, src_len: &[u32]) -> Result<(), SearchError> {
    let Some(most) = model.max_positions() else { return Ok(()) };
    let Some(sentence) = src_len.iter().position(|&len| len as usize > most) else { return Ok(()) };
    let source = TooLong { pieces: src_len[sentence] as usize - 1, longest: most - 1, because: LengthLimit::Location };
    Err(SearchError::SourceTooLong { sentence, source })
}

impl SearchError {
    /// The same error with the sentence counted otherwise, as its caller counts.
    #[must_use]
    pub fn of_sentence(self, number: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::NotFinite { sentence, step } => Self::NotFinite { sentence: number(sentence), step },
            Self::Exhausted { sentence, step } => Self::Exhausted { sentence: number(sentence), step },
            Self::Constraint { sentence, source } => Self::Constraint { sentence: number(sentence), source },
            Self::SourceTooLong { sentence, source } => Self::SourceTooLong { sentence: number(sentence), source },
            Self::Option { .. } => self,
        }
    }
}

/// What is asked about a sentence besides its translation.
#[derive(Debug, Clone, Copy)]
pub struct Sentence<'a> {
    /// What the translation has to be.
    pub constraints: &'a Constraints,
    /// The number its samples are drawn with; sentences of one number and source get equal samples.
    pub number: u64,
    /// The pieces it is written with, if not all may be ([`Shortlist`](crate::shortlist::Shortlist)): with them the end, bytes, and what its constraints must write. Probabilities are then
    /// those among these pieces. It counts only if all sentences of a search have some.
    pub candidates: Option<&'a [u32]>,
}

/// Searches translations of the sources of `batch` with one model; targets, if it has any, are not read. Per sentence, in the batch's order: up to
/// `options.nbest` hypotheses, at least one, best first and different (samples: as they were drawn).
///
/// The tape is reset before and after. The result does not depend on what else is in the batch, beyond the rounding of the products.
///
/// # Errors
/// If an option is out of range, a source is longer than the model can read, or its log-probabilities are not finite.
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
    let constraints = Constraints::default();
    let sentence = |number| Sentence { constraints: &constraints, number, candidates: None };
    let sentences: Vec<Sentence<'_>> = (0..).take(batch.batch).map(sentence).collect();
    search_together(backend, &mut [Member { model, params, tape }], tgt, batch, &sentences, options)
}

/// As [`search`], with several models that share their vocabularies and say something of each sentence.
///
/// # Errors
/// If an option is out of range, constraints contradict themselves or leave nothing to be said, a source is longer than a model can read, or the models' log-probabilities are not finite.
///
/// # Panics
/// If there is no member, `tgt` is not the tokenizer of all members' target side, or there are not as many sentences as sources.
pub fn search_together<B: Backend>(
    backend: &B,
    members: &mut [Member<'_, B>],
    tgt: &Tokenizer,
    batch: &Batch,
    sentences: &[Sentence<'_>],
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, SearchError> {
    options.check()?;
    assert_eq!(sentences.len(), batch.batch, "one sentence per source");
    members.iter().try_for_each(|member| check_lengths(member.model, &batch.src_len))?;
    let attention = members.iter().any(|member| member.model.has_attention());
    let config = &options.config;
    if config.coverage_penalty > 0.0 && !attention {
        let message = "the model has no attention, so it covers nothing; leave it out, or set it to 0".to_owned();
        return Err(SearchError::Option { key: "coverage_penalty", message });
    }
    let mut beams = Vec::with_capacity(sentences.len());
    for (number, (sentence, &src_len)) in sentences.iter().zip(&batch.src_len).enumerate() {
        if options.sampling.is_some() && !sentence.constraints.must.is_empty() {
            let message = "words that must be said are searched for in a beam; draw without them".to_owned();
            return Err(SearchError::Option { key: "sampling", message });
        }
        let beam = Beam::new(tgt, sentence, src_len, options, attention);
        beams.push(beam.map_err(|source| SearchError::Constraint { sentence: number, source })?);
    }
    members.iter_mut().for_each(|member| member.tape.reset());
    let keep_weights = attention && (options.weights == KeepWeights::Yes || config.coverage_penalty > 0.0);
    let narrowed = Narrowed::new(tgt, sentences, &beams);
    let allowed = Allowed::new(tgt, narrowed.as_ref(), config.no_repeat_ngram_size);
    let models = Together::new(backend, members, batch, narrowed.as_ref()).expect("at least one member");
    let done = run::run(backend, models, batch, &mut beams, allowed, (options, keep_weights));
    members.iter_mut().for_each(|member| member.tape.reset());
    done?;
    Ok(beams.into_iter().map(Beam::into_hypotheses).collect())
}

#[cfg(all(test, feature = "train"))]
mod tests;
