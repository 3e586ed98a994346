//! The recurrent layer: gradients by differences, padding, step by step against whole, f32 against f64.

use super::*;
use crate::{LstmCell, PackedMatrix, Pool};
use lookback_testkit::{assert_close, max_grad_error};

const T: usize = 4;
const B: usize = 3;
const H: usize = 5;
const LEN: [u32; B] = [4, 2, 3];

fn wave(len: usize, f: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * f + 0.3).sin() * 0.8).collect()
}

/// x, h0, c0, weight (4H, H), bias, and the factors of the loss for y, h_n, c_n.
fn case() -> [Vec<f64>; 8] {
    [
        wave(T * B * 4 * H, 0.7),
        wave(B * H, 1.1),
        wave(B * H, 1.7),
        wave(4 * H * H, 2.3),
        wave(4 * H, 0.9),
        wave(T * B * H, 0.31),
        wave(B * H, 0.57),
        wave(B * H, 0.83),
    ]
}

struct Run<F> {
    y: Vec<F>,
    h: Vec<F>,
    c: Vec<F>,
    gates: Vec<F>,
    saved: Vec<F>,
    h_prev: Vec<F>,
    c_prev: Vec<F>,
}

fn run<F: Real>(exec: Exec<'_>, direction: Direction, lengths: Option<&[u32]>, p: [&[F]; 5]) -> Run<F> {
    let [x, h0, c0, weight, bias] = p;
    let steps = x.len() / (B * 4 * H);
    let zeros = |n| vec![F::ZERO; n];
    let mut out = Run {
        y: zeros(steps * B * H),
        h: h0.to_vec(),
        c: c0.to_vec(),
        gates: zeros(steps * B * 4 * H),
        saved: zeros(steps * B * H),
        h_prev: zeros(steps * B * H),
        c_prev: zeros(steps * B * H),
    };
    let state =
        CellState { gates: &mut out.gates, saved: &mut out.saved, h_prev: &mut out.h_prev, c_prev: &mut out.c_prev };
    let shape = RecurrentShape { steps, batch: B, hidden: H, direction };
    let mut packed = PackedMatrix::empty();
    packed.pack(exec, MatRef::new(weight, 4 * H, H).t());
    let weight = Operand::Packed(&packed);
    recurrent::<LstmCell, F>(exec, shape, &mut out.y, &mut out.h, &mut out.c, state, x, weight, bias, lengths);
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// dx, dh0, dc0, dweight, dbias, total.
fn gradients<F: Real>(exec: Exec<'_>, direction: Direction, all: &[Vec<F>; 8]) -> [Vec<F>; 6] {
    let [x, h0, c0, weight, bias, r_y, r_h, r_c] = all;
    let mut out = run(exec, direction, Some(&LEN), [x, h0, c0, weight, bias]);
    let (mut dgates, mut dh, mut dc) = (vec![F::ONE; x.len()], r_h.clone(), r_c.clone());
    let (mut dweight, mut dbias) = (vec![F::ZERO; weight.len()], vec![F::ZERO; bias.len()]);
    let mut total = vec![F::ONE; T * B * H];
    let state =
        CellState { gates: &mut out.gates, saved: &mut out.saved, h_prev: &mut out.h_prev, c_prev: &mut out.c_prev };
    recurrent_backward::<LstmCell, F>(
        exec,
        RecurrentShape { steps: T, batch: B, hidden: H, direction },
        &mut dgates,
        &mut dh,
        &mut dc,
        &mut dweight,
        &mut dbias,
        Some(r_y),
        &state,
        Operand::Plain(MatRef::new(weight, 4 * H, H)),
        Some(&LEN),
        Some(&mut total),
    );
    [dgates, dh, dc, dweight, dbias, total]
}

#[test]
fn every_gradient_agrees_with_differences_in_both_directions() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::PORTABLE };
    for direction in [Direction::Forward, Direction::Backward] {
        let all = case();
        let grads = gradients(exec, direction, &all);
        for i in 0..5 {
            let loss = |v: &[f64]| {
                let mut p = [&all[0][..], &all[1], &all[2], &all[3], &all[4]];
                p[i] = v;
                let out = run(exec, direction, Some(&LEN), p);
                dot(&out.y, &all[5]) + dot(&out.h, &all[6]) + dot(&out.c, &all[7])
            };
            let error = max_grad_error(&mut all[i].clone(), &grads[i], loss);
            assert!(error < 1e-5, "{direction:?}, input {i}: {error}"); // rounding of the differences
        }
    }
}

#[test]
fn the_total_gradient_is_that_of_an_output_that_is_changed_in_place() {
    // Changing h_t in place changes what later steps read: the total gradient of the last step read is its output's own plus the final state's.
    let pool = Pool::new(1);
    let exec = Exec { pool: &pool, isa: Isa::PORTABLE };
    let all = case();
    let total = &gradients(exec, Direction::Forward, &all)[5];
    for b in 0..B {
        for t in LEN[b] as usize..T {
            assert!(total[(t * B + b) * H..][..H].iter().all(|&v| v == 0.0), "padding");
        }
        let last = ((LEN[b] as usize - 1) * B + b) * H;
        for j in 0..H {
            let want = all[5][last + j] + all[6][b * H + j];
            assert!((total[last + j] - want).abs() < 1e-12);
        }
    }
}

#[test]
fn padding_carries_the_state_and_gives_no_output() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::detect() };
    let [x, h0, c0, weight, bias, ..] = case();
    for direction in [Direction::Forward, Direction::Backward] {
        let clean = run(exec, direction, Some(&LEN), [&x, &h0, &c0, &weight, &bias]);
        let mut dirty = x.clone();
        for b in 0..B {
            for t in LEN[b] as usize..T {
                dirty[(t * B + b) * 4 * H..][..4 * H].fill(f64::NAN);
                assert!(clean.y[(t * B + b) * H..][..H].iter().all(|&v| v == 0.0));
            }
        }
        let again = run(exec, direction, Some(&LEN), [&dirty, &h0, &c0, &weight, &bias]);
        assert!(again.y == clean.y && again.h == clean.h && again.c == clean.c, "{direction:?}");
    }
}

#[test]
fn step_by_step_equals_the_whole_sequence() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::detect() };
    let [x, h0, c0, weight, bias, ..] = case();
    let whole = run(exec, Direction::Forward, None, [&x, &h0, &c0, &weight, &bias]);
    let (mut h, mut c) = (h0, c0);
    for t in 0..T {
        let out = run(exec, Direction::Forward, None, [&x[t * B * 4 * H..][..B * 4 * H], &h, &c, &weight, &bias]);
        assert_eq!(out.y, whole.y[t * B * H..][..B * H]);
        (h, c) = (out.h, out.c);
    }
    assert!(h == whole.h && c == whole.c);
}

#[test]
fn single_precision_agrees_with_double_forward_and_backward() {
    let pool = Pool::new(2);
    let narrow = |x: &Vec<f64>| x.iter().map(|&v| f32::from_f64(v)).collect::<Vec<_>>();
    let all = case();
    let small = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| narrow(&all[i]));
    for isa in Isa::available() {
        let exec = Exec { pool: &pool, isa };
        let want = gradients(exec, Direction::Backward, &all);
        let got = gradients(exec, Direction::Backward, &small);
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            // Gradients are sums over 12 rows of products of a few factors near 1.
            assert_close(&format!("{} gradient {i}", isa.name()), got, &narrow(want), 1e-5, 4e-6);
        }
    }
}
