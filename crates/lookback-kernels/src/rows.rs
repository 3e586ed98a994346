//! The gradient of a table (V, E) by its rows: those that were looked up, side by side; all others are zero and take neither memory nor time.
//!
//! Norm and updates are those of the whole table, bit for bit: what a row of zeros adds to a sum is nothing, and where a moment decays without a gradient, it decays here.

use std::ops::Range;

use crate::adam::{CHUNK, PART, chunk_norm};
use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Isa, Real};

/// The place of a row that is zero.
const NOWHERE: u32 = u32::MAX;

/// The rows of a gradient that anything has reached since it was cleared.
#[derive(Debug)]
pub struct SparseRows<T> {
    /// E.
    width: usize,
    /// (V,): where the row of each id stands among `values`, or [`NOWHERE`].
    places: Vec<u32>,
    /// The ids that were reached, in the order in which they were.
    ids: Vec<u32>,
    /// At least (`ids.len()`, E); what stands behind them is of earlier sums.
    values: Vec<T>,
    /// How many ids have come since it was cleared, each time one came.
    seen: usize,
}

impl<T: Real> SparseRows<T> {
    /// A gradient of zero, of a table of `rows` × `width`.
    ///
    /// # Panics
    /// If there are 2³² rows or more.
    #[must_use]
    pub fn new(rows: usize, width: usize) -> Self {
        assert!(rows < NOWHERE as usize, "a table has fewer than 2³² rows");
        Self { width, places: vec![NOWHERE; rows], ids: Vec::with_capacity(rows), values: Vec::new(), seen: 0 }
    }

    /// Numbers of the whole table.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.places.len() * self.width
    }

    /// Sets all to zero.
    pub fn clear(&mut self) {
        for id in self.ids.drain(..) {
            self.places[id as usize] = NOWHERE;
        }
        self.seen = 0;
    }

    /// Row `id`, if anything has reached it.
    #[must_use]
    pub fn row(&self, id: usize) -> Option<&[T]> {
        let place = self.places[id];
        (place != NOWHERE).then(|| &self.values[place as usize * self.width..][..self.width])
    }

    /// The whole table, row-major.
    #[must_use]
    pub fn to_dense(&self) -> Vec<T> {
        let mut all = vec![T::ZERO; self.len()];
        for (id, out) in all.chunks_exact_mut(self.width).enumerate() {
            if let Some(row) = self.row(id) {
                out.copy_from_slice(row);
            }
        }
        all
    }

    /// Adds the gradient of [`embed`](crate::embed): row `ids[n]` += `dy[n]`, in ascending n for every column. As [`embed_backward`](crate::embed_backward), bit for bit.
    ///
    /// # Panics
    /// If the shapes disagree or an id is outside the table.
    pub fn add(&mut self, exec: Exec<'_>, ids: &[u32], dy: &[T]) {
        let Self { width, ref mut places, ids: ref mut reached, ref mut values, ref mut seen } = *self;
        assert_eq!(dy.len(), ids.len() * width, "a row of the gradient per id");
        let before = reached.len();
        for &id in ids {
            let place = &mut places[id as usize];
            if *place == NOWHERE {
                *place = u32::try_from(reached.len()).expect("a table has fewer than 2³² rows");
                reached.push(id);
            }
        }
        let new = before..reached.len();
        // Room for as many rows as there would be if no id came twice: what is allocated does not depend on the words.
        *seen += ids.len();
        let room = places.len().min(*seen) * width;
        values.reserve_exact(room.saturating_sub(values.len()));
        if values.len() < new.end * width {
            values.resize(new.end * width, T::ZERO);
        }
        const COLUMNS: usize = 64; // columns per task: tasks own columns, because rows repeat
        let (out, places) = (Shared::new(values), &*places);
        exec.pool.run(width.div_ceil(COLUMNS), |t| {
            let start = t * COLUMNS;
            let len = COLUMNS.min(width - start);
            // SAFETY: tasks have disjoint columns, and within a task one part lives at a time.
            let part = |place: usize| unsafe { out.part(place * width + start, len) };
            new.clone().for_each(|place| part(place).fill(T::ZERO));
            for (n, &id) in ids.iter().enumerate() {
                let row = part(places[id as usize] as usize);
                for (d, &g) in row.iter_mut().zip(&dy[n * width + start..][..len]) {
                    *d += g;
                }
            }
        });
    }

    /// `Σ x²` of the whole table: [`squared_norm`](crate::squared_norm) of it, bit for bit.
    pub fn squared_norm(&self, exec: Exec<'_>) -> f64 {
        let len = self.len();
        let chunks = len.div_ceil(CHUNK);
        with_scratch(Area::Sums, chunks, |sums: &mut [f64]| {
            let parts = Shared::new(sums);
            exec.pool.run(chunks, |i| {
                let end = len.min((i + 1) * CHUNK);
                // SAFETY: each task writes its own element.
                let out = unsafe { parts.part(i, 1) };
                out[0] =
                    (i * CHUNK..end).step_by(PART).map(|at| self.part_norm(exec.isa, at, PART.min(end - at))).sum();
            });
            sums.iter().sum()
        })
    }

    /// `Σ x²` of the elements `start..start + len` of the table. Rows lie in the lanes of the sum as they do in the table.
    fn part_norm(&self, isa: Isa, start: usize, len: usize) -> f64 {
        let mut part = [T::ZERO; PART];
        let mut is_zero = true;
        for id in start / self.width..(start + len).div_ceil(self.width) {
            let Some(row) = self.row(id) else { continue };
            let (from, to) = (start.max(id * self.width), (start + len).min((id + 1) * self.width));
            part[from - start..to - start].copy_from_slice(&row[from - id * self.width..to - id * self.width]);
            is_zero = false;
        }
        if is_zero { 0.0 } else { chunk_norm(isa, &part[..len]) }
    }

    /// Runs `work` on all threads with all elements of the table: those of each row that was reached with its gradient; of the others as many as follow each other, without one.
    pub(crate) fn run(&self, exec: Exec<'_>, work: impl Fn(Range<usize>, Option<&[T]>) + Sync) {
        let (rows, per_task) = (self.places.len(), (CHUNK / self.width).max(1));
        exec.pool.run(rows.div_ceil(per_task), |task| {
            let (start, end) = (task * per_task, rows.min((task + 1) * per_task));
            let mut zeros = start;
            for id in start..end {
                let Some(row) = self.row(id) else { continue };
                if zeros < id {
                    work(zeros * self.width..id * self.width, None);
                }
                work(id * self.width..(id + 1) * self.width, Some(row));
                zeros = id + 1;
            }
            if zeros < end {
                work(zeros * self.width..end * self.width, None);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use lookback_testkit::is_left_out;

    use super::*;
    use crate::{AdamStep, Isa, Pool, SgdStep, adam, adam_rows, embed_backward, sgd, sgd_rows, squared_norm};

    fn values(len: usize, frequency: f64) -> Vec<f64> {
        (0..len).map(|i| (i as f64 * frequency + 0.1).sin()).collect()
    }

    fn bits<T: Real>(x: &[T]) -> Vec<u64> {
        x.iter().map(|v| v.to_f64().to_bits()).collect()
    }

    /// Three updates of a table of `rows` × `width`, each from two lots of looked-up rows, beside those of a gradient that is kept whole.
    fn is_the_dense_way<T: Real>(exec: Exec<'_>, rows: usize, width: usize, momentum: f64) {
        let narrow = |x: &[f64]| x.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
        let mut sparse = SparseRows::<T>::new(rows, width);
        let start = narrow(&values(rows * width, 0.7));
        let zeros = || vec![T::ZERO; rows * width];
        let mut state = [0; 2].map(|_| (start.clone(), zeros(), zeros(), start.clone(), zeros()));
        for step in 1..4u64 {
            sparse.clear();
            let mut dense = zeros();
            for part in 0..2u64 {
                let id = |n: u64| u32::try_from((n * n * 31 + step * 7 + part) % rows as u64).expect("small");
                let ids: Vec<u32> = (0..9).map(id).collect();
                let dy = narrow(&values(ids.len() * width, 0.3 * (step + part) as f64));
                sparse.add(exec, &ids, &dy);
                embed_backward(exec, &mut dense, &ids, &dy, width);
            }
            assert_eq!(bits(&sparse.to_dense()), bits(&dense));
            assert_eq!(sparse.squared_norm(exec).to_bits(), squared_norm(exec, &dense).to_bits(), "{rows} × {width}");
            let adam_step =
                AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step, decay: 0.1, scale: 0.3 };
            let sgd_step = SgdStep { rate: 0.1, momentum, scale: 0.3 };
            let [(w, m, v, u, n), (dense_w, dense_m, dense_v, dense_u, dense_n)] = &mut state;
            adam_rows(exec, w, &sparse, m, v, adam_step);
            adam(exec, dense_w, &dense, dense_m, dense_v, adam_step);
            sgd_rows(exec, u, &sparse, (momentum > 0.0).then_some(&mut n[..]), sgd_step);
            sgd(exec, dense_u, &dense, (momentum > 0.0).then_some(&mut dense_n[..]), sgd_step);
            let [ours, theirs] = [&state[0], &state[1]].map(|(w, m, v, u, n)| [w, m, v, u, n].map(|x| bits(x)));
            assert_eq!(ours, theirs, "{rows} × {width}, update {step}");
        }
    }

    #[test]
    fn norm_and_updates_of_rows_are_those_of_the_whole_table_bit_for_bit() {
        for (isa, threads) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 3)]) {
            let pool = Pool::new(threads);
            let exec = Exec::new(&pool, isa);
            // Rows that end inside the lanes of a sum, that fill parts of it, that are longer than a task; a table of several chunks.
            for (rows, width) in [(50, 7), (40, 512), (3, 20_000), (700, 33), (1, 1)] {
                if is_left_out(20 * rows * width) {
                    continue;
                }
                for momentum in [0.0, 0.9] {
                    is_the_dense_way::<f32>(exec, rows, width, momentum);
                    is_the_dense_way::<f64>(exec, rows, width, momentum);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn an_id_outside_the_table_is_refused() {
        let pool = Pool::new(1);
        SparseRows::<f32>::new(3, 2).add(Exec::new(&pool, Isa::PORTABLE), &[1, 3], &[0.0; 4]);
    }
}
