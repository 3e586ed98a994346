//! Central differences in double precision against an analytic gradient.

use crate::fewer;

/// Worst relative error between `grad` and central differences of `loss` at `x`.
///
/// The step is `h = 6e-6·max(1, |x|)`, about the cube root of the machine epsilon, where the truncation and
/// rounding errors of central differences balance. Differences are relative to the larger of the two gradients, but to no
/// less than `1e-4`, below which the numeric derivative is rounding noise. `x` is restored. Miri, which looks for other mistakes
/// and takes a thousand times as long, sees a few of the differences.
///
/// # Panics
/// If the lengths differ or a derivative is not finite (a plain maximum would swallow a NaN).
pub fn max_grad_error(x: &mut [f64], grad: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> f64 {
    assert_eq!(x.len(), grad.len(), "one gradient entry per input");
    let mut worst: f64 = 0.0;
    for i in (0..x.len()).rev().step_by(fewer(1, 211)) {
        let (x_i, h) = (x[i], 6e-6 * x[i].abs().max(1.0));
        x[i] = x_i + h;
        let up = loss(x);
        x[i] = x_i - h;
        let down = loss(x);
        x[i] = x_i;
        let numeric = (up - down) / (2.0 * h);
        let error = (numeric - grad[i]).abs() / numeric.abs().max(grad[i].abs()).max(1e-4);
        assert!(error.is_finite(), "non-finite at {i}: numeric {numeric}, analytic {}", grad[i]);
        worst = worst.max(error);
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_gradient_passes_and_a_wrong_one_does_not() {
        let f = |x: &[f64]| x[0] * x[0] * x[1] + x[1].sin();
        let mut x = [0.7, -1.3];
        let right = [2.0 * 0.7 * -1.3, 0.7 * 0.7 + (-1.3f64).cos()];
        assert!(max_grad_error(&mut x, &right, f) < 1e-8);
        assert!(max_grad_error(&mut x, &[right[0], right[1] * 1.001], f) > 5e-4);
    }
}
