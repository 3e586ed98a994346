//! `lookback eval`.

use std::io::{self, Write};
use std::path::PathBuf;

use lookback::eval::{Pool, Sampling};

use crate::args::Common;
use crate::data::read_once;
use crate::display::Screen;
use crate::exit::{Done, Usage};
use crate::written::spare;

mod aer;
mod args;
mod by_length;
mod compare;
mod confusions;
mod measures;
mod read;
mod report;
mod table;

pub(crate) use aer::gold_pairs;
pub(crate) use args::{EvalArgs, GoldFormat};
pub(crate) use read::best_of;

use measures::Measured;
use read::{Test, Translations};

pub(crate) fn run(args: &EvalArgs, common: Common) -> anyhow::Result<Done> {
    if let (Some(gold), Some(hyp)) = (&args.alignment.aer, &args.hyp) {
        return aer::run(args, common, gold, hyp);
    }
    check(args)?;
    let measures = measures::chosen(args)?;
    let sampling = sampling(args)?;
    let test = Test::read(args)?;
    let mut out = io::stdout().lock();
    if !args.compare.is_empty() {
        compare::run(args, common, measures, &test, sampling, &mut out)?;
        out.flush()?;
        return Ok(Done::Whole);
    }
    let Translations { lists, attention } = read::translations(args, common, &test)?;
    let pool = Pool::new(common.threads);
    let all: Vec<Measured> =
        measures.into_iter().map(|measure| measure.measure(&lists, &test, &pool)).collect::<anyhow::Result<_>>()?;
    if args.sentence_level {
        let mut screen = Screen::new(common);
        all.iter()
            .for_each(|measured| screen.line(&format!("{}|{}", measured.measure.metric.name(), measured.signature())));
        report::sentences(&all, args.json, &mut out)?;
        out.flush()?;
        return Ok(Done::Whole);
    }
    let by_length = (!args.by_length.is_empty()).then(|| by_length::Report::new(args, &all, &test, sampling, &pool));
    let by_length = by_length.transpose()?;
    let confusions = args.confusions.map(|most| confusions::Report::new(args, most, &lists, &test));
    if let Some(report) = &by_length {
        report.draw(args)?;
    }
    if args.json {
        let mut json = report::json(&all, lists.len());
        json.extend(attention.map(|health| ("attention".to_owned(), report::attention_json(&health))));
        json.extend(by_length.map(|report| ("by_length".to_owned(), report.json())));
        json.extend(confusions.map(|report| ("confusions".to_owned(), report.json())));
        writeln!(out, "{:#}", serde_json::Value::Object(json))?;
    } else {
        report::text(&all, &mut out)?;
        attention.map_or(Ok(()), |health| report::attention_text(&health, &mut out))?;
        by_length.map_or(Ok(()), |report| report.text(&mut out))?;
        confusions.map_or(Ok(()), |report| report.text(&mut out))?;
    }
    out.flush()?;
    Ok(Done::Whole)
}

/// How to resample, if anything is: the samples given or the test's own; the seed given, sacreBLEU's variable, or sacreBLEU's own.
fn sampling(args: &EvalArgs) -> Result<Sampling, Usage> {
    const VARIABLE: &str = "SACREBLEU_SEED";
    let usual = Sampling::of(args.resampling.paired());
    let seed = match (args.resampling.seed, std::env::var(VARIABLE)) {
        (Some(seed), _) => seed,
        (None, Ok(text)) if resamples(args) => text
            .parse()
            .map_err(|_| Usage(format!("{VARIABLE} is `{text}`; expected a whole number, or give --seed")))?,
        _ => usual.seed,
    };
    Ok(Sampling { samples: args.resampling.samples.unwrap_or(usual.samples), seed })
}

fn resamples(args: &EvalArgs) -> bool {
    !args.compare.is_empty() || !args.by_length.is_empty()
}

/// What is missing, and options that only mean something together with others, where the parser cannot know.
fn check(args: &EvalArgs) -> Result<(), Usage> {
    let resampled = resamples(args);
    let refused = [
        (args.pairs.is_none() && args.reference.is_empty(), "give references: --ref FILE, or PAIRS"),
        (
            args.hyp.is_none() && args.model.is_empty() && args.compare.is_empty(),
            "give translations to score: --hyp FILE, or --model DIR",
        ),
        (args.compare.len() == 1 && args.model.is_empty(), "--compare needs two systems: files, or one and --model"),
        (args.resampling.seed.is_some() && !resampled, "--seed changes nothing without --compare or --by-length"),
        (args.resampling.samples.is_some() && !resampled, "--samples changes nothing without --compare or --by-length"),
        (args.resampling.test.is_some() && args.compare.is_empty(), "--test changes nothing without --compare"),
        (args.hyp_out.is_some() && args.model.is_empty(), "--hyp-out keeps what --model translates; give --model"),
        (args.columns.is_some() && args.pairs.is_none(), "--columns is for PAIRS"),
        (args.resampling.samples == Some(0), "--samples must be at least 1"),
        (args.confusions == Some(0), "--confusions must be at least 1"),
        (args.search.is_given() && args.model.is_empty(), "how to search changes nothing without --model"),
        (args.processor.is_given() && args.model.is_empty(), "--isa is what --model computes with; give --model"),
        (
            args.src.is_some() && args.model.is_empty() && args.by_length.is_empty(),
            "--src is used by --model, --by-length and --aer only",
        ),
    ];
    if let Some((_, what)) = refused.iter().find(|(found, _)| *found) {
        return Err(Usage((*what).to_owned()));
    }
    let one = [&args.pairs, &args.src, &args.hyp].into_iter().filter_map(Option::as_deref);
    let read = one.chain(args.reference.iter().chain(&args.compare).map(PathBuf::as_path));
    read_once(read.clone())?;
    spare(args.hyp_out.as_deref(), read.clone())?;
    spare(args.svg.as_deref(), read)
}
