//! Names, shapes and starts of the parameters, collected while the model is put together.

use crate::config::ModelConfig;
use crate::model::dropout::Dropout;
use crate::params::{Init, ParamId, ParamSpec, Role};

/// Half the width of the uniform start of embeddings.
const EMBEDDING_LIMIT: f32 = 0.1;

/// The sizes of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) embedding: usize,
    pub(super) hidden: usize,
    pub(super) encoder: usize,
    pub(super) dropout: Dropout,
}

impl Sizes {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let resolved = "the configuration was resolved";
        let hidden = config.hidden.expect(resolved);
        Self {
            embedding: config.embedding.expect(resolved),
            hidden,
            encoder: config.encoder_hidden.unwrap_or(hidden),
            dropout: Dropout::of(config),
        }
    }
}

/// Collects parameters.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) specs: Vec<ParamSpec>,
}

impl Layout {
    fn add(&mut self, name: String, shape: Vec<usize>, init: Init, role: Role) -> ParamId {
        self.specs.push(ParamSpec { name, shape, init, role });
        ParamId(self.specs.len() - 1)
    }

    /// An embedding table (V, E), whose rows are looked up.
    pub(super) fn embedding(&mut self, name: &str, vocab: usize, width: usize) -> ParamId {
        self.add(format!("{name}.weight"), vec![vocab, width], Init::Uniform(EMBEDDING_LIMIT), Role::LookUp)
    }

    /// Makes a table take part in products, too.
    pub(super) fn multiply(&mut self, table: ParamId) {
        self.specs[table.0].role = Role::Product;
    }

    /// A matrix (O, I), uniform in ±√(6 / (fan-in + fan-out)) (Glorot & Bengio 2010); `fan_out` is that of one gate.
    pub(super) fn matrix(&mut self, name: String, rows: usize, cols: usize, fan_out: usize, per_step: bool) -> ParamId {
        let limit = (6.0 / (cols + fan_out) as f32).sqrt();
        self.add(name, vec![rows, cols], Init::Uniform(limit), if per_step { Role::PerStep } else { Role::Product })
    }

    /// A vector (O,).
    pub(super) fn vector(&mut self, name: String, len: usize, init: Init) -> ParamId {
        self.add(name, vec![len], init, Role::Product)
    }

    /// A linear layer `{name}.weight` (O, I) and `{name}.bias` (O,).
    pub(super) fn linear(&mut self, name: &str, rows: usize, cols: usize, per_step: bool) -> (ParamId, ParamId) {
        let weight = self.matrix(format!("{name}.weight"), rows, cols, rows, per_step);
        (weight, self.vector(format!("{name}.bias"), rows, Init::Constant(0.0)))
    }
}
