//! The recurrent cells by name.

use lookback_kernels::Cell;
use serde::{Deserialize, Serialize};

/// The recurrent cells a layer can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Long short-term memory (Hochreiter & Schmidhuber 1997).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014), in PyTorch's form.
    Gru,
    /// `h' = tanh(W·x + U·h + b)` (Elman 1990).
    Rnn,
}

/// Evaluates an expression with the kernels' type of a cell.
macro_rules! with_cell {
    ($kind:expr, $cell:ident => $then:expr) => {
        match $kind {
            CellKind::Lstm => {
                type $cell = lookback_kernels::LstmCell;
                $then
            }
            CellKind::Gru => {
                type $cell = lookback_kernels::GruCell;
                $then
            }
            CellKind::Rnn => {
                type $cell = lookback_kernels::RnnCell;
                $then
            }
        }
    };
}
pub(super) use with_cell;

impl CellKind {
    /// The name as it stands in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Rnn => "rnn",
        }
    }

    /// Gates: the width of a cell's input projection, in units of H.
    #[must_use]
    pub fn gates(self) -> usize {
        with_cell!(self, C => C::GATES)
    }

    /// Whether the state has a c besides h.
    #[must_use]
    pub fn has_c(self) -> bool {
        with_cell!(self, C => C::CELL_STATE != 0)
    }

    /// Whether the gradient of the projected input is another than that of the recurrent product.
    #[must_use]
    pub fn has_separate_input_gradient(self) -> bool {
        with_cell!(self, C => C::SEPARATE_INPUT_GRADIENT)
    }

    /// What the cell keeps for the backward pass besides its gates, in units of H.
    #[must_use]
    pub fn saved(self) -> usize {
        with_cell!(self, C => C::SAVED)
    }

    /// Which gate is the forget gate, if there is one; its bias starts at 1.
    #[must_use]
    pub fn forget_gate(self) -> Option<usize> {
        with_cell!(self, C => C::FORGET_GATE)
    }
}
