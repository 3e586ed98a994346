//! Which positions of a source a query may look at, and what their distance from the window's centre does to their scores.
//!
//! ```text
//! global      every real position
//! local-m     |s − p| ≤ D        p = min(t, len − 1)
//! local-p     |s − p| ≤ D        p given        e[s] −= (s − p)² / (2σ²),  σ = D / 2
//! ```
//! Luong, Pham & Manning 2015, §3.2, with positions from 0. The paper multiplies the weights of local-p by the Gaussian exp(−(s − p)² / (2σ²)) after the softmax; subtracting
//! from the scores before it is the same but for a factor that makes the weights sum to 1. Positions outside the window are not looked at: their score is −∞, their weight 0.
//!
//! ```text
//! dp += Σ_s de[s]·(s − p) / σ²        on which side of the border a position lies has no gradient
//! ```

use std::ops::Range;

use crate::Real;

/// The part of the source each query looks at.
#[derive(Debug, Clone, Copy)]
pub enum Window<'a, T> {
    /// All of it.
    Global,
    /// `half` positions to either side of the query's own step, at most the last position: local-m.
    Monotonic {
        /// The step of the first query.
        first: usize,
        /// D ≥ 1.
        half: usize,
    },
    /// `half` positions to either side of a given centre, the nearer the better: local-p.
    Centred {
        /// p (T, R), in units of positions.
        centres: &'a [T],
        /// D ≥ 1.
        half: usize,
    },
}

impl<T: Real> Window<'_, T> {
    pub(super) fn check(&self, queries: usize, rows: usize) {
        match self {
            Self::Global => {}
            Self::Monotonic { half, .. } => assert!(*half > 0, "a window reaches at least to the neighbours"),
            Self::Centred { centres, half } => {
                assert!(*half > 0, "a window reaches at least to the neighbours");
                assert_eq!(centres.len(), queries * rows, "centres must be (T, R)");
            }
        }
    }

    /// The positions that query t, `row` of (T, R), looks at in a source of `len`: at least one.
    #[inline]
    pub(super) fn range(&self, t: usize, row: usize, len: usize) -> Range<usize> {
        match *self {
            Self::Global => 0..len,
            Self::Monotonic { first, half } => {
                let p = (first + t).min(len - 1);
                p.saturating_sub(half)..(p + half + 1).min(len)
            }
            Self::Centred { centres, half } => {
                let (p, half) = (centres[row].to_f64(), half as f64);
                // Both are cut to 0 where they are negative, or not a number.
                #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "see above")]
                let (from, to) = ((p - half).ceil() as usize, (p + half).floor() as usize);
                let from = from.min(len - 1);
                from..(to + 1).clamp(from + 1, len)
            }
        }
    }

    /// Lowers the scores `e` of the positions from `from` on by their distance from the centre of `row`.
    #[inline]
    pub(super) fn shape(&self, e: &mut [T], from: usize, row: usize) {
        if let Self::Centred { centres, half } = *self {
            let p = centres[row].to_f64();
            let sharpness = 0.5 / variance(half);
            for (i, e) in e.iter_mut().enumerate() {
                let distance = (from + i) as f64 - p;
                *e -= T::from_f64(distance * distance * sharpness);
            }
        }
    }

    /// What the gradients `de` of the positions from `from` on say of the centre of `row`.
    pub(super) fn centre_gradient(&self, de: &[T], from: usize, row: usize) -> T {
        let Self::Centred { centres, half } = *self else { return T::ZERO };
        let p = centres[row].to_f64();
        let sum: f64 = de.iter().enumerate().map(|(i, de)| de.to_f64() * ((from + i) as f64 - p)).sum();
        T::from_f64(sum / variance(half))
    }
}

/// σ² of a window that reaches D to either side, σ = D/2.
fn variance(half: usize) -> f64 {
    (half * half) as f64 / 4.0
}

/// The centres of predicted windows: `p[t, r] = len · sigmoid(z[t, r])`, with the length of the row's sentence (Luong et al. 2015, eq. 9).
///
/// # Panics
/// If `p` and `z` are not both (T, R), or R is not a multiple of the number of sentences.
pub fn window_centres<T: Real>(p: &mut [T], z: &[T], rows: usize, src_len: &[u32]) {
    check_centres(p, z, rows, src_len);
    let group = rows / src_len.len();
    for (i, (p, &z)) in p.iter_mut().zip(z).enumerate() {
        *p = T::from_f64(f64::from(src_len[i % rows / group])) * z.sigmoid();
    }
}

/// The way back of [`window_centres`]: `dz += dp · p · (1 − p / len)`.
///
/// # Panics
/// As [`window_centres`], with one query row per sentence.
pub fn window_centres_backward<T: Real>(dz: &mut [T], dp: &[T], p: &[T], rows: usize, src_len: &[u32]) {
    check_centres(dz, dp, rows, src_len);
    assert!(p.len() == dp.len() && rows == src_len.len(), "gradients need one query row per sentence");
    for (i, (dz, (&dp, &p))) in dz.iter_mut().zip(dp.iter().zip(p)).enumerate() {
        *dz += dp * p * (T::ONE - p / T::from_f64(f64::from(src_len[i % rows])));
    }
}

fn check_centres<T>(a: &[T], b: &[T], rows: usize, src_len: &[u32]) {
    assert!(a.len() == b.len() && a.len().is_multiple_of(rows), "both must be (T, R)");
    assert!(rows.is_multiple_of(src_len.len()), "whole groups of query rows");
}
