//! Where values are dropped: on embeddings, between layers, on attentional states, each at a rate of its own.
//!
//! A mask is drawn for every value, or, if it is variational (Gal & Ghahramani 2016), one for each sequence and place, the same at every step. What passes from step to
//! step inside a layer is not masked: the recurrent kernels read it where they wrote it.

use crate::backend::Backend;
use crate::config::ModelConfig;
use crate::ops::SequenceMask;
use crate::tape::{Graph, Var};

/// The rates of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    pub(super) embedding: f32,
    pub(super) layers: f32,
    pub(super) state: f32,
    is_variational: bool,
}

/// A place where values are dropped during one pass over a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    rate: f32,
    /// The mask of all steps, if there is one.
    mask: Option<SequenceMask>,
}

/// Places with one rate that follow each other, each with a mask of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    first: Place,
}

impl Dropout {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let [embedding, layers, state] = config.dropout_rates();
        Self { embedding, layers, state, is_variational: config.variational_dropout }
    }

    /// A place of a pass that begins: what it drops at each use, or at all of them.
    pub(super) fn place<B: Backend>(self, g: &mut Graph<'_, B>, rate: f32) -> Place {
        let has_mask = self.is_variational && rate > 0.0;
        Place { rate, mask: has_mask.then(|| g.sequence_mask()) }
    }

    /// `count` places of a pass that begins.
    pub(super) fn places<B: Backend>(self, g: &mut Graph<'_, B>, rate: f32, count: usize) -> Places {
        let mut first = Place { rate, mask: None };
        for place in 0..count {
            let this = self.place(g, rate);
            first = if place == 0 { this } else { first };
        }
        Places { first }
    }
}

impl Places {
    /// Place `i`.
    pub(super) fn get(self, i: u32) -> Place {
        Place { mask: self.first.mask.map(|mask| mask.following(i)), ..self.first }
    }
}

impl Place {
    pub(super) fn drop<B: Backend>(self, g: &mut Graph<'_, B>, x: Var) -> Var {
        match self.mask {
            Some(mask) => g.dropout_by(x, self.rate, mask),
            None => g.dropout(x, self.rate),
        }
    }
}
