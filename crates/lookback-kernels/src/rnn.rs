//! The plain recurrent cell, element by element: `h' = tanh(x + u)` with `u = W_hh·h + b_hh` (Elman 1990).

use crate::isa::multiversion;
use crate::recurrent::Cell;
use crate::{Isa, Real};

/// The tanh cell; its state is `h`.
#[derive(Debug, Clone, Copy)]
pub struct RnnCell;

impl Cell for RnnCell {
    const GATES: usize = 1;
    const CELL_STATE: usize = 0;
    const SAVED: usize = 0;
    const APART: bool = false;
    const OPEN_GATE: Option<usize> = None;

    fn forward<T: Real>(isa: Isa, gates: &mut [T], x: &[T], _saved: &mut [T], h: &mut [T], _c: &mut [T]) {
        forward(isa, gates, x, h);
    }

    fn backward<T: Real>(
        isa: Isa,
        dx: &mut [T],
        gates: &mut [T],
        _dh_prev: &mut [T],
        _dc: &mut [T],
        dh: &[T],
        _saved: &[T],
        _h_prev: &[T],
        _c_prev: &[T],
    ) {
        backward(isa, dx, gates, dh);
    }
}

multiversion! {
    fn forward<T>(gates: &mut [T], x: &[T], h: &mut [T]) {
        for ((gate, &x), h) in gates.iter_mut().zip(x).zip(h) {
            *gate = (*gate + x).tanh();
            *h = *gate;
        }
    }
}

multiversion! {
    fn backward<T>(dx: &mut [T], gates: &[T], dh: &[T]) {
        for ((dx, &y), &dh) in dx.iter_mut().zip(gates).zip(dh) {
            *dx = dh * (T::ONE - y * y);
        }
    }
}
