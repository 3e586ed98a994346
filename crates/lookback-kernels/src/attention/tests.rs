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

/// The part of the source that is looked at: all, around the step (the first query is step 1), around given centres.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Global,
    Monotonic,
    Centred,
}

/// Every score with one head, and those that may with two, with every window. Widths are odd in every head.
fn all() -> impl Iterator<Item = (Kind, usize, Part)> {
    let scores = [(Kind::Dot, 1), (Kind::Dot, 2), (Kind::Additive, 1), (Kind::Additive, 2), (Kind::Location, 1)];
    let parts = [Part::Global, Part::Monotonic, Part::Centred];
    scores.into_iter().flat_map(move |(kind, heads)| parts.map(|part| (kind, heads, part)))
}

/// Centres (T, B) for sources of 5 and 3, each at least 0.05 from where a border of the window passes a position.
const CENTRES: [f64; 6] = [0.3, 1.6, 2.45, 2.7, 4.55, 0.15];

fn wave(len: usize, f: f64) -> Vec<f64> {
    (0..len).map(|i| (i as f64 * f).sin()).collect()
}

/// The tensors of a case: what is read, and the factors of the loss `Σ context·r_context + Σ weights·r_weights + Σ scores·r_scores`.
#[derive(Clone)]
struct Case<T> {
    kind: Kind,
    part: Part,
    centres: Vec<T>,
    shape: AttentionShape,
    query: Vec<T>,
    keys: Vec<T>,
    v: Vec<T>,
    values: Vec<T>,
    r_context: Vec<T>,
    r_weights: Vec<T>,
}

fn case(kind: Kind, heads: usize, part: Part) -> Case<f64> {
    let (queries, src_max, batch, value_width) = SIZES;
    let query_width = if kind == Kind::Location { 7 } else { 19 * heads };
    let shape = AttentionShape { queries, src_max, batch, group: 1, heads, query_width, value_width };
    Case {
        kind,
        part,
        centres: CENTRES.to_vec(),
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

    fn window(&self) -> Window<'_, T> {
        match self.part {
            Part::Global => Window::Global,
            Part::Monotonic => Window::Monotonic { first: 1, half: 1 },
            Part::Centred => Window::Centred { centres: &self.centres, half: 1 },
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
            self.window(),
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

    /// Gradients of the loss: query, keys, v, values, centres.
    fn backward(&self, exec: Exec<'_>) -> [Vec<T>; 5] {
        let (_, weights) = self.forward(exec);
        let mut dweights = self.r_weights.clone();
        let [mut dquery, mut dkeys, mut dv, mut dvalues, mut dcentres] =
            [&self.query, &self.keys, &self.v, &self.values, &self.centres].map(|x| vec![T::ZERO; x.len()]);
        let score = match self.kind {
            Kind::Dot => ScoreBackward::Dot { keys: &self.keys, scale: T::from_f64(0.6), dkeys: &mut dkeys },
            Kind::Additive => ScoreBackward::Additive { keys: &self.keys, v: &self.v, dkeys: &mut dkeys, dv: &mut dv },
            Kind::Location => ScoreBackward::Location,
        };
        let (shape, window, r_context) = (self.shape, self.window(), &self.r_context);
        attend_backward_weights(exec, shape, window, &mut dweights, r_context, &self.values, &LEN);
        attend_backward_values(exec, shape, window, &mut dvalues, &weights, r_context, &LEN);
        let to_centres = (self.part == Part::Centred).then_some(&mut dcentres[..]);
        let (dq, query) = (&mut dquery, &self.query);
        attend_backward_scores(exec, shape, score, window, dq, &mut dweights, to_centres, None, &weights, query, &LEN);
        [dquery, dkeys, dv, dvalues, dcentres]
    }
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| f32::from_f64(v)).collect()
}

#[test]
fn gradients_flow_into_everything_that_is_read_from_context_and_weights() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::PORTABLE);
    for (kind, heads, part) in all() {
        let c = case(kind, heads, part);
        let [dquery, dkeys, dv, dvalues, dcentres] = c.backward(exec);
        type Read = fn(&mut Case<f64>) -> &mut Vec<f64>;
        let inputs: [(Read, Vec<f64>); 5] = [
            (|c| &mut c.query, dquery),
            (|c| &mut c.keys, dkeys),
            (|c| &mut c.v, dv),
            (|c| &mut c.values, dvalues),
            (|c| &mut c.centres, dcentres),
        ];
        for (i, (read, gradient)) in inputs.into_iter().enumerate() {
            let mut changed = c.clone();
            let error = max_grad_error(&mut read(&mut c.clone()).clone(), &gradient, |x| {
                read(&mut changed).copy_from_slice(x);
                changed.loss(exec)
            });
            // Central differences of sums of a few dozen terms below 1, relative to no less than 1e-4: rounding alone reaches 1e-6.
            assert!(error < 1e-5, "{kind:?} with {heads} heads, {part:?}, input {i}: {error}");
        }
    }
}

#[test]
fn single_precision_agrees_with_double_forward_and_backward() {
    let pool = Pool::new(2);
    for (kind, heads, part) in all() {
        let c = case(kind, heads, part);
        let small = Case {
            kind,
            part,
            centres: narrow(&c.centres),
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
    for (kind, heads, part) in all() {
        let c = case(kind, heads, part);
        let clean = (c.forward(exec), c.backward(exec));
        let mut dirty = c.clone();
        let width = c.shape.query_width;
        for s in 3..5 {
            dirty.keys[(s * 2 + 1) * width..][..width].fill(f64::NAN);
            dirty.values[(s * 2 + 1) * 6..][..6].fill(f64::INFINITY);
        }
        assert!((dirty.forward(exec), dirty.backward(exec)) == clean, "{kind:?} with {heads} heads, {part:?}");
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
    for (kind, heads, part) in all() {
        let mut one = case(kind, heads, part);
        one.shape.queries = 1;
        let width = one.shape.query_width;
        one.query.truncate(2 * width);
        one.centres.truncate(2);
        let mut two = one.clone();
        two.shape.group = 2;
        two.centres = one.centres.iter().flat_map(|&p| [p, p]).collect();
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
        let both = case(kind, 2, Part::Centred);
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
    for (kind, heads, part) in all() {
        let c = case(kind, heads, part);
        let run = |threads| {
            let pool = Pool::new(threads);
            let exec = Exec::new(&pool, Isa::detect());
            (c.forward(exec), c.backward(exec))
        };
        assert!(run(1) == run(2) && run(1) == run(4), "{kind:?} with {heads} heads, {part:?}");
    }
}

#[test]
#[allow(clippy::float_cmp, reason = "nothing is computed outside the window")]
fn nothing_outside_the_window_is_read_and_its_weights_are_zero() {
    let pool = Pool::new(2);
    let exec = Exec::new(&pool, Isa::detect());
    for (kind, heads, part) in all().filter(|(_, _, part)| *part != Part::Global) {
        let mut one = case(kind, heads, part);
        one.shape.queries = 1;
        one.query.truncate(2 * one.shape.query_width);
        one.centres.truncate(2);
        one.r_context.truncate(12);
        one.r_weights.truncate(2 * heads * 5);
        let clean = (one.forward(exec), one.backward(exec));
        // Of the first sentence: step 1 sees 0..=2, the centre 0.3 sees 0..=1.
        let end = if part == Part::Monotonic { 3 } else { 2 };
        let mut dirty = one.clone();
        let width = one.shape.query_width;
        for s in end..5 {
            dirty.keys[s * 2 * width..][..width].fill(f64::NAN);
            dirty.values[s * 2 * 6..][..6].fill(f64::NAN);
        }
        assert!((dirty.forward(exec), dirty.backward(exec)) == clean, "{kind:?} with {heads} heads, {part:?}");
        for weights in clean.0.1.chunks(5).take(heads) {
            assert!(weights[..end].iter().all(|&w| w > 0.0) && weights[end..].iter().all(|&w| w == 0.0));
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_step_beyond_the_source_looks_at_its_end_and_a_window_is_never_empty() {
    let far: Window<'_, f64> = Window::Monotonic { first: 90, half: 2 };
    assert_eq!(far.range(7, 0, 5), 2..5);
    for (p, want) in [(-9.0, 0..1), (f64::NAN, 0..1), (5.0, 3..5), (99.0, 4..5), (1.0, 0..4), (0.99, 0..3)] {
        assert_eq!(Window::Centred { centres: &[p], half: 2 }.range(0, 0, 5), want, "around {p}");
    }
}

#[test]
fn a_wide_window_is_global_attention_times_the_gaussian_scaled_to_one() {
    let pool = Pool::new(1);
    let exec = Exec::new(&pool, Isa::detect());
    let all = case(Kind::Dot, 1, Part::Global);
    let (_, global) = all.forward(exec);
    let mut near = case(Kind::Dot, 1, Part::Centred);
    let (mut context, mut got) = near.forward(exec);
    let mut scores = got.clone();
    let window = Window::Centred { centres: &near.centres.clone(), half: 8 };
    let (shape, query, values) = (near.shape, std::mem::take(&mut near.query), std::mem::take(&mut near.values));
    attend(exec, shape, near.score(), window, &mut context, &mut got, &mut scores, &query, &values, &LEN);
    for (row, (got, global)) in got.chunks(5).zip(global.chunks(5)).enumerate() {
        let gauss = |s: usize| global[s] * (-(s as f64 - CENTRES[row]).powi(2) / (2.0 * 16.0)).exp();
        let total: f64 = (0..5).map(gauss).sum();
        for s in 0..5 {
            assert!((got[s] - gauss(s) / total).abs() < 1e-12, "row {row}: {got:?}");
        }
    }
}

#[test]
#[allow(clippy::float_cmp, reason = "the sigmoid of 0 is exactly a half")]
fn centres_lie_within_their_sentence_and_their_gradient_agrees_with_differences() {
    let (z, len, r) = ([-1.3, 0.4, 2.0, 0.0], [5, 3], [0.7, -0.2, 0.4, 1.1]);
    let centres = |z: &[f64]| {
        let mut p = vec![0.0; z.len()];
        window_centres(&mut p, z, 2, &len);
        p
    };
    let p = centres(&z);
    assert!((p[3] - 1.5).abs() < 1e-15 && p.iter().enumerate().all(|(i, &p)| p > 0.0 && p < f64::from(len[i % 2])));
    let mut dz = [0.0; 4];
    window_centres_backward(&mut dz, &r, &p, 2, &len);
    let error = max_grad_error(&mut z.to_vec(), &dz, |z| inner_product(&centres(z), &r));
    assert!(error < 1e-8, "{error}");
    // Four rows over two sentences: the hypotheses of a beam.
    let mut beam = [0.0; 4];
    window_centres(&mut beam, &[0.0; 4], 4, &len);
    assert_eq!(beam, [2.5, 2.5, 1.5, 1.5]);
}

#[test]
#[should_panic(expected = "equal shares")]
fn heads_that_do_not_divide_the_widths_are_refused() {
    let pool = Pool::new(1);
    let mut c = case(Kind::Dot, 1, Part::Global);
    c.shape.heads = 2;
    c.forward(Exec::new(&pool, Isa::detect()));
}
