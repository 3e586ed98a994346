//! The processor, through `lookback-kernels`.

use std::fmt;
use std::sync::Arc;

use lookback_kernels::{
    self as kernels, CellTrace, Exec, Init, Int8Matrix, Isa, MatRef, Operand, Pool, Products, RecurrentShape,
    SparseRows,
};

use super::{
    AdamStep, AttentionSpec, Backend, Candidates, CellKind, CrossEntropy, Fill, Gradient, GuidedCost, GuidedLoss,
    GuidedRows, LossGradients, Precision, Purpose, RandomKey, Real, RecurrentSpec, RecurrentTrace, Score,
    ScoreBackward, SgdStep, Smoothing, Store, TopK, Window, with_cell,
};

mod weight;

use weight::CpuWeight;

/// Logits in memory at a time, if that is enough rows to pay for packing the output matrix once per block.
const LOGITS: usize = 1 << 22;
/// Rows of logits in memory at a time are a multiple of so many, the blocks that sums over them are cut into, if [`MOST_LOGITS`] allow for that.
const LOSS_ROWS: usize = 256;
/// Logits in memory at a time, at most.
const MOST_LOGITS: usize = 2 * LOGITS;

/// The processor: a worker pool and an instruction set. `Cpu<f32>` runs models; `Cpu<f64>` is for checks.
pub struct Cpu<T = f32> {
    pool: Arc<Pool>,
    isa: Isa,
    products: Products,
    number: std::marker::PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Cpu<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu")
            .field("pool", &self.pool)
            .field("isa", &self.isa)
            .field("products", &self.products)
            .finish_non_exhaustive()
    }
}

impl<T> Clone for Cpu<T> {
    fn clone(&self) -> Self {
        Self { pool: Arc::clone(&self.pool), isa: self.isa, products: self.products, number: self.number }
    }
}

impl<T: Real> Cpu<T> {
    /// A processor that computes on `pool` with instruction set `isa`.
    #[must_use]
    pub fn new(pool: Arc<Pool>, isa: Isa) -> Self {
        Self { pool, isa, products: Products::Full, number: std::marker::PhantomData }
    }

    /// The best instruction set of this machine on `threads` threads (0: one per core).
    #[must_use]
    pub fn detect(threads: usize) -> Self {
        Self::with_threads(threads, Isa::detect())
    }

    /// An instruction set on `threads` threads (0: one per core).
    #[must_use]
    pub fn with_threads(threads: usize, isa: Isa) -> Self {
        Self::new(Arc::new(Pool::new(threads)), isa)
    }

    /// The same processor, with the operands of its products rounded as said. Everything else, sums of products included, stays in the numbers' own precision; so do
    /// scores and values of attention, which are not products of matrices here.
    #[must_use]
    pub fn with_products(self, products: Products) -> Self {
        Self { products, ..self }
    }

    /// What operands of products are rounded to.
    #[must_use]
    pub fn products(&self) -> Products {
        self.products
    }

    /// The instruction set in use.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Threads in use.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The worker pool.
    #[cfg(feature = "train")]
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    fn exec(&self) -> Exec<'_> {
        Exec::new(&self.pool, self.isa).with(self.products)
    }
}

impl<T: Real> Backend for Cpu<T> {
    type Elem = T;
    type Tensor = Vec<T>;
    type Ids = Vec<u32>;
    type Rows = SparseRows<T>;
    type Weight = CpuWeight<T>;

    fn alloc(&self, capacity: usize) -> Vec<T> {
        Vec::with_capacity(capacity)
    }

    fn capacity(&self, x: &Vec<T>) -> usize {
        x.capacity()
    }

    fn set_len(&self, x: &mut Vec<T>, len: usize) {
        x.resize(len, T::ZERO);
    }

    fn fill(&self, x: &mut Vec<T>, value: T) {
        kernels::fill(self.exec(), x, value);
    }

    fn upload(&self, x: &mut Vec<T>, from: &[T]) {
        x.clear();
        x.extend_from_slice(from);
    }

    fn download(&self, x: &Vec<T>) -> Vec<T> {
        x.clone()
    }

    fn read(&self, x: &Vec<T>, from: usize, to: &mut [f32]) {
        narrow(&x[from..], to);
    }

    fn alloc_rows(&self, rows: usize, width: usize) -> SparseRows<T> {
        SparseRows::new(rows, width)
    }

    fn clear_rows(&self, x: &mut SparseRows<T>) {
        x.clear();
    }

    fn download_rows(&self, x: &SparseRows<T>) -> Vec<T> {
        x.to_dense()
    }

    fn alloc_ids(&self) -> Vec<u32> {
        Vec::new()
    }

    fn upload_ids(&self, ids: &mut Vec<u32>, from: &[u32]) {
        ids.clear();
        ids.extend_from_slice(from);
    }

    fn copy(&self, y: &mut Vec<T>, to: usize, x: &Vec<T>, from: usize, len: usize) {
        y[to..to + len].copy_from_slice(&x[from..from + len]);
    }

    fn copy_add(&self, y: &mut Vec<T>, to: usize, x: &Vec<T>, from: usize, len: usize) {
        kernels::add_assign(self.exec(), &mut y[to..to + len], &x[from..from + len]);
    }

    fn gather_rows(&self, y: &mut Vec<T>, x: &Vec<T>, rows: &[u32], steps: usize, batch: usize, width: usize) {
        for t in 0..steps {
            for (i, &row) in rows.iter().enumerate() {
                let from = (t * batch + row as usize) * width;
                y[(t * rows.len() + i) * width..][..width].copy_from_slice(&x[from..from + width]);
            }
        }
    }

    fn weight(&self, values: &[T], rows: usize, cols: usize) -> CpuWeight<T> {
        CpuWeight::new(values, rows, cols)
    }

    fn bf16_weight(&self, rows: usize, cols: usize, fill: Fill<'_, u16>) -> CpuWeight<T> {
        CpuWeight::bf16(self.exec(), rows, cols, fill)
    }

    fn int8_weight(&self, scales: Vec<f32>, rows: usize, cols: usize, fill: Fill<'_, i8>) -> CpuWeight<T> {
        CpuWeight::int8(Int8Matrix::read(self.exec(), scales, rows, cols, fill))
    }

    fn weight_values(&self, weight: &CpuWeight<T>) -> Vec<T> {
        weight.to_values()
    }

    fn read_weight(&self, weight: &CpuWeight<T>, from: usize, to: &mut [f32]) {
        narrow(&weight.values()[from..], to);
    }

    fn precision(&self, weight: &CpuWeight<T>) -> Precision {
        weight.precision()
    }

    fn select_rows(&self, weight: &CpuWeight<T>, ids: &[u32]) -> CpuWeight<T> {
        weight.select_rows(self.exec(), ids)
    }

    fn select_entries(&self, weight: &CpuWeight<T>, ids: &[u32]) -> CpuWeight<T> {
        let values: Vec<T> = ids.iter().map(|&id| weight.values()[id as usize]).collect();
        CpuWeight::new(&values, 1, ids.len())
    }

    fn prepare(&self, weight: &mut CpuWeight<T>, purpose: Purpose) {
        weight.prepare(self.exec(), purpose);
    }

    fn embed(&self, y: &mut Vec<T>, table: &CpuWeight<T>, ids: &Vec<u32>) {
        table.embed(self.exec(), y, ids);
    }

    fn embed_backward(&self, dtable: &mut Gradient<Vec<T>, SparseRows<T>>, ids: &Vec<u32>, dy: &Vec<T>, width: usize) {
        match dtable {
            Gradient::Dense(dtable) => kernels::embed_backward(self.exec(), dtable, ids, dy, width),
            Gradient::Rows(rows) => rows.add(self.exec(), ids, dy),
        }
    }

    fn linear(&self, y: &mut Vec<T>, x: &Vec<T>, w: &CpuWeight<T>, bias: Option<&CpuWeight<T>>) {
        let init = bias.map_or(Init::Zero, |b| Init::Bias(b.values()));
        let x = MatRef::new(x, x.len() / w.cols(), w.cols());
        kernels::gemm(self.exec(), y, w.rows(), x, w.forward(), init);
    }

    fn linear_backward_input(&self, dx: &mut Vec<T>, store: Store, dy: &Vec<T>, w: &CpuWeight<T>) {
        let dy = MatRef::new(dy, dy.len() / w.rows(), w.rows());
        kernels::gemm(self.exec(), dx, w.cols(), dy, w.backward(), store.into());
    }

    fn linear_backward_weight(&self, dw: &mut Vec<T>, store: Store, dy: &Vec<T>, x: &Vec<T>, w: &CpuWeight<T>) {
        let n = dy.len() / w.rows();
        let (dy, x) = (MatRef::new(dy, n, w.rows()), MatRef::new(x, n, w.cols()));
        kernels::gemm(self.exec(), dw, w.cols(), dy.t(), Operand::Plain(x), store.into());
    }

    fn column_sums(&self, sums: &mut Vec<T>, x: &Vec<T>) {
        kernels::column_sums(self.exec(), sums, x);
    }

    fn recurrent(
        &self,
        spec: RecurrentSpec,
        y: &mut Vec<T>,
        h: &mut Vec<T>,
        c: Option<&mut Vec<T>>,
        trace: &mut RecurrentTrace<Vec<T>>,
        weight: &CpuWeight<T>,
        bias: &CpuWeight<T>,
        lengths: Option<&Vec<u32>>,
    ) {
        let (exec, shape, lengths) = (self.exec(), shape(spec), lengths.map(Vec::as_slice));
        let (c, trace, weight) = (or_empty(c), cell_trace(trace), weight.forward());
        with_cell!(spec.cell, C => {
            kernels::recurrent::<C, T>(exec, shape, y, h, c, trace, weight, bias.values(), lengths);
        });
    }

    fn recurrent_backward(
        &self,
        spec: RecurrentSpec,
        dx: Option<&mut Vec<T>>,
        dh: &mut Vec<T>,
        dc: Option<&mut Vec<T>>,
        dweight: &mut Vec<T>,
        store: Store,
        dbias: &mut Vec<T>,
        dy: Option<&Vec<T>>,
        trace: &mut RecurrentTrace<Vec<T>>,
        weight: &CpuWeight<T>,
        lengths: Option<&Vec<u32>>,
        total: Option<&mut Vec<T>>,
    ) {
        let (exec, shape, lengths) = (self.exec(), shape(spec), lengths.map(Vec::as_slice));
        let (dx, dc, dy, total) = (or_empty(dx), or_empty(dc), dy.map(Vec::as_slice), total.map(Vec::as_mut_slice));
        let (trace, weight) = (cell_trace(trace), weight.backward());
        with_cell!(spec.cell, C => {
            kernels::recurrent_backward::<C, T>(
                exec, shape, dx, dh, dc, dweight, store, dbias, dy, trace, weight, lengths, total,
            );
        });
    }

    fn attend(
        &self,
        spec: AttentionSpec,
        score: Score<'_, Vec<T>, CpuWeight<T>>,
        window: Window<'_, Vec<T>>,
        context: &mut Vec<T>,
        weights: &mut Vec<T>,
        scores: &mut Vec<T>,
        query: &Vec<T>,
        values: &Vec<T>,
        src_len: &Vec<u32>,
    ) {
        let score = match score {
            Score::Dot { keys, scale } => kernels::Score::Dot { keys, scale: T::from_f64(scale) },
            Score::Additive { keys, v } => kernels::Score::Additive { keys, v: v.values() },
            Score::Location => kernels::Score::Location,
        };
        kernels::attend(self.exec(), spec, score, slices(window), context, weights, scores, query, values, src_len);
    }

    fn attend_backward_weights(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Vec<T>>,
        dweights: &mut Vec<T>,
        dcontext: &Vec<T>,
        values: &Vec<T>,
        src_len: &Vec<u32>,
    ) {
        kernels::attend_backward_weights(self.exec(), spec, slices(window), dweights, dcontext, values, src_len);
    }

    fn attend_backward_values(
        &self,
        spec: AttentionSpec,
        window: Window<'_, Vec<T>>,
        dvalues: &mut Vec<T>,
        weights: &Vec<T>,
        dcontext: &Vec<T>,
        src_len: &Vec<u32>,
    ) {
        kernels::attend_backward_values(self.exec(), spec, slices(window), dvalues, weights, dcontext, src_len);
    }

    fn attend_backward_scores(
        &self,
        spec: AttentionSpec,
        score: ScoreBackward<'_, Vec<T>, CpuWeight<T>>,
        window: Window<'_, Vec<T>>,
        dquery: &mut Vec<T>,
        dweights: &mut Vec<T>,
        dcentres: Option<&mut Vec<T>>,
        dscores: Option<&Vec<T>>,
        weights: &Vec<T>,
        query: &Vec<T>,
        src_len: &Vec<u32>,
    ) {
        let score = match score {
            ScoreBackward::Dot { keys, scale, dkeys } => {
                kernels::ScoreBackward::Dot { keys, scale: T::from_f64(scale), dkeys }
            }
            ScoreBackward::Additive { keys, v, dkeys, dv } => {
                kernels::ScoreBackward::Additive { keys, v: v.values(), dkeys, dv }
            }
            ScoreBackward::Location => kernels::ScoreBackward::Location,
        };
        let (window, dcentres, dscores) = (slices(window), dcentres.map(Vec::as_mut_slice), dscores.map(Vec::as_slice));
        kernels::attend_backward_scores(
            self.exec(),
            spec,
            score,
            window,
            dquery,
            dweights,
            dcentres,
            dscores,
            weights,
            query,
            src_len,
        );
    }

    fn window_centres(&self, p: &mut Vec<T>, z: &Vec<T>, rows: usize, src_len: &Vec<u32>) {
        kernels::window_centres(p, z, rows, src_len);
    }

    fn window_centres_backward(&self, dz: &mut Vec<T>, dp: &Vec<T>, p: &Vec<T>, rows: usize, src_len: &Vec<u32>) {
        kernels::window_centres_backward(dz, dp, p, rows, src_len);
    }

    fn mean_rows(&self, y: &mut Vec<T>, x: &Vec<T>, count: usize, width: usize) {
        kernels::mean_rows(self.exec(), y, x, count, width);
    }

    fn mean_rows_backward(&self, dx: &mut Vec<T>, dy: &Vec<T>, count: usize, width: usize) {
        kernels::mean_rows_backward(self.exec(), dx, dy, count, width);
    }

    fn tanh(&self, y: &mut Vec<T>, x: &Vec<T>) {
        kernels::tanh(self.exec(), y, x);
    }

    fn tanh_backward(&self, d: &mut Vec<T>, y: &Vec<T>) {
        kernels::tanh_backward(self.exec(), d, y);
    }

    fn add(&self, y: &mut Vec<T>, a: &Vec<T>, b: &Vec<T>) {
        kernels::add(self.exec(), y, a, b);
    }

    fn add_assign(&self, y: &mut Vec<T>, x: &Vec<T>) {
        kernels::add_assign(self.exec(), y, x);
    }

    fn dropout(&self, y: &mut Vec<T>, x: &Vec<T>, p: f32, key: RandomKey, period: usize) {
        assert_eq!(y.len(), x.len(), "dropout");
        for (y, x) in y.chunks_mut(period).zip(x.chunks(period)) {
            kernels::dropout(self.exec(), y, x, p, key);
        }
    }

    fn concat(&self, y: &mut Vec<T>, a: &Vec<T>, b: &Vec<T>, a_width: usize, b_width: usize) {
        kernels::concat_columns(self.exec(), y, a, b, a_width, b_width);
    }

    fn split_add(&self, x: &mut Vec<T>, y: &Vec<T>, width: usize, y_width: usize, offset: usize) {
        kernels::split_columns_add(self.exec(), x, y, width, y_width, offset);
    }

    fn linear_cross_entropy(
        &self,
        x: &Vec<T>,
        w: &CpuWeight<T>,
        bias: &CpuWeight<T>,
        targets: &Vec<u32>,
        smoothing: Smoothing,
        mut gradients: Option<LossGradients<'_, Vec<T>>>,
        mut row_nll: Option<&mut Vec<f64>>,
    ) -> CrossEntropy {
        let (vocabulary, width) = (w.rows(), w.cols());
        let rows = loss_rows(vocabulary, targets.len());
        let mut sums = CrossEntropy::default();
        kernels::with_loss_buffers(rows * vocabulary, rows, |logits: &mut [T], losses| {
            for (block, targets) in targets.chunks(rows).enumerate() {
                let n = targets.len();
                let (logits, losses) = (&mut logits[..n * vocabulary], &mut losses[..n]);
                let input = MatRef::new(&x[block * rows * width..][..n * width], n, width);
                kernels::gemm(self.exec(), logits, vocabulary, input, w.forward(), Init::Bias(bias.values()));
                let part = kernels::cross_entropy_rows(self.exec(), logits, targets, vocabulary, smoothing, losses);
                sums.loss += part.loss;
                sums.nll += part.nll;
                sums.tokens += part.tokens;
                sums.right += part.right;
                if let Some(row_nll) = &mut row_nll {
                    row_nll.extend(losses.iter().map(|&[nll, ..]| nll));
                }
                if let Some(g) = &mut gradients {
                    let dlogits = MatRef::new(&*logits, n, vocabulary);
                    let dx = &mut g.dx[block * rows * width..][..n * width];
                    kernels::gemm(self.exec(), dx, width, dlogits, w.backward(), Init::Zero);
                    let store = if block == 0 { g.store } else { Store::Add };
                    kernels::gemm(self.exec(), g.dw, width, dlogits.t(), Operand::Plain(input), store.into());
                    kernels::column_sums(self.exec(), g.db, logits);
                }
            }
        });
        sums
    }

    fn guided_alignment(
        &self,
        weights: &Vec<T>,
        width: usize,
        given: GuidedRows<'_>,
        cost: GuidedCost,
        factor: f64,
        gradient: Option<&mut Vec<T>>,
    ) -> GuidedLoss {
        kernels::guided_rows(weights, width, given, cost, factor, gradient.map(Vec::as_mut_slice))
    }

    fn log_softmax(&self, x: &mut Vec<T>, width: usize) {
        kernels::log_softmax_rows(self.exec(), x, width);
    }

    fn log_softmax_among<'l>(
        &self,
        y: &mut Vec<T>,
        width: usize,
        x: &Vec<T>,
        ids: &[u32],
        among: &(dyn Fn(usize) -> &'l [u32] + Sync),
    ) {
        kernels::log_softmax_among(self.exec(), y, width, x, ids, among);
    }

    fn top_k<'c>(
        &self,
        x: &Vec<T>,
        width: usize,
        k: usize,
        candidates: &(dyn Fn(usize) -> Candidates<'c> + Sync),
        found: &mut TopK<T>,
    ) {
        kernels::top_k_rows(self.exec(), x, width, k, candidates, found);
    }

    fn squared_norm(&self, x: &Gradient<Vec<T>, SparseRows<T>>) -> f64 {
        match x {
            Gradient::Dense(x) => kernels::squared_norm(self.exec(), x),
            Gradient::Rows(rows) => rows.squared_norm(self.exec()),
        }
    }

    fn sgd(
        &self,
        weight: &mut CpuWeight<T>,
        gradient: &Gradient<Vec<T>, SparseRows<T>>,
        m: Option<&mut Vec<T>>,
        step: SgdStep,
    ) {
        let (w, m) = (weight.values_mut(), m.map(Vec::as_mut_slice));
        match gradient {
            Gradient::Dense(g) => kernels::sgd(self.exec(), w, g, m, step),
            Gradient::Rows(rows) => kernels::sgd_rows(self.exec(), w, rows, m, step),
        }
    }

    fn update_average(&self, average: &mut CpuWeight<T>, weight: &CpuWeight<T>, share: f64) {
        kernels::update_average(self.exec(), average.values_mut(), weight.values(), share);
    }

    fn adam(
        &self,
        weight: &mut CpuWeight<T>,
        gradient: &Gradient<Vec<T>, SparseRows<T>>,
        m: &mut Vec<T>,
        v: &mut Vec<T>,
        step: AdamStep,
    ) {
        let w = weight.values_mut();
        match gradient {
            Gradient::Dense(g) => kernels::adam(self.exec(), w, g, m, v, step),
            Gradient::Rows(rows) => kernels::adam_rows(self.exec(), w, rows, m, v, step),
        }
    }
}

/// Rows of logits in memory at a time, for so many targets.
pub(super) fn loss_rows(vocabulary: usize, targets: usize) -> usize {
    let rows = (LOGITS / vocabulary / LOSS_ROWS * LOSS_ROWS).clamp(LOSS_ROWS, 1024);
    rows.min((MOST_LOGITS / vocabulary).max(16)).min(targets.max(1))
}

fn narrow<T: Real>(from: &[T], to: &mut [f32]) {
    assert!(to.len() <= from.len(), "{} numbers wanted, {} are there", to.len(), from.len());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from.to_f64() as f32);
}

fn shape(spec: RecurrentSpec) -> RecurrentShape {
    RecurrentShape { steps: spec.steps, batch: spec.batch, hidden: spec.hidden, direction: spec.direction }
}

fn cell_trace<T>(trace: &mut RecurrentTrace<Vec<T>>) -> CellTrace<'_, T> {
    CellTrace {
        gates: &mut trace.gates,
        saved: &mut trace.saved,
        h_prev: &mut trace.h_prev,
        c_prev: or_empty(trace.c_prev.as_mut()),
    }
}

/// A window as the kernels take it.
fn slices<T>(window: Window<'_, Vec<T>>) -> kernels::Window<'_, T> {
    match window {
        Window::Global => kernels::Window::Global,
        Window::Monotonic { first, half } => kernels::Window::Monotonic { first, half },
        Window::Centred { centres, half } => kernels::Window::Centred { centres, half },
    }
}

/// What kernels take where a cell has nothing.
fn or_empty<T>(x: Option<&mut Vec<T>>) -> &mut [T] {
    x.map_or(&mut [], Vec::as_mut_slice)
}
