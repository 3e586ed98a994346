//! Trained models, ready to use: text in, text out.

use std::sync::{Mutex, PoisonError};

use crate::backend::Cpu;
use crate::config::Config;
use crate::data::Batch;
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::search::{
    Constraints, Hypothesis, LengthLimit, Member, SearchError, SearchOptions, Sentence, TooLong, search_together,
};
use crate::shortlist::Shortlist;
use crate::tape::{Graph, Tape};
use crate::text::{EOS, Tokenizers};

mod ensemble;
mod error;
mod given;
mod load;
mod look;

pub use ensemble::EnsembleError;
pub use error::TranslateError;
pub use given::PairScore;
pub(crate) use look::side;

/// The most sentences searched together.
const BATCH_SENTENCES: usize = 64;
/// The most pieces of a source, unless the model was trained on longer ones: a whole book on one line is a mistake.
pub const LONGEST_SOURCE: usize = 5_000;
/// The most source positions of a batch, padding included.
const BATCH_POSITIONS: usize = 4_000;

/// A model with its tokenizers, or an ensemble, on the processor: translates, scores, and shows where it looked.
///
/// All methods take `&self` and may be called from any number of threads. Results keep the order of the input; inside, sentences of similar length are
/// computed together. Sources longer than anything the model was trained on are translated all the same: nothing is cut off or skipped. (`location` attention has no weights for
/// them, and says so; and beyond [`LONGEST_SOURCE`] pieces, or `data.max_src` if that is more, a source is refused before it takes all memory.)
///
/// # Examples
/// ```
/// use lookback::backend::Cpu;
/// use lookback::checkpoint::Checkpoint;
/// use lookback::config::{Config, CorpusSize};
/// use lookback::model::Seq2Seq;
/// use lookback::text::{TextMode, Tokenizers, TokenizerSpec};
/// use lookback::translator::Translator;
///
/// // A model that has learned nothing yet. A trained one: `Translator::load("model")?`.
/// let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
/// let tokenizers = Tokenizers::train(&spec, ["ein Haus"], ["a house"])?;
/// let mut config = Config::default();
/// (config.model.hidden, config.model.embedding) = (Some(16), Some(8));
/// let config = config.resolve(CorpusSize { pairs: 1, words: 2.0, characters: 8.0 })?;
/// let (src, tgt) = (tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
/// let (_, specs) = Seq2Seq::new(&config.model, src, tgt);
/// let values = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
///
/// let translator = Translator::from_checkpoint(Checkpoint::new(config, tokenizers, values), Cpu::detect(1));
/// let translations = translator.translate(&["ein Haus", ""])?;
/// assert_eq!(translations.len(), 2);
/// assert_eq!(translations[1], "");
/// let scores = translator.score_pairs(&[("ein Haus", "a house")])?;
/// assert_eq!(scores[0].tokens, 8); // seven characters and the end
/// assert!(scores[0].log_prob < 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Translator {
    cpu: Cpu<f32>,
    tokenizers: Tokenizers,
    /// One model, or several with the same vocabularies.
    models: Vec<Loaded>,
    /// Which pieces a translation is written with; none if all may be.
    shortlist: Option<Shortlist>,
    /// Buffers of calls that are over: a tape for each model.
    tapes: Mutex<Vec<Vec<Tape<Cpu<f32>>>>>,
}

/// A model on the processor.
#[derive(Debug)]
struct Loaded {
    config: Config,
    model: Seq2Seq,
    params: Params<Cpu<f32>>,
}

/// A text to translate, and what its translation has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The text.
    pub text: String,
    /// How the translation starts, what it says and what it does not say.
    pub constraints: Constraints,
    /// The number its samples are drawn with.
    pub number: u64,
}

/// One translation of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// The source's ids, `</s>` included: the columns of the attention weights. Only `</s>` for a blank source.
    pub src_ids: Vec<u32>,
    /// What was found. For a blank source nothing is searched: no ids, log-probability and score 0, and nothing that must be said is.
    pub hypothesis: Hypothesis,
}

impl Translator {
    /// The configuration of the model folder; of the first, if there are several.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.models[0].config
    }

    /// How many models translate together.
    #[must_use]
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// The tokenizers of both sides.
    #[must_use]
    pub fn tokenizers(&self) -> &Tokenizers {
        &self.tokenizers
    }

    /// The search settings of the model folder, for the best hypothesis without weights.
    #[must_use]
    pub fn search_options(&self) -> SearchOptions {
        self.config().search.clone().into()
    }

    /// The best translation of every source, with the search settings of the model folder. A blank source (empty or white space only) has an empty one.
    ///
    /// # Errors
    /// If a source is too long ([`SearchError::SourceTooLong`] says which), or the model's numbers are not finite.
    pub fn translate(&self, sources: &[&str]) -> Result<Vec<String>, TranslateError> {
        let translations = self.translate_with(sources, &self.search_options())?;
        Ok(translations.into_iter().map(|best| best.into_iter().next().map(|t| t.text).unwrap_or_default()).collect())
    }

    /// The best translations of every source: between 1 and `options.nbest`, best first, of different ids (two may spell the same text). Samples come as they were
    /// drawn, numbered by the place of their source. A blank source has one translation, which is empty.
    ///
    /// # Errors
    /// If an option is out of range, a source is too long ([`SearchError::SourceTooLong`] says which), or the model's numbers are not finite.
    pub fn translate_with(
        &self,
        sources: &[&str],
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Translation>>, TranslateError> {
        let request = |(number, &text): (u64, &&str)| Request { text: text.to_owned(), number, ..Request::default() };
        self.translate_requests(&(0..).zip(sources).map(request).collect::<Vec<_>>(), options)
    }

    /// As [`Translator::translate_with`], each source with its own constraints. A blank source is not searched: its translation is empty, whatever is asked of it.
    ///
    /// # Errors
    /// If an option is out of range, constraints contradict themselves ([`SearchError::Constraint`]), a source is too long ([`SearchError::SourceTooLong`] says which), or the
    /// model's numbers are not finite.
    pub fn translate_requests(
        &self,
        requests: &[Request],
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Translation>>, TranslateError> {
        options.check()?;
        let ids: Vec<Vec<u32>> = requests.iter().map(|request| self.tokenizers.src.encode(&request.text)).collect();
        self.check_lengths(ids.iter().map(Vec::len))?;
        let blank = |request: &Request| vec![blank(request.constraints.must.len())];
        let mut found: Vec<Vec<Translation>> = requests.iter().map(blank).collect();
        let searched = (0..requests.len()).filter(|&i| !requests[i].text.trim().is_empty());
        let batches = batches(searched, |i| ids[i].len() + 1);
        self.with_tapes(|tapes| {
            for lines in batches {
                let batch = Batch::from_sources(&lines.iter().map(|&i| ids[i].clone()).collect::<Vec<_>>());
                let shortlist = self.shortlist.as_ref();
                let lists: Vec<Option<Vec<u32>>> =
                    lines.iter().map(|&i| shortlist.map(|shortlist| shortlist.candidates(&ids[i]))).collect();
                let of_line = lines.iter().zip(&lists);
                let sentences: Vec<Sentence<'_>> = of_line
                    .map(|(&i, list)| Sentence {
                        constraints: &requests[i].constraints,
                        number: requests[i].number,
                        candidates: list.as_deref(),
                    })
                    .collect();
                let member = |(loaded, tape)| Loaded::member(loaded, tape);
                let mut members: Vec<Member<'_, _>> = self.models.iter().zip(&mut *tapes).map(member).collect();
                let tgt = &self.tokenizers.tgt;
                let beams = search_together(&self.cpu, &mut members, tgt, &batch, &sentences, options)
                    .map_err(|error| error.of_sentence(|sentence| lines[sentence]))?;
                for (&i, hypotheses) in lines.iter().zip(beams) {
                    let translation = |hypothesis| self.translation(&ids[i], hypothesis);
                    found[i] = hypotheses.into_iter().map(translation).collect();
                }
            }
            Ok(found)
        })
    }

    /// Refuses the first source that is too long to be read as one sentence, or for what a model has weights for.
    fn check_lengths(&self, mut lengths: impl Iterator<Item = usize>) -> Result<(), TranslateError> {
        let trained = self.models.iter().map(|loaded| loaded.config.data.max_src).max().unwrap_or(0);
        let in_memory = (trained.max(LONGEST_SOURCE), LengthLimit::Memory);
        let positions = self.models.iter().filter_map(|loaded| loaded.model.max_positions());
        let limits = positions.map(|most| (most - 1, LengthLimit::Location)).chain([in_memory]);
        let (longest, because) = limits.min_by_key(|(longest, _)| *longest).unwrap_or(in_memory);
        let mut pieces = 0;
        let too_long = lengths.position(|length| {
            pieces = length;
            length > longest
        });
        too_long.map_or(Ok(()), |sentence| {
            let source = TooLong { pieces, longest, because };
            Err(SearchError::SourceTooLong { sentence, source }.into())
        })
    }

    fn translation(&self, src: &[u32], hypothesis: Hypothesis) -> Translation {
        let src_ids = src.iter().copied().chain([EOS]).collect();
        Translation { text: self.tokenizers.tgt.decode(&hypothesis.ids), src_ids, hypothesis }
    }

    /// Lends the first model, on a graph that does not record.
    pub(crate) fn with_first<R>(&self, work: impl FnOnce(&Seq2Seq, Graph<'_, Cpu<f32>>) -> R) -> R {
        self.with_tapes(|tapes| {
            let (first, tape) = (&self.models[0], &mut tapes[0]);
            tape.reset();
            let result = work(&first.model, Graph::inference(&self.cpu, &first.params, tape));
            tape.reset();
            result
        })
    }

    /// Lends a tape for each model: new ones if other threads have all there are.
    fn with_tapes<R>(&self, work: impl FnOnce(&mut [Tape<Cpu<f32>>]) -> R) -> R {
        let tapes = || self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = tapes().pop();
        let mut lent = lent.unwrap_or_default();
        lent.resize_with(self.models.len(), Tape::new);
        let result = work(&mut lent);
        tapes().push(lent);
        result
    }
}

impl Loaded {
    fn member<'a>(&'a self, tape: &'a mut Tape<Cpu<f32>>) -> Member<'a, Cpu<f32>> {
        Member { model: &self.model, params: &self.params, tape }
    }
}

/// The translation of a blank source.
fn blank(must: usize) -> Translation {
    let unmet = (0..must).collect();
    let hypothesis = Hypothesis { ids: Vec::new(), log_prob: 0.0, score: 0.0, weights: None, is_cut: false, unmet };
    Translation { text: String::new(), src_ids: vec![EOS], hypothesis }
}

/// Cuts `items` into batches of similar `length`, longest first; equal ones keep their order.
fn batches(items: impl Iterator<Item = usize>, length: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut items: Vec<usize> = items.collect();
    items.sort_by_key(|&item| std::cmp::Reverse(length(item)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for item in items {
        match batches.last_mut() {
            // The first of a batch is its longest.
            Some(batch) if batch.len() < BATCH_SENTENCES && (batch.len() + 1) * length(batch[0]) <= BATCH_POSITIONS => {
                batch.push(item);
            }
            _ => batches.push(vec![item]),
        }
    }
    batches
}

#[cfg(all(test, feature = "train"))]
mod tests;
