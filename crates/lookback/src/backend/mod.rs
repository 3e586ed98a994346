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

/// Memory and arithmetic of a device. See the module for layouts.
///
/// In the shapes, N is any number of rows, T steps, B sentences of a batch, S source positions, R query rows (B·G, G of each sentence: the beam), V entries of a vocabulary. What is
/// written has the length its shape says before it is written ([`Backend::set_len`]).
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
    /// Sets every element, of any shape.
    fn fill(&self, x: &mut Self::Tensor, value: Self::Elem);
    /// Copies from the host: `x` becomes as long as `from`, within the capacity.
    fn upload(&self, x: &mut Self::Tensor, from: &[Self::Elem]);
    /// Copies to the host.
    fn download(&self, x: &Self::Tensor) -> Vec<Self::Elem>;
    /// Copies the numbers from `from` on to the host, in single precision, as many as `to` has.
    fn read(&self, x: &Self::Tensor, from: usize, to: &mut [f32]);
    /// The gradient of a table (`rows`, `width`), by rows: zero.
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
    /// `y[t, i] = x[t, rows[i]]` for `x` (`steps`, `batch`, `width`), `rows` (R,), `y` (`steps`, R, `width`) and every t: the beam's gather.
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

    /// A weight (`rows`, `cols`) from its values, row-major.
    fn weight(&self, values: &[Self::Elem], rows: usize, cols: usize) -> Self::Weight;
    /// A weight (`rows`, `cols`) from bfloat16. Products with it round their other operand to bfloat16, too.
    fn bf16_weight(&self, rows: usize, cols: usize, fill: Fill<'_, u16>) -> Self::Weight;
    /// A weight (`rows`, `cols`) from whole numbers in −127..=127, and what those of each row are worth: `scales` (`rows`,).
    fn int8_weight(&self, scales: Vec<f32>, rows: usize, cols: usize, fill: Fill<'_, i8>) -> Self::Weight;
    /// The values of a weight (O, I), row-major, as far as its precision knows them.
    fn weight_values(&self, weight: &Self::Weight) -> Vec<Self::Elem>;
    /// As [`Backend::read`], of the values of a weight, row-major, that has all its bits.
    fn read_weight(&self, weight: &Self::Weight, from: usize, to: &mut [f32]);
    /// How a weight is stored.
    fn precision(&self, weight: &Self::Weight) -> Precision;
    /// The rows `ids` (U,) of a matrix (O, I) as a weight (U, I) of its own, stored like it and laid out for decoding.
    fn select_rows(&self, weight: &Self::Weight, ids: &[u32]) -> Self::Weight;
    /// The entries `ids` (U,) of a vector (O,) as a weight (U,) of its own.
    fn select_entries(&self, weight: &Self::Weight, ids: &[u32]) -> Self::Weight;
    /// Lays a weight out for a purpose, until it is next updated.
    fn prepare(&self, weight: &mut Self::Weight, purpose: Purpose);

    // Operations, forward and backward.

    /// `y[n] = table[ids[n]]`: `table` (V, E), `ids` (N,), `y` (N, E).
    fn embed(&self, y: &mut Self::Tensor, table: &Self::Weight, ids: &Self::Ids);
    /// `dtable[ids[n]] += dy[n]`: `dtable` (V, `width`), `ids` (N,), `dy` (N, `width`).
    fn embed_backward(
        &self,
        dtable: &mut Gradient<Self::Tensor, Self::Rows>,
        ids: &Self::Ids,
        dy: &Self::Tensor,
        width: usize,
    );
    /// `y = x·Wᵀ + b`: `x` (N, I), `w` (O, I), `bias` (O,), `y` (N, O).
    fn linear(&self, y: &mut Self::Tensor, x: &Self::Tensor, w: &Self::Weight, bias: Option<&Self::Weight>);
    /// `dx = dy·W` or `dx += dy·W`: `dy` (N, O), `w` (O, I), `dx` (N, I).
    fn linear_backward_input(&self, dx: &mut Self::Tensor, store: Store, dy: &Self::Tensor, w: &Self::Weight);
    /// `dw = dyᵀ·x` or `dw += dyᵀ·x`: `dy` (N, O), `x` (N, I), `dw` (O, I), the shape of `w`.
    fn linear_backward_weight(
        &self,
        dw: &mut Self::Tensor,
        store: Store,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        w: &Self::Weight,
    );
    /// `sums[j] += Σ_n x[n, j]`: `x` (N, O), `sums` (O,).
    fn column_sums(&self, sums: &mut Self::Tensor, x: &Self::Tensor);
    /// A recurrent layer over all steps of the projected input in `trace.gates` (T, B, G·H), G the gates of the cell; `h` and `c` (B, H), the latter if the cell has it, hold the initial
    /// state and receive the final one; `y` (T, B, H) receives the outputs. `weight` (G·H, H), `bias` (G·H,), `lengths` (B,). See [`lookback_kernels::recurrent`].
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
    /// Gradients of [`Backend::recurrent`]: leaves that of the projected input in `trace.gates` (T, B, G·H) or, where it is another than that of the recurrent product ([`CellKind::has_separate_input_gradient`]), writes it to
    /// `dx` (T, B, G·H); brings that of the matrix into `dweight` (G·H, H) as `store` says and adds that of the bias to `dbias` (G·H,); `dh` and `dc` (B, H) hold the gradients of the final
    /// state and receive those of the initial one; `dy` (T, B, H) is that of the outputs, if any reached them; `total` (T, B, H), if given, receives the whole gradient that reached each step's h.
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
    /// Attention of T queries per row, with N heads: reads `query` (T, R, H), `values` (S, B, W) and `src_len` (B,), writes `context` (T, R, W), `weights` and `scores` (T, R, N, S).
    /// See [`lookback_kernels::attend`].
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
    /// `dweights += dcontext·valuesᵀ`: `dcontext` (T, R, W), `values` (S, B, W), `dweights` (T, R, N, S).
    fn attend_backward_weights(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Self::Tensor>,
        dweights: &mut Self::Tensor,
        dcontext: &Self::Tensor,
        values: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// `dvalues += weightsᵀ·dcontext`: `weights` (T, R, N, S), `dcontext` (T, R, W), `dvalues` (S, B, W).
    fn attend_backward_values(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Self::Tensor>,
        dvalues: &mut Self::Tensor,
        weights: &Self::Tensor,
        dcontext: &Self::Tensor,
        src_len: &Self::Ids,
    );
    /// Through softmax and score: adds to `dquery` (T, R, H), the gradients in `score` and, of a centred window, `dcentres` (T, R); overwrites `dweights` (T, R, N, S) with the gradient of the
    /// scores, `dscores` (T, R, N, S) from elsewhere included.
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
    /// `p[t, r] = len · sigmoid(z[t, r])`, `p` and `z` (T, `rows`), with the length of the row's sentence in `src_len` (B,): the centres of predicted windows.
    fn window_centres(&self, p: &mut Self::Tensor, z: &Self::Tensor, rows: usize, src_len: &Self::Ids);
    /// `dz += dp·p·(1 − p / len)`, all (T, `rows`), `src_len` (B,).
    fn window_centres_backward(
        &self,
        dz: &mut Self::Tensor,
        dp: &Self::Tensor,
        p: &Self::Tensor,
        rows: usize,
        src_len: &Self::Ids,
    );
    /// The mean of every `count` rows that follow each other: `x` (N·`count`, `width`), `y` (N, `width`).
    fn mean_rows(&self, y: &mut Self::Tensor, x: &Self::Tensor, count: usize, width: usize);
    /// `dx[i·count + k] += dy[i] / count`: `dy` (N, `width`), `dx` (N·`count`, `width`).
    fn mean_rows_backward(&self, dx: &mut Self::Tensor, dy: &Self::Tensor, count: usize, width: usize);
    /// `y = tanh(x)`, of one shape.
    fn tanh(&self, y: &mut Self::Tensor, x: &Self::Tensor);
    /// `d = d·(1 − y²)`, of one shape.
    fn tanh_backward(&self, d: &mut Self::Tensor, y: &Self::Tensor);
    /// `y = a + b`, of one shape.
    fn add(&self, y: &mut Self::Tensor, a: &Self::Tensor, b: &Self::Tensor);
    /// `y += x`, of one shape.
    fn add_assign(&self, y: &mut Self::Tensor, x: &Self::Tensor);
    /// `y += dropout(x)`, of one shape, with the mask of `key` for `period` elements, the same for those that follow.
    fn dropout(&self, y: &mut Self::Tensor, x: &Self::Tensor, p: f32, key: RandomKey, period: usize);
    /// `y[n] = [a[n]; b[n]]`: `a` (N, `a_width`), `b` (N, `b_width`), `y` (N, `a_width` + `b_width`).
    fn concat(&self, y: &mut Self::Tensor, a: &Self::Tensor, b: &Self::Tensor, a_width: usize, b_width: usize);
    /// Adds columns `offset..offset + width` of `y` (N, `y_width`) to `x` (N, `width`).
    fn split_add(&self, x: &mut Self::Tensor, y: &Self::Tensor, width: usize, y_width: usize, offset: usize);
    /// Cross-entropy of `softmax(x·Wᵀ + b)`: `x` (N, H), `w` (V, H), `bias` (V,), `targets` (N,); the logits (N, V) are never all in memory. With `gradients`, brings those of the summed loss
    /// to where [`LossGradients`] says. With `row_nll`, appends the negative log-likelihood of every row (N,), in nats.
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

    /// Rows of `x` (N, `width`), logits, become log-probabilities, in nats.
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
    /// Finds the `k` best entries of each row of `x` (N, `width`); row n may choose among `candidates(n)`. `found` receives N rows of up to `k`.
    fn top_k<'c>(
        &self,
        x: &Self::Tensor,
        width: usize,
        k: usize,
        candidates: &(dyn Fn(usize) -> Candidates<'c> + Sync),
        found: &mut TopK<Self::Elem>,
    );

    // Optimiser.

    /// `Σ x²` over all elements, of any shape.
    fn squared_norm(&self, x: &Gradient<Self::Tensor, Self::Rows>) -> f64;
    /// One update by gradient descent; `m` is the step before, if there is momentum. All have the shape of the weight.
    fn sgd(
        &self,
        weight: &mut Self::Weight,
        gradient: &Gradient<Self::Tensor, Self::Rows>,
        m: Option<&mut Self::Tensor>,
        step: SgdStep,
    );
    /// One step of an exponential moving average: `average += share·(weight − average)`, of one shape.
    fn update_average(&self, average: &mut Self::Weight, weight: &Self::Weight, share: f64);
    /// One Adam update; `m` and `v` are the moments. All have the shape of the weight.
    fn adam(
        &self,
        weight: &mut Self::Weight,
        gradient: &Gradient<Self::Tensor, Self::Rows>,
        m: &mut Self::Tensor,
        v: &mut Self::Tensor,
        step: AdamStep,
    );
}
