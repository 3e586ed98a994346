//! What operations are told besides their tensors: sizes, ways to look at a source, where gradients go.

use super::{CellKind, Direction, Store};

/// Sizes of a recurrent layer's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecurrentSpec {
    /// The cell.
    pub cell: CellKind,
    /// T, steps.
    pub steps: usize,
    /// B, rows.
    pub batch: usize,
    /// H, width.
    pub hidden: usize,
    /// Which way it reads.
    pub direction: Direction,
}

/// Sizes of an attention: T queries per row, S source positions, B sentences, G query rows per sentence (the beam), N heads, H wide queries and W wide values.
pub type AttentionSpec = lookback_kernels::AttentionShape;

/// How a query is compared with the positions of a source, with what that reads besides the query. See [`lookback_kernels::Score`]; T is a tensor, W a weight.
#[derive(Debug)]
pub enum Score<'a, T, W> {
    /// `e[s] = scale · qᵀ k[s]`
    Dot {
        /// (S, B, H).
        keys: &'a T,
        /// What the product is multiplied by.
        scale: f64,
    },
    /// `e[s] = Σ_j v_j · tanh(q_j + k_j[s])`
    Additive {
        /// (S, B, H).
        keys: &'a T,
        /// (H,).
        v: &'a W,
    },
    /// `e[s] = q[s]`
    Location,
}

/// The part of the source each query looks at. See [`lookback_kernels::Window`]; T is a tensor.
#[derive(Debug)]
pub enum Window<'a, T> {
    /// All of it.
    Global,
    /// `half` positions to either side of the query's own step.
    Monotonic {
        /// The step of the first query.
        first: usize,
        /// D.
        half: usize,
    },
    /// `half` positions to either side of a centre, the nearer the better.
    Centred {
        /// p (T, R).
        centres: &'a T,
        /// D.
        half: usize,
    },
}

// Not derived: T need not be copied.
impl<T> Clone for Window<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Window<'_, T> {}

/// A [`Score`], and where the gradients of what it reads besides the query are added.
#[derive(Debug)]
pub enum ScoreBackward<'a, T, W> {
    /// Of [`Score::Dot`].
    Dot {
        /// (S, B, H).
        keys: &'a T,
        /// What the product is multiplied by.
        scale: f64,
        /// (S, B, H).
        dkeys: &'a mut T,
    },
    /// Of [`Score::Additive`].
    Additive {
        /// (S, B, H).
        keys: &'a T,
        /// (H,).
        v: &'a W,
        /// (S, B, H).
        dkeys: &'a mut T,
        /// (H,).
        dv: &'a mut T,
    },
    /// Of [`Score::Location`].
    Location,
}

/// The gradient of a parameter; T is a tensor, R the rows of a table.
#[derive(Debug)]
pub enum Gradient<T, R> {
    /// All of it.
    Dense(T),
    /// Of a table that is only looked up: the rows that were; all others are zero.
    Rows(R),
}

/// The tensors a recurrent layer leaves for its backward pass, which uses them up.
#[derive(Debug)]
pub struct RecurrentTrace<T> {
    /// The projected input (T, B, G·H), which becomes the activations of the gates, then the gradient of the recurrent product.
    pub gates: T,
    /// What the cell saved (T, B, saved·H).
    pub saved: T,
    /// h before each step (T, B, H).
    pub h_prev: T,
    /// c before each step (T, B, H), if the cell has it.
    pub c_prev: Option<T>,
}

/// What weights are about to be used for, so that a backend can lay them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Many products with few rows each, forward only.
    Decode,
    /// Many products with few rows each, forward and backward.
    Train,
}

/// How a weight is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision: trains and decodes.
    F32,
    /// Double precision, for checks.
    F64,
    /// bfloat16: decodes.
    Bf16,
    /// Whole numbers of 8 bits with a scale per row: decodes.
    Int8,
}

impl Precision {
    /// The name as it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Whether gradients can be taken with weights of this precision.
    #[must_use]
    pub fn is_trainable(self) -> bool {
        match self {
            Self::F32 | Self::F64 => true,
            Self::Bf16 | Self::Int8 => false,
        }
    }
}

/// Writes whole rows of a matrix, row-major, from the given one on. It may be called for some rows after others and from several threads, so that a file's numbers are laid out
/// while they are in the cache.
pub type Fill<'a, S> = &'a (dyn Fn(usize, &mut [S]) + Sync);

/// Where [`Backend::linear_cross_entropy`](super::Backend::linear_cross_entropy) brings its gradients.
#[derive(Debug)]
pub struct LossGradients<'a, T> {
    /// Gradient of the input (N, H): it is set.
    pub dx: &'a mut T,
    /// Gradient of the output matrix (V, H).
    pub dw: &'a mut T,
    /// How it is brought into `dw`.
    pub store: Store,
    /// Gradient of the output bias (V,): it is added to.
    pub db: &'a mut T,
}
