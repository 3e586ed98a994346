//! The recurrent layer with every cell: gradients by differences, padding, step by step against whole, f32 against f64, threads.

use super::*;
use crate::{GruCell, LstmCell, PackedMatrix, Pool, RnnCell};
use lookback_testkit::{assert_close, max_grad_error};

/// Sizes of a case.
#[derive(Clone, Copy)]
struct Size {
    steps: usize,
    batch: usize,
    hidden: usize,
}

const SMALL: Size = Size { steps: 4, batch: 3, hidden: 5 };
const SMALL_LEN: [u32; 3] = [4, 2, 3];

fn wave(len: usize, f: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * f + 0.3).sin() * 0.8).collect()
}

/// x, h0, c0, weight (G·H, H), bias, and the factors of the loss for y, h_n, c_n.
fn case<C: Cell>(size: Size) -> [Vec<f64>; 8] {
    let Size { steps, batch, hidden } = size;
    let (gates, block) = (C::GATES * hidden, batch * hidden);
    [
        wave(steps * batch * gates, 0.7),
        wave(block, 1.1),
        wave(block * C::CELL_STATE, 1.7),
        wave(gates * hidden, 2.3),
        wave(gates, 0.9),
        wave(steps * block, 0.31),
        wave(block, 0.57),
        wave(block * C::CELL_STATE, 0.83),
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

impl<F: Real> Run<F> {
    fn trace(&mut self) -> CellTrace<'_, F> {
        CellTrace { gates: &mut self.gates, saved: &mut self.saved, h_prev: &mut self.h_prev, c_prev: &mut self.c_prev }
    }
}

/// Runs x (T, B, G·H) from h0 (B, H), c0 with weight and bias.
fn run<C: Cell, F: Real>(
    exec: Exec<'_>,
    direction: Direction,
    size: Size,
    lengths: Option<&[u32]>,
    p: [&[F]; 5],
) -> Run<F> {
    let [x, h0, c0, weight, bias] = p;
    let Size { steps, batch, hidden } = size;
    let zeros = |width: usize| vec![F::ZERO; steps * batch * hidden * width];
    let mut out = Run {
        y: zeros(1),
        h: h0.to_vec(),
        c: c0.to_vec(),
        gates: x.to_vec(),
        saved: zeros(C::SAVED),
        h_prev: zeros(1),
        c_prev: zeros(C::CELL_STATE),
    };
    let shape = RecurrentShape { steps, batch, hidden, direction };
    let mut packed = PackedMatrix::empty();
    packed.pack(exec, MatRef::new(weight, C::GATES * hidden, hidden).t());
    let weight = Operand::Packed(&packed);
    let (mut y, mut h, mut c) = (std::mem::take(&mut out.y), h0.to_vec(), c0.to_vec());
    recurrent::<C, F>(exec, shape, &mut y, &mut h, &mut c, out.trace(), weight, bias, lengths);
    Run { y, h, c, ..out }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// dx, dh0, dc0, dweight, dbias, total.
fn gradients<C: Cell, F: Real>(
    exec: Exec<'_>,
    direction: Direction,
    size: Size,
    lengths: Option<&[u32]>,
    all: &[Vec<F>; 8],
) -> [Vec<F>; 6] {
    let [x, h0, c0, weight, bias, r_y, r_h, r_c] = all;
    let Size { steps, batch, hidden } = size;
    let mut out = run::<C, F>(exec, direction, size, lengths, [x, h0, c0, weight, bias]);
    let (mut dx, mut dh, mut dc) =
        (vec![F::ONE; if C::SEPARATE_INPUT_GRADIENT { x.len() } else { 0 }], r_h.clone(), r_c.clone());
    let (mut dweight, mut dbias) = (vec![F::ZERO; weight.len()], vec![F::ZERO; bias.len()]);
    let mut total = vec![F::ONE; steps * batch * hidden];
    recurrent_backward::<C, F>(
        exec,
        RecurrentShape { steps, batch, hidden, direction },
        &mut dx,
        &mut dh,
        &mut dc,
        &mut dweight,
        Store::Add,
        &mut dbias,
        Some(r_y),
        out.trace(),
        Operand::Plain(MatRef::new(weight, C::GATES * hidden, hidden)),
        lengths,
        Some(&mut total),
    );
    let dx = if C::SEPARATE_INPUT_GRADIENT { dx } else { out.gates };
    [dx, dh, dc, dweight, dbias, total]
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| f32::from_f64(v)).collect()
}

/// Claims that hold for every cell.
mod claims {
    use super::*;

    pub(super) fn gradients_agree_with_differences<C: Cell>() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::PORTABLE);
        let lengths = Some(&SMALL_LEN[..]);
        for direction in [Direction::Forward, Direction::Backward] {
            let all = case::<C>(SMALL);
            let grads = gradients::<C, f64>(exec, direction, SMALL, lengths, &all);
            for i in 0..5 {
                let loss = |v: &[f64]| {
                    let mut p = [&all[0][..], &all[1], &all[2], &all[3], &all[4]];
                    p[i] = v;
                    let out = run::<C, f64>(exec, direction, SMALL, lengths, p);
                    dot(&out.y, &all[5]) + dot(&out.h, &all[6]) + dot(&out.c, &all[7])
                };
                let error = max_grad_error(&mut all[i].clone(), &grads[i], loss);
                assert!(error < 1e-5, "{direction:?}, input {i}: {error}"); // rounding of the differences
            }
        }
    }

    /// What reaches h_t is what changing it in place would change: the loss of the steps from t on, begun there.
    pub(super) fn total_gradient_is_that_of_the_rest_of_the_sequence<C: Cell>() {
        let pool = Pool::new(1);
        let exec = Exec::new(&pool, Isa::PORTABLE);
        let all = case::<C>(SMALL);
        let [x, h0, c0, weight, bias, r_y, r_h, r_c] = &all;
        let total = &gradients::<C, f64>(exec, Direction::Forward, SMALL, None, &all)[5];
        let Size { steps, batch, hidden } = SMALL;
        let (block, row) = (batch * hidden, batch * C::GATES * hidden);
        for t in 0..steps {
            let first = Size { steps: t + 1, ..SMALL };
            let reached =
                run::<C, f64>(exec, Direction::Forward, first, None, [&x[..(t + 1) * row], h0, c0, weight, bias]);
            let rest = Size { steps: steps - t - 1, ..SMALL };
            let loss = |h: &[f64]| {
                let given = [&x[(t + 1) * row..], h, &reached.c, weight, bias];
                let out = run::<C, f64>(exec, Direction::Forward, rest, None, given);
                dot(h, &r_y[t * block..][..block])
                    + dot(&out.y, &r_y[(t + 1) * block..])
                    + dot(&out.h, r_h)
                    + dot(&out.c, r_c)
            };
            let error = max_grad_error(&mut reached.h.clone(), &total[t * block..][..block], loss);
            assert!(error < 1e-5, "step {t}: {error}");
        }
        let padded = &gradients::<C, f64>(exec, Direction::Forward, SMALL, Some(&SMALL_LEN), &all)[5];
        for b in 0..batch {
            for t in SMALL_LEN[b] as usize..steps {
                assert!(padded[(t * batch + b) * hidden..][..hidden].iter().all(|&v| v == 0.0), "padding");
            }
        }
    }

    pub(super) fn padding_carries_the_state_and_gives_no_output<C: Cell>() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let [x, h0, c0, weight, bias, ..] = case::<C>(SMALL);
        let Size { steps, batch, hidden } = SMALL;
        let gates = C::GATES * hidden;
        let lengths = Some(&SMALL_LEN[..]);
        for direction in [Direction::Forward, Direction::Backward] {
            let clean = run::<C, f64>(exec, direction, SMALL, lengths, [&x, &h0, &c0, &weight, &bias]);
            let mut dirty = x.clone();
            for b in 0..batch {
                for t in SMALL_LEN[b] as usize..steps {
                    dirty[(t * batch + b) * gates..][..gates].fill(f64::NAN);
                    assert!(clean.y[(t * batch + b) * hidden..][..hidden].iter().all(|&v| v == 0.0));
                }
            }
            let again = run::<C, f64>(exec, direction, SMALL, lengths, [&dirty, &h0, &c0, &weight, &bias]);
            assert!(again.y == clean.y && again.h == clean.h && again.c == clean.c, "{direction:?}");
        }
    }

    pub(super) fn step_by_step_equals_the_whole_sequence<C: Cell>() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::detect());
        let [x, h0, c0, weight, bias, ..] = case::<C>(SMALL);
        let whole = run::<C, f64>(exec, Direction::Forward, SMALL, None, [&x, &h0, &c0, &weight, &bias]);
        let Size { steps, batch, hidden } = SMALL;
        let (mut h, mut c) = (h0, c0);
        for t in 0..steps {
            let row = batch * C::GATES * hidden;
            let one = Size { steps: 1, ..SMALL };
            let out =
                run::<C, f64>(exec, Direction::Forward, one, None, [&x[t * row..][..row], &h, &c, &weight, &bias]);
            assert_eq!(out.y, whole.y[t * batch * hidden..][..batch * hidden]);
            (h, c) = (out.h, out.c);
        }
        assert!(h == whole.h && c == whole.c);
    }

    pub(super) fn single_precision_agrees_with_double<C: Cell>() {
        let pool = Pool::new(2);
        // Widths around the vectors of every instruction set, and more rows than a task has.
        for (batch, hidden) in [(3, 5), (11, 17), (9, 33)] {
            let size = Size { steps: 4, batch, hidden };
            let lengths: Vec<u32> = (0..batch).map(|b| [4, 2, 3][b % 3]).collect();
            let mut all = case::<C>(size);
            // Weights shrink with the fan-in, as they do in a model: sums stay near 1.
            all[3].iter_mut().for_each(|w| *w *= 2.0 / (hidden as f64).sqrt());
            let small = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| narrow(&all[i]));
            for isa in Isa::available() {
                let exec = Exec::new(&pool, isa);
                for direction in [Direction::Forward, Direction::Backward] {
                    let forward = |p: &[Vec<f64>; 8], q: &[Vec<f32>; 8]| {
                        let want =
                            run::<C, f64>(exec, direction, size, Some(&lengths), [&p[0], &p[1], &p[2], &p[3], &p[4]]);
                        let got =
                            run::<C, f32>(exec, direction, size, Some(&lengths), [&q[0], &q[1], &q[2], &q[3], &q[4]]);
                        assert_close(isa.name(), &got.y, &narrow(&want.y), 1e-5, 2e-6);
                        assert_close(isa.name(), &got.c, &narrow(&want.c), 1e-5, 2e-6);
                    };
                    forward(&all, &small);
                    let want = gradients::<C, f64>(exec, direction, size, Some(&lengths), &all);
                    let got = gradients::<C, f32>(exec, direction, size, Some(&lengths), &small);
                    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                        // Gradients are sums over at most 44 rows of products of a few factors near 1.
                        assert_close(&format!("{} gradient {i}", isa.name()), got, &narrow(want), 1e-5, 1e-5);
                    }
                }
            }
        }
    }

    pub(super) fn threads_change_no_bit<C: Cell>() {
        let size = Size { steps: 3, batch: 37, hidden: 65 };
        let lengths: Vec<u32> = (0..37).map(|b| 1 + b % 3).collect();
        let all = case::<C>(size).map(|v| narrow(&v));
        let bits = |threads| {
            let pool = Pool::new(threads);
            let exec = Exec::new(&pool, Isa::detect());
            let all = gradients::<C, f32>(exec, Direction::Backward, size, Some(&lengths), &all);
            all.map(|g| g.iter().map(|v| v.to_bits()).collect::<Vec<u32>>())
        };
        let one = bits(1);
        assert!(one == bits(2) && one == bits(5));
    }
}

macro_rules! claims {
    ($($cell:ident: $ty:ty),*) => {
        $(mod $cell {
            use super::{claims, *};

            #[test]
            fn every_gradient_agrees_with_differences_in_both_directions() {
                claims::gradients_agree_with_differences::<$ty>();
            }

            #[test]
            fn the_total_gradient_of_a_step_is_that_of_the_rest_of_the_sequence() {
                claims::total_gradient_is_that_of_the_rest_of_the_sequence::<$ty>();
            }

            #[test]
            fn padding_carries_the_state_and_gives_no_output() {
                claims::padding_carries_the_state_and_gives_no_output::<$ty>();
            }

            #[test]
            fn step_by_step_equals_the_whole_sequence() {
                claims::step_by_step_equals_the_whole_sequence::<$ty>();
            }

            #[test]
            fn single_precision_agrees_with_double_forward_and_backward() {
                claims::single_precision_agrees_with_double::<$ty>();
            }

            #[test]
            fn threads_change_no_bit() {
                claims::threads_change_no_bit::<$ty>();
            }
        })*
    };
}

claims!(lstm: LstmCell, gru: GruCell, rnn: RnnCell);
