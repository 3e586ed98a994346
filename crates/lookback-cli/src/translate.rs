//! `lookback translate`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context;
use lookback::search::{KeepWeights, SearchOptions};
use lookback::{Translation, Translator};

use crate::args::{Common, TranslateArgs};
use crate::exit::{Done, Usage};
use crate::input::Rounds;

pub(crate) fn run(args: &TranslateArgs, common: Common) -> anyhow::Result<Done> {
    if args.batch == 0 || args.n_best == 0 {
        return Err(Usage("--batch and --n-best must be at least 1".into()).into());
    }
    let translator = Translator::load_with(&args.model, common.threads)?;
    let config = args.search.over(&translator.config().search);
    if args.n_best > config.beam_size {
        let (n_best, beam) = (args.n_best, config.beam_size);
        return Err(Usage(format!("--n-best {n_best} needs --beam-size {n_best} or more; it is {beam}")).into());
    }
    let options = SearchOptions { config, nbest: args.n_best, weights: KeepWeights::No };
    let mut rounds = Rounds::open(args.input.as_deref(), args.batch)?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?),
        None => Box::new(io::stdout()),
    };
    let mut first = 0;
    while let Some(lines) = rounds.next()? {
        let sources: Vec<&str> = lines.iter().map(String::as_str).collect();
        let translations = translator.translate_with(&sources, &options)?;
        write(&mut out, first, &translations, args.n_best).context("cannot write translations")?;
        first += lines.len();
    }
    Ok(Done::Whole)
}

/// Writes a round whose first line has number `first`, from 0.
fn write(out: &mut impl Write, first: usize, round: &[Vec<Translation>], n_best: usize) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (i, translations) in round.iter().enumerate() {
        for t in translations {
            if n_best == 1 {
                writeln!(out, "{}", one_line(&t.text))?;
            } else {
                let (id, text, found) = (first + i, one_line(&t.text), &t.hypothesis);
                writeln!(out, "{id} ||| {text} ||| F0= {:.6} ||| {:.6}", found.log_prob, found.score)?;
            }
        }
    }
    out.flush()
}

/// A model may write any character; a line ends where we say.
pub(crate) fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}
