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
    const APART: bool = false;
    const OPEN_GATE: Option<usize> = Some(1); // f

    fn forward<T: Real>(isa: Isa, gates: &mut [T], x: &[T], saved: &mut [T], h: &mut [T], c: &mut [T]) {
        forward(isa, gates, x, saved, h, c);
    }

    fn backward<T: Real>(
        isa: Isa,
        dx: &mut [T],
        gates: &mut [T],
        _dh_prev: &mut [T],
        dc: &mut [T],
        dh: &[T],
        saved: &[T],
        _h_prev: &[T],
        c_prev: &[T],
    ) {
        backward(isa, dx, dc, dh, gates, saved, c_prev);
    }
}

multiversion! {
    fn forward<T>(gates: &mut [T], x: &[T], saved: &mut [T], h: &mut [T], c: &mut [T]) {
        let hidden = h.len();
        let (i, rest) = gates.split_at_mut(hidden);
        let (f, rest) = rest.split_at_mut(hidden);
        let (g, o) = rest.split_at_mut(hidden);
        let (x_i, rest) = x.split_at(hidden);
        let (x_f, rest) = rest.split_at(hidden);
        let (x_g, x_o) = rest.split_at(hidden);
        let (saved, c, o, x_o) = (&mut saved[..hidden], &mut c[..hidden], &mut o[..hidden], &x_o[..hidden]);
        for j in 0..hidden {
            i[j] = (i[j] + x_i[j]).sigmoid();
            f[j] = (f[j] + x_f[j]).sigmoid();
            g[j] = (g[j] + x_g[j]).tanh();
            o[j] = (o[j] + x_o[j]).sigmoid();
            c[j] = f[j] * c[j] + i[j] * g[j];
            saved[j] = c[j].tanh();
            h[j] = o[j] * saved[j];
        }
    }
}

multiversion! {
    fn backward<T>(dx: &mut [T], dc: &mut [T], dh: &[T], gates: &[T], saved: &[T], c_prev: &[T]) {
        let hidden = dh.len();
        let (di, rest) = dx.split_at_mut(hidden);
        let (df, rest) = rest.split_at_mut(hidden);
        let (dg, d_o) = rest.split_at_mut(hidden);
        let (i, rest) = gates.split_at(hidden);
        let (f, rest) = rest.split_at(hidden);
        let (g, o) = rest.split_at(hidden);
        let (saved, c_prev, dc, d_o, o) =
            (&saved[..hidden], &c_prev[..hidden], &mut dc[..hidden], &mut d_o[..hidden], &o[..hidden]);
        for j in 0..hidden {
            let d = dc[j] + dh[j] * o[j] * (T::ONE - saved[j] * saved[j]);
            di[j] = d * g[j] * i[j] * (T::ONE - i[j]);
            df[j] = d * c_prev[j] * f[j] * (T::ONE - f[j]);
            dg[j] = d * i[j] * (T::ONE - g[j] * g[j]);
            d_o[j] = dh[j] * saved[j] * o[j] * (T::ONE - o[j]);
            dc[j] = d * f[j];
        }
    }
}
