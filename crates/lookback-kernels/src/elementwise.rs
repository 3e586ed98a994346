//! Operations on every element alone: tanh, dropout, sums, and gluing columns together.

use crate::isa::multiversion;
use crate::philox::{RandomKey, blocks};
use crate::shared::Shared;
use crate::{Exec, Real};

/// Elements per task.
const CHUNK: usize = 1 << 14;

/// Runs `work` on matching chunks of `out` and the positions they start at.
fn chunked<T: Real>(exec: Exec<'_>, out: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    let len = out.len();
    let out = Shared::new(out);
    exec.pool.run(len.div_ceil(CHUNK), |i| {
        let start = i * CHUNK;
        // SAFETY: chunks do not overlap.
        work(start, unsafe { out.part(start, CHUNK.min(len - start)) });
    });
}

multiversion! {
    fn tanh_chunk<T>(y: &mut [T], x: &[T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x.tanh();
        }
    }
}

multiversion! {
    fn tanh_backward_chunk<T>(d: &mut [T], y: &[T]) {
        for (d, &y) in d.iter_mut().zip(y) {
            *d *= T::ONE - y * y;
        }
    }
}

multiversion! {
    fn add_chunk<T>(y: &mut [T], a: &[T], b: &[T]) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    }
}

multiversion! {
    fn add_assign_chunk<T>(y: &mut [T], x: &[T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

/// `y = tanh(x)`, element by element.
///
/// # Panics
/// If the lengths differ.
pub fn tanh<T: Real>(exec: Exec<'_>, y: &mut [T], x: &[T]) {
    assert_eq!(y.len(), x.len(), "tanh");
    chunked(exec, y, |start, y| tanh_chunk(exec.isa, y, &x[start..start + y.len()]));
}

/// Turns `d` from the gradient of [`tanh`]'s output `y` into that of its input: `d = d·(1 − y²)`.
///
/// # Panics
/// If the lengths differ.
pub fn tanh_backward<T: Real>(exec: Exec<'_>, d: &mut [T], y: &[T]) {
    assert_eq!(d.len(), y.len(), "tanh_backward");
    chunked(exec, d, |start, d| tanh_backward_chunk(exec.isa, d, &y[start..start + d.len()]));
}

/// `y = a + b`.
///
/// # Panics
/// If the lengths differ.
pub fn add<T: Real>(exec: Exec<'_>, y: &mut [T], a: &[T], b: &[T]) {
    assert!(y.len() == a.len() && a.len() == b.len(), "add");
    chunked(exec, y, |start, y| {
        let range = start..start + y.len();
        add_chunk(exec.isa, y, &a[range.clone()], &b[range]);
    });
}

/// Sets every element.
pub fn fill<T: Real>(exec: Exec<'_>, x: &mut [T], value: T) {
    chunked(exec, x, |_, x| x.fill(value));
}

/// `y += x`.
///
/// # Panics
/// If the lengths differ.
pub fn add_assign<T: Real>(exec: Exec<'_>, y: &mut [T], x: &[T]) {
    assert_eq!(y.len(), x.len(), "add_assign");
    chunked(exec, y, |start, y| add_assign_chunk(exec.isa, y, &x[start..start + y.len()]));
}

/// Inverted dropout (Srivastava et al. 2014): `y += x·m / (1 − p)` with `m = 0` with probability `p`, else 1.
///
/// The mask is a function of `key` and the element's position alone. The gradient is the same function of the upstream gradient.
/// It adds to `y`, so that forward (on zeros) and backward are one kernel.
///
/// # Panics
/// If the lengths differ or `p` is outside `0..1`.
pub fn dropout<T: Real>(exec: Exec<'_>, y: &mut [T], x: &[T], p: f32, key: RandomKey) {
    assert_eq!(y.len(), x.len(), "dropout");
    assert!((0.0..1.0).contains(&p), "dropout probability {p} outside 0..1");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "p is in 0..1")]
    let threshold = (f64::from(p) * 4_294_967_296.0) as u32;
    let keep = T::from_f64(1.0 / (1.0 - f64::from(p)));
    chunked(exec, y, |start, y| {
        let block = u32::try_from(start / 4).expect("fewer than 2³⁴ elements");
        dropout_chunk(exec.isa, y, &x[start..start + y.len()], block, threshold, keep, key);
    });
}

multiversion! {
    fn dropout_chunk<T>(y: &mut [T], x: &[T], block: u32, threshold: u32, keep: T, key: RandomKey) {
        const N: usize = 16; // blocks at a time, 4 words each
        let mut block = block;
        for (y, x) in y.chunks_mut(4 * N).zip(x.chunks(4 * N)) {
            let words = blocks::<N>(key, block);
            block = block.wrapping_add(16);
            let mut factor = [T::ZERO; 4 * N];
            for w in 0..4 {
                for i in 0..N {
                    factor[4 * i + w] = if words[w][i] < threshold { T::ZERO } else { keep };
                }
            }
            for ((y, &x), &f) in y.iter_mut().zip(x).zip(&factor) {
                *y += x * f;
            }
        }
    }
}

/// `y[n] = [a[n]; b[n]]`: rows of `a` (N, A) and `b` (N, B) side by side, `y` (N, A + B).
///
/// # Panics
/// If the shapes disagree.
pub fn concat_columns<T: Real>(exec: Exec<'_>, y: &mut [T], a: &[T], b: &[T], a_width: usize, b_width: usize) {
    let width = a_width + b_width;
    assert!(a.len() / a_width == b.len() / b_width && y.len() == a.len() + b.len(), "concat_columns");
    for_rows(exec, y, width, |n, y| {
        y[..a_width].copy_from_slice(&a[n * a_width..][..a_width]);
        y[a_width..].copy_from_slice(&b[n * b_width..][..b_width]);
    });
}

/// Adds columns `offset..offset + width` of `y` (N, `y_width`) to `x` (N, `width`): the gradient of [`concat_columns`].
///
/// # Panics
/// If the shapes disagree.
pub fn split_columns_add<T: Real>(exec: Exec<'_>, x: &mut [T], y: &[T], width: usize, y_width: usize, offset: usize) {
    assert!(x.len() / width == y.len() / y_width && offset + width <= y_width, "split_columns_add");
    for_rows(exec, x, width, |n, x| add_assign_chunk(exec.isa, x, &y[n * y_width + offset..][..width]));
}

/// The mean of every `count` rows that follow each other: `y[i] = Σ_{k < count} x[i·count + k] / count`, `y` (N, W), `x` (N·count, W).
///
/// # Panics
/// If the shapes disagree.
pub fn mean_rows<T: Real>(exec: Exec<'_>, y: &mut [T], x: &[T], count: usize, width: usize) {
    assert!(x.len() == y.len() * count && y.len().is_multiple_of(width), "mean_rows");
    let share = T::from_f64(1.0 / count as f64);
    for_rows(exec, y, width, |i, y| {
        y.fill(T::ZERO);
        for x in x[i * count * width..][..count * width].chunks_exact(width) {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
        }
        y.iter_mut().for_each(|y| *y *= share);
    });
}

/// Adds the gradient of [`mean_rows`] to `dx`: `dx[i·count + k] += dy[i] / count`.
///
/// # Panics
/// If the shapes disagree.
pub fn mean_rows_backward<T: Real>(exec: Exec<'_>, dx: &mut [T], dy: &[T], count: usize, width: usize) {
    assert!(dx.len() == dy.len() * count && dy.len().is_multiple_of(width), "mean_rows_backward");
    let share = T::from_f64(1.0 / count as f64);
    for_rows(exec, dx, width, |i, dx| {
        dx.iter_mut().zip(&dy[i / count * width..]).for_each(|(dx, &dy)| *dx += share * dy);
    });
}

/// Runs `work` on every row of `out`, in tasks of about [`CHUNK`] elements.
fn for_rows<T: Real>(exec: Exec<'_>, out: &mut [T], width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let rows = out.len() / width;
    let per_task = (CHUNK / width).max(1);
    let out = Shared::new(out);
    exec.pool.run(rows.div_ceil(per_task), |i| {
        for n in i * per_task..((i + 1) * per_task).min(rows) {
            // SAFETY: rows do not overlap.
            work(n, unsafe { out.part(n * width, width) });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};
    use lookback_testkit::{assert_close, fewer, max_grad_error};

    const KEY: RandomKey = RandomKey { seed: 1, stream: 2, step: 3 };

    #[test]
    fn tanh_and_its_gradient_agree_in_every_instruction_set() {
        let pool = Pool::new(2);
        let x: Vec<f64> = (0..101).map(|i| f64::from(i) * 0.06 - 3.0).collect();
        let r: Vec<f64> = (0..101).map(|i| f64::from(i % 7) - 2.5).collect();
        for isa in Isa::available() {
            let exec = Exec::new(&pool, isa);
            let run = |x: &[f64]| {
                let mut y = vec![0.0; x.len()];
                tanh(exec, &mut y, x);
                y
            };
            let mut dx = r.clone();
            tanh_backward(exec, &mut dx, &run(&x));
            let loss = |x: &[f64]| run(x).iter().zip(&r).map(|(y, r)| y * r).sum();
            assert!(max_grad_error(&mut x.clone(), &dx, loss) < 1e-8);
            let narrow = |x: &[f64]| x.iter().map(|&v| f32::from_f64(v)).collect::<Vec<_>>();
            let mut y = vec![0.0f32; x.len()];
            tanh(exec, &mut y, &narrow(&x));
            assert_close("tanh", &y, &narrow(&run(&x)), 1e-6, 1e-7);
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_drops_the_stated_share() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let x = vec![1.0f32; fewer(100_003, 1_003)];
        let mut y = vec![0.0; x.len()];
        dropout(exec, &mut y, &x, 0.3, KEY);
        let dropped = y.iter().filter(|&&v| v == 0.0).count();
        let five_deviations = fewer(29_300..30_700, 228..373);
        assert!(five_deviations.contains(&dropped), "{dropped} dropped");
        assert!(y.iter().all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-6));
    }

    #[test]
    fn a_mask_depends_on_the_key_and_not_on_threads_or_instructions() {
        let x = vec![1.0f32; fewer(70_000, 700)];
        let run = |threads, isa, key| {
            let pool = Pool::new(threads);
            let mut y = vec![0.0; x.len()];
            dropout(Exec::new(&pool, isa), &mut y, &x, 0.5, key);
            y
        };
        let one = run(1, Isa::PORTABLE, KEY);
        for isa in Isa::available() {
            assert!(one == run(3, isa, KEY));
        }
        for other in [RandomKey { seed: 9, ..KEY }, RandomKey { stream: 9, ..KEY }, RandomKey { step: 9, ..KEY }] {
            assert!(one != run(1, Isa::PORTABLE, other));
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "halves of small integers are exact")]
    fn means_of_rows_share_their_gradient() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let (mut y, mut dx) = ([9.0f32; 6], [1.0; 12]);
        mean_rows(exec, &mut y, &[1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0], 2, 3);
        assert_eq!(y, [3.0, 4.5, 6.0, 2.0, 0.0, 0.5]);
        mean_rows_backward(exec, &mut dx, &[2.0, 4.0, 6.0, 0.0, 0.0, 8.0], 2, 3);
        assert_eq!(dx, [2.0, 3.0, 4.0, 2.0, 3.0, 4.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0]);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
    fn split_undoes_concat() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let (a, b) = ([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0f32, 8.0, 9.0]);
        let mut y = [0.0; 9];
        concat_columns(exec, &mut y, &a, &b, 2, 1);
        assert_eq!(y, [1.0, 2.0, 7.0, 3.0, 4.0, 8.0, 5.0, 6.0, 9.0]);
        let (mut a2, mut b2) = ([0.0; 6], [1.0; 3]);
        split_columns_add(exec, &mut a2, &y, 2, 3, 0);
        split_columns_add(exec, &mut b2, &y, 1, 3, 2);
        assert_eq!((a2, b2), (a, [8.0, 9.0, 10.0]));
    }
}
