//! Arithmetic on slices: the kernels of lookback.
//!
//! Slices in, slices out, forward and backward side by side; nothing here knows about text, files, parameters or clocks.
//! This is the only crate of the project with `unsafe` code.
