//! Safetensors files, read with suspicion: the header alone first, and no number before its tensor is known to be what is expected.
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::CheckpointError;
use super::write::scale_name;
use crate::params::ParamSpec;
use crate::read_bounded::open;
use crate::stored::{Storage, Stored};

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

/// A tensor that was found to be what is expected, and is not read yet.
#[derive(Debug)]
struct Place {
    tensor: String,
    /// Its first byte in the file.
    start: u64,
    /// Its numbers.
    count: usize,
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
    #[cfg(feature = "train")]
    pub(crate) fn metadata(&self, key: &str) -> Result<String, CheckpointError> {
        let found = self.header.metadata().as_ref().and_then(|m| m.get(key).cloned());
        let message = format!("no `{key}` in its metadata");
        found.ok_or_else(|| CheckpointError::Damaged { path: self.path.clone(), message })
    }

    /// Fails unless every parameter is there in its shape, under its name with `prefix` before it.
    #[cfg(feature = "train")]
    pub(crate) fn expect(&self, specs: &[ParamSpec], prefix: &str) -> Result<(), CheckpointError> {
        specs.iter().try_for_each(|spec| self.value_place(spec, prefix).map(drop))
    }

    /// The values of a parameter, under its name with `prefix` before it.
    #[cfg(feature = "train")]
    pub(crate) fn value(&self, spec: &ParamSpec, prefix: &str) -> Result<Vec<f32>, CheckpointError> {
        self.numbers(&self.value_place(spec, prefix)?)
    }

    #[cfg(feature = "train")]
    fn value_place(&self, spec: &ParamSpec, prefix: &str) -> Result<Place, CheckpointError> {
        self.place(format!("{prefix}{}", spec.name), &spec.shape, Dtype::F32)
    }

    /// Every parameter, its matrices as `storage` says. None is read before all are known to have their shapes.
    pub(super) fn stored(&self, specs: &[ParamSpec], storage: Storage) -> Result<Vec<Stored>, CheckpointError> {
        let place = |spec: &ParamSpec| -> Result<(Place, Option<Place>), CheckpointError> {
            if storage == Storage::Int8 && spec.is_matrix() {
                let whole = self.place(spec.name.clone(), &spec.shape, Dtype::I8)?;
                return Ok((whole, Some(self.place(scale_name(&spec.name), &spec.shape[..1], Dtype::F32)?)));
            }
            Ok((self.place(spec.name.clone(), &spec.shape, Dtype::F32)?, None))
        };
        let places = specs.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let read = |(place, scales): &(Place, Option<Place>)| match scales {
            Some(scales) => Ok(Stored::Int8 { values: self.whole(place)?, scales: self.numbers(scales)? }),
            None => Ok(self.numbers(place)?.into()),
        };
        places.iter().map(read).collect()
    }

    /// Where a tensor of this shape and type is.
    fn place(&self, tensor: String, expected: &[usize], dtype: Dtype) -> Result<Place, CheckpointError> {
        let path = self.path.clone();
        let Some(info) = self.header.info(&tensor) else {
            return Err(CheckpointError::MissingTensor { path, tensor });
        };
        if info.dtype != dtype {
            let [expected, found] = [dtype, info.dtype].map(|dtype| format!("{dtype:?}"));
            return Err(CheckpointError::Type { path, tensor, expected, found });
        }
        if info.shape != expected {
            let (expected, found) = (expected.to_vec(), info.shape.clone());
            return Err(CheckpointError::Shape { path, tensor, expected, found });
        }
        Ok(Place { tensor, start: self.start + info.data_offsets.0 as u64, count: expected.iter().product() })
    }

    /// Numbers in single precision, all of them finite.
    fn numbers(&self, place: &Place) -> Result<Vec<f32>, CheckpointError> {
        let mut values: Vec<f32> = Vec::with_capacity(place.count);
        self.bytes(place, 4, |bytes| values.extend(bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c))))?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                Err(CheckpointError::NotFinite { path: self.path.clone(), tensor: place.tensor.clone(), index })
            }
            None => Ok(values),
        }
    }

    /// Whole numbers of 8 bits, none of them -128.
    fn whole(&self, place: &Place) -> Result<Vec<i8>, CheckpointError> {
        let mut values: Vec<i8> = Vec::with_capacity(place.count);
        self.bytes(place, 1, |bytes| values.extend(bytes.iter().map(|byte| byte.cast_signed())))?;
        match values.iter().position(|&value| value == i8::MIN) {
            Some(index) => {
                let message = format!("tensor `{}` holds -128 at {index}; values are in -127..127", place.tensor);
                Err(CheckpointError::Damaged { path: self.path.clone(), message })
            }
            None => Ok(values),
        }
    }

    /// Hands a tensor whose numbers have `size` bytes to `take`, part by part.
    fn bytes(&self, place: &Place, size: usize, mut take: impl FnMut(&[u8])) -> Result<(), CheckpointError> {
        let read = |source| CheckpointError::Read { path: self.path.clone(), source };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place.start)).map_err(read)?;
        let mut bytes = vec![0; size * READ.min(place.count)];
        let mut left = place.count;
        while left > 0 {
            let bytes = &mut bytes[..size * READ.min(left)];
            file.read_exact(bytes).map_err(read)?;
            take(bytes);
            left -= bytes.len() / size;
        }
        Ok(())
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
