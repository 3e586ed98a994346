//! What a run is made of: one configuration, read from TOML or JSON, changed by `key=value`, stored whole in the model folder.
//!
//! A recipe holds no paths: data are arguments. What a recipe leaves out is chosen from the data ([`Config::resolve`]); the effective configuration has
//! every value. Unknown keys are errors that suggest the nearest one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Limits;

mod attention;
mod check;
mod difference;
mod guided;
mod keys;
mod memory;
mod metric;
mod optimization;
mod parse;
mod period;
mod precision;
mod regularization;
mod resolve;

pub use crate::backend::CellKind;
pub use crate::text::{Normalization, Sharing, TextMode};
pub use attention::{AttentionKind, DecoderOrder, WindowKind};
pub use difference::Change;
pub use guided::{GuidedKind, GuidedStep};
pub use keys::{Key, keys};
pub use memory::MemorySize;
pub use metric::Metric;
pub use optimization::{OptimizerKind, Schedule};
pub use period::{Period, Reached};
pub use precision::TrainPrecision;
pub use regularization::ScheduledSampling;
pub use resolve::CorpusSize;

/// Everything a run is made of, except its data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The seed of everything random.
    pub seed: u64,
    /// How text becomes ids.
    pub text: TextConfig,
    /// Which pairs take part, and how they are batched.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// Search, in validation and by default in translation.
    pub search: SearchConfig,
}

/// How text becomes ids.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// Subwords, characters or words.
    pub mode: Option<TextMode>,
    /// Pieces in the vocabulary, special and byte pieces included.
    pub vocab_size: Option<usize>,
    /// One vocabulary for both sides, or one each.
    pub sharing: Option<Sharing>,
    /// The normalization form of Unicode all text is brought to.
    pub normalization: Normalization,
    /// Whether capitals become small letters on both sides; the model then writes none.
    pub lowercase: bool,
    /// How often a pair (`bpe`), character (`char`) or word (`word`) must be seen to have a piece.
    pub min_frequency: Option<u64>,
    /// Probability that a merge is left out when training pairs are cut, anew in each epoch (`bpe`; Provilkov et al. 2020).
    pub bpe_dropout: f64,
}

/// Which pairs take part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Longest source, in pieces; longer pairs are skipped, counted and reported.
    pub max_src: usize,
    /// Longest target, in pieces.
    pub max_tgt: usize,
    /// Fewest pieces of the shorter side.
    pub min_length: usize,
    /// How many times as long as the shorter side, in pieces, the longer one may be.
    pub max_ratio: Option<f64>,
    /// Pairs held out for validation when no validation file is given.
    pub hold_out: Option<usize>,
    /// How often a pair of each corpus is seen in an epoch, on average: 3 times, or 0.5 (another half each time). Once, if not given.
    pub corpus_weights: Vec<f64>,
    /// At most so many pairs an epoch, drawn anew each time.
    pub sample: Option<usize>,
    /// Pairs of a stream that are held and shuffled together; the first ones choose vocabulary, sizes and hold-out.
    pub stream_buffer: usize,
}

impl DataConfig {
    /// Which pairs take part.
    pub fn limits(&self) -> Limits {
        let Self { max_src, max_tgt, min_length: min, max_ratio, .. } = *self;
        Limits { max_src, max_tgt, min, max_ratio }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            max_src: 150,
            max_tgt: 150,
            min_length: 0,
            max_ratio: None,
            hold_out: None,
            corpus_weights: Vec::new(),
            sample: None,
            stream_buffer: 200_000,
        }
    }
}

/// The model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// E, width of the embeddings.
    pub embedding: Option<usize>,
    /// H, width of the decoder.
    pub hidden: Option<usize>,
    /// Width of the encoder's output, both directions together; as `hidden` if not given.
    pub encoder_hidden: Option<usize>,
    /// The recurrent cell, of encoder and decoder.
    pub cell: CellKind,
    /// The encoder's cell, where it is another than `cell`.
    pub encoder_cell: Option<CellKind>,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Whether the encoder reads in both directions.
    pub bidirectional: bool,
    /// The attention score.
    pub attention: AttentionKind,
    /// The part of the source that a step looks at.
    pub window: WindowKind,
    /// D, positions to either side of the centre of a window (`local_m`, `local_p`); 10 if not given.
    pub window_width: Option<usize>,
    /// N, heads of the attention: each has an equal share of the columns and weights of its own.
    pub heads: usize,
    /// A, width of the additive score (`concat`); as `hidden` if not given.
    pub attention_width: Option<usize>,
    /// The longest source, in pieces, that `location` has weights for; as `data.max_src` if not given.
    pub location_length: Option<usize>,
    /// Whether the decoder looks back after its step or before.
    pub decoder: DecoderOrder,
    /// Whether the attentional state is fed back as input (Luong et al. 2015, §3.3).
    pub input_feeding: bool,
    /// How the encoder's final states become the decoder's first.
    pub bridge: Bridge,
    /// Which embeddings share one matrix with the output layer.
    pub tied_embeddings: TiedEmbeddings,
    /// Dropout probability: on embeddings, between layers, on the attentional state.
    pub dropout: Option<f32>,
    /// Dropout probability on embeddings, where it is another than `dropout`.
    pub dropout_embedding: Option<f32>,
    /// Dropout probability between layers, where it is another than `dropout`.
    pub dropout_layers: Option<f32>,
    /// Dropout probability on the attentional state, where it is another than `dropout`.
    pub dropout_state: Option<f32>,
    /// Whether a sequence has one mask at each of these places, the same at every step (Gal & Ghahramani 2016), instead of one for every step.
    pub variational_dropout: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            embedding: None,
            hidden: None,
            encoder_hidden: None,
            cell: CellKind::Lstm,
            encoder_cell: None,
            encoder_layers: 1,
            decoder_layers: 1,
            bidirectional: true,
            attention: AttentionKind::Dot,
            window: WindowKind::Global,
            window_width: None,
            heads: 1,
            attention_width: None,
            location_length: None,
            decoder: DecoderOrder::Luong,
            input_feeding: false,
            bridge: Bridge::Copy,
            tied_embeddings: TiedEmbeddings::None,
            dropout: None,
            dropout_embedding: None,
            dropout_layers: None,
            dropout_state: None,
            variational_dropout: false,
        }
    }
}

impl ModelConfig {
    /// The encoder's cell.
    #[must_use]
    pub fn encoder_cell(&self) -> CellKind {
        self.encoder_cell.unwrap_or(self.cell)
    }
}

/// How the encoder's final states become the decoder's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bridge {
    /// As they are; needs equal cells, sizes and numbers of layers.
    Copy,
    /// Through learned layers: `h = tanh(W·h + b)` and, for an LSTM, `c = W·c + b`.
    Project,
    /// Not at all: the decoder starts from zeros and knows the source by its attention alone.
    Zero,
}

/// Which embeddings share one matrix with the output layer (Press & Wolf 2017). Where they are not as wide as the decoder, its states are projected first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TiedEmbeddings {
    /// None.
    None,
    /// The target's.
    Target,
    /// Source and target; needs one vocabulary for both.
    All,
}

/// The training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Tokens per batch: sentences × the longer side, padding included.
    pub batch_tokens: Option<usize>,
    /// Batches per update; equals one batch of all of them.
    pub accumulate: usize,
    /// What the training may take at its peak, as "2GB" or "800MB": batches are halved and `accumulate` is doubled until the estimate is below it, so an update stays the sum over as many tokens.
    pub memory: Option<MemorySize>,
    /// What products round their operands to; weights, sums and all else stay in single precision.
    pub precision: TrainPrecision,
    /// Whether `bf16` may be computed without instructions for it: slower than `f32`, the same training within rounding.
    pub emulate_bf16: bool,
    /// Stop after so many updates.
    pub max_updates: Option<u64>,
    /// Stop after so many passes over the data.
    pub max_epochs: Option<u64>,
    /// Stop after so many minutes. A run that stops by the clock cannot be repeated exactly.
    pub max_minutes: Option<f64>,
    /// What an update does with a gradient.
    pub optimizer: OptimizerKind,
    /// The learning rate at its highest; 0.001 for `adam` and `adamw`, 1 for `sgd` if not given.
    pub learning_rate: Option<f64>,
    /// The share of itself, times the learning rate, that every matrix loses in an update (`adamw`; vectors lose nothing); 0.01 if not given.
    pub weight_decay: Option<f64>,
    /// How much of the step before goes into a step (`sgd`).
    pub momentum: f64,
    /// How the learning rate goes after the warm-up.
    pub schedule: Schedule,
    /// Updates over which the learning rate rises from zero.
    pub warmup: u64,
    /// What the rate is multiplied by when a plateau is met, or every `decay_every` epochs for `exponential`.
    pub decay: f64,
    /// First epoch at a reduced rate with `exponential` and `halving`, from 1.
    pub decay_from: u64,
    /// Epochs from one reduction to the next with `exponential` and `halving`.
    pub decay_every: u64,
    /// Where `linear` and `cosine` end, and what no other schedule falls below after the warm-up.
    pub min_learning_rate: f64,
    /// Adam's decay of the first moment.
    pub beta1: f64,
    /// Adam's decay of the second moment.
    pub beta2: f64,
    /// Adam's ε.
    pub epsilon: f64,
    /// How much of the moving average of the weights stays in an update, as 0.999: validated and kept as the model in place of the weights themselves; 0 for none.
    pub ema: f64,
    /// Largest global norm of the gradient (per target token); 0 for none.
    pub clip_norm: f64,
    /// Probability that a word of the source is read as `<unk>`.
    pub word_dropout_src: f64,
    /// Probability that a word before is read as `<unk>` by the decoder; what it is to write stays.
    pub word_dropout_tgt: f64,
    /// How often the decoder reads words of its own in training; every update then has a second forward pass.
    pub scheduled_sampling: ScheduledSampling,
    /// The highest probability that a word before is the decoder's own.
    pub sampling_max: f64,
    /// k of `inverse_sigmoid`: half of the words are its own after k·ln k updates.
    pub sampling_k: f64,
    /// Label smoothing ε.
    pub label_smoothing: f32,
    /// How attention weights are compared with those of given links (`--guided-alignment`); `ce` if not given.
    pub guided_alignment_cost: Option<GuidedKind>,
    /// What that cost, summed over the guided positions, is multiplied by before it is added to the loss, summed over the target tokens; 0.1 if not given.
    pub guided_alignment_weight: Option<f64>,
    /// Whose weights are a target word's; `write` if not given, as `lookback align` takes them.
    pub guided_alignment_step: Option<GuidedStep>,
    /// Where positions start in the known links of `--align-gold`, 0 or 1; 0 if not given.
    pub gold_base: Option<u8>,
    /// Stop after so much, whatever the unit: "10Mt", "2h". With time a run cannot be repeated exactly.
    pub stop_after: Option<Period>,
    /// Validate every so many updates, or as "1e", "10Mt", "5min"; once an epoch if not given, with at least 50 updates between.
    pub validate_every: Option<Period>,
    /// Stop after so many validations without a better score, those during the warm-up not counted; 0 for never.
    pub patience: u64,
    /// What is meant by better.
    pub metric: Metric,
    /// What is reported of a validation's greedy translations, beside the loss; `metric` always is.
    #[serde(deserialize_with = "metric::several")]
    pub validate_metrics: Vec<Metric>,
    /// Metrics by which the best model is kept, too, each in `best/METRIC` of the model folder.
    #[serde(deserialize_with = "metric::several")]
    pub keep_best: Vec<Metric>,
    /// Sentences of the validation set that are translated for its BLEU; 0 for all.
    pub validate_sentences: usize,
    /// Keep the models of the last so many validations in `checkpoints/UPDATE` of the model folder, for `lookback average`; 0 for none.
    pub keep_checkpoints: usize,
    /// Write the training state every so many updates, or as "10Mt", "10min", and at every validation.
    pub checkpoint_every: Period,
    /// A line of the log, of metrics.jsonl and of the TensorBoard events every so many updates, or as "1e", "10Mt"; every ten seconds in the log if not given. Where the log goes by time, the files have every tenth update.
    pub log_every: Option<Period>,
    /// Write what is in metrics.jsonl as TensorBoard events, too.
    pub tensorboard: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            batch_tokens: None,
            accumulate: 1,
            memory: None,
            precision: TrainPrecision::F32,
            emulate_bf16: false,
            max_updates: None,
            max_epochs: None,
            max_minutes: None,
            optimizer: OptimizerKind::Adam,
            learning_rate: None,
            weight_decay: None,
            momentum: 0.0,
            schedule: Schedule::InverseSqrt,
            warmup: 400,
            decay: 0.7,
            decay_from: 5,
            decay_every: 1,
            min_learning_rate: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            ema: 0.0,
            clip_norm: 1.0,
            word_dropout_src: 0.0,
            word_dropout_tgt: 0.0,
            scheduled_sampling: ScheduledSampling::None,
            sampling_max: 0.25,
            sampling_k: 500.0,
            label_smoothing: 0.1,
            guided_alignment_cost: None,
            guided_alignment_weight: None,
            guided_alignment_step: None,
            gold_base: None,
            stop_after: None,
            validate_every: None,
            patience: 5,
            metric: Metric::Bleu,
            validate_metrics: vec![Metric::Bleu, Metric::Exact],
            keep_best: Vec::new(),
            validate_sentences: 0,
            keep_checkpoints: 0,
            checkpoint_every: Period::Updates(1000),
            log_every: None,
            tensorboard: false,
        }
    }
}

/// Search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Hypotheses kept at every step; 1 is greedy.
    pub beam_size: usize,
    /// Length normalisation α: hypotheses are compared by log-probability / lengthᵅ.
    pub length_penalty: f64,
    /// Coverage penalty β (Wu et al. 2016): hypotheses lose β·|log| of what they did not look at of each source position; 0 for none. Needs attention.
    pub coverage_penalty: f64,
    /// No n-gram of this size twice in a translation; 0 allows it.
    pub no_repeat_ngram_size: usize,
    /// Shortest translation, as a multiple of the source's pieces.
    pub min_length_ratio: f64,
    /// Longest translation, as a multiple of the source's pieces …
    pub max_length_ratio: f64,
    /// … plus so many.
    pub max_length_extra: usize,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            beam_size: 5,
            length_penalty: 1.0,
            coverage_penalty: 0.0,
            no_repeat_ngram_size: 0,
            min_length_ratio: 0.0,
            max_length_ratio: 2.0,
            max_length_extra: 20,
        }
    }
}

/// A configuration that cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not TOML or JSON.
    #[error("{origin}: {message}")]
    Syntax {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where it came from.
        origin: String,
        /// The key, with its section.
        key: String,
        /// The nearest key that exists.
        suggestion: Option<String>,
    },
    /// A value that does not fit its key.
    #[error("{origin}: {message}")]
    Value {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// Values that exclude each other, or are out of range.
    #[error("{key}: {message}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

/// A configuration as a tree of values: the form in which files and `key=value` are merged.
pub(crate) type Tree = Value;
