//! The output layer: from attentional states to the target vocabulary.
//!
//! ```text
//! logits = W_y s̃ + b_y           W_y (V, H) its own, or the embedding (V, E) where they are tied (Press & Wolf 2017)
//! logits = W_y (P s̃) + b_y       tied, E ≠ H: P (E, H) makes the state as wide as the embedding
//! ```

use crate::backend::{Backend, CrossEntropy, Smoothing};
use crate::config::{ModelConfig, TiedEmbeddings};
use crate::model::layout::{Layout, Sizes};
use crate::ops::Narrow;
use crate::params::{Init, ParamId};
use crate::tape::{Graph, IdsVar, Var};

#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    projection: Option<ParamId>,
    weight: ParamId,
    bias: ParamId,
}

impl Output {
    /// The layer to `vocab` pieces, whose embedding is `embedding`.
    pub(super) fn new(
        layout: &mut Layout,
        config: &ModelConfig,
        sizes: Sizes,
        vocab: usize,
        embedding: ParamId,
    ) -> Self {
        if config.tied_embeddings == TiedEmbeddings::None {
            let (weight, bias) = layout.linear("decoder.output", vocab, sizes.hidden, false);
            return Self { projection: None, weight, bias };
        }
        layout.multiply(embedding);
        let (width, hidden) = (sizes.embedding, sizes.hidden);
        let projection = (width != hidden)
            .then(|| layout.matrix("decoder.output.projection.weight".into(), width, hidden, width, false));
        let bias = layout.vector("decoder.output.bias".into(), vocab, Init::Constant(0.0));
        Self { projection, weight: embedding, bias }
    }

    /// As wide as the rows of W_y.
    fn projected<B: Backend>(&self, g: &mut Graph<'_, B>, attentional: Var) -> Var {
        self.projection.map_or(attentional, |p| g.linear(attentional, p, None))
    }

    pub(super) fn logits<B: Backend>(&self, g: &mut Graph<'_, B>, attentional: Var) -> Var {
        let x = self.projected(g, attentional);
        g.linear(x, self.weight, Some(self.bias))
    }

    /// The layer of some pieces alone.
    pub(super) fn narrow<B: Backend>(&self, g: &Graph<'_, B>, ids: &[u32]) -> Narrow<B> {
        g.narrow(self.weight, self.bias, ids)
    }

    pub(super) fn narrow_log_probs<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        attentional: Var,
        layer: &Narrow<B>,
        lists: &[Vec<u32>],
    ) -> Var {
        let x = self.projected(g, attentional);
        g.narrow_log_probs(x, layer, lists)
    }

    pub(super) fn cross_entropy<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        attentional: Var,
        targets: IdsVar,
        smoothing: Smoothing,
    ) -> CrossEntropy {
        let x = self.projected(g, attentional);
        g.cross_entropy(x, self.weight, self.bias, targets, smoothing)
    }

    /// The negative log-likelihood of every position, in nats; 0 where the target is `ignore`.
    pub(super) fn token_nll<B: Backend>(
        &self,
        g: &mut Graph<'_, B>,
        attentional: Var,
        targets: IdsVar,
        ignore: u32,
    ) -> Vec<f64> {
        let x = self.projected(g, attentional);
        g.token_nll(x, self.weight, self.bias, targets, ignore)
    }
}
