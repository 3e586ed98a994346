//! Sequence-to-sequence models with attention: trained, measured, run, and seen through.
#![forbid(unsafe_code)]

pub mod data;
pub mod eval;
pub mod search;
pub mod text;
pub mod view;
