//! The innermost loop: sums of a panel's rows with a few rows of activations, exact, in 32 bits.
//!
//! ```text
//! out[r][c] = Σ_k x[r][k]·w[c][k]        r < R ≤ MR rows, c < NR rows of the weight
//! ```

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::{DEPTH, NR, STEP};
use crate::isa::{Isa, Level};

/// Rows of activations per tile, at most.
pub(super) const MR: usize = 12;

/// `rows`, `steps`, rows of x `4·steps` bytes apart, the sum of each, the panel, the sums (`rows`, `NR`).
type Run = unsafe fn(usize, usize, *const i8, *const i32, *const u8, *mut i32);

/// A compiled tile.
#[derive(Clone, Copy)]
pub(super) struct Tile(Run);

impl Tile {
    /// The fastest of an instruction set on this processor; all give the same sums.
    pub(super) fn of(isa: Isa) -> Self {
        match isa.level() {
            Level::Portable => Self(portable),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if has_vnni() => Self(vnni),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => Self(avx2),
        }
    }

    /// Writes `out[r·NR + c]` for `rows` rows of `x`, which lie as far apart as a row of the panel is long. `sums` are those of the rows.
    pub(super) fn run(&self, rows: usize, x: &[i8], sums: &[i32], panel: &[u32], out: &mut [i32; MR * NR]) {
        let steps = panel.len() / NR;
        assert!((1..=MR).contains(&rows) && sums.len() == rows && x.len() >= rows * steps * DEPTH, "a tile of int8");
        // SAFETY: what is read and written was just checked; the processor has the instruction set (`of`).
        unsafe { (self.0)(rows, steps, x.as_ptr(), sums.as_ptr(), panel.as_ptr().cast(), out.as_mut_ptr()) }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512vnni")
}

/// # Safety
/// As [`Tile::run`] checks.
unsafe fn portable(rows: usize, steps: usize, x: *const i8, _sums: *const i32, panel: *const u8, out: *mut i32) {
    for r in 0..rows {
        let mut acc = [0i32; NR];
        for step in 0..steps {
            // SAFETY: inside the panel and the row.
            let (w, x) = unsafe {
                (
                    &*panel.add(step * STEP).cast::<[u8; STEP]>(),
                    &*x.add((r * steps + step) * DEPTH).cast::<[i8; DEPTH]>(),
                )
            };
            for c in 0..NR {
                for d in 0..DEPTH {
                    acc[c] += i32::from((w[c * DEPTH + d] ^ 128).cast_signed()) * i32::from(x[d]);
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { out.add(r * NR).cast::<[i32; NR]>().write(acc) };
    }
}

/// `vpdpbusd`: four products of a byte without a sign (w + 128) and one with (x) are added to each sum, which starts at −128·Σx.
///
/// # Safety
/// As [`Tile::run`] checks, and the processor has VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn vnni(rows: usize, steps: usize, x: *const i8, sums: *const i32, panel: *const u8, out: *mut i32) {
    /// One step of R rows. A function and not a closure: a closure is not inlined everywhere, and on its own it is compiled without the instructions.
    ///
    /// # Safety
    /// As the caller.
    #[inline(always)]
    unsafe fn add<const R: usize>(
        acc: &mut [[__m512i; 2]; R],
        x: *const i8,
        steps: usize,
        panel: *const u8,
        step: usize,
    ) {
        // SAFETY: every access is inside what the caller promises.
        unsafe {
            let w = panel.add(step * STEP);
            let (low, high) = (_mm512_loadu_si512(w.cast()), _mm512_loadu_si512(w.add(64).cast()));
            for r in 0..R {
                let x = _mm512_set1_epi32(x.add((r * steps + step) * DEPTH).cast::<i32>().read_unaligned());
                acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], low, x);
                acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], high, x);
            }
        }
    }

    /// R rows; U steps at a time have sums of their own, because an instruction takes four cycles to add.
    ///
    /// # Safety
    /// As the caller.
    #[inline(always)]
    unsafe fn tile<const R: usize, const U: usize>(
        steps: usize,
        x: *const i8,
        sums: *const i32,
        panel: *const u8,
        out: *mut i32,
    ) {
        // SAFETY: every access is inside what the caller promises.
        unsafe {
            let mut acc = [[[_mm512_setzero_si512(); 2]; R]; U];
            for r in 0..R {
                acc[0][r] = [_mm512_set1_epi32(-128 * *sums.add(r)); 2];
            }
            let whole = steps / U * U;
            for step in (0..whole).step_by(U) {
                for u in 0..U {
                    add(&mut acc[u], x, steps, panel, step + u);
                }
            }
            for step in whole..steps {
                add(&mut acc[0], x, steps, panel, step);
            }
            for r in 0..R {
                for half in 0..2 {
                    let mut sum = acc[0][r][half];
                    for u in 1..U {
                        sum = _mm512_add_epi32(sum, acc[u][r][half]);
                    }
                    _mm512_storeu_si512(out.add(r * NR + half * 16).cast(), sum);
                }
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => tile::<1, 4>(steps, x, sums, panel, out),
            2 => tile::<2, 2>(steps, x, sums, panel, out),
            3 => tile::<3, 2>(steps, x, sums, panel, out),
            4 => tile::<4, 1>(steps, x, sums, panel, out),
            5 => tile::<5, 1>(steps, x, sums, panel, out),
            6 => tile::<6, 1>(steps, x, sums, panel, out),
            7 => tile::<7, 1>(steps, x, sums, panel, out),
            8 => tile::<8, 1>(steps, x, sums, panel, out),
            9 => tile::<9, 1>(steps, x, sums, panel, out),
            10 => tile::<10, 1>(steps, x, sums, panel, out),
            11 => tile::<11, 1>(steps, x, sums, panel, out),
            _ => tile::<12, 1>(steps, x, sums, panel, out),
        }
    }
}

/// `vpmaddubsw` adds pairs of products in 16 bits and saturates. With |x| as the byte without a sign and w with the sign of x a pair is at most 2·127², which fits.
///
/// # Safety
/// As [`Tile::run`] checks, and the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(rows: usize, steps: usize, x: *const i8, _sums: *const i32, panel: *const u8, out: *mut i32) {
    /// Registers of a panel's step.
    const N: usize = STEP / 32;

    /// # Safety
    /// As the caller.
    #[inline(always)]
    unsafe fn tile<const R: usize>(steps: usize, x: *const i8, panel: *const u8, out: *mut i32) {
        // SAFETY: every access is inside what the caller promises.
        unsafe {
            let (ones, sign) = (_mm256_set1_epi16(1), _mm256_set1_epi8(-128));
            let mut acc = [[_mm256_setzero_si256(); N]; R];
            for step in 0..steps {
                let mut x4 = [_mm256_setzero_si256(); R];
                for r in 0..R {
                    x4[r] = _mm256_set1_epi32(x.add((r * steps + step) * DEPTH).cast::<i32>().read_unaligned());
                }
                for i in 0..N {
                    let w = _mm256_loadu_si256(panel.add(step * STEP + 32 * i).cast());
                    let w = _mm256_xor_si256(w, sign);
                    for r in 0..R {
                        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x4[r]), _mm256_sign_epi8(w, x4[r]));
                        acc[r][i] = _mm256_add_epi32(acc[r][i], _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            for r in 0..R {
                for i in 0..N {
                    _mm256_storeu_si256(out.add(r * NR + 8 * i).cast(), acc[r][i]);
                }
            }
        }
    }
    // SAFETY: the caller's promise; pairs of rows, then what is left.
    unsafe {
        for r in (0..rows / 2 * 2).step_by(2) {
            tile::<2>(steps, x.add(r * steps * DEPTH), panel, out.add(r * NR));
        }
        if rows % 2 == 1 {
            let r = rows - 1;
            tile::<1>(steps, x.add(r * steps * DEPTH), panel, out.add(r * NR));
        }
    }
}

/// Every tile this processor can run, with its name.
#[cfg(test)]
pub(super) fn all() -> Vec<(&'static str, Tile)> {
    let mut all = vec![("portable", Tile(portable))];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            all.push(("avx2", Tile(avx2)));
        }
        if has_vnni() {
            all.push(("vnni", Tile(vnni)));
        }
    }
    all
}
