//! The training itself: text and model are made, then updates, validations and checkpoints follow each other until a limit is met.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::batches::Batches;
use super::folder::{BEST, NEXT_MODEL, put_in_place};
use super::kept;
use super::learner::Learner;
use super::metrics::Metrics;
use super::receipt::{Provenance, sum};
use super::sampling;
use super::state::{Best, Origin, Position, State, first_not_finite};
use super::validate::ValidationSet;
use super::word_dropout::drop_words;
use super::{
    Asked, Ending, Event, Job, Observer, OnDivergence, Outcome, Progress, StopFlag, TrainError, UpdateReport,
    Validation, learning_rate,
};
use crate::align::GivenRows;
use crate::backend::{Cpu, CrossEntropy, GuidedLoss, Purpose};
use crate::checkpoint::{Checkpoint, CheckpointError, MODEL_FILE, write_tensors};
use crate::config::{Config, Period, Reached};
use crate::data::{Batch, DataError};
use crate::model::{Guidance, Seq2Seq};
use crate::params::{Gradients, ParamSpec, Role};
use crate::search::SearchError;
use crate::tape::{Graph, Recording, Tape};
use crate::text::Tokenizers;

/// Updates between validations, if nothing is said about them and an epoch is shorter.
const SHORT_EPOCH: u64 = 50;

/// The rate is halved no more than ten times.
const LEAST_RATE_FACTOR: f64 = 1.0 / 1024.0;

/// Seconds after which no further pass of a rehearsal begins.
const REHEARSAL: f64 = 1.0;
/// What Adam takes of a number, by what the norm does: measured with both.
const ADAM_BY_NORM: f64 = 3.7;

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

/// What the batches of an update add up to.
#[derive(Debug, Default)]
struct Sums {
    loss: f64,
    /// Tokens that the model found most probable.
    right: u64,
    tokens: u64,
    guided: GuidedLoss,
    /// The first lines of each batch.
    lines: Vec<u64>,
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
    fn reached(&self) -> Reached {
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

    /// One update: forward and backward over one batch or several, then a step of the optimiser.
    fn update(&mut self, observer: &mut dyn Observer) -> Result<UpdateReport, TrainError> {
        let start = Instant::now();
        let done = self.done();
        let config = &self.config.train;
        let (update, epoch, first_batch) = (self.position.update + 1, self.position.epoch, self.position.batch);
        let at = Progress { update, epoch, done, plateau: self.position.plateau };
        let rate = learning_rate(config, at) * self.position.rate_factor;
        let sampled = sampling::share(config, update, done);
        self.learner.params.prepare(&self.cpu, Purpose::Train);
        self.gradients.clear(&self.cpu);
        let mut sums = Sums::default();
        for part in 0..config.accumulate {
            // A stream may end before an update is full.
            if self.batches.is_over() {
                break;
            }
            // Every forward pass draws its own masks.
            let step = (update - 1) * self.config.train.accumulate as u64 + part as u64 + 1;
            self.pass(step, sampled, &mut sums, observer)?;
        }
        let Sums { loss, right, tokens, guided, lines } = sums;
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let (loss, accuracy) = (loss / tokens.max(1) as f64, right as f64 / tokens.max(1) as f64);
        let norm = self.learner.step(&self.cpu, &mut self.gradients, rate, tokens);
        #[allow(clippy::cast_precision_loss, reason = "positions of a batch are far below 2⁵²")]
        let guided_alignment = (guided.rows > 0).then(|| guided.loss / guided.rows as f64);
        if !loss.is_finite() || !norm.is_finite() {
            let lines = lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let (what, value) = if loss.is_finite() { ("norm of the gradient", norm) } else { ("loss", loss) };
            return Err(TrainError::Diverged { update, epoch, batch: first_batch + 1, what, value, lines });
        }
        (self.position.update, self.position.tokens) = (update, self.position.tokens + tokens);
        self.position.last_epoch = epoch;
        Ok(UpdateReport {
            update,
            epoch,
            loss,
            guided_alignment,
            accuracy,
            gradient_norm: norm,
            learning_rate: rate,
            tokens,
            seconds: start.elapsed().as_secs_f64(),
            done: self.done(),
            reached: self.reached(),
        })
    }

    /// Forward and backward over the next batch; gradients are added.
    fn pass(
        &mut self,
        step: u64,
        sampled: f64,
        sums: &mut Sums,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let mut batch = std::mem::take(&mut self.batch);
        let given = self.batches.lay_out(self.position.batch, &mut batch)?;
        self.advance(observer)?;
        if sampled > 0.0 {
            self.tape.reset();
            let mut graph = Graph::inference(&self.cpu, &self.learner.params, &mut self.tape);
            let own = self.model.predictions(&mut graph, &batch);
            sampling::mix(&mut batch, &own, sampled, self.config.seed, step);
        }
        let config = &self.config.train;
        drop_words(&mut batch, [config.word_dropout_src, config.word_dropout_tgt], self.config.seed, step);
        let (loss, guided) = self.learn(&batch, given.as_ref(), step);
        sums.loss += loss.loss;
        sums.right += loss.right;
        sums.tokens += loss.tokens;
        sums.guided.loss += guided.loss;
        sums.guided.rows += guided.rows;
        sums.lines.extend(batch.lines.iter().take(8).copied());
        self.batch = batch;
        Ok(())
    }

    /// Forward and backward over a batch, whose attention may be drawn towards given rows.
    fn learn(&mut self, batch: &Batch, given: Option<&GivenRows>, step: u64) -> (CrossEntropy, GuidedLoss) {
        let recording = Recording::On { seed: self.config.seed, step };
        self.tape.reset();
        let params = &self.learner.params;
        let mut graph = Graph::training(&self.cpu, params, &mut self.tape, &mut self.gradients, recording);
        let config = &self.config.train;
        let epsilon = config.label_smoothing;
        let (loss, guided) = match (given, config.guided_alignment_cost, config.guided_alignment_weight) {
            (Some(given), Some(cost), Some(weight)) => {
                let guidance = Guidance { given: given.rows(), cost: cost.into(), weight };
                self.model.guided_loss(&mut graph, batch, epsilon, guidance)
            }
            _ => (self.model.loss(&mut graph, batch, epsilon), GuidedLoss::default()),
        };
        graph.backward();
        (loss, guided)
    }

    /// Seconds an epoch will take without its validation, from a few passes whose gradients are thrown away: nothing of the training changes.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub(super) fn rehearse(&mut self) -> Result<f64, DataError> {
        let (count, clock) = (self.batches.count(), Instant::now());
        if count == 0 {
            return Ok(0.0);
        }
        self.learner.params.prepare(&self.cpu, Purpose::Train);
        let (mut seconds, mut tokens, mut batch) = (0.0, 0, Batch::default());
        // The first pass makes buffers and warms caches.
        for (i, place) in [3, 3, 1, 5].into_iter().enumerate() {
            if i > 1 && clock.elapsed().as_secs_f64() > REHEARSAL {
                break;
            }
            let given = self.batches.lay_out(count * place / 6, &mut batch)?;
            let start = Instant::now();
            self.learn(&batch, given.as_ref(), 1);
            if i > 0 {
                seconds += start.elapsed().as_secs_f64();
                tokens += batch.src_tokens + batch.tgt_tokens;
            }
        }
        // The norm reads the gradients that are kept whole, an update goes through all parameters.
        let numbers = |which: fn(&&ParamSpec) -> bool| {
            self.learner.params.specs().iter().filter(which).map(ParamSpec::len).sum::<usize>() as f64
        };
        let by_norm = 1.0 + ADAM_BY_NORM * numbers(|_| true) / numbers(|spec| spec.role != Role::LookUp);
        let start = Instant::now();
        self.gradients.norm(&self.cpu);
        let update = by_norm * start.elapsed().as_secs_f64();
        let updates = count.div_ceil(self.config.train.accumulate) as f64;
        Ok(seconds / tokens as f64 * self.batches.tokens() as f64 + updates * update)
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

    fn validation_is_due(&self, is_epoch_over: bool, before: &Reached, now: &Reached) -> bool {
        let once_an_epoch = is_epoch_over && now.updates >= self.position.validated + SHORT_EPOCH;
        self.config.train.validate_every.map_or(once_an_epoch, |every| every.is_met(before, now))
    }

    fn is_out_of_patience(&self) -> bool {
        self.config.train.patience > 0 && self.position.stale >= self.config.train.patience
    }

    /// Validates after the last update.
    fn validate(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        observer.event(Event::Validating);
        if let Some(tensor) = first_not_finite(&self.learner.model().tensors(&self.cpu, "")) {
            return Err(TrainError::NotFinite { update: self.position.update, tensor: tensor.to_owned() });
        }
        let Self { cpu, model, learner, tape, tokenizers, config, .. } = self;
        let update = self.position.update;
        let mut validation = match self.valid.run(cpu, model, learner.shown(), tape, tokenizers, config) {
            Err(TrainError::Search(SearchError::NotFinite { .. })) => {
                return Err(TrainError::ValidationNotFinite { update });
            }
            ended => ended?,
        };
        // Before anything is written: such a model is not the best one, and not one to go on from.
        if !validation.nll.is_finite() {
            return Err(TrainError::ValidationNotFinite { update });
        }
        (validation.update, validation.epoch) = (update, self.position.last_epoch());
        let metric = config.train.metric;
        let best = self.position.best.as_ref().and_then(|best| best.validation().score(metric));
        let score = validation.score(metric);
        validation.is_best = best.is_none_or(|best| score.is_some_and(|score| metric.is_better(score, best)));
        self.position.validated = self.position.update;
        if validation.is_best {
            let model_sha256 = self.write_next_model()?;
            self.position.best = Some(Best::of(&validation, model_sha256));
            self.position.stale = 0;
        } else if self.position.update > self.config.train.warmup {
            // While the rate still rises, a validation that is not better says nothing.
            self.position.stale += 1;
            self.position.plateau *= self.config.train.decay;
        }
        self.keep()?;
        self.keep_best(&validation)?;
        self.metrics.validation(&validation)?;
        observer.event(Event::Validated(&validation));
        self.checkpoint(Asked::No, observer)
    }

    /// Writes the model beside the one of the folder, whose place it takes once a state has its sum.
    fn write_next_model(&mut self) -> Result<String, TrainError> {
        let path = self.dir.join(NEXT_MODEL);
        write_tensors(&path, &self.learner.model().tensors(&self.cpu, ""), None)?;
        let sum = sum(&path)?;
        self.next_model = Some(sum.clone());
        Ok(sum)
    }

    /// Keeps the model of a validation beside the others, if any are to be kept.
    fn keep(&self) -> Result<(), TrainError> {
        let (count, update) = (self.config.train.keep_checkpoints, self.position.update);
        if count > 0 {
            self.save_model(&kept::folder(&self.dir, update))?;
            kept::prune(&self.dir, count, update)?;
        }
        Ok(())
    }

    /// Writes the model as it stands into a folder of its own.
    fn save_model(&self, folder: &Path) -> Result<(), CheckpointError> {
        let write = |source| CheckpointError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(write)?;
        Checkpoint::save_config(folder, &self.config, &self.tokenizers)?;
        Checkpoint::save_params(folder, self.learner.model(), &self.cpu)
    }

    /// Keeps the model of a validation that is the best by another metric, too.
    fn keep_best(&mut self, validation: &Validation) -> Result<(), TrainError> {
        for &metric in &self.config.train.keep_best {
            let Some(score) = validation.score(metric) else { continue };
            let kept = self.position.kept_best.iter_mut().find(|(kept, _)| *kept == metric);
            match kept {
                Some((_, best)) if metric.is_better(score, *best) => *best = score,
                Some(_) => continue,
                None => self.position.kept_best.push((metric, score)),
            }
            self.save_model(&self.dir.join(BEST).join(metric.key()))?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, asked: Asked, observer: &mut dyn Observer) -> Result<(), TrainError> {
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
