//! The tape: what was computed, in order, so that gradients can flow back.
//!
//! A [`Graph`] is the context in which a model runs. Operations (in `ops/`) take and return [`Var`]s, handles to values on the tape. A recording graph also
//! writes down one plain record per operation; [`Graph::backward`] walks them in reverse. A graph that does not record is inference: the same model code, no
//! second implementation.
//!
//! Buffers come from a pool and go back to it when nothing reads them any more, at the latest when the tape is reset; so do lists. A steady training step allocates nothing once its
//! shapes were seen.

use crate::backend::Backend;
use crate::ops::{Node, State};

mod backward;
mod free_list;
mod graph;

use free_list::FreeList;

pub use graph::{Graph, Recording};

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
