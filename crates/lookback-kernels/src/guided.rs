//! Costs of attention weights α against given ones A, for rows that have any (guided alignment), with their gradients.
//!
//! ```text
//! ce     −Σ_s A_s · ln α_s            dα_s = −A_s / α_s
//! mse    ½ Σ_s (α_s − A_s)²           dα_s = α_s − A_s
//! mult   −ln Σ_s A_s · α_s            dα_s = −A_s / Σ_i A_i·α_i
//! ```
//! Chen, Matusov, Khadivi & Peter 2016, §4 (ce, mse); the three of Marian's `--guided-alignment-cost`, which takes the logarithm of `mult` over a whole batch, while here every
//! row counts by itself. Logarithms are taken of no less than 1e-30, below which a cost is flat.

use crate::{Real, ln};

/// What a logarithm is taken of at least.
const LEAST: f64 = 1e-30;

/// How weights are compared with the given ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuidedCost {
    /// Cross-entropy.
    CrossEntropy,
    /// Half the squared distance.
    SquaredError,
    /// The logarithm of the product.
    Product,
}

/// Given weights of R rows, sparse: those of row r are entries `starts[r]..starts[r + 1]`.
#[derive(Debug, Clone, Copy)]
pub struct GuidedRows<'a> {
    /// (R + 1,): where each row's entries begin, and where the last one's end.
    pub starts: &'a [u32],
    /// Positions, each once in a row.
    pub columns: &'a [u32],
    /// A at these positions. A row without entries counts for nothing.
    pub shares: &'a [f32],
}

/// A cost as a sum, with the number of rows that counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GuidedLoss {
    /// Summed over the rows: nats of `ce` and `mult`.
    pub loss: f64,
    /// Rows with given weights.
    pub rows: u64,
}

/// The cost of `weights` (R, `width`) against `given`; with `gradient` (a tensor of the same shape), adds that of `factor` times the summed cost. One thread: there are
/// as many numbers as links.
///
/// # Panics
/// If the shapes disagree.
pub fn guided_rows<T: Real>(
    weights: &[T],
    width: usize,
    given: GuidedRows<'_>,
    cost: GuidedCost,
    factor: f64,
    mut gradient: Option<&mut [T]>,
) -> GuidedLoss {
    let GuidedRows { starts, columns, shares } = given;
    assert_eq!(weights.len(), (starts.len() - 1) * width, "guided alignment: a start for every row");
    assert_eq!(columns.len(), shares.len(), "guided alignment: a share for every column");
    let mut sums = GuidedLoss::default();
    for (row, (weights, ends)) in weights.chunks_exact(width).zip(starts.windows(2)).enumerate() {
        let entries = ends[0] as usize..ends[1] as usize;
        if entries.is_empty() {
            continue;
        }
        let gradient = gradient.as_mut().map(|g| &mut g[row * width..][..width]);
        let given = columns[entries.clone()].iter().map(|&s| s as usize).zip(shares[entries].iter().copied());
        sums.loss += match cost {
            GuidedCost::CrossEntropy => cross_entropy(weights, given, factor, gradient),
            GuidedCost::SquaredError => squared_error(weights, given, factor, gradient),
            GuidedCost::Product => product(weights, given, factor, gradient),
        };
        sums.rows += 1;
    }
    sums
}

/// Positions and their A.
trait Given: Iterator<Item = (usize, f32)> + Clone {}
impl<I: Iterator<Item = (usize, f32)> + Clone> Given for I {}

fn cross_entropy<T: Real>(weights: &[T], given: impl Given, factor: f64, gradient: Option<&mut [T]>) -> f64 {
    let mut loss = 0.0;
    for (s, share) in given.clone() {
        loss -= f64::from(share) * ln(weights[s].to_f64().max(LEAST));
    }
    if let Some(gradient) = gradient {
        for (s, share) in given.filter(|&(s, _)| weights[s].to_f64() > LEAST) {
            gradient[s] -= T::from_f64(factor * f64::from(share) / weights[s].to_f64());
        }
    }
    loss
}

fn squared_error<T: Real>(weights: &[T], given: impl Given, factor: f64, gradient: Option<&mut [T]>) -> f64 {
    // (α − A)² is α² wherever A is 0.
    let mut loss: f64 = weights.iter().map(|w| w.to_f64() * w.to_f64()).sum();
    for (s, share) in given.clone() {
        let (weight, share) = (weights[s].to_f64(), f64::from(share));
        loss += share * share - 2.0 * share * weight;
    }
    if let Some(gradient) = gradient {
        gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += T::from_f64(factor * w.to_f64()));
        for (s, share) in given {
            gradient[s] -= T::from_f64(factor * f64::from(share));
        }
    }
    loss / 2.0
}

fn product<T: Real>(weights: &[T], given: impl Given, factor: f64, gradient: Option<&mut [T]>) -> f64 {
    let product: f64 = given.clone().map(|(s, share)| f64::from(share) * weights[s].to_f64()).sum();
    if let Some(gradient) = gradient.filter(|_| product > LEAST) {
        for (s, share) in given {
            gradient[s] -= T::from_f64(factor * f64::from(share) / product);
        }
    }
    -ln(product.max(LEAST))
}

#[cfg(test)]
mod tests {
    use lookback_testkit::max_grad_error;

    use super::*;

    const COSTS: [GuidedCost; 3] = [GuidedCost::CrossEntropy, GuidedCost::SquaredError, GuidedCost::Product];
    /// Two rows of four with entries around one without.
    const GIVEN: GuidedRows<'_> = GuidedRows { starts: &[0, 2, 2, 3], columns: &[0, 3, 1], shares: &[0.25, 0.75, 1.0] };

    fn weights() -> Vec<f64> {
        vec![0.1, 0.2, 0.3, 0.4, 0.25, 0.25, 0.25, 0.25, 0.05, 0.6, 0.15, 0.2]
    }

    #[test]
    fn costs_are_those_of_the_equations() {
        let of = |cost| guided_rows(&weights(), 4, GIVEN, cost, 1.0, None);
        let [ce, mse, mult] = COSTS.map(of);
        let want_ce = -(0.25 * 0.1f64.ln() + 0.75 * 0.4f64.ln() + 0.6f64.ln());
        let squares = [0.15f64, 0.2, 0.3, 0.35, 0.05, 0.4, 0.15, 0.2].iter().map(|d| d * d).sum::<f64>();
        let want_mult = -((0.25 * 0.1 + 0.75 * 0.4f64).ln() + 0.6f64.ln());
        for (got, want) in [(ce, want_ce), (mse, squares / 2.0), (mult, want_mult)] {
            assert!((got.loss - want).abs() < 1e-12 && got.rows == 2, "{got:?}, not {want}");
        }
    }

    #[test]
    fn gradients_agree_with_differences_and_are_added() {
        for cost in COSTS {
            let mut gradient = vec![1.0; 12];
            guided_rows(&weights(), 4, GIVEN, cost, 0.7, Some(&mut gradient));
            assert!(gradient[4..8].iter().all(|&g| g.to_bits() == 1f64.to_bits()), "a row without links has none");
            gradient.iter_mut().for_each(|g| *g -= 1.0);
            let loss = |w: &[f64]| 0.7 * guided_rows(w, 4, GIVEN, cost, 1.0, None).loss;
            let error = max_grad_error(&mut weights(), &gradient, loss);
            assert!(error < 1e-7, "{cost:?}: relative error {error}");
        }
    }

    #[test]
    fn weights_of_nothing_cost_much_and_stay_numbers() {
        for cost in COSTS {
            let mut gradient = vec![0f32; 4];
            let given = GuidedRows { starts: &[0, 1], columns: &[2], shares: &[1.0] };
            let got = guided_rows(&[1f32, 0.0, 0.0, 0.0], 4, given, cost, 1.0, Some(&mut gradient));
            assert!(got.loss.is_finite() && got.loss >= 1.0 && gradient.iter().all(|g| g.is_finite()), "{got:?}");
        }
        // What is above nothing, however little, pulls with full strength through the softmax: α·dα is −A.
        let (tiny, mut gradient) = (1e-20f32, vec![0f32; 2]);
        let given = GuidedRows { starts: &[0, 1], columns: &[1], shares: &[1.0] };
        guided_rows(&[1.0, tiny], 2, given, GuidedCost::CrossEntropy, 1.0, Some(&mut gradient));
        assert!((tiny * gradient[1] + 1.0).abs() < 1e-6, "{gradient:?}");
    }
}
