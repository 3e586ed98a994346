//! What an update changes: the weights, what the optimiser remembers, and the average that is kept beside them.

use super::ema::Ema;
use super::optimizer::Optimizer;
use crate::backend::Backend;
use crate::config::TrainConfig;
use crate::params::{Gradients, ParamSpec, Params};

/// Weights that learn.
#[derive(Debug)]
pub(super) struct Learner<B: Backend> {
    /// The weights that gradients are taken of.
    pub(super) params: Params<B>,
    optimizer: Optimizer<B>,
    ema: Option<Ema<B>>,
}

/// A tensor for every parameter.
pub(super) type Values = Vec<Vec<f32>>;
/// Tensors of every parameter, under the name of what they are.
pub(super) type Slot = (&'static str, Values);

impl<B: Backend> Learner<B> {
    /// The names of what is kept of a training with this configuration, besides its position.
    pub(super) fn slots(config: &TrainConfig) -> Vec<&'static str> {
        let ema = (config.ema > 0.0).then_some(Ema::<B>::SLOT);
        std::iter::once("weight").chain(Optimizer::<B>::slots(config).iter().copied()).chain(ema).collect()
    }

    /// Weights that have learned nothing yet.
    pub(super) fn start(backend: &B, params: Params<B>, config: &TrainConfig) -> Self {
        let optimizer = Optimizer::new(backend, params.specs(), config);
        let ema = (config.ema > 0.0).then(|| Ema::new(backend, params.specs(), &params.values(backend), config.ema));
        Self { params, optimizer, ema }
    }

    /// Weights after `updates` updates, from what was kept under [`Learner::slots`].
    ///
    /// # Panics
    /// If there are not as many as slots.
    pub(super) fn resume(
        backend: &B,
        specs: Vec<ParamSpec>,
        mut kept: Vec<Values>,
        config: &TrainConfig,
        updates: u64,
    ) -> Self {
        let ema = (config.ema > 0.0).then(|| kept.pop().expect("averages"));
        let ema = ema.map(|values| Ema::new(backend, &specs, &values, config.ema));
        let optimizer = Optimizer::from_values(backend, config, &kept[1..], updates);
        Self { params: Params::from_values(backend, specs, &kept[0]), optimizer, ema }
    }

    /// What is to be kept, by its names.
    pub(super) fn kept(&self, backend: &B, config: &TrainConfig) -> Vec<Slot> {
        let ema = self.ema.iter().map(|ema| ema.params.values(backend));
        let values = std::iter::once(self.params.values(backend)).chain(self.optimizer.values(backend)).chain(ema);
        Self::slots(config).into_iter().zip(values).collect()
    }

    /// One update; see [`Optimizer::step`].
    pub(super) fn step(&mut self, backend: &B, gradients: &Gradients<B>, rate: f64, tokens: u64) -> f64 {
        let norm = self.optimizer.step(backend, &mut self.params, gradients, rate, tokens);
        if let Some(ema) = self.ema.as_mut().filter(|_| norm.is_finite()) {
            ema.step(backend, &self.params, self.optimizer.updates());
        }
        norm
    }

    /// The weights that are validated and become the model: the average, if there is one.
    pub(super) fn shown(&mut self) -> &mut Params<B> {
        self.ema.as_mut().map_or(&mut self.params, |ema| &mut ema.params)
    }
}
