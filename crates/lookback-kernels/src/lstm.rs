//! The LSTM cell, element by element.
//!
//! ```text
//! i = σ(z_i)   f = σ(z_f)   g = tanh(z_g)   o = σ(z_o)        z = x + u,  u = W_hh·h + b_hh
//! c' = f·c + i·g            h' = o·tanh(c')
//! ```
//! Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000. The order of gates is i, f, g, o, as in PyTorch; it is stated here
//! and nowhere else.

use crate::isa::multiversion;
use crate::recurrent::Cell;
use crate::{Isa, Real};

/// The long short-term memory cell; its state is `h` and `c`.
#[derive(Debug, Clone, Copy)]
pub struct LstmCell;

impl Cell for LstmCell {
    const GATES: usize = 4;
    const CELL_STATE: usize = 1;
    const SAVED: usize = 1; // tanh(c')
    const SEPARATE_INPUT_GRADIENT: bool = false;
    const FORGET_GATE: Option<usize> = Some(1); // f

    fn forward<T: Real>(isa: Isa, gates: &mut [T], u: &[T], saved: &mut [T], h: &mut [T], c: &mut [T]) {
        forward(isa, gates, u, saved, h, c);
    }

    fn backward<T: Real>(
        isa: Isa,
        _dx: &mut [T],
        gates: &mut [T],
        _dh_prev: &mut [T],
        dc: &mut [T],
        dh: &[T],
        saved: &[T],
        _h_prev: &[T],
        c_prev: &[T],
    ) {
        backward(isa, gates, dc, dh, saved, c_prev);
    }
}

multiversion! {
    fn forward<T>(gates: &mut [T], u: &[T], saved: &mut [T], h: &mut [T], c: &mut [T]) {
        let hidden = h.len();
        let (i, rest) = gates.split_at_mut(hidden);
        let (f, rest) = rest.split_at_mut(hidden);
        let (g, o) = rest.split_at_mut(hidden);
        let (u_i, rest) = u.split_at(hidden);
        let (u_f, rest) = rest.split_at(hidden);
        let (u_g, u_o) = rest.split_at(hidden);
        let (saved, c, o, u_o) = (&mut saved[..hidden], &mut c[..hidden], &mut o[..hidden], &u_o[..hidden]);
        for j in 0..hidden {
            i[j] = (i[j] + u_i[j]).sigmoid();
            f[j] = (f[j] + u_f[j]).sigmoid();
            g[j] = (g[j] + u_g[j]).tanh();
            o[j] = (o[j] + u_o[j]).sigmoid();
            c[j] = f[j] * c[j] + i[j] * g[j];
            saved[j] = c[j].tanh();
            h[j] = o[j] * saved[j];
        }
    }
}

multiversion! {
    fn backward<T>(gates: &mut [T], dc: &mut [T], dh: &[T], saved: &[T], c_prev: &[T]) {
        let hidden = dh.len();
        let (i, rest) = gates.split_at_mut(hidden);
        let (f, rest) = rest.split_at_mut(hidden);
        let (g, o) = rest.split_at_mut(hidden);
        let (saved, c_prev, dc, o) = (&saved[..hidden], &c_prev[..hidden], &mut dc[..hidden], &mut o[..hidden]);
        for j in 0..hidden {
            let d = dc[j] + dh[j] * o[j] * (T::ONE - saved[j] * saved[j]);
            let gate = [i[j], f[j], g[j], o[j]];
            i[j] = d * gate[2] * gate[0] * (T::ONE - gate[0]);
            f[j] = d * c_prev[j] * gate[1] * (T::ONE - gate[1]);
            g[j] = d * gate[0] * (T::ONE - gate[2] * gate[2]);
            o[j] = dh[j] * saved[j] * gate[3] * (T::ONE - gate[3]);
            dc[j] = d * gate[1];
        }
    }
}
