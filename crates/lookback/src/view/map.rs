//! The weights of one hypothesis, with the text they belong to.

use serde::{Deserialize, Serialize};

use super::{ViewError, spaced::spaced_words};
use crate::text::{EOS, SPECIALS, WordSpan};

/// How far from 1 a row may sum: f32 softmax over a thousand positions stays well inside.
const ROW_SUM_TOLERANCE: f64 = 1e-4;
/// A sum of logarithms of probabilities may end above 0 by rounding only.
const LOG_PROB_SLACK: f64 = 1e-3;

/// One side of a map: the text, its pieces and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The raw text.
    pub text: String,
    /// Display form of each piece, `</s>` included.
    pub tokens: Vec<String>,
    /// Words as ascending, disjoint ranges of pieces. A piece in no word (`</s>`, for one) stands for itself.
    pub words: Vec<WordSpan>,
}

/// Where the decoder looked while it wrote one hypothesis.
///
/// `weights[t][s]` is the share of target piece `t`'s attention that went to source piece `s`. Each row is a
/// distribution over the real source positions.
///
/// # Examples
/// ```
/// use lookback::view::{AttentionMap, Side, WordSpan};
///
/// let side = |text: &str, tokens: &[&str], words: &[(usize, usize, &str)]| Side {
///     text: text.into(),
///     tokens: tokens.iter().map(ToString::to_string).collect(),
///     words: words.iter().map(|&(start, end, text)| WordSpan { start, end, text: text.into() }).collect(),
/// };
/// let src = side("Haustür", &["Haus", "tür", "</s>"], &[(0, 2, "Haustür")]);
/// let tgt = side("door", &["door", "</s>"], &[(0, 1, "door")]);
/// let map = AttentionMap::new(0, src, tgt, vec![0.25, 0.5, 0.25, 0.0, 0.125, 0.875], -0.7)?;
/// assert_eq!(map.row(0), [0.25, 0.5, 0.25]);
/// assert_eq!(map.merged().row(0), [0.75, 0.25]);
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "super::jsonl::Record", into = "super::jsonl::Record")]
pub struct AttentionMap {
    id: usize,
    rank: Option<usize>,
    src: Side,
    tgt: Side,
    weights: Vec<f32>,
    log_prob: f64,
    reference: Option<String>,
}

impl AttentionMap {
    /// A map for input line `id` (from 0), with `weights` `(T, S)` row-major and the `log_prob` of the target in nats,
    /// summed over its pieces.
    ///
    /// # Errors
    /// If a side is empty, sizes disagree, a weight is negative or not finite, a row does not sum to 1 (± 1e-4),
    /// `log_prob` is not finite or above 0, or words are not ascending ranges inside their side.
    pub fn new(id: usize, src: Side, tgt: Side, weights: Vec<f32>, log_prob: f64) -> Result<Self, ViewError> {
        src.check(id, "source")?;
        tgt.check(id, "target")?;
        let (rows, columns) = (tgt.tokens.len(), src.tokens.len());
        if rows.checked_mul(columns) != Some(weights.len()) {
            return Err(ViewError::Shape { id, found: weights.len(), rows, columns });
        }
        for (row, row_weights) in weights.chunks_exact(columns).enumerate() {
            if let Some(column) = row_weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
                return Err(ViewError::Weight { id, row, column, weight: row_weights[column] });
            }
            let sum: f64 = row_weights.iter().map(|&w| f64::from(w)).sum();
            if (sum - 1.0).abs() > ROW_SUM_TOLERANCE {
                return Err(ViewError::RowSum { id, row, sum });
            }
        }
        if !log_prob.is_finite() || log_prob > LOG_PROB_SLACK {
            return Err(ViewError::LogProb { id, log_prob });
        }
        Ok(Self { id, rank: None, src, tgt, weights, log_prob, reference: None })
    }

    /// The same map for input line `id`, from 0.
    #[must_use]
    pub fn with_id(self, id: usize) -> Self {
        Self { id, ..self }
    }

    /// The same map as hypothesis `rank` (from 0) of a beam.
    #[must_use]
    pub fn with_rank(self, rank: usize) -> Self {
        Self { rank: Some(rank), ..self }
    }

    /// The same map with the known translation beside it.
    #[must_use]
    pub fn with_reference(self, reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()), ..self }
    }

    /// Number of the input line, from 0.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }

    /// Place in the beam, from 0; `None` for a pair that was given, not searched.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        self.rank
    }

    /// The source: the columns.
    #[must_use]
    pub fn src(&self) -> &Side {
        &self.src
    }

    /// The target: the rows.
    #[must_use]
    pub fn tgt(&self) -> &Side {
        &self.tgt
    }

    /// Log-probability of the target given the source: nats, summed over all target pieces.
    #[must_use]
    pub fn log_prob(&self) -> f64 {
        self.log_prob
    }

    /// The translation to compare with, if one is known.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// All weights, `(T, S)`, row-major.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Weights of target piece `t`, `(S,)`.
    ///
    /// # Panics
    /// If there is no such piece.
    #[must_use]
    pub fn row(&self, t: usize) -> &[f32] {
        let columns = self.src.tokens.len();
        &self.weights[t * columns..][..columns]
    }

    /// The weights of each target piece in turn.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.weights.chunks_exact(self.src.tokens.len())
    }

    /// The same map between words: a word receives what its source pieces receive together, and looks where its target
    /// pieces look on average.
    ///
    /// ```text
    /// word[u,v] = (1/|u|) Σ_{t in u} Σ_{s in v} weights[t,s]
    /// ```
    /// So rows still sum to 1. In the result every token is a word, or stood for itself.
    #[must_use]
    pub fn merged(&self) -> Self {
        self.between(self.src.all_words(), self.tgt.all_words())
    }

    /// The same map between what stands between white space in the two texts, which is what readers of alignments count;
    /// sums and averages are those of [`merged`](Self::merged), and the end of a sentence stands for itself.
    ///
    /// Where a side's words cannot be found in its text, they are its words as they are.
    #[must_use]
    pub fn spaced(&self) -> Self {
        self.between(spaced_words(&self.src), spaced_words(&self.tgt))
    }

    /// The same map with the weights of the step after each piece: of the step that reads it. The last row keeps its own.
    #[must_use]
    pub fn one_step_later(&self) -> Self {
        let columns = self.src.tokens.len();
        let last = self.weights.len() - columns;
        let weights = [&self.weights[columns..], &self.weights[last..]].concat();
        Self { src: self.src.clone(), tgt: self.tgt.clone(), weights, reference: self.reference.clone(), ..*self }
    }

    fn between(&self, columns: Vec<WordSpan>, rows: Vec<WordSpan>) -> Self {
        let mut weights = Vec::with_capacity(rows.len() * columns.len());
        for u in &rows {
            for v in &columns {
                let sum: f64 = (u.start..u.end).flat_map(|t| &self.row(t)[v.start..v.end]).map(|&w| f64::from(w)).sum();
                #[allow(clippy::cast_precision_loss, reason = "a word has few pieces")]
                let mean = sum / (u.end - u.start) as f64;
                #[allow(clippy::cast_possible_truncation, reason = "weights are f32, the sum only needs the room")]
                weights.push(mean as f32);
            }
        }
        let (src, tgt) = (self.src.of_words(columns), self.tgt.of_words(rows));
        Self { src, tgt, weights, reference: self.reference.clone(), ..*self }
    }

    pub(super) fn place(&mut self, rank: Option<usize>, reference: Option<String>) {
        (self.rank, self.reference) = (rank, reference);
    }
}

impl Side {
    fn check(&self, id: usize, side: &'static str) -> Result<(), ViewError> {
        let tokens = self.tokens.len();
        if tokens == 0 {
            return Err(ViewError::NoTokens { id, side });
        }
        let mut free = 0;
        for (word, &WordSpan { start, end, .. }) in self.words.iter().enumerate() {
            if start < free || end <= start || end > tokens {
                return Err(ViewError::Span { id, side, word, start, end, tokens });
            }
            free = end;
        }
        Ok(())
    }

    /// Whether the last token is the end of the sentence: `</s>`, and in no word. A hypothesis that was cut has none.
    #[must_use]
    pub fn has_end(&self) -> bool {
        let covered = self.words.last().map_or(0, |word| word.end);
        covered < self.tokens.len() && self.tokens.last().is_some_and(|token| token == SPECIALS[EOS as usize])
    }

    /// The tokens without the end.
    #[must_use]
    pub fn inside(&self) -> &[String] {
        &self.tokens[..self.tokens.len() - usize::from(self.has_end())]
    }

    /// The words, and between them every piece that is in none, so that each piece is covered exactly once.
    pub(super) fn all_words(&self) -> Vec<WordSpan> {
        let alone = |i: usize| WordSpan { start: i, end: i + 1, text: self.tokens[i].clone() };
        let (mut all, mut free) = (Vec::with_capacity(self.tokens.len()), 0);
        for word in &self.words {
            all.extend((free..word.start).map(alone));
            all.push(word.clone());
            free = word.end;
        }
        all.extend((free..self.tokens.len()).map(alone));
        all
    }

    /// The side with these words, which cover it, as its tokens. The end stays in no word.
    fn of_words(&self, words: Vec<WordSpan>) -> Self {
        let tokens: Vec<String> = words.into_iter().map(|w| w.text).collect();
        let inside = tokens.len() - usize::from(self.has_end());
        let alone = |(i, text): (usize, &String)| WordSpan { start: i, end: i + 1, text: text.clone() };
        let words = tokens.iter().enumerate().take(inside).map(alone).collect();
        Self { text: self.text.clone(), tokens, words }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::test_maps::{german, map};

    fn tokens(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("t{i}")).collect()
    }

    fn side(n: usize, words: &[(usize, usize)]) -> Side {
        let words = words.iter().map(|&(start, end)| WordSpan { start, end, text: "w".into() }).collect();
        Side { text: String::new(), tokens: tokens(n), words }
    }

    fn message(src: Side, tgt: Side, weights: &[f32]) -> String {
        AttentionMap::new(7, src, tgt, weights.to_vec(), -1.0).unwrap_err().to_string()
    }

    #[test]
    fn rows_that_are_no_distribution_are_refused_with_row_and_sum() {
        let of = |weights: &[f32]| message(side(2, &[]), side(2, &[]), weights);
        assert!(of(&[0.5, 0.5, 0.5, 0.25]).contains("sentence 7: weights of row 1 sum to 0.75"));
        assert!(of(&[0.5, 0.5, 1.5, -0.5]).contains("weight [1, 1] is -0.5"));
        assert!(of(&[f32::NAN, 0.5, 0.5, 0.5]).contains("weight [0, 0] is NaN"));
        assert!(of(&[1.0, 0.0]).contains("2 weights for 2 target × 2 source tokens"));
    }

    #[test]
    fn one_step_later_every_row_is_the_next_one_and_the_last_stays() {
        let side = |n| side(n, &[]);
        let map = AttentionMap::new(0, side(2), side(3), vec![1.0, 0.0, 0.25, 0.75, 0.5, 0.5], -1.0).unwrap();
        assert_eq!(map.one_step_later().weights(), [0.25, 0.75, 0.5, 0.5, 0.5, 0.5]);
        let one = AttentionMap::new(0, side(2), side(1), vec![1.0, 0.0], -1.0).unwrap();
        assert_eq!(one.one_step_later(), one);
    }

    #[test]
    fn a_side_without_tokens_is_refused() {
        assert!(message(side(0, &[]), side(1, &[]), &[]).contains("the source has no tokens"));
        assert!(message(side(1, &[]), side(0, &[]), &[]).contains("the target has no tokens"));
    }

    #[test]
    fn words_that_overlap_or_reach_outside_are_refused() {
        for words in [&[(0, 2), (1, 3)][..], &[(1, 1)], &[(2, 4)], &[(1, 2), (0, 1)]] {
            let text = message(side(3, words), side(1, &[]), &[1.0, 0.0, 0.0]);
            assert!(text.contains("source word") && text.contains("of 3"), "{text}");
        }
    }

    #[test]
    fn a_log_probability_above_zero_or_infinite_is_refused() {
        for log_prob in [0.5, f64::NAN, f64::NEG_INFINITY] {
            let error = AttentionMap::new(7, side(1, &[]), side(1, &[]), vec![1.0], log_prob).unwrap_err();
            assert!(error.to_string().contains("log_prob"), "{error}");
        }
    }

    #[test]
    fn source_pieces_add_up_and_target_pieces_are_averaged() {
        let words = german().merged();
        assert_eq!(words.src().tokens, ["Die", "Haustür", "</s>"]);
        assert_eq!(words.tgt().tokens, ["The", "door", "</s>"]);
        let want = [0.85, 0.15, 0.0, 0.01, 0.965, 0.025, 0.125, 0.125, 0.75];
        lookback_testkit::assert_close("words", words.weights(), &want, 1e-6, 1e-7);
        assert_eq!((words.id(), words.rank(), words.reference()), (3, Some(0), Some("The front door")));
    }

    #[test]
    fn merging_words_again_changes_nothing() {
        for words in [german().merged(), german().spaced()] {
            assert_eq!((words.merged(), words.spaced()), (words.clone(), words));
        }
        let plain = map(&["a", "</s>"], &["b"], &[0.25, 0.75]);
        assert_eq!(plain.merged().weights(), plain.weights());
    }

    #[test]
    fn only_an_end_in_no_word_is_an_end() {
        let side = |tokens: &[&str], words: &[(usize, usize)]| Side {
            tokens: tokens.iter().map(ToString::to_string).collect(),
            ..side(tokens.len(), words)
        };
        assert_eq!(side(&["a", "</s>"], &[(0, 1)]).inside(), ["a"]);
        assert_eq!(side(&["a", "</s>"], &[]).inside(), ["a"]);
        assert_eq!(side(&["a", "</s>"], &[(0, 1), (1, 2)]).inside(), ["a", "</s>"], "somebody's word");
        assert_eq!(side(&["a", "b"], &[(0, 1)]).inside(), ["a", "b"], "a hypothesis that was cut");
        assert!(german().merged().src().has_end() && german().spaced().tgt().has_end());
    }

    /// Ascending, disjoint words with holes between them.
    fn any_words(n: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec(0..3_u8, n).prop_map(|marks| {
            let mut words: Vec<(usize, usize)> = Vec::new();
            for (i, mark) in marks.into_iter().enumerate() {
                match (mark, words.last_mut()) {
                    (0, _) => {}
                    (1, Some(last)) if last.1 == i => last.1 += 1,
                    _ => words.push((i, i + 1)),
                }
            }
            words
        })
    }

    proptest! {
        #[test]
        fn merged_rows_sum_to_one(
            (raw, rows, columns) in (1..9_usize, 1..9_usize).prop_flat_map(|(t, s)| (
                prop::collection::vec(prop::collection::vec(0.0..1.0_f32, s), t), any_words(t), any_words(s),
            )),
        ) {
            let weights: Vec<f32> = (raw.iter())
                .flat_map(|row| {
                    let sum: f32 = row.iter().sum::<f32>() + 0.1;
                    row.iter().enumerate().map(move |(i, w)| (w + if i == 0 { 0.1 } else { 0.0 }) / sum)
                })
                .collect();
            let (src, tgt) = (side(raw[0].len(), &columns), side(raw.len(), &rows));
            let map = AttentionMap::new(0, src, tgt, weights, -1.0).unwrap();
            for row in map.merged().rows() {
                let sum: f32 = row.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }
}
