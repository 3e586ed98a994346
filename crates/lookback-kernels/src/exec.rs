//! What a kernel computes with: the worker pool and the instruction set.

use crate::{Isa, Pool};

/// Workers and instruction set, handed to every kernel by the caller.
#[derive(Debug, Clone, Copy)]
pub struct Exec<'a> {
    /// The workers that share the tiles of a kernel.
    pub pool: &'a Pool,
    /// The instruction set; results differ between instruction sets within rounding.
    pub isa: Isa,
}
