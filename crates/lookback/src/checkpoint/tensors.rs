//! Tensor files, and how files are written.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::CheckpointError;
use crate::params::ParamSpec;
use crate::stored::{Storage, Stored};

/// A safetensors file in memory.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    pub(crate) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
        let file = Self { path: path.to_owned(), bytes };
        file.tensors()?;
        Ok(file)
    }

    fn tensors(&self) -> Result<SafeTensors<'_>, CheckpointError> {
        SafeTensors::deserialize(&self.bytes)
            .map_err(|e| CheckpointError::Damaged { path: self.path.clone(), message: e.to_string() })
    }

    /// The text under `key` in the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Result<String, CheckpointError> {
        let damaged = |message: String| CheckpointError::Damaged { path: self.path.clone(), message };
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).map_err(|e| damaged(e.to_string()))?;
        let found = metadata.metadata().as_ref().and_then(|m| m.get(key).cloned());
        found.ok_or_else(|| damaged(format!("no `{key}` in its metadata")))
    }

    /// The values of every parameter, under its name with `prefix` before it.
    pub(crate) fn values(&self, specs: &[ParamSpec], prefix: &str) -> Result<Vec<Vec<f32>>, CheckpointError> {
        let tensors = self.tensors()?;
        specs.iter().map(|spec| self.value(&tensors, &format!("{prefix}{}", spec.name), &spec.shape)).collect()
    }

    /// Every parameter, its matrices as `storage` says.
    pub(super) fn stored(&self, specs: &[ParamSpec], storage: Storage) -> Result<Vec<Stored>, CheckpointError> {
        let tensors = self.tensors()?;
        let stored = |spec: &ParamSpec| match storage {
            Storage::Int8 if spec.is_matrix() => self.int8(&tensors, spec),
            Storage::F32 | Storage::Int8 => Ok(self.value(&tensors, &spec.name, &spec.shape)?.into()),
        };
        specs.iter().map(stored).collect()
    }

    fn int8(&self, tensors: &SafeTensors<'_>, spec: &ParamSpec) -> Result<Stored, CheckpointError> {
        let bytes = self.view(tensors, &spec.name, &spec.shape, Dtype::I8)?;
        let values: Vec<i8> = bytes.iter().map(|byte| byte.cast_signed()).collect();
        if let Some(index) = values.iter().position(|&value| value == i8::MIN) {
            let message = format!("tensor `{}` holds -128 at {index}; values are in -127..127", spec.name);
            return Err(CheckpointError::Damaged { path: self.path.clone(), message });
        }
        let scales = self.value(tensors, &scale_name(&spec.name), &spec.shape[..1])?;
        Ok(Stored::Int8 { values, scales })
    }

    fn value(&self, tensors: &SafeTensors<'_>, tensor: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let data = self.view(tensors, tensor, shape, Dtype::F32)?;
        let values: Vec<f32> = data.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                Err(CheckpointError::NotFinite { path: self.path.clone(), tensor: tensor.to_owned(), index })
            }
            None => Ok(values),
        }
    }

    /// The bytes of a tensor of this shape and type.
    fn view<'a>(
        &self,
        tensors: &SafeTensors<'a>,
        tensor: &str,
        shape: &[usize],
        dtype: Dtype,
    ) -> Result<&'a [u8], CheckpointError> {
        let (path, tensor) = (self.path.clone(), tensor.to_owned());
        let Ok(view) = tensors.tensor(&tensor) else {
            return Err(CheckpointError::MissingTensor { path, tensor });
        };
        if view.dtype() != dtype {
            let [expected, found] = [dtype, view.dtype()].map(|dtype| format!("{dtype:?}"));
            return Err(CheckpointError::Type { path, tensor, expected, found });
        }
        if view.shape() != shape {
            let (expected, found) = (shape.to_vec(), view.shape().to_vec());
            return Err(CheckpointError::Shape { path, tensor, expected, found });
        }
        Ok(view.data())
    }

    /// Fails if there is a tensor beside those named.
    pub(crate) fn expect_only(&self, names: impl Iterator<Item = String>) -> Result<(), CheckpointError> {
        let known: HashSet<String> = names.collect();
        let mut unknown: Vec<String> =
            self.tensors()?.names().into_iter().filter(|n| !known.contains(*n)).map(str::to_owned).collect();
        unknown.sort();
        match unknown.into_iter().next() {
            Some(tensor) => Err(CheckpointError::UnknownTensor { path: self.path.clone(), tensor }),
            None => Ok(()),
        }
    }
}

/// What the scales of a matrix of 8 bits are called.
pub(super) fn scale_name(matrix: &str) -> String {
    format!("{matrix}.scale")
}

/// The numbers of a tensor to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    I8(&'a [i8]),
}

impl Numbers<'_> {
    fn dtype(self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::I8(_) => Dtype::I8,
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::I8(values) => values.iter().map(|v| v.cast_unsigned()).collect(),
        }
    }
}

/// Writes parameters as they are stored.
pub(super) fn write_stored(path: &Path, specs: &[ParamSpec], stored: &[Stored]) -> Result<(), CheckpointError> {
    let mut tensors = Vec::with_capacity(specs.len());
    for (spec, stored) in specs.iter().zip(stored) {
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        match stored {
            Stored::F32(values) => tensors.push((name, shape, Numbers::F32(values))),
            Stored::Int8 { values, scales } => {
                tensors.push((scale_name(&name), vec![scales.len()], Numbers::F32(scales)));
                tensors.push((name, shape, Numbers::I8(values)));
            }
        }
    }
    write_tensors(path, &tensors, HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

/// Writes tensors under a temporary name, synced and renamed.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[(String, Vec<usize>, Numbers<'_>)],
    metadata: HashMap<String, String>,
) -> Result<(), CheckpointError> {
    let damaged =
        |e: safetensors::SafeTensorError| CheckpointError::Damaged { path: path.to_owned(), message: e.to_string() };
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, _, numbers)| numbers.bytes()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, numbers), bytes)| {
            Ok((name.clone(), TensorView::new(numbers.dtype(), shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(damaged)?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(damaged)?;
    write_atomic(path, &file)
}

/// Writes a file under a temporary name beside it, syncs it and renames it: readers see the old file or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = File::create(&temporary).map_err(write)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(write)?;
    drop(file);
    fs::rename(&temporary, path).map_err(write)?;
    // The rename itself lasts once the folder is synced; not every system can.
    if let Some(dir) = path.parent()
        && let Ok(dir) = File::open(dir)
    {
        drop(dir.sync_all());
    }
    Ok(())
}
