//! Products against the obvious triple loop, in every layout, at odd sizes, on every instruction set.

use lookback_testkit::{fewer, is_left_out};

use super::*;
use crate::{Isa, Pool, Products, round_to_bf16};

/// A fixed sequence of values in −1..1.
fn values<T: Real>(len: usize, salt: u64) -> Vec<T> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[allow(clippy::cast_precision_loss, reason = "test values")]
            T::from_f64((state >> 40) as f64 / f64::from(1u32 << 23) - 1.0)
        })
        .collect()
}

fn naive<T: Real>(c: &mut [f64], a: MatRef<'_, T>, b: MatRef<'_, T>) {
    for i in 0..a.rows {
        for j in 0..b.cols {
            for k in 0..a.cols {
                let x = a.data[i * a.row_stride + k * a.col_stride].to_f64();
                c[i * b.cols + j] += x * b.data[k * b.row_stride + j * b.col_stride].to_f64();
            }
        }
    }
}

/// Rounding of a sum of `k` products of values below 1, one rounding per step in the worst case. Operands that are rounded first are rounded here too, so that
/// the same bound holds: two bfloat16 have an exact product in single precision.
fn check<T: Real>(epsilon: f64, products: Products) {
    let pool = Pool::new(2);
    for isa in Isa::available() {
        let exec = Exec::new(&pool, isa).with(products);
        let sizes: [(usize, usize, usize); 10] = [
            (1, 1, 1),
            (1600, 270, 9),
            (300, 1031, 520),
            (3, 5, 7),
            (13, 20, 33),
            (13, 300, 33),
            (64, 17, 130),
            (5, 520, 257),
            (70, 64, 40),
            (1, 33, 500),
        ];
        for (m, k, n) in sizes {
            // Tiles are computed whole.
            if is_left_out(m.next_multiple_of(16) * k * n) {
                continue;
            }
            let (a, b) = (values::<T>(m * k, 1), values::<T>(k * n, 2));
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            let bias = values::<T>(n, 3);
            let mut want = vec![0.0; m * n];
            let rounded = [&a, &b].map(|x| {
                let mut x = x.clone();
                if products == Products::Bf16 {
                    round_to_bf16(&mut x);
                }
                x
            });
            naive(&mut want, MatRef::new(&rounded[0], m, k), MatRef::new(&rounded[1], k, n));
            let mut packed = PackedMatrix::empty();
            packed.pack(exec, MatRef::new(&bt, n, k).t());
            let lefts = [MatRef::new(&a, m, k), MatRef::new(&at, k, m).t()];
            let plain = |x| Operand::Plain(x);
            let rights = [plain(MatRef::new(&b, k, n)), plain(MatRef::new(&bt, n, k).t()), Operand::Packed(&packed)];
            for (l, left) in lefts.into_iter().enumerate() {
                for (r, right) in rights.into_iter().enumerate() {
                    let mut c = values::<T>(m * n, 4);
                    gemm(exec, &mut c, n, left, right, Init::Bias(&bias));
                    gemm(exec, &mut c, n, left, right, Init::Keep);
                    for (i, got) in c.iter().enumerate() {
                        let truth = bias[i % n].to_f64() + 2.0 * want[i];
                        #[allow(clippy::cast_precision_loss, reason = "small")]
                        let bound = epsilon * 4.0 * (k as f64 + 2.0);
                        let error = (got.to_f64() - truth).abs();
                        assert!(error <= bound, "{} {m}×{k}×{n} layouts {l}{r}: {got} for {truth}", isa.name());
                    }
                }
            }
        }
    }
}

fn transpose<T: Real>(x: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..cols).flat_map(|j| (0..rows).map(move |i| x[i * cols + j])).collect()
}

#[test]
fn products_equal_the_triple_loop_in_f32() {
    check::<f32>(f64::from(f32::EPSILON), Products::Full);
}

#[test]
fn products_equal_the_triple_loop_in_f64() {
    check::<f64>(f64::EPSILON, Products::Full);
}

#[test]
fn products_of_rounded_operands_equal_the_triple_loop_over_rounded_operands() {
    check::<f32>(f64::from(f32::EPSILON), Products::Bf16);
}

#[test]
fn a_matrix_packed_for_rounded_products_brings_its_precision() {
    let pool = Pool::new(1);
    for isa in Isa::available() {
        let exec = Exec::new(&pool, isa);
        let (a, b) = (values::<f32>(3 * 40, 1), values::<f32>(40 * 50, 2));
        let (left, right) = (MatRef::new(&a, 3, 40), MatRef::new(&b, 40, 50));
        let mut packed = PackedMatrix::empty();
        packed.pack(exec.with(Products::Bf16), right);
        let (mut stored, mut asked) = (vec![0.0; 150], vec![0.0; 150]);
        gemm(exec, &mut stored, 50, left, Operand::Packed(&packed), Init::Zero);
        gemm(exec.with(Products::Bf16), &mut asked, 50, left, Operand::Plain(right), Init::Zero);
        assert_eq!(stored, asked, "{}", isa.name());
    }
}

#[test]
fn a_nan_or_an_infinity_in_a_rounded_operand_is_not_hidden() {
    let pool = Pool::new(1);
    for isa in Isa::available() {
        for bad in [f32::NAN, f32::from_bits(0x7f80_0001), f32::INFINITY] {
            let (mut a, b) = (vec![1.0f32; 2 * 9], vec![1.0f32; 9 * 3]);
            a[8] = bad;
            let mut c = vec![0.0; 6];
            let exec = Exec::new(&pool, isa).with(Products::Bf16);
            gemm(exec, &mut c, 3, MatRef::new(&a, 2, 9), Operand::Plain(MatRef::new(&b, 9, 3)), Init::Zero);
            assert!(c[..3].iter().all(|v| !v.is_finite()) && c[3..].iter().all(|&v| (v - 9.0).abs() < 1e-6), "{c:?}");
        }
    }
}

#[test]
fn threads_and_other_rows_change_no_bit() {
    let (m, k, n) = fewer((1600, 300, 300), (60, 9, 20));
    let (a, b) = (values::<f32>(m * k, 5), values::<f32>(k * n, 6));
    let all = Isa::available().into_iter().flat_map(|isa| [(isa, Products::Full), (isa, Products::Bf16)]);
    for (isa, products) in all {
        let product = |threads: usize, rows: std::ops::Range<usize>| {
            let pool = Pool::new(threads);
            let exec = Exec::new(&pool, isa).with(products);
            let mut c = vec![0.0f32; rows.len() * n];
            let left = MatRef::new(&a[rows.start * k..rows.end * k], rows.len(), k);
            gemm(exec, &mut c, n, left, Operand::Plain(MatRef::new(&b, k, n)), Init::Zero);
            c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let all = product(1, 0..m);
        assert!(all == product(2, 0..m) && all == product(4, 0..m), "{}", isa.name());
        for row in [50, m - 1] {
            assert_eq!(all[row * n..(row + 1) * n], product(2, row..row + 1)[..], "row {row} alone, {}", isa.name());
        }
    }
}

#[test]
fn a_row_stride_leaves_the_gap_alone() {
    let pool = Pool::new(1);
    let exec = Exec::new(&pool, Isa::detect());
    let mut c = vec![7.0f32; 2 * 5];
    gemm(exec, &mut c, 5, MatRef::new(&[1.0, 2.0], 2, 1), Operand::Plain(MatRef::new(&[3.0, 4.0], 1, 2)), Init::Zero);
    assert_eq!(c, [3.0, 4.0, 7.0, 7.0, 7.0, 6.0, 8.0, 7.0, 7.0, 7.0]);
}

#[test]
fn column_sums_add_every_row() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    let mut sums = vec![1.0f32; 300];
    let x: Vec<f32> = (0..900u16).map(f32::from).collect();
    column_sums(exec, &mut sums, &x);
    for (j, sum) in (0u16..300).zip(sums) {
        assert!((sum - (1.0 + 900.0 + 3.0 * f32::from(j))).abs() < 1e-6);
    }
}

#[test]
#[should_panic(expected = "its rows overlap")]
fn overlapping_rows_of_the_result_are_refused() {
    let pool = Pool::new(1);
    let exec = Exec::new(&pool, Isa::PORTABLE);
    let (a, b) = ([1.0f32; 6], [1.0f32; 6]);
    gemm(exec, &mut [0.0; 100], 1, MatRef::new(&a, 3, 2), Operand::Plain(MatRef::new(&b, 2, 3)), Init::Zero);
}
