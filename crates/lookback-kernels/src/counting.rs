//! A global allocator that counts, so that what is said about allocations can be tested.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator, counting: the `#[global_allocator]` of a test program.
#[derive(Debug, Default)]
pub struct CountingAllocator {
    blocks: AtomicU64,
}

impl CountingAllocator {
    /// One that has counted nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: AtomicU64::new(0) }
    }

    /// Blocks that were asked for so far, by all threads. A block that grows is asked for again.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.blocks.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: everything is the system's allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller's promise; so in all of these.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
