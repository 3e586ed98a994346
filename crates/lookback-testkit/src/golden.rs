//! Tensors that PyTorch computed, stored beside the script that made them (`fixtures/gen`).

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

/// One golden file: named tensors of inputs, outputs and gradients.
#[derive(Debug)]
pub struct Golden {
    name: String,
    bytes: Vec<u8>,
}

impl Golden {
    /// Reads `fixtures/{name}.safetensors` of this repository.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("cannot read golden {}: {e}", path.display()));
        Self { name: name.to_owned(), bytes }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap_or_else(|e| panic!("golden {} is damaged: {e}", self.name))
    }

    /// The names of all tensors, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().into_iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// The shape of tensor `name`.
    ///
    /// # Panics
    /// If there is no such tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.view(name, |v| v.shape().to_vec())
    }

    /// The values of tensor `name`, which is stored as f32 or f64, in double precision.
    ///
    /// # Panics
    /// If there is no such tensor or it holds another type.
    #[must_use]
    pub fn f64(&self, name: &str) -> Vec<f64> {
        self.view(name, |v| match v.dtype() {
            Dtype::F32 => {
                v.data().as_chunks::<4>().0.iter().map(|c| f64::from(f32::from_le_bytes(*c))).collect::<Vec<_>>()
            }
            Dtype::F64 => v.data().as_chunks::<8>().0.iter().map(|c| f64::from_le_bytes(*c)).collect(),
            other => panic!("golden {}: `{name}` holds {other:?}, not floats", self.name),
        })
    }

    /// [`Golden::f64`], rounded to single precision.
    ///
    /// # Panics
    /// As [`Golden::f64`].
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the goldens of f32 computations are f32")]
    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.f64(name).into_iter().map(|v| v as f32).collect()
    }

    /// The values of integer tensor `name`.
    ///
    /// # Panics
    /// If there is no such tensor, it holds another type, or a value is negative.
    #[must_use]
    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.view(name, |v| match v.dtype() {
            Dtype::I64 => (v.data().as_chunks::<8>().0.iter())
                .map(|c| u32::try_from(i64::from_le_bytes(*c)).expect("ids are small and not negative"))
                .collect::<Vec<_>>(),
            other => panic!("golden {}: `{name}` holds {other:?}, not i64", self.name),
        })
    }

    fn view<R>(&self, name: &str, read: impl FnOnce(safetensors::tensor::TensorView<'_>) -> R) -> R {
        match self.file().tensor(name) {
            Ok(v) => read(v),
            Err(_) => panic!("golden {} has no `{name}`; it has {:?}", self.name, self.names()),
        }
    }
}
