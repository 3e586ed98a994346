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
    const SEPARATE_INPUT_GRADIENT: bool = false;
    const FORGET_GATE: Option<usize> = None;

    fn forward<T: Real>(isa: Isa, gates: &mut [T], u: &[T], _saved: &mut [T], h: &mut [T], _c: &mut [T]) {
        forward(isa, gates, u, h);
    }

    fn backward<T: Real>(
        isa: Isa,
        _dx: &mut [T],
        gates: &mut [T],
        _dh_prev: &mut [T],
        _dc: &mut [T],
        dh: &[T],
        _saved: &[T],
        _h_prev: &[T],
        _c_prev: &[T],
    ) {
        backward(isa, gates, dh);
    }
}

multiversion! {
    fn forward<T>(gates: &mut [T], u: &[T], h: &mut [T]) {
        for ((gate, &u), h) in gates.iter_mut().zip(u).zip(h) {
            *gate = (*gate + u).tanh();
            *h = *gate;
        }
    }
}

multiversion! {
    fn backward<T>(gates: &mut [T], dh: &[T]) {
        for (gate, &dh) in gates.iter_mut().zip(dh) {
            *gate = dh * (T::ONE - *gate * *gate);
        }
    }
}
