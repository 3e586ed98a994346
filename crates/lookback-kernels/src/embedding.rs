//! Rows of a table by id, and the gradient that flows back into them.

use crate::shared::Shared;
use crate::{Exec, Real};

/// `y[n] = table[ids[n]]`: `table` (V, E), `ids` (N,), `y` (N, E).
///
/// # Panics
/// If the shapes disagree or an id is outside the table.
pub fn embed<T: Real>(exec: Exec<'_>, y: &mut [T], table: &[T], ids: &[u32], width: usize) {
    assert_eq!(y.len(), ids.len() * width, "embed: one row per id");
    const ROWS: usize = 64; // rows per task
    let out = Shared::new(y);
    exec.pool.run(ids.len().div_ceil(ROWS), |t| {
        for n in t * ROWS..((t + 1) * ROWS).min(ids.len()) {
            // SAFETY: rows do not overlap.
            let row = unsafe { out.part(n * width, width) };
            row.copy_from_slice(&table[ids[n] as usize * width..][..width]);
        }
    });
}

/// Adds the gradient of [`embed`] to `dtable`: `dtable[ids[n]] += dy[n]`, in ascending n for every column.
///
/// # Panics
/// If the shapes disagree or an id is outside the table.
pub fn embed_backward<T: Real>(exec: Exec<'_>, dtable: &mut [T], ids: &[u32], dy: &[T], width: usize) {
    assert_eq!(dy.len(), ids.len() * width, "embed_backward: one row per id");
    const COLUMNS: usize = 64; // columns per task: tasks own columns, because rows repeat
    let out = Shared::new(dtable);
    exec.pool.run(width.div_ceil(COLUMNS), |t| {
        let start = t * COLUMNS;
        let len = COLUMNS.min(width - start);
        for (n, &id) in ids.iter().enumerate() {
            // SAFETY: tasks have disjoint columns, and within a task one part lives at a time.
            let row = unsafe { out.part(id as usize * width + start, len) };
            for (d, &g) in row.iter_mut().zip(&dy[n * width + start..][..len]) {
                *d += g;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};

    #[test]
    #[allow(clippy::float_cmp, reason = "sums of small integers are exact")]
    fn repeated_ids_collect_their_gradients() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let table = [0.0f32, 1.0, 10.0, 11.0, 20.0, 21.0];
        let ids = [2, 0, 2];
        let mut y = [0.0; 6];
        embed(exec, &mut y, &table, &ids, 2);
        assert_eq!(y, [20.0, 21.0, 0.0, 1.0, 20.0, 21.0]);
        let mut dtable = [1.0; 6];
        embed_backward(exec, &mut dtable, &ids, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2);
        assert_eq!(dtable, [4.0, 5.0, 1.0, 1.0, 7.0, 9.0]);
    }
}
