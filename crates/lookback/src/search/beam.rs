//! The hypotheses of one sentence.

use crate::text::{BOS, EOS, Tokenizer, Utf8State};
use lookback_kernels::{ln, pow};

use super::allowed::{Allowed, Choice, List};
use super::constraints::Rules;
use super::phrase::{Tail, TextEnd};
use super::sample::Place;
use super::select::{Extension, dealt, most_probable};
use super::{ConstraintError, Hypothesis, KeepWeights, SearchOptions, Sentence};

/// The least that a source position counts as having been looked at: one that never was must not make a score infinite.
const LEAST_COVERAGE: f64 = 1e-10;

/// Steps that a beam has room for from the start.
const NODES: usize = 256;

/// One token of a hypothesis and what it followed.
#[derive(Debug, Clone, Copy)]
struct Node {
    id: u32,
    before: Option<u32>,
}

/// A hypothesis that goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Live {
    last: Option<u32>,
    log_prob: f64,
    utf8: Utf8State,
    /// Which of the sentence's rows it came from.
    row: usize,
    /// A bit for every phrase it says.
    said: u64,
    /// Bytes of the prefix' last word that it has written.
    typed: usize,
    /// Which sample it is.
    draw: u32,
}

/// A hypothesis that does not.
#[derive(Debug, Clone)]
struct Ended {
    last: u32,
    log_prob: f64,
    score: f64,
    is_cut: bool,
    /// Phrases it does not say.
    unmet: Vec<usize>,
    draw: u32,
}

/// What is asked of a row: what it follows, what may follow it, and what must be looked at beside the best.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pub(super) prev: Vec<u32>,
    pub(super) choices: Vec<Choice>,
    /// Ascending, and among the choices.
    pub(super) proposals: Vec<Vec<u32>>,
}

impl Questions {
    pub(super) fn clear(&mut self) {
        self.prev.clear();
        self.choices.clear();
        self.proposals.clear();
    }
}

/// The hypotheses of one sentence: a tree of tokens, and the places in it where hypotheses stand.
#[derive(Debug)]
pub(super) struct Beam<'a> {
    options: &'a SearchOptions,
    rules: Rules,
    /// The sentence's number, for sampling.
    number: u64,
    src_len: usize,
    limit: usize,
    /// Ids before `</s>`, at least.
    least: usize,
    /// Ids of a live hypothesis.
    len: usize,
    nodes: Vec<Node>,
    /// Attention weights (nodes, `src_len`), if kept.
    weights: Option<Vec<f32>>,
    live: Vec<Live>,
    ended: Vec<Ended>,
    /// Room for what a step extends, and with what.
    before: Vec<Live>,
    extensions: Vec<Extension>,
}

impl<'a> Beam<'a> {
    /// For a source of `src_len` positions, `</s>` included; with weights if the models have `attention` and they are wanted.
    pub(super) fn new(
        tgt: &Tokenizer,
        sentence: &Sentence<'_>,
        src_len: u32,
        options: &'a SearchOptions,
        attention: bool,
    ) -> Result<Self, ConstraintError> {
        let rules = Rules::new(tgt, sentence.constraints)?;
        let limit = options.length_limit(src_len).max(rules.least_limit());
        let keep = attention && (options.weights == KeepWeights::Yes || options.config.coverage_penalty > 0.0);
        Ok(Self {
            options,
            rules,
            number: sentence.number,
            src_len: src_len as usize,
            limit,
            // Where it may end, it can: the last place is for `</s>`.
            least: options.least_length(src_len).min(limit - 1),
            len: 0,
            nodes: Vec::with_capacity(limit.min(NODES).saturating_mul(options.config.beam_size)),
            weights: keep.then(Vec::new),
            live: vec![Live::default()],
            ended: Vec::new(),
            before: Vec::new(),
            extensions: Vec::new(),
        })
    }

    /// Appends the pieces that constraints may have to write.
    pub(super) fn needs(&self, ids: &mut Vec<u32>) {
        self.rules.needs(ids);
    }

    /// How many hypotheses live.
    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    /// The row each of `group` rows comes from; rows without a hypothesis follow the first.
    pub(super) fn parents(&self, group: usize) -> impl Iterator<Item = usize> {
        (0..group).map(|row| self.live.get(row).or(self.live.first()).map_or(0, |live| live.row))
    }

    /// Appends, for each of `group` rows, what is asked of it; the beam is that of `sentence`.
    pub(super) fn ask(&self, sentence: usize, group: usize, allowed: &mut Allowed<'_>, questions: &mut Questions) {
        for row in 0..group {
            let Some(&live) = self.live.get(row) else {
                questions.prev.push(BOS);
                questions.choices.push(Choice::Nothing);
                questions.proposals.push(Vec::new());
                continue;
            };
            questions.prev.push(live.last.map_or(BOS, |last| self.nodes[last as usize].id));
            let (choice, proposals) = self.choose(sentence, live, allowed);
            questions.choices.push(choice);
            questions.proposals.push(proposals);
        }
    }

    /// What may follow a hypothesis, and what would say more of what must be said.
    fn choose(&self, sentence: usize, live: Live, allowed: &mut Allowed<'_>) -> (Choice, Vec<u32>) {
        let tail = self.tail(live);
        let mut blocked = Vec::new();
        self.rules.block(&tail, &mut blocked);
        if let Some(ids) = self.rules.prefix_next(self.len, live.typed) {
            let all = List::Only(ids);
            return (Choice::Own(all.without(&blocked).unwrap_or(all)), Vec::new());
        }
        let says_all = self.rules.may_end(&tail, live.said);
        let may_end = self.len >= self.least && says_all;
        let choice = allowed.choose(live.utf8, self.limit - self.len, may_end, self.backwards(live.last), blocked);
        if says_all && !allowed.leaves_any(sentence, &choice) {
            return (Choice::Own(List::Only(vec![EOS])), Vec::new());
        }
        let mut proposals = Vec::new();
        self.rules.propose(&tail, live.said, &mut proposals);
        proposals.retain(|&id| allowed.permits(&choice, id));
        proposals.sort_unstable();
        proposals.dedup();
        (choice, proposals)
    }

    fn tail(&self, live: Live) -> Tail {
        self.rules.tail(self.backwards(live.last))
    }

    /// The samples that are drawn from each live row at this step, as places to draw at.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Place)> {
        let position = u32::try_from(self.len).unwrap_or(u32::MAX);
        let place = move |draw| Place { number: self.number, draw, position };
        let samples = if self.len == 0 { u32::try_from(self.options.nbest).unwrap_or(u32::MAX) } else { 0 };
        let first = (0..samples).map(move |draw| (0, place(draw)));
        let live = if self.len == 0 { &[] } else { &self.live[..] };
        first.chain(live.iter().enumerate().map(move |(row, live)| (row, place(live.draw))))
    }

    /// Extends the hypotheses: `found(row)` gives the continuations of row `row` to choose from with their log-probabilities, `weights` the rows' attention and
    /// its width. False if a live row has no continuation.
    pub(super) fn advance<'f>(
        &mut self,
        found: impl Fn(usize) -> &'f [(u32, f64)],
        weights: Option<(&[f32], usize)>,
        allowed: &Allowed<'_>,
    ) -> bool {
        if (0..self.live.len()).any(|row| found(row).is_empty()) {
            return false;
        }
        let mut extensions = std::mem::take(&mut self.extensions);
        extensions.clear();
        for (row, &live) in self.live.iter().enumerate() {
            let tail = self.tail(live);
            let extension = |(id, log_prob): &(u32, f64)| self.extension(live, row, &tail, *id, *log_prob);
            extensions.extend(found(row).iter().map(extension));
        }
        match (&self.options.sampling, self.rules.has_banks()) {
            (Some(_), _) if self.len == 0 => (0..).zip(&mut extensions).for_each(|(draw, e)| e.draw = draw),
            (Some(_), _) => {}
            (None, true) => dealt(&mut extensions, self.options.config.beam_size),
            (None, false) => most_probable(&mut extensions, self.options.config.beam_size),
        }
        self.grow(&extensions, weights, allowed);
        self.extensions = extensions;
        true
    }

    fn extension(&self, live: Live, row: usize, tail: &Tail, id: u32, log_prob: f64) -> Extension {
        let log_prob = live.log_prob + log_prob;
        let (mut said, mut bank) = (live.said, 0);
        if self.rules.has_banks() {
            let is_last = id == EOS || self.len + 1 == self.limit;
            let end = if is_last { TextEnd::Closed } else { TextEnd::Open };
            (said, bank) = self.rules.after(tail, live.said, id, end);
        }
        Extension { log_prob, row, id, said, bank, draw: live.draw }
    }

    fn grow(&mut self, extensions: &[Extension], weights: Option<(&[f32], usize)>, allowed: &Allowed<'_>) {
        std::mem::swap(&mut self.live, &mut self.before);
        self.live.clear();
        for &Extension { log_prob, row, id, said, draw, .. } in extensions {
            let last = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            let parent = self.before[row];
            self.nodes.push(Node { id, before: parent.last });
            if let (Some(kept), Some((weights, columns))) = (&mut self.weights, weights) {
                kept.extend_from_slice(&weights[row * columns..][..self.src_len]);
            }
            if id == EOS || self.len + 1 == self.limit {
                self.end(last, log_prob, draw);
            } else {
                let utf8 = allowed.next(parent.utf8, id);
                let typed = self.rules.typed(self.len, parent.typed, id);
                self.live.push(Live { last: Some(last), log_prob, utf8, row, said, typed, draw });
            }
        }
        self.len += 1;
    }

    /// Sets a hypothesis aside that ends at `last`.
    fn end(&mut self, last: u32, log_prob: f64, draw: u32) {
        let is_cut = self.nodes[last as usize].id != EOS;
        let score = score(log_prob, self.len + 1, self.options.config.length_penalty) + self.coverage(last);
        let unmet = if self.rules.has_banks() {
            let mut ids: Vec<u32> = self.backwards(Some(last)).collect();
            ids.reverse();
            self.rules.unmet(&ids)
        } else {
            Vec::new()
        };
        self.ended.push(Ended { last, log_prob, score, is_cut, unmet, draw });
    }

    /// What a hypothesis loses by not having looked at all of the source: β Σ_i log min(Σ_t α_ti, 1).
    fn coverage(&self, last: u32) -> f64 {
        let beta = self.options.config.coverage_penalty;
        let (Some(weights), true) = (&self.weights, beta > 0.0) else { return 0.0 };
        let mut sums = vec![0.0; self.src_len];
        for node in self.path(Some(last)) {
            let row = &weights[node as usize * self.src_len..][..self.src_len];
            sums.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += f64::from(weight));
        }
        beta * sums.iter().map(|sum| ln(sum.clamp(LEAST_COVERAGE, 1.0))).sum::<f64>()
    }

    /// Whether the search is over: see the [module](super) for the rule.
    pub(super) fn is_done(&self) -> bool {
        // Live hypotheses are equally long, and if they are not samples, sorted by log-probability.
        let Some(first) = self.live.first() else { return true };
        if self.options.sampling.is_some() {
            return false;
        }
        // Banks that have not said all give few places to those that end.
        let enough = if self.rules.has_banks() { self.options.nbest } else { self.options.config.beam_size };
        let best = self.ended.iter().map(|ended| ended.score).fold(f64::NEG_INFINITY, f64::max);
        self.ended.len() >= enough && score(first.log_prob, self.len + 1, self.options.config.length_penalty) <= best
    }

    /// The hypotheses, best first; samples as they were drawn.
    pub(super) fn into_hypotheses(mut self) -> Vec<Hypothesis> {
        // The sort is stable: equal ones keep the order in which they were found.
        if self.options.sampling.is_some() {
            self.ended.sort_by_key(|ended| ended.draw);
        } else {
            let faults = |ended: &Ended| (ended.is_cut, ended.unmet.len());
            self.ended.sort_by(|a, b| faults(a).cmp(&faults(b)).then(b.score.total_cmp(&a.score)));
        }
        self.ended.iter().take(self.options.nbest).map(|ended| self.hypothesis(ended)).collect()
    }

    fn hypothesis(&self, ended: &Ended) -> Hypothesis {
        let path: Vec<u32> = self.path(Some(ended.last)).collect();
        let forwards = || path.iter().rev().map(|&node| node as usize);
        let ids = forwards().map(|node| self.nodes[node].id).collect();
        let row = |weights: &[f32], node: usize| weights[node * self.src_len..][..self.src_len].to_vec();
        let wanted = self.weights.as_ref().filter(|_| self.options.weights == KeepWeights::Yes);
        let weights = wanted.map(|weights| forwards().flat_map(|node| row(weights, node)).collect());
        let Ended { log_prob, score, is_cut, ref unmet, .. } = *ended;
        Hypothesis { ids, log_prob, score, weights, is_cut, unmet: unmet.clone() }
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
    log_prob / pow(len, alpha)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::config::SearchConfig;
    use crate::search::Constraints;

    #[test]
    fn a_sentence_is_done_when_nothing_lives_or_nothing_live_would_win_by_ending_now() {
        let tgt = super::super::tests::tokenizer();
        let constraints = Constraints::default();
        // Two ids each, so that the next one is the third.
        let is_done = |live: &[f64], ended: &[f64], alpha: f64| {
            let config = SearchConfig { beam_size: 2, length_penalty: alpha, ..SearchConfig::default() };
            let options = SearchOptions::from(config);
            let sentence = Sentence { constraints: &constraints, number: 0, candidates: None };
            let mut beam = Beam::new(&tgt, &sentence, 1, &options, false).unwrap();
            let live = live.iter().map(|&log_prob| Live { log_prob, ..Live::default() });
            let ended = ended.iter().map(|&score| Ended {
                last: 0,
                log_prob: score,
                score,
                is_cut: false,
                unmet: Vec::new(),
                draw: 0,
            });
            (beam.len, beam.live, beam.ended) = (2, live.collect(), ended.collect());
            beam.is_done()
        };
        assert!(is_done(&[], &[-1.0], 1.0));
        assert!(is_done(&[-3.0, -4.0], &[-2.0, -1.0], 1.0), "-3 / 3 does not overtake -1");
        assert!(!is_done(&[-2.9, -4.0], &[-2.0, -1.0], 1.0));
        assert!(is_done(&[-2.9, -4.0], &[-2.0, -1.0], 0.0));
        assert!(!is_done(&[-3.0, -4.0], &[-1.0], 1.0), "one of two has ended");
    }
}
