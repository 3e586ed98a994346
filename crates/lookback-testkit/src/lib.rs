//! Test tools shared by the crates of lookback: comparing floats, checking gradients, reading goldens.
#![forbid(unsafe_code)]

mod close;
mod golden;
mod gradient;
mod miri;

pub use close::{assert_close, assert_close_f64};
pub use golden::Golden;
pub use gradient::max_grad_error;
pub use miri::{fewer, is_left_out};
