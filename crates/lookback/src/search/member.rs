//! The models that search together, as one distribution.

use crate::backend::Backend;
use crate::data::Batch;
use crate::model::{DecoderState, Memory, Seq2Seq};
use crate::ops::Narrow;
use crate::params::Params;
use crate::tape::{Graph, Tape, Var};

use super::narrowed::Narrowed;

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
    /// Room for the values that stay.
    kept: Vec<Var>,
    /// The output layer of the pieces that may be said, and those of each sentence still searched; none if all may be.
    narrow: Option<(Narrow<B>, Vec<Vec<u32>>)>,
}

impl<'a, B: Backend> Runner<'a, B> {
    fn new(backend: &'a B, member: &'a mut Member<'_, B>, batch: &Batch, narrowed: Option<&Narrowed>) -> Self {
        let model = member.model;
        let mut g = Graph::inference(backend, member.params, member.tape);
        let mark = g.mark();
        let mut memory = model.encode(&mut g, &batch.src, &batch.src_len);
        let state = model.start(&mut g, &memory);
        memory.last.clear();
        let narrow = narrowed.map(|narrowed| (model.narrow(&g, &narrowed.ids), narrowed.lists.clone()));
        Self { model, g, mark, memory, state, kept: Vec::new(), narrow }
    }

    /// Log-probabilities (1, R, V) after `prev`, and attention weights (1, R, S), means over the heads.
    fn step(&mut self, prev: &[u32]) -> (Var, Option<Var>) {
        self.drop_others();
        let decoding = self.model.decode(&mut self.g, &self.memory, &self.state, prev);
        let log_probs = if let Some((layer, lists)) = &self.narrow {
            self.model.narrow_log_probs(&mut self.g, decoding.attentional, layer, lists)
        } else {
            let logits = self.model.logits(&mut self.g, decoding.attentional);
            self.g.log_softmax(logits);
            logits
        };
        let before = std::mem::replace(&mut self.state, decoding.state);
        self.g.keep_states(before.layers);
        (log_probs, decoding.weights.map(|weights| weights.mean(&mut self.g)))
    }

    /// Drops all values of the step before but state and memory.
    fn drop_others(&mut self) {
        let Self { g, mark, memory, state, kept, .. } = self;
        kept.clear();
        kept.extend(state.vars_mut().chain(memory.vars_mut()).map(|var| *var));
        g.keep(*mark, kept);
        state.vars_mut().chain(memory.vars_mut()).zip(kept).for_each(|(var, kept)| *var = *kept);
    }

    /// Lets the states become those of `rows`.
    fn follow(&mut self, rows: &[u32]) {
        let g = &mut self.g;
        self.state.vars_mut().for_each(|var| *var = g.gather(*var, rows));
    }

    /// Forgets the sentences that are not named.
    fn stay(&mut self, sentences: &[u32], src_len: &[u32]) {
        if let Some((_, lists)) = &mut self.narrow {
            // Sentences ascend, so each list is moved before something is put there.
            sentences.iter().enumerate().for_each(|(to, &from)| lists.swap(to, from as usize));
            lists.truncate(sentences.len());
        }
        if self.model.has_attention() {
            let g = &mut self.g;
            self.memory.vars_mut().for_each(|var| *var = g.gather(*var, sentences));
            self.g.forget_ids(self.memory.src_len);
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
    looked: Looked,
}

/// Attention weights of a step.
#[derive(Debug, Default)]
struct Looked {
    /// Those of one member.
    of_one: Vec<f32>,
    sums: Vec<f64>,
    mean: Vec<f32>,
}

impl Looked {
    fn clear(&mut self) {
        self.sums.clear();
    }

    fn add<B: Backend>(&mut self, g: &Graph<'_, B>, weights: Var) {
        self.of_one.resize(g.shape(weights).len(), 0.0);
        g.backend.read(g.tensor(weights), 0, &mut self.of_one);
        self.sums.resize(self.of_one.len(), 0.0);
        self.sums.iter_mut().zip(&self.of_one).for_each(|(sum, &weight)| *sum += f64::from(weight));
    }

    #[allow(clippy::cast_possible_truncation, reason = "weights are shown in single precision")]
    fn divide(&mut self, members: f64) {
        self.mean.clear();
        self.mean.extend(self.sums.iter().map(|sum| (sum / members) as f32));
    }
}

/// What the members say of a step.
#[derive(Debug)]
pub(super) struct Said {
    /// The sum of the members' log-probabilities (1, R, V), on the tape of the first.
    log_probs: Var,
    /// V.
    pub(super) width: usize,
    /// S, if the mean of the members' attention weights was kept.
    columns: Option<usize>,
}

impl<'a, B: Backend> Together<'a, B> {
    /// Lets every member read the sources, of which only `narrowed` pieces may be said; none if there is no member.
    pub(super) fn new(
        backend: &'a B,
        members: &'a mut [Member<'_, B>],
        batch: &Batch,
        narrowed: Option<&Narrowed>,
    ) -> Option<Self> {
        let mut runners = members.iter_mut().map(|member| Runner::new(backend, member, batch, narrowed));
        let first = runners.next()?;
        Some(Self { backend, first, others: runners.collect(), looked: Looked::default() })
    }

    /// How many there are: what summed log-probabilities are divided by.
    #[allow(clippy::cast_precision_loss, reason = "few models")]
    pub(super) fn members(&self) -> f64 {
        1.0 + self.others.len() as f64
    }

    /// One step after `prev` (R,), with weights if they are kept.
    pub(super) fn step(&mut self, prev: &[u32], keep_weights: bool) -> Said {
        let Self { backend, first, others, looked } = self;
        looked.clear();
        let mut members = 0.0;
        let mut look = |g: &Graph<'_, B>, weights: Option<Var>| {
            if let Some(weights) = weights.filter(|_| keep_weights) {
                looked.add(g, weights);
                members += 1.0;
            }
        };
        let (log_probs, weights) = first.step(prev);
        look(&first.g, weights);
        for other in others {
            let (said, weights) = other.step(prev);
            backend.add_assign(first.g.tensor_mut(log_probs), other.g.tensor(said));
            look(&other.g, weights);
        }
        looked.divide(members);
        let width = first.g.shape(log_probs).width;
        let columns = (members > 0.0).then(|| first.g.shape(first.memory.states).steps);
        Said { log_probs, width, columns }
    }

    /// The mean of the members' attention weights (R, S), and S, if they were kept.
    pub(super) fn weights(&self, said: &Said) -> Option<(&[f32], usize)> {
        said.columns.map(|columns| (self.looked.mean.as_slice(), columns))
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
