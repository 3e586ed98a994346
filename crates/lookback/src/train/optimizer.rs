//! The update of all parameters, with the global norm clipped, in PyTorch's order of operations.
//!
//! ```text
//! g = Σ∇ / tokens · min(1, clip / (‖Σ∇ / tokens‖ + 1e-6))
//! adam     m = β₁m + (1−β₁)g     v = β₂v + (1−β₂)g²     w −= rate · m̂ / (√v̂ + ε)          Kingma & Ba 2015
//! adamw    w −= rate·λ·w first, matrices only                                             Loshchilov & Hutter 2019
//! sgd      m = μm + g            w −= rate · m          without momentum m is g           Polyak 1964, as PyTorch has it
//! ```
//! Vectors (biases, the additive score's v) do not decay: they are few, and nothing is gained by pulling a bias to 0.

use crate::backend::{AdamStep, Backend, Gradient, Real, SgdStep};
use crate::checkpoint::{Numbers, Tensor};
use crate::config::{OptimizerKind, TrainConfig};
use crate::params::{Gradients, ParamSpec, Params};

/// What an optimiser remembers from update to update, and how many it has made.
#[derive(Debug)]
pub struct Optimizer<B: Backend> {
    settings: TrainConfig,
    /// For each of [`Optimizer::slots`], a tensor for every parameter.
    slots: Vec<Vec<B::Tensor>>,
    updates: u64,
}

impl<B: Backend> Optimizer<B> {
    /// The names of what the optimiser of a configuration keeps for every parameter: nothing more is needed to go on.
    #[must_use]
    pub fn slots(config: &TrainConfig) -> &'static [&'static str] {
        match config.optimizer {
            OptimizerKind::Adam | OptimizerKind::AdamW => &["adam_m", "adam_v"],
            OptimizerKind::Sgd if config.momentum > 0.0 => &["sgd_momentum"],
            OptimizerKind::Sgd => &[],
        }
    }

    /// An optimiser that has made no update.
    #[must_use]
    pub fn new(backend: &B, specs: &[ParamSpec], config: &TrainConfig) -> Self {
        let zeros = |spec: &ParamSpec| {
            let mut tensor = backend.alloc(spec.len());
            backend.set_len(&mut tensor, spec.len());
            backend.fill(&mut tensor, B::Elem::ZERO);
            tensor
        };
        let slots = Self::slots(config).iter().map(|_| specs.iter().map(zeros).collect()).collect();
        Self { settings: config.clone(), slots, updates: 0 }
    }

    /// An optimiser that has made `updates` updates and remembers what `read` gives of a slot and a parameter.
    ///
    /// # Errors
    /// If it fails.
    pub(super) fn read<E>(
        backend: &B,
        specs: &[ParamSpec],
        config: &TrainConfig,
        updates: u64,
        mut read: impl FnMut(&str, &ParamSpec) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut tensor = |slot: &str, spec: &ParamSpec| {
            let values: Vec<B::Elem> = read(slot, spec)?.iter().map(|&v| B::Elem::from_f64(f64::from(v))).collect();
            let mut tensor = backend.alloc(values.len());
            backend.upload(&mut tensor, &values);
            Ok(tensor)
        };
        let slots = Self::slots(config).iter().map(|slot| specs.iter().map(|spec| tensor(slot, spec)).collect());
        Ok(Self { settings: config.clone(), slots: slots.collect::<Result<_, E>>()?, updates })
    }

    /// What is remembered of every parameter, to be written under the name of the slot and its own.
    pub(super) fn tensors<'a>(&'a self, backend: &'a B, specs: &[ParamSpec]) -> Vec<Tensor<'a>> {
        let tensor = |slot: &str, spec: &ParamSpec, x: &'a B::Tensor| Tensor {
            name: format!("{slot}.{}", spec.name),
            shape: spec.shape.clone(),
            numbers: Numbers::Elsewhere(Box::new(move |from, to: &mut [f32]| backend.read(x, from, to))),
        };
        let slots = Self::slots(&self.settings).iter().zip(&self.slots);
        slots.flat_map(|(slot, xs)| specs.iter().zip(xs).map(move |(spec, x)| tensor(slot, spec, x))).collect()
    }

    /// Updates made.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// One update from gradients summed over `tokens` target tokens. Returns the norm of the gradient per token, before clipping; if it is not
    /// finite, nothing is changed.
    pub fn step(
        &mut self,
        backend: &B,
        params: &mut Params<B>,
        gradients: &mut Gradients<B>,
        rate: f64,
        tokens: u64,
    ) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let tokens = tokens as f64;
        let norm = gradients.norm(backend) / tokens;
        if !norm.is_finite() {
            return norm;
        }
        let bound = self.settings.clip_norm;
        let clip = if bound > 0.0 { (bound / (norm + 1e-6)).min(1.0) } else { 1.0 };
        self.updates += 1;
        for (i, gradient) in gradients.settled(backend).iter().enumerate() {
            let is_matrix = params.specs()[i].shape.len() == 2;
            let weight = &mut params.weights_mut()[i];
            self.update(backend, i, is_matrix, weight, gradient, [rate, clip / tokens]);
        }
        norm
    }

    /// Updates parameter `i`.
    fn update(
        &mut self,
        backend: &B,
        i: usize,
        is_matrix: bool,
        weight: &mut B::Weight,
        gradient: &Gradient<B::Tensor, B::Rows>,
        [rate, scale]: [f64; 2],
    ) {
        let TrainConfig { optimizer, beta1, beta2, epsilon, momentum, weight_decay, .. } = self.settings;
        match (optimizer, &mut self.slots[..]) {
            (OptimizerKind::Adam | OptimizerKind::AdamW, [m, v]) => {
                let decay = if is_matrix { weight_decay.unwrap_or(0.0) } else { 0.0 };
                let step = AdamStep { rate, beta1, beta2, epsilon, step: self.updates, decay, scale };
                backend.adam(weight, gradient, &mut m[i], &mut v[i], step);
            }
            (_, slots) => {
                let m = slots.first_mut().map(|slot| &mut slot[i]);
                backend.sgd(weight, gradient, m, SgdStep { rate, momentum, scale });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Cpu, Purpose};
    use crate::config::{ModelConfig, TiedEmbeddings};
    use crate::data::{Batch, Example};
    use crate::model::Seq2Seq;
    use crate::ops::checks::{matrix, vector};
    use crate::params::{ParamId, Role};
    use crate::tape::{Graph, Recording, Tape};
    use lookback_testkit::{Golden, assert_close_f64};

    const NAMES: [&str; 3] = ["p0", "p1", "p2"];

    /// Follows ten updates of PyTorch, stored under `prefix`.
    fn follows_pytorch(golden: &Golden, prefix: &str, config: &TrainConfig) {
        let cpu = Cpu::<f64>::detect(2);
        let values = NAMES.map(|n| golden.f64(n));
        // p1 is a vector: it does not decay.
        let spec = |i: usize| if i == 1 { vector(NAMES[i], 3) } else { matrix(NAMES[i], 1, values[i].len()) };
        let specs: Vec<_> = (0..3).map(spec).collect();
        let mut params = Params::init(&cpu, specs.clone(), 0);
        params.set_exact(&cpu, &values);
        let mut optimizer = Optimizer::new(&cpu, &specs, config);
        for step in 0..10 {
            let mut gradients = Gradients::zeros(&cpu, &params);
            for (i, name) in NAMES.iter().enumerate() {
                let len = values[i].len();
                let all = golden.f64(&format!("grads.{name}"));
                // Summed over four tokens, as the update divides.
                let sum: Vec<f64> = all[step * len..][..len].iter().map(|g| 4.0 * g).collect();
                cpu.upload(gradients.dense(ParamId(i)).0, &sum);
            }
            let norm = optimizer.step(&cpu, &mut params, &mut gradients, config.peak_rate(), 4);
            assert_close_f64("norm", &[norm], &golden.f64("norms")[step..=step], 1e-9, 0.0);
            let now = params.values(&cpu);
            for (i, name) in NAMES.iter().enumerate() {
                let len = values[i].len();
                let want = &golden.f64(&format!("{prefix}after.{name}"))[step * len..][..len];
                let got: Vec<f64> = now[i].iter().map(|&v| f64::from(v)).collect();
                assert_close_f64(&format!("{prefix}{name}, step {step}"), &got, want, 1e-6, 1e-7);
            }
        }
    }

    /// Ten updates of PyTorch's Adam, with and without its `clip_grad_norm_`.
    #[test]
    fn ten_updates_agree_with_pytorch_with_and_without_clipping() {
        let golden = Golden::read("adam");
        let scalar = |name: &str| golden.f64(name)[0];
        let betas = golden.f64("betas");
        for (prefix, clip_norm) in [("", 0.0), ("clipped.", scalar("max_norm"))] {
            let config = TrainConfig {
                beta1: betas[0],
                beta2: betas[1],
                epsilon: scalar("eps"),
                clip_norm,
                learning_rate: Some(scalar("lr")),
                ..TrainConfig::default()
            };
            follows_pytorch(&golden, prefix, &config);
        }
    }

    /// Ten updates of PyTorch's AdamW, whose second group does not decay, and of its SGD, clipped.
    #[test]
    fn ten_updates_of_every_other_optimizer_agree_with_pytorch() {
        let golden = Golden::read("optimizers");
        let scalar = |name: &str| golden.f64(name)[0];
        let clipped = TrainConfig { clip_norm: scalar("max_norm"), ..TrainConfig::default() };
        let adamw = TrainConfig {
            optimizer: OptimizerKind::AdamW,
            learning_rate: Some(scalar("adamw.lr")),
            weight_decay: Some(scalar("adamw.weight_decay")),
            ..clipped.clone()
        };
        let rate = Some(scalar("sgd.lr"));
        let sgd = TrainConfig { optimizer: OptimizerKind::Sgd, learning_rate: rate, ..clipped };
        let momentum = TrainConfig { momentum: scalar("momentum.momentum"), ..sgd.clone() };
        for (prefix, config) in [("adamw.", adamw), ("sgd.", sgd), ("momentum.", momentum)] {
            follows_pytorch(&golden, prefix, &config);
        }
    }

    #[test]
    fn an_optimizer_keeps_what_it_needs_and_no_more() {
        let kept = |optimizer, momentum| {
            let config = TrainConfig { optimizer, momentum, ..TrainConfig::default() };
            let (cpu, specs) = (Cpu::detect(1), [matrix("w", 2, 3)]);
            Optimizer::<Cpu>::new(&cpu, &specs, &config).tensors(&cpu, &specs).len()
        };
        assert_eq!((kept(OptimizerKind::Adam, 0.0), kept(OptimizerKind::AdamW, 0.0)), (2, 2));
        assert_eq!((kept(OptimizerKind::Sgd, 0.9), kept(OptimizerKind::Sgd, 0.0)), (1, 0));
    }

    /// The weights after six updates of two batches each, as bits; with gradients of tables as the roles of `specs` want them.
    fn trained(model: &Seq2Seq, specs: &[ParamSpec], config: &TrainConfig) -> Vec<Vec<u32>> {
        let cpu = Cpu::<f32>::detect(2);
        let mut params = Params::init(&cpu, specs.to_vec(), 3);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut optimizer = Optimizer::new(&cpu, specs, config);
        let sentence = |b: u32| (0..4 + b % 3).map(|t| 4 + (b * 31 + t * 17) % 40).collect::<Vec<u32>>();
        for update in 0..6 {
            params.prepare(&cpu, Purpose::Train);
            gradients.clear(&cpu);
            let mut tokens = 0;
            for part in 0..2 {
                let example = |b: u32| Example { src: sentence(b + 7 * update), tgt: sentence(b + part), line: 1 };
                let examples: Vec<Example> = (0..5).map(example).collect();
                tape.reset();
                let recording = Recording::On { seed: 1, step: u64::from(2 * update + part) + 1 };
                let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, recording);
                tokens += model.loss(&mut g, &Batch::new(examples.iter()), 0.1).tokens;
                g.backward();
            }
            optimizer.step(&cpu, &mut params, &mut gradients, 0.05, tokens);
        }
        params.values(&cpu).iter().map(|values| values.iter().map(|v| v.to_bits()).collect()).collect()
    }

    #[test]
    fn gradients_that_are_kept_by_rows_change_no_bit_of_a_training() {
        let optimizers = [
            TrainConfig::default(),
            TrainConfig { optimizer: OptimizerKind::AdamW, weight_decay: Some(0.1), ..TrainConfig::default() },
            TrainConfig { optimizer: OptimizerKind::Sgd, momentum: 0.9, ..TrainConfig::default() },
            TrainConfig { optimizer: OptimizerKind::Sgd, clip_norm: 0.0, ..TrainConfig::default() },
        ];
        for tied_embeddings in [TiedEmbeddings::None, TiedEmbeddings::Target] {
            let base = ModelConfig { tied_embeddings, dropout: Some(0.2), ..ModelConfig::default() };
            let config = ModelConfig { embedding: Some(21), hidden: Some(16), encoder_hidden: Some(16), ..base };
            let (model, specs) = Seq2Seq::new(&config, 60, 50);
            let whole = |spec: &ParamSpec| match spec.role {
                Role::LookUp => ParamSpec { role: Role::Product, ..spec.clone() },
                _ => spec.clone(),
            };
            let dense: Vec<ParamSpec> = specs.iter().map(whole).collect();
            assert!(specs != dense, "some table is only looked up");
            for config in &optimizers {
                let by_rows = trained(&model, &specs, config);
                assert!(by_rows == trained(&model, &dense, config), "{:?}, {tied_embeddings:?}", config.optimizer);
                let untrained = TrainConfig { clip_norm: 1e-30, ..config.clone() };
                assert!(by_rows != trained(&model, &specs, &untrained), "it learned");
            }
        }
    }
}
