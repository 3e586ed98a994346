//! The way back: gradients of values, and the walk through the records.

use super::{Graph, Tape, Var};
use crate::backend::{Backend, Real, Store};
use crate::params::{Gradients, Params};

impl<B: Backend> Graph<'_, B> {
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
}
