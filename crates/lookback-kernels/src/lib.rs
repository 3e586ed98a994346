//! Arithmetic on slices: the kernels of lookback.
//!
//! Slices in, slices out, forward and backward side by side; nothing here knows about text, files, parameters or clocks.
//! This is the only crate of the project with `unsafe` code.
//!
//! Every kernel takes an [`Exec`]: the worker [`Pool`] and the [`Isa`] to compute with. Work is cut into tiles by the
//! *shape of the problem* alone and every sum has one fixed order, so the number of threads never changes a bit of a result.
//!
//! Sizes, in comments: B sentences, S source and T target positions, V words, E and H widths. Sequences are time-major:
//! `(T, B, H)`, row-major. Gradients are called `d…` and are *added* to what is there, unless a
//! function says that it sets them ([`Store`]) or writes them over its input.

#![allow(unsafe_code, reason = "this crate is where it lives: vectors and disjoint parts of slices")]

mod adam;
mod attention;
mod bf16;
#[cfg(feature = "counting")]
mod counting;
mod cross_entropy;
mod elementwise;
mod embedding;
mod exact;
mod exec;
mod gemm;
mod gru;
mod guided;
mod int8;
mod isa;
mod lstm;
mod microkernel;
mod philox;
mod pool;
mod real;
mod recurrent;
mod rnn;
mod rows;
mod sgd;
mod shared;
mod softmax;
mod top_k;
mod words;

pub use adam::{AdamStep, adam, adam_rows, squared_norm};
pub use attention::{
    AttentionShape, Score, ScoreBackward, Window, attend, attend_backward_scores, attend_backward_values,
    attend_backward_weights, window_centres, window_centres_backward,
};
pub use bf16::{Products, from_bf16, round_to_bf16, to_bf16};
#[cfg(feature = "counting")]
pub use counting::CountingAllocator;
pub use cross_entropy::{CrossEntropy, RowLoss, Smoothing, cross_entropy_rows};
pub use elementwise::{
    add, add_assign, concat_columns, dropout, fill, mean_rows, mean_rows_backward, split_columns_add, tanh,
    tanh_backward,
};
pub use embedding::{embed, embed_backward};
pub use exact::{exp, ln, pow, power};
pub use exec::Exec;
pub use gemm::{Init, MatRef, Operand, PackedMatrix, column_sums, gemm, multiply_adds_from_cache};
pub use gru::GruCell;
pub use guided::{GuidedCost, GuidedLoss, GuidedRows, guided_rows};
pub use int8::{Int8Matrix, MOST_COLUMNS, quantise_weights};
pub use isa::Isa;
pub use lstm::LstmCell;
pub use microkernel::Store;
pub use philox::{RandomKey, philox4x32};
pub use pool::Pool;
pub use real::Real;
pub use recurrent::{Cell, CellTrace, Direction, RecurrentShape, recurrent, recurrent_backward};
pub use rnn::RnnCell;
pub use rows::SparseRows;
pub use sgd::{SgdStep, sgd, sgd_rows, update_average};
pub use shared::{AnyBits, bytes_mut, with_loss_buffers};
pub use softmax::{log_softmax_among, log_softmax_rows, masked_softmax_row, softmax_row};
pub use top_k::{Candidates, TopK, top_k_rows};
