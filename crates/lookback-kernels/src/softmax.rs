//! Softmax and its logarithm over rows, with and without a mask.

use crate::isa::multiversion;
use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Isa, Real, ln};

/// Sums are kept in this many lanes, combined in a fixed order, so that they vectorise without reordering.
pub(crate) const LANES: usize = 16;

/// Combines lanes pairwise, always in the same order.
#[inline(always)]
pub(crate) fn fold<T: Real>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = combine(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The largest element; NaN if there is any NaN among them is *not* promised (the sums below will show it).
#[inline(always)]
pub(crate) fn max<T: Real>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = chunk[i].larger(lanes[i]);
        }
    }
    for (i, &v) in tail.iter().enumerate() {
        lanes[i] = v.larger(lanes[i]);
    }
    fold(lanes, Real::larger)
}

/// [`max`] and the sum, in [`LANES`] partial sums, in one pass.
#[inline(always)]
pub(crate) fn max_and_sum<T: Real>(x: &[T]) -> (T, T) {
    let (mut most, mut sums) = ([T::NEG_INFINITY; LANES], [T::ZERO; LANES]);
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            most[i] = chunk[i].larger(most[i]);
            sums[i] += chunk[i];
        }
    }
    for (i, &v) in tail.iter().enumerate() {
        most[i] = v.larger(most[i]);
        sums[i] += v;
    }
    (fold(most, Real::larger), fold(sums, |a, b| a + b))
}

/// `Σ a·b`, in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (xs, ys) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (x_tail, y_tail) = (xs.remainder(), ys.remainder());
    for (x, y) in xs.zip(ys) {
        for i in 0..LANES {
            lanes[i] += x[i] * y[i];
        }
    }
    for (i, (&x, &y)) in x_tail.iter().zip(y_tail).enumerate() {
        lanes[i] += x * y;
    }
    fold(lanes, |a, b| a + b)
}

/// Turns `x` into `exp(x − m)` with `m` its largest element, and returns (m, Σ).
#[inline(always)]
pub(crate) fn exp_shifted<T: Real>(x: &mut [T]) -> (T, T) {
    let m = max(x);
    (m, exp_less(x, m))
}

/// Turns `x` into `exp(x − m)` and returns the sum, in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn exp_less<T: Real>(x: &mut [T], m: T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            chunk[i] = (chunk[i] - m).exp();
            lanes[i] += chunk[i];
        }
    }
    for (i, v) in chunks.into_remainder().iter_mut().enumerate() {
        *v = (*v - m).exp();
        lanes[i] += *v;
    }
    fold(lanes, |a, b| a + b)
}

/// `Σ exp(x − m)`, in the order of [`sum`].
#[inline(always)]
fn sum_exp<T: Real>(x: &[T], m: T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += (chunk[i] - m).exp();
        }
    }
    for (i, &v) in tail.iter().enumerate() {
        lanes[i] += (v - m).exp();
    }
    fold(lanes, |a, b| a + b)
}

multiversion! {
    /// Softmax of one row, in place: `x[i] = exp(x[i]) / Σ_j exp(x[j])`. The largest element is subtracted first, so no finite
    /// input overflows.
    pub fn softmax_row<T>(x: &mut [T]) {
        let (_, total) = exp_shifted(x);
        let inverse = T::ONE / total;
        for v in x.iter_mut() {
            *v *= inverse;
        }
    }
}

/// Attention weights of one row, in place: softmax over the first `len` scores, exactly 0 beyond them.
///
/// ```text
/// α[s] = exp(e[s]) / Σ_{s' < len} exp(e[s'])          Bahdanau et al. 2015, eq. 6
/// ```
///
/// # Panics
/// If `len` is outside `1..=row.len()`.
///
/// # Examples
/// ```
/// use lookback_kernels::{Isa, masked_softmax_row};
/// let mut e = [0.0, 2f32.ln(), 99.0]; // the last position is padding
/// masked_softmax_row(Isa::detect(), &mut e, 2);
/// assert!((e[0] - 1.0 / 3.0).abs() < 1e-6);
/// assert_eq!(e[2], 0.0);
/// ```
pub fn masked_softmax_row<T: Real>(isa: Isa, row: &mut [T], len: usize) {
    assert!((1..=row.len()).contains(&len), "source length {len} outside 1..={}", row.len());
    let (valid, padding) = row.split_at_mut(len);
    softmax_row(isa, valid);
    padding.fill(T::ZERO);
}

multiversion! {
    fn log_softmax_row<T>(x: &mut [T]) {
        let m = max(x);
        let shift = m + T::from_f64(ln(sum_exp(x, m).to_f64()));
        for v in x.iter_mut() {
            *v -= shift;
        }
    }
}

/// `x[n] = x[n] − ln Σ_j exp(x[n, j])` for every row of `x` (N, `width`): log-probabilities in nats, in place.
///
/// # Panics
/// If `x` does not consist of whole rows.
pub fn log_softmax_rows<T: Real>(exec: Exec<'_>, x: &mut [T], width: usize) {
    assert_eq!(x.len() % width, 0, "rows of {width}");
    let rows = x.len() / width;
    let x = Shared::new(x);
    exec.pool.run(rows, |n| {
        // SAFETY: rows do not overlap.
        log_softmax_row(exec.isa, unsafe { x.part(n * width, width) });
    });
}

/// Log-probabilities among some entries: `y[n, ids[p]] = x[n, p] − ln Σ_{q ∈ L} exp(x[n, q])` for p in L = `among(n)`, ascending, and −∞ everywhere else. `x` is (N, U), `ids` (U,), `y`
/// (N, `width`), in nats. What a row becomes depends on the entries of its own list alone.
///
/// # Panics
/// If the shapes disagree, a list names an entry that is not there, or an id is outside the row.
pub fn log_softmax_among<'l, T: Real>(
    exec: Exec<'_>,
    y: &mut [T],
    width: usize,
    x: &[T],
    ids: &[u32],
    among: &(dyn Fn(usize) -> &'l [u32] + Sync),
) {
    let rows = y.len() / width;
    assert!(rows * width == y.len() && rows * ids.len() == x.len(), "rows of {width} from rows of {}", ids.len());
    let y = Shared::new(y);
    exec.pool.run(rows, |n| {
        // SAFETY: rows do not overlap.
        let y = unsafe { y.part(n * width, width) };
        let (x, list) = (&x[n * ids.len()..][..ids.len()], among(n));
        y.fill(T::NEG_INFINITY);
        with_scratch(Area::Left, list.len(), |values: &mut [T]| {
            values.iter_mut().zip(list).for_each(|(value, &p)| *value = x[p as usize]);
            log_softmax_row(exec.isa, values);
            values.iter().zip(list).for_each(|(&value, &p)| y[ids[p as usize] as usize] = value);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pool;
    use proptest::prelude::*;

    #[test]
    fn log_softmax_is_the_logarithm_of_softmax_in_every_instruction_set() {
        let pool = Pool::new(2);
        let x: Vec<f32> = (0..3 * 37).map(|i| (i * 17 % 23) as f32 * 0.7 - 4.0).collect();
        for isa in Isa::available() {
            let mut log = x.clone();
            log_softmax_rows(Exec::new(&pool, isa), &mut log, 37);
            for (row, log) in x.chunks(37).zip(log.chunks(37)) {
                let total: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
                let mut soft = row.to_vec();
                softmax_row(isa, &mut soft);
                for i in 0..37 {
                    let truth = f64::from(row[i]) - total.ln();
                    assert!((f64::from(log[i]) - truth).abs() < 2e-6, "{}", isa.name());
                    assert!((f64::from(soft[i]) - truth.exp()).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn probabilities_among_some_entries_are_those_of_a_row_that_has_no_others() {
        let (pool, ids) = (Pool::new(2), [1u32, 4, 6, 7, 9]);
        let x: Vec<f32> = (0..15).map(|i| (i * 7 % 11) as f32 * 0.3).collect();
        let lists = [vec![0, 1, 2, 3, 4], vec![1, 3], vec![]];
        for isa in Isa::available() {
            let exec = Exec::new(&pool, isa);
            let mut y = vec![f32::NAN; 30];
            log_softmax_among(exec, &mut y, 10, &x, &ids, &|n| &lists[n]);
            for (n, list) in lists.iter().enumerate() {
                let mut want = vec![f32::NEG_INFINITY; 10];
                let mut alone: Vec<f32> = list.iter().map(|&p| x[n * 5 + p as usize]).collect();
                log_softmax_rows(exec, &mut alone, list.len().max(1));
                for (&p, &value) in list.iter().zip(&alone) {
                    want[ids[p as usize] as usize] = value;
                }
                assert_eq!(y[n * 10..][..10], want, "row {n}, {}", isa.name());
            }
        }
    }

    #[test]
    fn softmax_agrees_with_pytorch() {
        let golden = lookback_testkit::Golden::read("softmax");
        let width = golden.shape("x")[1];
        for isa in Isa::available() {
            let mut y = golden.f32("x");
            y.chunks_mut(width).for_each(|row| softmax_row(isa, row));
            lookback_testkit::assert_close("softmax", &y, &golden.f32("y"), 1e-6, 1e-7);
        }
    }

    proptest! {
        #[test]
        fn padding_never_changes_the_weights(
            e in prop::collection::vec(-50f32..50.0, 1..40),
            junk in prop::collection::vec(any::<f32>(), 0..6), // NaN and inf allowed: it must not matter
        ) {
            for isa in Isa::available() {
                let len = e.len();
                let mut alone = e.clone();
                masked_softmax_row(isa, &mut alone, len);
                let mut padded = [e.clone(), junk.clone()].concat();
                masked_softmax_row(isa, &mut padded, len);
                prop_assert_eq!(&padded[..len], &alone[..]); // bit for bit
                prop_assert!(padded[len..].iter().all(|&a| a == 0.0));
                prop_assert!((alone.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_nan_among_the_scores_is_not_hidden() {
        for isa in Isa::available() {
            let mut x = [1.0f32, f32::NAN, 2.0];
            softmax_row(isa, &mut x);
            assert!(x.iter().any(|v| v.is_nan()));
        }
    }
}
