//! Soft alignments as text: Marian's rows and Nematus' blocks, which the tool SoftAlignments draws.
//!
//! ```text
//! marian  = row *( " " row )                      a row for each target token, the end included
//! row     = weight *( "," weight )                a weight for each source token, the end included
//!
//! nematus = header 1*line LF
//! header  = id " ||| " target " ||| " log-prob " ||| " source " ||| " S " " T LF
//! line    = weight *( " " weight ) LF             T lines of S weights
//! ```
//! `id` counts input lines from 0; hypotheses of one line share it, best first. `target` and `source` are the tokens without the ends; S and T count
//! the ends, if there are: a hypothesis that was cut has none. `log-prob` is in nats (Nematus writes a cost there, Marian nothing). Every weight is
//! written with as many digits as give it back exactly.
//!
//! So that tokens stay apart, white space inside one is `▁`, an empty one `∅`, a control character its picture, and the bars of `|||` are
//! `&#124;`, as Moses escapes them. Tokens are those of the map; for words as readers count them, draw [`AttentionMap::spaced`].

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::{AttentionMap, label::visible};

/// The weights of `map` as Marian's `--alignment soft` prints them, without a line end.
///
/// # Examples
/// ```
/// # use lookback::view::{AttentionMap, Side, to_marian};
/// # let side = |text: &str| Side { text: text.into(), tokens: vec![text.into(), "</s>".into()], words: vec![] };
/// let map = AttentionMap::new(0, side("Tür"), side("door"), vec![0.75, 0.25, 0.0, 1.0], -0.3)?;
/// assert_eq!(to_marian(&map), "0.75,0.25 0,1");
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[must_use]
pub fn to_marian(map: &AttentionMap) -> String {
    joined(map.rows().map(|row| joined(row.iter().map(|&w| number(w)), ",")), " ")
}

/// Writes `map` as a line of Marian's decoder with `--alignment soft`: the target's tokens, ` ||| `, the weights.
///
/// # Errors
/// If writing fails.
pub fn write_marian(mut out: impl Write, map: &AttentionMap) -> io::Result<()> {
    writeln!(out, "{} ||| {}", text(map.tgt().inside()), to_marian(map))
}

/// Writes `map` as a block of Nematus.
///
/// # Errors
/// If writing fails.
pub fn write_nematus(mut out: impl Write, map: &AttentionMap) -> io::Result<()> {
    let (src, tgt) = (text(map.src().inside()), text(map.tgt().inside()));
    let (columns, rows) = (map.src().tokens.len(), map.tgt().tokens.len());
    writeln!(out, "{} ||| {tgt} ||| {} ||| {src} ||| {columns} {rows}", map.id(), map.log_prob())?;
    for row in map.rows() {
        writeln!(out, "{}", joined(row.iter().map(|&w| number(w)), " "))?;
    }
    writeln!(out)
}

/// The shortest digits that give `weight` back.
fn number(weight: f32) -> String {
    if weight > 0.0 && weight < 1e-5 { format!("{weight:e}") } else { weight.to_string() }
}

/// Tokens as a line that white space cuts into them again.
fn text(tokens: &[String]) -> String {
    joined(tokens.iter().map(|token| apart(token).into_owned()), " ")
}

fn apart(token: &str) -> Cow<'_, str> {
    let mut token = visible(token);
    if token.contains("|||") {
        token = Cow::Owned(token.replace('|', "&#124;"));
    }
    if token.contains(char::is_whitespace) {
        token = Cow::Owned(token.replace(char::is_whitespace, "\u{2581}"));
    }
    token
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    let mut out = String::new();
    for (i, part) in parts.enumerate() {
        let written = write!(out, "{}{part}", if i == 0 { "" } else { between });
        debug_assert!(written.is_ok(), "a String takes whatever is written");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::test_maps::{german, map};

    fn written(write: fn(&mut Vec<u8>, &AttentionMap) -> io::Result<()>, map: &AttentionMap) -> String {
        let mut out = Vec::new();
        write(&mut out, map).expect("a Vec takes whatever is written");
        String::from_utf8(out).expect("text")
    }

    fn nematus(map: &AttentionMap) -> String {
        written(|out, map| write_nematus(out, map), map)
    }

    #[test]
    fn a_nematus_block_looks_like_this() {
        let want = "3 ||| The ▁do or ||| -2.5 ||| Die ▁Haus tür ||| 4 4\n\
                    0.85 0.1 0.05 0\n0.02 0.38 0.6 0\n0 0.15 0.8 0.05\n0.125 0 0.125 0.75\n\n";
        assert_eq!(nematus(&german()), want);
        let words = nematus(&german().spaced());
        assert!(words.starts_with("3 ||| The door ||| -2.5 ||| Die Haustür ||| 3 3\n0.85 0.15 0\n"), "{words}");
    }

    #[test]
    fn a_marian_line_looks_like_this() {
        let want = "The ▁do or ||| 0.85,0.1,0.05,0 0.02,0.38,0.6,0 0,0.15,0.8,0.05 0.125,0,0.125,0.75\n";
        assert_eq!(written(|out, map| write_marian(out, map), &german()), want);
    }

    #[test]
    fn a_cut_hypothesis_has_as_many_rows_as_words() {
        let cut = map(&["a", "</s>"], &["x", "y"], &[1.0, 0.0, 0.5, 0.5]);
        assert_eq!(nematus(&cut), "0 ||| x y ||| -1.25 ||| a ||| 2 2\n1 0\n0.5 0.5\n\n");
    }

    #[test]
    fn every_bit_of_a_weight_survives() {
        for weight in [0.1_f32, 1.0 / 3.0, 1.1754944e-38, 9.999_999e-6, 1e-5, 0.99999994, f32::from_bits(1)] {
            assert_eq!(number(weight).parse::<f32>().map(f32::to_bits), Ok(weight.to_bits()), "{}", number(weight));
        }
        assert_eq!([0.0, 1.0, 1e-20].map(number), ["0", "1", "1e-20"]);
    }

    #[test]
    fn tokens_stay_apart_whatever_they_are() {
        let odd = map(&["a b\u{a0}c", "|||", "", "</s>"], &["\n", "x"], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let block = nematus(&odd);
        let header: Vec<&str> = block.lines().next().expect("a header").split(" ||| ").collect();
        assert_eq!(header, ["0", "␣ x", "-1.25", "a▁b▁c &#124;&#124;&#124; ∅", "4 2"]);
    }
}
