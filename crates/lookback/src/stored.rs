//! The numbers of a parameter as they are kept, in a file and on the way to a device.

use lookback_kernels::{from_bf16, quantise_weights, to_bf16};
use serde::{Deserialize, Serialize};

use crate::params::ParamSpec;

/// How the matrices of a model are kept. Vectors (biases) are always single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Single precision: as they were trained.
    #[default]
    F32,
    /// bfloat16: the upper half of single precision, rounded to nearest even.
    Bf16,
    /// Whole numbers of 8 bits, and a scale in single precision for every row.
    Int8,
}

impl Storage {
    /// The name as it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// The numbers of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// In single precision, row-major.
    F32(Vec<f32>),
    /// In bfloat16, row-major.
    Bf16(Vec<u16>),
    /// In 8 bits.
    Int8 {
        /// Row-major, in −127..=127.
        values: Vec<i8>,
        /// What the values of each row are worth.
        scales: Vec<f32>,
    },
}

impl From<Vec<f32>> for Stored {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl Stored {
    /// The parameter `spec` with `values`, kept as `storage` says.
    ///
    /// # Panics
    /// If `values` has not the parameter's length.
    #[must_use]
    pub fn new(spec: &ParamSpec, values: &[f32], storage: Storage) -> Self {
        assert_eq!(values.len(), spec.len(), "the values of `{}`", spec.name);
        match storage {
            Storage::Int8 if spec.is_matrix() => {
                let (values, scales) = quantise_weights(values, spec.matrix().1);
                Self::Int8 { values, scales }
            }
            Storage::Bf16 if spec.is_matrix() => Self::Bf16(values.iter().map(|&value| to_bf16(value)).collect()),
            Storage::F32 | Storage::Bf16 | Storage::Int8 => Self::F32(values.to_vec()),
        }
    }

    /// Where the first number is that became infinite because bfloat16 has none as large, about 3.39e38.
    #[cfg(feature = "files")]
    pub(crate) fn first_beyond_bf16(&self) -> Option<usize> {
        match self {
            Self::Bf16(values) => values.iter().position(|&value| !from_bf16(value).is_finite()),
            Self::F32(_) | Self::Int8 { .. } => None,
        }
    }

    /// In single precision, as far as they are known.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::Bf16(values) => values.iter().map(|&value| from_bf16(value)).collect(),
            Self::Int8 { values, scales } => {
                let rows = values.chunks(values.len() / scales.len().max(1)).zip(scales);
                rows.flat_map(|(row, scale)| row.iter().map(move |&value| f32::from(value) * scale)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Init, Role};

    #[test]
    fn only_matrices_lose_bits_and_at_most_half_a_unit() {
        let spec = |shape: &[usize]| ParamSpec {
            name: "w".into(),
            shape: shape.to_vec(),
            init: Init::Uniform(0.3),
            role: Role::Product,
        };
        let matrix = spec(&[5, 12]);
        let values = matrix.initial(1, 0);
        let stored = Stored::new(&matrix, &values, Storage::Int8);
        let Stored::Int8 { scales, .. } = &stored else { panic!("a matrix has 8 bits") };
        for (i, (kept, value)) in stored.to_f32().iter().zip(&values).enumerate() {
            assert!((kept - value).abs() <= scales[i / 12] * 0.5001, "{kept} for {value}");
        }
        let vector = spec(&[60]);
        assert_eq!(Stored::new(&vector, &values, Storage::Int8), Stored::F32(values.clone()));
        assert_eq!(Stored::new(&vector, &values, Storage::Bf16), Stored::F32(values.clone()));
        let halves = Stored::new(&matrix, &values, Storage::Bf16);
        assert!(matches!(halves, Stored::Bf16(_)));
        for (kept, value) in halves.to_f32().iter().zip(&values) {
            assert!((kept - value).abs() <= value.abs() / 256.0, "{kept} for {value}");
        }
        assert_eq!(Stored::new(&matrix, &values, Storage::F32), Stored::F32(values));
    }
}
