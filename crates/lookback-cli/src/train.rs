//! `lookback train`.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use lookback::config::{Config, CorpusSize};
use lookback::data::hold_out;
use lookback::train::{Ending, Job, Outcome, Start, train};

use crate::args::{Common, TrainArgs};
use crate::data::{Source, shell, tell_hold_out};
use crate::display::{Screen, TrainingDisplay, counted};
use crate::exit::{Done, Usage};
use crate::signals::Watch;

pub(crate) fn run(args: &TrainArgs, common: Common) -> anyhow::Result<Done> {
    let config = configuration(args)?;
    let source = args.pairs.source().ok_or_else(|| Usage("give PAIRS, or --src and --tgt".into()))?;
    let mut screen = Screen::new(common.quiet);
    let corpus = source.read_aloud(&mut screen)?;
    let (corpus, valid) = match validation(args) {
        Some(valid) => (corpus, valid.read_aloud(&mut screen)?),
        None => {
            let (corpus, valid, report) = hold_out(corpus, config.seed, config.data.hold_out)?;
            tell_hold_out(&mut screen, &report);
            (corpus, valid)
        }
    };
    if args.dump_config {
        let config = config.resolve(CorpusSize::of(&corpus))?;
        io::stdout().write_all(config.to_toml()?.as_bytes())?;
        return Ok(Done::Whole);
    }
    let dir = args.out.clone().ok_or_else(|| Usage("give --out DIR".into()))?;
    let start = match (args.resume, args.overwrite) {
        (true, _) => Start::Resume,
        (_, true) => Start::Overwrite,
        _ => Start::Fresh,
    };
    let watch = Watch::start()?;
    let job = Job { config, train: corpus, valid, dir: dir.clone(), threads: common.threads, start };
    let mut display = TrainingDisplay::new(screen);
    let outcome = train(job, &watch.stop, &mut display)?;
    let (mut screen, _) = display.into_parts();
    tell_outcome(&mut screen, &outcome);
    screen.line(&match outcome.ending {
        Ending::Stopped => "the same command with --resume goes on exactly there".to_owned(),
        Ending::Limit | Ending::Patience => format!("try it: lookback translate -m {}", shell(&dir)),
    });
    Ok(if outcome.ending == Ending::Stopped { watch.done() } else { Done::Whole })
}

fn configuration(args: &TrainArgs) -> anyhow::Result<Config> {
    let mut files = Vec::new();
    for path in &args.config {
        let text = fs::read_to_string(path).map_err(|e| Usage(format!("cannot read `{}`: {e}", path.display())))?;
        files.push((path.display().to_string(), text));
    }
    let seed = args.seed.map(|seed| format!("seed={seed}"));
    let sets: Vec<String> = args.set.iter().cloned().chain(seed).collect();
    Config::from_layers(&files, &sets).context("configuration")
}

fn validation(args: &TrainArgs) -> Option<Source> {
    match (&args.valid, &args.valid_src, &args.valid_tgt) {
        (Some(valid), ..) => Some(Source::Table(valid.clone(), args.pairs.columns)),
        (None, Some(src), Some(tgt)) => Some(Source::Parallel(src.clone(), tgt.clone())),
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
    if let Some(best) = outcome.best {
        screen.line(&format!(
            "best: update {} with BLEU {:.2}, nll {:.4}, exact match {:.1} %",
            best.update,
            best.bleu,
            best.nll,
            100.0 * best.exact,
        ));
    }
}
