//! Parameter matrices on the processor, in the forms products want.

use lookback_kernels::{Exec, Int8Matrix, MatRef, Operand, PackedMatrix, embed, from_bf16, to_bf16};

use super::super::{Fill, Precision, Purpose, Real};

/// A parameter matrix (rows, cols).
#[derive(Debug)]
pub struct CpuWeight<T> {
    rows: usize,
    cols: usize,
    kept: Kept<T>,
}

/// How the numbers are kept.
#[derive(Debug)]
enum Kept<T> {
    /// As they are computed with.
    Full(Full<T>),
    /// Wᵀ packed, of bfloat16: forward only.
    Bf16(PackedMatrix<T>),
    /// In 8 bits: forward only.
    Int8(Int8Matrix),
}

/// Numbers row-major, with packed forms that are valid until the next update.
#[derive(Debug)]
struct Full<T> {
    values: Vec<T>,
    /// Wᵀ packed, for `x·Wᵀ`.
    forward: Packing<T>,
    /// W packed, for `dy·W`.
    backward: Packing<T>,
}

#[derive(Debug)]
struct Packing<T> {
    matrix: PackedMatrix<T>,
    valid: bool,
}

impl<T: Real> Packing<T> {
    fn new() -> Self {
        Self { matrix: PackedMatrix::empty(), valid: false }
    }

    fn pack(&mut self, exec: Exec<'_>, matrix: MatRef<'_, T>) {
        if !self.valid {
            self.matrix.pack(exec, matrix);
            self.valid = true;
        }
    }

    fn or<'a>(&'a self, plain: MatRef<'a, T>) -> Operand<'a, T> {
        if self.valid { Operand::Packed(&self.matrix) } else { Operand::Plain(plain) }
    }
}

impl<T: Real> CpuWeight<T> {
    pub(super) fn new(values: &[T], rows: usize, cols: usize) -> Self {
        assert_eq!(values.len(), rows * cols, "a weight of {rows} × {cols}");
        let full = Full { values: values.to_vec(), forward: Packing::new(), backward: Packing::new() };
        Self { rows, cols, kept: Kept::Full(full) }
    }

    /// Double precision, which is for checks, keeps what bfloat16 say as its own numbers.
    pub(super) fn bf16(exec: Exec<'_>, rows: usize, cols: usize, fill: Fill<'_, u16>) -> Self {
        if size_of::<T>() != size_of::<f32>() {
            let mut values = vec![0; rows * cols];
            fill(0, &mut values);
            let values: Vec<T> = values.iter().map(|&value| T::from_f64(from_bf16(value).into())).collect();
            return Self::new(&values, rows, cols);
        }
        Self { rows, cols, kept: Kept::Bf16(PackedMatrix::of_bf16(exec, rows, cols, fill)) }
    }

    pub(super) fn int8(matrix: Int8Matrix) -> Self {
        Self { rows: matrix.rows(), cols: matrix.cols(), kept: Kept::Int8(matrix) }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    pub(super) fn precision(&self) -> Precision {
        match self.kept {
            Kept::Bf16(_) => Precision::Bf16,
            Kept::Int8(_) => Precision::Int8,
            Kept::Full(_) if size_of::<T>() == 4 => Precision::F32,
            Kept::Full(_) => Precision::F64,
        }
    }

    /// The numbers, as far as the precision knows them.
    pub(super) fn to_values(&self) -> Vec<T> {
        let rows = |write: &dyn Fn(usize, &mut [T])| {
            let mut values = vec![T::ZERO; self.rows * self.cols];
            values.chunks_mut(self.cols).enumerate().for_each(|(row, out)| write(row, out));
            values
        };
        match &self.kept {
            Kept::Full(full) => full.values.clone(),
            Kept::Bf16(packed) => rows(&|row, out| packed.bf16_row(row, out)),
            Kept::Int8(matrix) => rows(&|row, out| matrix.row(row, out)),
        }
    }

    /// The numbers of a vector, which always has all its bits, or of a matrix that is trained.
    pub(super) fn values(&self) -> &[T] {
        &self.full().values
    }

    /// The numbers, to be changed: what was packed of them is forgotten.
    pub(super) fn values_mut(&mut self) -> &mut [T] {
        let Kept::Full(full) = &mut self.kept else { panic!("{NO_GRADIENTS}") };
        (full.forward.valid, full.backward.valid) = (false, false);
        &mut full.values
    }

    pub(super) fn prepare(&mut self, exec: Exec<'_>, purpose: Purpose) {
        let Kept::Full(full) = &mut self.kept else { return };
        let matrix = MatRef::new(&full.values, self.rows, self.cols);
        full.forward.pack(exec, matrix.t());
        if purpose == Purpose::Train {
            full.backward.pack(exec, matrix);
        }
    }

    /// The rows `ids`, stored like these and laid out for decoding.
    pub(super) fn select_rows(&self, exec: Exec<'_>, ids: &[u32]) -> Self {
        match &self.kept {
            Kept::Full(full) => {
                let row = |&id: &u32| &full.values[id as usize * self.cols..][..self.cols];
                let mut selected = Self::new(&ids.iter().map(row).collect::<Vec<_>>().concat(), ids.len(), self.cols);
                selected.prepare(exec, Purpose::Decode);
                selected
            }
            Kept::Bf16(packed) => Self::bf16(exec, ids.len(), self.cols, &|first, out| {
                let mut row = vec![T::ZERO; self.cols];
                for (out, &id) in out.chunks_exact_mut(self.cols).zip(&ids[first..]) {
                    packed.bf16_row(id as usize, &mut row);
                    #[allow(clippy::cast_possible_truncation, reason = "it was single precision")]
                    out.iter_mut().zip(&row).for_each(|(out, value)| *out = to_bf16(value.to_f64() as f32));
                }
            }),
            Kept::Int8(matrix) => Self::int8(matrix.select(exec, ids)),
        }
    }

    /// Wᵀ, the right operand of `x·Wᵀ`.
    pub(super) fn forward(&self) -> Operand<'_, T> {
        match &self.kept {
            Kept::Full(full) => full.forward.or(self.matrix(full).t()),
            Kept::Bf16(packed) => Operand::Packed(packed),
            Kept::Int8(matrix) => Operand::Int8(matrix),
        }
    }

    /// W, the right operand of `dy·W`.
    pub(super) fn backward(&self) -> Operand<'_, T> {
        let full = self.full();
        full.backward.or(self.matrix(full))
    }

    /// `y[n] = row ids[n]`
    pub(super) fn embed(&self, exec: Exec<'_>, y: &mut [T], ids: &[u32]) {
        match &self.kept {
            Kept::Full(full) => embed(exec, y, &full.values, ids, self.cols),
            Kept::Bf16(packed) => packed.embed_bf16(exec, y, ids),
            Kept::Int8(matrix) => matrix.embed(exec, y, ids),
        }
    }

    fn matrix<'a>(&self, full: &'a Full<T>) -> MatRef<'a, T> {
        MatRef::new(&full.values, self.rows, self.cols)
    }

    fn full(&self) -> &Full<T> {
        let Kept::Full(full) = &self.kept else { panic!("{NO_GRADIENTS}") };
        full
    }
}

/// [`Graph::training`](crate::tape::Graph::training) refuses such weights before.
const NO_GRADIENTS: &str = "weights of 8 bits or of bfloat16 are matrices, and have no gradients";
