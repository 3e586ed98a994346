//! A recurrent layer over all time steps, one direction, generic over the cell; one step is a sequence of length 1.
//!
//! ```text
//! z_t = x_t + b + W_hh·h_{t-1}        x_t: the input's projection, computed for all steps as one product
//! (h_t, c_t) = cell(z_t, c_{t-1})
//! ```
//! At positions beyond a sentence's length the state is carried over unchanged and the output is 0. So the final state is the one after the last real
//! position, and the backward direction, which meets the padding first, starts every sentence from the initial state.

use crate::shared::Shared;
use crate::{Exec, Init, Isa, MatRef, Operand, Real, column_sums, gemm};

/// A recurrent cell: what happens to one row between the products.
pub trait Cell: Copy + Send + Sync + 'static {
    /// Gates: `z` has `GATES·H` values.
    const GATES: usize;
    /// Values kept for the backward pass besides the gates, in units of H.
    const SAVED: usize;

    /// Turns `gates` from z into activations and updates `h` and `c`.
    fn forward<T: Real>(isa: Isa, gates: &mut [T], saved: &mut [T], h: &mut [T], c: &mut [T]);

    /// Writes the gradient of z to `dgates` and turns `dc` from the gradient of the new c into that of the old one.
    fn backward<T: Real>(isa: Isa, dgates: &mut [T], dc: &mut [T], dh: &[T], gates: &[T], saved: &[T], c_prev: &[T]);
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

/// What the forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct CellState<'a, T> {
    /// Activations of the gates (T, B, G·H).
    pub gates: &'a mut [T],
    /// What the cell saved (T, B, SAVED·H).
    pub saved: &'a mut [T],
    /// h before each step (T, B, H).
    pub h_prev: &'a mut [T],
    /// c before each step (T, B, H).
    pub c_prev: &'a mut [T],
}

/// Rows of a pointwise task.
const ROWS: usize = 8;

/// Runs the layer.
///
/// `x` (T, B, G·H) is the projected input with its bias, `bias` (G·H,) the recurrent bias, `weight` the recurrent matrix transposed to (H, G·H).
/// `h` and `c` (B, H) hold the initial state and receive the final one; `y` (T, B, H) receives the outputs. `lengths` (B,), if given, are
/// the real lengths.
///
/// # Panics
/// If the shapes disagree.
pub fn recurrent<C: Cell, T: Real>(
    exec: Exec<'_>,
    shape: RecurrentShape,
    y: &mut [T],
    h: &mut [T],
    c: &mut [T],
    state: CellState<'_, T>,
    x: &[T],
    weight: Operand<'_, T>,
    bias: &[T],
    lengths: Option<&[u32]>,
) {
    let RecurrentShape { steps, batch, hidden, .. } = shape;
    let (row, block) = (C::GATES * hidden, batch * hidden);
    assert_eq!(x.len(), steps * batch * row, "x must be (T, B, G·H)");
    assert!(y.len() == steps * block && h.len() == block && c.len() == block, "y (T, B, H), h and c (B, H)");
    assert!(lengths.is_none_or(|l| l.len() == batch), "one length per row");
    for i in 0..steps {
        let t = shape.step(i);
        let gates = &mut state.gates[t * batch * row..][..batch * row];
        gemm(exec, gates, row, MatRef::new(h, batch, hidden), weight, Init::Bias(bias));
        let parts = (Shared::new(gates), Shared::new(h), Shared::new(c));
        let saved = Shared::new(&mut state.saved[t * block * C::SAVED..][..block * C::SAVED]);
        let out = Shared::new(&mut y[t * block..][..block]);
        let before = (
            Shared::new(&mut state.h_prev[t * block..][..block]),
            Shared::new(&mut state.c_prev[t * block..][..block]),
        );
        let x = &x[t * batch * row..][..batch * row];
        exec.pool.run(batch.div_ceil(ROWS), |task| {
            for b in task * ROWS..((task + 1) * ROWS).min(batch) {
                // SAFETY: each task has its own rows.
                let (gates, h, c, saved, out) = unsafe {
                    (
                        parts.0.part(b * row, row),
                        parts.1.part(b * hidden, hidden),
                        parts.2.part(b * hidden, hidden),
                        saved.part(b * hidden * C::SAVED, hidden * C::SAVED),
                        out.part(b * hidden, hidden),
                    )
                };
                // SAFETY: as above.
                let (h_prev, c_prev) =
                    unsafe { (before.0.part(b * hidden, hidden), before.1.part(b * hidden, hidden)) };
                h_prev.copy_from_slice(h);
                c_prev.copy_from_slice(c);
                if is_padding(lengths, b, t) {
                    gates.fill(T::ZERO);
                    saved.fill(T::ZERO);
                    out.fill(T::ZERO);
                    continue;
                }
                gates.iter_mut().zip(&x[b * row..][..row]).for_each(|(z, &x)| *z += x);
                C::forward(exec.isa, gates, saved, h, c);
                out.copy_from_slice(h);
            }
        });
    }
}

fn is_padding(lengths: Option<&[u32]>, b: usize, t: usize) -> bool {
    lengths.is_some_and(|l| t >= l[b] as usize)
}

/// The gradients of [`recurrent`].
///
/// `dgates` (T, B, G·H) is written with the gradient of `x` (which is that of z); `dh` and `dc` (B, H) hold the gradients of the final state
/// and receive those of the initial one; `dweight` (G·H, H) and `dbias` (G·H,) are added to. `weight` is the recurrent matrix as (G·H, H). `total` (T, B, H), if given,
/// receives the whole gradient ∂L/∂h_t that reached each step, from its output and from later steps together (0 in padding).
///
/// # Panics
/// If the shapes disagree.
pub fn recurrent_backward<C: Cell, T: Real>(
    exec: Exec<'_>,
    shape: RecurrentShape,
    dgates: &mut [T],
    dh: &mut [T],
    dc: &mut [T],
    dweight: &mut [T],
    dbias: &mut [T],
    dy: Option<&[T]>,
    state: &CellState<'_, T>,
    weight: Operand<'_, T>,
    lengths: Option<&[u32]>,
    mut total: Option<&mut [T]>,
) {
    let RecurrentShape { steps, batch, hidden, .. } = shape;
    let (row, block) = (C::GATES * hidden, batch * hidden);
    assert_eq!(dgates.len(), steps * batch * row, "dgates must be (T, B, G·H)");
    assert!(dh.len() == block && dc.len() == block, "dh and dc must be (B, H)");
    crate::shared::with_scratch(crate::shared::Area::Recurrent, block, |reaching: &mut [T]| {
        for i in (0..steps).rev() {
            let t = shape.step(i);
            let dgates = &mut dgates[t * batch * row..][..batch * row];
            {
                let parts = (Shared::new(dgates), Shared::new(dh), Shared::new(dc), Shared::new(reaching));
                let dy = dy.map(|dy| &dy[t * block..][..block]);
                exec.pool.run(batch.div_ceil(ROWS), |task| {
                    for b in task * ROWS..((task + 1) * ROWS).min(batch) {
                        // SAFETY: each task has its own rows.
                        let (dgates, dh, dc, reaching) = unsafe {
                            (
                                parts.0.part(b * row, row),
                                parts.1.part(b * hidden, hidden),
                                parts.2.part(b * hidden, hidden),
                                parts.3.part(b * hidden, hidden),
                            )
                        };
                        reaching.fill(T::ZERO);
                        if is_padding(lengths, b, t) {
                            dgates.fill(T::ZERO); // the state's gradient passes through unchanged
                            continue;
                        }
                        reaching.copy_from_slice(dh);
                        if let Some(dy) = dy {
                            reaching.iter_mut().zip(&dy[b * hidden..][..hidden]).for_each(|(d, &y)| *d += y);
                        }
                        dh.fill(T::ZERO);
                        let at = t * batch + b;
                        C::backward(
                            exec.isa,
                            dgates,
                            dc,
                            reaching,
                            &state.gates[at * row..][..row],
                            &state.saved[at * hidden * C::SAVED..][..hidden * C::SAVED],
                            &state.c_prev[at * hidden..][..hidden],
                        );
                    }
                });
            }
            if let Some(total) = &mut total {
                total[t * block..][..block].copy_from_slice(reaching);
            }
            gemm(exec, dh, hidden, MatRef::new(dgates, batch, row), weight, Init::Keep);
        }
    });
    let rows = steps * batch;
    let h_prev = Operand::Plain(MatRef::new(&*state.h_prev, rows, hidden));
    gemm(exec, dweight, hidden, MatRef::new(dgates, rows, row).t(), h_prev, Init::Keep);
    column_sums(exec, dbias, dgates);
}

#[cfg(test)]
mod tests;
