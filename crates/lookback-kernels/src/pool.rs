//! The workers: one pool per process, made by the caller, shared by everything.
//!
//! A job is a number of tiles. Each thread begins with its own share of them, the same in every job, so that what it touched last time is still in its cache;
//! who is done takes from the others. Which thread computes a tile is a matter of luck, what a tile computes is not. Workers spin briefly after a job, because the next one usually follows within microseconds, then park.

use std::fmt;

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

impl Pool {
    /// A pool of `threads` threads, the calling one included; 0 means one per core.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if cfg!(not(feature = "threads")) {
            1
        } else if threads == 0 {
            cores()
        } else {
            threads
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

#[cfg(feature = "threads")]
mod threads {
    use std::cell::UnsafeCell;
    use std::ops::Range;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Condvar, Mutex, PoisonError, TryLockError};
    use std::thread::JoinHandle;

    /// Rounds of spinning before a worker parks: some tens of microseconds.
    const SPINS: u32 = 4_000;

    type Tile<'a> = dyn Fn(usize) + Sync + 'a;

    /// The job at hand. `tile` is valid while `busy` workers have not all reported back.
    #[derive(Clone, Copy)]
    struct Job {
        tile: *const Tile<'static>,
        tiles: usize,
    }

    // SAFETY: the pointer is to a `Sync` closure and is only used while `Workers::run` keeps it alive.
    unsafe impl Send for Job {}

    /// A counter on a cache line of its own.
    #[derive(Default)]
    #[repr(align(64))]
    struct Counter(AtomicUsize);

    struct State {
        /// Counts jobs; workers wait for it to change. What `job` holds was written before.
        generation: AtomicUsize,
        /// The job of this generation. It is written while no worker reads: all have reported back from the one before.
        job: UnsafeCell<Option<Job>>,
        /// Workers that are parked or about to be. A job that finds none wakes nobody, which spares a call to the system.
        parked: AtomicUsize,
        park: Mutex<()>,
        wake: Condvar,
        /// The next tile of each thread's share.
        next: Box<[Counter]>,
        busy: AtomicUsize,
        panicked: AtomicBool,
        stop: AtomicBool,
    }

    // SAFETY: `job` is written by the one thread that holds `turn`, and read by workers between the change of `generation` that follows and their report to `busy`, for
    // which the writer waits. All else is atomic.
    unsafe impl Sync for State {}

    impl State {
        /// Lets the workers see what was written, and wakes those that are parked.
        fn announce(&self) {
            // In one order with `parked`: either the worker sees the new generation before it parks, or it is seen parked here.
            self.generation.fetch_add(1, Ordering::SeqCst);
            if self.parked.load(Ordering::SeqCst) > 0 {
                let _park = self.park.lock().unwrap_or_else(PoisonError::into_inner);
                self.wake.notify_all();
            }
        }

        /// Waits for a generation other than `seen`: spins for a while, then parks.
        fn next_generation(&self, seen: usize) -> usize {
            for _ in 0..SPINS {
                let generation = self.generation.load(Ordering::Acquire);
                if generation != seen {
                    return generation;
                }
                std::hint::spin_loop();
            }
            let mut park = self.park.lock().unwrap_or_else(PoisonError::into_inner);
            self.parked.fetch_add(1, Ordering::SeqCst);
            let mut generation = self.generation.load(Ordering::SeqCst);
            while generation == seen {
                park = self.wake.wait(park).unwrap_or_else(PoisonError::into_inner);
                generation = self.generation.load(Ordering::SeqCst);
            }
            self.parked.fetch_sub(1, Ordering::SeqCst);
            generation
        }
    }

    pub(super) struct Workers {
        state: Arc<State>,
        handles: Vec<JoinHandle<()>>,
        turn: Mutex<()>,
    }

    impl Workers {
        pub(super) fn start(count: usize) -> Self {
            let state = Arc::new(State {
                generation: AtomicUsize::new(0),
                job: UnsafeCell::new(None),
                parked: AtomicUsize::new(0),
                park: Mutex::new(()),
                wake: Condvar::new(),
                next: (0..=count).map(|_| Counter::default()).collect(),
                busy: AtomicUsize::new(0),
                panicked: AtomicBool::new(false),
                stop: AtomicBool::new(false),
            });
            let handles = (0..count)
                .map_while(|i| {
                    let state = Arc::clone(&state);
                    // A thread the system refuses is done without: results do not depend on the number of threads.
                    std::thread::Builder::new().name(format!("lookback-{i}")).spawn(move || work(&state, i + 1)).ok()
                })
                .collect();
            Self { state, handles, turn: Mutex::new(()) }
        }

        /// Runs the job and returns true, or returns false if the pool is in use.
        pub(super) fn run(&self, tiles: usize, tile: &Tile<'_>) -> bool {
            let _turn = match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(TryLockError::Poisoned(turn)) => turn.into_inner(), // an earlier job panicked; it is over
                Err(TryLockError::WouldBlock) => return false,
            };
            let state = &*self.state;
            // SAFETY: only the lifetime changes; this function does not return before all workers are done with it.
            let tile: *const Tile<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(tile)) };
            let job = Job { tile, tiles };
            for (thread, next) in state.next.iter().enumerate() {
                next.0.store(share(tiles, thread, state.next.len()).start, Ordering::Relaxed);
            }
            state.busy.store(self.handles.len(), Ordering::Relaxed);
            // SAFETY: the workers have reported back from the job before, and this thread has the turn.
            unsafe { *state.job.get() = Some(job) };
            state.announce();
            let own = catch_unwind(AssertUnwindSafe(|| take_tiles(state, job, 0)));
            let mut spins = 0u32;
            while state.busy.load(Ordering::Acquire) != 0 {
                spins += 1;
                if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
            if let Err(panic) = own {
                state.panicked.store(false, Ordering::Relaxed);
                resume_unwind(panic);
            }
            assert!(!state.panicked.swap(false, Ordering::Relaxed), "a worker panicked");
            true
        }
    }

    impl Drop for Workers {
        fn drop(&mut self) {
            self.state.stop.store(true, Ordering::Relaxed);
            self.state.announce();
            for handle in self.handles.drain(..) {
                drop(handle.join()); // a worker catches the panics of its tiles
            }
        }
    }

    /// The tiles of a job that `thread` of `threads` begins with.
    fn share(tiles: usize, thread: usize, threads: usize) -> Range<usize> {
        tiles * thread / threads..tiles * (thread + 1) / threads
    }

    /// Computes the thread's own share, then what is left of the others'.
    fn take_tiles(state: &State, job: Job, thread: usize) {
        // SAFETY: `Workers::run` keeps the closure alive until this worker has reported back.
        let tile = unsafe { &*job.tile };
        let threads = state.next.len();
        for owner in (thread..threads).chain(0..thread) {
            let end = share(job.tiles, owner, threads).end;
            loop {
                let i = state.next[owner].0.fetch_add(1, Ordering::Relaxed);
                if i >= end {
                    break;
                }
                tile(i);
            }
        }
    }

    fn work(state: &State, thread: usize) {
        let mut seen = 0;
        loop {
            seen = state.next_generation(seen);
            if state.stop.load(Ordering::Relaxed) {
                return;
            }
            // SAFETY: the job of this generation stays until this worker has reported back.
            if let Some(job) = unsafe { *state.job.get() }
                && catch_unwind(AssertUnwindSafe(|| take_tiles(state, job, thread))).is_err()
            {
                state.panicked.store(true, Ordering::Relaxed);
            }
            state.busy.fetch_sub(1, Ordering::Release);
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
