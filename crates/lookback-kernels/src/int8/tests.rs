use lookback_testkit::{fewer, is_left_out};

use super::tile::{MR, all};
use super::*;
use crate::{Isa, Operand, gemm};

/// Numbers of no pattern in `0..bound`.
fn noise(count: usize, bound: u32, salt: u32) -> Vec<u32> {
    let key = crate::RandomKey { seed: 5, stream: salt, step: 1 };
    (0..u32::try_from(count).unwrap()).map(|i| crate::philox4x32(key, i)[0] % bound).collect()
}

fn bytes(count: usize, salt: u32) -> Vec<i8> {
    noise(count, 255, salt).into_iter().map(|v| i8::try_from(i32::try_from(v).unwrap() - 127).unwrap()).collect()
}

fn reals(count: usize, salt: u32) -> Vec<f32> {
    noise(count, 2001, salt).into_iter().map(|v| (v as f32 - 1000.0) / 700.0).collect()
}

fn one(isa: Isa, threads: usize, m: usize, w: &(Vec<i8>, Vec<f32>), x: &[f32], bias: &[f32]) -> Vec<f32> {
    let pool = Pool::new(threads);
    let exec = Exec::new(&pool, isa);
    let (n, k) = (w.1.len(), x.len() / m);
    let matrix = Int8Matrix::new(exec, &w.0, w.1.clone(), n, k);
    let mut y = vec![9.0; m * n];
    gemm(exec, &mut y, n, MatRef::new(x, m, k), Operand::Int8(&matrix), Init::Bias(bias));
    y
}

#[test]
fn every_tile_gives_the_exact_sums_even_of_the_largest_numbers() {
    for steps in [1, 3, 8, 33].into_iter().take(fewer(4, 2)) {
        let k = steps * DEPTH;
        for extreme in [false, true] {
            let (mut w, mut x) = (bytes(NR * k, 1), bytes(MR * k, 2));
            if extreme {
                // The worst for saturating instructions, in all four combinations of signs.
                w.iter_mut().enumerate().for_each(|(i, w)| *w = if i / 7 % 2 == 0 { 127 } else { -127 });
                x.iter_mut().enumerate().for_each(|(i, x)| *x = if i / 64 % 2 == 0 { 127 } else { -127 });
            }
            let pool = Pool::new(1);
            let matrix = Int8Matrix::new(Exec::new(&pool, Isa::PORTABLE), &w, vec![1.0; NR], NR, k);
            for rows in 1..=MR {
                let sum = |row: &[i8]| row.iter().map(|&v| i32::from(v)).sum::<i32>();
                let sums: Vec<i32> = x.chunks(k).take(rows).map(sum).collect();
                for (name, tile) in all() {
                    let mut out = [7; MR * NR];
                    tile.run(rows, &x, &sums, matrix.panel(0), &mut out);
                    for (r, c) in (0..rows).flat_map(|r| (0..NR).map(move |c| (r, c))) {
                        let pairs = x[r * k..][..k].iter().zip(&w[c * k..][..k]);
                        let truth: i64 = pairs.map(|(&x, &w)| i64::from(x) * i64::from(w)).sum();
                        assert_eq!(i64::from(out[r * NR + c]), truth, "{name}: {rows} rows of {k}, row {r}, {c}");
                    }
                }
            }
        }
    }
}

#[test]
fn products_have_the_same_bits_on_every_instruction_set_for_any_threads_and_neighbours() {
    for (m, n, k) in [(1usize, 1, 1), (1, 33, 7), (5, 70, 130), (13, 300, 64), (100, 513, 96)] {
        if is_left_out(m.next_multiple_of(16) * k * n) {
            continue;
        }
        let w = quantise_weights(&reals(n * k, 3), k);
        let (x, bias) = (reals(m * k, 4), reals(n, 5));
        let first = one(Isa::PORTABLE, 1, m, &w, &x, &bias);
        for isa in Isa::available() {
            for threads in [1, 3] {
                assert!(first == one(isa, threads, m, &w, &x, &bias), "{} {m} {n} {k}", isa.name());
            }
            let last = one(isa, 1, 1, &w, &x[(m - 1) * k..], &bias);
            assert!(first[(m - 1) * n..] == last, "a row does not depend on the others");
        }
    }
}

#[test]
fn products_are_those_of_the_real_numbers_within_half_a_unit_per_factor() {
    let (m, n, k) = (7, 45, 90);
    let (weights, x, bias) = (reals(n * k, 6), reals(m * k, 7), reals(n, 8));
    let w = quantise_weights(&weights, k);
    let y = one(Isa::detect(), 2, m, &w, &x, &bias);
    for (i, row) in x.chunks(k).enumerate() {
        let unit = f64::from(row.iter().fold(0f32, |most, v| most.max(v.abs()))) / 127.0;
        for j in 0..n {
            let pairs = || row.iter().zip(&weights[j * k..][..k]).map(|(&x, &w)| (f64::from(x), f64::from(w)));
            let truth: f64 = pairs().map(|(x, w)| x * w).sum::<f64>() + f64::from(bias[j]);
            let half = (unit / 2.0, f64::from(w.1[j]) / 2.0);
            // |(x + d)(w + e) − xw| ≤ |x|·|e| + |w|·|d| + |d|·|e|, and rounding in single precision.
            let bound: f64 = pairs().map(|(x, w)| x.abs() * half.1 + w.abs() * half.0 + half.0 * half.1).sum();
            let error = (f64::from(y[i * n + j]) - truth).abs();
            assert!(error <= bound + 1e-4, "{i}, {j}: {error} > {bound}");
        }
    }
}

#[test]
#[allow(clippy::float_cmp, reason = "nothing is rounded twice")]
fn what_a_product_starts_from_is_kept_set_or_the_bias() {
    let pool = Pool::new(1);
    let exec = Exec::new(&pool, Isa::detect());
    let matrix = Int8Matrix::new(exec, &[127, 0, 0, 127], vec![1.0 / 127.0, 2.0 / 127.0], 2, 2);
    let run = |init| {
        let mut y = [10.0f32, 20.0, -1.0];
        gemm(exec, &mut y, 3, MatRef::new(&[1.0, -1.0], 1, 2), Operand::Int8(&matrix), init);
        y
    };
    assert_eq!(run(Init::Zero), [1.0, -2.0, -1.0]);
    assert_eq!(run(Init::Keep), [11.0, 18.0, -1.0]);
    assert_eq!(run(Init::Bias(&[0.5, 0.25])), [1.5, -1.75, -1.0]);
}

#[test]
#[allow(clippy::float_cmp, reason = "nothing is rounded twice")]
fn rows_are_looked_up_as_they_were_quantised() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    let (n, k) = (70, 13);
    let weights = reals(n * k, 9);
    let (values, scales) = quantise_weights(&weights, k);
    let matrix = Int8Matrix::new(exec, &values, scales.clone(), n, k);
    let ids = [69u32, 0, 33, 33];
    let mut y = vec![0.0f32; ids.len() * k];
    matrix.embed(exec, &mut y, &ids);
    for (row, &id) in y.chunks(k).zip(&ids) {
        let id = id as usize;
        for j in 0..k {
            assert!(row[j] == f32::from(values[id * k + j]) * scales[id]);
            assert!((row[j] - weights[id * k + j]).abs() <= scales[id] * 0.5001, "the nearest of 255");
        }
    }
}

#[test]
fn what_is_not_finite_is_not_hidden_and_zeros_stay_zeros() {
    let w = quantise_weights(&reals(40 * 8, 10), 8);
    for isa in Isa::available() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = reals(8, 11);
            x[3] = bad;
            assert!(one(isa, 1, 1, &w, &x, &[0.0; 40]).iter().all(|v| !v.is_finite()), "{bad} on {}", isa.name());
        }
        for small in [0.0, -0.0, 1e-44] {
            assert!(one(isa, 1, 1, &w, &[small; 8], &[2.5; 40]).iter().all(|&v| (v - 2.5).abs() < 1e-30));
        }
    }
}

#[test]
fn a_row_of_zeros_has_the_scale_zero() {
    let (values, scales) = quantise_weights(&[0.0, 0.0, -3.0, 1.5], 2);
    assert_eq!(values, [0, 0, -127, 64], "half a unit goes to the even neighbour");
    assert!(scales[0] == 0.0 && (scales[1] - 3.0 / 127.0).abs() < 1e-9);
}
