//! Dot-product attention over a memory, for whole sequences of queries and for single steps.
//!
//! ```text
//! e[t,s] = query[t]ᵀ keys[s]             score
//! α[t]   = softmax(e[t]) over s < len     weights; padding exactly 0
//! a[t]   = Σ_s α[t,s] values[s]           context (attention value)
//! ```
//! Luong, Pham & Manning 2015, §3.1, "dot". Queries are (T, R, H), keys (S, B, H), values (S, B, W), weights (T, R, S), context (T, R, W). There are R = B·G
//! query rows: the G rows `b·G..(b+1)·G` share the memory of sentence `b` (the hypotheses of a beam; G = 1 in training).

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::dot;
use crate::{Exec, Real, masked_softmax_row};

/// The sizes of an attention: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// T, query positions.
    pub queries: usize,
    /// S, source positions, padding included.
    pub src_max: usize,
    /// B, sentences in memory.
    pub batch: usize,
    /// G, query rows that share a sentence's memory.
    pub group: usize,
    /// H, width of queries and keys.
    pub key_width: usize,
    /// W, width of values and context.
    pub value_width: usize,
}

impl AttentionShape {
    fn rows(&self) -> usize {
        self.batch * self.group
    }

    fn check<T>(&self, query: &[T], keys: &[T], values: &[T], out: [&[T]; 3], src_len: &[u32]) {
        let [scores, weights, context] = out;
        let (t, s, r) = (self.queries, self.src_max, self.rows());
        assert_eq!(query.len(), t * r * self.key_width, "query must be (T, R, H)");
        assert_eq!(keys.len(), s * self.batch * self.key_width, "keys must be (S, B, H)");
        assert_eq!(values.len(), s * self.batch * self.value_width, "values must be (S, B, W)");
        assert!(scores.len() == t * r * s && weights.len() == t * r * s, "scores and weights must be (T, R, S)");
        assert_eq!(context.len(), t * r * self.value_width, "context must be (T, R, W)");
        assert_eq!(src_len.len(), self.batch, "one source length per sentence");
        assert!(src_len.iter().all(|&l| l >= 1 && l as usize <= s), "source lengths must be in 1..={s}");
    }
}

multiversion! {
    /// `out[s] = x · rows[s·stride..]` for every s.
    fn dots<T>(out: &mut [T], x: &[T], rows: &[T], stride: usize) {
        for (s, out) in out.iter_mut().enumerate() {
            *out = dot(x, &rows[s * stride..s * stride + x.len()]);
        }
    }
}

multiversion! {
    /// `y += Σ_s factors[s] · rows[s·stride..]`, in ascending s.
    fn weighted_sum<T>(y: &mut [T], factors: &[T], rows: &[T], stride: usize) {
        for (s, &f) in factors.iter().enumerate() {
            for (y, &v) in y.iter_mut().zip(&rows[s * stride..]) {
                *y += f * v;
            }
        }
    }
}

/// Attention(Q, K, V) with a mask: writes `scores`, `weights` and `context` of every query.
///
/// # Guarantees
/// Each row of weights sums to 1; positions at or beyond the sentence's length have score −∞ and weight exactly 0, whatever keys and values hold there.
///
/// # Panics
/// If the shapes disagree or a length is outside `1..=S`.
///
/// # Examples
/// ```
/// use lookback_kernels::{AttentionShape, Exec, Isa, Pool, attend};
/// let pool = Pool::new(1);
/// let exec = Exec { pool: &pool, isa: Isa::detect() };
/// // One query of width 2 over three positions, of which the last is padding.
/// let shape = AttentionShape { queries: 1, src_max: 3, batch: 1, group: 1, key_width: 2, value_width: 1 };
/// let (query, keys, values) = ([1.0, 0.0], [3f32.ln(), 5.0, 0.0, 7.0, 9.0, 9.0], [10.0, 20.0, 99.0]);
/// let (mut scores, mut weights, mut context) = ([0.0; 3], [0.0; 3], [0.0; 1]);
/// attend(exec, shape, &mut context, &mut weights, &mut scores, &query, &keys, &values, &[2]);
/// assert!((weights[0] - 0.75f32).abs() < 1e-6 && (weights[1] - 0.25).abs() < 1e-6);
/// assert_eq!((scores[2], weights[2]), (f32::NEG_INFINITY, 0.0));
/// assert!((context[0] - 12.5).abs() < 1e-5);
/// ```
pub fn attend<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    context: &mut [T],
    weights: &mut [T],
    scores: &mut [T],
    query: &[T],
    keys: &[T],
    values: &[T],
    src_len: &[u32],
) {
    shape.check(query, keys, values, [scores, weights, context], src_len);
    let AttentionShape { src_max, batch, group, key_width, value_width, .. } = shape;
    let rows = shape.rows();
    let (context, weights, scores) = (Shared::new(context), Shared::new(weights), Shared::new(scores));
    exec.pool.run(rows, |r| {
        let b = r / group;
        let len = src_len[b] as usize;
        for t in 0..shape.queries {
            let row = t * rows + r;
            // SAFETY: each task writes the rows of its own r.
            let (alpha, a) =
                unsafe { (weights.part(row * src_max, src_max), context.part(row * value_width, value_width)) };
            // SAFETY: as above.
            let e = unsafe { scores.part(row * src_max, src_max) };
            let q = &query[row * key_width..][..key_width];
            dots(exec.isa, &mut e[..len], q, &keys[b * key_width..], batch * key_width);
            e[len..].fill(T::NEG_INFINITY);
            alpha.copy_from_slice(e);
            masked_softmax_row(exec.isa, alpha, len);
            a.fill(T::ZERO);
            weighted_sum(exec.isa, a, &alpha[..len], &values[b * value_width..], batch * value_width);
        }
    });
}

/// Turns the gradient of the context into a gradient of the weights:
/// `dweights[t,s] += dcontext[t] · values[s]` for real positions.
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory (that is for decoding only).
pub fn attend_backward_weights<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    dweights: &mut [T],
    dcontext: &[T],
    values: &[T],
    src_len: &[u32],
) {
    let AttentionShape { src_max, batch, value_width, .. } = shape;
    assert_eq!(shape.group, 1, "gradients need one query row per sentence");
    assert_eq!(dweights.len(), shape.queries * batch * src_max, "dweights must be (T, B, S)");
    let dweights = Shared::new(dweights);
    exec.pool.run(batch, |b| {
        let len = src_len[b] as usize;
        crate::shared::with_scratch(crate::shared::Area::Left, src_max, |products: &mut [T]| {
            for t in 0..shape.queries {
                let row = t * batch + b;
                let da = &dcontext[row * value_width..][..value_width];
                dots(exec.isa, &mut products[..len], da, &values[b * value_width..], batch * value_width);
                // SAFETY: each task writes the rows of its own sentence.
                let dalpha = unsafe { dweights.part(row * src_max, len) };
                dalpha.iter_mut().zip(&*products).for_each(|(d, &p)| *d += p);
            }
        });
    });
}

/// Adds the gradient of the values: `dvalues[s] += Σ_t α[t,s]·dcontext[t]`.
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory.
pub fn attend_backward_values<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    dvalues: &mut [T],
    weights: &[T],
    dcontext: &[T],
    src_len: &[u32],
) {
    let AttentionShape { src_max, batch, value_width, .. } = shape;
    assert_eq!(shape.group, 1, "gradients need one query row per sentence");
    assert_eq!(dvalues.len(), src_max * batch * value_width, "dvalues must be (S, B, W)");
    let dvalues = Shared::new(dvalues);
    exec.pool.run(batch, |b| {
        for s in 0..src_len[b] as usize {
            // SAFETY: each task writes the rows of its own sentence.
            let dv = unsafe { dvalues.part((s * batch + b) * value_width, value_width) };
            for t in 0..shape.queries {
                let row = t * batch + b;
                weighted_sum(exec.isa, dv, &weights[row * src_max + s..][..1], &dcontext[row * value_width..], 0);
            }
        }
    });
}

/// Passes the gradient of the weights through softmax and score to the queries (and, in a second buffer, the keys).
///
/// ```text
/// de[t,s] = α[t,s]·(dα[t,s] − Σ_s' α[t,s']·dα[t,s'])
/// dquery[t] += Σ_s de[t,s]·keys[s]        dkeys[s] += Σ_t de[t,s]·query[t]
/// ```
/// `dscores`, if given, is the gradient that reaches the scores from elsewhere and is added to de. `dweights` is overwritten with `de` (exactly 0 in padding).
///
/// # Panics
/// If the shapes disagree, or several query rows share a memory.
pub fn attend_backward_scores<T: Real>(
    exec: Exec<'_>,
    shape: AttentionShape,
    dquery: &mut [T],
    dkeys: &mut [T],
    dweights: &mut [T],
    dscores: Option<&[T]>,
    weights: &[T],
    query: &[T],
    keys: &[T],
    src_len: &[u32],
) {
    let AttentionShape { src_max, batch, key_width, .. } = shape;
    assert_eq!(shape.group, 1, "gradients need one query row per sentence");
    assert_eq!(dquery.len(), shape.queries * batch * key_width, "dquery must be (T, B, H)");
    assert_eq!(dkeys.len(), src_max * batch * key_width, "dkeys must be (S, B, H)");
    let (dquery, dkeys, dweights) = (Shared::new(dquery), Shared::new(dkeys), Shared::new(dweights));
    exec.pool.run(batch, |b| {
        let len = src_len[b] as usize;
        for t in 0..shape.queries {
            let row = t * batch + b;
            let alpha = &weights[row * src_max..][..src_max];
            // SAFETY: each task writes the rows of its own sentence.
            let (de, dq) = unsafe { (dweights.part(row * src_max, src_max), dquery.part(row * key_width, key_width)) };
            let mean = dot(&alpha[..len], &de[..len]);
            for s in 0..len {
                de[s] = alpha[s] * (de[s] - mean);
            }
            if let Some(dscores) = dscores {
                de[..len].iter_mut().zip(&dscores[row * src_max..]).for_each(|(d, &from_outside)| *d += from_outside);
            }
            de[len..].fill(T::ZERO);
            weighted_sum(exec.isa, dq, &de[..len], &keys[b * key_width..], batch * key_width);
            let q = &query[row * key_width..][..key_width];
            for s in 0..len {
                // SAFETY: as above.
                let dk = unsafe { dkeys.part((s * batch + b) * key_width, key_width) };
                weighted_sum(exec.isa, dk, &de[s..=s], q, 0);
            }
        }
    });
}

#[cfg(test)]
mod tests;
