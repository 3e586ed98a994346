//! From files of pairs to batches of ids.
