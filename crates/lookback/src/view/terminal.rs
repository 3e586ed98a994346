//! A heat map for the terminal: a row for each target token, a column for each source token.
//!
//! ```text
//!       Die
//!       │  Haustür
//!       │  │  </s>
//!   The ██ ░░     ← Die 85 %
//!  door    ██     ← Haustür 96 %
//!  </s> ░░ ░░ ██  ← </s> 75 %
//! ```
//! Labels of columns are stacked so that each is written horizontally above its column, and as low as it fits. With colours the field
//! is a surface of its own, dark to bright, that reads the same on a light and on a dark terminal.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::{
    AttentionMap,
    label::{fit, is_right_to_left, visible},
};

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// 24-bit colours; cells wide enough also hold their percentage.
    Colour,
    /// The five shades ` ░▒▓█` and no escape sequence.
    Plain,
}

/// Longest label, in columns of the terminal.
const LONGEST: usize = 16;
/// Width of ` ← ` and ` 100 %` around the strongest token.
const TAIL: usize = 9;
/// Cells are this wide, gap included; two columns of a terminal make about a square.
const NARROWEST: usize = 2;
const WIDEST: usize = 7;
/// From this width on a cell has room for its percentage.
const NUMBERED: usize = 4;

/// Draws `map` in at most `width` columns; maps that are wider are cut into blocks of source tokens.
///
/// Each line ends with the source token that received most, and its share. Tokens are drawn as they are in the map; pass
/// [`AttentionMap::merged`] for words. A `width` too small for one column is exceeded.
///
/// # Examples
/// ```
/// # use lookback::view::{AttentionMap, Ink, Side, to_terminal};
/// # let side = |text: &str| Side { text: text.into(), tokens: vec![text.into(), "</s>".into()], words: vec![] };
/// # let map = AttentionMap::new(0, side("Tür"), side("door"), vec![0.9, 0.1, 0.2, 0.8], -0.3)?;
/// let drawn = to_terminal(&map, 80, Ink::Plain);
/// assert!(drawn.contains("← Tür 90 %"));
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[must_use]
pub fn to_terminal(map: &AttentionMap, width: usize, ink: Ink) -> String {
    let labels = |tokens: &[String]| tokens.iter().map(|t| fit(&visible(t), LONGEST).into_owned()).collect::<Vec<_>>();
    let (columns, rows) = (labels(&map.src().tokens), labels(&map.tgt().tokens));
    let widest = |labels: &[String]| labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let (left, right) = (widest(&rows) + 2, widest(&columns) + TAIL);
    let room = width.saturating_sub(left + right);
    let pitch = (room / columns.len()).clamp(NARROWEST, WIDEST);
    let per_block = (room / pitch).max(1);
    // Blocks of nearly the same size: a last block of one column is hard to read.
    let blocks = columns.len().div_ceil(per_block);
    let per_block = columns.len().div_ceil(blocks);

    let mut out = String::new();
    for first in (0..columns.len()).step_by(per_block) {
        let block = first..columns.len().min(first + per_block);
        if first > 0 {
            out.push('\n');
        }
        push_header(&mut out, &columns[block.clone()], left, pitch, ink);
        for (label, weights) in rows.iter().zip(map.rows()) {
            let pad = left - 1 - label.width();
            let _ = write!(out, "{:pad$}{}{} ", "", label, stop(label));
            for &weight in &weights[block.clone()] {
                push_cell(&mut out, weight, pitch, ink);
            }
            push_strongest(&mut out, &columns, weights, ink);
        }
    }
    out
}

/// Labels above their columns: the last one lowest; a label that would touch one to its right stands above that.
fn push_header(out: &mut String, labels: &[String], left: usize, pitch: usize, ink: Ink) {
    let mut levels = vec![0; labels.len()];
    for i in (0..labels.len()).rev() {
        let end = i * pitch + labels[i].width() + 1;
        let touched = (i + 1..labels.len()).take_while(|j| j * pitch < end);
        levels[i] = touched.map(|j| levels[j] + 1).max().unwrap_or(0);
    }
    for level in (0..=levels.iter().copied().max().unwrap_or(0)).rev() {
        let (mut line, mut at) = (" ".repeat(left), 0);
        for (i, label) in labels.iter().enumerate().filter(|(i, _)| levels[*i] >= level) {
            line.extend(std::iter::repeat_n(' ', i * pitch - at));
            if levels[i] == level {
                let _ = write!(line, "{label}{}", stop(label));
                at = i * pitch + label.width();
            } else {
                line.push_str(if ink == Ink::Colour { "\x1b[2m│\x1b[22m" } else { "│" });
                at = i * pitch + 1;
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn push_cell(out: &mut String, weight: f32, pitch: usize, ink: Ink) {
    match ink {
        Ink::Plain => {
            let shade = match weight {
                w if w < 0.05 => ' ',
                w if w < 0.25 => '░',
                w if w < 0.50 => '▒',
                w if w < 0.75 => '▓',
                _ => '█',
            };
            out.extend(std::iter::repeat_n(shade, pitch - 1));
            out.push(' ');
        }
        Ink::Colour => {
            let [r, g, b] = colour(weight);
            let [tr, tg, tb] = if weight > 0.45 { [33, 29, 27] } else { [236, 214, 196] };
            let percent =
                if pitch >= NUMBERED && weight >= 0.095 { format!("{:.0}", 100.0 * weight) } else { String::new() };
            let _ = write!(out, "\x1b[48;2;{r};{g};{b};38;2;{tr};{tg};{tb}m{percent:^pitch$}\x1b[0m");
        }
    }
}

/// From near black over the accent to bright.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "mixed from bytes, with a share of 0 to 1")]
fn colour(weight: f32) -> [u8; 3] {
    const RAMP: [[f32; 3]; 3] = [[33.0, 29.0, 27.0], [201.0, 82.0, 34.0], [255.0, 206.0, 156.0]];
    let at = weight.clamp(0.0, 1.0) * 2.0;
    let (from, to, share) = if at < 1.0 { (RAMP[0], RAMP[1], at) } else { (RAMP[1], RAMP[2], at - 1.0) };
    std::array::from_fn(|i| (from[i] + share * (to[i] - from[i])).round() as u8)
}

fn push_strongest(out: &mut String, columns: &[String], weights: &[f32], ink: Ink) {
    // `max_by` would keep the last of equals.
    let strongest = (0..weights.len()).rev().max_by(|&a, &b| weights[a].total_cmp(&weights[b]));
    if let Some(s) = strongest {
        let (dim, plain) = if ink == Ink::Colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let _ =
            writeln!(out, " {dim}← {plain}{}{} {dim}{:.0} %{plain}", columns[s], stop(&columns[s]), 100.0 * weights[s]);
    }
}

/// A left-to-right mark after a label from right to left, or a terminal that reorders would swap neighbours.
fn stop(label: &str) -> &'static str {
    if is_right_to_left(label) { "\u{200e}" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::test_maps::{arabic, german, map};

    /// `drawn` without colours.
    fn bare(drawn: &str) -> String {
        let mut parts = drawn.split("\x1b[");
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    }

    /// A map that looks along the diagonal.
    fn diagonal(words: &[&str]) -> AttentionMap {
        let n = words.len();
        let weights: Vec<f32> = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
        map(words, words, &weights)
    }

    #[test]
    fn a_plain_map_looks_like_this() {
        let drawn = to_terminal(&german().merged(), 33, Ink::Plain);
        let want = [
            "      Die",
            "      │  Haustür",
            "      │  │  </s>",
            "  The ██ ░░     ← Die 85 %",
            " door    ██     ← Haustür 96 %",
            " </s> ░░ ░░ ██  ← </s> 75 %",
        ];
        assert_eq!(drawn.lines().collect::<Vec<_>>(), want, "\n{drawn}");
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        let words =
            ["Der", "kleine", "Junge", "東京都庁舎前", "학교에서", "spielt", "mit", "dem", "Ball", "Hund", ".", "</s>"];
        for map in [diagonal(&words), german(), arabic()] {
            for width in [50, 60, 80, 120] {
                for ink in [Ink::Plain, Ink::Colour] {
                    let drawn = bare(&to_terminal(&map, width, ink));
                    let widest = drawn.lines().map(UnicodeWidthStr::width).max().unwrap();
                    assert!(widest <= width, "{widest} > {width}\n{drawn}");
                }
            }
        }
    }

    #[test]
    fn a_wide_map_is_cut_into_blocks_that_lose_no_column() {
        let words: Vec<String> = (0..30).map(|i| format!("w{i}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let drawn = to_terminal(&diagonal(&words), 60, Ink::Plain);
        assert!(drawn.contains("\n\n"), "{drawn}");
        assert_eq!(drawn.matches('█').count(), 30, "{drawn}");
    }

    #[test]
    fn each_label_stands_above_its_column() {
        let drawn = to_terminal(&diagonal(&["東京", "へ", "行く", "</s>"]), 40, Ink::Plain);
        for (row, word) in ["東京", "へ", "行く", "</s>"].iter().enumerate() {
            let column = |line: &str, of: &str| line.find(of).map(|at| line[..at].width());
            let cell = drawn.lines().filter(|l| l.contains('█')).nth(row).unwrap();
            let header = drawn.lines().take_while(|l| !l.contains('█')).find_map(|l| column(l, word));
            assert_eq!(column(cell, "█"), header, "{word}\n{drawn}");
        }
    }

    #[test]
    fn plain_ink_has_no_escape_and_a_token_cannot_smuggle_one() {
        let hostile = map(&["\x1b[2J", "</s>"], &["\x1b]0;x\x07", "</s>"], &[1.0, 0.0, 0.0, 1.0]);
        assert!(!to_terminal(&hostile, 80, Ink::Plain).contains('\x1b'));
        assert!(bare(&to_terminal(&hostile, 80, Ink::Colour)).contains("␛[2J"));
    }

    #[test]
    fn brighter_means_more() {
        let light = |w: f32| colour(w).iter().map(|&c| u32::from(c)).sum::<u32>();
        assert!((0..20).all(|i| light(i as f32 / 20.0) < light((i + 1) as f32 / 20.0)));
    }
}
