//! Tensors that PyTorch computed, stored beside the script that made them (`fixtures/gen`).

use std::path::Path;

use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensors};

/// One golden: named tensors of inputs, outputs and gradients.
#[derive(Debug)]
pub struct Golden {
    name: String,
    /// What stands before the names of its tensors in a file of many cases.
    prefix: String,
    bytes: Vec<u8>,
    /// Where the tensors begin.
    start: usize,
    metadata: Metadata,
}

impl Golden {
    /// Reads `fixtures/{name}.safetensors` of this repository; `{file}/{case}` is one case of a file of many.
    ///
    /// # Panics
    /// If the file cannot be read or is damaged.
    #[must_use]
    pub fn read(name: &str) -> Self {
        let (file, prefix) =
            name.split_once('/').map_or((name, String::new()), |(file, case)| (file, format!("{case}/")));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/{file}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("cannot read golden {}: {e}", path.display()));
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).unwrap_or_else(|e| panic!("golden {name} is damaged: {e}"));
        Self { name: name.to_owned(), prefix, bytes, start: size_of::<u64>() + header, metadata }
    }

    /// The cases of a file of many, sorted.
    ///
    /// # Panics
    /// As [`Golden::read`].
    #[must_use]
    pub fn cases(file: &str) -> Vec<String> {
        let names = Self::read(file).names();
        let mut cases: Vec<String> = names.iter().filter_map(|n| Some(n.split_once('/')?.0.to_owned())).collect();
        cases.dedup();
        cases
    }

    /// The names of all tensors, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.metadata.offset_keys();
        let mut names: Vec<String> =
            names.iter().filter_map(|n| n.strip_prefix(&self.prefix).map(ToOwned::to_owned)).collect();
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

    fn view<R>(&self, name: &str, read: impl FnOnce(TensorView<'_>) -> R) -> R {
        let Some(info) = self.metadata.info(&format!("{}{name}", self.prefix)) else {
            panic!("golden {} has no `{name}`; it has {:?}", self.name, self.names())
        };
        let data = &self.bytes[self.start..][info.data_offsets.0..info.data_offsets.1];
        let view = TensorView::new(info.dtype, info.shape.clone(), data);
        read(view.unwrap_or_else(|e| panic!("golden {}: `{name}` is damaged: {e}", self.name)))
    }
}
