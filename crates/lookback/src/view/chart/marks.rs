//! What tells several series apart, in colour and without: the shape of a mark, the dashes of its line, and its name beside it.

use super::super::label::{escape, fit, visible};
use super::{count, push};

/// How many looks there are; further series repeat them.
const LOOKS: usize = 6;
/// Least distance between the base lines of two names.
const APART: f64 = 16.0;
/// Longest name, in terminal columns.
const LONGEST: usize = 26;

/// Dashes of the lines, as SVG writes them.
const DASHES: [&str; LOOKS] = ["none", "7 4", "2 3", "10 3 2 3", "14 4", "1 5"];

/// The name of a series as it is drawn.
pub(super) fn name(name: &str) -> String {
    fit(&visible(name), LONGEST).into_owned()
}

/// The line of series `k` through `places`.
pub(super) fn line(out: &mut String, k: usize, places: &[(f64, f64)]) {
    if places.len() > 1 {
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let (look, dash) = (k % LOOKS, DASHES[k % LOOKS]);
        push(
            out,
            format_args!("<path class=\"path c{look}\" stroke-dasharray=\"{dash}\" d=\"M{}\"/>\n", path.join("L")),
        );
    }
}

/// The mark of series `k` at a place: filled and hollow shapes in turn.
pub(super) fn mark(out: &mut String, k: usize, x: f64, y: f64) {
    let look = k % LOOKS;
    let path = match look {
        0 => return push(out, format_args!("<circle class=\"dot f0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>")),
        1 => format!("M{:.1} {:.1}h8v8h-8z", x - 4.0, y - 4.0),
        2 => format!("M{x:.1} {:.1}l5 9h-10z", y - 5.5),
        3 => format!("M{x:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", y - 5.5),
        4 => format!("M{x:.1} {:.1}l-5 -9h10z", y + 5.5),
        _ => format!("M{0:.1} {1:.1}l8 8m0 -8l-8 8", x - 4.0, y - 4.0),
    };
    let filled = if look == 2 || look == 4 { 'f' } else { 'o' };
    push(out, format_args!("<path class=\"{filled}{look}\" d=\"{path}\"/>"));
}

/// The bar of an interval of series `k`.
pub(super) fn bar(out: &mut String, k: usize, x: f64, top: f64, bottom: f64) {
    let path = format!("M{x:.1} {top:.1}V{bottom:.1}M{0:.1} {top:.1}h10M{0:.1} {bottom:.1}h10", x - 5.0);
    push(out, format_args!("<path class=\"bar c{}\" d=\"{path}\"/>", k % LOOKS));
}

/// The names of series beside their last points, `(series, x, y, name)`, at `left`: moved apart where they would meet, with a thin line back.
pub(super) fn names(out: &mut String, mut ends: Vec<(usize, f64, f64, String)>, left: f64, top: f64, bottom: f64) {
    ends.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
    let mut heights: Vec<f64> = Vec::with_capacity(ends.len());
    for (_, _, y, _) in &ends {
        let above = heights.last().map_or(top, |above| above + APART);
        heights.push(y.max(above));
    }
    // Where they ran out at the bottom, all move up.
    let mut below = bottom;
    for height in heights.iter_mut().rev() {
        *height = height.min(below);
        below = *height - APART;
    }
    for ((k, x, y, name), height) in ends.into_iter().zip(heights) {
        let at = left + 20.0;
        push(out, format_args!("<path class=\"lead\" d=\"M{:.1} {y:.1}L{:.1} {height:.1}\"/>", x + 7.0, at - 8.0));
        mark(out, k, at, height);
        push(out, format_args!("<text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n", at + 10.0, height + 4.5, escape(&name)));
    }
}

/// How far series `k` of `of` stands beside the middle of its category, so that intervals do not cover each other.
pub(super) fn beside(k: usize, of: usize, step: f64) -> f64 {
    let apart = (0.6 * step / count(of.max(1))).min(13.0);
    (count(k) - count(of.saturating_sub(1)) / 2.0) * apart
}

/// Colours of the looks: by day, by night. All of them are dark, or light, enough beside their ground.
const COLOURS: [(&str, &str); LOOKS] = [
    ("#bf3f16", "#ff8d57"),
    ("#1d5c86", "#7db7e4"),
    ("#3a6b2f", "#93cf86"),
    ("#6d3f8c", "#c8a2e4"),
    ("#7a5c00", "#dcbc54"),
    ("#26221e", "#ece5da"),
];

/// The rules of the looks.
pub(super) fn css() -> String {
    let rules = |night: bool| -> String {
        (0..LOOKS)
            .map(|k| {
                let colour = if night { COLOURS[k].1 } else { COLOURS[k].0 };
                let ground = if night { "#221d1a" } else { "#f4efe6" };
                format!(
                    ".c{k}{{stroke:{colour}}}.f{k}{{fill:{colour};stroke:{colour}}}.o{k}{{fill:{ground};stroke:{colour};stroke-width:2}}"
                )
            })
            .collect()
    };
    format!("{}@media (prefers-color-scheme:dark){{{}}}", rules(false), rules(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_apart_and_inside() {
        let ends = [10.0, 11.0, 12.0, 188.0, 189.0].iter().enumerate();
        let ends = ends.map(|(k, y)| (k, 0.0, *y, format!("s{k}"))).collect();
        let mut out = String::new();
        names(&mut out, ends, 100.0, 10.0, 190.0);
        let heights: Vec<f64> = (out.split("<text ").skip(1))
            .map(|text| text.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 5);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= APART - 1e-6), "{heights:?}");
        assert!(heights[0] >= 10.0 && heights[4] <= 190.0 + 5.0, "{heights:?}");
    }

    #[test]
    fn no_two_series_look_the_same_without_colour() {
        let looks = (0..LOOKS).map(|k| {
            let mut out = String::new();
            mark(&mut out, k, 50.0, 50.0);
            (out.replace(&format!("{k}\""), "\""), DASHES[k])
        });
        let looks: Vec<_> = looks.collect();
        for (i, look) in looks.iter().enumerate() {
            assert!(looks[..i].iter().all(|other| other.0 != look.0 && other.1 != look.1), "{i}");
        }
    }

    #[test]
    fn series_share_the_width_of_their_category() {
        for of in 1..12 {
            let places: Vec<f64> = (0..of).map(|k| beside(k, of, 84.0)).collect();
            assert!(places.iter().sum::<f64>().abs() < 1e-9 && places.iter().all(|x| x.abs() < 30.0), "{places:?}");
        }
    }
}
