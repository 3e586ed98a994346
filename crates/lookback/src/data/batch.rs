//! A batch of ids, as the model takes it.
//!
//! Ids are time-major: position `s` of sentence `b` is `src[s * batch + b]`, so that one time step is one contiguous row.
//! Every sentence ends with `</s>`; what follows is `<pad>`.
use super::Example;
use crate::text::{BOS, EOS, PAD};

/// A batch of B sentences of up to S source and T target positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// `(S, B)`: source ids and eos, padded.
    pub src: Vec<u32>,
    /// `(B,)`: source positions with eos, each in `1..=S`.
    pub src_len: Vec<u32>,
    /// `(T, B)`: bos and target ids, padded: what the decoder reads. Empty without targets.
    pub tgt_in: Vec<u32>,
    /// `(T, B)`: target ids and eos, padded: what the decoder has to say. Empty without targets.
    pub tgt_out: Vec<u32>,
    /// `(B,)`: target positions with eos, each in `1..=T`. Empty without targets.
    pub tgt_len: Vec<u32>,
    /// B.
    pub batch: usize,
    /// S, the longest source with eos.
    pub src_max: usize,
    /// T, the longest target with eos; 0 without targets.
    pub tgt_max: usize,
    /// The sum of `src_len`.
    pub src_tokens: usize,
    /// The sum of `tgt_len`: how many predictions the loss sums over.
    pub tgt_tokens: usize,
    /// `(B,)`: the lines of the corpus. Empty without targets.
    pub lines: Vec<u64>,
}

/// The sizes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape {
    /// S, the longest source with eos.
    pub src: usize,
    /// T, the longest target with eos.
    pub tgt: usize,
    /// B.
    pub batch: usize,
}

impl BatchShape {
    /// S·B
    pub fn src_positions(&self) -> usize {
        self.src * self.batch
    }

    /// T·B
    pub fn tgt_positions(&self) -> usize {
        self.tgt * self.batch
    }
}

impl Batch {
    /// A batch of this shape, of padding alone.
    pub fn of_shape(shape: BatchShape) -> Self {
        let BatchShape { src, tgt, batch } = shape;
        let lengths = |most: usize| vec![u32::try_from(most).expect("a sentence has fewer than 2^32 ids"); batch];
        Self {
            src: vec![PAD; src * batch],
            src_len: lengths(src),
            tgt_in: vec![PAD; tgt * batch],
            tgt_out: vec![PAD; tgt * batch],
            tgt_len: lengths(tgt),
            batch,
            src_max: src,
            tgt_max: tgt,
            src_tokens: src * batch,
            tgt_tokens: tgt * batch,
            lines: Vec::new(),
        }
    }

    /// Lays out `examples`, in their order.
    ///
    /// # Panics
    /// If there are none.
    pub fn new<'a>(examples: impl IntoIterator<Item = &'a Example, IntoIter: Clone>) -> Self {
        let mut batch = Self::default();
        batch.fill(examples);
        batch
    }

    /// Lays out `examples`, in their order, in the memory of the batch that was there.
    ///
    /// # Panics
    /// If there are none.
    pub fn fill<'a>(&mut self, examples: impl IntoIterator<Item = &'a Example, IntoIter: Clone>) {
        let examples = examples.into_iter();
        self.fill_sources(examples.clone().map(|example| example.src.as_slice()));
        let targets = examples.clone().map(|example| example.tgt.as_slice());
        self.tgt_max = longest(targets.clone()) + 1;
        lengths(&mut self.tgt_len, targets.clone());
        self.tgt_tokens = sum(&self.tgt_len);
        time_major(&mut self.tgt_in, targets.clone(), self.tgt_max, |tgt, t| match t.checked_sub(1) {
            None => BOS,
            Some(before) => tgt.get(before).copied().unwrap_or(PAD),
        });
        time_major(&mut self.tgt_out, targets, self.tgt_max, with_eos);
        self.lines.clear();
        self.lines.extend(examples.map(|example| example.line));
    }

    /// Lays out sentences to translate, in their order. A sentence may be empty: it is its eos.
    ///
    /// # Panics
    /// If there are none.
    pub fn from_sources(sources: &[Vec<u32>]) -> Self {
        let mut batch = Self::default();
        batch.fill_sources(sources.iter().map(Vec::as_slice));
        batch
    }

    /// The attention weights (T, S) of sentence `b` without padding, of those of the batch (T, B, S).
    ///
    /// # Panics
    /// If the weights are not those of the batch.
    #[must_use]
    pub fn weights_of(&self, weights: &[f32], b: usize) -> Vec<f32> {
        assert_eq!(weights.len(), self.tgt_max * self.batch * self.src_max, "weights of the batch");
        let rows = (0..self.tgt_len[b] as usize).map(|t| (t * self.batch + b) * self.src_max);
        rows.flat_map(|start| &weights[start..][..self.src_len[b] as usize]).copied().collect()
    }

    fn fill_sources<'a>(&mut self, sources: impl Iterator<Item = &'a [u32]> + Clone) {
        self.batch = sources.clone().count();
        assert!(self.batch > 0, "a batch needs at least one sentence");
        self.src_max = longest(sources.clone()) + 1;
        lengths(&mut self.src_len, sources.clone());
        self.src_tokens = sum(&self.src_len);
        time_major(&mut self.src, sources, self.src_max, with_eos);
    }
}

fn longest<'a>(sentences: impl Iterator<Item = &'a [u32]>) -> usize {
    sentences.map(<[u32]>::len).max().unwrap_or(0)
}

fn lengths<'a>(lengths: &mut Vec<u32>, sentences: impl Iterator<Item = &'a [u32]>) {
    lengths.clear();
    lengths.extend(sentences.map(|ids| u32::try_from(ids.len() + 1).expect("a sentence has fewer than 2^32 ids")));
}

fn sum(lengths: &[u32]) -> usize {
    lengths.iter().map(|&length| length as usize).sum()
}

fn with_eos(ids: &[u32], t: usize) -> u32 {
    match t.cmp(&ids.len()) {
        std::cmp::Ordering::Less => ids[t],
        std::cmp::Ordering::Equal => EOS,
        std::cmp::Ordering::Greater => PAD,
    }
}

fn time_major<'a>(
    ids: &mut Vec<u32>,
    sentences: impl Iterator<Item = &'a [u32]> + Clone,
    steps: usize,
    id: impl Fn(&[u32], usize) -> u32,
) {
    ids.clear();
    for t in 0..steps {
        ids.extend(sentences.clone().map(|sentence| id(sentence, t)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_laid_out_time_major() {
        let one = Example { src: vec![10, 11, 12], tgt: vec![20], line: 7 };
        let two = Example { src: vec![13], tgt: vec![21, 22], line: 9 };
        let batch = Batch::new([&one, &two]);
        #[rustfmt::skip]
        let expected = Batch {
            src: vec![10, 13,  11, EOS,  12, PAD,  EOS, PAD],
            src_len: vec![4, 2],
            tgt_in: vec![BOS, BOS,  20, 21,  PAD, 22],
            tgt_out: vec![20, 21,  EOS, 22,  PAD, EOS],
            tgt_len: vec![2, 3],
            batch: 2, src_max: 4, tgt_max: 3, src_tokens: 6, tgt_tokens: 5,
            lines: vec![7, 9],
        };
        assert_eq!(batch, expected);
        let mut other = Batch::new([&two, &two, &one]);
        other.fill([&one, &two]);
        assert_eq!(other, expected);
    }

    #[test]
    fn sources_alone_make_a_batch_without_targets() {
        let batch = Batch::from_sources(&[vec![10, 11], vec![]]);
        assert_eq!((batch.src, batch.src_len), (vec![10, EOS, 11, PAD, EOS, PAD], vec![3, 1]));
        assert_eq!((batch.batch, batch.src_max, batch.tgt_max, batch.src_tokens, batch.tgt_tokens), (2, 3, 0, 4, 0));
        assert!(batch.tgt_in.is_empty() && batch.tgt_out.is_empty() && batch.tgt_len.is_empty());
    }

    #[test]
    #[should_panic(expected = "at least one sentence")]
    fn an_empty_batch_panics() {
        let _ = Batch::from_sources(&[]);
    }
}
