//! A recurrent layer over all time steps, one direction, generic over the cell; one step is a sequence of length 1.
//!
//! ```text
//! u_t = W_hh·h_{t-1} + b_hh       x_t: the input's projection W_ih·input_t + b_ih, computed for all steps as one product
//! (h_t, c_t) = cell(x_t, u_t, h_{t-1}, c_{t-1})
//! ```
//! At positions beyond a sentence's length the state is carried over unchanged and the output is 0. So the final state is the one after the last real
//! position, and the backward direction, which meets the padding first, starts every sentence from the initial state.

use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Init, Isa, MatRef, Operand, Real, Store, column_sums, gemm};

/// A recurrent cell: what happens to one row between the products, and what is known of its gates.
///
/// Slices come one by one and not as a struct, because only arguments are known not to overlap, without which loops over them would not vectorise.
pub trait Cell: Copy + Send + Sync + 'static {
    /// Gates: x and u have `GATES·H` values.
    const GATES: usize;
    /// Width of c in units of H: 1, or 0 where h is the whole state.
    const CELL_STATE: usize;
    /// Values kept for the backward pass besides the gates, in units of H.
    const SAVED: usize;
    /// Whether the gradient of x is another than that of u: they enter by more than their sum.
    const SEPARATE_INPUT_GRADIENT: bool;
    /// Which gate is the forget gate, if there is one: its bias starts at 1, so that early gradients live (Jozefowicz et al. 2015).
    const FORGET_GATE: Option<usize>;

    /// Turns `gates` from x into activations and updates `h` and `c`.
    fn forward<T: Real>(isa: Isa, gates: &mut [T], u: &[T], saved: &mut [T], h: &mut [T], c: &mut [T]);

    /// Turns `gates` from activations into the gradient of u. Where that of x differs, it is written to `dx`, which is empty else. `dh` is the gradient of the new h;
    /// `dh_prev`, zeros on entry, receives the part of the old one's that does not flow through u. `dc` turns from the gradient of the new c into that of the old one.
    fn backward<T: Real>(
        isa: Isa,
        dx: &mut [T],
        gates: &mut [T],
        dh_prev: &mut [T],
        dc: &mut [T],
        dh: &[T],
        saved: &[T],
        h_prev: &[T],
        c_prev: &[T],
    );
}

/// Which way a layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the first position to the last.
    Forward,
    /// From the last position to the first.
    Backward,
}

/// Sizes of a recurrent layer's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecurrentShape {
    /// T, time steps.
    pub steps: usize,
    /// B, rows.
    pub batch: usize,
    /// H, hidden width.
    pub hidden: usize,
    /// Which way it reads.
    pub direction: Direction,
}

impl RecurrentShape {
    /// The time step that is computed `i`-th.
    fn step(&self, i: usize) -> usize {
        match self.direction {
            Direction::Forward => i,
            Direction::Backward => self.steps - 1 - i,
        }
    }
}

/// What the forward pass leaves for the backward pass, which uses it up.
#[derive(Debug)]
pub struct CellTrace<'a, T> {
    /// The projected input with its bias (T, B, G·H), which becomes the activations of the gates.
    pub gates: &'a mut [T],
    /// What the cell saved (T, B, SAVED·H).
    pub saved: &'a mut [T],
    /// h before each step (T, B, H).
    pub h_prev: &'a mut [T],
    /// c before each step (T, B, H); empty for a cell without c.
    pub c_prev: &'a mut [T],
}

/// Rows of a pointwise task.
const ROWS: usize = 8;

/// Runs the layer.
///
/// `trace.gates` (T, B, G·H) holds the projected input and receives the activations; `bias` (G·H,) is the recurrent bias, `weight` the recurrent matrix transposed to (H, G·H).
/// `h` and `c` (B, H) hold the initial state and receive the final one (`c` is empty for a cell without it); `y` (T, B, H) receives the outputs.
/// `lengths` (B,), if given, are the real lengths.
///
/// # Panics
/// If the shapes disagree.
pub fn recurrent<C: Cell, T: Real>(
    exec: Exec<'_>,
    shape: RecurrentShape,
    y: &mut [T],
    h: &mut [T],
    c: &mut [T],
    trace: CellTrace<'_, T>,
    weight: Operand<'_, T>,
    bias: &[T],
    lengths: Option<&[u32]>,
) {
    let RecurrentShape { steps, batch, hidden, .. } = shape;
    let (row, block) = (C::GATES * hidden, batch * hidden);
    let (cell, saves) = (C::CELL_STATE * hidden, C::SAVED * hidden);
    assert_eq!(trace.gates.len(), steps * batch * row, "the projected input must be (T, B, G·H)");
    assert!(y.len() == steps * block && h.len() == block, "y must be (T, B, H), h (B, H)");
    assert_eq!(c.len(), batch * cell, "c must be (B, H), or empty for a cell without it");
    assert!(lengths.is_none_or(|l| l.len() == batch), "one length per row");
    with_scratch(Area::Recurrent, batch * row, |u: &mut [T]| {
        for i in 0..steps {
            let t = shape.step(i);
            gemm(exec, u, row, MatRef::new(h, batch, hidden), weight, Init::Bias(bias));
            let u = &*u;
            let gates = Shared::new(&mut trace.gates[t * batch * row..][..batch * row]);
            let state = (Shared::new(h), Shared::new(c));
            let before = (
                Shared::new(&mut trace.h_prev[t * block..][..block]),
                Shared::new(&mut trace.c_prev[t * batch * cell..][..batch * cell]),
            );
            let saved = Shared::new(&mut trace.saved[t * batch * saves..][..batch * saves]);
            let out = Shared::new(&mut y[t * block..][..block]);
            exec.pool.run(batch.div_ceil(ROWS), |task| {
                for b in task * ROWS..((task + 1) * ROWS).min(batch) {
                    // SAFETY: each task has its own rows.
                    let (gates, h, c, h_prev, c_prev, saved, out) = unsafe {
                        (
                            gates.part(b * row, row),
                            state.0.part(b * hidden, hidden),
                            state.1.part(b * cell, cell),
                            before.0.part(b * hidden, hidden),
                            before.1.part(b * cell, cell),
                            saved.part(b * saves, saves),
                            out.part(b * hidden, hidden),
                        )
                    };
                    h_prev.copy_from_slice(h);
                    c_prev.copy_from_slice(c);
                    if is_padding(lengths, b, t) {
                        gates.fill(T::ZERO);
                        saved.fill(T::ZERO);
                        out.fill(T::ZERO);
                        continue;
                    }
                    C::forward(exec.isa, gates, &u[b * row..][..row], saved, h, c);
                    out.copy_from_slice(h);
                }
            });
        }
    });
}

fn is_padding(lengths: Option<&[u32]>, b: usize, t: usize) -> bool {
    lengths.is_some_and(|l| t >= l[b] as usize)
}

/// The gradients of [`recurrent`].
///
/// The gradient of the projected input stands in `trace.gates` afterwards, or, for a cell where it is not that of u, in `dx` (T, B, G·H), which is empty else; `dh` and `dc` (B, H; `dc` empty for a cell without c) hold the gradients of the final state
/// and receive those of the initial one; `dweight` (G·H, H) is set or added to as `store` says, `dbias` (G·H,) is added to. `weight` is the recurrent matrix as (G·H, H). `total` (T, B, H), if given,
/// receives the whole gradient ∂L/∂h_t that reached each step, from its output and from later steps together (0 in padding).
///
/// # Panics
/// If the shapes disagree.
pub fn recurrent_backward<C: Cell, T: Real>(
    exec: Exec<'_>,
    shape: RecurrentShape,
    dx: &mut [T],
    dh: &mut [T],
    dc: &mut [T],
    dweight: &mut [T],
    store: Store,
    dbias: &mut [T],
    dy: Option<&[T]>,
    trace: CellTrace<'_, T>,
    weight: Operand<'_, T>,
    lengths: Option<&[u32]>,
    mut total: Option<&mut [T]>,
) {
    let RecurrentShape { steps, batch, hidden, .. } = shape;
    let (row, block) = (C::GATES * hidden, batch * hidden);
    let (cell, saves) = (C::CELL_STATE * hidden, C::SAVED * hidden);
    let own = if C::SEPARATE_INPUT_GRADIENT { row } else { 0 };
    assert_eq!(dx.len(), steps * batch * own, "dx must be (T, B, G·H), or empty where it is the gradient of u");
    assert!(dh.len() == block && dc.len() == batch * cell, "dh must be (B, H), dc too or empty");
    with_scratch(Area::Recurrent, block, |reaching: &mut [T]| {
        for i in (0..steps).rev() {
            let t = shape.step(i);
            let dx = &mut dx[t * batch * own..][..batch * own];
            let gates = &mut trace.gates[t * batch * row..][..batch * row];
            {
                let products = (Shared::new(dx), Shared::new(gates));
                let state = (Shared::new(dh), Shared::new(dc), Shared::new(reaching));
                let dy = dy.map(|dy| &dy[t * block..][..block]);
                exec.pool.run(batch.div_ceil(ROWS), |task| {
                    for b in task * ROWS..((task + 1) * ROWS).min(batch) {
                        // SAFETY: each task has its own rows.
                        let (dx, gates, dh, dc, reaching) = unsafe {
                            (
                                products.0.part(b * own, own),
                                products.1.part(b * row, row),
                                state.0.part(b * hidden, hidden),
                                state.1.part(b * cell, cell),
                                state.2.part(b * hidden, hidden),
                            )
                        };
                        reaching.fill(T::ZERO);
                        if is_padding(lengths, b, t) {
                            dx.fill(T::ZERO); // the state's gradient passes through unchanged; the gates are zeros already
                            continue;
                        }
                        reaching.copy_from_slice(dh);
                        if let Some(dy) = dy {
                            reaching.iter_mut().zip(&dy[b * hidden..][..hidden]).for_each(|(d, &y)| *d += y);
                        }
                        dh.fill(T::ZERO);
                        let at = t * batch + b;
                        let saved = &trace.saved[at * saves..][..saves];
                        let h_prev = &trace.h_prev[at * hidden..][..hidden];
                        let c_prev = &trace.c_prev[at * cell..][..cell];
                        C::backward(exec.isa, dx, gates, dh, dc, reaching, saved, h_prev, c_prev);
                    }
                });
            }
            if let Some(total) = &mut total {
                total[t * block..][..block].copy_from_slice(reaching);
            }
            gemm(exec, dh, hidden, MatRef::new(gates, batch, row), weight, Init::Keep);
        }
    });
    let rows = steps * batch;
    let du: &[T] = trace.gates;
    let h_prev = Operand::Plain(MatRef::new(&*trace.h_prev, rows, hidden));
    gemm(exec, dweight, hidden, MatRef::new(du, rows, row).t(), h_prev, store.into());
    column_sums(exec, dbias, du);
}

#[cfg(test)]
mod tests;
