//! Packing: operands of a product laid out as the register tile reads them.
//!
//! A packed word is a number, or two consecutive numbers of the shared dimension rounded to bfloat16 (the last one beside 0 if their count is odd).

use std::ops::Range;

use super::MatRef;
use super::transpose::{SIDE as RUN, transpose};
use crate::isa::multiversion;
use crate::{Exec, Isa, Real, shared::Shared};

/// A part of the shared dimension, and how many of its numbers go into a word. It starts at a whole word.
#[derive(Debug, Clone)]
pub(super) struct Depth {
    pub(super) range: Range<usize>,
    pub(super) pair: usize,
}

impl Depth {
    /// Packed words per row or column.
    pub(super) fn words(&self) -> usize {
        self.range.len().div_ceil(self.pair)
    }

    /// Words between `start` and this part.
    pub(super) fn words_from(&self, start: usize) -> usize {
        (self.range.start - start) / self.pair
    }
}

/// Packs rows `rows`, columns `depth` of `a` for tiles of `mr` rows (the last may have fewer): panel after panel, each K groups of one word per row.
pub(super) fn pack_left<T: Real>(
    isa: Isa,
    out: &mut [T],
    a: MatRef<'_, T>,
    rows: Range<usize>,
    depth: Depth,
    mr: usize,
) {
    let len = depth.words();
    for top in rows.clone().step_by(mr) {
        let height = mr.min(rows.end - top);
        let out = &mut out[(top - rows.start) * len..][..height * len];
        if depth.pair == 2 {
            pack_pairs(isa, out, a.t(), depth.range.clone(), top, height, height, isa);
        } else {
            pack_left_panel(isa, out, a, depth.range.clone(), top, height);
        }
    }
}

fn pack_left_panel<T: Real>(isa: Isa, out: &mut [T], a: MatRef<'_, T>, depth: Range<usize>, top: usize, height: usize) {
    if a.col_stride == 1 {
        let mut block = [[T::ZERO; RUN]; RUN];
        for start in depth.clone().step_by(RUN) {
            let len = RUN.min(depth.end - start);
            for (r, run) in block[..height].iter_mut().enumerate() {
                copy_run(run, &a.data[(top + r) * a.row_stride + start..], len);
            }
            transpose(isa, &mut out[(start - depth.start) * height..][..len * height], height, &block, height);
        }
    } else {
        for (k, group) in depth.zip(out.chunks_exact_mut(height)) {
            let column = &a.data[k * a.col_stride + top * a.row_stride..];
            if a.row_stride == 1 {
                copy_group(group, column);
            } else {
                for (r, value) in group.iter_mut().enumerate() {
                    *value = column[r * a.row_stride];
                }
            }
        }
    }
}

/// Copies `len` values; whole runs without a call.
fn copy_run<T: Real>(run: &mut [T; RUN], from: &[T], len: usize) {
    match from.first_chunk::<RUN>() {
        Some(from) if len == RUN => *run = *from,
        _ => run[..len].copy_from_slice(&from[..len]),
    }
}

/// Copies as many values as `group` holds; whole tiles without a call.
fn copy_group<T: Real>(group: &mut [T], from: &[T]) {
    fn fixed<T: Real, const N: usize>(group: &mut [T], from: &[T]) {
        if let (Some(group), Some(from)) = (group.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
            *group = *from;
        }
    }
    match group.len() {
        12 => fixed::<T, 12>(group, from),
        16 => fixed::<T, 16>(group, from),
        32 => fixed::<T, 32>(group, from),
        len => group.copy_from_slice(&from[..len]),
    }
}

/// Packs panels of `nr` columns, `first..` as many as `out` holds, of rows `depth` of `b`, on all threads.
pub(super) fn pack_right_panels<T: Real>(
    exec: Exec<'_>,
    out: &mut [T],
    b: MatRef<'_, T>,
    depth: Depth,
    left: usize,
    nr: usize,
) {
    let size = nr * depth.words();
    let panels = out.len() / size;
    let out = Shared::new(out);
    exec.pool.run(panels, |p| {
        // SAFETY: panels do not overlap.
        let panel = unsafe { out.part(p * size, size) };
        pack_right(exec.isa, panel, b, depth.clone(), left + p * nr, nr);
    });
}

/// Packs the columns `left..left + nr` of `b` (zeros beyond its edge): K groups of `nr` words.
pub(super) fn pack_right<T: Real>(isa: Isa, out: &mut [T], b: MatRef<'_, T>, depth: Depth, left: usize, nr: usize) {
    let width = nr.min(b.cols - left);
    if depth.pair == 2 {
        pack_pairs(isa, out, b, depth.range, left, width, nr, isa);
    } else {
        pack_right_panel(isa, out, b, depth.range, left, nr);
    }
}

fn pack_right_panel<T: Real>(isa: Isa, out: &mut [T], b: MatRef<'_, T>, depth: Range<usize>, left: usize, nr: usize) {
    let width = nr.min(b.cols - left);
    if b.col_stride == 1 {
        for (k, group) in depth.zip(out.chunks_exact_mut(nr)) {
            let row = &b.data[k * b.row_stride + left..];
            if width == nr {
                copy_group(group, row);
            } else {
                group[..width].copy_from_slice(&row[..width]);
                group[width..].fill(T::ZERO);
            }
        }
        return;
    }
    // A transposed matrix: its columns are the contiguous runs.
    let mut block = [[T::ZERO; RUN]; RUN];
    for start in depth.clone().step_by(RUN) {
        let len = RUN.min(depth.end - start);
        let group = &mut out[(start - depth.start) * nr..][..len * nr];
        for first in (0..width).step_by(RUN) {
            let some = RUN.min(width - first);
            for (j, run) in block[..some].iter_mut().enumerate() {
                let column = &b.data[(left + first + j) * b.col_stride + start * b.row_stride..];
                if b.row_stride == 1 {
                    copy_run(run, column, len);
                } else {
                    run[..len].iter_mut().zip(column.iter().step_by(b.row_stride)).for_each(|(to, &from)| *to = from);
                }
            }
            transpose(isa, &mut group[first..], nr, &block, some);
        }
    }
    if width < nr {
        out.chunks_exact_mut(nr).for_each(|group| group[width..].fill(T::ZERO));
    }
}

multiversion! {
    /// Packs columns `left..left + width` of rows `depth` of `b` in pairs, groups of `nr` words, zeros beyond `width`. `moves` is the instruction set once more, to move words by.
    fn pack_pairs<T>(out: &mut [T], b: MatRef<'_, T>, depth: Range<usize>, left: usize, width: usize, nr: usize, moves: Isa) {
        if b.col_stride == 1 {
            for (k, group) in depth.clone().step_by(2).zip(out.chunks_exact_mut(nr)) {
                let low = &b.data[k * b.row_stride + left..][..width];
                let (words, rest) = group.split_at_mut(width);
                if k + 1 < depth.end {
                    let high = &b.data[(k + 1) * b.row_stride + left..][..width];
                    for ((word, &low), &high) in words.iter_mut().zip(low).zip(high) {
                        *word = T::pair(low, high);
                    }
                } else {
                    for (word, &low) in words.iter_mut().zip(low) {
                        *word = T::pair(low, T::ZERO);
                    }
                }
                rest.fill(T::ZERO);
            }
            return;
        }
        let mut block = [[T::ZERO; RUN]; RUN];
        for start in depth.clone().step_by(2 * RUN) {
            let end = depth.end.min(start + 2 * RUN);
            let len = (end - start).div_ceil(2);
            let group = &mut out[(start - depth.start) / 2 * nr..][..len * nr];
            for first in (0..width).step_by(RUN) {
                let some = RUN.min(width - first);
                for (j, words) in block[..some].iter_mut().enumerate() {
                    let column = &b.data[(left + first + j) * b.col_stride..];
                    if b.row_stride == 1 && end - start == 2 * RUN {
                        let (pairs, _) = column[start..end].as_chunks::<2>();
                        for (word, &[low, high]) in words.iter_mut().zip(pairs) {
                            *word = T::pair(low, high);
                        }
                    } else {
                        for (word, k) in words.iter_mut().zip((start..end).step_by(2)) {
                            let high = if k + 1 < end { column[(k + 1) * b.row_stride] } else { T::ZERO };
                            *word = T::pair(column[k * b.row_stride], high);
                        }
                    }
                }
                transpose(moves, &mut group[first..], nr, &block, some);
            }
        }
        if width < nr {
            out.chunks_exact_mut(nr).for_each(|group| group[width..].fill(T::ZERO));
        }
    }
}
