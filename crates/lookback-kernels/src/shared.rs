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

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.data
    }
}

/// 64 bytes on their own cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    static SCRATCH: RefCell<[Vec<Line>; 5]> = const { RefCell::new([const { Vec::new() }; 5]) };
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
    /// A recurrent layer's gradient between steps, held while products run.
    Recurrent = 4,
}

/// Runs `work` on `len` elements of this thread's scratch memory, whose contents are unspecified (but initialised).
/// The memory is kept, so a steady sequence of calls allocates nothing.
pub(crate) fn with_scratch<T: crate::Real, R>(area: Area, len: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    let lines = len.checked_mul(size_of::<T>()).expect("scratch fits into memory").div_ceil(64);
    let mut buffer = SCRATCH.with_borrow_mut(|areas| std::mem::take(&mut areas[area as usize]));
    if buffer.len() < lines {
        buffer.resize(lines, Line([0; 64]));
    }
    // SAFETY: the buffer holds at least `len` elements, aligned to 64 bytes; every bit pattern is a valid float.
    let slice = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<T>(), len) };
    let result = work(slice);
    SCRATCH.with_borrow_mut(|areas| {
        if areas[area as usize].len() < buffer.len() {
            areas[area as usize] = buffer;
        }
    });
    result
}

/// Runs `work` on scratch memory for a block of `logits` numbers and `rows` pairs of losses. Contents are unspecified on entry; the memory is kept, so a
/// steady sequence of calls allocates nothing.
pub fn with_loss_buffers<T: crate::Real, R>(
    logits: usize,
    rows: usize,
    work: impl FnOnce(&mut [T], &mut [[f64; 2]]) -> R,
) -> R {
    with_scratch(Area::Logits, logits, |logits: &mut [T]| {
        with_scratch(Area::Losses, rows.saturating_mul(2), |losses: &mut [f64]| work(logits, losses.as_chunks_mut().0))
    })
}
