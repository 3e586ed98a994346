//! The training itself: text and model are made, then updates, validations and checkpoints follow each other until a limit is met.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::batches::Batches;
use super::learner::Learner;
use super::metrics::{METRICS_FILE, Metrics};
use super::state::{Best, Origin, Position, State};
use super::validate::ValidationSet;
use super::word_dropout::drop_words;
use super::{
    Ending, Event, Job, Observer, Outcome, Progress, Ready, Start, StopFlag, TrainError, UpdateReport, Validation,
    learning_rate,
};
use crate::backend::{Cpu, Purpose};
use crate::checkpoint::{CONFIG_FILE, Checkpoint, CheckpointError, MODEL_FILE, STATE_FILE};
use crate::config::{Config, ConfigError, CorpusSize, Metric, TextMode};
use crate::data::{Corpus, FilterReport, encode_corpus};
use crate::model::Seq2Seq;
use crate::params::{Gradients, Params};
use crate::tape::{Graph, Recording, Tape};
use crate::text::{Sharing, TokenizerSpec, Tokenizers};

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
struct Run {
    dir: PathBuf,
    config: Config,
    origin: Origin,
    tokenizers: Tokenizers,
    cpu: Cpu,
    model: Seq2Seq,
    learner: Learner<Cpu>,
    gradients: Gradients<Cpu>,
    tape: Tape<Cpu>,
    batches: Batches,
    valid: ValidationSet,
    metrics: Metrics,
    position: Position,
    /// The epoch of the last update.
    last_epoch: u64,
    clock: Instant,
}

/// Validation translates every source, also those that are too long for the loss; `location` attention cannot.
fn refuse_long(valid: &Corpus, tokenizers: &Tokenizers, longest: usize) -> Result<(), TrainError> {
    for pair in &valid.pairs {
        let pieces = tokenizers.src.encode(&pair.src).len();
        if pieces > longest {
            return Err(TrainError::ValidationTooLong { line: pair.line, pieces, longest });
        }
    }
    Ok(())
}

impl Run {
    fn prepare(job: Job, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let clock = Instant::now();
        let Job { mut config, train, rest, tokenizers: given, valid, dir, threads, start } = job;
        refuse_occupied(&dir, start)?;
        if let Some(given) = &given {
            config.text.mode.get_or_insert(TextMode::File);
            config.text.sharing.get_or_insert(given.sharing);
        }
        let size = CorpusSize::of(&train);
        let config = if rest.is_some() { config.resolve_stream(size)? } else { config.resolve(size)? };
        check_given(&config, train.corpora(), given.as_ref())?;
        let origin = Origin::new(&config, &train, &valid);
        let resumed = start == Start::Resume;
        let tokenizers = if resumed {
            let (_, stored, _) = State::read(&dir)?;
            if let Some(what) = origin.difference(&stored) {
                return Err(TrainError::Changed { dir, what });
            }
            let stored = Tokenizers::load(&dir)?;
            if given.is_some_and(|given| given.to_json() != stored.to_json()) {
                return Err(TrainError::Changed { dir, what: "the tokenizer".to_owned() });
            }
            stored
        } else {
            given.map_or_else(|| train_tokenizers(&config, &train), Ok)?
        };
        let (examples, mut skipped_train) = encode_corpus(&train, &tokenizers, config.data.limits());
        let (valid_examples, skipped_valid) = encode_corpus(&valid, &tokenizers, config.data.limits());
        refuse_empty("training", examples.len(), &skipped_train)?;
        refuse_empty("validation", valid_examples.len(), &skipped_valid)?;
        skipped_train.kept.resize(train.corpora(), 0);
        if let Some(longest) = config.model.location_length {
            refuse_long(&valid, &tokenizers, longest)?;
        }
        // Nothing is written, and nothing of an earlier run removed, before the new run is known to be possible.
        if !resumed {
            clear(&dir)?;
        }
        Checkpoint::save_config(&dir, &config, &tokenizers)?;
        let vocab = [tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size()];
        let (model, specs) = Seq2Seq::new(&config.model, vocab[0], vocab[1]);
        let cpu = Cpu::detect(threads);
        let (learner, position) = if resumed {
            let (position, kept) = State::load(&dir, &specs, &Learner::<Cpu>::slots(&config.train))?;
            (Learner::resume(&cpu, specs, kept, &config.train, position.update), position)
        } else {
            (Learner::start(&cpu, Params::init(&cpu, specs, config.seed), &config.train), Position::start())
        };
        let (train_pairs, valid_pairs) = (examples.len(), valid_examples.len());
        let mut batches = Batches::new(examples, skipped_train.kept.clone(), &config, &tokenizers, rest);
        batches.select(position.epoch, observer)?;
        if resumed && batches.stream_position() != position.stream {
            return Err(TrainError::Changed { dir, what: "the stream, in what was read of it,".to_owned() });
        }
        let position = Position { stream: batches.stream_position(), ..position };
        let ready = Ready {
            config: config.clone(),
            train_pairs,
            valid_pairs,
            skipped: [skipped_train, skipped_valid],
            vocab,
            parameters: learner.params.count(),
            fill: batches.fill(),
            batches: batches.count(),
            is_stream: batches.is_stream(),
            resumed_at: resumed.then_some(position.update),
            threads: cpu.threads(),
            isa: cpu.isa().name(),
        };
        let mut run = Self {
            valid: ValidationSet::new(&valid, valid_examples, &tokenizers, &config),
            metrics: Metrics::open(&dir, position.update)?,
            gradients: Gradients::zeros(&cpu, &learner.params),
            tape: Tape::new(),
            dir,
            config,
            origin,
            tokenizers,
            cpu,
            model,
            learner,
            batches,
            last_epoch: position.epoch,
            position,
            clock,
        };
        if !resumed {
            run.save_state()?;
        }
        observer.event(Event::Ready(&ready));
        Ok(run)
    }

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
        self.position.seconds + self.clock.elapsed().as_secs_f64()
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
            self.tape.reset();
            // Every forward pass draws its own masks.
            let step = (update - 1) * self.config.train.accumulate as u64 + part as u64 + 1;
            let config = &self.config.train;
            drop_words(&mut batch, [config.word_dropout_src, config.word_dropout_tgt], self.config.seed, step);
            let recording = Recording::On { seed: self.config.seed, step };
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
        self.config.train.validate_every.map_or(is_epoch_over, |every| self.position.update.is_multiple_of(every))
    }

    fn is_out_of_patience(&self) -> bool {
        self.config.train.patience > 0 && self.position.stale >= self.config.train.patience
    }

    /// Validates after an update of `epoch`.
    fn validate(&mut self, epoch: u64, observer: &mut dyn Observer) -> Result<(), TrainError> {
        observer.event(Event::Validating);
        let Self { cpu, model, learner, tape, tokenizers, config, .. } = self;
        let mut validation = self.valid.run(cpu, model, learner.shown(), tape, tokenizers, config)?;
        (validation.update, validation.epoch) = (self.position.update, epoch);
        validation.is_best = self.position.best.is_none_or(|best| is_better(config.train.metric, &validation, &best));
        self.position.validated = self.position.update;
        if validation.is_best {
            self.position.best = Some(Best::of(&validation));
            self.position.stale = 0;
            let shown = self.learner.shown();
            Checkpoint::save_weights(&self.dir, shown.specs(), &shown.values(&self.cpu))?;
        } else {
            self.position.stale += 1;
            self.position.plateau *= self.config.train.decay;
        }
        self.metrics.validation(&validation)?;
        observer.event(Event::Validated(&validation));
        self.checkpoint(observer)
    }

    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.save_state()?;
        observer.event(Event::Checkpoint { update: self.position.update });
        Ok(())
    }

    fn save_state(&mut self) -> Result<(), TrainError> {
        let position = Position { seconds: self.elapsed(), ..self.position.clone() };
        let slots = self.learner.kept(&self.cpu, &self.config.train);
        let state = State { origin: self.origin.clone(), position, slots };
        state.save(&self.dir, self.learner.params.specs())
    }
}

fn is_better(metric: Metric, new: &Validation, best: &Best) -> bool {
    match metric {
        Metric::Bleu => new.bleu > best.bleu,
        Metric::Loss => new.nll < best.nll(),
    }
}

/// The files of a run.
const FILES: [&str; 7] =
    [CONFIG_FILE, MODEL_FILE, STATE_FILE, METRICS_FILE, "tokenizer.json", "tokenizer.src.json", "tokenizer.tgt.json"];

/// Refuses a folder that holds a training, if a fresh one is to begin.
fn refuse_occupied(dir: &Path, start: Start) -> Result<(), TrainError> {
    let is_occupied = FILES.iter().any(|file| dir.join(file).exists());
    if start == Start::Fresh && is_occupied {
        return Err(TrainError::Occupied { dir: dir.to_owned() });
    }
    Ok(())
}

/// Makes the folder, without what an earlier run left in it.
fn clear(dir: &Path) -> Result<(), TrainError> {
    let write = |path: PathBuf, source| TrainError::Checkpoint(CheckpointError::Write { path, source });
    fs::create_dir_all(dir).map_err(|e| write(dir.to_owned(), e))?;
    for path in FILES.map(|file| dir.join(file)) {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(write(path, e)),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what does not fit the data and tokenizers that were given.
fn check_given(config: &Config, corpora: usize, tokenizers: Option<&Tokenizers>) -> Result<(), ConfigError> {
    let invalid = |key, message| Err(ConfigError::Invalid { key, message });
    let weights = config.data.corpus_weights.len();
    if weights > 0 && weights != corpora {
        return invalid("data.corpus_weights", format!("{weights} weights for {corpora} corpora; give one for each"));
    }
    match (config.text.mode, tokenizers) {
        (Some(TextMode::File), Some(given)) if config.text.sharing != Some(given.sharing) => invalid(
            "text.sharing",
            "one tokenizer was given for both sides if `joint`, one for each if `separate`".into(),
        ),
        (Some(TextMode::File), None) => invalid("text.mode", "`file` needs a tokenizer to be given".into()),
        (mode, Some(_)) if mode != Some(TextMode::File) => {
            invalid("text.mode", "a tokenizer was given, so it is `file`; leave it out".into())
        }
        _ => Ok(()),
    }
}

fn refuse_empty(which: &'static str, left: usize, report: &FilterReport) -> Result<(), TrainError> {
    let counts = [0, 1, 2].map(|reason| report.skipped[reason].count);
    if left == 0 { Err(TrainError::NothingLeft { which, counts }) } else { Ok(()) }
}

fn train_tokenizers(config: &Config, train: &Corpus) -> Result<Tokenizers, TrainError> {
    let spec = TokenizerSpec {
        mode: config.text.mode.unwrap_or(TextMode::Bpe),
        vocab_size: config.text.vocab_size.unwrap_or(8_000),
        sharing: config.text.sharing.unwrap_or(Sharing::Joint),
        normalization: config.text.normalization,
        lowercase: config.text.lowercase,
        min_frequency: config.text.min_frequency,
    };
    let (src, tgt) = (train.pairs.iter().map(|p| p.src.as_str()), train.pairs.iter().map(|p| p.tgt.as_str()));
    Ok(Tokenizers::train(&spec, src, tgt)?)
}
