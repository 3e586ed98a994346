//! stub
use super::AttentionMap;

/// How a weight is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A full cell whose strength of colour is the weight.
    Heat,
    /// A box whose area is the weight.
    Boxes,
}

/// Draws `map` as a standalone SVG document.
#[must_use]
pub fn to_svg(map: &AttentionMap, style: Style) -> String {
    let _ = style;
    map.src().text.clone()
}
