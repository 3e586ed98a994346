//! Sequence-to-sequence models with attention: trained, measured, run, and seen through.
#![forbid(unsafe_code)]

pub mod align;
pub mod backend;
#[cfg(feature = "files")]
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod eval;
pub mod explain;
pub mod model;
pub mod ops;
pub mod params;
#[cfg(feature = "files")]
mod read_bounded;
pub mod search;
pub mod shortlist;
pub mod stored;
#[cfg(feature = "train")]
pub mod study;
pub mod tape;
pub mod text;
#[cfg(feature = "train")]
pub mod train;
pub mod translator;
pub mod view;

pub use translator::{EnsembleError, PairScore, Request, TranslateError, Translation, Translator};
