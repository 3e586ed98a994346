//! stub
use super::AttentionMap;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// 24-bit background colours.
    Colour,
    /// Shade characters only, no escape sequences.
    Plain,
}

/// Draws `map` for a terminal that is `width` columns wide.
#[must_use]
pub fn to_terminal(map: &AttentionMap, width: usize, ink: Ink) -> String {
    let _ = (width, ink);
    map.src().text.clone()
}
