//! What comes before the first update: text and model are made, or a state is taken up.

use std::path::Path;
use std::time::Instant;

use super::batches::{Batches, Guide};
use super::estimate::{self, Estimate, Held};
use super::folder::{check_folder, clear, find_model, has_state, lock, put_in_place, refuse_occupied, remove_halves};
use super::gold::GoldSet;
use super::job::Run;
use super::learner::Learner;
use super::metrics::Metrics;
use super::origin::Origin;
use super::receipt::{Receipt, sums};
use super::state::{Position, State};
use super::validate::ValidationSet;
use super::{Event, Job, Observer, Ready, RunOptions, Start, TrainError};
use crate::align::{GivenLinks, PairLinks, WeightsOf};
use crate::backend::Cpu;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError, CorpusSize, GuidedStep, TextMode};
use crate::data::{Batch, BatchOptions, Batcher, Corpus, Examples, FilterReport, encode_corpus};
use crate::model::Seq2Seq;
use crate::params::{Gradients, ParamSpec};
use crate::tape::Tape;
use crate::text::{Sharing, TokenizerSpec, TokenizerTrainer, Tokenizers};

impl Run {
    /// Reads or makes everything a training needs.
    pub(super) fn prepare(job: Job, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let clock = Instant::now();
        let Job { mut config, train, rest, tokenizers: given, initial, valid, dir, cpu, start, aligned, options } = job;
        check_folder(&dir, start)?;
        if let Some(given) = &given {
            config.text.mode.get_or_insert(TextMode::File);
            config.text.sharing.get_or_insert(given.sharing);
        }
        // Before sizes are checked against each other: one that differs alone would be told as if it did not fit the others.
        initial.check_model(&config)?;
        let size = CorpusSize::of(&train)?;
        let config = if aligned.guide.is_some() { config.guided()? } else { config.unguided()? };
        let config = if aligned.gold.is_some() { config.with_gold()? } else { config.without_gold()? };
        let config = if rest.is_some() { config.resolve_stream(size)? } else { config.resolve(size)? };
        initial.check(&config)?;
        check_weights(&config, train.corpora())?;
        let given = match initial.tokenizers() {
            Some(its_own) => Some(its_own),
            None => {
                check_given(&config, given.as_ref())?;
                given
            }
        };
        let cpu = config.train_on(cpu)?;
        let mut fitted = config.clone();
        let origin = Origin::new(&config, [&train, &valid], &aligned, &initial, cpu.isa())?;
        let resumed = start == Start::Resume;
        let held = if resumed { Some(lock(&dir)?) } else { None };
        let goes_on = resumed && has_state(&dir)?;
        let taken = if goes_on { Some(TakenUp::of(&dir, &origin, given.as_ref(), &options)?) } else { None };
        let (tokenizers, origin) = match &taken {
            Some(taken) => (taken.tokenizers.clone(), taken.origin.clone()),
            None => {
                let tokenizers = given.map_or_else(|| train_tokenizers(&config, &train), Ok)?;
                let origin = origin.with_tokenizers(&tokenizers);
                (tokenizers, origin)
            }
        };
        let (examples, mut skipped_train) = encode_corpus(&train, &tokenizers, config.data.limits())?;
        let (valid_examples, skipped_valid) = encode_corpus(&valid, &tokenizers, config.data.limits())?;
        refuse_empty("training", examples.len(), &skipped_train)?;
        refuse_empty("validation", valid_examples.len(), &skipped_valid)?;
        skipped_train.kept.resize(train.corpora(), 0);
        let counts = &skipped_train.kept;
        let guide = aligned.guide.as_ref().map(|links| guide(links, &config, &train, &examples, counts, &tokenizers));
        let guide = guide.transpose()?;
        let links = guide.as_ref().map_or(&[][..], |guide| &guide.pairs);
        let pairs = Held::new(&config, [&train, &valid], [&examples, &valid_examples], links);
        drop(train);
        let gold = aligned.gold.map(|gold| GoldSet::new(gold, &config, &tokenizers)).transpose()?;
        if let Some(longest) = config.model.location_length {
            refuse_long(&valid, &tokenizers, longest)?;
        }
        let vocab = [tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size()];
        let shapes = |tokens| {
            let batcher = Batcher::new(&examples, BatchOptions { tokens, seed: config.seed });
            batcher.shapes(&batcher.plan(1))
        };
        estimate::fit(&mut fitted, vocab, pairs, shapes)?;
        let config = fitted;
        let (model, specs) = Seq2Seq::new(&config.model, vocab[0], vocab[1]);
        let (learner, mut position) = if let Some(taken) = &taken {
            let found = State::find(&dir, &specs, &Learner::<Cpu>::slots(&config.train));
            let found = found.map_err(|error| taken.unfit(&dir, error))?;
            let read = |slot: &str, spec: &ParamSpec| found.values(slot, spec);
            let learner = Learner::resume(&cpu, specs, &config.train, found.position.update, read)?;
            (learner, found.position)
        } else {
            let params = initial.params(&cpu, specs, config.seed, &tokenizers, observer)?;
            (Learner::start(&cpu, params, &config.train), Position::start())
        };
        let before = if goes_on { Receipt::read(&dir)? } else { None };
        // Nothing is written, and nothing of an earlier run removed, before the new run is known to be possible.
        let held = match held {
            Some(held) => held,
            None => lock(&dir)?,
        };
        if let Some(taken) = &taken {
            if taken.model_waits {
                put_in_place(&dir)?;
            }
            remove_halves(&dir);
        } else {
            refuse_occupied(&dir, start)?;
            clear(&dir)?;
        }
        Checkpoint::save_config(&dir, &config, &tokenizers)?;
        let (train_pairs, valid_pairs) = (examples.len(), valid_examples.len());
        let mut batches = Batches::new(examples, skipped_train.kept.clone(), &config, &tokenizers, rest, guide)?;
        batches.select(position.epoch, observer)?;
        if !batches.is_stream() && position.batch >= batches.count() {
            // Other data have fewer batches.
            (position.epoch, position.batch) = (position.epoch + 1, 0);
            batches.select(position.epoch, observer)?;
        }
        if goes_on && batches.stream_position() != position.stream {
            return Err(TrainError::Changed { dir, what: "the stream, in what was read of it,".to_owned() });
        }
        let position = Position { stream: batches.stream_position(), ..position };
        let metrics = Metrics::open(&dir, position.update, position.validated, &config.train)?;
        let mut ready = Ready {
            config: config.clone(),
            train_pairs,
            valid_pairs,
            skipped: [skipped_train, skipped_valid],
            vocab,
            parameters: learner.params.count(),
            estimate: Estimate {
                memory: estimate::memory(&config, vocab, &batches.shapes(), pairs),
                model: 4 * learner.params.count() as u64,
                epoch_seconds: 0.0,
            },
            fill: batches.fill(),
            batches: batches.count(),
            is_stream: batches.is_stream(),
            resumed_at: resumed.then_some(position.update),
            is_log_lost: metrics.is_lost,
            threads: cpu.threads(),
            isa: cpu.isa().name(),
            isa_before: taken.as_ref().and_then(|taken| taken.isa_before.clone()),
        };
        let mut run = Self {
            valid: ValidationSet::new(&valid, valid_examples, gold, &tokenizers, &config)?,
            metrics,
            gradients: Gradients::zeros(&cpu, &learner.params),
            tape: Tape::new(),
            sums: sums(&dir)?,
            dir,
            config,
            origin,
            tokenizers,
            cpu,
            model,
            learner,
            batches,
            batch: Batch::default(),
            position,
            seconds_before: before.as_ref().map_or(0.0, |receipt| receipt.seconds.max(0.0)),
            clock,
            on_divergence: options.on_divergence,
            provenance: options.provenance,
            next_model: None,
            _lock: held,
        };
        match &taken {
            None => run.save_state()?,
            Some(taken) => {
                run.record_limits(taken.has_other_limits);
                // What is in the folder from now on is of a run that has not ended.
                run.write_receipt(None)?;
            }
        }
        ready.estimate.epoch_seconds = run.rehearse()?;
        observer.event(Event::Ready(&ready));
        Ok(run)
    }
}

impl Run {
    /// Takes down that a run went past limits that are moved now, or ends where it would have gone on.
    fn record_limits(&mut self, are_others: bool) {
        let is_over = self.done() >= 1.0 || self.is_out_of_patience();
        let update = self.position.validated;
        if self.position.validated_at_limit && !is_over {
            // With the limits it has now it would not have validated there.
            self.origin.record(format!("a limit that it had met after update {update} was moved"));
        } else if are_others && is_over && self.position.update > 0 {
            self.origin.record(format!("a limit was moved to where it had been at update {}", self.position.update));
        }
    }
}

/// What a run that goes on finds in its folder.
struct TakenUp {
    tokenizers: Tokenizers,
    origin: Origin,
    /// What is another than it was, with leave.
    changes: Vec<String>,
    /// Whether the model of its best validation has not taken its place yet.
    model_waits: bool,
    isa_before: Option<String>,
    has_other_limits: bool,
}

impl TakenUp {
    /// Of the run that was started in `dir`; `origin` is what it is to go on with.
    fn of(dir: &Path, origin: &Origin, given: Option<&Tokenizers>, options: &RunOptions) -> Result<Self, TrainError> {
        options.check()?;
        let (_, before, position) = State::read(dir)?;
        let model_waits = find_model(dir, position.best.as_ref(), before.is_older())?;
        let before = if before.has_tokenizers() { before } else { before.with_tokenizers(&Tokenizers::load(dir)?) };
        let tokenizers = given.map_or_else(|| Tokenizers::load(dir), |given| Ok(given.clone()))?;
        let origin = origin.clone().with_tokenizers(&tokenizers);
        let (allowed, refused): (Vec<_>, Vec<_>) =
            origin.changes(&before).into_iter().partition(|(name, _)| options.allow_changed.contains(name));
        let words = |changes: Vec<(String, String)>| changes.into_iter().map(|(_, what)| what).collect::<Vec<_>>();
        if !refused.is_empty() {
            return Err(TrainError::Changed { dir: dir.to_owned(), what: words(refused).join(", ") });
        }
        let (changes, isa_before) = (words(allowed), before.instruction_set().map(str::to_owned));
        let has_other_limits = origin.has_other_limits(&before);
        let origin = origin.after(&before, &changes);
        Ok(Self { tokenizers, origin, changes, model_waits, isa_before, has_other_limits })
    }

    /// Of a state that cannot be loaded: that it is not damaged but of another model, if something of the model changed.
    fn unfit(&self, dir: &Path, error: TrainError) -> TrainError {
        if self.changes.is_empty() {
            return error;
        }
        TrainError::Unfit { dir: dir.to_owned(), changed: self.changes.join(", "), source: Box::new(error) }
    }
}

/// Validation translates every source, also those that are too long for the loss; `location` attention cannot.
fn refuse_long(valid: &Corpus, tokenizers: &Tokenizers, longest: usize) -> Result<(), TrainError> {
    let mut pairs = valid.pairs.reader();
    while let Some(pair) = pairs.next()? {
        let pieces = tokenizers.src.encode(pair.src).len();
        if pieces > longest {
            return Err(TrainError::ValidationTooLong { line: pair.line, pieces, longest });
        }
    }
    Ok(())
}

/// What draws the attention to the words of the examples, which are `counts[c]` of corpus c.
fn guide(
    links: &GivenLinks,
    config: &Config,
    train: &Corpus,
    examples: &Examples,
    counts: &[usize],
    tokenizers: &Tokenizers,
) -> Result<Guide, TrainError> {
    let pairs = PairLinks::of_examples(links, train, examples, counts, tokenizers)?;
    let step = match config.train.guided_alignment_step {
        Some(GuidedStep::Read) => WeightsOf::Reading,
        Some(GuidedStep::Write) | None => WeightsOf::Writing,
    };
    Ok(Guide { pairs, step, anew: (config.text.bpe_dropout > 0.0).then(|| tokenizers.clone()) })
}

/// Refuses weights for other corpora.
fn check_weights(config: &Config, corpora: usize) -> Result<(), ConfigError> {
    match config.data.corpus_weights.len() {
        weights if weights > 0 && weights != corpora => Err(ConfigError::Invalid {
            key: "data.corpus_weights",
            message: format!("{weights} weights for {corpora} corpora; give one for each"),
        }),
        _ => Ok(()),
    }
}

/// Refuses what does not fit the tokenizers that were given.
fn check_given(config: &Config, tokenizers: Option<&Tokenizers>) -> Result<(), ConfigError> {
    let invalid = |key, message| Err(ConfigError::Invalid { key, message });
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
    let mut trainer = TokenizerTrainer::new(spec);
    let mut pairs = train.pairs.reader();
    while let Some(pair) = pairs.next()? {
        trainer.add_src(pair.src);
        trainer.add_tgt(pair.tgt);
    }
    Ok(trainer.finish()?)
}
