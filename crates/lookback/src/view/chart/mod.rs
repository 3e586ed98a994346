//! Scores with intervals as a standalone SVG document: one panel for each measure, categories from left to right, one series or several.
//!
//! Marks stand for scores, bars for intervals. Axes do not start at 0: they span what is drawn, in round steps. Series differ in shape and dashes as well as in
//! colour, and their names stand beside them. Widths of labels are estimated, so that the same chart gives the same bytes everywhere.

mod marks;
mod scale;

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::label::{escape, fit, visible};
use scale::Scale;

pub use scale::ScaleKind;

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Its name, and its unit if it has one.
    pub title: String,
    /// What says how to read it, such as `higher is better`.
    pub note: String,
    /// How numbers become heights.
    pub scale: ScaleKind,
    /// Whether neighbours are joined.
    pub joined: Joined,
    /// What is drawn, at least one.
    pub series: Vec<Series>,
}

/// Whether the points of a series are joined by a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Joined {
    /// They are: categories have an order.
    #[default]
    Yes,
    /// They are not: categories are only names.
    No,
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Whose points they are; may be empty if there is one series only.
    pub name: String,
    /// Its colour, shape and dashes, of six: the same number in two panels looks the same.
    pub look: usize,
    /// A point for each category; `None` where there is nothing to show.
    pub points: Vec<Option<Point>>,
}

impl Series {
    /// The only series of a panel.
    #[must_use]
    pub fn only(points: Vec<Option<Point>>) -> Self {
        Self { name: String::new(), look: 0, points }
    }
}

/// A score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The score.
    pub value: f64,
    /// The ends of its interval, if it has one.
    pub interval: Option<(f64, f64)>,
}

/// Width of a category; of many, less.
const STEP: f64 = 84.0;
/// Width of a field that few categories share.
const FIELD: f64 = 420.0;
/// Estimated width of a terminal column of text.
const TEXT_COLUMN: f64 = 7.4;
/// Up to so many categories have their full width.
const FEW: usize = 8;
/// Height of the field of a panel.
const HEIGHT: f64 = 190.0;
/// What every further series adds to it.
const HIGHER: f64 = 24.0;
/// Space for a panel's title.
const ABOVE: f64 = 50.0;
/// Space for the categories below a panel and for what they are.
const BELOW: f64 = 72.0;
/// Space for the labels of the vertical axis.
const LEFT: f64 = 58.0;
/// Space between panels.
const RIGHT: f64 = 18.0;
/// Space for the title.
const HEAD: f64 = 40.0;
/// Space around everything.
const MARGIN: f64 = 14.0;
/// Estimated width of a terminal column of the title.
const COLUMN: f64 = 10.4;

const CSS: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans CJK SC','Noto Sans Arabic',sans-serif;fill:#26221e}
.title{font-size:17px;font-weight:600}.name{font-size:15px;font-weight:600}.soft{fill:#6b635a}.middle{text-anchor:middle}.end{text-anchor:end}
.paper{fill:#fdfbf7}.field{fill:#f4efe6}.grid{stroke:#ddd5c8;stroke-width:1}.lead{stroke:#a89f93;stroke-width:.8;fill:none}.bar{stroke-width:1.6;fill:none}.path{stroke-width:1.4;opacity:.55;fill:none}
@media (prefers-color-scheme:dark){text{fill:#ece5da}.soft{fill:#a89f93}.paper{fill:#171412}.field{fill:#221d1a}.grid{stroke:#3a332e}.lead{stroke:#6b635a}}
";

/// The sizes of a chart.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    step: f64,
    field: f64,
    height: f64,
    names: f64,
}

impl Chart {
    /// Draws the figure for light and dark surroundings. Every point has its numbers as a tooltip.
    ///
    /// # Examples
    /// ```
    /// use lookback::view::{Chart, Panel, Point, Series};
    ///
    /// let point = Point { value: 31.2, interval: Some((29.8, 32.5)) };
    /// let series = vec![Series::only(vec![Some(point)])];
    /// let panel = Panel { title: "BLEU".into(), note: "higher is better".into(), series, ..Panel::default() };
    /// let categories = vec![("1–10".into(), "n = 500".into())];
    /// let chart = Chart { title: "Scores".into(), axis: "tokens".into(), categories, panels: vec![panel] };
    /// assert!(chart.to_svg().contains("BLEU, 1–10: 31.20 [29.80, 32.50]"));
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        let sizes = self.sizes();
        let columns = if self.panels.len() > 2 && sizes.names.total_cmp(&0.0).is_eq() { 2 } else { 1 };
        let (panel_width, panel_height) = (LEFT + sizes.field + sizes.names + RIGHT, ABOVE + sizes.height + BELOW);
        let title = visible(&self.title);
        let words = (COLUMN * count(title.width())).max(LEFT + TEXT_COLUMN * count(self.axis.width()));
        let inner = (panel_width * count(columns)).max(words);
        let (width, height) =
            (inner + 2.0 * MARGIN, HEAD + panel_height * count(self.panels.len().div_ceil(columns)) + MARGIN);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{0}</title>\n<style>{CSS}{1}</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
             <text class=\"title\" x=\"{MARGIN}\" y=\"30\">{0}</text>\n",
            escape(&title),
            marks::css(),
        );
        for (i, panel) in self.panels.iter().enumerate() {
            let (x, y) = (MARGIN + panel_width * count(i % columns), HEAD + panel_height * count(i / columns));
            push(&mut out, format_args!("<g transform=\"translate({x:.1} {y:.1})\">\n"));
            self.draw(&mut out, panel, sizes);
            out.push_str("</g>\n");
        }
        out.push_str("</svg>\n");
        out
    }

    fn sizes(&self) -> Sizes {
        let categories = self.categories.len().max(1);
        let step = match categories {
            ..=FEW => (FIELD / count(categories)).clamp(STEP, 1.6 * STEP),
            _ => (STEP * count(FEW) / count(categories)).max(44.0),
        };
        let all = || self.panels.iter().flat_map(|panel| &panel.series);
        let widest = all().map(|series| marks::name(&series.name).width()).max().unwrap_or(0);
        let names = if widest == 0 { 0.0 } else { 36.0 + TEXT_COLUMN * count(widest) };
        let most = self.panels.iter().map(|panel| panel.series.len()).max().unwrap_or(1);
        let height = HEIGHT + HIGHER * count(most.saturating_sub(1));
        Sizes { step, field: step * count(categories), height, names }
    }

    fn draw(&self, out: &mut String, panel: &Panel, sizes: Sizes) {
        let scale = Scale::around(panel);
        let (name, note) = (escape(&visible(&panel.title)), escape(&visible(&panel.note)));
        push(out, format_args!("<text x=\"{LEFT}\" y=\"36\"><tspan class=\"name\">{name}</tspan>"));
        push(out, format_args!("<tspan class=\"soft\" dx=\"10\">{note}</tspan></text>\n"));
        let Sizes { field, height, .. } = sizes;
        push(
            out,
            format_args!(
                "<rect class=\"field\" x=\"{LEFT}\" y=\"{ABOVE}\" width=\"{field:.0}\" height=\"{height}\"/>\n"
            ),
        );
        for (share, label) in scale.ticks() {
            let at = ABOVE + height * (1.0 - share);
            push(out, format_args!("<path class=\"grid\" d=\"M{LEFT} {at:.1}h{field:.0}\"/>"));
            push(
                out,
                format_args!("<text class=\"soft end\" x=\"{}\" y=\"{:.1}\">{label}</text>\n", LEFT - 8.0, at + 4.5),
            );
        }
        self.draw_categories(out, sizes);
        self.draw_series(out, panel, scale, sizes);
    }

    /// The categories below a panel.
    fn draw_categories(&self, out: &mut String, sizes: Sizes) {
        let base = ABOVE + sizes.height;
        let text = |out: &mut String, class: &str, x: f64, y: f64, text: &str| {
            push(out, format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escape(text)));
        };
        for (i, (label, note)) in self.categories.iter().enumerate() {
            let x = LEFT + sizes.step * (count(i) + 0.5);
            text(out, "middle", x, base + 18.0, &fit(&visible(label), 11));
            if !note.is_empty() {
                text(out, "soft middle", x, base + 35.0, &fit(&visible(note), 12));
            }
        }
        let has_notes = self.categories.iter().any(|(_, note)| !note.is_empty());
        let below = if has_notes { 56.0 } else { 39.0 };
        // What is wider than the field begins with it.
        let is_wide = TEXT_COLUMN * count(self.axis.width()) > sizes.field;
        let (class, x) = if is_wide { ("soft", LEFT) } else { ("soft middle", LEFT + sizes.field / 2.0) };
        text(out, class, x, base + below, &visible(&self.axis));
    }

    /// Lines, then intervals and marks, then names.
    fn draw_series(&self, out: &mut String, panel: &Panel, scale: Scale, sizes: Sizes) {
        let bottom = ABOVE + sizes.height;
        let y = |value: f64| bottom - sizes.height * scale.share(value).clamp(0.0, 1.0);
        let of = panel.series.len();
        let x = |i: usize, k: usize| LEFT + sizes.step * (count(i) + 0.5) + marks::beside(k, of, sizes.step);
        let drawn = |series: &Series| -> Vec<(usize, Point)> {
            let points = series.points.iter().enumerate().filter_map(|(i, point)| Some((i, (*point)?)));
            points.filter(|(_, point)| panel.scale.can_draw(point.value)).collect()
        };
        let lines = if panel.joined == Joined::Yes { panel.series.as_slice() } else { &[] };
        for (k, series) in lines.iter().enumerate() {
            let places: Vec<_> = drawn(series).iter().map(|(i, point)| (x(*i, k), y(point.value))).collect();
            marks::line(out, series.look, &places);
        }
        let mut ends = Vec::new();
        for (k, series) in panel.series.iter().enumerate() {
            let points = drawn(series);
            for &(i, point) in &points {
                let category = self.categories.get(i).map_or("", |(label, _)| label);
                let whose = if series.name.is_empty() { String::new() } else { format!("{}, ", series.name) };
                let mut tip = format!("{whose}{}, {category}: {}", panel.title, shown(point.value));
                out.push_str("<g>");
                if let Some((low, high)) = point.interval {
                    tip += &format!(" [{}, {}]", shown(low), shown(high));
                    let bottom = if panel.scale.can_draw(low) { y(low) } else { bottom };
                    marks::bar(out, series.look, x(i, k), y(high), bottom);
                }
                marks::mark(out, series.look, x(i, k), y(point.value));
                push(out, format_args!("<title>{}</title></g>\n", escape(&visible(&tip))));
            }
            if let Some((i, point)) = points.last().filter(|_| !series.name.is_empty()) {
                ends.push((series.look, x(*i, k), y(point.value), marks::name(&series.name)));
            }
        }
        marks::names(out, ends, LEFT + sizes.field, ABOVE + 8.0, bottom - 6.0);
    }
}

/// A number in a tooltip.
fn shown(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.005 { format!("{value:.2e}") } else { format!("{value:.2}") }
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
        let series = vec![Series::only(points)];
        let panel = Panel { title: "BLEU".into(), note: "higher is better".into(), series, ..Panel::default() };
        Chart { title: "Scores".into(), axis: "tokens".into(), categories, panels: vec![panel] }
    }

    fn point(value: f64, low: f64, high: f64) -> Option<Point> {
        Some(Point { value, interval: Some((low, high)) })
    }

    #[test]
    fn higher_scores_stand_higher() {
        let svg = chart(vec![point(10.0, 9.0, 11.0), None, point(20.0, 19.0, 21.0)]).to_svg();
        let heights: Vec<f64> =
            svg.split("cy=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        assert_eq!(heights.len(), 2, "what is missing is not drawn");
        assert!(heights[0] > heights[1]);
        assert_eq!(svg.matches("class=\"bar ").count(), 2);
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

    #[test]
    fn several_series_are_named_and_what_a_logarithm_has_not_is_left_out() {
        let mut chart = chart(vec![point(1e-3, 1e-4, 1e-2), point(1.0, 0.0, 2.0)]);
        chart.panels[0].scale = ScaleKind::Log;
        chart.panels[0].series[0].name = "with <attention>".into();
        let zero = Some(Point { value: 0.0, interval: None });
        chart.panels[0].series.push(Series {
            name: "without".into(),
            look: 1,
            points: vec![point(0.1, 0.05, 0.2), zero],
        });
        let svg = chart.to_svg();
        assert!(svg.contains(">with &lt;attention&gt;</text>") && svg.contains(">without</text>"), "{svg}");
        assert_eq!(svg.matches("<title>with &lt;attention&gt;, BLEU, ").count(), 2);
        assert_eq!(svg.matches("<title>without, BLEU, ").count(), 1, "0 has no logarithm");
        assert!(svg.contains("[1.00e-4, 0.01]") && svg.contains(">10⁰<") && !svg.contains("NaN"), "{svg}");
    }
}
