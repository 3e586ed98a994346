//! Hard alignments: links between positions, as Pharaoh wrote them and Moses, `fast_align` and Marian do.
//!
//! ```text
//! line  = [ link *( " " link ) ]
//! link  = source "-" target          positions from 0, ascending by source, then by target
//! ```
//! The ends of the sentences are no words: nothing is linked to them. Positions are those of the map's tokens; for what readers of this format
//! count, draw [`AttentionMap::spaced`].

use std::fmt::Write;

use super::AttentionMap;

/// Which weights become links.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Links {
    /// Each target word is linked to the source word with its highest weight, the first of equals (Luong et al. 2015, §5.5).
    #[default]
    Strongest,
    /// Every pair whose weight is above this one.
    Above(f32),
}

/// The links of `map` as a line, without its line end: [`links_of`] written by [`pharaoh_line`].
///
/// # Examples
/// ```
/// # use lookback::view::{AttentionMap, Links, Side, to_pharaoh};
/// # let side = |tokens: &[&str]| Side { text: tokens.join(" "), tokens: tokens.iter().map(ToString::to_string).collect(), words: vec![] };
/// let (src, tgt) = (side(&["schöne", "Tür", "</s>"]), side(&["door", "</s>"]));
/// let map = AttentionMap::new(0, src, tgt, vec![0.3, 0.6, 0.1, 0.0, 0.1, 0.9], -0.3)?;
/// assert_eq!(to_pharaoh(&map, Links::Strongest), "1-0");
/// assert_eq!(to_pharaoh(&map, Links::Above(0.2)), "0-0 1-0");
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[must_use]
pub fn to_pharaoh(map: &AttentionMap, links: Links) -> String {
    pharaoh_line(&links_of(map, links))
}

/// The links of `map`, (source, target) from 0, ascending.
#[must_use]
pub fn links_of(map: &AttentionMap, links: Links) -> Vec<(usize, usize)> {
    let (columns, rows) = (map.src().inside().len(), map.tgt().inside().len());
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (t, weights) in map.rows().take(rows).enumerate() {
        let weights = &weights[..columns];
        match links {
            // `max_by` would keep the last of equals.
            Links::Strongest => {
                found.extend((0..columns).rev().max_by(|&a, &b| weights[a].total_cmp(&weights[b])).map(|s| (s, t)));
            }
            Links::Above(least) => found.extend((0..columns).filter(|&s| weights[s] > least).map(|s| (s, t))),
        }
    }
    found.sort_unstable();
    found
}

/// Links as a line, in their order, without its line end.
#[must_use]
pub fn pharaoh_line(links: &[(usize, usize)]) -> String {
    let mut out = String::new();
    for (s, t) in links {
        let gap = if out.is_empty() { "" } else { " " };
        let written = write!(out, "{gap}{s}-{t}");
        debug_assert!(written.is_ok(), "a String takes whatever is written");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::test_maps::{arabic, german, map};

    #[test]
    fn links_look_like_this() {
        assert_eq!(to_pharaoh(&german(), Links::Strongest), "0-0 2-1 2-2");
        assert_eq!(to_pharaoh(&german().spaced(), Links::Strongest), "0-0 1-1");
        assert_eq!(to_pharaoh(&german().spaced(), Links::Above(0.125)), "0-0 1-0 1-1");
        assert_eq!(to_pharaoh(&arabic(), Links::Above(0.95)), "");
    }

    #[test]
    fn nothing_is_linked_to_an_end() {
        let looks_at_the_end = map(&["a", "b", "</s>"], &["x", "</s>"], &[0.1, 0.2, 0.7, 0.0, 0.1, 0.9]);
        assert_eq!(to_pharaoh(&looks_at_the_end, Links::Strongest), "1-0");
        assert_eq!(to_pharaoh(&looks_at_the_end, Links::Above(0.1)), "1-0");
        let empty = map(&["</s>"], &["x", "</s>"], &[1.0, 1.0]);
        assert_eq!(to_pharaoh(&empty, Links::Strongest), "");
    }

    #[test]
    fn a_hypothesis_that_was_cut_links_its_last_word() {
        let cut = map(&["a", "b", "</s>"], &["x", "y"], &[0.9, 0.1, 0.0, 0.2, 0.8, 0.0]);
        assert_eq!(to_pharaoh(&cut, Links::Strongest), "0-0 1-1");
    }

    #[test]
    fn links_ascend_by_source_and_the_first_of_equals_wins() {
        let crossed = map(&["a", "b"], &["x", "y"], &[0.25, 0.75, 0.5, 0.5]);
        assert_eq!(to_pharaoh(&crossed, Links::Strongest), "0-1 1-0");
    }
}
