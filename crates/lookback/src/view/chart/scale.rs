//! The vertical axis of a panel: round steps around what is drawn.

use super::{Panel, count};

/// How numbers become heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScaleKind {
    /// Equal differences are equal distances.
    #[default]
    Linear,
    /// Equal ratios are equal distances; what is not above 0 is not drawn.
    Log,
}

impl ScaleKind {
    /// Whether it has a place for `value`.
    pub(super) fn can_draw(self, value: f64) -> bool {
        value.is_finite() && (self == Self::Linear || value > 0.0)
    }

    /// The number that is laid out evenly.
    fn place(self, value: f64) -> f64 {
        if self == Self::Log { value.log10() } else { value }
    }
}

/// A vertical axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    kind: ScaleKind,
    low: f64,
    step: f64,
    steps: usize,
}

impl Scale {
    /// Around all that can be drawn in `panel`; 0 to 1 if nothing can.
    pub(super) fn around(panel: &Panel) -> Self {
        let kind = panel.scale;
        let points = panel.series.iter().flat_map(|series| series.points.iter().flatten());
        let ends = points.flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.value, point.value));
            [low, high, point.value]
        });
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for end in ends.filter(|end| kind.can_draw(*end)).map(|end| kind.place(end)) {
            (low, high) = (low.min(end), high.max(end));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // A single value still needs a span.
        let span = (high - low).max(0.02 * high.abs()).max(0.01);
        let rough = span / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        // Between powers of ten there are no round numbers.
        let step = if kind == ScaleKind::Log { rough.ceil().max(1.0) } else { step };
        let first = (low / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of steps")]
        let steps = (last - first) as usize;
        Self { kind, low: first * step, step, steps }
    }

    /// Places and labels of the ticks, places from 0 at the bottom to 1 at the top.
    pub(super) fn ticks(self) -> impl Iterator<Item = (f64, String)> {
        (0..=self.steps).map(move |i| {
            let tick = self.low + self.step * count(i);
            let label = match self.kind {
                ScaleKind::Linear => format!("{tick:.*}", self.decimals()),
                ScaleKind::Log => power_of_ten(tick),
            };
            (count(i) / count(self.steps), label)
        })
    }

    /// Where a value lies, 0 at the bottom and 1 at the top.
    pub(super) fn share(self, value: f64) -> f64 {
        (self.kind.place(value) - self.low) / (self.step * count(self.steps))
    }

    /// Digits behind the point that tell ticks apart.
    fn decimals(self) -> usize {
        (0..6)
            .find(|&n| (self.step * 10_f64.powi(n) - (self.step * 10_f64.powi(n)).round()).abs() < 1e-9)
            .map_or(6, |n| n as usize)
    }
}

/// 10 to a whole power, as `10⁻⁴`.
fn power_of_ten(exponent: f64) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(u32::from(digit) - u32::from('0') + u32::from('⁰')).unwrap_or(digit),
    };
    format!("10{}", format!("{exponent:.0}").chars().map(raised).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::{Point, Series};
    use super::*;

    fn scale(scale: ScaleKind, low: f64, high: f64) -> Scale {
        let points = [low, high].map(|value| Some(Point { value, interval: None })).to_vec();
        Scale::around(&Panel { scale, series: vec![Series::only(points)], ..Panel::default() })
    }

    #[test]
    fn ticks_are_round_and_enclose_everything() {
        for (low, high) in [(29.8, 32.5), (0.0, 100.0), (0.0, 0.0), (99.93, 99.97), (-3.0, 4.0), (1234.5, 1234.5)] {
            let scale = scale(ScaleKind::Linear, low, high);
            let ticks: Vec<(f64, String)> = scale.ticks().collect();
            let value = |label: &String| label.parse::<f64>().unwrap();
            assert!(value(&ticks[0].1) <= low + 1e-9 && value(&ticks.last().unwrap().1) >= high - 1e-9, "{ticks:?}");
            assert!((2..=7).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            let texts: std::collections::BTreeSet<_> = ticks.iter().map(|(_, label)| label).collect();
            assert_eq!(texts.len(), ticks.len(), "labels differ: {texts:?}");
            for end in [low, high] {
                assert!((-1e-9..=1.0 + 1e-9).contains(&scale.share(end)));
            }
        }
    }

    #[test]
    fn powers_of_ten_are_equally_far_apart() {
        let scale = scale(ScaleKind::Log, 2e-13, 30.0);
        let labels: Vec<String> = scale.ticks().map(|(_, label)| label).collect();
        assert_eq!(labels, ["10⁻¹⁶", "10⁻¹²", "10⁻⁸", "10⁻⁴", "10⁰", "10⁴"]);
        assert!((scale.share(1e-8) - 0.4).abs() < 1e-12 && (scale.share(1e-4) - 0.6).abs() < 1e-12);
        assert!(!ScaleKind::Log.can_draw(0.0) && !ScaleKind::Linear.can_draw(f64::NAN));
    }
}
