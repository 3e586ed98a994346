//! `lookback eval`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use lookback::Translator;
use lookback::data::read_lines;
use lookback::eval::{Bleu, ExactMatch};
use lookback::search::SearchOptions;
use serde_json::json;

use crate::args::{Common, EvalArgs};
use crate::data::{Source, sources, targets};
use crate::display::Screen;
use crate::exit::{Done, Usage};
use crate::translate::one_line;

/// Sentences translated between two drawings of the progress.
const ROUND: usize = 128;

pub(crate) fn run(args: &EvalArgs, common: Common) -> anyhow::Result<Done> {
    let (hyps, refs) = match (&args.hyp, &args.model) {
        (Some(hyp), None) => (read_lines(hyp)?.0, read_lines(reference(args)?)?.0),
        (None, Some(model)) => translated(args, common, model)?,
        _ => return Err(Usage("give --hyp, or --model".into()).into()),
    };
    let (bleu, exact) = (Bleu::corpus(&hyps, &refs)?, ExactMatch::corpus(&hyps, &refs)?);
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", report(&bleu, exact))?;
    } else {
        writeln!(out, "BLEU|{} = {:.2} {}", bleu.signature(), bleu.score, bleu.verbose_score())?;
        writeln!(out, "{exact}")?;
    }
    out.flush()?;
    Ok(Done::Whole)
}

fn reference(args: &EvalArgs) -> Result<&Path, Usage> {
    args.reference.as_deref().ok_or_else(|| Usage("give --ref".into()))
}

/// sacreBLEU's report, and what we add.
fn report(bleu: &Bleu, exact: ExactMatch) -> serde_json::Value {
    json!({
        "name": "BLEU",
        "score": bleu.score,
        "signature": bleu.signature(),
        "verbose_score": bleu.verbose_score(),
        "bleu": {
            "score": bleu.score,
            "signature": bleu.signature(),
            "precisions": bleu.precisions,
            "brevity_penalty": bleu.brevity_penalty,
            "hyp_len": bleu.hyp_len,
            "ref_len": bleu.ref_len,
        },
        "exact_match": exact.share(),
        "sentences": exact.total,
    })
}

/// The model's translations, and the references.
fn translated(args: &EvalArgs, common: Common, model: &Path) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let source = match (&args.pairs, &args.src) {
        (Some(pairs), _) => Source::Table(pairs.clone(), args.columns),
        (None, Some(src)) => Source::Parallel(src.clone(), reference(args)?.to_owned()),
        _ => return Err(Usage("give PAIRS, or --src and --ref".into()).into()),
    };
    let corpus = source.read()?;
    let translator = Translator::load_with(model, common.threads)?;
    let options = SearchOptions::from(args.search.over(&translator.config().search));
    let mut screen = Screen::new(common);
    let hyps = best_of(&translator, &sources(&corpus), &options, &mut screen)?;
    if let Some(path) = &args.hyp_out {
        let text: String = hyps.iter().flat_map(|hyp| [hyp.as_str(), "\n"]).collect();
        fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok((hyps, targets(&corpus).into_iter().map(str::to_owned).collect()))
}

/// The best translation of each source, a line each.
pub(crate) fn best_of(
    translator: &Translator,
    sources: &[&str],
    options: &SearchOptions,
    screen: &mut Screen,
) -> anyhow::Result<Vec<String>> {
    let mut best = Vec::with_capacity(sources.len());
    for round in sources.chunks(ROUND) {
        screen.progress("translating", best.len(), sources.len());
        let found = translator.translate_with(round, options)?;
        best.extend(found.iter().map(|found| one_line(found.first().map_or("", |t| &t.text))));
    }
    screen.clear();
    Ok(best)
}
