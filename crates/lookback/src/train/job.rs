//! The training itself: text and model are made, then updates, validations and checkpoints follow each other until a limit is met.

use std::path::PathBuf;
use std::time::Instant;

use super::batches::Batches;
use super::kept;
use super::learner::Learner;
use super::metrics::Metrics;
use super::receipt::Receipt;
use super::sampling;
use super::state::{Best, Origin, Position, State, first_not_finite};
use super::validate::ValidationSet;
use super::word_dropout::drop_words;
use super::{
    Ending, Event, Job, Observer, Outcome, Progress, StopFlag, TrainError, UpdateReport, Validation, learning_rate,
};
use crate::backend::{Cpu, Purpose};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Metric};
use crate::model::Seq2Seq;
use crate::params::Gradients;
use crate::tape::{Graph, Recording, Tape};
use crate::text::Tokenizers;

/// Updates between validations, if nothing is said about them and an epoch is shorter.
const SHORT_EPOCH: u64 = 50;

/// Trains a model and writes its folder.
///
/// The same corpora, configuration and seed give the same bytes, for any number of threads, and whether or not the run was stopped and resumed; only a run that is ended
/// by `train.max_minutes` depends on the clock.
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
    pub(super) valid: ValidationSet,
    pub(super) metrics: Metrics,
    pub(super) position: Position,
    /// The epoch of the last update.
    pub(super) last_epoch: u64,
    /// Seconds of training before this run, if it was resumed.
    pub(super) seconds_before: f64,
    pub(super) clock: Instant,
}

impl Run {
    fn go(&mut self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let ending = loop {
            let limit = self.done() >= 1.0;
            if limit && self.position.validated < self.position.update {
                self.validate(self.last_epoch, observer)?;
            }
            if self.is_out_of_patience() {
                break Ending::Patience;
            }
            if limit {
                break Ending::Limit;
            }
            if stop.is_set() {
                break Ending::Stopped;
            }
            let report = self.update(observer)?;
            self.last_epoch = report.epoch;
            let is_epoch_over = self.position.epoch != report.epoch;
            self.metrics.update(&report)?;
            observer.event(Event::Update(&report));
            if self.validation_is_due(is_epoch_over) {
                self.validate(report.epoch, observer)?;
            } else if self.position.update.is_multiple_of(self.config.train.checkpoint_every.max(1)) {
                self.checkpoint(observer)?;
            }
        };
        self.checkpoint(observer)?;
        let best = self.position.best.map(Best::validation);
        Ok(Outcome { ending, updates: self.position.update, best })
    }

    /// Seconds of training, those of earlier runs included.
    fn elapsed(&self) -> f64 {
        self.seconds_before + self.clock.elapsed().as_secs_f64()
    }

    /// The share of the run that is done, by the limit that comes first.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    fn done(&self) -> f64 {
        let limits = &self.config.train;
        let (updates, epochs, minutes) = (limits.max_updates, limits.max_epochs, limits.max_minutes);
        let share = |value: f64, limit: f64| if limit > 0.0 { value / limit } else { 1.0 };
        let by_updates = updates.map_or(0.0, |m| share(self.position.update as f64, m as f64));
        let by_minutes = minutes.map_or(0.0, |m| share(self.elapsed() / 60.0, m));
        if self.batches.is_stream() {
            // Where it ends is known when it ends.
            return if self.batches.is_over() { 1.0 } else { by_updates.max(by_minutes).min(1.0) };
        }
        let by_epochs = epochs.map_or(0.0, |m| {
            let batches = self.batches.count().max(1) as f64;
            share((self.position.epoch - 1) as f64 + self.position.batch as f64 / batches, m as f64)
        });
        by_updates.max(by_minutes).max(by_epochs).min(1.0)
    }

    /// One update: forward and backward over one batch or several, then a step of the optimiser.
    fn update(&mut self, observer: &mut dyn Observer) -> Result<UpdateReport, TrainError> {
        let start = Instant::now();
        let done = self.done();
        let config = &self.config.train;
        let (update, epoch) = (self.position.update + 1, self.position.epoch);
        let rate = learning_rate(config, Progress { update, epoch, done, plateau: self.position.plateau });
        let sampled = sampling::share(config, update, done);
        self.learner.params.prepare(&self.cpu, Purpose::Train);
        self.gradients.clear(&self.cpu);
        let (mut loss, mut tokens, mut lines) = (0.0, 0, Vec::new());
        for part in 0..config.accumulate {
            // A stream may end before an update is full.
            if self.batches.is_over() {
                break;
            }
            let mut batch = self.batches.get(self.position.batch);
            self.advance(observer)?;
            // Every forward pass draws its own masks.
            let step = (update - 1) * self.config.train.accumulate as u64 + part as u64 + 1;
            if sampled > 0.0 {
                self.tape.reset();
                let mut graph = Graph::inference(&self.cpu, &self.learner.params, &mut self.tape);
                let own = self.model.predictions(&mut graph, &batch);
                sampling::mix(&mut batch, &own, sampled, self.config.seed, step);
            }
            let config = &self.config.train;
            drop_words(&mut batch, [config.word_dropout_src, config.word_dropout_tgt], self.config.seed, step);
            let recording = Recording::On { seed: self.config.seed, step };
            self.tape.reset();
            let params = &self.learner.params;
            let mut graph = Graph::training(&self.cpu, params, &mut self.tape, &mut self.gradients, recording);
            let sums = self.model.loss(&mut graph, &batch, self.config.train.label_smoothing);
            graph.backward();
            loss += sums.loss;
            tokens += sums.tokens;
            lines.extend(batch.lines.iter().take(8).copied());
        }
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let loss = loss / tokens.max(1) as f64;
        let norm = self.learner.step(&self.cpu, &self.gradients, rate, tokens);
        if !loss.is_finite() || !norm.is_finite() {
            let lines = lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return Err(TrainError::Diverged { update, epoch, loss, lines });
        }
        self.position.update = update;
        Ok(UpdateReport {
            update,
            epoch,
            loss,
            gradient_norm: norm,
            learning_rate: rate,
            tokens,
            seconds: start.elapsed().as_secs_f64(),
            done: self.done(),
            elapsed: self.elapsed(),
        })
    }

    /// Moves to the next batch.
    fn advance(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.position.batch += 1;
        // A buffer may have nothing that takes part.
        while self.position.batch >= self.batches.count() && !self.batches.is_over() {
            (self.position.epoch, self.position.batch) = (self.position.epoch + 1, 0);
            self.batches.select(self.position.epoch, observer)?;
            self.position.stream = self.batches.stream_position();
        }
        Ok(())
    }

    fn validation_is_due(&self, is_epoch_over: bool) -> bool {
        let Position { update, validated, .. } = self.position;
        let once_an_epoch = is_epoch_over && update >= validated + SHORT_EPOCH;
        self.config.train.validate_every.map_or(once_an_epoch, |every| update.is_multiple_of(every))
    }

    fn is_out_of_patience(&self) -> bool {
        self.config.train.patience > 0 && self.position.stale >= self.config.train.patience
    }

    /// Validates after an update of `epoch`.
    fn validate(&mut self, epoch: u64, observer: &mut dyn Observer) -> Result<(), TrainError> {
        observer.event(Event::Validating);
        let shown = self.learner.shown();
        let weights = shown.values(&self.cpu);
        if let Some(tensor) = first_not_finite(shown.specs(), &weights) {
            return Err(TrainError::NotFinite { update: self.position.update, tensor });
        }
        let Self { cpu, model, learner, tape, tokenizers, config, .. } = self;
        let mut validation = self.valid.run(cpu, model, learner.shown(), tape, tokenizers, config)?;
        (validation.update, validation.epoch) = (self.position.update, epoch);
        validation.is_best = self.position.best.is_none_or(|best| is_better(config.train.metric, &validation, &best));
        self.position.validated = self.position.update;
        if validation.is_best {
            self.position.best = Some(Best::of(&validation));
            self.position.stale = 0;
            Checkpoint::save_weights(&self.dir, self.learner.params.specs(), weights)?;
        } else if self.position.update > self.config.train.warmup {
            // While the rate still rises, a validation that is not better says nothing.
            self.position.stale += 1;
            self.position.plateau *= self.config.train.decay;
        }
        self.keep()?;
        self.metrics.validation(&validation)?;
        observer.event(Event::Validated(&validation));
        self.checkpoint(observer)
    }

    /// Keeps the model of a validation beside the others, if any are to be kept.
    fn keep(&mut self) -> Result<(), TrainError> {
        let (count, update) = (self.config.train.keep_checkpoints, self.position.update);
        if count > 0 {
            let shown = self.learner.shown();
            let folder = kept::folder(&self.dir, update);
            Checkpoint::save_parts(&folder, &self.config, &self.tokenizers, shown.specs(), shown.values(&self.cpu))?;
            kept::prune(&self.dir, count, update)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.save_state()?;
        observer.event(Event::Checkpoint { update: self.position.update });
        Ok(())
    }

    /// Writes the state, then the receipt: only the first is needed to go on.
    pub(super) fn save_state(&mut self) -> Result<(), TrainError> {
        let slots = self.learner.kept(&self.cpu, &self.config.train);
        let state = State { origin: self.origin.clone(), position: self.position.clone(), slots };
        state.save(&self.dir, self.learner.params.specs())?;
        let receipt = Receipt {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instruction_set: self.cpu.isa().name().to_owned(),
            threads: self.cpu.threads(),
            seconds: self.elapsed(),
        };
        receipt.write(&self.dir)
    }
}

fn is_better(metric: Metric, new: &Validation, best: &Best) -> bool {
    match metric {
        Metric::Bleu => new.bleu > best.bleu,
        Metric::Loss => new.nll < best.nll(),
    }
}
