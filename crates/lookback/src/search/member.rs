//! The models that search together, as one distribution.

use crate::backend::Backend;
use crate::data::Batch;
use crate::model::{DecoderState, Memory, Seq2Seq};
use crate::params::Params;
use crate::tape::{Graph, Tape, Var};

/// A model that takes part in a search.
#[derive(Debug)]
pub struct Member<'a, B: Backend> {
    /// Its structure.
    pub model: &'a Seq2Seq,
    /// Its parameters.
    pub params: &'a Params<B>,
    /// Room for what it computes; reset before and after.
    pub tape: &'a mut Tape<B>,
}

/// A member at work: what it read, and where it stands.
#[derive(Debug)]
struct Runner<'a, B: Backend> {
    model: &'a Seq2Seq,
    g: Graph<'a, B>,
    /// Values from here on are those of a step.
    mark: usize,
    memory: Memory,
    state: DecoderState,
}

impl<'a, B: Backend> Runner<'a, B> {
    fn new(backend: &'a B, member: &'a mut Member<'_, B>, batch: &Batch) -> Self {
        let model = member.model;
        let mut g = Graph::inference(backend, member.params, member.tape);
        let mark = g.mark();
        let mut memory = model.encode(&mut g, &batch.src, &batch.src_len);
        let state = model.start(&mut g, &memory);
        memory.last.clear();
        Self { model, g, mark, memory, state }
    }

    /// Log-probabilities (1, R, V) after `prev`, and attention weights (1, R, S), means over the heads.
    fn step(&mut self, prev: &[u32]) -> (Var, Option<Var>) {
        let mut kept = self.state.vars_mut();
        kept.extend(self.memory.vars_mut());
        self.g.keep(self.mark, &mut kept);
        let decoding = self.model.decode(&mut self.g, &self.memory, &self.state, prev);
        let logits = self.model.logits(&mut self.g, decoding.attentional);
        self.g.log_softmax(logits);
        self.state = decoding.state;
        (logits, decoding.weights.map(|weights| weights.mean(&mut self.g)))
    }

    /// Lets the states become those of `rows`.
    fn follow(&mut self, rows: &[u32]) {
        let g = &mut self.g;
        self.state.vars_mut().into_iter().for_each(|var| *var = g.gather(*var, rows));
    }

    /// Forgets the sentences that are not named.
    fn stay(&mut self, sentences: &[u32], src_len: &[u32]) {
        if self.model.has_attention() {
            let g = &mut self.g;
            self.memory.vars_mut().for_each(|var| *var = g.gather(*var, sentences));
            self.memory.src_len = self.g.ids(src_len);
        }
    }
}

/// All members at work.
#[derive(Debug)]
pub(super) struct Together<'a, B: Backend> {
    backend: &'a B,
    first: Runner<'a, B>,
    others: Vec<Runner<'a, B>>,
}

/// What the members say of a step.
#[derive(Debug)]
pub(super) struct Said {
    /// The sum of the members' log-probabilities (1, R, V), on the tape of the first.
    log_probs: Var,
    /// V.
    pub(super) width: usize,
    /// The mean of the members' attention weights, and its width S.
    pub(super) weights: Option<(Vec<f32>, usize)>,
}

impl<'a, B: Backend> Together<'a, B> {
    /// Lets every member read the sources; none if there is no member.
    pub(super) fn new(backend: &'a B, members: &'a mut [Member<'_, B>], batch: &Batch) -> Option<Self> {
        let mut runners = members.iter_mut().map(|member| Runner::new(backend, member, batch));
        let first = runners.next()?;
        Some(Self { backend, first, others: runners.collect() })
    }

    /// How many there are: what summed log-probabilities are divided by.
    #[allow(clippy::cast_precision_loss, reason = "few models")]
    pub(super) fn members(&self) -> f64 {
        1.0 + self.others.len() as f64
    }

    /// One step after `prev` (R,), with weights if they are kept.
    pub(super) fn step(&mut self, prev: &[u32], keep_weights: bool) -> Said {
        let (log_probs, first) = self.first.step(prev);
        let mut looked: Vec<Vec<B::Elem>> =
            first.filter(|_| keep_weights).map(|w| self.first.g.download(w)).into_iter().collect();
        for other in &mut self.others {
            let (said, weights) = other.step(prev);
            self.backend.add_assign(self.first.g.tensor_mut(log_probs), other.g.tensor(said));
            looked.extend(weights.filter(|_| keep_weights).map(|w| other.g.download(w)));
        }
        let width = self.first.g.shape(log_probs).width;
        let columns = self.first.g.shape(self.first.memory.states).steps;
        Said { log_probs, width, weights: mean(&looked).map(|weights| (weights, columns)) }
    }

    /// The summed log-probabilities of a step, where they are.
    pub(super) fn log_probs(&self, said: &Said) -> &B::Tensor {
        self.first.g.tensor(said.log_probs)
    }

    /// Lets all states become those of `rows`.
    pub(super) fn follow(&mut self, rows: &[u32]) {
        self.all().for_each(|runner| runner.follow(rows));
    }

    /// Forgets the sentences that are not named.
    pub(super) fn stay(&mut self, sentences: &[u32], src_len: &[u32]) {
        self.all().for_each(|runner| runner.stay(sentences, src_len));
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Runner<'a, B>> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

/// The mean of several equally long lists; none of none.
fn mean<T: crate::backend::Real>(lists: &[Vec<T>]) -> Option<Vec<f32>> {
    let (first, others) = lists.split_first()?;
    let mut sums: Vec<f64> = first.iter().map(|v| v.to_f64()).collect();
    for other in others {
        sums.iter_mut().zip(other).for_each(|(sum, v)| *sum += v.to_f64());
    }
    #[allow(clippy::cast_precision_loss, reason = "few models")]
    let count = lists.len() as f64;
    #[allow(clippy::cast_possible_truncation, reason = "weights are shown in single precision")]
    let narrow = |sum: f64| (sum / count) as f32;
    Some(sums.into_iter().map(narrow).collect())
}
