//! Packing: operands of a product laid out as the register tile reads them.

use super::MatRef;
use crate::{Exec, Real, shared::Shared};

/// Steps of the shared dimension that are packed at a time when packing transposes.
const RUN: usize = 16;

/// Packs rows `rows`, columns `depth` of `a` for tiles of `mr` rows (the last may have fewer): panel after panel, each K groups of one value per row.
pub(super) fn pack_left<T: Real>(
    out: &mut [T],
    a: MatRef<'_, T>,
    rows: std::ops::Range<usize>,
    depth: std::ops::Range<usize>,
    mr: usize,
) {
    let len = depth.len();
    for top in rows.clone().step_by(mr) {
        let height = mr.min(rows.end - top);
        pack_left_panel(&mut out[(top - rows.start) * len..][..height * len], a, depth.clone(), top, height);
    }
}

fn pack_left_panel<T: Real>(out: &mut [T], a: MatRef<'_, T>, depth: std::ops::Range<usize>, top: usize, height: usize) {
    if a.col_stride == 1 {
        // In short runs of k, so that the lines written to stay in the first-level cache until they are full.
        for start in depth.clone().step_by(RUN) {
            let end = depth.end.min(start + RUN);
            let group = &mut out[(start - depth.start) * height..(end - depth.start) * height];
            for r in 0..height {
                let row = &a.data[(top + r) * a.row_stride..][start..end];
                for (k, &value) in row.iter().enumerate() {
                    group[k * height + r] = value;
                }
            }
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
    depth: std::ops::Range<usize>,
    left: usize,
    nr: usize,
) {
    let size = nr * depth.len();
    let panels = out.len() / size;
    let out = Shared::new(out);
    exec.pool.run(panels, |p| {
        // SAFETY: panels do not overlap.
        let panel = unsafe { out.part(p * size, size) };
        pack_right(panel, b, depth.clone(), left + p * nr, nr);
    });
}

/// Packs the columns `left..left + nr` of `b` (zeros beyond its edge): K groups of `nr` values.
pub(super) fn pack_right<T: Real>(
    out: &mut [T],
    b: MatRef<'_, T>,
    depth: std::ops::Range<usize>,
    left: usize,
    nr: usize,
) {
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
    for start in depth.clone().step_by(RUN) {
        let end = depth.end.min(start + RUN);
        let group = &mut out[(start - depth.start) * nr..(end - depth.start) * nr];
        for j in 0..width {
            let column = &b.data[(left + j) * b.col_stride..];
            for (i, k) in (start..end).enumerate() {
                group[i * nr + j] = column[k * b.row_stride];
            }
        }
    }
    if width < nr {
        out.chunks_exact_mut(nr).for_each(|group| group[width..].fill(T::ZERO));
    }
}
