//! The workers: one pool per process, made by the caller, shared by everything.
//!
//! A job is a number of tiles. Each thread begins with its own share of them, the same in every job, so that what it touched last time is still in its cache;
//! who is done takes from the others. Which thread computes a tile is a matter of luck, what a tile computes is not. Workers spin briefly after a job, because the next one usually follows within microseconds, then park.
//! A job waits for the tiles that were begun and for nobody who has begun none: where other programs have the processors, the caller computes alone rather than wait for its workers' turn.

use std::fmt;

#[cfg(feature = "threads")]
mod threads;

/// A fixed set of worker threads (the caller's own thread is one of them).
pub struct Pool {
    threads: usize,
    #[cfg(feature = "threads")]
    workers: Option<threads::Workers>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// The most threads of a pool; more are not started.
const MOST: usize = 1024;

impl Pool {
    /// A pool of `threads` threads, the calling one included, at most 1,024; 0 means one per core.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if cfg!(not(feature = "threads")) {
            1
        } else if threads == 0 {
            cores()
        } else {
            threads.min(MOST)
        };
        Self {
            threads,
            #[cfg(feature = "threads")]
            workers: (threads > 1).then(|| threads::Workers::start(threads - 1)),
        }
    }

    /// How many threads share a job.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `tile(0)`, …, `tile(tiles - 1)`, in any order, on all threads, and returns when all are done.
    ///
    /// Called from inside a tile, or while another thread uses the pool, it runs the tiles on the calling thread.
    ///
    /// # Panics
    /// If a tile panics.
    pub fn run(&self, tiles: usize, tile: impl Fn(usize) + Sync) {
        #[cfg(feature = "threads")]
        if tiles > 1
            && let Some(workers) = &self.workers
            && workers.run(tiles, &tile)
        {
            return;
        }
        for i in 0..tiles {
            tile(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn every_tile_runs_exactly_once() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for tiles in [0, 1, 2, 7, 100] {
                let counts: Vec<AtomicU32> = (0..tiles).map(|_| AtomicU32::new(0)).collect();
                for _ in 0..50 {
                    pool.run(tiles, |i| {
                        counts[i].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 50), "{threads} threads, {tiles} tiles");
            }
        }
    }

    #[test]
    fn a_job_inside_a_tile_runs_on_the_calling_thread() {
        let pool = Pool::new(3);
        let sum = AtomicU32::new(0);
        pool.run(4, |_| {
            let outer = std::thread::current().id();
            pool.run(5, |i| {
                assert_eq!(std::thread::current().id(), outer);
                sum.fetch_add(u32::try_from(i).expect("small"), Ordering::Relaxed);
            });
        });
        assert_eq!(sum.load(Ordering::Relaxed), 40);
    }

    #[test]
    fn a_panic_in_a_tile_reaches_the_caller_and_the_pool_survives() {
        let pool = Pool::new(2);
        for bad in [0, 63] {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.run(64, |i| assert_ne!(i, bad, "tile {bad}"));
            }));
            assert!(result.is_err());
        }
        let sum = AtomicU32::new(0);
        pool.run(8, |_| {
            sum.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(sum.load(Ordering::Relaxed), 8);
    }
}
