//! A trained model, ready to use: text in, text out.

use std::sync::{Mutex, PoisonError};

#[cfg(feature = "files")]
use std::path::Path;

use crate::backend::{Cpu, Purpose};
#[cfg(feature = "files")]
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::Config;
use crate::data::{Batch, Example};
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::search::{Hypothesis, KeepWeights, SearchError, SearchOptions, search};
use crate::tape::{Graph, Tape};
use crate::text::{EOS, Tokenizer, Tokenizers};
use crate::view::{AttentionMap, Side, ViewError};

/// The most sentences searched together.
const BATCH_SENTENCES: usize = 64;
/// The most source positions of a batch, padding included.
const BATCH_POSITIONS: usize = 4_000;

/// A model with its tokenizers, on the processor: translates, scores, and shows where it looked.
///
/// All methods take `&self` and may be called from any number of threads. Results keep the order of the input; inside, sentences of similar length are
/// computed together. Sources longer than anything the model was trained on are translated all the same: nothing is cut off or skipped.
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
    params: Params<Cpu<f32>>,
    model: Seq2Seq,
    tokenizers: Tokenizers,
    config: Config,
    /// Buffers of calls that are over.
    tapes: Mutex<Vec<Tape<Cpu<f32>>>>,
}

/// One translation of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// The source's ids, `</s>` included: the columns of the attention weights. Only `</s>` for a blank source.
    pub src_ids: Vec<u32>,
    /// What was found. For a blank source nothing is searched: no ids, log-probability and score 0.
    pub hypothesis: Hypothesis,
}

/// How probable the model finds a translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairScore {
    /// Log-probability of the target given the source, in nats, summed over `tokens`.
    pub log_prob: f64,
    /// Target pieces, `</s>` included.
    pub tokens: usize,
}

/// Why text could not be translated, scored or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// The search failed. Sentences are counted as they were given, from 0.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The model has no attention to show.
    #[error("the model has no attention (`model.attention = \"none\"`), so there are no weights to show")]
    NoAttention,
    /// The probability of a given translation is not a number.
    #[error("pair {pair}: the log-probability is not finite; the model's weights are damaged or too large")]
    NotFinite {
        /// Which pair, from 0.
        pair: usize,
    },
    /// The weights are not those of an attention.
    #[error("the model's attention cannot be shown")]
    View(#[from] ViewError),
}

impl Translator {
    /// Reads a model folder; computes on all cores.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what the folder's configuration says. Names file and tensor.
    #[cfg(feature = "files")]
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::load_with(dir, 0)
    }

    /// Reads a model folder; computes on `threads` threads, 0 for one per core. Their number changes no result.
    ///
    /// # Errors
    /// As [`Translator::load`].
    #[cfg(feature = "files")]
    pub fn load_with(dir: impl AsRef<Path>, threads: usize) -> Result<Self, CheckpointError> {
        Ok(Self::from_checkpoint(Checkpoint::load(dir.as_ref())?, Cpu::detect(threads)))
    }

    /// A model in memory, on a given processor.
    ///
    /// # Panics
    /// If a parameter has not the length its shape needs.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn from_checkpoint(checkpoint: Checkpoint, cpu: Cpu<f32>) -> Self {
        Self::new(checkpoint.config, checkpoint.tokenizers, &checkpoint.values, cpu)
    }

    /// A model from its parts; `values` are those of [`Seq2Seq::new`]'s parameters, in the same order.
    ///
    /// # Panics
    /// If the configuration was not resolved, or `values` do not fit it.
    #[must_use]
    pub fn new(config: Config, tokenizers: Tokenizers, values: &[Vec<f32>], cpu: Cpu<f32>) -> Self {
        let (src, tgt) = (tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
        let (model, specs) = Seq2Seq::new(&config.model, src, tgt);
        let mut params = Params::from_values(&cpu, specs, values);
        params.prepare(&cpu, Purpose::Decode);
        Self { cpu, params, model, tokenizers, config, tapes: Mutex::default() }
    }

    /// The configuration of the model folder.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tokenizers of both sides.
    #[must_use]
    pub fn tokenizers(&self) -> &Tokenizers {
        &self.tokenizers
    }

    /// The search settings of the model folder, for the best hypothesis without weights.
    #[must_use]
    pub fn search_options(&self) -> SearchOptions {
        self.config.search.clone().into()
    }

    /// The best translation of every source, with the search settings of the model folder. A blank source (empty or white space only) has an empty one.
    ///
    /// # Errors
    /// If the model's numbers are not finite.
    pub fn translate(&self, sources: &[&str]) -> Result<Vec<String>, TranslateError> {
        let translations = self.translate_with(sources, &self.search_options())?;
        Ok(translations.into_iter().map(|best| best.into_iter().next().map(|t| t.text).unwrap_or_default()).collect())
    }

    /// The best translations of every source: between 1 and `options.nbest`, best first, of different ids (two may spell the same text). A blank source has one
    /// translation, which is empty.
    ///
    /// # Errors
    /// If an option is out of range, or the model's numbers are not finite.
    pub fn translate_with(
        &self,
        sources: &[&str],
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Translation>>, TranslateError> {
        options.check()?;
        let ids: Vec<Vec<u32>> = sources.iter().map(|source| self.tokenizers.src.encode(source)).collect();
        let mut found: Vec<Vec<Translation>> = sources.iter().map(|_| vec![blank()]).collect();
        let searched = (0..sources.len()).filter(|&i| !sources[i].trim().is_empty());
        let batches = batches(searched, |i| ids[i].len() + 1);
        self.with_tape(|tape| {
            for lines in batches {
                let batch = Batch::from_sources(&lines.iter().map(|&i| ids[i].clone()).collect::<Vec<_>>());
                let tgt = &self.tokenizers.tgt;
                let beams = search(&self.cpu, &self.params, tape, &self.model, tgt, &batch, options)
                    .map_err(|error| error.of_sentence(|sentence| lines[sentence]))?;
                for (&i, hypotheses) in lines.iter().zip(beams) {
                    let translation = |hypothesis| self.translation(&ids[i], hypothesis);
                    found[i] = hypotheses.into_iter().map(translation).collect();
                }
            }
            Ok(found)
        })
    }

    /// Where the model looked while it wrote each of its best translations: one map per hypothesis, with its rank in the beam. A blank source has none.
    ///
    /// # Errors
    /// As [`Translator::translate_with`], and if the model has no attention.
    pub fn attend(&self, sources: &[&str], options: &SearchOptions) -> Result<Vec<Vec<AttentionMap>>, TranslateError> {
        self.need_attention()?;
        let options = SearchOptions { weights: KeepWeights::Yes, ..options.clone() };
        let translations = self.translate_with(sources, &options)?;
        let maps = |(line, translations): (usize, Vec<Translation>)| {
            let found = translations.into_iter().filter(|t| !t.hypothesis.ids.is_empty()).enumerate();
            let maps = found.map(|(rank, Translation { text, src_ids, hypothesis })| {
                let src = side(&self.tokenizers.src, sources[line].to_owned(), &src_ids);
                let tgt = side(&self.tokenizers.tgt, text, &hypothesis.ids);
                let weights = hypothesis.weights.unwrap_or_default();
                Ok(AttentionMap::new(line, src, tgt, weights, hypothesis.log_prob)?.with_rank(rank))
            });
            maps.collect()
        };
        translations.into_iter().enumerate().map(maps).collect()
    }

    /// Where the model looks while it reads given translations: `(source, target)` pairs, one map each, in their order.
    ///
    /// # Errors
    /// If the model has no attention, or its numbers are not finite.
    pub fn attend_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<AttentionMap>, TranslateError> {
        self.need_attention()?;
        let map = |pair: Forced<'_>| {
            let ended = |ids: &[u32]| ids.iter().copied().chain([EOS]).collect::<Vec<u32>>();
            let (src_text, tgt_text) = pairs[pair.number];
            let src = side(&self.tokenizers.src, src_text.to_owned(), &ended(&pair.example.src));
            let tgt = side(&self.tokenizers.tgt, tgt_text.to_owned(), &ended(&pair.example.tgt));
            Ok(AttentionMap::new(pair.number, src, tgt, pair.weights(), pair.log_prob)?)
        };
        self.force(pairs, map)
    }

    /// How probable the model finds given translations: `(source, target)` pairs, in their order.
    ///
    /// # Errors
    /// If the model's numbers are not finite.
    pub fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<PairScore>, TranslateError> {
        self.force(pairs, |pair| Ok(PairScore { log_prob: pair.log_prob, tokens: pair.example.tgt.len() + 1 }))
    }

    /// Runs the model over given translations.
    fn force<R>(
        &self,
        pairs: &[(&str, &str)],
        result: impl Fn(Forced<'_>) -> Result<R, TranslateError>,
    ) -> Result<Vec<R>, TranslateError> {
        let Tokenizers { src, tgt, .. } = &self.tokenizers;
        let example =
            |&(source, target): &(&str, &str)| Example { src: src.encode(source), tgt: tgt.encode(target), line: 0 };
        let examples: Vec<Example> = pairs.iter().map(example).collect();
        let batches = batches(0..pairs.len(), |i| examples[i].src.len().max(examples[i].tgt.len()) + 1);
        let mut results: Vec<Option<R>> = pairs.iter().map(|_| None).collect();
        self.with_tape(|tape| {
            for numbers in batches {
                let batch = Batch::new(&numbers.iter().map(|&i| &examples[i]).collect::<Vec<_>>());
                tape.reset();
                let mut g = Graph::inference(&self.cpu, &self.params, tape);
                let (nll, weights) = self.model.score(&mut g, &batch);
                let weights = weights.map(|weights| g.download(weights));
                for (row, &number) in numbers.iter().enumerate() {
                    let steps = batch.tgt_len[row] as usize;
                    let log_prob = -(0..steps).map(|t| nll[t * batch.batch + row]).sum::<f64>();
                    if !log_prob.is_finite() {
                        return Err(TranslateError::NotFinite { pair: number });
                    }
                    let (example, weights) = (&examples[number], weights.as_deref());
                    results[number] = Some(result(Forced { number, example, log_prob, batch: &batch, row, weights })?);
                }
            }
            tape.reset();
            Ok(results.into_iter().flatten().collect())
        })
    }

    fn need_attention(&self) -> Result<(), TranslateError> {
        if self.model.has_attention() { Ok(()) } else { Err(TranslateError::NoAttention) }
    }

    fn translation(&self, src: &[u32], hypothesis: Hypothesis) -> Translation {
        let src_ids = src.iter().copied().chain([EOS]).collect();
        Translation { text: self.tokenizers.tgt.decode(&hypothesis.ids), src_ids, hypothesis }
    }

    /// Lends a tape: a new one if other threads have all there are.
    fn with_tape<R>(&self, work: impl FnOnce(&mut Tape<Cpu<f32>>) -> R) -> R {
        let tapes = || self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = tapes().pop();
        let mut tape = lent.unwrap_or_default();
        let result = work(&mut tape);
        tapes().push(tape);
        result
    }
}

/// A given translation, read by the model.
struct Forced<'a> {
    number: usize,
    example: &'a Example,
    log_prob: f64,
    batch: &'a Batch,
    row: usize,
    /// (T, B, S) of the whole batch.
    weights: Option<&'a [f32]>,
}

impl Forced<'_> {
    /// The weights of this pair alone, (T, S) without padding.
    fn weights(&self) -> Vec<f32> {
        let Batch { batch, src_max, .. } = *self.batch;
        let rows = (0..=self.example.tgt.len()).map(|t| (t * batch + self.row) * src_max);
        let weights = self.weights.unwrap_or_default();
        rows.flat_map(|start| &weights[start..][..=self.example.src.len()]).copied().collect()
    }
}

/// The translation of a blank source.
fn blank() -> Translation {
    let hypothesis = Hypothesis { ids: Vec::new(), log_prob: 0.0, score: 0.0, weights: None, is_cut: false };
    Translation { text: String::new(), src_ids: vec![EOS], hypothesis }
}

/// One side of a map. The end of a sentence is in no word: it stands for itself.
fn side(tokenizer: &Tokenizer, text: String, ids: &[u32]) -> Side {
    let words = tokenizer.words(ids.strip_suffix(&[EOS]).unwrap_or(ids));
    Side { text, tokens: tokenizer.display_pieces(ids), words }
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
