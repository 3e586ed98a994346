//! A device that computes nothing and counts what the processor would hold: a model that runs on it says how much memory a training takes.
//!
//! It sees the same calls in the same order as [`Cpu`](super::Cpu), so buffers and their reuse are exactly those of a training.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::cpu::loss_rows;
use super::{
    AdamStep, AttentionSpec, Backend, Candidates, CrossEntropy, Fill, Gradient, GuidedCost, GuidedLoss, GuidedRows,
    LossGradients, Precision, Products, Purpose, RandomKey, RecurrentSpec, RecurrentTrace, Score, ScoreBackward,
    SgdStep, Smoothing, Store, TopK, Window,
};

/// Columns that packed matrices are filled up to: those of the widest register tile.
const PANEL: usize = 32;
/// Bytes of a number.
const NUMBER: usize = 4;

/// Counts bytes.
#[derive(Debug)]
pub(crate) struct Planned {
    products: Products,
    held: AtomicUsize,
    /// The largest block of logits.
    logits: AtomicUsize,
}

/// A buffer without numbers.
#[derive(Debug)]
pub(crate) struct Room {
    capacity: usize,
    len: usize,
}

/// Rows of a gradient without numbers.
#[derive(Debug)]
pub(crate) struct PlannedRows {
    /// Of the table.
    rows: usize,
    width: usize,
    /// As many as may have been reached since it was cleared.
    reached: usize,
    /// The most of them so far: memory is held for these.
    held: usize,
}

/// A weight without numbers.
#[derive(Debug)]
pub(crate) struct PlannedWeight {
    rows: usize,
    cols: usize,
    /// Whether it was packed for the way forward, and for the way back.
    packed: [bool; 2],
}

impl Planned {
    pub(crate) fn new(products: Products) -> Self {
        Self { products, held: AtomicUsize::new(0), logits: AtomicUsize::new(0) }
    }

    /// Bytes in all.
    pub(crate) fn bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed) + self.logits.load(Ordering::Relaxed)
    }

    fn hold(&self, numbers: usize) {
        self.held.fetch_add(numbers * NUMBER, Ordering::Relaxed);
    }

    /// Packed words of a right operand (`depth`, `columns`).
    fn packed(&self, depth: usize, columns: usize) -> usize {
        let pair = if self.products == Products::Bf16 { 2 } else { 1 };
        columns.next_multiple_of(PANEL) * depth.div_ceil(pair)
    }

    /// A weight without values.
    pub(crate) fn room(&self, rows: usize, cols: usize) -> PlannedWeight {
        self.hold(rows * cols);
        PlannedWeight { rows, cols, packed: [false; 2] }
    }
}

#[allow(clippy::unused_self, reason = "nothing is computed")]
impl Backend for Planned {
    type Elem = f32;
    type Tensor = Room;
    /// How many ids there are.
    type Ids = usize;
    type Rows = PlannedRows;
    type Weight = PlannedWeight;

    fn alloc(&self, capacity: usize) -> Room {
        self.hold(capacity);
        Room { capacity, len: 0 }
    }

    fn capacity(&self, x: &Room) -> usize {
        x.capacity
    }

    fn set_len(&self, x: &mut Room, len: usize) {
        x.len = len;
    }

    fn fill(&self, _: &mut Room, _: f32) {}

    fn upload(&self, x: &mut Room, from: &[f32]) {
        x.len = from.len();
    }

    fn download(&self, x: &Room) -> Vec<f32> {
        vec![0.0; x.len]
    }

    fn read(&self, _: &Room, _: usize, to: &mut [f32]) {
        to.fill(0.0);
    }

    fn alloc_rows(&self, rows: usize, width: usize) -> PlannedRows {
        self.hold(2 * rows);
        PlannedRows { rows, width, reached: 0, held: 0 }
    }

    fn clear_rows(&self, x: &mut PlannedRows) {
        x.reached = 0;
    }

    fn download_rows(&self, x: &PlannedRows) -> Vec<f32> {
        vec![0.0; x.rows * x.width]
    }

    fn alloc_ids(&self) -> usize {
        0
    }

    fn upload_ids(&self, ids: &mut usize, from: &[u32]) {
        *ids = from.len();
    }

    fn copy(&self, _: &mut Room, _: usize, _: &Room, _: usize, _: usize) {}

    fn copy_add(&self, _: &mut Room, _: usize, _: &Room, _: usize, _: usize) {}

    fn gather_rows(&self, _: &mut Room, _: &Room, _: &[u32], _: usize, _: usize, _: usize) {}

    fn weight(&self, _: &[f32], rows: usize, cols: usize) -> PlannedWeight {
        self.room(rows, cols)
    }

    fn bf16_weight(&self, rows: usize, cols: usize, _: Fill<'_, u16>) -> PlannedWeight {
        self.room(rows, cols)
    }

    fn int8_weight(&self, _: Vec<f32>, rows: usize, cols: usize, _: Fill<'_, i8>) -> PlannedWeight {
        self.room(rows, cols)
    }

    fn weight_values(&self, weight: &PlannedWeight) -> Vec<f32> {
        vec![0.0; weight.rows * weight.cols]
    }

    fn read_weight(&self, _: &PlannedWeight, _: usize, to: &mut [f32]) {
        to.fill(0.0);
    }

    fn precision(&self, _: &PlannedWeight) -> Precision {
        Precision::F32
    }

    fn select_rows(&self, weight: &PlannedWeight, ids: &[u32]) -> PlannedWeight {
        self.room(ids.len(), weight.cols)
    }

    fn select_entries(&self, _: &PlannedWeight, ids: &[u32]) -> PlannedWeight {
        self.room(1, ids.len())
    }

    fn prepare(&self, weight: &mut PlannedWeight, purpose: Purpose) {
        let PlannedWeight { rows, cols, packed: [forward, backward] } = weight;
        if !std::mem::replace(forward, true) {
            self.hold(self.packed(*cols, *rows));
        }
        if purpose == Purpose::Train && !std::mem::replace(backward, true) {
            self.hold(self.packed(*rows, *cols));
        }
    }

    fn embed(&self, _: &mut Room, _: &PlannedWeight, _: &usize) {}

    fn embed_backward(&self, dtable: &mut Gradient<Room, PlannedRows>, ids: &usize, _: &Room, _: usize) {
        let Gradient::Rows(rows) = dtable else { return };
        // As if no id came twice.
        rows.reached = rows.rows.min(rows.reached + ids);
        if rows.held < rows.reached {
            self.hold((rows.reached - rows.held) * rows.width);
            rows.held = rows.reached;
        }
    }

    fn linear(&self, _: &mut Room, _: &Room, _: &PlannedWeight, _: Option<&PlannedWeight>) {}

    fn linear_backward_input(&self, _: &mut Room, _: Store, _: &Room, _: &PlannedWeight) {}

    fn linear_backward_weight(&self, _: &mut Room, _: Store, _: &Room, _: &Room, _: &PlannedWeight) {}

    fn column_sums(&self, _: &mut Room, _: &Room) {}

    fn recurrent(
        &self,
        _: RecurrentSpec,
        _: &mut Room,
        _: &mut Room,
        _: Option<&mut Room>,
        _: &mut RecurrentTrace<Room>,
        _: &PlannedWeight,
        _: &PlannedWeight,
        _: Option<&usize>,
    ) {
    }

    fn recurrent_backward(
        &self,
        _: RecurrentSpec,
        _: Option<&mut Room>,
        _: &mut Room,
        _: Option<&mut Room>,
        _: &mut Room,
        _: Store,
        _: &mut Room,
        _: Option<&Room>,
        _: &mut RecurrentTrace<Room>,
        _: &PlannedWeight,
        _: Option<&usize>,
        _: Option<&mut Room>,
    ) {
    }

    fn attend(
        &self,
        _: AttentionSpec,
        _: Score<'_, Room, PlannedWeight>,
        _: Window<'_, Room>,
        _: &mut Room,
        _: &mut Room,
        _: &mut Room,
        _: &Room,
        _: &Room,
        _: &usize,
    ) {
    }

    fn attend_backward_weights(
        &self,
        _: AttentionSpec,
        _: Window<'_, Room>,
        _: &mut Room,
        _: &Room,
        _: &Room,
        _: &usize,
    ) {
    }

    fn attend_backward_values(
        &self,
        _: AttentionSpec,
        _: Window<'_, Room>,
        _: &mut Room,
        _: &Room,
        _: &Room,
        _: &usize,
    ) {
    }

    fn attend_backward_scores(
        &self,
        _: AttentionSpec,
        _: ScoreBackward<'_, Room, PlannedWeight>,
        _: Window<'_, Room>,
        _: &mut Room,
        _: &mut Room,
        _: Option<&mut Room>,
        _: Option<&Room>,
        _: &Room,
        _: &Room,
        _: &usize,
    ) {
    }

    fn window_centres(&self, _: &mut Room, _: &Room, _: usize, _: &usize) {}

    fn window_centres_backward(&self, _: &mut Room, _: &Room, _: &Room, _: usize, _: &usize) {}

    fn mean_rows(&self, _: &mut Room, _: &Room, _: usize, _: usize) {}

    fn mean_rows_backward(&self, _: &mut Room, _: &Room, _: usize, _: usize) {}

    fn tanh(&self, _: &mut Room, _: &Room) {}

    fn tanh_backward(&self, _: &mut Room, _: &Room) {}

    fn add(&self, _: &mut Room, _: &Room, _: &Room) {}

    fn add_assign(&self, _: &mut Room, _: &Room) {}

    fn dropout(&self, _: &mut Room, _: &Room, _: f32, _: RandomKey, _: usize) {}

    fn concat(&self, _: &mut Room, _: &Room, _: &Room, _: usize, _: usize) {}

    fn split_add(&self, _: &mut Room, _: &Room, _: usize, _: usize, _: usize) {}

    fn linear_cross_entropy(
        &self,
        _: &Room,
        w: &PlannedWeight,
        _: &PlannedWeight,
        targets: &usize,
        _: Smoothing,
        _: Option<LossGradients<'_, Room>>,
        _: Option<&mut Vec<f64>>,
    ) -> CrossEntropy {
        let logits = loss_rows(w.rows, *targets) * w.rows * NUMBER;
        self.logits.fetch_max(logits, Ordering::Relaxed);
        CrossEntropy::default()
    }

    fn guided_alignment(
        &self,
        _: &Room,
        _: usize,
        _: GuidedRows<'_>,
        _: GuidedCost,
        _: f64,
        _: Option<&mut Room>,
    ) -> GuidedLoss {
        GuidedLoss::default()
    }

    fn log_softmax(&self, _: &mut Room, _: usize) {}

    fn log_softmax_among<'l>(
        &self,
        _: &mut Room,
        _: usize,
        _: &Room,
        _: &[u32],
        _: &(dyn Fn(usize) -> &'l [u32] + Sync),
    ) {
    }

    fn top_k<'c>(&self, _: &Room, _: usize, _: usize, _: &(dyn Fn(usize) -> Candidates<'c> + Sync), _: &mut TopK<f32>) {
    }

    fn squared_norm(&self, _: &Gradient<Room, PlannedRows>) -> f64 {
        0.0
    }

    fn sgd(&self, _: &mut PlannedWeight, _: &Gradient<Room, PlannedRows>, _: Option<&mut Room>, _: SgdStep) {}

    fn update_average(&self, _: &mut PlannedWeight, _: &PlannedWeight, _: f64) {}

    fn adam(&self, _: &mut PlannedWeight, _: &Gradient<Room, PlannedRows>, _: &mut Room, _: &mut Room, _: AdamStep) {}
}
