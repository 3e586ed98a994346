//! The context in which a model runs, on the way forward.

use super::{IdsVar, Shape, Tape, Value, Var};
use crate::backend::{Backend, RandomKey, Real};
use crate::ops::{Node, State};
use crate::params::{Gradients, Params};

/// Whether a graph writes down what it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Inference: values only.
    Off,
    /// Training: values and records, and random masks are drawn.
    On {
        /// The seed of the run.
        seed: u64,
        /// The number of this forward pass, from 1: names the random masks.
        step: u64,
    },
    /// As `On`, without random masks: for gradients of a deterministic model.
    Deterministic,
}

/// The context in which a model runs: a device, parameters, a tape.
#[derive(Debug)]
pub struct Graph<'a, B: Backend> {
    pub(crate) backend: &'a B,
    pub(crate) params: &'a Params<B>,
    pub(super) tape: &'a mut Tape<B>,
    pub(super) gradients: Option<&'a mut Gradients<B>>,
    recording: Recording,
    streams: u32,
}

impl<'a, B: Backend> Graph<'a, B> {
    /// A graph that does not record.
    pub fn inference(backend: &'a B, params: &'a Params<B>, tape: &'a mut Tape<B>) -> Self {
        Self { backend, params, tape, gradients: None, recording: Recording::Off, streams: 0 }
    }

    /// A graph that records; parameter gradients are added to `gradients`.
    ///
    /// # Panics
    /// If the parameters are stored in a precision that cannot be trained.
    pub fn training(
        backend: &'a B,
        params: &'a Params<B>,
        tape: &'a mut Tape<B>,
        gradients: &'a mut Gradients<B>,
        recording: Recording,
    ) -> Self {
        if let Some(precision) = params.untrainable(backend) {
            panic!("weights stored as {} cannot be trained", precision.name());
        }
        Self { backend, params, tape, gradients: Some(gradients), recording, streams: 0 }
    }

    /// Whether gradients can be taken.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording != Recording::Off
    }

    /// The key of the next random mask, or none if masks are not drawn.
    pub(crate) fn next_random(&mut self) -> Option<RandomKey> {
        let Recording::On { seed, step } = self.recording else { return None };
        self.streams += 1;
        Some(RandomKey { seed, stream: self.streams, step })
    }

    /// The shape of a value.
    #[must_use]
    pub fn shape(&self, x: Var) -> Shape {
        self.tape.values[x.0 as usize].shape
    }

    /// A value, on the host.
    #[must_use]
    pub fn download(&self, x: Var) -> Vec<B::Elem> {
        self.backend.download(self.tensor(x))
    }

    /// A value from the host.
    ///
    /// # Panics
    /// If the length is not that of the shape.
    pub fn input(&mut self, values: &[B::Elem], shape: Shape) -> Var {
        assert_eq!(values.len(), shape.len(), "values of {shape:?}");
        let mut tensor = self.alloc(shape.len());
        self.backend.upload(&mut tensor, values);
        self.push(tensor, shape)
    }

    /// A value of zeros.
    pub fn zeros(&mut self, shape: Shape) -> Var {
        let mut tensor = self.alloc(shape.len());
        self.backend.fill(&mut tensor, B::Elem::ZERO);
        self.push(tensor, shape)
    }

    /// Ids from the host.
    pub fn ids(&mut self, ids: &[u32]) -> IdsVar {
        let mut buffer = self.tape.free_ids.pop().unwrap_or_else(|| self.backend.alloc_ids());
        self.backend.upload_ids(&mut buffer, ids);
        self.tape.ids.push(buffer);
        IdsVar(u32::try_from(self.tape.ids.len() - 1).unwrap_or(u32::MAX))
    }

    /// Gives ids back to the pool that nobody reads again, unless records name them.
    pub(crate) fn forget_ids(&mut self, ids: IdsVar) {
        if self.is_recording() {
            return;
        }
        let Tape { ids: all, free_ids, .. } = &mut *self.tape;
        let place = ids.0 as usize;
        if place + 1 == all.len() {
            free_ids.extend(all.pop());
        } else {
            let nothing = self.backend.alloc_ids();
            free_ids.push(std::mem::replace(&mut all[place], nothing));
        }
    }

    pub(crate) fn alloc(&mut self, len: usize) -> B::Tensor {
        self.tape.free.take(self.backend, len)
    }

    /// Gives a buffer back to the pool.
    pub(crate) fn release(&mut self, tensor: B::Tensor) {
        self.tape.free.put(tensor);
    }

    pub(crate) fn push(&mut self, tensor: B::Tensor, shape: Shape) -> Var {
        self.tape.values.push(Value { tensor, shape, gradient: None });
        Var(u32::try_from(self.tape.values.len() - 1).unwrap_or(u32::MAX))
    }

    /// Writes down an operation, if this graph records.
    pub(crate) fn record(&mut self, node: Node<B>) {
        if self.is_recording() {
            self.tape.nodes.push(node);
        } else {
            let free = &mut self.tape.free;
            node.release(&mut |tensor| free.put(tensor));
        }
    }

    /// Gives the numbers of `x` back to the pool: no operation reads them again, neither on the way forward nor on the way back. Its shape stays, and gradients flow through it.
    pub(crate) fn forget(&mut self, x: Var) {
        let tensor = self.take_value(x);
        self.release(tensor);
    }

    /// Takes the numbers of `x` out: as [`Graph::forget`], for an operation that goes on with them.
    pub(crate) fn take_value(&mut self, x: Var) -> B::Tensor {
        let nothing = self.backend.alloc(0);
        std::mem::replace(&mut self.tape.values[x.0 as usize].tensor, nothing)
    }

    /// An empty list of values, which may have been another's before.
    pub(crate) fn list(&mut self) -> Vec<Var> {
        self.tape.free_lists.pop().unwrap_or_default()
    }

    /// Keeps a list that is not needed any more for [`Graph::list`].
    pub(crate) fn keep_list(&mut self, mut list: Vec<Var>) {
        list.clear();
        self.tape.free_lists.push(list);
    }

    /// An empty list of states, which may have been another's before.
    pub(crate) fn states(&mut self) -> Vec<State> {
        self.tape.free_states.pop().unwrap_or_default()
    }

    /// Keeps a list that is not needed any more for [`Graph::states`].
    pub(crate) fn keep_states(&mut self, mut states: Vec<State>) {
        states.clear();
        self.tape.free_states.push(states);
    }

    pub(crate) fn tensor(&self, x: Var) -> &B::Tensor {
        self.tape.tensor(x)
    }

    pub(crate) fn tape(&self) -> &Tape<B> {
        self.tape
    }

    /// A value to be changed in place, which only a graph that does not record may do.
    pub(crate) fn tensor_mut(&mut self, x: Var) -> &mut B::Tensor {
        &mut self.tape.values[x.0 as usize].tensor
    }

    pub(crate) fn ids_of(&self, ids: IdsVar) -> &B::Ids {
        self.tape.ids(ids)
    }

    /// How many values there are: a mark for [`Graph::keep`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.tape.values.len()
    }

    /// Drops all values after `mark` but those in `kept`, which are renamed. For decoding loops, which would otherwise grow with every step.
    ///
    /// # Panics
    /// If the graph records: its records name values.
    pub fn keep(&mut self, mark: usize, kept: &mut [Var]) {
        assert!(!self.is_recording(), "a recorded value cannot be dropped");
        // Ascending, one value after another moves to the first place that is free; what was renamed lies below `next`.
        let (mut place, mut next) = (mark, mark);
        while let Some(old) = kept.iter().map(|var| var.0 as usize).filter(|&var| var >= next).min() {
            self.tape.values.swap(place, old);
            let new = Var(u32::try_from(place).unwrap_or(u32::MAX));
            kept.iter_mut().filter(|var| var.0 as usize == old).for_each(|var| *var = new);
            (place, next) = (place + 1, old + 1);
        }
        let Tape { values, free, .. } = &mut *self.tape;
        values.drain(place..).for_each(|value| free.put(value.tensor));
    }
}
