//! The bridge: how the encoder's final states become the decoder's first, layer by layer.
//!
//! ```text
//! copy      h = h_enc                  c = c_enc
//! project   h = tanh(W·h_enc + b)      c = W'·c_enc + b'        c_enc is h_enc where the encoder's cell has no c
//! zero      h = 0                      c = 0
//! ```

use crate::backend::Backend;
use crate::config::{self, ModelConfig};
use crate::model::Memory;
use crate::model::layout::{Layout, Sizes};
use crate::model::recurrent::RecurrentLayer;
use crate::ops::State;
use crate::params::ParamId;
use crate::tape::Graph;

#[derive(Debug, Clone)]
pub(super) enum Bridge {
    Copy,
    Project(Vec<Projection>),
    Zero,
}

/// The projection to one decoder layer, from the encoder's layer `from`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Projection {
    from: usize,
    h: (ParamId, ParamId),
    /// For a cell with c.
    c: Option<(ParamId, ParamId)>,
}

impl Bridge {
    pub(super) fn new(layout: &mut Layout, config: &ModelConfig, sizes: Sizes) -> Self {
        match config.bridge {
            config::Bridge::Copy => Self::Copy,
            config::Bridge::Zero => Self::Zero,
            config::Bridge::Project => {
                Self::Project((0..config.decoder_layers).map(|l| Projection::new(layout, config, sizes, l)).collect())
            }
        }
    }

    /// The decoder's first states, of `layers`.
    pub(super) fn start<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        memory: &Memory,
        layers: &[RecurrentLayer],
    ) -> Vec<State> {
        let mut states = g.states();
        match self {
            Self::Copy => states.extend_from_slice(&memory.last),
            Self::Project(projections) => states.extend(projections.iter().map(|p| p.apply(g, memory.last[p.from]))),
            Self::Zero => {
                let batch = g.shape(memory.states).batch;
                states.extend(layers.iter().map(|layer| layer.zeros(g, batch)));
            }
        }
        states
    }
}

impl Projection {
    fn new(layout: &mut Layout, config: &ModelConfig, sizes: Sizes, layer: usize) -> Self {
        // Top meets top: a deeper encoder leaves out its lowest layers, a shorter one gives its top layer several times.
        let above = config.encoder_layers.saturating_sub(config.decoder_layers);
        let from = (layer + above).min(config.encoder_layers - 1);
        let mut linear =
            |what| layout.linear(&format!("decoder.bridge.{what}_l{layer}"), sizes.hidden, sizes.encoder, false);
        Self { from, h: linear("h"), c: config.cell.has_c().then(|| linear("c")) }
    }

    fn apply<B: Backend>(&self, g: &mut Graph<'_, B>, last: State) -> State {
        let h = g.linear(last.h, self.h.0, Some(self.h.1));
        let c = self.c.map(|c| g.linear(last.c.unwrap_or(last.h), c.0, Some(c.1)));
        State { h: g.tanh(h), c }
    }
}
