//! Safetensors files, read with suspicion: the header alone first, and no number before its tensor is known to be what is expected.
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::CheckpointError;
use crate::params::ParamSpec;
use crate::read_bounded::open;

/// The longest header that is read, in bytes.
const MOST_HEADER: u64 = 16 << 20;
/// Numbers that are read at once.
const READ: usize = 1 << 16;

/// A safetensors file whose header was read and found consistent: its tensors follow each other without gap or overlap and fill the
/// file to its end.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    file: File,
    /// Where the tensors begin.
    start: u64,
    header: Metadata,
}

impl TensorFile {
    /// Opens a file; no tensor is read.
    pub(crate) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let read = |source| CheckpointError::Read { path: path.to_owned(), source };
        let damaged = |message: String| CheckpointError::Damaged { path: path.to_owned(), message };
        let mut file = open(path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        let mut length = [0; 8];
        if bytes < 8 {
            return Err(damaged(format!("{bytes} bytes are no safetensors file")));
        }
        file.read_exact(&mut length).map_err(read)?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER.min(bytes - 8) {
            return Err(damaged(format!("its header would be {length} bytes long")));
        }
        let mut header = Vec::new();
        file.by_ref().take(length).read_to_end(&mut header).map_err(read)?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|e| damaged(format!("its header: {e}")))?;
        let (start, tensors) = (8 + length, header.data_len() as u64);
        if bytes - start != tensors {
            return Err(damaged(format!("its tensors take {tensors} bytes, {} are there", bytes - start)));
        }
        Ok(Self { path: path.to_owned(), file, start, header })
    }

    /// The text under `key` in the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Result<String, CheckpointError> {
        let found = self.header.metadata().as_ref().and_then(|m| m.get(key).cloned());
        let message = format!("no `{key}` in its metadata");
        found.ok_or_else(|| CheckpointError::Damaged { path: self.path.clone(), message })
    }

    /// The values of every parameter, under its name with `prefix` before it. None is read before all are known to have their shapes.
    pub(crate) fn values(&self, specs: &[ParamSpec], prefix: &str) -> Result<Vec<Vec<f32>>, CheckpointError> {
        let names: Vec<String> = specs.iter().map(|spec| format!("{prefix}{}", spec.name)).collect();
        let starts = names.iter().zip(specs).map(|(name, spec)| self.place(name, &spec.shape));
        let starts = starts.collect::<Result<Vec<u64>, _>>()?;
        names.iter().zip(specs).zip(starts).map(|((name, spec), start)| self.value(name, start, spec.len())).collect()
    }

    /// Where a tensor of this shape begins.
    fn place(&self, tensor: &str, expected: &[usize]) -> Result<u64, CheckpointError> {
        let (path, name) = (self.path.clone(), tensor.to_owned());
        let Some(info) = self.header.info(tensor) else {
            return Err(CheckpointError::MissingTensor { path, tensor: name });
        };
        if info.dtype != Dtype::F32 {
            return Err(CheckpointError::Type { path, tensor: name, found: format!("{:?}", info.dtype) });
        }
        if info.shape != expected {
            let (expected, found) = (expected.to_vec(), info.shape.clone());
            return Err(CheckpointError::Shape { path, tensor: name, expected, found });
        }
        Ok(self.start + info.data_offsets.0 as u64)
    }

    fn value(&self, tensor: &str, start: u64, count: usize) -> Result<Vec<f32>, CheckpointError> {
        let read = |source| CheckpointError::Read { path: self.path.clone(), source };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        let mut values: Vec<f32> = Vec::with_capacity(count);
        let mut bytes = vec![0; 4 * READ.min(count)];
        while values.len() < count {
            let bytes = &mut bytes[..4 * READ.min(count - values.len())];
            file.read_exact(bytes).map_err(read)?;
            values.extend(bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)));
        }
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                Err(CheckpointError::NotFinite { path: self.path.clone(), tensor: tensor.to_owned(), index })
            }
            None => Ok(values),
        }
    }

    /// Fails if there is a tensor beside those named.
    pub(crate) fn expect_only(&self, names: impl Iterator<Item = String>) -> Result<(), CheckpointError> {
        let known: HashSet<String> = names.collect();
        match self.header.offset_keys().into_iter().filter(|name| !known.contains(name)).min() {
            Some(tensor) => Err(CheckpointError::UnknownTensor { path: self.path.clone(), tensor }),
            None => Ok(()),
        }
    }
}
