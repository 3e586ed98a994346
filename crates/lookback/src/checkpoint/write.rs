//! How files are written: whole or not at all.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::CheckpointError;
use crate::params::ParamSpec;
use crate::stored::Stored;

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

/// What readers of PyTorch's tensors look for.
fn metadata() -> HashMap<String, String> {
    HashMap::from([("format".to_owned(), "pt".to_owned())])
}

/// Writes parameters in single precision.
pub(super) fn write_numbers(path: &Path, specs: &[ParamSpec], values: &[Vec<f32>]) -> Result<(), CheckpointError> {
    let tensors: Vec<_> = specs
        .iter()
        .zip(values)
        .map(|(spec, values)| (spec.name.clone(), spec.shape.clone(), Numbers::F32(values)))
        .collect();
    write_tensors(path, &tensors, metadata())
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
    write_tensors(path, &tensors, metadata())
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
    let whole = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = whole {
        // A half-written file would keep the disk full.
        drop(fs::remove_file(&temporary));
        return Err(write(source));
    }
    // The rename itself lasts once the folder is synced; not every system can.
    if let Some(dir) = path.parent()
        && let Ok(dir) = File::open(dir)
    {
        drop(dir.sync_all());
    }
    Ok(())
}
