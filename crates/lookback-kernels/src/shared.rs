//! A slice whose disjoint parts are written by several workers, and scratch memory that is kept between calls.

use std::cell::RefCell;
use std::marker::PhantomData;

/// A mutable slice that hands out disjoint parts to the tiles of one job.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: parts are only handed out by `part`, whose caller promises that no two live parts overlap.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { data: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// The elements `start..start + len`.
    ///
    /// # Safety
    /// No other live part may overlap this one.
    ///
    /// # Panics
    /// If the part reaches outside the slice.
    #[allow(clippy::mut_from_ref, reason = "parts of one slice are disjoint, which is the caller's promise")]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.len), "part outside the slice");
        // SAFETY: inside the slice, and disjoint from every other live part.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}

/// A number of which every bit pattern is one, so that memory of any origin can hold it.
///
/// # Safety
/// That is the promise, and that there is no padding, which would be memory nobody wrote.
pub unsafe trait AnyBits: Copy {}

// SAFETY: every bit pattern is a number, or NaN.
unsafe impl AnyBits for f32 {}
// SAFETY: as above.
unsafe impl AnyBits for f64 {}
// SAFETY: every bit pattern is a number.
unsafe impl AnyBits for u16 {}
// SAFETY: as above.
unsafe impl AnyBits for u32 {}
// SAFETY: as above.
unsafe impl AnyBits for i8 {}
// SAFETY: as above.
unsafe impl AnyBits for i32 {}

/// The bytes of numbers as they lie in memory, to be read into.
pub fn bytes_mut<T: AnyBits>(x: &mut [T]) -> &mut [u8] {
    // SAFETY: the same memory; every bit pattern is a number, so whatever is written is.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), size_of_val(x)) }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Numbers that start on a cache line of their own. The memory is kept.
///
/// The lines are plain bytes, of which the system has zeros to give that nobody has written yet; one more than needed, so that there is a place to start.
pub(crate) struct Aligned<T> {
    lines: Vec<[u8; LINE]>,
    len: usize,
    number: PhantomData<T>,
}

impl<T> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aligned").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: AnyBits> Aligned<T> {
    pub(crate) const fn empty() -> Self {
        Self { lines: Vec::new(), len: 0, number: PhantomData }
    }

    /// Room for `len` numbers; what they are is unspecified (but initialised).
    pub(crate) fn resized(&mut self, len: usize) -> &mut [T] {
        let lines = len.checked_mul(size_of::<T>()).expect("a buffer fits into memory").div_ceil(LINE) + 1;
        if self.lines.len() < lines {
            self.lines = vec![[0; LINE]; lines];
        }
        self.len = len;
        // SAFETY: behind the offset the lines hold at least `len` numbers, aligned to a line; every bit pattern is a number.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<u8>().add(self.offset()).cast(), len) }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: as above; `len` numbers were asked for.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<u8>().add(self.offset()).cast(), self.len) }
    }

    /// Bytes before the first whole cache line.
    fn offset(&self) -> usize {
        self.lines.as_ptr().addr().wrapping_neg() % LINE
    }
}

/// Numbers of a scratch area, at least.
const LEAST: usize = 1 << 16;

thread_local! {
    static SCRATCH: RefCell<[Vec<[u8; LINE]>; 6]> = const { RefCell::new([const { Vec::new() }; 6]) };
}

/// Which of a thread's scratch areas: each may be held while the others are.
#[derive(Clone, Copy)]
pub(crate) enum Area {
    /// The packed left operand of a product, or a kernel's own temporary.
    Left = 0,
    /// The packed right operand.
    Right = 1,
    /// A block of logits.
    Logits = 2,
    /// Losses of rows.
    Losses = 3,
    /// What a recurrent layer passes between products and cells, held while products run.
    Recurrent = 4,
    /// Sums of tasks, held until they are added up.
    Sums = 5,
}

/// Runs `work` on `len` elements of this thread's scratch memory, whose contents are unspecified (but initialised).
/// The memory is kept, so a steady sequence of calls allocates nothing.
pub(crate) fn with_scratch<T: AnyBits, R>(area: Area, len: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    let lines = SCRATCH.with_borrow_mut(|areas| std::mem::take(&mut areas[area as usize]));
    let mut buffer = Aligned { lines, len: 0, number: PhantomData };
    // No task of a job needs more than the least, so that it does not matter which thread computed what before.
    buffer.resized(len.max(LEAST));
    let result = work(buffer.resized(len));
    SCRATCH.with_borrow_mut(|areas| {
        if areas[area as usize].len() < buffer.lines.len() {
            areas[area as usize] = buffer.lines;
        }
    });
    result
}

/// Makes the scratch memory that tasks of jobs need of this thread, which is a worker's: from then on they allocate nothing.
#[cfg(feature = "threads")]
pub(crate) fn make_scratch() {
    for area in [Area::Left, Area::Right] {
        with_scratch(area, LEAST, |_: &mut [f32]| {});
    }
}

/// Runs `work` on scratch memory for a block of `logits` numbers and `rows` rows of losses. Contents are unspecified on entry; the memory is kept, so a
/// steady sequence of calls allocates nothing.
pub fn with_loss_buffers<T: crate::Real, R>(
    logits: usize,
    rows: usize,
    work: impl FnOnce(&mut [T], &mut [crate::RowLoss]) -> R,
) -> R {
    with_scratch(Area::Logits, logits, |logits: &mut [T]| {
        with_scratch(Area::Losses, rows.saturating_mul(3), |losses: &mut [f64]| work(logits, losses.as_chunks_mut().0))
    })
}
