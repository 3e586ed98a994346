//! Workers that wait for jobs and share their tiles.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::shared::make_scratch;

/// Rounds of spinning before a worker parks: some tens of microseconds, which are minutes where every instruction is interpreted.
const SPINS: u32 = if cfg!(miri) { 4 } else { 4_000 };

type Tile<'a> = dyn Fn(usize) + Sync + 'a;

/// The job at hand. `tile` is valid while the gate is open or a worker inside.
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
    /// Who may enter which job: see [`Gate`]. Workers wait for its generation to change.
    gate: AtomicU64,
    /// The job at hand. It is written while the gate is shut and nobody is inside.
    job: UnsafeCell<Option<Job>>,
    /// Workers that are parked or about to be. A job that finds none wakes nobody, which spares a call to the system.
    parked: AtomicUsize,
    park: Mutex<()>,
    wake: Condvar,
    /// The next tile of each thread's share.
    next: Box<[Counter]>,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the one thread that holds `turn`, while the gate is shut and no worker inside, and read by workers that are inside. All else is atomic.
unsafe impl Sync for State {}

/// What `State::gate` holds: how many workers are inside the job, whether more may enter, and the job's number.
#[derive(Clone, Copy)]
struct Gate(u64);

impl Gate {
    const OPEN: u64 = 1 << 16;
    const GENERATION: u64 = 1 << 17;

    fn inside(self) -> u64 {
        self.0 & (Self::OPEN - 1)
    }

    fn is_open(self) -> bool {
        self.0 & Self::OPEN != 0
    }

    fn generation(self) -> u64 {
        self.0 / Self::GENERATION
    }
}

impl State {
    fn new(threads: usize) -> Self {
        Self {
            gate: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            parked: AtomicUsize::new(0),
            park: Mutex::new(()),
            wake: Condvar::new(),
            next: (0..threads).map(|_| Counter::default()).collect(),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// Lets the workers see what was written, and wakes those that are parked. Nobody is inside.
    fn open(&self) {
        let next = Gate(self.gate.load(Ordering::Relaxed)).generation() + 1;
        // In one order with `parked`: either the worker sees the new generation before it parks, or it is seen parked here.
        self.gate.store(next * Gate::GENERATION + Gate::OPEN, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) > 0 {
            let _park = self.park.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake.notify_all();
        }
    }

    /// Keeps everybody out who is not inside, and waits for those who are.
    fn shut(&self) {
        self.gate.fetch_and(!Gate::OPEN, Ordering::Acquire);
        let mut spins = 0u32;
        while Gate(self.gate.load(Ordering::Acquire)).inside() != 0 {
            spins = spins.saturating_add(1);
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    /// Enters the job of this generation, unless it is over.
    fn enter(&self, generation: u64) -> bool {
        let enter = |gate| {
            let gate = Gate(gate);
            (gate.generation() == generation && gate.is_open()).then_some(gate.0 + 1)
        };
        self.gate.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok()
    }

    fn leave(&self) {
        self.gate.fetch_sub(1, Ordering::Release);
    }

    /// Waits for a generation other than `seen`: spins for a while, then parks.
    fn next_generation(&self, seen: u64) -> u64 {
        let at_hand = |order| Gate(self.gate.load(order)).generation();
        for _ in 0..SPINS {
            let generation = at_hand(Ordering::Acquire);
            if generation != seen {
                return generation;
            }
            std::hint::spin_loop();
        }
        let mut park = self.park.lock().unwrap_or_else(PoisonError::into_inner);
        self.parked.fetch_add(1, Ordering::SeqCst);
        let mut generation = at_hand(Ordering::SeqCst);
        while generation == seen {
            park = self.wake.wait(park).unwrap_or_else(PoisonError::into_inner);
            generation = at_hand(Ordering::SeqCst);
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
        let state = Arc::new(State::new(count + 1));
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
        // SAFETY: this thread has the turn; the gate is shut, and the job before was left by all.
        unsafe { *state.job.get() = Some(job) };
        state.open();
        let own = catch_unwind(AssertUnwindSafe(|| take_tiles(state, job, 0)));
        // Every tile was taken by this thread or by one that is inside.
        state.shut();
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
        self.state.open();
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
    // SAFETY: `Workers::run` keeps the closure alive until everybody who is inside has left.
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
    make_scratch();
    let mut seen = 0;
    loop {
        seen = state.next_generation(seen);
        if state.stop.load(Ordering::Relaxed) {
            return;
        }
        if !state.enter(seen) {
            continue;
        }
        // SAFETY: the job stays while this worker is inside.
        if let Some(job) = unsafe { *state.job.get() }
            && catch_unwind(AssertUnwindSafe(|| take_tiles(state, job, thread))).is_err()
        {
            state.panicked.store(true, Ordering::Relaxed);
        }
        state.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_does_not_wait_for_a_worker_that_never_comes() {
        let workers = Workers { state: Arc::new(State::new(2)), handles: Vec::new(), turn: Mutex::new(()) };
        let absent = Arc::clone(&workers.state);
        let done = AtomicUsize::new(0);
        for round in 1..=3 {
            let tile = |_| {
                done.fetch_add(1, Ordering::Relaxed);
            };
            assert!(workers.run(10, &tile));
            assert_eq!(done.load(Ordering::Relaxed), 10 * round);
            // Who comes late may not enter: the closure is gone.
            let over = Gate(absent.gate.load(Ordering::Acquire)).generation();
            assert!(!absent.enter(over) && !absent.enter(over - 1));
        }
    }

    #[test]
    fn a_job_waits_for_a_worker_that_is_inside() {
        let state = Arc::new(State::new(2));
        state.open();
        assert!(state.enter(1));
        let left = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                left.store(true, Ordering::Relaxed);
                state.leave();
            });
            state.shut();
            assert!(left.load(Ordering::Relaxed));
        });
    }
}
