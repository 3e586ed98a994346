//! Attention with every score and with heads: gradients by differences, padding, groups, threads, f32 against f64.

use super::*;
use crate::Isa;
use crate::Pool;
use crate::softmax::dot as inner_product;
use lookback_testkit::{assert_close, max_grad_error};

const LEN: [u32; 2] = [5, 3];
/// T, S, B, W.
const SIZES: (usize, usize, usize, usize) = (3, 5, 2, 6);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Dot,
    Additive,
    Location,
}

/// Every score with one head, and those that may with two. Widths are odd in every head.
const ALL: [(Kind, usize); 5] =
    [(Kind::Dot, 1), (Kind::Dot, 2), (Kind::Additive, 1), (Kind::Additive, 2), (Kind::Location, 1)];

fn wave(len: usize, f: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * f).sin()).collect()
}

/// The tensors of a case: what is read, and the factors of the loss `Σ context·r_context + Σ weights·r_weights + Σ scores·r_scores`.
#[derive(Clone)]
struct Case<T> {
    kind: Kind,
    shape: AttentionShape,
    query: Vec<T>,
    keys: Vec<T>,
    v: Vec<T>,
    values: Vec<T>,
    r_context: Vec<T>,
    r_weights: Vec<T>,
}

fn case(kind: Kind, heads: usize) -> Case<f64> {
    let (queries, src_max, batch, value_width) = SIZES;
    let query_width = if kind == Kind::Location { 7 } else { 19 * heads };
    let shape = AttentionShape { queries, src_max, batch, group: 1, heads, query_width, value_width };
    Case {
        kind,
        shape,
        query: wave(queries * batch * query_width, 0.7),
        keys: wave(src_max * batch * query_width, 1.3),
        v: wave(query_width, 0.53),
        values: wave(src_max * batch * value_width, 2.1),
        r_context: wave(queries * batch * value_width, 0.37),
        r_weights: wave(shape.weights(), 0.91),
    }
}

impl<T: Real> Case<T> {
    fn score(&self) -> Score<'_, T> {
        match self.kind {
            Kind::Dot => Score::Dot { keys: &self.keys, scale: T::from_f64(0.6) },
            Kind::Additive => Score::Additive { keys: &self.keys, v: &self.v },
            Kind::Location => Score::Location,
        }
    }

    /// Context and weights.
    fn forward(&self, exec: Exec<'_>) -> (Vec<T>, Vec<T>) {
        let AttentionShape { queries, value_width, .. } = self.shape;
        let (mut context, mut weights) =
            (vec![T::ONE; queries * self.shape.rows() * value_width], vec![T::ONE; self.shape.weights()]);
        let mut scores = weights.clone();
        attend(
            exec,
            self.shape,
            self.score(),
            &mut context,
            &mut weights,
            &mut scores,
            &self.query,
            &self.values,
            &LEN,
        );
        (context, weights)
    }

    fn loss(&self, exec: Exec<'_>) -> T {
        let (context, weights) = self.forward(exec);
        inner_product(&context, &self.r_context) + inner_product(&weights, &self.r_weights)
    }

    /// Gradients of the loss: query, keys, v, values.
    fn backward(&self, exec: Exec<'_>) -> [Vec<T>; 4] {
        let (_, weights) = self.forward(exec);
        let mut dweights = self.r_weights.clone();
        let [mut dquery, mut dkeys, mut dv, mut dvalues] =
            [&self.query, &self.keys, &self.v, &self.values].map(|x| vec![T::ZERO; x.len()]);
        let score = match self.kind {
            Kind::Dot => ScoreBackward::Dot { keys: &self.keys, scale: T::from_f64(0.6), dkeys: &mut dkeys },
            Kind::Additive => ScoreBackward::Additive { keys: &self.keys, v: &self.v, dkeys: &mut dkeys, dv: &mut dv },
            Kind::Location => ScoreBackward::Location,
        };
        let (shape, r_context) = (self.shape, &self.r_context);
        attend_backward_weights(exec, shape, &mut dweights, r_context, &self.values, &LEN);
        attend_backward_values(exec, shape, &mut dvalues, &weights, r_context, &LEN);
        attend_backward_scores(exec, shape, score, &mut dquery, &mut dweights, None, &weights, &self.query, &LEN);
        [dquery, dkeys, dv, dvalues]
    }
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| f32::from_f64(v)).collect()
}

#[test]
fn gradients_flow_into_everything_that_is_read_from_context_and_weights() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::PORTABLE);
    for (kind, heads) in ALL {
        let c = case(kind, heads);
        let [dquery, dkeys, dv, dvalues] = c.backward(exec);
        type Part = fn(&mut Case<f64>) -> &mut Vec<f64>;
        let parts: [(Part, Vec<f64>); 4] =
            [(|c| &mut c.query, dquery), (|c| &mut c.keys, dkeys), (|c| &mut c.v, dv), (|c| &mut c.values, dvalues)];
        for (i, (part, gradient)) in parts.into_iter().enumerate() {
            let mut changed = c.clone();
            let error = max_grad_error(&mut part(&mut c.clone()).clone(), &gradient, |x| {
                part(&mut changed).copy_from_slice(x);
                changed.loss(exec)
            });
            // Central differences of sums of a few dozen terms below 1, relative to no less than 1e-4: rounding alone reaches 1e-6.
            assert!(error < 1e-5, "{kind:?} with {heads} heads, input {i}: {error}");
        }
    }
}

#[test]
fn single_precision_agrees_with_double_forward_and_backward() {
    let pool = Pool::new(2);
    for (kind, heads) in ALL {
        let c = case(kind, heads);
        let small = Case {
            kind,
            shape: c.shape,
            query: narrow(&c.query),
            keys: narrow(&c.keys),
            v: narrow(&c.v),
            values: narrow(&c.values),
            r_context: narrow(&c.r_context),
            r_weights: narrow(&c.r_weights),
        };
        for isa in Isa::available() {
            let exec = Exec::new(&pool, isa);
            let (context, weights) = c.forward(exec);
            let (context32, weights32) = small.forward(exec);
            // Scores are sums of 19 products below 1: a few units of 1e-7 each, amplified by the exponential.
            assert_close("context", &context32, &narrow(&context), 1e-5, 2e-6);
            assert_close("weights", &weights32, &narrow(&weights), 1e-5, 1e-6);
            for (got, want) in small.backward(exec).iter().zip(&c.backward(exec)) {
                assert_close("gradient", got, &narrow(want), 1e-5, 4e-6);
            }
        }
    }
}

#[test]
#[allow(clippy::float_cmp, reason = "nothing is computed from padding")]
fn what_stands_in_padding_never_matters_and_its_weights_are_zero() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    for (kind, heads) in ALL {
        let c = case(kind, heads);
        let clean = (c.forward(exec), c.backward(exec));
        let mut dirty = c.clone();
        let width = c.shape.query_width;
        for s in 3..5 {
            dirty.keys[(s * 2 + 1) * width..][..width].fill(f64::NAN);
            dirty.values[(s * 2 + 1) * 6..][..6].fill(f64::INFINITY);
        }
        assert!((dirty.forward(exec), dirty.backward(exec)) == clean, "{kind:?} with {heads} heads");
        for row in clean.0.1.chunks(2 * heads * 5) {
            for weights in row.chunks(5).skip(heads) {
                assert_eq!(weights[3..], [0.0, 0.0]);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn rows_of_a_group_see_the_memory_of_their_sentence() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    for (kind, heads) in ALL {
        let mut one = case(kind, heads);
        one.shape.queries = 1;
        let width = one.shape.query_width;
        one.query.truncate(2 * width);
        let mut two = one.clone();
        two.shape.group = 2;
        two.query = one.query.chunks(width).flat_map(|q| [q, q].concat()).collect();
        let ((context, weights), (context2, weights2)) = (one.forward(exec), two.forward(exec));
        for r in 0..4 {
            assert_eq!(context2[r * 6..][..6], context[r / 2 * 6..][..6]);
            assert_eq!(weights2[r * heads * 5..][..heads * 5], weights[r / 2 * heads * 5..][..heads * 5]);
        }
    }
}

#[test]
fn every_head_is_an_attention_over_its_share_of_the_columns() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    for kind in [Kind::Dot, Kind::Additive] {
        let both = case(kind, 2);
        let (context, weights) = both.forward(exec);
        for head in 0..2 {
            let share = |x: &[f64], width: usize| -> Vec<f64> {
                x.chunks(width).flat_map(|row| row[head * width / 2..(head + 1) * width / 2].to_vec()).collect()
            };
            let mut one = both.clone();
            (one.shape.heads, one.shape.query_width, one.shape.value_width) = (1, 19, 3);
            (one.query, one.keys, one.v) = (share(&both.query, 38), share(&both.keys, 38), share(&both.v, 38));
            one.values = share(&both.values, 6);
            let (context1, weights1) = one.forward(exec);
            assert_eq!(context1, share(&context, 6), "{kind:?}");
            assert_eq!(weights1, share(&weights, 10), "{kind:?}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (kind, heads) in ALL {
        let c = case(kind, heads);
        let run = |threads| {
            let pool = Pool::new(threads);
            let exec = Exec::new(&pool, Isa::detect());
            (c.forward(exec), c.backward(exec))
        };
        assert!(run(1) == run(2) && run(1) == run(4), "{kind:?} with {heads} heads");
    }
}

#[test]
#[should_panic(expected = "equal shares")]
fn heads_that_do_not_divide_the_widths_are_refused() {
    let pool = Pool::new(1);
    let mut c = case(Kind::Dot, 1);
    c.shape.heads = 2;
    c.forward(Exec::new(&pool, Isa::detect()));
}
