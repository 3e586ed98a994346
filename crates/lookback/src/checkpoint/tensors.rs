//! Safetensors files, read with suspicion: the header alone first, and no number before its tensor is known to be what is expected.
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lookback_kernels::{AnyBits, bytes_mut};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::CheckpointError;
use super::write::scale_name;
use crate::backend::Backend;
use crate::params::{ParamSpec, upload};
use crate::read_bounded::open;
use crate::stored::{Storage, Stored};

/// The longest header that is read, in bytes.
const MOST_HEADER: u64 = 16 << 20;
/// Numbers that are checked together.
const CHECK: usize = 1 << 12;

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

/// The tensors of a parameter.
enum Places {
    F32(Place),
    Bf16(Place),
    Int8 { values: Place, scales: Place },
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

    /// Fails unless the file holds every parameter in its shape, its matrices as `storage` says, and nothing else.
    pub(super) fn expect_stored(&self, specs: &[ParamSpec], storage: Storage) -> Result<(), CheckpointError> {
        let scaled = specs.iter().filter(|spec| storage == Storage::Int8 && spec.is_matrix());
        let scales = scaled.map(|spec| scale_name(&spec.name));
        self.expect_only(specs.iter().map(|spec| spec.name.clone()).chain(scales))?;
        specs.iter().try_for_each(|spec| self.stored_places(spec, storage).map(drop))
    }

    /// A parameter, kept as `storage` says if it is a matrix.
    pub(super) fn stored(&self, spec: &ParamSpec, storage: Storage) -> Result<Stored, CheckpointError> {
        Ok(match self.stored_places(spec, storage)? {
            Places::F32(place) => self.numbers(&place)?.into(),
            Places::Bf16(place) => Stored::Bf16(self.numbers(&place)?),
            Places::Int8 { values, scales } => {
                Stored::Int8 { values: self.numbers(&values)?, scales: self.numbers(&scales)? }
            }
        })
    }

    /// A parameter on a device, which lays rows out while others are read.
    pub(crate) fn weight<B: Backend>(
        &self,
        backend: &B,
        spec: &ParamSpec,
        storage: Storage,
    ) -> Result<B::Weight, CheckpointError> {
        let (rows, cols) = spec.matrix();
        let fault = Fault::default();
        let weight = match self.stored_places(spec, storage)? {
            Places::F32(place) => upload(backend, spec, &self.numbers(&place)?),
            Places::Bf16(place) => {
                let fill = |row, out: &mut [u16]| fault.note(row, out, |out| self.part(&place, row * cols, out));
                backend.bf16_weight(rows, cols, &fill)
            }
            Places::Int8 { values, scales } => {
                let fill = |row, out: &mut [i8]| fault.note(row, out, |out| self.part(&values, row * cols, out));
                backend.int8_weight(self.numbers(&scales)?, rows, cols, &fill)
            }
        };
        fault.or(weight)
    }

    fn stored_places(&self, spec: &ParamSpec, storage: Storage) -> Result<Places, CheckpointError> {
        let place = |dtype| self.place(spec.name.clone(), &spec.shape, dtype);
        Ok(match storage {
            Storage::Bf16 if spec.is_matrix() => Places::Bf16(place(Dtype::BF16)?),
            Storage::Int8 if spec.is_matrix() => {
                let values = place(Dtype::I8)?;
                Places::Int8 { values, scales: self.place(scale_name(&spec.name), &spec.shape[..1], Dtype::F32)? }
            }
            Storage::F32 | Storage::Bf16 | Storage::Int8 => Places::F32(place(Dtype::F32)?),
        })
    }

    /// A vector of ids, of any length.
    pub(crate) fn ids(&self, tensor: &str) -> Result<Vec<u32>, CheckpointError> {
        let found = self.header.info(tensor).map_or(1, |info| info.shape.iter().product());
        self.numbers(&self.place(tensor.to_owned(), &[found], Dtype::U32)?)
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

    /// All numbers of a tensor.
    fn numbers<S: Number>(&self, place: &Place) -> Result<Vec<S>, CheckpointError> {
        let mut values = vec![S::default(); place.count];
        self.part(place, 0, &mut values)?;
        Ok(values)
    }

    /// Reads as many numbers of a tensor as `out` has, from number `start` on, and checks them.
    fn part<S: Number>(&self, place: &Place, start: usize, out: &mut [S]) -> Result<(), CheckpointError> {
        let at = place.start + (start * size_of::<S>()) as u64;
        read_at(&self.file, bytes_mut(out), at)
            .map_err(|source| CheckpointError::Read { path: self.path.clone(), source })?;
        out.iter_mut().for_each(|value| *value = value.of_le());
        first_wrong(out).map_or(Ok(()), |index| Err(S::refused(self.path.clone(), place.tensor.clone(), start + index)))
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

/// The first value that is refused. Many are looked at together, because nearly always none is.
fn first_wrong<S: Number>(values: &[S]) -> Option<usize> {
    let any = |values: &[S]| values.iter().fold(false, |any, value| any | value.is_wrong());
    let part = values.chunks(CHECK).position(any)? * CHECK;
    values[part..].iter().position(|value| value.is_wrong()).map(|at| part + at)
}

/// Reads bytes from a place of a file, which several threads may do at once.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Reads bytes from a place of a file, one thread after another.
#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};

    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// A number of a file.
trait Number: AnyBits + Default {
    /// The same number, whose bytes were in the file's order.
    fn of_le(self) -> Self;
    /// Whether it is refused.
    fn is_wrong(self) -> bool;
    /// What is said of the one at `index`.
    fn refused(path: PathBuf, tensor: String, index: usize) -> CheckpointError {
        CheckpointError::NotFinite { path, tensor, index }
    }
}

impl Number for f32 {
    fn of_le(self) -> Self {
        Self::from_bits(u32::from_le(self.to_bits()))
    }

    fn is_wrong(self) -> bool {
        !self.is_finite()
    }
}

/// bfloat16.
impl Number for u16 {
    fn of_le(self) -> Self {
        Self::from_le(self)
    }

    fn is_wrong(self) -> bool {
        const EXPONENT: u16 = 0x7f80; // all bits of it: infinite or not a number
        self & EXPONENT == EXPONENT
    }
}

/// Ids: whoever reads them knows which there are.
impl Number for u32 {
    fn of_le(self) -> Self {
        Self::from_le(self)
    }

    fn is_wrong(self) -> bool {
        false
    }
}

/// Whole numbers of 8 bits, none of them -128.
impl Number for i8 {
    fn of_le(self) -> Self {
        self
    }

    fn is_wrong(self) -> bool {
        self == Self::MIN
    }

    fn refused(path: PathBuf, tensor: String, index: usize) -> CheckpointError {
        let message = format!("tensor `{tensor}` holds -128 at {index}; values are in -127..127");
        CheckpointError::Damaged { path, message }
    }
}

/// What went wrong first, by rows, while threads read a matrix.
#[derive(Default)]
struct Fault(Mutex<Option<(usize, CheckpointError)>>);

impl Fault {
    /// Reads rows; if that fails, they become zeros, which nobody will use.
    fn note<S: Number>(&self, row: usize, out: &mut [S], read: impl FnOnce(&mut [S]) -> Result<(), CheckpointError>) {
        let Err(error) = read(out) else { return };
        out.fill(S::default());
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.as_ref().is_none_or(|(first, _)| row < *first) {
            *fault = Some((row, error));
        }
    }

    /// The fault, if there was one.
    fn or<W>(self, weight: W) -> Result<W, CheckpointError> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(weight), |(_, error)| Err(error))
    }
}
