//! One comparison of float slices: it fails on NaN and names the worst element.

/// Asserts `|got − want| <= abs + rel·|want|` everywhere and names the worst element.
///
/// # Panics
/// If the lengths differ, or any element is outside the tolerance or not a number.
pub fn assert_close(what: &str, got: &[f32], want: &[f32], rel: f32, abs: f32) {
    let widen = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    assert_close_f64(what, &widen(got), &widen(want), f64::from(rel), f64::from(abs));
}

/// [`assert_close`] in double precision.
///
/// # Panics
/// As [`assert_close`].
pub fn assert_close_f64(what: &str, got: &[f64], want: &[f64], rel: f64, abs: f64) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    assert!(want.iter().all(|w| w.is_finite()), "{what}: what is wanted must be finite");
    // A difference that is not at most the tolerance: also one that is NaN.
    let excess = |i: usize| (got[i] - want[i]).abs() - (abs + rel * want[i].abs());
    let outside = (0..got.len()).filter(|&i| excess(i).is_nan() || excess(i) > 0.0);
    let worst = outside.max_by(|&a, &b| {
        let rank = |i| if excess(i).is_nan() { f64::INFINITY } else { excess(i) };
        rank(a).total_cmp(&rank(b))
    });
    if let Some(i) = worst {
        panic!("{what}[{i}]: got {}, want {} (rel {rel}, abs {abs})", got[i], want[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_slices_are_close() {
        assert_close("x", &[1.0, -2.0], &[1.0, -2.0], 0.0, 1e-9);
    }

    #[test]
    #[should_panic(expected = "x[1]")]
    fn the_worst_element_is_named() {
        assert_close("x", &[1.0, 2.1], &[1.0, 2.0], 1e-3, 0.0);
    }

    #[test]
    #[should_panic(expected = "x[0]")]
    fn nan_is_never_close() {
        assert_close("x", &[f32::NAN, 0.0], &[0.0, 0.0], 1.0, 1e9);
    }

    #[test]
    #[should_panic(expected = "x[1]")]
    fn a_negative_nan_is_never_close_either() {
        assert_close("x", &[0.0, -f32::NAN], &[0.0, 0.0], 1.0, 1e9);
    }

    #[test]
    #[should_panic(expected = "must be finite")]
    fn infinity_is_not_a_wish() {
        assert_close("x", &[1.0], &[f32::INFINITY], 1e-3, 0.0);
    }

    #[test]
    fn zeros_are_close_at_zero_tolerance() {
        assert_close("x", &[0.0], &[0.0], 0.0, 0.0);
    }
}
