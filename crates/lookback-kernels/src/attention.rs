//! Attention over a memory, for whole sequences of queries and for single steps, with any [`Score`] and any number of heads.
//!
//! ```text
//! e[t,n,s] = score(query[t], position s)          scores of head n
//! α[t,n]   = softmax(e[t,n]) over s < len         weights; padding exactly 0
//! a[t,n]   = Σ_s α[t,n,s]·values[s,n]             context (attention value) of head n
//! a[t]     = [a[t,0]; …; a[t,N-1]]
//! ```
//! Luong, Pham & Manning 2015, §3.1; a [`Window`] (§3.2) lets a query look at a part of the positions only, to which "s" is then confined; heads as in Vaswani et al. 2017, §3.2.2: of N heads, head n has the n-th share of the columns of queries, keys and values, and a
//! softmax of its own. Queries are (T, R, H), keys (S, B, H), values (S, B, W), weights (T, R, N, S), context (T, R, W). There are R = B·G query rows: the
//! G rows `b·G..(b+1)·G` share the memory of sentence `b` (the hypotheses of a beam; G = 1 in training).
//!
//! What differs between scores is one row: scores of a query, and the way back. Each has a file (`dot`, `additive`); softmax, value and masks are here. Nothing is
//! computed of positions outside the window.

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::{Exec, Isa, Real, masked_softmax_row};

mod additive;
mod backward;
mod dot;
mod window;

pub use backward::{ScoreBackward, attend_backward_scores, attend_backward_values, attend_backward_weights};
use dot::dots;
pub use window::{Window, window_centres, window_centres_backward};

/// The sizes of an attention: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// T, query positions.
    pub queries: usize,
    /// S, source positions, padding included.
    pub src_max: usize,
    /// B, sentences in memory.
    pub batch: usize,
    /// G, query rows that share a sentence's memory.
    pub group: usize,
    /// N, heads: each has an equal share of the columns.
    pub heads: usize,
    /// H, width of the queries, and of the keys where the score has any.
    pub query_width: usize,
    /// W, width of values and context.
    pub value_width: usize,
}

/// How a query is compared with the positions of a source.
#[derive(Debug, Clone, Copy)]
pub enum Score<'a, T> {
    /// `e[s] = scale · qᵀ k[s]` (Luong et al. 2015, "dot" and, with projected keys, "general"; with scale 1/√d Vaswani et al. 2017).
    Dot {
        /// (S, B, H).
        keys: &'a [T],
        /// What the product is multiplied by.
        scale: T,
    },
    /// `e[s] = Σ_j v_j · tanh(q_j + k_j[s])` (Bahdanau et al. 2015, A.1.2; Luong's "concat").
    Additive {
        /// (S, B, H).
        keys: &'a [T],
        /// (H,): each head has its share.
        v: &'a [T],
    },
    /// `e[s] = q[s]`: the query holds a score for every position, H ≥ S (Luong et al. 2015, eq. 8). One head.
    Location,
}

impl<T> Score<'_, T> {
    fn check(&self, shape: AttentionShape) {
        let memory = shape.src_max * shape.batch * shape.query_width;
        match self {
            Self::Dot { keys, .. } => assert_eq!(keys.len(), memory, "keys must be (S, B, H)"),
            Self::Additive { keys, v } => {
                assert_eq!(keys.len(), memory, "keys must be (S, B, H)");
                assert_eq!(v.len(), shape.query_width, "v must be (H,)");
            }
            Self::Location => {
                assert!(shape.heads == 1 && shape.query_width >= shape.src_max, "a score for every position, one head");
            }
        }
    }
}

/// Where the rows of a sentence's head lie in a memory (S, B, W): row s starts at `start + s·stride`.
#[derive(Debug, Clone, Copy)]
struct Rows {
    start: usize,
    stride: usize,
    /// The head's columns.
    columns: usize,
    /// The first of them.
    first: usize,
    /// The source position of row 0.
    position: usize,
}

impl Rows {
    fn of(shape: AttentionShape, width: usize, sentence: usize, head: usize) -> Self {
        let columns = width / shape.heads;
        let first = head * columns;
        Self { start: sentence * width + first, stride: shape.batch * width, columns, first, position: 0 }
    }

    /// The rows from `s` on.
    fn from(self, s: usize) -> Self {
        Self { start: self.start + s * self.stride, position: self.position + s, ..self }
    }
}

impl AttentionShape {
    fn rows(&self) -> usize {
        self.batch * self.group
    }

    /// How many weights there are.
    fn weights(&self) -> usize {
        self.queries * self.rows() * self.heads * self.src_max
    }

    fn check<T>(&self, query: &[T], values: &[T], out: [&[T]; 3], src_len: &[u32]) {
        let [scores, weights, context] = out;
        let (t, s, r, n) = (self.queries, self.src_max, self.rows(), self.heads);
        assert!(
            self.query_width.is_multiple_of(n) && self.value_width.is_multiple_of(n) && n > 0,
            "{n} heads have equal shares"
        );
        assert_eq!(query.len(), t * r * self.query_width, "query must be (T, R, H)");
        assert_eq!(values.len(), s * self.batch * self.value_width, "values must be (S, B, W)");
        assert!(scores.len() == self.weights() && weights.len() == scores.len(), "scores and weights: (T, R, N, S)");
        assert_eq!(context.len(), t * r * self.value_width, "context must be (T, R, W)");
        assert_eq!(src_len.len(), self.batch, "one source length per sentence");
        assert!(src_len.iter().all(|&l| l >= 1 && l as usize <= s), "source lengths must be in 1..={s}");
    }
}

multiversion! {
    /// `y += Σ_s scale·factors[s] · rows[s·stride..]`, in ascending s.
    fn weighted_sum<T>(y: &mut [T], factors: &[T], scale: T, rows: &[T], stride: usize) {
        for (s, &f) in factors.iter().enumerate() {
            let f = scale * f;
            for (y, &v) in y.iter_mut().zip(&rows[s * stride..]) {
                *y += f * v;
            }
        }
    }
}

/// The scores of one query for the positions of `e`, which begin with the first row of `at`, of one head.
fn score_row<T: Real>(isa: Isa, score: Score<'_, T>, e: &mut [T], q: &[T], at: Rows) {
    match score {
        Score::Dot { keys, scale } => dots(isa, e, q, scale, &keys[at.start..], at.stride),
        Score::Additive { keys, v } => {
            additive::scores(isa, e, q, &v[at.first..][..at.columns], &keys[at.start..], at.stride);
        }
        Score::Location => e.copy_from_slice(&q[at.position..][..e.len()]),
    }
}

/// Attention(Q, K, V) with a mask: writes `scores`, `weights` and `context` of every query.
///
/// # Guarantees
/// Each row of weights sums to 1; positions outside the window, or at or beyond the sentence's length, have score −∞ and weight exactly 0, whatever keys and values hold
/// there. Scores are those the softmax is taken of: with the distance from the centre of the window.
///
/// # Panics
/// If the shapes disagree, the heads do not divide the widths, or a length is outside `1..=S`.
///
/// # Examples
/// ```
/// use lookback_kernels::{AttentionShape, Exec, Isa, Pool, Score, Window, attend};
/// let pool = Pool::new(1);
/// let exec = Exec::new(&pool, Isa::detect());
/// // One query of width 2 over three positions, of which the last is padding.
/// let shape = AttentionShape { queries: 1, src_max: 3, batch: 1, group: 1, heads: 1, query_width: 2, value_width: 1 };
/// let (query, keys, values) = ([1.0, 0.0], [3f32.ln(), 5.0, 0.0, 7.0, 9.0, 9.0], [10.0, 20.0, 99.0]);
/// let (mut scores, mut weights, mut context) = ([0.0; 3], [0.0; 3], [0.0; 1]);
/// let score = Score::Dot { keys: &keys, scale: 1.0 };
/// attend(exec, shape, score, Window::Global, &mut context, &mut weights, &mut scores, &query, &values, &[2]);
/// assert!((weights[0] - 0.75f32).abs() < 1e-6 && (weights[1] - 0.25).abs() < 1e-6);
/// assert_eq!((scores[2], weights[2]), (f32::NEG_INFINITY, 0.0));
/// assert!((context[0] - 12.5).abs() < 1e-5);
/// ```
pub fn attend<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    score: Score<'_, T>,
    window: Window<'_, T>,
    context: &mut [T],
    weights: &mut [T],
    scores: &mut [T],
    query: &[T],
    values: &[T],
    src_len: &[u32],
) {
    shape.check(query, values, [scores, weights, context], src_len);
    score.check(shape);
    let AttentionShape { src_max, group, heads, query_width, value_width, .. } = shape;
    let rows = shape.rows();
    window.check(shape.queries, rows);
    let (context, weights, scores) = (Shared::new(context), Shared::new(weights), Shared::new(scores));
    exec.pool.run(rows, |r| {
        let b = r / group;
        let len = src_len[b] as usize;
        for n in 0..heads {
            let (key, value) = (Rows::of(shape, query_width, b, n), Rows::of(shape, value_width, b, n));
            for t in 0..shape.queries {
                let row = t * rows + r;
                let at = (row * heads + n) * src_max;
                // SAFETY: each task writes the rows of its own r, and of these one head at a time.
                let (e, alpha) = unsafe { (scores.part(at, src_max), weights.part(at, src_max)) };
                // SAFETY: as above.
                let a = unsafe { context.part(row * value_width + value.first, value.columns) };
                let q = &query[row * query_width + key.first..][..key.columns];
                let seen = window.range(t, row, len);
                score_row(exec.isa, score, &mut e[seen.clone()], q, key.from(seen.start));
                window.shape(&mut e[seen.clone()], seen.start, row);
                e[..seen.start].fill(T::NEG_INFINITY);
                e[seen.end..].fill(T::NEG_INFINITY);
                alpha.copy_from_slice(e);
                alpha[..seen.start].fill(T::ZERO);
                masked_softmax_row(exec.isa, &mut alpha[seen.start..], seen.len());
                a.fill(T::ZERO);
                let value = value.from(seen.start);
                weighted_sum(exec.isa, a, &alpha[seen], T::ONE, &values[value.start..], value.stride);
            }
        }
    });
}

#[cfg(test)]
mod tests;
