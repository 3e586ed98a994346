//! The GRU cell, element by element.
//!
//! ```text
//! r = σ(x_r + u_r)   z = σ(x_z + u_z)   n = tanh(x_n + r·u_n)        u = W_hh·h + b_hh
//! h' = (1 − z)·n + z·h
//! ```
//! Cho et al. 2014, in the form of cuDNN and PyTorch: the reset gate is applied to the recurrent product, so one product serves all gates; the candidate's
//! bias in u is reset with it. The order of gates is r, z, n, as in PyTorch; it is stated here and nowhere else.

use crate::isa::multiversion;
use crate::recurrent::Cell;
use crate::{Isa, Real};

/// The gated recurrent unit; its state is `h`.
#[derive(Debug, Clone, Copy)]
pub struct GruCell;

impl Cell for GruCell {
    const GATES: usize = 3;
    const CELL_STATE: usize = 0;
    const SAVED: usize = 1; // u_n
    const SEPARATE_INPUT_GRADIENT: bool = true; // u_n is multiplied by r, x_n is not
    const FORGET_GATE: Option<usize> = None;

    fn forward<T: Real>(isa: Isa, gates: &mut [T], u: &[T], saved: &mut [T], h: &mut [T], _c: &mut [T]) {
        forward(isa, gates, u, saved, h);
    }

    fn backward<T: Real>(
        isa: Isa,
        dx: &mut [T],
        gates: &mut [T],
        dh_prev: &mut [T],
        _dc: &mut [T],
        dh: &[T],
        saved: &[T],
        h_prev: &[T],
        _c_prev: &[T],
    ) {
        backward(isa, dx, gates, dh_prev, dh, saved, h_prev);
    }
}

multiversion! {
    fn forward<T>(gates: &mut [T], u: &[T], saved: &mut [T], h: &mut [T]) {
        let hidden = h.len();
        let (r, rest) = gates.split_at_mut(hidden);
        let (z, n) = rest.split_at_mut(hidden);
        let (u_r, rest) = u.split_at(hidden);
        let (u_z, u_n) = rest.split_at(hidden);
        let (saved, n, u_n) = (&mut saved[..hidden], &mut n[..hidden], &u_n[..hidden]);
        for j in 0..hidden {
            r[j] = (r[j] + u_r[j]).sigmoid();
            z[j] = (z[j] + u_z[j]).sigmoid();
            saved[j] = u_n[j];
            n[j] = (n[j] + r[j] * saved[j]).tanh();
            h[j] = (T::ONE - z[j]) * n[j] + z[j] * h[j];
        }
    }
}

multiversion! {
    fn backward<T>(dx: &mut [T], gates: &mut [T], dh_prev: &mut [T], dh: &[T], saved: &[T], h_prev: &[T]) {
        let hidden = dh.len();
        let (dx_r, rest) = dx.split_at_mut(hidden);
        let (dx_z, dx_n) = rest.split_at_mut(hidden);
        let (r, rest) = gates.split_at_mut(hidden);
        let (z, n) = rest.split_at_mut(hidden);
        let (saved, h_prev, dh_prev) = (&saved[..hidden], &h_prev[..hidden], &mut dh_prev[..hidden]);
        let (dx_n, n) = (&mut dx_n[..hidden], &mut n[..hidden]);
        for j in 0..hidden {
            let d = dh[j] * (T::ONE - z[j]) * (T::ONE - n[j] * n[j]);
            dx_n[j] = d;
            dx_r[j] = d * saved[j] * r[j] * (T::ONE - r[j]);
            dx_z[j] = dh[j] * (h_prev[j] - n[j]) * z[j] * (T::ONE - z[j]);
            dh_prev[j] = dh[j] * z[j];
            // The gates make room for the gradient of u.
            n[j] = d * r[j];
            r[j] = dx_r[j];
            z[j] = dx_z[j];
        }
    }
}
