//! A block of words turned round: what packing a transposed operand is made of.

use crate::Real;
use crate::isa::{Isa, Level};

/// Rows and columns of a block.
pub(super) const SIDE: usize = 16;

/// `out[i·stride + j] = block[j][i]` for j < `width`, for as many i as `out` has rows (the last may end after `width`). What stands between them is left.
///
/// # Panics
/// If `out` has more rows than a block has columns, or a row is too short.
pub(super) fn transpose<T: Real>(isa: Isa, out: &mut [T], stride: usize, block: &[[T; SIDE]; SIDE], width: usize) {
    let rows = out.len().div_ceil(stride);
    assert!(rows <= SIDE && width <= SIDE && width <= stride, "a block of {SIDE} × {SIDE}");
    assert!(rows == 0 || (rows - 1) * stride + width <= out.len(), "the last row ends in `out`");
    #[cfg(target_arch = "x86_64")]
    if isa.level() == Level::Avx512 && size_of::<T>() == 4 {
        // SAFETY: this level exists only if the processor was found to have these instructions. Words of 4 bytes are moved as they are; `out` was checked.
        unsafe { avx512::transpose(out.as_mut_ptr().cast(), stride, block.as_ptr().cast(), rows, width) };
        return;
    }
    let _ = isa;
    for (i, row) in out.chunks_mut(stride).enumerate() {
        for (j, value) in row[..width].iter_mut().enumerate() {
            *value = block[j][i];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::SIDE;

    /// # Safety
    /// `block` must be valid for reading `SIDE` × `SIDE` words, and `out` for writing `width` words in each of `rows` rows `stride` apart; neither `rows` nor `width` exceeds `SIDE`.
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) unsafe fn transpose(out: *mut f32, stride: usize, block: *const f32, rows: usize, width: usize) {
        // SAFETY: the caller's promise; masked words are not written.
        unsafe {
            let mut pairs = [_mm512_setzero_ps(); SIDE];
            for i in 0..SIDE / 2 {
                let (a, b) = (_mm512_loadu_ps(block.add(2 * i * SIDE)), _mm512_loadu_ps(block.add((2 * i + 1) * SIDE)));
                (pairs[2 * i], pairs[2 * i + 1]) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            }
            // fours[4g + c]: in lane l, column 4l + c of rows 4g..4g + 4.
            let mut fours = [_mm512_setzero_ps(); SIDE];
            for g in 0..SIDE / 4 {
                let p = [0, 1, 2, 3].map(|i| _mm512_castps_pd(pairs[4 * g + i]));
                let unpacked = [
                    _mm512_unpacklo_pd(p[0], p[2]),
                    _mm512_unpackhi_pd(p[0], p[2]),
                    _mm512_unpacklo_pd(p[1], p[3]),
                    _mm512_unpackhi_pd(p[1], p[3]),
                ];
                for c in 0..4 {
                    fours[4 * g + c] = _mm512_castpd_ps(unpacked[c]);
                }
            }
            let mask = if width == SIDE { u16::MAX } else { (1 << width) - 1 };
            for c in 0..4 {
                let [a, b, e, f] = [0, 1, 2, 3].map(|g| fours[4 * g + c]);
                let (low, high) = (_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b));
                let (low2, high2) = (_mm512_shuffle_f32x4::<0x44>(e, f), _mm512_shuffle_f32x4::<0xee>(e, f));
                let columns = [
                    _mm512_shuffle_f32x4::<0x88>(low, low2),
                    _mm512_shuffle_f32x4::<0xdd>(low, low2),
                    _mm512_shuffle_f32x4::<0x88>(high, high2),
                    _mm512_shuffle_f32x4::<0xdd>(high, high2),
                ];
                for (l, column) in columns.into_iter().enumerate() {
                    if 4 * l + c < rows {
                        _mm512_mask_storeu_ps(out.add((4 * l + c) * stride), mask, column);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_turned_round_and_nothing_else_is_written() {
        let block: [[f32; SIDE]; SIDE] = std::array::from_fn(|j| std::array::from_fn(|i| (100 * j + i) as f32));
        let wide: [[f64; SIDE]; SIDE] = block.map(|row| row.map(f64::from));
        for isa in Isa::available() {
            for (rows, width, stride) in
                [(16usize, 16, 32), (16, 12, 12), (7, 5, 5), (16, 1, 3), (1, 16, 16), (0, 4, 4)]
            {
                // The last row may end where its words end.
                for len in [rows * stride, (rows * stride).saturating_sub(stride - width)] {
                    let (mut out, mut double) = (vec![-1.0f32; len], vec![-1.0f64; len]);
                    transpose(isa, &mut out, stride, &block, width);
                    transpose(isa, &mut double, stride, &wide, width);
                    for (at, value) in out.iter().enumerate() {
                        let (i, j) = (at / stride, at % stride);
                        let want = if j < width { block[j][i] } else { -1.0 };
                        assert!(value.to_bits() == want.to_bits(), "{isa:?}, {rows} × {width} by {stride}: {at}");
                        assert!(double[at].to_bits() == f64::from(want).to_bits());
                    }
                }
            }
        }
    }
}
