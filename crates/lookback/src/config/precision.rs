//! The precision of a training's products; what of it cannot be is refused with the remedy.

use serde::{Deserialize, Serialize};

use super::check::invalid;
use super::{Config, ConfigError};
#[cfg(feature = "train")]
use crate::backend::{Cpu, Products, Real};

/// What the products of a training round their operands to. Weights, states, sums, softmax and the optimiser's moments are in single precision either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainPrecision {
    /// Nothing: single precision.
    F32,
    /// bfloat16: up to twice as fast where the processor has instructions for it (AVX512-BF16).
    Bf16,
}

impl TrainPrecision {
    /// How it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl Config {
    /// What cannot combine.
    pub(super) fn check_precision(&self) -> Result<(), ConfigError> {
        if self.train.emulate_bf16 && self.train.precision != TrainPrecision::Bf16 {
            let message = "there is nothing to emulate in `f32`; leave it out, or set `train.precision = \"bf16\"`";
            return invalid("train.emulate_bf16", message.into());
        }
        Ok(())
    }

    /// The processor with the products this configuration trains with.
    ///
    /// # Errors
    /// If it has no instructions for them, and slower ones are not allowed.
    #[cfg(feature = "train")]
    pub(crate) fn train_on<T: Real>(&self, cpu: Cpu<T>) -> Result<Cpu<T>, ConfigError> {
        let products = match self.train.precision {
            TrainPrecision::F32 => Products::Full,
            TrainPrecision::Bf16 => Products::Bf16,
        };
        if products == Products::Bf16 && !cpu.isa().has_bf16() && !self.train.emulate_bf16 {
            return Err(ConfigError::Invalid {
                key: "train.precision",
                message: format!(
                    "`{}` has no instructions for `bf16` here (AVX512-BF16 has), and without them it is slower than `f32`; set \
                     `train.precision = \"f32\"`, or `train.emulate_bf16 = true` to have the same training anyway",
                    cpu.isa().name()
                ),
            });
        }
        Ok(cpu.with_products(products))
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use lookback_kernels::{Isa, Pool};
    use std::sync::Arc;

    fn config(sets: &[&str]) -> Config {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        Config::from_layers(&[], &sets).expect("known keys")
    }

    #[test]
    fn bf16_without_instructions_for_it_is_refused_unless_asked_for() {
        let portable = || Cpu::<f32>::new(Arc::new(Pool::new(1)), Isa::PORTABLE);
        let said = config(&["train.precision=bf16"]).train_on(portable()).expect_err("refused").to_string();
        assert!(said.contains("train.precision: `portable` has no instructions"), "{said}");
        assert!(said.contains("`train.emulate_bf16 = true`"), "{said}");
        let asked = config(&["train.precision=bf16", "train.emulate_bf16=true"]);
        assert_eq!(asked.train_on(portable()).expect("asked for").products(), Products::Bf16);
        assert_eq!(config(&[]).train_on(portable()).expect("f32").products(), Products::Full);
    }

    #[test]
    fn emulation_of_what_is_not_used_is_refused() {
        let said = config(&["train.emulate_bf16=true"]).check_precision().expect_err("refused").to_string();
        assert!(said.contains("train.emulate_bf16: there is nothing to emulate"), "{said}");
    }
}
