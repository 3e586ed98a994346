//! What is seen in an epoch: how often each corpus, which sample, cut into pieces how, and in which batches.
//!
//! Everything is drawn from (seed, epoch) alone, so an epoch can be made again at any time.
use super::examples::ExampleWriter;
use super::shuffle::Draws;
use super::{BatchOptions, Batcher, DataError, Example, Examples, Limits, Plan};
use crate::backend::RandomKey;
use crate::text::Tokenizers;

/// The streams of draws used here; batches use the low ones, the hold-out the highest.
const CORPUS_STREAM: u64 = 1 << 62;
const SAMPLE_STREAM: u64 = 1 << 63;
/// The streams of dropped merges, source and target; networks count theirs from 0.
const MERGE_STREAMS: [u32; 2] = [u32::MAX - 1, u32::MAX];

/// How epochs are made.
#[derive(Clone, Debug)]
pub struct EpochOptions {
    /// How examples are batched; the seed is that of everything drawn here.
    pub batch: BatchOptions,
    /// How often a pair of each corpus is seen in an epoch, on average: 1 once, 0.5 in every other epoch, 2.5 twice or three times.
    pub weights: Vec<f64>,
    /// The most pairs of an epoch.
    pub sample: Option<usize>,
    /// Merges that are left out, anew in each epoch.
    pub dropout: Option<MergeDropout>,
}

/// BPE-dropout of training pairs.
#[derive(Clone, Debug)]
pub struct MergeDropout {
    /// The tokenizers that encoded the examples.
    pub tokenizers: Tokenizers,
    /// The probability of leaving a merge out.
    pub p: f64,
    /// A side that its pieces make too long is seen in its usual pieces.
    pub limits: Limits,
}

/// Examples of one or several corpora, and how epochs are made of them.
#[derive(Debug)]
pub struct Epochs {
    examples: Examples,
    /// Examples of each corpus, which stand after one another.
    counts: Vec<usize>,
    options: EpochOptions,
}

/// The examples of an epoch and their batches.
#[derive(Debug)]
pub struct Epoch {
    selection: Selection,
    /// The example at each place, cut anew; none if it is seen in its usual pieces.
    drawn: Option<Examples>,
    batcher: Batcher,
    plan: Plan,
}

/// What stands at each place of a plan.
#[derive(Debug)]
enum Selection {
    /// So many examples, each at the place of its number.
    All(u32),
    /// These, by number.
    Some(Vec<u32>),
}

impl Selection {
    fn len(&self) -> usize {
        match self {
            Self::All(count) => *count as usize,
            Self::Some(numbers) => numbers.len(),
        }
    }

    fn at(&self, place: u32) -> u32 {
        match self {
            Self::All(_) => place,
            Self::Some(numbers) => numbers[place as usize],
        }
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).take(self.len()).map(|place| self.at(place))
    }
}

impl Epochs {
    /// `examples` hold `counts[c]` of corpus c, one corpus after another.
    ///
    /// # Panics
    /// If the counts do not add up, or there are not as many weights as counts.
    pub fn new(examples: Examples, counts: Vec<usize>, options: EpochOptions) -> Self {
        assert_eq!(counts.iter().sum::<usize>(), examples.len(), "every example is of a corpus");
        assert_eq!(counts.len(), options.weights.len(), "every corpus has a weight");
        Self { examples, counts, options }
    }

    /// The corpus, from 1, that example `number` is of; none if there is only one.
    pub fn corpus_of(&self, number: u32) -> Option<usize> {
        let mut end = 0;
        let corpus = self.counts.iter().position(|count| {
            end += count;
            (number as usize) < end
        });
        corpus.filter(|_| self.counts.len() > 1).map(|corpus| corpus + 1)
    }

    /// Epoch `number`.
    ///
    /// # Errors
    /// If there are more examples than fit into memory and a temporary file cannot be written or read.
    pub fn epoch(&self, number: u64) -> Result<Epoch, DataError> {
        let selection = self.selection(number);
        let drawn = self.drawn(number, &selection)?;
        let batcher = match (&drawn, &selection) {
            (Some(drawn), _) => Batcher::new(drawn, self.options.batch),
            (None, Selection::All(_)) => Batcher::new(&self.examples, self.options.batch),
            (None, Selection::Some(_)) => {
                let lengths = selection.iter().map(|i| self.examples.lengths().get(i));
                Batcher::from_lengths(lengths.map(|[src, tgt]| (src as usize, tgt as usize)), self.options.batch)
            }
        };
        let plan = batcher.plan(number);
        Ok(Epoch { selection, drawn, batcher, plan })
    }

    /// The examples of batch `index` of `epoch`.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    pub fn batch(&self, epoch: &Epoch, index: usize) -> Result<Vec<Example>, DataError> {
        match &epoch.drawn {
            Some(drawn) => drawn.some(epoch.plan.batch(index)),
            None => self.examples.some(&epoch.numbers(index).collect::<Vec<_>>()),
        }
    }

    /// Which examples an epoch holds, by corpus and line.
    #[allow(clippy::float_cmp, reason = "a weight of one is written so")]
    fn selection(&self, number: u64) -> Selection {
        let count = u32::try_from(self.examples.len()).expect("there are fewer than 2^32 examples");
        let sample = self.options.sample.unwrap_or(usize::MAX);
        if sample >= self.examples.len() && self.options.weights.iter().all(|&weight| weight == 1.0) {
            return Selection::All(count);
        }
        let mut selection = Vec::new();
        let mut start = 0;
        for ((corpus, &count), &weight) in (0..).zip(&self.counts).zip(&self.options.weights) {
            let indices = || (start..).take(count);
            for _ in 0..whole(weight) {
                selection.extend(indices());
            }
            let more = share(weight.fract(), count);
            if more > 0 {
                let mut draws = Draws::new(self.options.batch.seed, CORPUS_STREAM ^ (number << 16) ^ corpus);
                selection.extend(draws.choose(indices().collect(), more));
            }
            start += u32::try_from(count).expect("there are fewer than 2^32 examples");
        }
        if sample < selection.len() {
            let mut draws = Draws::new(self.options.batch.seed, SAMPLE_STREAM ^ number);
            selection = draws.choose(selection, sample);
        }
        selection.shrink_to_fit();
        Selection::Some(selection)
    }

    /// The selected examples with merges left out, if some are to be.
    fn drawn(&self, number: u64, selection: &Selection) -> Result<Option<Examples>, DataError> {
        let Some(MergeDropout { tokenizers, p, limits }) = &self.options.dropout else { return Ok(None) };
        let cut = |i: u32| -> Result<Example, DataError> {
            let example = self.examples.get(i)?;
            let side = |ids: Vec<u32>, tokenizer: &crate::text::Tokenizer, stream, most| {
                // Epochs and examples are both below 2^32.
                let key = RandomKey { seed: self.options.batch.seed, stream, step: number << 32 | u64::from(i) };
                let drawn = tokenizer.encode_with_dropout(&tokenizer.decode(&ids), *p, key);
                drawn.filter(|drawn| drawn.len() <= most).unwrap_or(ids)
            };
            let [src, tgt] = MERGE_STREAMS;
            Ok(Example {
                src: side(example.src, &tokenizers.src, src, limits.max_src),
                tgt: side(example.tgt, &tokenizers.tgt, tgt, limits.max_tgt),
                line: example.line,
            })
        };
        let mut drawn = ExampleWriter::like(&self.examples);
        for i in selection.iter() {
            drawn.push(&cut(i)?)?;
        }
        Ok(Some(drawn.finish()?))
    }
}

impl Epoch {
    /// Which examples those of batch `index` are, in their order.
    pub fn numbers(&self, index: usize) -> impl Iterator<Item = u32> {
        self.plan.batch(index).iter().map(|&place| self.selection.at(place))
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.plan.len()
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> usize {
        self.selection.len()
    }

    /// The shapes of the batches, in their order.
    pub fn shapes(&self) -> Vec<super::BatchShape> {
        self.batcher.shapes(&self.plan)
    }

    /// Tokens of all pairs, source and target, ends counted.
    pub fn tokens(&self) -> u64 {
        self.batcher.tokens()
    }

    /// How much of the batches' positions is real.
    pub fn fill(&self) -> super::Fill {
        self.batcher.fill(&self.plan)
    }
}

/// The whole part of a weight.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "weights are checked to be small and positive"
)]
fn whole(weight: f64) -> u32 {
    weight.trunc() as u32
}

/// The nearest number to this share of `count`.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2⁵² and shares between 0 and 1"
)]
fn share(share: f64, count: usize) -> usize {
    (share * count as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TokenizerSpec;

    fn examples(count: usize) -> Examples {
        (0..count).map(|i| Example { src: vec![5; i % 7 + 1], tgt: vec![6; i % 5 + 1], line: i as u64 }).collect()
    }

    fn options(weights: &[f64], sample: Option<usize>) -> EpochOptions {
        EpochOptions { batch: BatchOptions { tokens: 50, seed: 3 }, weights: weights.to_vec(), sample, dropout: None }
    }

    /// How often each example is in an epoch.
    fn seen(epochs: &Epochs, number: u64) -> Vec<usize> {
        let epoch = epochs.epoch(number).unwrap();
        let mut seen = vec![0; epochs.examples.len()];
        for batch in 0..epoch.batches() {
            for example in epochs.batch(&epoch, batch).unwrap() {
                seen[example.line as usize] += 1;
            }
        }
        assert_eq!(seen.iter().sum::<usize>(), epoch.pairs());
        seen
    }

    #[test]
    fn one_corpus_at_weight_one_is_batched_as_it_stands() {
        let (examples, options) = (examples(100), options(&[1.0], None));
        let plain = Batcher::new(&examples, options.batch);
        let all = examples.to_vec().unwrap();
        let epochs = Epochs::new(examples, vec![100], options);
        for number in [1, 2] {
            let epoch = epochs.epoch(number).unwrap();
            assert_eq!((epoch.plan.clone(), epoch.fill()), (plain.plan(number), plain.fill(&plain.plan(number))));
            assert_eq!(epochs.batch(&epoch, 0).unwrap()[0], all[epoch.plan.batch(0)[0] as usize]);
        }
    }

    #[test]
    fn a_weight_says_how_often_a_pair_is_seen() {
        let epochs = Epochs::new(examples(140), vec![20, 100, 20], options(&[3.0, 0.25, 1.5], None));
        let mut total = vec![0; 140];
        for number in 1..=40 {
            let seen = seen(&epochs, number);
            assert!(seen[..20].iter().all(|&times| times == 3));
            assert!(seen[20..120].iter().all(|&times| times <= 1) && seen[20..120].iter().sum::<usize>() == 25);
            assert!(
                seen[120..].iter().all(|&times| times == 1 || times == 2) && seen[120..].iter().sum::<usize>() == 30
            );
            total.iter_mut().zip(seen).for_each(|(total, times)| *total += times);
        }
        // Each pair of the second corpus comes in ten epochs of forty; a standard deviation is 2.7.
        assert!(total[20..120].iter().all(|&times| times > 0 && times < 24), "{total:?}");
        assert_eq!(seen(&epochs, 7), seen(&epochs, 7));
        assert_ne!(seen(&epochs, 7), seen(&epochs, 8));
    }

    #[test]
    fn a_sample_is_drawn_anew_each_epoch() {
        let epochs = Epochs::new(examples(100), vec![60, 40], options(&[1.0, 2.0], Some(30)));
        let first = seen(&epochs, 1);
        assert_eq!(first.iter().sum::<usize>(), 30);
        assert_ne!(first, seen(&epochs, 2));
        let all = Epochs::new(examples(100), vec![60, 40], options(&[1.0, 1.0], Some(1000)));
        assert!(seen(&all, 1).iter().all(|&times| times == 1));
    }

    #[test]
    fn dropped_merges_are_drawn_anew_each_epoch_and_spell_the_same() {
        let text = ["ein Haus am See"; 9];
        let spec = TokenizerSpec { vocab_size: 300, ..TokenizerSpec::default() };
        let tokenizers = Tokenizers::train(&spec, text, text).unwrap();
        let ids = tokenizers.src.encode(text[0]);
        let examples: Examples = (0..9).map(|line| Example { src: ids.clone(), tgt: ids.clone(), line }).collect();
        let limits = Limits { max_src: 100, max_tgt: ids.len(), min: 0, max_ratio: None };
        let dropout = Some(MergeDropout { tokenizers: tokenizers.clone(), p: 0.5, limits });
        let epochs = Epochs::new(examples, vec![9], EpochOptions { dropout, ..options(&[1.0], None) });
        let pieces = |number| {
            let epoch = epochs.epoch(number).unwrap();
            (0..epoch.batches()).flat_map(|b| epochs.batch(&epoch, b).unwrap()).collect()
        };
        let (first, second): (Vec<Example>, Vec<Example>) = (pieces(1), pieces(2));
        assert_eq!(first, pieces(1));
        assert_ne!(first, second);
        for example in first.iter().chain(&second) {
            assert_eq!(tokenizers.src.decode(&example.src), text[0]);
            // A target that would be longer than it may is left as it was.
            assert_eq!(example.tgt, ids);
        }
        assert!(first.iter().any(|example| example.src.len() > ids.len()));
    }
}
