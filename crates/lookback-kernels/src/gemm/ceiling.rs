//! What the register tile reaches when its operands are at hand: the ceiling that products are measured against.

use crate::microkernel::Store;
use crate::shared::{Area, with_scratch};
use crate::{Exec, Real};

/// Packed words of the shared dimension: both panels stay in the first-level cache.
const WORDS: usize = 128;

/// Runs the tile of `exec` on panels that stay in the first-level cache, `rounds` times on every thread, and returns how many multiply-adds that were, in all. Timed by the
/// caller, it says what a product could reach here.
pub fn multiply_adds_from_cache<T: Real>(exec: Exec<'_>, rounds: usize) -> usize {
    let kernel = T::micro_kernel(exec.isa, exec.products);
    let (mr, nr, threads) = (kernel.mr, kernel.nr, exec.pool.threads());
    exec.pool.run(threads, |_| {
        with_scratch(Area::Left, mr * (WORDS + nr), |left: &mut [T]| {
            with_scratch(Area::Right, nr * WORDS, |right: &mut [T]| {
                left.fill(T::ZERO);
                right.fill(T::ZERO);
                let (a, c) = left.split_at_mut(mr * WORDS);
                for _ in 0..rounds {
                    // SAFETY: the panels hold a whole tile of `WORDS` steps, and `c` a whole tile.
                    unsafe { kernel.tile(mr, nr, WORDS, a.as_ptr(), right.as_ptr(), c.as_mut_ptr(), nr, Store::Add) };
                }
            });
        });
    });
    threads * rounds * mr * nr * WORDS * kernel.pair
}
