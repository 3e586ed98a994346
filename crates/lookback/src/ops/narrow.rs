//! An output layer over some of the pieces.
//!
//! ```text
//! z = x·W'ᵀ + b'                          W', b': the rows of W and b of some pieces
//! log p[n, v] = z[n, v] − log Σ_{w ∈ L_n} exp z[n, w]         for v in L_n, the list of row n; −∞ elsewhere
//! ```
//! Search only. A row's list is its own: what other rows may say changes none of its bits.

use crate::backend::Backend;
use crate::params::ParamId;
use crate::tape::{Graph, Shape, Var};

/// Some rows of an output layer, for the sentences of a batch.
#[derive(Debug)]
pub struct Narrow<B: Backend> {
    weight: B::Weight,
    bias: B::Weight,
    /// The pieces of these rows (U,), ascending.
    ids: Vec<u32>,
    /// V, of all pieces.
    width: usize,
}

impl<B: Backend> Graph<'_, B> {
    /// The rows `ids` of the layer W (V, I), b (V,).
    ///
    /// # Panics
    /// If an id is outside the layer.
    pub fn narrow(&self, weight: ParamId, bias: ParamId, ids: &[u32]) -> Narrow<B> {
        let (width, _) = self.params.specs()[weight.0].matrix();
        let (weight, bias) = (self.params.weight(weight), self.params.weight(bias));
        Narrow {
            weight: self.backend.select_rows(weight, ids),
            bias: self.backend.select_entries(bias, ids),
            ids: ids.to_vec(),
            width,
        }
    }

    /// Log-probabilities (T, R, V) of `x` (T, R, I): row r of every step among the pieces in `lists[r / (R / lists)]`, given as places in the layer's ids.
    ///
    /// # Panics
    /// If the graph records, or the rows cannot be dealt to the lists.
    pub fn narrow_log_probs(&mut self, x: Var, layer: &Narrow<B>, lists: &[Vec<u32>]) -> Var {
        assert!(!self.is_recording(), "no gradients flow through some of the rows of a layer");
        let shape = self.shape(x);
        assert_eq!(shape.batch % lists.len(), 0, "as many rows for every list");
        let group = shape.batch / lists.len();
        let (logits, log_probs) = (Shape { width: layer.ids.len(), ..shape }, Shape { width: layer.width, ..shape });
        let (mut z, mut y) = (self.alloc(logits.len()), self.alloc(log_probs.len()));
        self.backend.linear(&mut z, self.tensor(x), &layer.weight, Some(&layer.bias));
        let among = |n: usize| lists[n % shape.batch / group].as_slice();
        self.backend.log_softmax_among(&mut y, layer.width, &z, &layer.ids, &among);
        self.release(z);
        self.push(y, log_probs)
    }
}
