//! From files of pairs to batches of ids.

pub mod dates;
