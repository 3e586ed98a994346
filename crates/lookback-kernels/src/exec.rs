//! What a kernel computes with: the worker pool, the instruction set, and what products round their operands to.

use crate::{Isa, Pool, Products};

/// Workers, instruction set and the precision of products, handed to every kernel by the caller.
#[derive(Debug, Clone, Copy)]
pub struct Exec<'a> {
    /// The workers that share the tiles of a kernel.
    pub pool: &'a Pool,
    /// The instruction set; results differ between instruction sets within rounding.
    pub isa: Isa,
    /// What the operands of products are rounded to. A matrix that was packed before brings its own.
    pub products: Products,
}

impl<'a> Exec<'a> {
    /// Products in the precision of the numbers themselves.
    #[must_use]
    pub fn new(pool: &'a Pool, isa: Isa) -> Self {
        Self { pool, isa, products: Products::Full }
    }

    /// The same workers and instruction set with other products.
    #[must_use]
    pub fn with(self, products: Products) -> Self {
        Self { products, ..self }
    }
}
