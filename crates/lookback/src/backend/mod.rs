//! The one seam for hardware.
//!
//! Model, training and search code never touches memory: every operation goes through [`Backend`]. The processor's implementation is [`Cpu`]; another device is
//! added by implementing this trait, without a change elsewhere.
//!
//! Tensors are flat and row-major; sequences are time-major, `(T, B, W)`. Methods called `…_backward` *add* to the gradients they are given.

use std::fmt::Debug;

pub use lookback_kernels::{
    AdamStep, Candidates, CrossEntropy, Direction, GuidedCost, GuidedLoss, GuidedRows, Isa, Products, RandomKey, Real,
    SgdStep, Smoothing, Store, TopK,
};

mod cell;
mod cpu;
mod operands;
#[cfg(feature = "train")]
mod planned;

use cell::with_cell;

pub use cell::CellKind;
pub use cpu::Cpu;
pub use operands::{
    AttentionSpec, Fill, Gradient, LossGradients, Precision, Purpose, RecurrentSpec, RecurrentTrace, Score,
    ScoreBackward, Window,
};
#[cfg(feature = "train")]
pub(crate) use planned::{Planned, PlannedWeight};
/// Memory and arithmetic of a device. See the module for layouts; N is any number of rows.
pub trait Backend: Debug + Send + Sync + 'static {
    /// The numbers the host exchanges with the device.
    type Elem: Real;
    /// A block of numbers.
    type Tensor: Debug + Send + Sync;
    /// A block of token ids or lengths.
    type Ids: Debug + Send + Sync;
    /// The rows of a table's gradient that anything has reached.
    type Rows: Debug + Send + Sync;
    /// A parameter matrix in its stored form: it offers products and row look-up at every precision.
    type Weight: Debug + Send + Sync;

    // Memory.

    /// Room for `capacity` numbers.
    fn alloc(&self, capacity: usize) -> Self::Tensor;
    /// How many numbers there is room for.
    fn capacity(&self, x: &Self::Tensor) -> usize;
    /// Sets the length, within the capacity; contents become unspecified.
    fn set_len(&self, x: &mut Self::Tensor, len: usize);
    /// Sets every element.
    fn fill(&self, x: &mut Self::Tensor, value: Self::Elem);
    /// Copies from the host.
    fn upload(&self, x: &mut Self::Tensor, from: &[Self::Elem]);
    /// Copies to the host.
    fn download(&self, x: &Self::Tensor) -> Vec<Self::Elem>;
    /// Copies the numbers from `from` on to the host, in single precision, as many as `to` has.
    fn read(&self, x: &Self::Tensor, from: usize, to: &mut [f32]);
    /// The gradient of a table of `rows` × `width`, by rows: zero.
    fn alloc_rows(&self, rows: usize, width: usize) -> Self::Rows;
    /// Sets it to zero.
    fn clear_rows(&self, x: &mut Self::Rows);
    /// The whole table (V, E), to the host.
    fn download_rows(&self, x: &Self::Rows) -> Vec<Self::Elem>;
    /// An empty block of ids.
    fn alloc_ids(&self) -> Self::Ids;
    /// Copies ids from the host, replacing what was there.
    fn upload_ids(&self, ids: &mut Self::Ids, from: &[u32]);
    /// `y[to..to + len] = x[from..from + len]`
    fn copy(&self, y: &mut Self::Tensor, to: usize, x: &Self::Tensor, from: usize, len: usize);
    /// `y[to..to + len] += x[from..from + len]`
    fn copy_add(&self, y: &mut Self::Tensor, to: usize, x: &Self::Tensor, from: usize, len: usize);
    /// `y[t, i] = x[t, rows[i]]` for `x` (T, B, `width`) and every t: the beam's gather.
    fn gather_rows(
        &self,
        y: &mut Self::Tensor,
        x: &Self::Tensor,
        rows: &[u32],
        steps: usize,
        batch: usize,
        width: usize,
    );

    // Weights.

    /// A weight of `rows` × `cols` from its values.
    fn weight(&self, values: &[Self::Elem], rows: usize, cols: usize) -> Self::Weight;
    /// A weight of `rows` × `cols` from bfloat16. Products with it round their other operand to bfloat16, too.
    fn bf16_weight(&self, rows: usize, cols: usize, fill: Fill<'_, u16>) -> Self::Weight;
    /// A weight of `rows` × `cols` from whole numbers in −127..=127, and what those of each row are worth.
    fn int8_weight(&self, scales: Vec<f32>, rows: usize, cols: usize, fill: Fill<'_, i8>) -> Self::Weight;
    /// The values of a weight, as far as its precision knows them.
    fn weight_values(&self, weight: &Self::Weight) -> Vec<Self::Elem>;
    /// As [`Backend::read`], of the values of a weight, row-major, that has all its bits.
    fn read_weight(&self, weight: &Self::Weight, from: usize, to: &mut [f32]);
    /// How a weight is stored.
    fn precision(&self, weight: &Self::Weight) -> Precision;
    /// The rows `ids` of a matrix as a weight of its own, stored like it and laid out for decoding.
    fn select_rows(&self, weight: &Self::Weight, ids: &[u32]) -> Self::Weight;
    /// The entries `ids` of a vector as a weight of its own.
    fn select_entries(&self, weight: &Self::Weight, ids: &[u32]) -> Self::Weight;
    /// Lays a weight out for a purpose, until it is next updated.
    fn prepare(&self, weight: &mut Self::Weight, purpose: Purpose);

    // Operations, forward and backward.

    /// `y[n] = table[ids[n]]`
    fn embed(&self, y: &mut Self::Tensor, table: &Self::Weight, ids: &Self::Ids);
    /// `dtable[ids[n]] += dy[n]`, rows of `width`.
    fn embed_backward(
        &self,
        dtable: &mut Gradient<Self::Tensor, Self::Rows>,
        ids: &Self::Ids,
        dy: &Self::Tensor,
        width: usize,
    );
    /// `y = x·Wᵀ + b`
    fn linear(&self, y: &mut Self::Tensor, x: &Self::Tensor, w: &Self::Weight, bias: Option<&Self::Weight>);
    /// `dx = dy·W` or `dx += dy·W`
    fn linear_backward_input(&self, dx: &mut Self::Tensor, store: Store, dy: &Self::Tensor, w: &Self::Weight);
    /// `dw = dyᵀ·x` or `dw += dyᵀ·x`, W of shape (O, I) given by `w`.
    fn linear_backward_weight(
        &self,
        dw: &mut Self::Tensor,
        store: Store,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        w: &Self::Weight,
    );
    /// `sums[j] += Σ_n x[n, j]`
    fn column_sums(&self, sums: &mut Self::Tensor, x: &Self::Tensor);
    /// A recurrent layer over all steps of the projected input in `trace.gates`; `h` and `c`, if the cell has it, hold the initial state and receive the final one. See [`lookback_kernels::recurrent`].
    fn recurrent(
        &self,
        spec: RecurrentSpec,
        y: &mut Self::Tensor,
        h: &mut Self::Tensor,
        c: Option<&mut Self::Tensor>,
        trace: &mut RecurrentTrace<Self::Tensor>,
        weight: &Self::Weight,
        bias: &Self::Weight,
        lengths: Option<&Self::Ids>,
    );
    /// Gradients of [`Backend::recurrent`]: leaves that of the projected input in `trace.gates` or, if the cell's is apart, writes it to `dx`; brings that of the matrix into `dweight` as `store` says; `dh` and `dc` hold the gradients of the final state and receive those of the initial one;
    /// `total`, if given, receives the whole gradient that reached each step's h.
    fn recurrent_backward(
        &self,
        spec: RecurrentSpec,
        dx: Option<&mut Self::Tensor>,
        dh: &mut Self::Tensor,
        dc: Option<&mut Self::Tensor>,
        dweight: &mut Self::Tensor,
        store: Store,
        dbias: &mut Self::Tensor,
        dy: Option<&Self::Tensor>,
        trace: &mut RecurrentTrace<Self::Tensor>,
        weight: &Self::Weight,
        lengths: Option<&Self::Ids>,
        total: Option<&mut Self::Tensor>,
    );
    /// Attention: writes `context`, `weights` and `scores`. See [`lookback_kernels::attend`].
    fn attend(
        &self,
        spec: AttentionSpec,
        score: Score<'_, Self::Tensor, Self::Weight>,
        window: Window<'_, Self::Tensor>,
        context: &mut Self::Tensor,
        weights: &mut Self::Tensor,
        scores: &mut Self::Tensor,
        query: &Self::Tensor,
        values: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// `dweights += dcontext·valuesᵀ`
    fn attend_backward_weights(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Self::Tensor>,
        dweights: &mut Self::Tensor,
        dcontext: &Self::Tensor,
        values: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// `dvalues += weightsᵀ·dcontext`
    fn attend_backward_values(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Self::Tensor>,
        dvalues: &mut Self::Tensor,
        weights: &Self::Tensor,
        dcontext: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// Through softmax and score: adds to `dquery`, the gradients in `score` and, of a centred window, `dcentres`; overwrites `dweights` with the gradient of the
    /// scores, `dscores` from elsewhere included.
    fn attend_backward_scores(
        &self,
        spec: AttentionSpec,
        score: ScoreBackward<'_, Self::Tensor, Self::Weight>,
        window: Window<'_, Self::Tensor>,
        dquery: &mut Self::Tensor,
        dweights: &mut Self::Tensor,
        dcentres: Option<&mut Self::Tensor>,
        dscores: Option<&Self::Tensor>,
        weights: &Self::Tensor,
        query: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// `p[t, r] = len · sigmoid(z[t, r])` for (T, `rows`), with the length of the row's sentence: the centres of predicted windows.
    fn window_centres(&self, p: &mut Self::Tensor, z: &Self::Tensor, rows: usize, src_len: &Self::Ids);
    /// `dz += dp·p·(1 − p / len)`
    fn window_centres_backward(
        &self,
        dz: &mut Self::Tensor,
        dp: &Self::Tensor,
        p: &Self::Tensor,
        rows: usize,
        src_len: &Self::Ids,
    );
    /// The mean of every `count` rows of `width` that follow each other.
    fn mean_rows(&self, y: &mut Self::Tensor, x: &Self::Tensor, count: usize, width: usize);
    /// `dx[i·count + k] += dy[i] / count`
    fn mean_rows_backward(&self, dx: &mut Self::Tensor, dy: &Self::Tensor, count: usize, width: usize);
    /// `y = tanh(x)`
    fn tanh(&self, y: &mut Self::Tensor, x: &Self::Tensor);
    /// `d = d·(1 − y²)`
    fn tanh_backward(&self, d: &mut Self::Tensor, y: &Self::Tensor);
    /// `y = a + b`
    fn add(&self, y: &mut Self::Tensor, a: &Self::Tensor, b: &Self::Tensor);
    /// `y += x`
    fn add_assign(&self, y: &mut Self::Tensor, x: &Self::Tensor);
    /// `y += dropout(x)` with the mask of `key` for `period` elements, the same for those that follow.
    fn dropout(&self, y: &mut Self::Tensor, x: &Self::Tensor, p: f32, key: RandomKey, period: usize);
    /// `y[n] = [a[n]; b[n]]`
    fn concat(&self, y: &mut Self::Tensor, a: &Self::Tensor, b: &Self::Tensor, a_width: usize, b_width: usize);
    /// Adds columns `offset..offset + width` of `y` to `x`.
    fn split_add(&self, x: &mut Self::Tensor, y: &Self::Tensor, width: usize, y_width: usize, offset: usize);
    /// Cross-entropy of `softmax(x·Wᵀ + b)`; the logits are never all in memory. With `gradients`, adds those of the summed loss.
    /// With `row_nll`, writes the negative log-likelihood of every row, in nats.
    fn linear_cross_entropy(
        &self,
        x: &Self::Tensor,
        w: &Self::Weight,
        bias: &Self::Weight,
        targets: &Self::Ids,
        smoothing: Smoothing,
        gradients: Option<LossGradients<'_, Self::Tensor>>,
        row_nll: Option<&mut Vec<f64>>,
    ) -> CrossEntropy;
    /// The cost of attention weights (N, `width`) against given ones; with `gradient` (N, `width`), adds that of `factor` times the summed cost.
    fn guided_alignment(
        &self,
        weights: &Self::Tensor,
        width: usize,
        given: GuidedRows<'_>,
        cost: GuidedCost,
        factor: f64,
        gradient: Option<&mut Self::Tensor>,
    ) -> GuidedLoss;

    // Search.

    /// Rows of `width` logits become log-probabilities, in nats.
    fn log_softmax(&self, x: &mut Self::Tensor, width: usize);
    /// Logits `x` (N, U) of the pieces `ids` (U,) become log-probabilities `y` (N, `width`), row n among the entries `among(n)` of `ids`; −∞ everywhere else.
    fn log_softmax_among<'l>(
        &self,
        y: &mut Self::Tensor,
        width: usize,
        x: &Self::Tensor,
        ids: &[u32],
        among: &(dyn Fn(usize) -> &'l [u32] + Sync),
    );
    /// Finds the `k` best entries of each row of `width`; row n may choose among `candidates(n)`.
    fn top_k<'c>(
        &self,
        x: &Self::Tensor,
        width: usize,
        k: usize,
        candidates: &(dyn Fn(usize) -> Candidates<'c> + Sync),
        found: &mut TopK<Self::Elem>,
    );

    // Optimiser.

    /// `Σ x²`
    fn squared_norm(&self, x: &Gradient<Self::Tensor, Self::Rows>) -> f64;
    /// One update by gradient descent; `m` is the step before, if there is momentum.
    fn sgd(
        &self,
        weight: &mut Self::Weight,
        gradient: &Gradient<Self::Tensor, Self::Rows>,
        m: Option<&mut Self::Tensor>,
        step: SgdStep,
    );
    /// `average += share·(weight − average)`
    fn approach(&self, average: &mut Self::Weight, weight: &Self::Weight, share: f64);
    /// One Adam update; `m` and `v` are the moments.
    fn adam(
        &self,
        weight: &mut Self::Weight,
        gradient: &Gradient<Self::Tensor, Self::Rows>,
        m: &mut Self::Tensor,
        v: &mut Self::Tensor,
        step: AdamStep,
    );
}
