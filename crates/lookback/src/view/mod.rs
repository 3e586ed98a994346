//! Attention, drawn: JSON Lines, SVG, terminal, HTML.
