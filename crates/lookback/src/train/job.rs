//! The training itself: text and model are made, then updates, validations and checkpoints follow each other until a limit is met.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use super::batches::Batches;
use super::folder::{NEXT_MODEL, put_in_place};
use super::learner::Learner;
use super::metrics::Metrics;
use super::origin::Origin;
use super::receipt::Provenance;
use super::state::{Best, Position, State};
use super::validate::ValidationSet;
use super::{Asked, Ending, Event, Job, Observer, OnDivergence, Outcome, StopFlag, TrainError};
use crate::backend::Cpu;
use crate::checkpoint::MODEL_FILE;
use crate::config::{Config, Period, Reached};
use crate::data::Batch;
use crate::model::Seq2Seq;
use crate::params::{Gradients, ParamSpec};
use crate::tape::Tape;
use crate::text::Tokenizers;

/// Updates between validations, if nothing is said about them and an epoch is shorter.
const SHORT_EPOCH: u64 = 50;

/// The rate is halved no more than ten times.
const LEAST_RATE_FACTOR: f64 = 1.0 / 1024.0;

/// Trains a model and writes its folder.
///
/// The same corpora, configuration and seed give the same bytes, for any number of threads, and whether or not the run was stopped and resumed; only a run in
/// which minutes decide something (`train.max_minutes`, a period of time) depends on the clock.
///
/// # Errors
/// If the configuration, the data or the folder cannot be used, if a file cannot be written, or if the loss is not a number. The last written state stays whole.
pub fn train(job: Job, stop: &StopFlag, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    let mut run = Run::prepare(job, observer)?;
    run.go(stop, observer)
}

/// Everything a training holds.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) dir: PathBuf,
    pub(super) config: Config,
    pub(super) origin: Origin,
    pub(super) tokenizers: Tokenizers,
    pub(super) cpu: Cpu,
    pub(super) model: Seq2Seq,
    pub(super) learner: Learner<Cpu>,
    pub(super) gradients: Gradients<Cpu>,
    pub(super) tape: Tape<Cpu>,
    pub(super) batches: Batches,
    /// The memory of the batch at hand.
    pub(super) batch: Batch,
    pub(super) valid: ValidationSet,
    pub(super) metrics: Metrics,
    pub(super) position: Position,
    /// Seconds of training before this run, if it was resumed.
    pub(super) seconds_before: f64,
    pub(super) clock: Instant,
    pub(super) on_divergence: OnDivergence,
    /// What the receipt says of files: those read and those of the folder.
    pub(super) provenance: Provenance,
    pub(super) sums: BTreeMap<String, String>,
    /// The sum of a model that is written and waits for a state that knows it.
    pub(super) next_model: Option<String>,
    /// Keeps other trainings out of the folder.
    pub(super) _lock: File,
}

impl Run {
    fn go(&mut self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let ending = loop {
            let limit = self.done() >= 1.0;
            let step = if limit && self.position.validated < self.position.update {
                self.position.validated_at_limit = true;
                self.validate(observer)
            } else if self.is_out_of_patience() {
                break Ending::Patience;
            } else if limit {
                break Ending::Limit;
            } else if stop.is_set() {
                break Ending::Stopped;
            } else {
                self.step(stop, observer)
            };
            if let Err(error) = step {
                self.roll_back(error, observer)?;
            }
        };
        self.checkpoint(Asked::No, observer)?;
        self.write_receipt(Some(ending))?;
        let best = self.position.best.as_ref().map(Best::validation);
        Ok(Outcome { ending, updates: self.position.update, best })
    }

    /// One update, and what is due after it.
    fn step(&mut self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let before = self.reached();
        let report = self.update(observer)?;
        let is_epoch_over = self.position.epoch != report.epoch;
        self.metrics.update(&before, &report)?;
        observer.event(Event::Update(&report));
        let is_asked = stop.take_checkpoint();
        if self.validation_is_due(is_epoch_over, &before, &report.reached) {
            self.position.validated_at_limit = false;
            self.validate(observer)
        } else if is_asked || self.config.train.checkpoint_every.is_met(&before, &report.reached) {
            self.checkpoint(if is_asked { Asked::Yes } else { Asked::No }, observer)
        } else {
            Ok(())
        }
    }

    /// Goes back to the last state with half the rate, if the numbers are not finite any more and that is wanted. A stream cannot be read again.
    fn roll_back(&mut self, error: TrainError, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let is_divergence = matches!(
            error,
            TrainError::Diverged { .. } | TrainError::NotFinite { .. } | TrainError::ValidationNotFinite { .. }
        );
        let OnDivergence::RollBack = self.on_divergence else { return Err(error) };
        if !is_divergence || self.batches.is_stream() {
            return Err(error);
        }
        let specs = self.learner.params.specs().to_vec();
        let found = State::find(&self.dir, &specs, &Learner::<Cpu>::slots(&self.config.train))?;
        let rate_factor = found.position.rate_factor / 2.0;
        if rate_factor < LEAST_RATE_FACTOR {
            return Err(error);
        }
        let read = |slot: &str, spec: &ParamSpec| found.values(slot, spec);
        self.learner = Learner::resume(&self.cpu, specs, &self.config.train, found.position.update, read)?;
        self.position = Position { rate_factor, ..found.position };
        // A model that no state knows is none.
        self.next_model = None;
        drop(fs::remove_file(self.dir.join(NEXT_MODEL)));
        let update = self.position.update;
        self.origin.record(format!("it went back to update {update} with the rate times {rate_factor}"));
        self.batches.select(self.position.epoch, observer)?;
        self.metrics = Metrics::open(&self.dir, self.position.update, self.position.validated, &self.config.train)?;
        observer.event(Event::RolledBack { error: &error, update: self.position.update, rate_factor });
        self.save_state()
    }

    /// Seconds of training, those of earlier runs included.
    pub(super) fn elapsed(&self) -> f64 {
        self.seconds_before + self.clock.elapsed().as_secs_f64()
    }

    /// How far it has come.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub(super) fn reached(&self) -> Reached {
        let batches = self.batches.count().max(1) as f64;
        Reached {
            updates: self.position.update,
            epochs: (self.position.epoch - 1) as f64 + self.position.batch as f64 / batches,
            tokens: self.position.tokens,
            seconds: self.elapsed(),
        }
    }

    /// The share of the run that is done, by the limit that comes first.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub(super) fn done(&self) -> f64 {
        let limits = &self.config.train;
        // Where a stream ends is known when it ends.
        let is_stream = self.batches.is_stream();
        if is_stream && self.batches.is_over() {
            return 1.0;
        }
        let by_epochs = limits.max_epochs.filter(|_| !is_stream).map(|most| Period::Epochs(most as f64));
        let by_minutes = limits.max_minutes.map(|most| Period::Seconds(60.0 * most));
        let periods = [limits.max_updates.map(Period::Updates), by_epochs, by_minutes, limits.stop_after];
        let reached = self.reached();
        periods.into_iter().flatten().map(|period| period.share(&reached)).fold(0.0, f64::max).min(1.0)
    }

    /// Moves to the next batch.
    pub(super) fn advance(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.position.batch += 1;
        // A buffer may have nothing that takes part.
        while self.position.batch >= self.batches.count() && !self.batches.is_over() {
            (self.position.epoch, self.position.batch) = (self.position.epoch + 1, 0);
            self.batches.select(self.position.epoch, observer)?;
            self.position.stream = self.batches.stream_position();
        }
        Ok(())
    }

    fn validation_is_due(&self, is_epoch_over: bool, before: &Reached, now: &Reached) -> bool {
        let once_an_epoch = is_epoch_over && now.updates >= self.position.validated + SHORT_EPOCH;
        self.config.train.validate_every.map_or(once_an_epoch, |every| every.is_met(before, now))
    }

    pub(super) fn is_out_of_patience(&self) -> bool {
        self.config.train.patience > 0 && self.position.stale >= self.config.train.patience
    }

    pub(super) fn checkpoint(&mut self, asked: Asked, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.save_state()?;
        observer.event(Event::Checkpoint { update: self.position.update, asked });
        Ok(())
    }

    /// Writes the state, puts the model that it knows in its place, then writes the receipt: only the first is needed to go on.
    pub(super) fn save_state(&mut self) -> Result<(), TrainError> {
        self.metrics.sync()?;
        let tensors = self.learner.tensors(&self.cpu);
        State { origin: &self.origin, position: &self.position, tensors }.save(&self.dir)?;
        if let Some(sum) = self.next_model.take() {
            put_in_place(&self.dir)?;
            self.sums.insert(MODEL_FILE.to_owned(), sum);
        }
        self.write_receipt(None)
    }
}
