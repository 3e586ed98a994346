//! The hypotheses of one sentence.

use crate::backend::Real;
use crate::config::SearchConfig;
use crate::text::{BOS, EOS, Utf8State};

use super::allowed::{Allowed, Choice};
use super::{Hypothesis, SearchOptions};

/// One token of a hypothesis and what it followed.
#[derive(Debug, Clone, Copy)]
struct Node {
    id: u32,
    before: Option<u32>,
}

/// A hypothesis that goes on.
#[derive(Debug, Clone, Copy)]
struct Live {
    last: Option<u32>,
    log_prob: f64,
    utf8: Utf8State,
    /// Which of the sentence's rows it came from.
    row: usize,
}

/// A hypothesis that does not.
#[derive(Debug, Clone, Copy)]
struct Ended {
    last: u32,
    log_prob: f64,
    score: f64,
    is_cut: bool,
}

/// The hypotheses of one sentence: a tree of tokens, and the places in it where hypotheses stand.
#[derive(Debug)]
pub(super) struct Beam {
    src_len: usize,
    limit: usize,
    /// Ids of a live hypothesis.
    len: usize,
    nodes: Vec<Node>,
    /// Attention weights (nodes, `src_len`), if kept.
    weights: Option<Vec<f32>>,
    live: Vec<Live>,
    ended: Vec<Ended>,
}

impl Beam {
    pub(super) fn new(src_len: usize, limit: usize, keep_weights: bool) -> Self {
        let live = vec![Live { last: None, log_prob: 0.0, utf8: Utf8State::default(), row: 0 }];
        let weights = keep_weights.then(Vec::new);
        Self { src_len, limit, len: 0, nodes: Vec::new(), weights, live, ended: Vec::new() }
    }

    /// How many hypotheses live.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// The row each of `group` rows comes from; rows without a hypothesis follow the first.
    pub(super) fn parents(&self, group: usize) -> impl Iterator<Item = usize> {
        (0..group).map(|row| self.live.get(row).or(self.live.first()).map_or(0, |live| live.row))
    }

    /// Appends, for each of `group` rows, the token before and what may follow.
    pub(super) fn read(&self, group: usize, allowed: &mut Allowed<'_>, prev: &mut Vec<u32>, choices: &mut Vec<Choice>) {
        let left = self.limit - self.len;
        for live in &self.live {
            prev.push(live.last.map_or(BOS, |last| self.nodes[last as usize].id));
            choices.push(allowed.choose(live.utf8, left, self.backwards(live.last)));
        }
        for _ in self.live.len()..group {
            prev.push(BOS);
            choices.push(Choice::Nothing);
        }
    }

    /// Extends the hypotheses: `best[row]` holds the best continuations of row `row` with their log-probabilities, `weights` the rows' attention and its width.
    /// False if a live row has no continuation.
    pub(super) fn advance<T: Real>(
        &mut self,
        best: &[Vec<(u32, T)>],
        weights: Option<(&[T], usize)>,
        config: &SearchConfig,
        allowed: &Allowed<'_>,
    ) -> bool {
        if best.iter().take(self.live.len()).any(Vec::is_empty) {
            return false;
        }
        let mut extensions: Vec<(f64, usize, u32)> = Vec::with_capacity(best.iter().map(Vec::len).sum());
        for ((row, live), best) in self.live.iter().enumerate().zip(best) {
            extensions.extend(best.iter().map(|&(id, log_prob)| (live.log_prob + log_prob.to_f64(), row, id)));
        }
        extensions.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        extensions.truncate(config.beam_size);
        self.len += 1;
        let before = std::mem::take(&mut self.live);
        for (log_prob, row, id) in extensions {
            let last = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            self.nodes.push(Node { id, before: before[row].last });
            if let (Some(kept), Some((weights, columns))) = (&mut self.weights, weights) {
                #[allow(clippy::cast_possible_truncation, reason = "weights are shown in single precision")]
                kept.extend(weights[row * columns..][..self.src_len].iter().map(|w| w.to_f64() as f32));
            }
            if id == EOS || self.len == self.limit {
                let score = score(log_prob, self.len, config.length_penalty);
                self.ended.push(Ended { last, log_prob, score, is_cut: id != EOS });
            } else {
                self.live.push(Live { last: Some(last), log_prob, utf8: allowed.next(before[row].utf8, id), row });
            }
        }
        true
    }

    /// Whether the search is over: see the [module](super) for the rule.
    pub(super) fn is_done(&self, config: &SearchConfig) -> bool {
        // Live hypotheses are sorted by log-probability and equally long.
        let Some(first) = self.live.first() else { return true };
        let best = self.ended.iter().map(|ended| ended.score).fold(f64::NEG_INFINITY, f64::max);
        self.ended.len() >= config.beam_size && score(first.log_prob, self.len + 1, config.length_penalty) <= best
    }

    /// The best hypotheses, best first.
    pub(super) fn into_hypotheses(mut self, options: &SearchOptions) -> Vec<Hypothesis> {
        // The sort is stable: equal ones keep the order in which they were found.
        self.ended.sort_by(|a, b| a.is_cut.cmp(&b.is_cut).then(b.score.total_cmp(&a.score)));
        self.ended.iter().take(options.nbest).map(|ended| self.hypothesis(ended)).collect()
    }

    fn hypothesis(&self, ended: &Ended) -> Hypothesis {
        let path: Vec<u32> = self.path(Some(ended.last)).collect();
        let forwards = || path.iter().rev().map(|&node| node as usize);
        let ids = forwards().map(|node| self.nodes[node].id).collect();
        let row = |weights: &[f32], node: usize| weights[node * self.src_len..][..self.src_len].to_vec();
        let weights = self.weights.as_ref().map(|weights| forwards().flat_map(|node| row(weights, node)).collect());
        Hypothesis { ids, log_prob: ended.log_prob, score: ended.score, weights, is_cut: ended.is_cut }
    }

    /// The ids of the hypothesis that ends at `last`, the last first.
    fn backwards(&self, last: Option<u32>) -> impl Iterator<Item = u32> {
        self.path(last).map(|node| self.nodes[node as usize].id)
    }

    fn path(&self, last: Option<u32>) -> impl Iterator<Item = u32> {
        std::iter::successors(last, |&node| self.nodes[node as usize].before)
    }
}

/// What hypotheses are ranked by: `log_prob / lenᵅ`.
fn score(log_prob: f64, len: usize, alpha: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a length is far below 2^52")]
    let len = len as f64;
    log_prob / len.powf(alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_done_when_nothing_lives_or_nothing_live_would_win_by_ending_now() {
        // Two ids each, so that the next one is the third.
        let is_done = |live: &[f64], ended: &[f64], alpha: f64| {
            let mut beam = Beam::new(1, 10, false);
            let live = live.iter().map(|&log_prob| Live { last: None, log_prob, utf8: Utf8State::default(), row: 0 });
            let ended = ended.iter().map(|&log_prob| Ended { last: 0, log_prob, score: log_prob, is_cut: false });
            (beam.len, beam.live, beam.ended) = (2, live.collect(), ended.collect());
            beam.is_done(&SearchConfig { beam_size: 2, length_penalty: alpha, ..SearchConfig::default() })
        };
        assert!(is_done(&[], &[-1.0], 1.0));
        assert!(is_done(&[-3.0, -4.0], &[-2.0, -1.0], 1.0), "-3 / 3 does not overtake -1");
        assert!(!is_done(&[-2.9, -4.0], &[-2.0, -1.0], 1.0));
        assert!(is_done(&[-2.9, -4.0], &[-2.0, -1.0], 0.0));
        assert!(!is_done(&[-3.0, -4.0], &[-1.0], 1.0), "one of two has ended");
    }
}
