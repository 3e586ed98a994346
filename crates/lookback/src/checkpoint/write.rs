//! How files are written: whole or not at all.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::CheckpointError;
use crate::params::ParamSpec;
use crate::stored::Stored;

/// Numbers that are turned into bytes at once.
const PART: usize = 1 << 14;

/// What the scales of a matrix of 8 bits are called.
pub(super) fn scale_name(matrix: &str) -> String {
    format!("{matrix}.scale")
}

/// A tensor to be written.
#[derive(Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Numbers<'a>,
}

/// Puts the numbers from the given place on into the slice, as many as it has.
type Read<'a> = Box<dyn Fn(usize, &mut [f32]) + 'a>;

/// The numbers of a tensor to be written.
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u16]),
    I8(&'a [i8]),
    U32(&'a [u32]),
    /// Numbers in single precision that lie on a device.
    Elsewhere(Read<'a>),
}

impl fmt::Debug for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "numbers of type {:?}", self.dtype())
    }
}

impl Tensor<'_> {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether all numbers are finite.
    #[cfg(feature = "train")]
    pub(crate) fn is_finite(&self) -> bool {
        let is_finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        match &self.numbers {
            Numbers::F32(values) => is_finite(values),
            // Not those of a training.
            Numbers::Bf16(_) | Numbers::I8(_) | Numbers::U32(_) => true,
            Numbers::Elsewhere(read) => {
                let mut part = vec![0.0; PART.min(self.count())];
                (0..self.count()).step_by(PART).all(|from| {
                    let part = &mut part[..PART.min(self.count() - from)];
                    read(from, part);
                    is_finite(part)
                })
            }
        }
    }

    fn write(&self, file: &mut dyn Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        match &self.numbers {
            Numbers::F32(values) => put(file, &mut bytes, values, f32::to_le_bytes),
            Numbers::Bf16(values) => put(file, &mut bytes, values, u16::to_le_bytes),
            Numbers::U32(values) => put(file, &mut bytes, values, u32::to_le_bytes),
            Numbers::I8(values) => put(file, &mut bytes, values, i8::to_le_bytes),
            Numbers::Elsewhere(read) => {
                let mut part = vec![0.0; PART.min(self.count())];
                (0..self.count()).step_by(PART).try_for_each(|from| {
                    let part = &mut part[..PART.min(self.count() - from)];
                    read(from, part);
                    put(file, &mut bytes, part, f32::to_le_bytes)
                })
            }
        }
    }
}

/// Writes numbers part by part, their bytes in `bytes` in between.
fn put<S: Copy, const N: usize>(
    file: &mut dyn Write,
    bytes: &mut Vec<u8>,
    numbers: &[S],
    to_bytes: impl Fn(S) -> [u8; N],
) -> io::Result<()> {
    numbers.chunks(PART).try_for_each(|part| {
        bytes.clear();
        bytes.extend(part.iter().flat_map(|&number| to_bytes(number)));
        file.write_all(bytes)
    })
}

impl Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) | Self::Elsewhere(_) => Dtype::F32,
            Self::Bf16(_) => Dtype::BF16,
            Self::I8(_) => Dtype::I8,
            Self::U32(_) => Dtype::U32,
        }
    }
}

/// Writes parameters as they are stored.
pub(super) fn write_stored(path: &Path, specs: &[ParamSpec], stored: &[Stored]) -> Result<(), CheckpointError> {
    let mut tensors = Vec::with_capacity(specs.len());
    for (spec, stored) in specs.iter().zip(stored) {
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        match stored {
            Stored::F32(values) => tensors.push(Tensor { name, shape, numbers: Numbers::F32(values) }),
            Stored::Bf16(values) => tensors.push(Tensor { name, shape, numbers: Numbers::Bf16(values) }),
            Stored::Int8 { values, scales } => {
                let (scale, numbers) = (scale_name(&name), Numbers::F32(scales));
                tensors.push(Tensor { name: scale, shape: vec![scales.len()], numbers });
                tensors.push(Tensor { name, shape, numbers: Numbers::I8(values) });
            }
        }
    }
    write_tensors(path, &tensors, None)
}

/// Writes a safetensors file under a temporary name, synced and renamed: its header, then tensor after tensor, of which a small part is in memory at a time. Without
/// metadata of its own it has what readers of PyTorch's tensors look for.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[Tensor<'_>],
    metadata: Option<(&str, String)>,
) -> Result<(), CheckpointError> {
    let damaged = |message: String| CheckpointError::Damaged { path: path.to_owned(), message };
    let mut sorted: Vec<&Tensor<'_>> = tensors.iter().collect();
    sorted.sort_by(|a, b| b.numbers.dtype().cmp(&a.numbers.dtype()).then_with(|| a.name.cmp(&b.name)));
    let (key, text) = metadata.unwrap_or(("format", "pt".to_owned()));
    let header = header(&sorted, HashMap::from([(key.to_owned(), text)])).map_err(damaged)?;
    write_whole(path, |file| {
        file.write_all(&header)?;
        sorted.iter().try_for_each(|tensor| tensor.write(file))
    })
}

/// What stands before the tensors, which follow each other in this order: the length of the rest, and where each of them is, filled up with spaces to a multiple of 8 bytes.
fn header(tensors: &[&Tensor<'_>], metadata: HashMap<String, String>) -> Result<Vec<u8>, String> {
    let mut end = 0;
    let info = |tensor: &&Tensor<'_>| {
        let (start, dtype) = (end, tensor.numbers.dtype());
        end += tensor.count() * dtype.bitsize() / 8;
        (tensor.name.clone(), TensorInfo { dtype, shape: tensor.shape.clone(), data_offsets: (start, end) })
    };
    let infos = tensors.iter().map(info).collect();
    let places = Metadata::new(Some(metadata), infos).map_err(|e| e.to_string())?;
    let mut text = serde_json::to_vec(&places).map_err(|e| e.to_string())?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}

/// Writes a file under a temporary name beside it, syncs it and renames it: readers see the old file or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    write_whole(path, |file| file.write_all(bytes))
}

/// As [`write_atomic`], of what `content` writes.
pub(crate) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let whole = File::create(&temporary)
        .and_then(|mut file| content(&mut file).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = whole {
        // A half-written file would keep the disk full.
        drop(fs::remove_file(&temporary));
        return Err(write(source));
    }
    sync_folder(path).map_err(write)
}

/// Renames a file that was written, so that it lasts.
#[cfg(feature = "train")]
pub(crate) fn replace(from: &Path, to: &Path) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: to.to_owned(), source };
    fs::rename(from, to).and_then(|()| sync_folder(to)).map_err(write)
}

/// A rename lasts once the folder is synced. Not every system can open a folder, and not every file system can sync one.
fn sync_folder(path: &Path) -> io::Result<()> {
    let Some(Ok(dir)) = path.parent().map(File::open) else { return Ok(()) };
    match dir.sync_all() {
        Err(e)
            if !matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied) =>
        {
            Err(e)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;

    use super::*;

    /// Any order, odd sizes, two types, and a tensor of several parts.
    #[test]
    fn a_file_written_part_by_part_has_the_bytes_of_the_safetensors_library() {
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..7).map(|i| i as f32).collect(), (0..40_001).map(|i| -i as f32).collect());
        let (whole, halves): (Vec<i8>, Vec<u16>) = ((-5..6).collect(), (16_000..16_005).collect());
        let elsewhere = |from: usize, to: &mut [f32]| to.copy_from_slice(&b[from..from + to.len()]);
        let tensors = [
            Tensor { name: "z".into(), shape: vec![7], numbers: Numbers::F32(&a) },
            Tensor { name: "i".into(), shape: vec![11, 1], numbers: Numbers::I8(&whole) },
            Tensor { name: "h".into(), shape: vec![1, 5], numbers: Numbers::Bf16(&halves) },
            Tensor { name: "b".into(), shape: vec![40_001], numbers: Numbers::Elsewhere(Box::new(elsewhere)) },
        ];
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("m.safetensors");
        write_tensors(&path, &tensors, Some(("training", "{\"é\": \"\\\"\"}".to_owned()))).expect("written");
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (a, b, whole) = (bytes(&a), bytes(&b), whole.iter().map(|v| v.cast_unsigned()).collect::<Vec<u8>>());
        let halves: Vec<u8> = halves.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = |dtype, shape: &[usize], data| TensorView::new(dtype, shape.to_vec(), data).expect("a view");
        let views = [
            ("z", view(Dtype::F32, &[7], &a)),
            ("i", view(Dtype::I8, &[11, 1], &whole)),
            ("h", view(Dtype::BF16, &[1, 5], &halves)),
            ("b", view(Dtype::F32, &[40_001], &b)),
        ];
        let metadata = HashMap::from([("training".to_owned(), "{\"é\": \"\\\"\"}".to_owned())]);
        let want = safetensors::serialize(views, Some(metadata)).expect("a file");
        assert!(fs::read(&path).expect("readable") == want, "the bytes differ");
    }
}
