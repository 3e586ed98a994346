//! Translations that are given: how probable the models find them, and where they look.

use super::{TranslateError, Translator, batches, side};
use crate::data::{Batch, Example};
use crate::tape::Graph;
use crate::text::{EOS, Tokenizers};
use crate::view::AttentionMap;

/// How probable the model finds a translation.
#[derive(Debug, Clone, PartialEq)]
pub struct PairScore {
    /// Log-probability of the target given the source, in nats, summed over `tokens`.
    pub log_prob: f64,
    /// Target pieces, `</s>` included.
    pub tokens: usize,
    /// The log-probability of each of them.
    pub per_token: Vec<f64>,
}

impl Translator {
    /// Where the model looks while it reads given translations: `(source, target)` pairs, one map each, in their order.
    ///
    /// # Errors
    /// If the model has no attention, a source is too long ([`SearchError::SourceTooLong`](crate::search::SearchError::SourceTooLong) says which), or the model's numbers are not finite.
    pub fn attend_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<AttentionMap>, TranslateError> {
        self.need_attention()?;
        let map = |pair: Forced<'_>| {
            let ended = |ids: &[u32]| ids.iter().copied().chain([EOS]).collect::<Vec<u32>>();
            let (src_text, tgt_text) = pairs[pair.number];
            let src = side(&self.tokenizers.src, src_text.to_owned(), &ended(&pair.example.src));
            let tgt = side(&self.tokenizers.tgt, tgt_text.to_owned(), &ended(&pair.example.tgt));
            Ok(AttentionMap::new(pair.number, src, tgt, pair.weights(), pair.per_token.iter().sum())?)
        };
        self.force(pairs, map)
    }

    /// How probable the model finds given translations: `(source, target)` pairs, in their order. Several models say the mean of their log-probabilities.
    ///
    /// # Errors
    /// If a source is too long ([`SearchError::SourceTooLong`](crate::search::SearchError::SourceTooLong) says which), or the model's numbers are not finite.
    pub fn score_pairs(&self, pairs: &[(&str, &str)]) -> Result<Vec<PairScore>, TranslateError> {
        let score = |pair: Forced<'_>| {
            let (log_prob, tokens) = (pair.per_token.iter().sum(), pair.per_token.len());
            Ok(PairScore { log_prob, tokens, per_token: pair.per_token })
        };
        self.force(pairs, score)
    }

    /// Runs the models over given translations.
    fn force<R>(
        &self,
        pairs: &[(&str, &str)],
        result: impl Fn(Forced<'_>) -> Result<R, TranslateError>,
    ) -> Result<Vec<R>, TranslateError> {
        let Tokenizers { src, tgt, .. } = &self.tokenizers;
        let example =
            |&(source, target): &(&str, &str)| Example { src: src.encode(source), tgt: tgt.encode(target), line: 0 };
        let examples: Vec<Example> = pairs.iter().map(example).collect();
        self.check_lengths(examples.iter().map(|example| example.src.len()))?;
        let batches = batches(0..pairs.len(), |i| examples[i].src.len().max(examples[i].tgt.len()) + 1);
        let mut results: Vec<Option<R>> = pairs.iter().map(|_| None).collect();
        for numbers in batches {
            let batch = Batch::new(numbers.iter().map(|&i| &examples[i]));
            let (log_probs, weights) = self.read(&batch);
            for (row, &number) in numbers.iter().enumerate() {
                let steps = batch.tgt_len[row] as usize;
                let per_token: Vec<f64> = (0..steps).map(|t| log_probs[t * batch.batch + row]).collect();
                if !per_token.iter().all(|log_prob| log_prob.is_finite()) {
                    return Err(TranslateError::NotFinite { pair: number });
                }
                let (example, weights) = (&examples[number], weights.as_deref());
                results[number] = Some(result(Forced { number, example, per_token, batch: &batch, row, weights })?);
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// The log-probability of every target position (T, B) and the attention weights (T, B, S): means over the models, of those that have any.
    #[allow(clippy::cast_precision_loss, reason = "few models")]
    fn read(&self, batch: &Batch) -> (Vec<f64>, Option<Vec<f32>>) {
        self.with_tapes(|tapes| {
            let (mut log_probs, mut looked): (Vec<f64>, Vec<Vec<f32>>) = (vec![0.0; batch.tgt_out.len()], Vec::new());
            for (loaded, tape) in self.models.iter().zip(tapes) {
                tape.reset();
                let mut g = Graph::inference(&self.cpu, &loaded.params, tape);
                let (nll, weights) = loaded.model.score(&mut g, batch);
                log_probs.iter_mut().zip(&nll).for_each(|(sum, nll)| *sum -= nll / self.models.len() as f64);
                let weights = weights.map(|weights| weights.mean(&mut g));
                looked.extend(weights.map(|weights| g.download(weights)));
                tape.reset();
            }
            let share = 1.0 / looked.len() as f32;
            let mean = looked.into_iter().map(|w| w.into_iter().map(|w| w * share).collect::<Vec<f32>>());
            let weights = mean.reduce(|mut sum, w| {
                sum.iter_mut().zip(w).for_each(|(sum, w)| *sum += w);
                sum
            });
            (log_probs, weights)
        })
    }
}

/// A given translation, read by the models.
struct Forced<'a> {
    number: usize,
    example: &'a Example,
    per_token: Vec<f64>,
    batch: &'a Batch,
    row: usize,
    /// (T, B, S) of the whole batch.
    weights: Option<&'a [f32]>,
}

impl Forced<'_> {
    /// The weights of this pair alone, (T, S) without padding.
    fn weights(&self) -> Vec<f32> {
        self.batch.weights_of(self.weights.unwrap_or_default(), self.row)
    }
}
