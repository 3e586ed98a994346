//! The batches of a run, in the order of its seed, from any position: of corpora, an epoch at a time; of a stream, a buffer at a time.

use std::borrow::Cow;
use std::fmt;

use super::{BufferReport, Event, Observer, TrainError};
use crate::align::{GivenRows, PairLinks, WeightsOf};
use crate::config::Config;
use crate::data::{
    Batch, BatchOptions, BatchShape, DataError, Epoch, EpochOptions, Epochs, Example, Examples, Fill, FilterReport,
    Limits, MergeDropout, PairStream, StreamPosition, encode_pairs,
};
use crate::text::Tokenizers;

/// Where a pair stands.
#[derive(Debug)]
pub(super) struct Place {
    line: u64,
    /// Its number, from 1, if there are several.
    corpus: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.corpus {
            Some(corpus) => write!(f, "{} of corpus {corpus}", self.line),
            None => self.line.fmt(f),
        }
    }
}

/// Pairs of a batch that are named when its numbers are not finite.
const PLACES: usize = 8;

/// Examples and the plan of the epoch at hand.
#[derive(Debug)]
pub(super) struct Batches {
    epochs: Epochs,
    /// The one at hand; none only where making the next one failed.
    epoch: Option<Epoch>,
    number: u64,
    rest: Option<Rest>,
    guide: Option<Guide>,
}

/// What the attention is drawn towards.
#[derive(Debug)]
pub(super) struct Guide {
    /// Those of each example.
    pub(super) pairs: Vec<PairLinks>,
    /// Whose weights are a target word's.
    pub(super) step: WeightsOf,
    /// What cuts examples anew in each epoch, if anything does.
    pub(super) anew: Option<Tokenizers>,
}

/// What follows in a stream.
#[derive(Debug)]
struct Rest {
    stream: PairStream,
    tokenizers: Tokenizers,
    limits: Limits,
    options: EpochOptions,
    /// Pairs of a buffer.
    buffer: usize,
    is_over: bool,
}

impl Batches {
    /// Batches of `examples`, `counts[c]` of each corpus c, then of what comes in the stream.
    pub(super) fn new(
        examples: Examples,
        counts: Vec<usize>,
        config: &Config,
        tokenizers: &Tokenizers,
        stream: Option<PairStream>,
        guide: Option<Guide>,
    ) -> Result<Self, DataError> {
        let (limits, p) = (config.data.limits(), config.text.bpe_dropout);
        let weights = &config.data.corpus_weights;
        let options = EpochOptions {
            batch: BatchOptions { tokens: config.train.batch_tokens.unwrap_or(2_000), seed: config.seed },
            weights: if weights.is_empty() { vec![1.0; counts.len()] } else { weights.clone() },
            sample: config.data.sample,
            dropout: (p > 0.0).then(|| MergeDropout { tokenizers: tokenizers.clone(), p, limits }),
        };
        let rest = stream.map(|stream| Rest {
            stream,
            tokenizers: tokenizers.clone(),
            limits,
            options: options.clone(),
            buffer: config.data.stream_buffer,
            is_over: false,
        });
        let epochs = Epochs::new(examples, counts, options);
        let epoch = Some(epochs.epoch(1)?);
        Ok(Self { epochs, epoch, number: 1, rest, guide })
    }

    /// Goes to an epoch; in a stream, reads on to that buffer.
    pub(super) fn select(&mut self, number: u64, observer: &mut dyn Observer) -> Result<(), TrainError> {
        if self.rest.is_none() && number != self.number {
            self.number = number;
            return Ok(self.make()?);
        }
        while self.number < number
            && let Some(rest) = &mut self.rest
        {
            self.number += 1;
            let (examples, report) = rest.read(self.number)?;
            if !rest.is_over {
                observer.event(Event::Buffer(&report));
            }
            self.epochs = Epochs::new(examples, report.filter.kept, rest.options.clone());
            self.make()?;
        }
        Ok(())
    }

    /// Makes the epoch at hand, when the one before has given back its memory.
    fn make(&mut self) -> Result<(), DataError> {
        self.epoch = None;
        self.epoch = Some(self.epochs.epoch(self.number)?);
        Ok(())
    }

    fn epoch(&self) -> &Epoch {
        self.epoch.as_ref().expect("a training ends where making an epoch fails")
    }

    /// Batches in the epoch.
    pub(super) fn count(&self) -> usize {
        self.epoch().batches()
    }

    /// Lays out batch `index` of the epoch in the memory of the one that was there; and what the attention to it is drawn towards, if it is.
    pub(super) fn lay_out(&self, index: usize, batch: &mut Batch) -> Result<Option<GivenRows>, DataError> {
        let examples = self.epochs.batch(self.epoch(), index)?;
        batch.fill(&examples);
        let Some(Guide { pairs, step, anew }) = &self.guide else { return Ok(None) };
        let usual = self.epoch().numbers(index).map(|i| &pairs[i as usize]);
        let pairs: Vec<Cow<'_, PairLinks>> = match anew {
            Some(tokenizers) => {
                let cut = |(links, example): (&PairLinks, &Example)| Cow::Owned(links.cut_as(example, tokenizers));
                usual.zip(&examples).map(cut).collect()
            }
            None => usual.map(Cow::Borrowed).collect(),
        };
        Ok(Some(GivenRows::new(pairs.iter().map(AsRef::as_ref), batch, *step)))
    }

    /// Where the first pairs of `batch` stand, which is batch `index` of the epoch: their lines, and of which corpus if there are several.
    pub(super) fn places<'a>(&'a self, index: usize, batch: &'a Batch) -> impl Iterator<Item = Place> + 'a {
        let corpora = self.epoch().numbers(index).map(|number| self.epochs.corpus_of(number));
        batch.lines.iter().zip(corpora).take(PLACES).map(|(&line, corpus)| Place { line, corpus })
    }

    /// The shapes of the epoch's batches.
    pub(super) fn shapes(&self) -> Vec<BatchShape> {
        self.epoch().shapes()
    }

    /// Tokens of the epoch, source and target.
    pub(super) fn tokens(&self) -> u64 {
        self.epoch().tokens()
    }

    pub(super) fn fill(&self) -> Fill {
        self.epoch().fill()
    }

    /// How far a stream was read, at the end of its buffer at hand.
    pub(super) fn stream_position(&self) -> Option<StreamPosition> {
        self.rest.as_ref().map(|rest| rest.stream.position())
    }

    pub(super) fn is_stream(&self) -> bool {
        self.rest.is_some()
    }

    /// Whether a stream has no more pairs.
    pub(super) fn is_over(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.is_over)
    }
}

impl Rest {
    fn read(&mut self, number: u64) -> Result<(Examples, BufferReport), DataError> {
        let before = self.stream.report().lines;
        let buffer = self.stream.next_buffer(self.buffer)?;
        let lines = self.stream.report().lines;
        self.is_over = lines == before;
        let mut filter = FilterReport::new(self.limits);
        filter.kept.push(0);
        let examples = encode_pairs(&buffer.pairs, &self.tokenizers, &mut filter)?;
        Ok((examples, BufferReport { number, lines, kept_out: buffer.kept_out, filter }))
    }
}
