//! Adam over all parameters, with the global norm clipped, in PyTorch's order of operations.

use crate::backend::{AdamStep, Backend, Real};
use crate::config::TrainConfig;
use crate::params::{Gradients, ParamSpec, Params};

/// Adam's moments, and the number of updates made.
#[derive(Debug)]
pub struct Optimizer<B: Backend> {
    first: Vec<B::Tensor>,
    second: Vec<B::Tensor>,
    updates: u64,
}

impl<B: Backend> Optimizer<B> {
    /// An optimiser that has made no update.
    #[must_use]
    pub fn new(backend: &B, specs: &[ParamSpec]) -> Self {
        let zeros: Vec<Vec<f32>> = specs.iter().map(|s| vec![0.0; s.len()]).collect();
        Self::from_values(backend, &zeros, &zeros, 0)
    }

    /// An optimiser with given moments, after `updates` updates.
    #[must_use]
    pub fn from_values(backend: &B, first: &[Vec<f32>], second: &[Vec<f32>], updates: u64) -> Self {
        let upload = |values: &Vec<f32>| {
            let mut tensor = backend.alloc(values.len());
            let values: Vec<B::Elem> = values.iter().map(|&v| B::Elem::from_f64(f64::from(v))).collect();
            backend.upload(&mut tensor, &values);
            tensor
        };
        Self { first: first.iter().map(upload).collect(), second: second.iter().map(upload).collect(), updates }
    }

    /// First and second moments of every parameter.
    pub fn values(&self, backend: &B) -> [Vec<Vec<f32>>; 2] {
        let narrow = |t: &B::Tensor| backend.download(t).into_iter().map(|v| v.to_f64() as f32).collect();
        [&self.first, &self.second].map(|moments| moments.iter().map(narrow).collect())
    }

    /// One update from gradients summed over `tokens` target tokens. Returns the norm of the gradient per token, before clipping; if it is not
    /// finite, nothing is changed.
    pub fn step(
        &mut self,
        backend: &B,
        params: &mut Params<B>,
        gradients: &Gradients<B>,
        config: &TrainConfig,
        rate: f64,
        tokens: u64,
    ) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let tokens = tokens as f64;
        let norm = gradients.norm(backend) / tokens;
        if !norm.is_finite() {
            return norm;
        }
        let clip = if config.clip_norm > 0.0 { (config.clip_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        self.updates += 1;
        let step = AdamStep {
            rate,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            step: self.updates,
            scale: clip / tokens,
        };
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, gradient), (m, v)) in params.weights_mut().iter_mut().zip(gradients.all()).zip(moments) {
            backend.adam(weight, gradient, m, v, step);
        }
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::ops::checks::matrix;
    use crate::params::ParamId;
    use lookback_testkit::{Golden, assert_close_f64};

    /// Ten updates of PyTorch's Adam, with and without its `clip_grad_norm_`.
    #[test]
    fn ten_updates_agree_with_pytorch_with_and_without_clipping() {
        let golden = Golden::read("adam");
        let names = ["p0", "p1", "p2"];
        let scalar = |name: &str| golden.f64(name)[0];
        let betas = golden.f64("betas");
        for (prefix, clip_norm) in [("", 0.0), ("clipped.", scalar("max_norm"))] {
            let config = TrainConfig {
                beta1: betas[0],
                beta2: betas[1],
                epsilon: scalar("eps"),
                clip_norm,
                ..TrainConfig::default()
            };
            let cpu = Cpu::<f64>::detect(2);
            let values = names.map(|n| golden.f64(n));
            let specs: Vec<_> = names.iter().zip(&values).map(|(n, v)| matrix(n, 1, v.len())).collect();
            let mut params = Params::init(&cpu, specs.clone(), 0);
            params.set_exact(&cpu, &values);
            let mut optimizer = Optimizer::new(&cpu, &specs);
            for step in 0..10 {
                let mut gradients = Gradients::zeros(&cpu, &params);
                for (i, name) in names.iter().enumerate() {
                    let len = values[i].len();
                    let all = golden.f64(&format!("grads.{name}"));
                    // Summed over four tokens, as the update divides.
                    let sum: Vec<f64> = all[step * len..][..len].iter().map(|g| 4.0 * g).collect();
                    cpu.upload(gradients.get_mut(ParamId(i)), &sum);
                }
                let norm = optimizer.step(&cpu, &mut params, &gradients, &config, scalar("lr"), 4);
                assert_close_f64("norm", &[norm], &golden.f64("norms")[step..=step], 1e-9, 0.0);
                let now = params.values(&cpu);
                for (i, name) in names.iter().enumerate() {
                    let len = values[i].len();
                    let want = &golden.f64(&format!("{prefix}after.{name}"))[step * len..][..len];
                    let got: Vec<f64> = now[i].iter().map(|&v| f64::from(v)).collect();
                    assert_close_f64(&format!("{prefix}{name}, step {step}"), &got, want, 1e-6, 1e-7);
                }
            }
        }
    }
}
