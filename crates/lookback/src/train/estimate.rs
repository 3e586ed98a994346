//! What a training will take, before it starts: memory from its shapes, time from a few steps that change nothing.
//!
//! Memory is counted, not guessed: the model runs once per shape of batch on a device that computes nothing ([`Planned`]), so parameters, gradients, moments, packed matrices,
//! activations and their reuse are those of the training. What is added is what of the pairs is in memory, and a constant for the program, its threads' scratch memory and the tokenizers.

use super::Optimizer;
use super::validate::SENTENCES;
use crate::align::PairLinks;
use crate::backend::{Planned, PlannedWeight, Products, Purpose};
use crate::config::{Config, ConfigError, MemorySize, TrainPrecision};
use crate::data::{Batch, BatchShape, Corpus, Examples};
use crate::model::Seq2Seq;
use crate::params::{Gradients, ParamSpec, Params};
use crate::tape::{Graph, Recording, Tape};

/// The program itself, scratch memory of threads, what the allocator keeps.
const PROGRAM: usize = 14 << 20;
/// Bytes a piece of a vocabulary takes in a tokenizer's tables.
const PIECE: usize = 700;
/// What an epoch takes of a pair: its place in the order, and as much while that is sorted.
const PLACE: usize = 8;
/// Shapes that are tried, at most.
const SHAPES: usize = 200;

/// What a training will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Memory at its peak, in bytes; measured peaks lie within a quarter of it.
    pub memory: u64,
    /// The weights' file, in bytes.
    pub model: u64,
    /// An epoch without its validation, in seconds; of a stream, the buffer at hand.
    pub epoch_seconds: f64,
}

/// What a training has of its pairs in memory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// Before the first update, while text becomes ids.
    reading: usize,
    /// Beside the model.
    training: usize,
}

impl Held {
    /// Of corpora, to learn from and to validate on, the examples made of them, and the links of the former.
    pub(super) fn new(
        config: &Config,
        [train, valid]: [&Corpus; 2],
        [learned, validated]: [&Examples; 2],
        links: &[PairLinks],
    ) -> Self {
        let ids = learned.memory() + validated.memory();
        let links = links.iter().map(PairLinks::memory).sum::<usize>();
        let reading = train.pairs.memory() + valid.pairs.memory() + ids + links;
        // Merges that are left out make other examples of them in each epoch.
        let anew = if config.text.bpe_dropout > 0.0 { learned.memory() } else { 0 };
        // An epoch may see pairs more or less often than once.
        let weights = config.data.corpus_weights.iter().copied().fold(1.0, f64::max);
        let most = config.data.sample.unwrap_or(usize::MAX);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "weights are small and pairs far below 2⁵²"
        )]
        let seen = most.min((learned.len() as f64 * weights) as usize);
        Self { reading, training: valid.pairs.memory() + ids + links + anew + PLACE * seen }
    }
}

/// Bytes a training takes at its peak: with this configuration, a model of `vocab` pieces, and batches of these shapes.
pub(super) fn memory(config: &Config, vocab: [usize; 2], shapes: &[BatchShape], held: Held) -> u64 {
    let (model, specs) = Seq2Seq::new(&config.model, vocab[0], vocab[1]);
    let products = if config.train.precision == TrainPrecision::Bf16 { Products::Bf16 } else { Products::Full };
    let device = Planned::new(products);
    let mut params = rooms(&device, &specs);
    let mut shown = (config.train.ema > 0.0).then(|| rooms(&device, &specs));
    let optimizer = Optimizer::new(&device, &specs, &config.train);
    let mut gradients = Gradients::zeros(&device, &params);
    let mut tape = Tape::new();
    params.prepare(&device, Purpose::Train);
    for (i, shape) in some(shapes).into_iter().enumerate() {
        if i.is_multiple_of(config.train.accumulate) {
            gradients.clear(&device);
        }
        let batch = Batch::of_shape(shape);
        tape.reset();
        let recording = Recording::On { seed: 0, step: 1 };
        let mut graph = Graph::training(&device, &params, &mut tape, &mut gradients, recording);
        model.loss(&mut graph, &batch, config.train.label_smoothing);
        graph.backward();
    }
    validate(&device, &model, shown.as_mut().unwrap_or(&mut params), &mut tape, shapes);
    drop(optimizer);
    let pieces = if vocab[0] == vocab[1] { vocab[0] } else { vocab[0] + vocab[1] };
    ((device.bytes() + held.training).max(held.reading) + PROGRAM + PIECE * pieces) as u64
}

/// Validation: the matrices in the form products of few rows want, and a step of a search.
fn validate(
    device: &Planned,
    model: &Seq2Seq,
    params: &mut Params<Planned>,
    tape: &mut Tape<Planned>,
    shapes: &[BatchShape],
) {
    params.prepare(device, Purpose::Decode);
    tape.reset();
    let longest = shapes.iter().map(|shape| shape.src).max().unwrap_or(1);
    let batch = Batch::from_sources(&vec![vec![0; longest.saturating_sub(1)]; SENTENCES]);
    let mut graph = Graph::inference(device, params, tape);
    let memory = model.encode(&mut graph, &batch.src, &batch.src_len);
    let state = model.start(&mut graph, &memory);
    let step = model.decode(&mut graph, &memory, &state, &vec![0; SENTENCES]);
    model.logits(&mut graph, step.attentional);
}

fn rooms(device: &Planned, specs: &[ParamSpec]) -> Params<Planned> {
    let room = |spec: &ParamSpec| device.room(spec.matrix().0, spec.matrix().1);
    let weights: Vec<PlannedWeight> = specs.iter().map(room).collect();
    Params::of_weights(specs.to_vec(), weights)
}

/// Shapes from everywhere among all, in their order, the largest ones among them.
fn some(shapes: &[BatchShape]) -> Vec<BatchShape> {
    let mut chosen: Vec<BatchShape> = shapes.iter().copied().step_by(shapes.len().div_ceil(SHAPES).max(1)).collect();
    for size in [BatchShape::src_positions, BatchShape::tgt_positions] {
        chosen.extend(shapes.iter().copied().max_by_key(size));
    }
    chosen
}

/// Fits the batches to `train.memory`, if it is set: while it is not enough, they are halved and an update takes twice as many, so it stays the sum over as many tokens. `shapes` are
/// those of the batches of so many tokens.
///
/// # Errors
/// If batches of the longest pair alone take more.
pub(super) fn fit(
    config: &mut Config,
    vocab: [usize; 2],
    held: Held,
    shapes: impl Fn(usize) -> Vec<BatchShape>,
) -> Result<(), ConfigError> {
    let Some(most) = config.train.memory else { return Ok(()) };
    loop {
        let tokens = config.train.batch_tokens.unwrap_or(2_000);
        let shapes = shapes(tokens);
        let needed = memory(config, vocab, &shapes, held);
        if needed <= most.bytes() {
            return Ok(());
        }
        let longest = shapes.iter().map(|shape| shape.src.max(shape.tgt)).max().unwrap_or(1);
        if tokens / 2 < longest {
            let needed = MemorySize::from_bytes(needed.next_multiple_of(1_000_000));
            let message = format!(
                "about {needed} are needed even with batches of {tokens} tokens, and the longest pair has {longest}; allow more, make `model.hidden` or the \
                 vocabulary smaller, or lower `data.max_src` and `data.max_tgt`"
            );
            return Err(ConfigError::Invalid { key: "train.memory", message });
        }
        config.train.batch_tokens = Some(tokens / 2);
        config.train.accumulate *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CorpusSize;

    const VOCAB: [usize; 2] = [500, 700];

    fn config() -> Config {
        let config = Config { ..Config::default() };
        config.resolve(CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 }).expect("valid")
    }

    /// Batches of so many tokens, of sentences of 40.
    fn shapes(tokens: usize) -> Vec<BatchShape> {
        vec![BatchShape { src: 40, tgt: 38, batch: tokens / 40 }; 3]
    }

    fn fitted(most: u64) -> Result<Config, ConfigError> {
        let mut config = config();
        config.train.memory = Some(MemorySize::from_bytes(most));
        fit(&mut config, VOCAB, Held::default(), shapes).map(|()| config)
    }

    #[test]
    fn parameters_gradients_and_moments_are_counted_and_batches_beside_them() {
        let config = config();
        let (_, specs) = Seq2Seq::new(&config.model, VOCAB[0], VOCAB[1]);
        let parameters: usize = specs.iter().map(ParamSpec::len).sum();
        let of = |tokens| memory(&config, VOCAB, &shapes(tokens), Held::default());
        assert!(of(40) as usize > 16 * parameters + PROGRAM, "{} for {parameters}", of(40));
        // The gates of the decoder alone are 4 · 512 numbers a position.
        assert!(of(4_000) - of(2_000) > 2_000 * 4 * 2_048, "{} and {}", of(4_000), of(2_000));
        assert_eq!(of(2_000), of(2_000));
    }

    #[test]
    fn batches_are_halved_until_they_fit_and_an_update_stays_as_large() {
        let enough = memory(&config(), VOCAB, &shapes(2_000), Held::default());
        let same = fitted(enough).expect("it fits");
        assert_eq!((same.train.batch_tokens, same.train.accumulate), (Some(2_000), 1));
        let half = fitted(enough - 1).expect("half of it fits");
        assert_eq!((half.train.batch_tokens, half.train.accumulate), (Some(1_000), 2));
        let said = fitted(1_000_000).expect_err("too little").to_string();
        assert!(said.starts_with("train.memory: about ") && said.contains("the longest pair has 40"), "{said}");
    }
}
