//! A heat map as a standalone SVG document: columns are source tokens, rows target tokens, both in reading order.
//!
//! Widths of labels are estimated from the number of terminal columns, so that the same map gives the same bytes
//! everywhere, whatever fonts are installed.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::{
    AttentionMap,
    label::{escape, fit, visible},
};

/// How a weight is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A full cell; its opacity is the weight.
    Heat,
    /// A box whose area is the weight.
    Boxes,
}

/// Side of a cell, in pixels.
const CELL: f64 = 28.0;
/// Size of the labels, in pixels.
const FONT: f64 = 15.0;
/// Estimated width of one terminal column at that size; wide characters take two.
const COLUMN: f64 = 8.2;
/// Longest label, in terminal columns.
const LONGEST: usize = 24;
/// Space between labels and cells, and around everything.
const GAP: f64 = 9.0;

const CSS: &str = "\
text{font:15px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans CJK SC','Noto Sans Arabic',sans-serif;fill:#26221e}
.paper{fill:#fdfbf7}.field{fill:#f4efe6}.grid{stroke:#fdfbf7;stroke-width:1;fill:none}.w{fill:#bf3f16}
@media (prefers-color-scheme:dark){text{fill:#ece5da}.paper{fill:#171412}.field{fill:#221d1a}.grid{stroke:#171412}.w{fill:#ff8d57}}";

/// Draws `map` as a standalone SVG document, for light and dark surroundings.
///
/// Tokens are drawn as they are in the map; pass [`AttentionMap::merged`] for words. Labels longer than 24 columns are
/// cut. Every cell has its numbers as a tooltip.
///
/// # Examples
/// ```
/// # use lookback::view::{AttentionMap, Side, Style, to_svg};
/// # let side = |text: &str| Side { text: text.into(), tokens: vec![text.into(), "</s>".into()], words: vec![] };
/// # let map = AttentionMap::new(0, side("Tür"), side("door"), vec![0.9, 0.1, 0.2, 0.8], -0.3)?;
/// let svg = to_svg(&map, Style::Boxes);
/// assert!(svg.starts_with("<svg ") && svg.contains("door ← Tür: 90.0 %"));
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[must_use]
pub fn to_svg(map: &AttentionMap, style: Style) -> String {
    let labels = |tokens: &[String]| tokens.iter().map(|t| fit(&visible(t), LONGEST).into_owned()).collect::<Vec<_>>();
    let (columns, rows) = (labels(&map.src().tokens), labels(&map.tgt().tokens));
    let widest = |labels: &[String]| labels.iter().map(|label| pixels(label)).fold(0.0, f64::max);
    let slant = std::f64::consts::FRAC_1_SQRT_2;
    // Labels of columns rise at 45°: each needs its width along both axes.
    let top = 2.0 * GAP + (widest(&columns) + FONT) * slant;
    let left = 2.0 * GAP + widest(&rows);
    let (field_width, field_height) = (CELL * count(columns.len()), CELL * count(rows.len()));
    let overhang = |(i, label): (usize, &String)| CELL * (count(i) + 0.5) + (pixels(label) + FONT) * slant;
    let right = columns.iter().enumerate().map(overhang).fold(field_width, f64::max) - field_width;
    let (width, height) = (left + field_width + right + GAP, top + field_height + GAP);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{CSS}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <rect class=\"field\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{field_width:.0}\" height=\"{field_height:.0}\"/>\n",
        escape(&visible(&format!("{} → {}", map.src().text, map.tgt().text))),
    );
    for (i, label) in columns.iter().enumerate() {
        let (x, y) = (left + CELL * (count(i) + 0.5), top - GAP);
        push(
            &mut out,
            format_args!("<text transform=\"translate({x:.1} {y:.1})rotate(-45)\">{}</text>\n", escape(label)),
        );
    }
    for (t, (label, weights)) in rows.iter().zip(map.rows()).enumerate() {
        let y = top + CELL * count(t);
        let (x, baseline) = (left - GAP, y + CELL / 2.0 + FONT * 0.35);
        push(
            &mut out,
            format_args!("<text text-anchor=\"end\" x=\"{x:.1}\" y=\"{baseline:.1}\">{}</text>\n", escape(label)),
        );
        for (s, &weight) in weights.iter().enumerate() {
            let tip = format!("{label} ← {}: {:.1} %", columns[s], 100.0 * weight);
            draw_cell(&mut out, style, left + CELL * count(s), y, f64::from(weight), &tip);
        }
    }
    for i in 1..columns.len() {
        push(
            &mut out,
            format_args!("<path class=\"grid\" d=\"M{:.1} {top:.1}v{field_height:.0}\"/>\n", left + CELL * count(i)),
        );
    }
    for t in 1..rows.len() {
        push(
            &mut out,
            format_args!("<path class=\"grid\" d=\"M{left:.1} {:.1}h{field_width:.0}\"/>\n", top + CELL * count(t)),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn draw_cell(out: &mut String, style: Style, x: f64, y: f64, weight: f64, tip: &str) {
    let (side, opacity) = match style {
        Style::Heat => (CELL, weight.min(1.0)),
        Style::Boxes => ((CELL - 2.0) * weight.min(1.0).sqrt(), 1.0),
    };
    let inset = (CELL - side) / 2.0;
    let (x, y) = (x + inset, y + inset);
    push(
        out,
        format_args!(
            "<rect class=\"w\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{side:.2}\" height=\"{side:.2}\" opacity=\"{opacity:.3}\">\
             <title>{}</title></rect>\n",
            escape(tip)
        ),
    );
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(args);
    debug_assert!(written.is_ok(), "a String takes whatever is written");
}

fn pixels(label: &str) -> f64 {
    COLUMN * count(label.width())
}

#[allow(clippy::cast_precision_loss, reason = "numbers of tokens and columns are small")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::test_maps::{arabic, german, map};

    /// Values of `attribute` on every weight, in order of drawing.
    fn attribute(svg: &str, name: &str) -> Vec<f64> {
        let key = format!(" {name}=\"");
        (svg.lines().filter(|line| line.starts_with("<rect class=\"w\"")))
            .map(|line| line.split(&key).nth(1).and_then(|rest| rest.split('"').next()).unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn opacity_is_the_weight() {
        let map = german();
        let want: Vec<f64> = map.weights().iter().map(|&w| f64::from(w)).collect();
        lookback_testkit::assert_close_f64(
            "opacity",
            &attribute(&to_svg(&map, Style::Heat), "opacity"),
            &want,
            0.0,
            6e-4,
        );
    }

    #[test]
    fn area_is_proportional_to_the_weight() {
        let map = german();
        let sides = attribute(&to_svg(&map, Style::Boxes), "width");
        let areas: Vec<f64> = sides.iter().map(|side| side * side / (CELL - 2.0).powi(2)).collect();
        let want: Vec<f64> = map.weights().iter().map(|&w| f64::from(w)).collect();
        // Sides are written to a hundredth of a pixel: 2 · 0.005 / 26 of the full area.
        lookback_testkit::assert_close_f64("area", &areas, &want, 0.0, 4e-4);
    }

    #[test]
    fn tokens_are_escaped_everywhere() {
        let svg = to_svg(&map(&["<b>&\"'\u{1b}"], &["</svg><script>"], &[1.0]), Style::Heat);
        assert!(!svg.contains("<b>") && !svg.contains("<script>") && !svg.contains('\u{1b}'), "{svg}");
        assert!(svg.contains("&lt;b&gt;&amp;&quot;&#39;␛"), "{svg}");
    }

    #[test]
    fn every_label_lies_inside_the_picture() {
        for map in [german(), arabic(), map(&["ein", "Donaudampfschifffahrtsgesellschaft"], &["東京都庁"], &[0.5, 0.5])]
        {
            let svg = to_svg(&map, Style::Heat);
            let size = |name: &str| -> f64 {
                svg.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            };
            let reach = std::f64::consts::FRAC_1_SQRT_2;
            let slanted = svg.lines().filter(|line| line.contains("rotate(-45)"));
            for (line, token) in slanted.zip(&map.src().tokens) {
                let at = line.split("translate(").nth(1).unwrap().split(')').next().unwrap();
                let (x, y) = at.split_once(' ').unwrap();
                let length = pixels(&fit(token, LONGEST)) * reach;
                assert!(x.parse::<f64>().unwrap() + length <= size("width"), "{token}");
                assert!(y.parse::<f64>().unwrap() - length >= 0.0, "{token}");
            }
        }
    }
}
