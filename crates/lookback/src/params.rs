//! The parameters of a model: what they are called, what shape they have, how they start.

use crate::backend::{Backend, Precision, Purpose, RandomKey, Real};
#[cfg(feature = "train")]
use crate::checkpoint::{Numbers, Tensor};
use crate::stored::Stored;
use lookback_kernels::philox4x32;

mod gradients;

pub use gradients::Gradients;

/// Which parameter: an index into [`Params`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParamId(pub(crate) usize);

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All the same value.
    Constant(f32),
    /// Uniform in ±limit.
    Uniform(f32),
    /// The bias of a cell's gates: 0, but 1 for the forget gate, so that it starts open.
    ForgetGate {
        /// H, the width of a gate.
        hidden: usize,
        /// Which gate.
        gate: usize,
    },
}

/// What a parameter is read for: whether it is worth laying out for products of few rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its rows are looked up; it takes part in no product.
    LookUp,
    /// It takes part in products, of few rows in search only.
    Product,
    /// It takes part in a product at every time step, in training, too.
    PerStep,
}

/// A parameter's name, shape and start. A vector has one row.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// The name, as it stands in files; PyTorch's where PyTorch has one.
    pub name: String,
    /// The shape as it stands in files: one or two sizes.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// What it is read for.
    pub role: Role,
}

impl ParamSpec {
    /// The matrix shape: a vector is one row.
    #[must_use]
    pub fn matrix(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, cols] => (rows, cols),
            _ => (1, self.len()),
        }
    }

    /// Whether it is a matrix; else it is a vector.
    #[must_use]
    pub fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }

    /// How many numbers it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a parameter is never empty")]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values it starts from: a function of the seed and the parameter's place among the others.
    #[must_use]
    pub fn initial(&self, seed: u64, place: u32) -> Vec<f32> {
        match self.init {
            Init::Constant(value) => vec![value; self.len()],
            Init::Uniform(limit) => {
                let key = RandomKey { seed, stream: place, step: INIT_STEP };
                (0..self.len())
                    .map(|i| {
                        let word = philox4x32(key, u32::try_from(i / 4).unwrap_or(u32::MAX))[i % 4];
                        (f64::from(word) / f64::from(u32::MAX) * 2.0 - 1.0) as f32 * limit
                    })
                    .collect()
            }
            Init::ForgetGate { hidden, gate } => {
                (0..self.len()).map(|i| if i / hidden == gate { 1.0 } else { 0.0 }).collect()
            }
        }
    }
}

/// Updates count from 1, so step 0 of every stream is free for the start.
const INIT_STEP: u64 = 0;

/// The parameters of a model on a device.
#[derive(Debug)]
pub struct Params<B: Backend> {
    specs: Vec<ParamSpec>,
    weights: Vec<B::Weight>,
}

impl<B: Backend> Params<B> {
    /// Parameters at their start.
    #[must_use]
    pub fn init(backend: &B, specs: Vec<ParamSpec>, seed: u64) -> Self {
        let weights = (0u32..).zip(&specs).map(|(place, spec)| upload(backend, spec, &spec.initial(seed, place)));
        Self { weights: weights.collect(), specs }
    }

    /// Parameters with given values, one slice per specification in the same order.
    ///
    /// # Panics
    /// If a slice has not its parameter's length.
    #[must_use]
    pub fn from_values(backend: &B, specs: Vec<ParamSpec>, values: &[Vec<f32>]) -> Self {
        assert_eq!(specs.len(), values.len(), "values for every parameter");
        let weights = specs.iter().zip(values).map(|(spec, values)| upload(backend, spec, values)).collect();
        Self { specs, weights }
    }

    /// Parameters that are on the device already, one per specification in the same order.
    #[cfg(feature = "files")]
    pub(crate) fn of_weights(specs: Vec<ParamSpec>, weights: Vec<B::Weight>) -> Self {
        assert_eq!(specs.len(), weights.len(), "a weight for every parameter");
        Self { specs, weights }
    }

    /// Parameters whose values `read` gives, one after another.
    ///
    /// # Errors
    /// If it fails.
    ///
    /// # Panics
    /// If it gives values that have not their parameter's length.
    #[cfg(feature = "train")]
    pub(crate) fn read<E>(
        backend: &B,
        specs: Vec<ParamSpec>,
        mut read: impl FnMut(&ParamSpec) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let weights = specs.iter().map(|spec| Ok(upload(backend, spec, &read(spec)?))).collect::<Result<_, E>>()?;
        Ok(Self { specs, weights })
    }

    /// Every parameter, to be written under its name with `prefix` before it.
    #[cfg(feature = "train")]
    pub(crate) fn tensors<'a>(&'a self, backend: &'a B, prefix: &str) -> Vec<Tensor<'a>> {
        let numbers = |weight: &'a B::Weight| {
            Numbers::Elsewhere(Box::new(move |from, to: &mut [f32]| backend.read_weight(weight, from, to)))
        };
        let tensor = |(spec, weight): (&ParamSpec, &'a B::Weight)| Tensor {
            name: format!("{prefix}{}", spec.name),
            shape: spec.shape.clone(),
            numbers: numbers(weight),
        };
        self.specs.iter().zip(&self.weights).map(tensor).collect()
    }

    /// Parameters as they are stored, one per specification in the same order.
    ///
    /// # Panics
    /// If one has not its parameter's length.
    #[must_use]
    pub fn from_stored(backend: &B, specs: Vec<ParamSpec>, stored: &[Stored]) -> Self {
        assert_eq!(specs.len(), stored.len(), "values for every parameter");
        let weights = specs.iter().zip(stored).map(|(spec, stored)| place(backend, spec, stored)).collect();
        Self { specs, weights }
    }

    /// The specifications, in the order of [`ParamId`].
    #[must_use]
    pub fn specs(&self) -> &[ParamSpec] {
        &self.specs
    }

    /// The values of every parameter, in order.
    pub fn values(&self, backend: &B) -> Vec<Vec<f32>> {
        let narrow = |x: Vec<B::Elem>| x.into_iter().map(|v| v.to_f64() as f32).collect();
        self.weights.iter().map(|w| narrow(backend.weight_values(w))).collect()
    }

    /// The id of the parameter called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ParamId> {
        self.specs.iter().position(|s| s.name == name).map(ParamId)
    }

    /// How many numbers there are in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.specs.iter().map(ParamSpec::len).sum()
    }

    /// The first precision among them that cannot be trained.
    pub fn untrainable(&self, backend: &B) -> Option<Precision> {
        self.weights.iter().map(|w| backend.precision(w)).find(|precision| !precision.is_trainable())
    }

    /// Lays out for a purpose all matrices that take part in products with few rows, until the next update.
    pub fn prepare(&mut self, backend: &B, purpose: Purpose) {
        for (spec, weight) in self.specs.iter().zip(&mut self.weights) {
            let is_decoded = purpose == Purpose::Decode && spec.is_matrix();
            if spec.role == Role::PerStep || (spec.role == Role::Product && is_decoded) {
                backend.prepare(weight, purpose);
            }
        }
    }

    pub(crate) fn weight(&self, id: ParamId) -> &B::Weight {
        &self.weights[id.0]
    }

    /// Sets the values in the device's own precision.
    #[cfg(test)]
    pub(crate) fn set_exact(&mut self, backend: &B, values: &[Vec<f64>]) {
        for ((spec, weight), values) in self.specs.iter().zip(&mut self.weights).zip(values) {
            let (rows, cols) = spec.matrix();
            let values: Vec<B::Elem> = values.iter().map(|&v| B::Elem::from_f64(v)).collect();
            *weight = backend.weight(&values, rows, cols);
        }
    }

    /// Moves every value towards that of `other` by `share` of the way.
    #[cfg(feature = "train")]
    pub(crate) fn update_average(&mut self, backend: &B, other: &Self, share: f64) {
        self.weights.iter_mut().zip(&other.weights).for_each(|(average, w)| backend.update_average(average, w, share));
    }

    #[cfg(any(feature = "train", test))]
    pub(crate) fn weights_mut(&mut self) -> &mut [B::Weight] {
        &mut self.weights
    }
}

/// A parameter on the device.
fn place<B: Backend>(backend: &B, spec: &ParamSpec, stored: &Stored) -> B::Weight {
    let (rows, cols) = spec.matrix();
    match stored {
        Stored::F32(values) => upload(backend, spec, values),
        Stored::Bf16(values) => {
            backend.bf16_weight(rows, cols, &|row, out| out.copy_from_slice(part(values, row * cols, out)))
        }
        Stored::Int8 { values, scales } => backend
            .int8_weight(scales.clone(), rows, cols, &|row, out| out.copy_from_slice(part(values, row * cols, out))),
    }
}

/// As many of the numbers from `start` on as `like` has.
fn part<'a, S>(all: &'a [S], start: usize, like: &[S]) -> &'a [S] {
    &all[start..start + like.len()]
}

pub(crate) fn upload<B: Backend>(backend: &B, spec: &ParamSpec, values: &[f32]) -> B::Weight {
    let (rows, cols) = spec.matrix();
    let values: Vec<B::Elem> = values.iter().map(|&v| B::Elem::from_f64(f64::from(v))).collect();
    backend.weight(&values, rows, cols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_depends_on_seed_and_place_and_stays_in_its_limits() {
        let spec = ParamSpec { name: "w".into(), shape: vec![30, 11], init: Init::Uniform(0.1), role: Role::Product };
        let a = spec.initial(1, 0);
        assert!(a == spec.initial(1, 0) && a != spec.initial(2, 0) && a != spec.initial(1, 1));
        assert!(a.iter().all(|v| v.abs() <= 0.1) && a.iter().any(|v| v.abs() > 0.09));
        let mean = a.iter().sum::<f32>() / 330.0;
        assert!(mean.abs() < 0.016, "five standard deviations of the mean: {mean}");
    }

    #[cfg(feature = "train")]
    #[test]
    fn a_table_that_is_only_looked_up_is_not_laid_out_for_products() {
        use crate::backend::{Planned, Products};
        const ROLES: [Role; 3] = [Role::LookUp, Role::Product, Role::PerStep];
        let held = |role, purpose| {
            let device = Planned::new(Products::Full);
            let spec = ParamSpec { name: "w".into(), shape: vec![64, 32], init: Init::Constant(0.0), role };
            let mut params = Params::of_weights(vec![spec], vec![device.room(64, 32)]);
            let before = device.bytes();
            params.prepare(&device, purpose);
            (device.bytes() - before) / (4 * 64 * 32)
        };
        assert_eq!(ROLES.map(|role| held(role, Purpose::Decode)), [0, 1, 1]);
        assert_eq!(ROLES.map(|role| held(role, Purpose::Train)), [0, 0, 2]);
    }

    #[test]
    fn only_one_gate_starts_open() {
        let init = Init::ForgetGate { hidden: 2, gate: 1 };
        let spec = ParamSpec { name: "b".into(), shape: vec![8], init, role: Role::Product };
        assert_eq!(spec.initial(1, 0), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
