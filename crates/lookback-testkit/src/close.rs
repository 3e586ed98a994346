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
    let ratios = got.iter().zip(want).map(|(g, w)| (g - w).abs() / (abs + rel * w.abs()));
    // `total_cmp` sorts NaN last, so a NaN is the worst element and fails below.
    if let Some((i, r)) = ratios.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) {
        assert!(r <= 1.0, "{what}[{i}]: got {}, want {} ({r:.2}× the tolerance)", got[i], want[i]);
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
}
