//! What an update changes: the weights, what the optimiser remembers, and the average that is kept beside them.

use super::ema::Ema;
use super::optimizer::Optimizer;
use crate::backend::Backend;
use crate::checkpoint::Tensor;
use crate::config::TrainConfig;
use crate::params::{Gradients, ParamSpec, Params};

/// The name of the weights in a training's state.
const WEIGHT: &str = "weight";

/// Weights that learn.
#[derive(Debug)]
pub(super) struct Learner<B: Backend> {
    /// The weights that gradients are taken of.
    pub(super) params: Params<B>,
    optimizer: Optimizer<B>,
    ema: Option<Ema<B>>,
}

impl<B: Backend> Learner<B> {
    /// The names of what is kept of a training with this configuration, besides its position.
    pub(super) fn slots(config: &TrainConfig) -> Vec<&'static str> {
        let ema = (config.ema > 0.0).then_some(Ema::<B>::SLOT);
        std::iter::once(WEIGHT).chain(Optimizer::<B>::slots(config).iter().copied()).chain(ema).collect()
    }

    /// Weights that have learned nothing yet.
    pub(super) fn start(backend: &B, params: Params<B>, config: &TrainConfig) -> Self {
        let optimizer = Optimizer::new(backend, params.specs(), config);
        let ema = (config.ema > 0.0).then(|| {
            let average = Params::from_values(backend, params.specs().to_vec(), &params.values(backend));
            Ema::new(average, config.ema)
        });
        Self { params, optimizer, ema }
    }

    /// Weights after `updates` updates, from what `read` gives of each of [`Learner::slots`] and every parameter, one after another.
    ///
    /// # Errors
    /// If it fails.
    pub(super) fn resume<E>(
        backend: &B,
        specs: Vec<ParamSpec>,
        config: &TrainConfig,
        updates: u64,
        mut read: impl FnMut(&str, &ParamSpec) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let optimizer = Optimizer::read(backend, &specs, config, updates, &mut read)?;
        let ema = (config.ema > 0.0).then(|| {
            let params = Params::read(backend, specs.clone(), |spec| read(Ema::<B>::SLOT, spec))?;
            Ok(Ema::new(params, config.ema))
        });
        let ema = ema.transpose()?;
        Ok(Self { params: Params::read(backend, specs, |spec| read(WEIGHT, spec))?, optimizer, ema })
    }

    /// What is to be kept: every slot of every parameter.
    pub(super) fn tensors<'a>(&'a self, backend: &'a B) -> Vec<Tensor<'a>> {
        let mut tensors = self.params.tensors(backend, &format!("{WEIGHT}."));
        tensors.extend(self.optimizer.tensors(backend, self.params.specs()));
        let ema = self.ema.iter().flat_map(|ema| ema.params.tensors(backend, &format!("{}.", Ema::<B>::SLOT)));
        tensors.extend(ema);
        tensors
    }

    /// One update; see [`Optimizer::step`].
    pub(super) fn step(&mut self, backend: &B, gradients: &mut Gradients<B>, rate: f64, tokens: u64) -> f64 {
        let norm = self.optimizer.step(backend, &mut self.params, gradients, rate, tokens);
        if let Some(ema) = self.ema.as_mut().filter(|_| norm.is_finite()) {
            ema.step(backend, &self.params, self.optimizer.updates());
        }
        norm
    }

    /// The weights that are validated and become the model, to be read.
    pub(super) fn model(&self) -> &Params<B> {
        self.ema.as_ref().map_or(&self.params, |ema| &ema.params)
    }

    /// The weights that are validated and become the model: the average, if there is one.
    pub(super) fn shown(&mut self) -> &mut Params<B> {
        self.ema.as_mut().map_or(&mut self.params, |ema| &mut ema.params)
    }
}
