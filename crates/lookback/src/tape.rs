//! The tape: what was computed, in order, so that gradients can flow back.
//!
//! A [`Graph`] is the context in which a model runs. Operations (in `ops/`) take and return [`Var`]s, handles to values on the tape. A recording graph also
//! writes down one plain record per operation; [`Graph::backward`] walks them in reverse. A graph that does not record is inference: the same model code, no
//! second implementation.
//!
//! Buffers come from a pool and go back to it when nothing reads them any more, at the latest when the tape is reset; so do lists. A steady training step allocates nothing once its
//! shapes were seen.

use crate::backend::{Backend, RandomKey, Real, Store};
use crate::ops::{Node, State};
use crate::params::{Gradients, Params};

/// A value on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Var(u32);

/// Ids on the tape: tokens or lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdsVar(u32);

/// The sizes of a value: T steps, B rows, W wide. A value without time has one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// T.
    pub steps: usize,
    /// B.
    pub batch: usize,
    /// W.
    pub width: usize,
}

impl Shape {
    /// (T, B, W)
    #[must_use]
    pub fn new(steps: usize, batch: usize, width: usize) -> Self {
        Self { steps, batch, width }
    }

    /// Numbers in all.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a value is never empty")]
    pub fn len(self) -> usize {
        self.steps * self.batch * self.width
    }

    /// Rows of W.
    #[must_use]
    pub fn rows(self) -> usize {
        self.steps * self.batch
    }
}

#[derive(Debug)]
struct Value<B: Backend> {
    tensor: B::Tensor,
    shape: Shape,
    gradient: Option<B::Tensor>,
}

/// Values, records and the pool of buffers; kept from step to step.
#[derive(Debug)]
pub struct Tape<B: Backend> {
    values: Vec<Value<B>>,
    ids: Vec<B::Ids>,
    nodes: Vec<Node<B>>,
    free: FreeList<B>,
    free_ids: Vec<B::Ids>,
    free_lists: Vec<Vec<Var>>,
    free_states: Vec<Vec<State>>,
}

impl<B: Backend> Default for Tape<B> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            ids: Vec::new(),
            nodes: Vec::new(),
            free: FreeList::default(),
            free_ids: Vec::new(),
            free_lists: Vec::new(),
            free_states: Vec::new(),
        }
    }
}

impl<B: Backend> Tape<B> {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything; buffers go back to the pool.
    pub fn reset(&mut self) {
        let Self { values, ids, nodes, free, free_ids, .. } = self;
        for value in values.drain(..) {
            free.put(value.tensor);
            value.gradient.into_iter().for_each(|g| free.put(g));
        }
        for node in nodes.drain(..) {
            node.release(&mut |tensor| free.put(tensor));
        }
        // In the order of their use, so that each is as long as its next use wants.
        free_ids.extend(ids.drain(..).rev());
    }

    pub(crate) fn tensor(&self, x: Var) -> &B::Tensor {
        &self.values[x.0 as usize].tensor
    }

    pub(crate) fn ids(&self, ids: IdsVar) -> &B::Ids {
        &self.ids[ids.0 as usize]
    }

    /// How many buffers were ever allocated: constant in a steady state.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.free.allocations
    }
}

/// Buffers of one capacity.
#[derive(Debug)]
struct Class<B: Backend> {
    capacity: usize,
    /// How many there are, free or not.
    made: usize,
    free: Vec<B::Tensor>,
}

/// Buffers by size class: a class spans an eighth of a power of two, so shapes of neighbouring buckets share buffers.
///
/// Which buffers serve a class is settled when it is first met. So what a step takes from where does not depend on what came before it, and a step whose shapes were seen finds what it needs.
#[derive(Debug)]
struct FreeList<B: Backend> {
    /// By capacity.
    classes: Vec<Class<B>>,
    /// Sizes of classes that were met, and the capacity of the buffers that serve them.
    homes: Vec<(usize, usize)>,
    /// Buffers that came back and wait to be sorted by their class.
    returned: Vec<B::Tensor>,
    allocations: usize,
}

impl<B: Backend> Default for FreeList<B> {
    fn default() -> Self {
        Self { classes: Vec::new(), homes: Vec::new(), returned: Vec::new(), allocations: 0 }
    }
}

/// The capacity a buffer of `len` numbers gets.
fn class(len: usize) -> usize {
    let len = len.max(64);
    let step = (len.next_power_of_two() / 16).max(1);
    len.next_multiple_of(step)
}

impl<B: Backend> FreeList<B> {
    fn put(&mut self, tensor: B::Tensor) {
        self.returned.push(tensor);
    }

    fn take(&mut self, backend: &B, len: usize) -> B::Tensor {
        while let Some(tensor) = self.returned.pop() {
            // A value that was forgotten has no room, and no class.
            if let Ok(place) = self.place(backend.capacity(&tensor)) {
                self.classes[place].free.push(tensor);
            }
        }
        let place = self.home(class(len));
        let class = &mut self.classes[place];
        let mut tensor = class.free.pop().unwrap_or_else(|| {
            // With room in the lists for it to come back.
            class.made += 1;
            class.free.reserve(class.made);
            self.allocations += 1;
            self.returned.reserve(self.allocations.saturating_sub(self.returned.len()));
            let tensor = backend.alloc(class.capacity);
            debug_assert_eq!(backend.capacity(&tensor), class.capacity, "a buffer has the room that was asked for");
            tensor
        });
        backend.set_len(&mut tensor, len);
        tensor
    }

    /// The place of the buffers that serve a class of `size`: of those there are already, the smallest that are large enough and no more than twice as large, which is better than holding
    /// memory for every class.
    fn home(&mut self, size: usize) -> usize {
        let capacity = match self.homes.binary_search_by_key(&size, |home| home.0) {
            Ok(i) => self.homes[i].1,
            Err(i) => {
                let next = self.classes.get(self.classes.partition_point(|c| c.capacity < size));
                let capacity = next.map(|c| c.capacity).filter(|&capacity| capacity <= 2 * size).unwrap_or(size);
                self.homes.insert(i, (size, capacity));
                capacity
            }
        };
        self.place(capacity).unwrap_or_else(|i| {
            self.classes.insert(i, Class { capacity, made: 0, free: Vec::new() });
            i
        })
    }

    fn place(&self, capacity: usize) -> Result<usize, usize> {
        self.classes.binary_search_by_key(&capacity, |c| c.capacity)
    }
}

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
    tape: &'a mut Tape<B>,
    gradients: Option<&'a mut Gradients<B>>,
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

    /// Values and parameter gradients at once, for backward passes.
    pub(crate) fn split(&mut self) -> (&B, &Params<B>, &Tape<B>, &mut Gradients<B>) {
        let gradients = self.gradients.as_deref_mut().expect("a graph that records was given gradients");
        (self.backend, self.params, self.tape, gradients)
    }

    /// Takes the gradient of `x` out, or zeros if nothing has reached it; give it back with [`Graph::put_gradient`].
    pub(crate) fn take_gradient(&mut self, x: Var) -> B::Tensor {
        if let Some(gradient) = self.tape.values[x.0 as usize].gradient.take() {
            return gradient;
        }
        let mut gradient = self.alloc(self.shape(x).len());
        self.backend.fill(&mut gradient, B::Elem::ZERO);
        gradient
    }

    /// Takes the gradient of `x` out, and how something is brought into it: if nothing has reached it, its numbers are unspecified and to be set.
    pub(crate) fn take_gradient_to_store(&mut self, x: Var) -> (B::Tensor, Store) {
        match self.tape.values[x.0 as usize].gradient.take() {
            Some(gradient) => (gradient, Store::Add),
            None => (self.alloc(self.shape(x).len()), Store::Set),
        }
    }

    /// Takes the gradient of an output out, if anything has reached it. An operation consumes it and releases the buffer.
    pub(crate) fn take_output_gradient(&mut self, y: Var) -> Option<B::Tensor> {
        self.tape.values[y.0 as usize].gradient.take()
    }

    /// The gradient of an output that several records share.
    pub(crate) fn has_gradient(&self, y: Var) -> bool {
        self.tape.values[y.0 as usize].gradient.is_some()
    }

    pub(crate) fn put_gradient(&mut self, x: Var, gradient: B::Tensor) {
        let slot = &mut self.tape.values[x.0 as usize].gradient;
        debug_assert!(slot.is_none(), "a gradient is put back once");
        *slot = Some(gradient);
    }

    /// Adds a whole tensor to the gradient of `x`, taking it over if it is the first.
    pub(crate) fn add_gradient(&mut self, x: Var, gradient: B::Tensor) {
        match &mut self.tape.values[x.0 as usize].gradient {
            Some(sum) => {
                self.backend.add_assign(sum, &gradient);
                self.release(gradient);
            }
            slot @ None => *slot = Some(gradient),
        }
    }

    /// Sets the gradient that flows into `y` from outside: of a loss `Σ y·values`.
    pub fn seed_gradient(&mut self, y: Var, values: &[B::Elem]) {
        let mut gradient = self.alloc(self.shape(y).len());
        self.backend.upload(&mut gradient, values);
        self.add_gradient(y, gradient);
    }

    /// The gradient that has reached `x` and that no operation has consumed: of inputs, after [`Graph::backward`].
    #[must_use]
    pub fn gradient(&self, x: Var) -> Option<Vec<B::Elem>> {
        self.tape.values[x.0 as usize].gradient.as_ref().map(|g| self.backend.download(g))
    }

    /// Walks the records in reverse: gradients flow from what was seeded (and from losses, which seed themselves) to inputs and parameters. What operations computed is gone
    /// afterwards: each value goes back to the pool as soon as nothing reads it any more.
    pub fn backward(&mut self) {
        while let Some(node) = self.tape.nodes.pop() {
            let outputs = node.outputs();
            node.backward(self);
            outputs.into_iter().flatten().for_each(|y| self.forget(y));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_wastes_at_most_an_eighth() {
        for len in (1..5000).chain([100_000, 123_457, 1 << 20]) {
            let class = class(len);
            assert!(class >= len && (len < 64 || class <= len + len / 8 + 1), "{len}: {class}");
        }
    }
}
