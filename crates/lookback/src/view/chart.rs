//! Scores with intervals as a standalone SVG document: one panel for each measure, categories from left to right.
//!
//! Points stand for scores, bars for intervals. Axes do not start at 0: they span what is drawn, in round steps. Widths of labels are estimated, so
//! that the same chart gives the same bytes everywhere.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::label::{escape, fit, visible};

/// A figure of one or more panels over the same categories.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is shown, above everything.
    pub title: String,
    /// What the categories are.
    pub axis: String,
    /// Label of each category, and a note below it.
    pub categories: Vec<(String, String)>,
    /// The panels.
    pub panels: Vec<Panel>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its name.
    pub title: String,
    /// What says how to read it, such as `higher is better`.
    pub note: String,
    /// A point for each category; `None` where there is nothing to show.
    pub points: Vec<Option<Point>>,
}

/// A score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The score.
    pub value: f64,
    /// The ends of its interval, if it has one.
    pub interval: Option<(f64, f64)>,
}

/// Width of a category.
const STEP: f64 = 84.0;
/// Height of the field of a panel.
const HEIGHT: f64 = 190.0;
/// Space for a panel's title.
const ABOVE: f64 = 50.0;
/// Space for the categories below a panel.
const BELOW: f64 = 50.0;
/// Space for the labels of the vertical axis.
const LEFT: f64 = 58.0;
/// Space between panels.
const RIGHT: f64 = 18.0;
/// Space for the title.
const HEAD: f64 = 40.0;
/// Space around everything.
const MARGIN: f64 = 14.0;
/// Estimated width of a terminal column of the title.
const COLUMN: f64 = 9.4;

const CSS: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans CJK SC','Noto Sans Arabic',sans-serif;fill:#26221e}
.title{font-size:17px;font-weight:600}.name{font-size:15px;font-weight:600}.soft{fill:#6b635a}.middle{text-anchor:middle}.end{text-anchor:end}
.paper{fill:#fdfbf7}.field{fill:#f4efe6}.grid{stroke:#ddd5c8;stroke-width:1}.bar{stroke:#bf3f16;stroke-width:2}.path{stroke:#bf3f16;stroke-width:1.2;opacity:.4;fill:none}.dot{fill:#bf3f16}
@media (prefers-color-scheme:dark){text{fill:#ece5da}.soft{fill:#a89f93}.paper{fill:#171412}.field{fill:#221d1a}.grid{stroke:#3a332e}.bar,.path{stroke:#ff8d57}.dot{fill:#ff8d57}}";

impl Chart {
    /// Draws the figure for light and dark surroundings. Every point has its numbers as a tooltip.
    ///
    /// # Examples
    /// ```
    /// use lookback::view::{Chart, Panel, Point};
    ///
    /// let point = Point { value: 31.2, interval: Some((29.8, 32.5)) };
    /// let panel = Panel { title: "BLEU".into(), note: "higher is better".into(), points: vec![Some(point)] };
    /// let categories = vec![("1–10".into(), "n = 500".into())];
    /// let chart = Chart { title: "Scores".into(), axis: "tokens".into(), categories, panels: vec![panel] };
    /// assert!(chart.to_svg().contains("BLEU, 1–10: 31.20 [29.80, 32.50]"));
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        let columns = if self.panels.len() > 2 { 2 } else { 1 };
        let field = STEP * count(self.categories.len().max(1));
        let (panel_width, panel_height) = (LEFT + field + RIGHT, ABOVE + HEIGHT + BELOW);
        let title = visible(&self.title);
        let inner = (panel_width * count(columns)).max(COLUMN * count(title.width()));
        let (width, height) =
            (inner + 2.0 * MARGIN, HEAD + panel_height * count(self.panels.len().div_ceil(columns)) + MARGIN);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{0}</title>\n<style>{CSS}</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
             <text class=\"title\" x=\"{MARGIN}\" y=\"30\">{0}</text>\n",
            escape(&title),
        );
        for (i, panel) in self.panels.iter().enumerate() {
            let (x, y) = (MARGIN + panel_width * count(i % columns), HEAD + panel_height * count(i / columns));
            push(&mut out, format_args!("<g transform=\"translate({x:.1} {y:.1})\">\n"));
            self.draw(&mut out, panel, field);
            out.push_str("</g>\n");
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw(&self, out: &mut String, panel: &Panel, field: f64) {
        let scale = Scale::around(&panel.points);
        let y = |value: f64| ABOVE + HEIGHT * (1.0 - scale.share(value));
        let x = |i: usize| LEFT + STEP * (count(i) + 0.5);
        let (name, note) = (escape(&visible(&panel.title)), escape(&visible(&panel.note)));
        push(out, format_args!("<text x=\"{LEFT}\" y=\"36\"><tspan class=\"name\">{name}</tspan>"));
        push(out, format_args!("<tspan class=\"soft\" dx=\"10\">{note}</tspan></text>\n"));
        push(
            out,
            format_args!(
                "<rect class=\"field\" x=\"{LEFT}\" y=\"{ABOVE}\" width=\"{field:.0}\" height=\"{HEIGHT}\"/>\n"
            ),
        );
        for tick in scale.ticks() {
            let at = y(tick);
            push(out, format_args!("<path class=\"grid\" d=\"M{LEFT} {at:.1}h{field:.0}\"/>"));
            let label = format!("{tick:.*}", scale.decimals());
            push(
                out,
                format_args!("<text class=\"soft end\" x=\"{}\" y=\"{:.1}\">{label}</text>\n", LEFT - 8.0, at + 4.5),
            );
        }
        for (i, (label, note)) in self.categories.iter().enumerate() {
            let (label, note) = (fit(&visible(label), 11).into_owned(), fit(&visible(note), 12).into_owned());
            let base = ABOVE + HEIGHT;
            push(
                out,
                format_args!(
                    "<text class=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    x(i),
                    base + 18.0,
                    escape(&label)
                ),
            );
            push(
                out,
                format_args!(
                    "<text class=\"soft middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                    x(i),
                    base + 35.0,
                    escape(&note)
                ),
            );
        }
        let axis = escape(&visible(&self.axis));
        push(out, format_args!("<text class=\"soft end\" x=\"{:.1}\" y=\"36\">{axis}</text>\n", LEFT + field));
        let drawn = || panel.points.iter().enumerate().filter_map(|(i, point)| Some((i, (*point)?)));
        let path: Vec<String> = drawn().map(|(i, point)| format!("{:.1} {:.1}", x(i), y(point.value))).collect();
        if path.len() > 1 {
            push(out, format_args!("<path class=\"path\" d=\"M{}\"/>\n", path.join("L")));
        }
        for (i, point) in drawn() {
            let category = self.categories.get(i).map_or("", |(label, _)| label);
            let mut tip = format!("{}, {category}: {:.2}", panel.title, point.value);
            out.push_str("<g>");
            if let Some((low, high)) = point.interval {
                tip += &format!(" [{low:.2}, {high:.2}]");
                let (x, top, bottom) = (x(i), y(high), y(low));
                let path = format!("M{x:.1} {top:.1}V{bottom:.1}M{0:.1} {top:.1}h12M{0:.1} {bottom:.1}h12", x - 6.0);
                push(out, format_args!("<path class=\"bar\" d=\"{path}\"/>"));
            }
            push(
                out,
                format_args!("<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\"/>", x(i), y(point.value)),
            );
            push(out, format_args!("<title>{}</title></g>\n", escape(&visible(&tip))));
        }
    }
}

/// A vertical axis in round steps.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    step: f64,
    steps: usize,
}

impl Scale {
    /// Around all that is finite in `points`; 0 to 1 if nothing is.
    fn around(points: &[Option<Point>]) -> Self {
        let ends = points.iter().flatten().flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.value, point.value));
            [low, high, point.value]
        });
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for end in ends.filter(|end| end.is_finite()) {
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
        let first = (low / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of steps")]
        let steps = (last - first) as usize;
        Self { low: first * step, step, steps }
    }

    fn ticks(self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(move |i| self.low + self.step * count(i))
    }

    /// Where a value lies, 0 at the bottom and 1 at the top.
    fn share(self, value: f64) -> f64 {
        (value - self.low) / (self.step * count(self.steps))
    }

    /// Digits behind the point that tell ticks apart.
    fn decimals(self) -> usize {
        (0..6)
            .find(|&n| (self.step * 10_f64.powi(n) - (self.step * 10_f64.powi(n)).round()).abs() < 1e-9)
            .map_or(6, |n| n as usize)
    }
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(args);
    debug_assert!(written.is_ok(), "a String takes whatever is written");
}

#[allow(clippy::cast_precision_loss, reason = "numbers of categories and steps are small")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Option<Point>>) -> Chart {
        let categories = (0..points.len()).map(|i| (format!("{i}"), "n = 1".to_owned())).collect();
        let panel = Panel { title: "BLEU".into(), note: "higher is better".into(), points };
        Chart { title: "Scores".into(), axis: "tokens".into(), categories, panels: vec![panel] }
    }

    fn point(value: f64, low: f64, high: f64) -> Option<Point> {
        Some(Point { value, interval: Some((low, high)) })
    }

    #[test]
    fn ticks_are_round_and_enclose_everything() {
        for (low, high) in [(29.8, 32.5), (0.0, 100.0), (0.0, 0.0), (99.93, 99.97), (-3.0, 4.0), (1234.5, 1234.5)] {
            let scale = Scale::around(&[point(low, low, high)]);
            let ticks: Vec<f64> = scale.ticks().collect();
            assert!(ticks[0] <= low + 1e-9 && *ticks.last().unwrap() >= high - 1e-9, "{low} {high}: {ticks:?}");
            assert!((2..=7).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            let texts: std::collections::BTreeSet<_> =
                ticks.iter().map(|t| format!("{t:.*}", scale.decimals())).collect();
            assert_eq!(texts.len(), ticks.len(), "labels differ: {texts:?}");
            for end in [low, high] {
                assert!((-1e-9..=1.0 + 1e-9).contains(&scale.share(end)));
            }
        }
    }

    #[test]
    fn higher_scores_stand_higher() {
        let svg = chart(vec![point(10.0, 9.0, 11.0), None, point(20.0, 19.0, 21.0)]).to_svg();
        let heights: Vec<f64> =
            svg.split("cy=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        assert_eq!(heights.len(), 2, "what is missing is not drawn");
        assert!(heights[0] > heights[1]);
        assert_eq!(svg.matches("class=\"bar\"").count(), 2);
    }

    #[test]
    fn text_is_escaped_everywhere() {
        let mut chart = chart(vec![point(1.0, 1.0, 1.0)]);
        chart.title = "</title><script>".into();
        chart.axis = "<a>".into();
        chart.categories = vec![("<b>".into(), "<c>".into())];
        chart.panels[0].title = "<d>".into();
        chart.panels[0].note = "<e>\u{1b}".into();
        let svg = chart.to_svg();
        for raw in ["<script>", "<a>", "<b>", "<c>", "<d>", "<e>", "\u{1b}"] {
            assert!(!svg.contains(raw), "{raw} in {svg}");
        }
        assert!(svg.contains("&lt;d&gt;, &lt;b&gt;: 1.00 [1.00, 1.00]"), "{svg}");
    }

    #[test]
    fn nothing_to_show_is_still_a_picture() {
        let svg = chart(vec![None, None]).to_svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        assert!(chart(vec![Some(Point { value: 5.0, interval: None })]).to_svg().contains("BLEU, 0: 5.00<"));
    }
}
