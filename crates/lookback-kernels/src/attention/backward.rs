//! The gradients of [`attend`](super::attend), in three parts: value to weights, value to values, weights through softmax and score.

use std::ops::Range;

use super::{AttentionShape, Rows, Score, Window, additive, dot, dots, weighted_sum};
use crate::shared::{Area, Shared, with_scratch};
use crate::softmax::dot as inner_product;
use crate::{Exec, Real, column_sums};

/// What a [`Score`] reads besides the query, and where the gradients of that are added.
#[derive(Debug)]
pub enum ScoreBackward<'a, T> {
    /// Of [`Score::Dot`].
    Dot {
        /// (S, B, H).
        keys: &'a [T],
        /// What the product is multiplied by.
        scale: T,
        /// (S, B, H).
        dkeys: &'a mut [T],
    },
    /// Of [`Score::Additive`].
    Additive {
        /// (S, B, H).
        keys: &'a [T],
        /// (H,).
        v: &'a [T],
        /// (S, B, H).
        dkeys: &'a mut [T],
        /// (H,).
        dv: &'a mut [T],
    },
    /// Of [`Score::Location`].
    Location,
}

/// Turns the gradient of the context into a gradient of the weights:
/// `dweights[t,n,s] += dcontext[t,n] · values[s,n]` for the positions of the window.
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory (that is for decoding only).
pub fn attend_backward_weights<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    window: Window<'_, T>,
    dweights: &mut [T],
    dcontext: &[T],
    values: &[T],
    src_len: &[u32],
) {
    let AttentionShape { src_max, batch, heads, value_width, .. } = shape;
    check_gradients(shape, window);
    assert_eq!(dweights.len(), shape.weights(), "dweights must be (T, B, N, S)");
    let dweights = Shared::new(dweights);
    exec.pool.run(batch, |b| {
        let len = src_len[b] as usize;
        with_scratch(Area::Left, src_max, |products: &mut [T]| {
            for n in 0..heads {
                let at = Rows::of(shape, value_width, b, n);
                for t in 0..shape.queries {
                    let row = t * batch + b;
                    let da = &dcontext[row * value_width + at.first..][..at.columns];
                    let seen = window.range(t, row, len);
                    let (products, at) = (&mut products[..seen.len()], at.from(seen.start));
                    dots(exec.isa, products, da, T::ONE, &values[at.start..], at.stride);
                    // SAFETY: each task writes the rows of its own sentence.
                    let dalpha = unsafe { dweights.part((row * heads + n) * src_max + seen.start, seen.len()) };
                    dalpha.iter_mut().zip(&*products).for_each(|(d, &p)| *d += p);
                }
            }
        });
    });
}

/// Adds the gradient of the values: `dvalues[s,n] += Σ_t α[t,n,s]·dcontext[t,n]`.
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory.
pub fn attend_backward_values<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    window: Window<'_, T>,
    dvalues: &mut [T],
    weights: &[T],
    dcontext: &[T],
    src_len: &[u32],
) {
    let AttentionShape { src_max, batch, heads, value_width, .. } = shape;
    check_gradients(shape, window);
    assert_eq!(dvalues.len(), src_max * batch * value_width, "dvalues must be (S, B, W)");
    let dvalues = Shared::new(dvalues);
    exec.pool.run(batch, |b| {
        for n in 0..heads {
            let at = Rows::of(shape, value_width, b, n);
            let len = src_len[b] as usize;
            for s in 0..len {
                // SAFETY: each task writes the rows of its own sentence.
                let dv = unsafe { dvalues.part(at.start + s * at.stride, at.columns) };
                for t in 0..shape.queries {
                    let row = t * batch + b;
                    if !window.range(t, row, len).contains(&s) {
                        continue;
                    }
                    let alpha = &weights[(row * heads + n) * src_max + s..][..1];
                    weighted_sum(exec.isa, dv, alpha, T::ONE, &dcontext[row * value_width + at.first..], 0);
                }
            }
        }
    });
}

/// Passes the gradient of the weights through softmax and score to the queries and what else the score reads.
///
/// ```text
/// de[t,n,s] = α[t,n,s]·(dα[t,n,s] − Σ_s' α[t,n,s']·dα[t,n,s'])
/// ```
/// `dscores`, if given, is the gradient that reaches the scores from elsewhere and is added to de. `dweights` is overwritten with `de` (exactly 0 in padding and outside the
/// window). `dcentres` (T, B), which [`Window::Centred`] needs and nothing else has, is added to.
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory.
pub fn attend_backward_scores<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    score: ScoreBackward<'_, T>,
    window: Window<'_, T>,
    dquery: &mut [T],
    dweights: &mut [T],
    dcentres: Option<&mut [T]>,
    dscores: Option<&[T]>,
    weights: &[T],
    query: &[T],
    src_len: &[u32],
) {
    let AttentionShape { batch, query_width, .. } = shape;
    check_gradients(shape, window);
    let centres = if matches!(window, Window::Centred { .. }) { shape.queries * batch } else { 0 };
    assert_eq!(dcentres.as_ref().map_or(0, |d| d.len()), centres, "dcentres must be (T, B) of a centred window");
    let dcentres = dcentres.map(Shared::new);
    let passes = Passes { exec, shape, window, weights, dcentres, dscores, query, src_len };
    let memory = shape.src_max * batch * query_width;
    match score {
        ScoreBackward::Dot { keys, scale, dkeys } => {
            Score::Dot { keys, scale }.check(shape);
            assert_eq!(dkeys.len(), memory, "dkeys must be (S, B, H)");
            let dkeys = Shared::new(dkeys);
            passes.run(dquery, dweights, |_, dq, de, q, at| {
                // SAFETY: each task has the rows of its own sentence.
                unsafe { dot::backward(exec.isa, (dq, &dkeys), de, (q, keys), scale, at) }
            });
        }
        ScoreBackward::Additive { keys, v, dkeys, dv } => {
            Score::Additive { keys, v }.check(shape);
            assert!(dkeys.len() == memory && dv.len() == query_width, "dkeys must be (S, B, H), dv (H,)");
            let dkeys = Shared::new(dkeys);
            // v meets every sentence: each has its own sum, and the sums are added in their order.
            with_scratch(Area::Sums, batch * query_width, |sums: &mut [T]| {
                sums.fill(T::ZERO);
                let parts = Shared::new(sums);
                passes.run(dquery, dweights, |b, dq, de, q, at| {
                    // SAFETY: each task has the rows of its own sentence.
                    let dv = unsafe { parts.part(b * query_width + at.first, at.columns) };
                    // SAFETY: as above.
                    unsafe { additive::backward(exec.isa, (dq, &dkeys, dv), de, (q, keys, &v[at.first..]), at) }
                });
                column_sums(exec, dv, sums);
            });
        }
        ScoreBackward::Location => {
            Score::<T>::Location.check(shape);
            passes.run(dquery, dweights, |_, dq, de, _, at| {
                dq[at.position..].iter_mut().zip(de).for_each(|(dq, &de)| *dq += de);
            });
        }
    }
}

/// What every score's backward pass has in common.
struct Passes<'a, T> {
    exec: Exec<'a>,
    shape: AttentionShape,
    window: Window<'a, T>,
    weights: &'a [T],
    dcentres: Option<Shared<'a, T>>,
    dscores: Option<&'a [T]>,
    query: &'a [T],
    src_len: &'a [u32],
}

impl<T: Real> Passes<'_, T> {
    /// Turns `dweights` into the gradient of the scores, and hands each query's to `back(sentence, dq, de, q, rows)`: of the positions of its window.
    fn run(&self, dquery: &mut [T], dweights: &mut [T], back: impl Fn(usize, &mut [T], &[T], &[T], Rows) + Sync) {
        let AttentionShape { src_max, batch, heads, query_width, .. } = self.shape;
        assert_eq!(dquery.len(), self.query.len(), "dquery must be (T, B, H)");
        assert_eq!(dweights.len(), self.shape.weights(), "dweights must be (T, B, N, S)");
        let (dquery, dweights) = (Shared::new(dquery), Shared::new(dweights));
        self.exec.pool.run(batch, |b| {
            let len = self.src_len[b] as usize;
            for n in 0..heads {
                let at = Rows::of(self.shape, query_width, b, n);
                for t in 0..self.shape.queries {
                    let row = t * batch + b;
                    let (weights, query) = ((row * heads + n) * src_max, row * query_width + at.first);
                    // SAFETY: each task writes the rows of its own sentence.
                    let (de, dq) = unsafe { (dweights.part(weights, src_max), dquery.part(query, at.columns)) };
                    let seen = self.window.range(t, row, len);
                    self.softmax(de, weights, seen.clone());
                    let (de, from) = (&de[seen.clone()], seen.start);
                    if let Some(dcentres) = &self.dcentres {
                        // SAFETY: each task writes the rows of its own sentence.
                        let dp = unsafe { dcentres.part(row, 1) };
                        dp[0] += self.window.centre_gradient(de, from, row);
                    }
                    back(b, dq, de, &self.query[query..][..at.columns], at.from(from));
                }
            }
        });
    }

    /// From the gradient of a row of weights, which starts at `start`, to that of its scores, for the positions `seen`.
    fn softmax(&self, de: &mut [T], start: usize, seen: Range<usize>) {
        let alpha = &self.weights[start..][seen.clone()];
        de[..seen.start].fill(T::ZERO);
        de[seen.end..].fill(T::ZERO);
        let de = &mut de[seen.clone()];
        let mean = inner_product(alpha, de);
        for (d, &alpha) in de.iter_mut().zip(alpha) {
            *d = alpha * (*d - mean);
        }
        if let Some(dscores) = self.dscores {
            de.iter_mut().zip(&dscores[start + seen.start..]).for_each(|(d, &from_outside)| *d += from_outside);
        }
    }
}

fn check_gradients<T: Real>(shape: AttentionShape, window: Window<'_, T>) {
    assert_eq!(shape.group, 1, "gradients need one query row per sentence");
    window.check(shape.queries, shape.batch);
}
