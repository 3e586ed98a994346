//! Attention: gradients by differences, padding, groups, f32 against f64.

use super::*;
use crate::Isa;
use crate::Pool;
use lookback_testkit::{assert_close, max_grad_error};

const SHAPE: AttentionShape =
    AttentionShape { queries: 3, src_max: 5, batch: 2, group: 1, key_width: 19, value_width: 6 };
const LEN: [u32; 2] = [5, 3];

fn wave(len: usize, f: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * f).sin()).collect()
}

struct Case {
    query: Vec<f64>,
    keys: Vec<f64>,
    values: Vec<f64>,
    r_context: Vec<f64>,
    r_weights: Vec<f64>,
}

fn case() -> Case {
    Case {
        query: wave(3 * 2 * 19, 0.7),
        keys: wave(5 * 2 * 19, 1.3),
        values: wave(5 * 2 * 6, 2.1),
        r_context: wave(3 * 2 * 6, 0.37),
        r_weights: wave(3 * 2 * 5, 0.91),
    }
}

fn forward<T: Real>(exec: Exec<'_>, query: &[T], keys: &[T], values: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut context, mut weights) = (vec![T::ONE; 3 * 2 * 6], vec![T::ONE; 3 * 2 * 5]);
    attend(exec, SHAPE, &mut context, &mut weights, &mut [T::ONE; 3 * 2 * 5], query, keys, values, &LEN);
    (context, weights)
}

/// dquery, dkeys, dvalues of `Σ context·r_context + Σ weights·r_weights`.
fn backward<T: Real>(exec: Exec<'_>, case: [&[T]; 5]) -> [Vec<T>; 3] {
    let [query, keys, values, r_context, r_weights] = case;
    let (_, weights) = forward(exec, query, keys, values);
    let mut dweights = r_weights.to_vec();
    let [mut dquery, mut dkeys, mut dvalues] = [query, keys, values].map(|x| vec![T::ZERO; x.len()]);
    attend_backward_weights(exec, SHAPE, &mut dweights, r_context, values, &LEN);
    attend_backward_values(exec, SHAPE, &mut dvalues, &weights, r_context, &LEN);
    attend_backward_scores(exec, SHAPE, &mut dquery, &mut dkeys, &mut dweights, None, &weights, query, keys, &LEN);
    [dquery, dkeys, dvalues]
}

#[test]
fn gradients_flow_into_queries_keys_and_values_from_context_and_weights() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::PORTABLE };
    let c = case();
    let loss = |q: &[f64], k: &[f64], v: &[f64]| {
        let (context, weights) = forward(exec, q, k, v);
        dot(&context, &c.r_context) + dot(&weights, &c.r_weights)
    };
    let [dq, dk, dv] = backward(exec, [&c.query, &c.keys, &c.values, &c.r_context, &c.r_weights]);
    assert!(max_grad_error(&mut c.query.clone(), &dq, |q| loss(q, &c.keys, &c.values)) < 1e-7);
    assert!(max_grad_error(&mut c.keys.clone(), &dk, |k| loss(&c.query, k, &c.values)) < 1e-7);
    assert!(max_grad_error(&mut c.values.clone(), &dv, |v| loss(&c.query, &c.keys, v)) < 1e-7);
}

#[test]
fn single_precision_agrees_with_double_forward_and_backward() {
    let pool = Pool::new(2);
    let c = case();
    let all = [&c.query, &c.keys, &c.values, &c.r_context, &c.r_weights];
    let narrow = |x: &Vec<f64>| x.iter().map(|&v| f32::from_f64(v)).collect::<Vec<_>>();
    let small = all.map(narrow);
    for isa in Isa::available() {
        let exec = Exec { pool: &pool, isa };
        let (context, weights) = forward(exec, &c.query, &c.keys, &c.values);
        let (context32, weights32) = forward(exec, &small[0], &small[1], &small[2]);
        // Scores are sums of 19 products below 1: a few units of 1e-7 each, amplified by the exponential.
        assert_close("context", &context32, &narrow(&context), 1e-5, 2e-6);
        assert_close("weights", &weights32, &narrow(&weights), 1e-5, 1e-6);
        let grads = backward(exec, all.map(|x| &x[..]));
        let grads32 = backward(exec, [&small[0], &small[1], &small[2], &small[3], &small[4]].map(|x| &x[..]));
        for (got, want) in grads32.iter().zip(&grads) {
            assert_close("gradient", got, &narrow(want), 1e-5, 4e-6);
        }
    }
}

#[test]
fn what_stands_in_padding_never_matters() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::detect() };
    let c = case();
    let clean = forward(exec, &c.query, &c.keys, &c.values);
    let (mut keys, mut values) = (c.keys.clone(), c.values.clone());
    for s in 3..5 {
        keys[(s * 2 + 1) * 19..][..19].fill(f64::NAN);
        values[(s * 2 + 1) * 6..][..6].fill(f64::INFINITY);
    }
    assert_eq!(forward(exec, &c.query, &keys, &values), clean);
    for t in 0..3 {
        assert_eq!(clean.1[(t * 2 + 1) * 5 + 3..][..2], [0.0, 0.0]);
    }
}

#[test]
fn rows_of_a_group_see_the_memory_of_their_sentence() {
    let pool = Pool::new(2);
    let exec = Exec { pool: &pool, isa: Isa::detect() };
    let c = case();
    let one = AttentionShape { queries: 1, ..SHAPE };
    let two = AttentionShape { group: 2, ..one };
    let query = &c.query[..2 * 19];
    let doubled: Vec<f64> = query.chunks(19).flat_map(|q| [q, q].concat()).collect();
    let (mut context, mut weights) = (vec![0.0; 2 * 6], vec![0.0; 2 * 5]);
    attend(exec, one, &mut context, &mut weights, &mut [0.0; 10], query, &c.keys, &c.values, &LEN);
    let (mut context2, mut weights2) = (vec![0.0; 4 * 6], vec![0.0; 4 * 5]);
    attend(exec, two, &mut context2, &mut weights2, &mut [0.0; 20], &doubled, &c.keys, &c.values, &LEN);
    for r in 0..4 {
        assert_eq!(context2[r * 6..][..6], context[r / 2 * 6..][..6]);
        assert_eq!(weights2[r * 5..][..5], weights[r / 2 * 5..][..5]);
    }
}
