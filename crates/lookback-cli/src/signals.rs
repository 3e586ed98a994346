//! The first SIGINT or SIGTERM asks a training to stop, the second one ends the program at once. SIGUSR1 asks for a checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use anyhow::Context;
use lookback::train::StopFlag;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::exit::Done;

/// A stop flag that signals set. Once it is dropped, the first signal ends the program, as usual.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) stop: Arc<StopFlag>,
    signal: Arc<AtomicI32>,
    over: Arc<AtomicBool>,
}

impl Watch {
    /// Watches from now on.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let watch = Self { stop: Arc::default(), signal: Arc::default(), over: Arc::default() };
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).context("cannot watch for signals")?;
        let (stop, first, over) = (Arc::clone(&watch.stop), Arc::clone(&watch.signal), Arc::clone(&watch.over));
        thread::spawn(move || {
            for signal in signals.forever() {
                if signal == SIGUSR1 {
                    stop.checkpoint();
                    continue;
                }
                if first.swap(signal, Ordering::SeqCst) != 0 || over.load(Ordering::SeqCst) {
                    drop(emulate_default_handler(signal));
                }
                stop.stop();
            }
        });
        Ok(watch)
    }

    /// How a program ends that was stopped.
    pub(crate) fn done(&self) -> Done {
        match self.signal.load(Ordering::SeqCst) {
            0 => Done::Whole,
            signal => Done::Interrupted(signal),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}
