//! The operations a model is made of, one file each: equation, forward, backward, checks.
//!
//! An operation is a method of [`Graph`]: it computes its value through the backend and, if the graph records, writes down a record, `Node`, which says how
//! gradients flow back. Shapes are checked here; a mismatch is a mistake in model code and panics, naming both.

mod add;
mod attend;
mod centres;
mod concat;
mod cross_entropy;
mod dropout;
mod embed;
mod gather;
mod guided;
mod linear;
mod log_softmax;
mod mean;
mod narrow;
mod recurrent;
mod steps;
mod tanh;

#[cfg(test)]
pub(crate) mod checks;

pub use attend::{Attended, Attention, AttentionScore, AttentionWindow};
pub use dropout::SequenceMask;
pub use narrow::Narrow;
pub use recurrent::{Recurrent, RecurrentOutput, State};

use crate::backend::{Backend, RandomKey};
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Var};

/// A record of one operation: what it read, what it wrote, and what it left for its backward pass.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "records lie in one arena; a box would allocate on every step")]
pub(crate) enum Node<B: Backend> {
    Add { y: Var, a: Var, b: Var },
    Attend(attend::AttendNode),
    Concat { y: Var, a: Var, b: Var },
    Dropout { y: Var, x: Var, p: f32, key: RandomKey, period: usize },
    Embed { y: Var, table: ParamId, ids: IdsVar },
    Linear { y: Var, x: Var, weight: ParamId, bias: Option<ParamId> },
    Loss { x: Var, dx: B::Tensor },
    MeanRows { y: Var, x: Var },
    Recurrent(recurrent::RecurrentNode<B>),
    Step { y: Var, x: Var, step: usize },
    Stack { y: Var, part: Var, step: usize },
    Tanh { y: Var, x: Var },
    WindowCentres { y: Var, x: Var, src_len: IdsVar },
}

impl<B: Backend> Node<B> {
    /// Adds to the gradients of what the operation read, given that of what it wrote.
    pub(crate) fn backward(self, graph: &mut Graph<'_, B>) {
        match self {
            Self::Add { y, a, b } => add::backward(graph, y, a, b),
            Self::Attend(node) => attend::backward(graph, node),
            Self::Concat { y, a, b } => concat::backward(graph, y, a, b),
            Self::Dropout { y, x, p, key, period } => dropout::backward(graph, y, x, p, key, period),
            Self::Embed { y, table, ids } => embed::backward(graph, y, table, ids),
            Self::Linear { y, x, weight, bias } => linear::backward(graph, y, x, weight, bias),
            Self::Loss { x, dx } => graph.add_gradient(x, dx),
            Self::MeanRows { y, x } => mean::backward(graph, y, x),
            Self::Recurrent(node) => recurrent::backward(graph, node),
            Self::Step { y, x, step } => steps::step_backward(graph, y, x, step),
            Self::Stack { y, part, step } => steps::stack_backward(graph, y, part, step),
            Self::Tanh { y, x } => tanh::backward(graph, y, x),
            Self::WindowCentres { y, x, src_len } => centres::backward(graph, y, x, src_len),
        }
    }

    /// The values the operation wrote, which nothing reads once their gradients have flowed through it.
    pub(crate) fn outputs(&self) -> [Option<Var>; 3] {
        match self {
            Self::Add { y, .. }
            | Self::Concat { y, .. }
            | Self::Dropout { y, .. }
            | Self::Embed { y, .. }
            | Self::Linear { y, .. }
            | Self::MeanRows { y, .. }
            | Self::Step { y, .. }
            | Self::Stack { y, .. }
            | Self::Tanh { y, .. }
            | Self::WindowCentres { y, .. } => [Some(*y), None, None],
            Self::Attend(node) => [node.output().scores, node.output().context, node.output().weights].map(Some),
            Self::Recurrent(node) => [Some(node.output().y), Some(node.output().last.h), node.output().last.c],
            Self::Loss { .. } => [None; 3],
        }
    }

    /// Hands the buffers this record owns to `put`.
    pub(crate) fn release(self, put: &mut dyn FnMut(B::Tensor)) {
        match self {
            Self::Loss { dx, .. } => put(dx),
            Self::Recurrent(node) => node.release(put),
            _ => {}
        }
    }
}
