//! `lookback score`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use lookback::data::{Columns, DataError};
use lookback::text::EOS;
use lookback::{PairScore, Translator};
use serde_json::json;

use crate::args::{Common, ScoreArgs};
use crate::display::{Screen, counted, grouped};
use crate::exit::{Done, Usage};
use crate::input::Rounds;

mod n_best;

pub(crate) use n_best::BadEntry;

pub(crate) fn run(args: &ScoreArgs, common: Common) -> anyhow::Result<Done> {
    if args.batch == 0 {
        return Err(Usage("--batch must be at least 1".into()).into());
    }
    let translator = Translator::load_ensemble(&args.model, &args.processor.cpu(common)?)?;
    if let (Some(list), Some(src)) = (&args.n_best, &args.src) {
        n_best::run(args, &translator, list, src)?;
        return Ok(Done::Whole);
    }
    let mut pairs = Pairs::open(args)?;
    let mut total = Total::default();
    while let Some(round) = pairs.next()? {
        let given: Vec<(&str, &str)> = round.iter().map(|(src, tgt)| (src.as_str(), tgt.as_str())).collect();
        let scores = translator.score_pairs(&given)?;
        write(total.pairs, &round, &scores, args, &translator).context("cannot write scores")?;
        scores.iter().for_each(|score| total.take(score));
    }
    total.tell(&mut Screen::new(common));
    Ok(Done::Whole)
}

/// Writes a round whose first pair has number `first`, from 0.
fn write(
    first: usize,
    round: &[(String, String)],
    scores: &[PairScore],
    args: &ScoreArgs,
    translator: &Translator,
) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let tgt = &translator.tokenizers().tgt;
    for (i, ((_, target), score)) in round.iter().zip(scores).enumerate() {
        if args.json {
            let ids: Vec<u32> = tgt.encode(target).into_iter().chain([EOS]).collect();
            let tokens = tgt.display_pieces(&ids);
            let (id, log_prob, log_probs) = (first + i, score.log_prob, &score.per_token);
            writeln!(out, "{}", json!({"id": id, "log_prob": log_prob, "tokens": tokens, "log_probs": log_probs}))?;
        } else {
            writeln!(out, "{:.6}", score.log_prob)?;
        }
    }
    out.flush()
}

/// Sums over all pairs.
#[derive(Debug, Default)]
struct Total {
    pairs: usize,
    tokens: usize,
    log_prob: f64,
}

impl Total {
    fn take(&mut self, score: &PairScore) {
        self.pairs += 1;
        self.tokens += score.tokens;
        self.log_prob += score.log_prob;
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    fn tell(&self, screen: &mut Screen) {
        if self.tokens > 0 {
            let perplexity = (-self.log_prob / self.tokens as f64).exp();
            let (pairs, pieces) = (counted(self.pairs, "pair"), grouped(self.tokens));
            screen.line(&format!(
                "perplexity {perplexity:.4} over {pieces} pieces of {pairs}, log-probability {:.4}",
                self.log_prob
            ));
        }
    }
}

/// Pairs as they arrive, in rounds.
enum Pairs {
    Table { rounds: Rounds, path: PathBuf, columns: Option<Columns>, seen: u64 },
    Files { src: Side, tgt: Side, most: usize },
}

/// One of two files, a line at a time.
struct Side {
    path: PathBuf,
    lines: Rounds,
    ready: std::vec::IntoIter<String>,
    seen: u64,
}

impl Pairs {
    fn open(args: &ScoreArgs) -> Result<Self, DataError> {
        if let (Some(src), Some(tgt)) = (&args.src, &args.tgt) {
            let (src, tgt) = (Side::open(src, args.batch)?, Side::open(tgt, args.batch)?);
            return Ok(Self::Files { src, tgt, most: args.batch });
        }
        let path = args.pairs.clone().unwrap_or_else(|| "standard input".into());
        let rounds = Rounds::open(args.pairs.as_deref(), args.batch)?;
        Ok(Self::Table { rounds, path, columns: args.columns, seen: 0 })
    }

    fn next(&mut self) -> Result<Option<Vec<(String, String)>>, DataError> {
        match self {
            Self::Table { rounds, path, columns, seen } => {
                let Some(lines) = rounds.next()? else { return Ok(None) };
                let pair = |line: String| {
                    *seen += 1;
                    pair(path, *seen, &line, *columns)
                };
                lines.into_iter().map(pair).collect::<Result<_, _>>().map(Some)
            }
            Self::Files { src, tgt, most } => {
                let mut round = Vec::new();
                while round.len() < *most {
                    match (src.next()?, tgt.next()?) {
                        (Some(source), Some(target)) => round.push((source, target)),
                        (None, None) => break,
                        _ => return Err(uneven(src, tgt)?),
                    }
                }
                Ok((!round.is_empty()).then_some(round))
            }
        }
    }
}

impl Side {
    fn open(path: &Path, most: usize) -> Result<Self, DataError> {
        let lines = Rounds::open(Some(path), most)?;
        Ok(Self { path: path.to_owned(), lines, ready: Vec::new().into_iter(), seen: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, DataError> {
        if self.ready.len() == 0 {
            self.ready = self.lines.next()?.unwrap_or_default().into_iter();
        }
        let line = self.ready.next();
        self.seen += u64::from(line.is_some());
        Ok(line)
    }
}

/// The error of two files of which one has ended; reads the other to its end.
fn uneven(src: &mut Side, tgt: &mut Side) -> Result<DataError, DataError> {
    for side in [&mut *src, &mut *tgt] {
        while side.next()?.is_some() {}
    }
    let (src, src_lines, tgt, tgt_lines) = (src.path.clone(), src.seen, tgt.path.clone(), tgt.seen);
    Ok(DataError::LineCounts { src, src_lines, tgt, tgt_lines })
}

/// The two columns of a line.
fn pair(path: &Path, line: u64, text: &str, columns: Option<Columns>) -> Result<(String, String), DataError> {
    let fields: Vec<&str> = text.split('\t').collect();
    let path = || path.to_owned();
    let found = fields.len();
    if columns.is_none() && found > 2 {
        return Err(DataError::TooManyColumns { path: path(), line, found });
    }
    let Columns { src, tgt } = columns.unwrap_or(Columns { src: 0, tgt: 1 });
    match (fields.get(src), fields.get(tgt)) {
        (Some(source), Some(target)) => Ok(((*source).to_owned(), (*target).to_owned())),
        _ => Err(DataError::TooFewColumns { path: path(), line, found, needed: src.max(tgt) + 1 }),
    }
}
