//! `lookback train`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use lookback::checkpoint::Checkpoint;
use lookback::config::{Config, ConfigError, CorpusSize, TextMode, TrainConfig};
use lookback::data::{PairFiles, WordVectors, hold_out};
use lookback::text::{TextError, Tokenizer, Tokenizers};
use lookback::train::{Aligned, Ending, Initial, Job, Outcome, RunOptions, Start, VectorFiles, check_folder, train};

use crate::args::{Common, Divergence, TrainArgs};
use crate::data::{Sources, is_stream, read_aloud, shell, tell_hold_out};
use crate::display::{Screen, TrainingDisplay, counted};
use crate::doctor::glance;
use crate::exit::{Done, Usage};
use crate::quickstart::no_longer_ours;
use crate::runs::{provenance, verify_resume};
use crate::signals::Watch;

pub(crate) fn run(args: &TrainArgs, common: Common) -> anyhow::Result<Done> {
    let initial = initial(args)?;
    let mut config = configuration(args, &initial)?;
    args.pairs.check_columns(&args.valid)?;
    let validated = [&args.valid, &args.valid_src, &args.valid_tgt];
    if validated.into_iter().flatten().any(|path| is_stream(path)) {
        return Err(Usage("pairs to validate on are read from files; `-` is for the pairs to learn from".into()).into());
    }
    let sources = args.pairs.sources()?;
    if let Some(updates) = args.verify_resume {
        if matches!(sources, Sources::Stream(_)) {
            return Err(
                Usage("--verify-resume reads its pairs several times; write the stream to a file".into()).into()
            );
        }
        let usual = TrainConfig::default().checkpoint_every;
        let has_period = config.train.checkpoint_every != usual;
        return verify_resume(updates, has_period, common);
    }
    if args.on_divergence == Divergence::Rollback && matches!(sources, Sources::Stream(_)) {
        return Err(
            Usage("--on-divergence rollback reads pairs again, which a stream cannot; leave it out".into()).into()
        );
    }
    let (weights, corpora) = (config.data.corpus_weights.len(), sources.corpora());
    if weights > 0 && weights != corpora {
        return Err(
            Usage(format!("{weights} corpus weights for {}; give one for each", counted(corpora, "file"))).into()
        );
    }
    check_guided(args, &sources)?;
    let tokenizers = given_tokenizers(args)?;
    if let Some(given) = &tokenizers {
        config.text.mode.get_or_insert(TextMode::File);
        config.text.sharing.get_or_insert(given.sharing);
    }
    if !args.dump_config {
        // Before anything is read, which may take long.
        let dir = args.out.as_ref().ok_or_else(|| Usage("give --out DIR".into()))?;
        check_base(args, dir)?;
        check_folder(dir, start(args))?;
    }
    if !matches!(initial, Initial::Model(_)) {
        with_given(config.clone(), args)?.check_for_any_corpus(matches!(sources, Sources::Stream(_)))?;
    }
    let mut screen = Screen::new(common);
    let (corpus, mut rest) = sources.read_aloud(config.data.stream_buffer, &mut screen)?;
    // Before pairs are held out: the files have a line for each of them.
    let guide = args.guided.read(&corpus)?;
    let gold = args.guided.gold(config.train.gold_base.unwrap_or(0))?;
    // What was told when the training began need not be told again.
    let is_new = !args.resume && !common.quiet;
    let (corpus, valid) = match validation(args) {
        Some(valid) => {
            let valid = read_aloud([&valid], &mut screen)?;
            if is_new {
                glance(&mut screen, &corpus, Some(&valid))?;
            }
            (corpus, valid)
        }
        None => {
            if is_new {
                glance(&mut screen, &corpus, None)?;
            }
            let (corpus, valid, report) = hold_out(corpus, config.seed, config.data.hold_out)?;
            tell_hold_out(&mut screen, &report);
            if let Some(rest) = &mut rest {
                rest.keep_out(&valid)?;
            }
            (corpus, valid)
        }
    };
    if args.dump_config {
        let size = CorpusSize::of(&corpus)?;
        let config = with_given(config, args)?;
        let config = if rest.is_some() { config.resolve_stream(size)? } else { config.resolve(size)? };
        io::stdout().write_all(config.to_toml()?.as_bytes())?;
        return Ok(Done::Whole);
    }
    let dir = args.out.clone().ok_or_else(|| Usage("give --out DIR".into()))?;
    let start = start(args);
    let watch = Watch::start()?;
    if start == Start::Overwrite {
        no_longer_ours(&dir)?;
    }
    let options = RunOptions {
        allow_changed: args.allow_changed.clone(),
        on_divergence: args.on_divergence.into(),
        provenance: provenance(args)?,
    };
    let cpu = args.processor.cpu(common)?;
    let (dir_of, aligned) = (dir.clone(), Aligned { guide, gold });
    let job =
        Job { config, train: corpus, rest, tokenizers, initial, valid, dir: dir_of, cpu, start, aligned, options };
    let mut display = TrainingDisplay::new(screen);
    let outcome = train(job, &watch.stop, &mut display)?;
    let (mut screen, _) = display.into_parts();
    tell_outcome(&mut screen, &outcome);
    screen.line(&match outcome.ending {
        Ending::Stopped => "the same command with --resume goes on exactly there".to_owned(),
        Ending::Patience => {
            format!("a higher train.patience with --resume goes on; try it: lookback translate -m {}", shell(&dir))
        }
        Ending::Limit => format!("try it: lookback translate -m {}", shell(&dir)),
    });
    Ok(if outcome.ending == Ending::Stopped { watch.done() } else { Done::Whole })
}

fn start(args: &TrainArgs) -> Start {
    match (args.resume, args.overwrite) {
        (true, _) => Start::Resume,
        (_, true) => Start::Overwrite,
        _ => Start::Fresh,
    }
}

/// The configuration, to which what is given of words' links has been added.
fn with_given(config: Config, args: &TrainArgs) -> Result<Config, ConfigError> {
    let config = if args.guided.files.is_empty() { config.unguided()? } else { config.guided()? };
    if args.guided.known.align_pairs.is_some() { config.with_gold() } else { config.without_gold() }
}

/// Whether `--set` gives a key its value.
fn is_set(args: &TrainArgs, key: &str) -> bool {
    args.set.iter().any(|set| set.split('=').next().is_some_and(|set| set.trim() == key))
}

/// Refuses a value that is said twice.
fn check_twice(args: &TrainArgs) -> Result<(), Usage> {
    let flags = [
        (args.seed.is_some(), "--seed", "seed"),
        (!args.corpus_weights.is_empty(), "--corpus-weights", "data.corpus_weights"),
        (args.checkpoint_every.is_some(), "--checkpoint-every", "train.checkpoint_every"),
    ];
    match flags.into_iter().find(|(is_given, _, key)| *is_given && is_set(args, key)) {
        Some((_, flag, key)) => Err(Usage(format!("{flag} and --set {key}= say the same; leave one of them out"))),
        None => Ok(()),
    }
}

fn configuration(args: &TrainArgs, initial: &Initial) -> anyhow::Result<Config> {
    check_twice(args)?;
    let mut files = Vec::new();
    for path in &args.config {
        let text = fs::read_to_string(path).map_err(|e| Usage(format!("cannot read `{}`: {e}", path.display())))?;
        files.push((path.display().to_string(), text));
    }
    let seed = args.seed.map(|seed| format!("seed={seed}"));
    let weights = (!args.corpus_weights.is_empty()).then(|| format!("data.corpus_weights={:?}", args.corpus_weights));
    let every = args.checkpoint_every.map(|every| format!("train.checkpoint_every={every}"));
    let sets: Vec<String> =
        args.set.iter().cloned().chain(seed).chain(weights).chain(every).chain(args.guided.sets()).collect();
    match initial {
        Initial::Model(model) => Config::derived(&model.config, &files, &sets),
        _ => Config::from_layers(&files, &sets),
    }
    .context("configuration")
}

/// Refuses to throw away the model to start from.
fn check_base(args: &TrainArgs, dir: &Path) -> Result<(), Usage> {
    let is_within = |base: &Path| match (fs::canonicalize(base), fs::canonicalize(dir)) {
        (Ok(base), Ok(dir)) => base.starts_with(dir),
        _ => false,
    };
    match &args.init_from {
        Some(base) if args.overwrite && is_within(base) => Err(Usage(format!(
            "--overwrite of `{}` would throw away the model to start from, `{}`; give another --out",
            dir.display(),
            base.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses files of links that do not match the corpora.
fn check_guided(args: &TrainArgs, sources: &Sources) -> Result<(), Usage> {
    let files = args.guided.files.len();
    if files == 0 {
        return Ok(());
    }
    if matches!(sources, Sources::Stream(_)) {
        return Err(Usage(
            "--guided-alignment has a line for each pair of a file; of a stream nobody knows which pair comes when, so write it to a file".into(),
        ));
    }
    if files != sources.corpora() {
        let corpora = counted(sources.corpora(), "corpus file");
        return Err(Usage(format!(
            "--guided-alignment was given {files} times for {corpora}; give one for each, in their order, or `-` for one without links"
        )));
    }
    if args.guided.none_has_any() {
        return Err(Usage("no corpus has links; leave --guided-alignment out".into()));
    }
    Ok(())
}

/// What the weights start from.
fn initial(args: &TrainArgs) -> anyhow::Result<Initial> {
    if let Some(dir) = &args.init_from {
        return Ok(Initial::Model(Box::new(Checkpoint::load(dir)?)));
    }
    let [src, tgt] = [&args.src_vectors, &args.tgt_vectors].map(|path| path.clone().map(WordVectors));
    Ok(if src.is_none() && tgt.is_none() { Initial::Random } else { Initial::Vectors(VectorFiles { src, tgt }) })
}

/// The tokenizers that take the place of trained ones.
fn given_tokenizers(args: &TrainArgs) -> Result<Option<Tokenizers>, TextError> {
    Ok(match (&args.tokenizer, &args.src_tokenizer, &args.tgt_tokenizer) {
        (Some(joint), ..) => Some(Tokenizers::joint(Tokenizer::read(joint)?)),
        (None, Some(src), Some(tgt)) => Some(Tokenizers::separate(Tokenizer::read(src)?, Tokenizer::read(tgt)?)),
        _ => None,
    })
}

fn validation(args: &TrainArgs) -> Option<PairFiles> {
    match (&args.valid, &args.valid_src, &args.valid_tgt) {
        (Some(valid), ..) => Some(PairFiles::Table(valid.clone(), args.pairs.columns)),
        (None, Some(src), Some(tgt)) => Some(PairFiles::Parallel(src.clone(), tgt.clone())),
        _ => None,
    }
}

/// Tells how a training ended.
pub(crate) fn tell_outcome(screen: &mut Screen, outcome: &Outcome) {
    let updates = counted(usize::try_from(outcome.updates).unwrap_or(usize::MAX), "update");
    screen.line(&match outcome.ending {
        Ending::Limit => format!("done after {updates}"),
        Ending::Patience => format!("done after {updates}: no better validation for a while"),
        Ending::Stopped => format!("stopped after {updates}"),
    });
    if let Some(best) = &outcome.best {
        let scores = best.scores.iter().map(|(metric, score)| format!(", {} {}", metric.label(), metric.show(*score)));
        screen.line(&format!("best: update {} with nll {:.4}{}", best.update, best.nll, scores.collect::<String>()));
    }
}
