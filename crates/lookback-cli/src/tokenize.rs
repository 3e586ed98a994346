//! `lookback tokenize` and `lookback detokenize`.

use std::collections::HashMap;
use std::io::{BufWriter, Write};

use anyhow::Context;
use lookback::text::{Tokenizer, Tokenizers};

use crate::args::{TextSide, TokenizeArgs};
use crate::exit::{Done, Usage};
use crate::input::Rounds;
use crate::translate::one_line;
use crate::written::{output, spare};

/// Lines of a round at most; a pause ends one earlier.
const ROUND: usize = 4096;

pub(crate) fn tokenize(args: &TokenizeArgs) -> anyhow::Result<Done> {
    let tokenizer = tokenizer(args)?;
    let write: fn(&Tokenizer, &[u32]) -> String = if args.ids { numbers } else { pieces };
    if !args.ids {
        refuse_spaces(&tokenizer)?;
    }
    each_line(args, |_, line| Ok(write(&tokenizer, &tokenizer.encode(line))))
}

pub(crate) fn detokenize(args: &TokenizeArgs) -> anyhow::Result<Done> {
    let tokenizer = tokenizer(args)?;
    let size = u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    let ids: HashMap<&str, u32> = (0..size).filter_map(|id| Some((tokenizer.piece(id)?, id))).collect();
    if !args.ids {
        refuse_spaces(&tokenizer)?;
    }
    each_line(args, |number, line| {
        let id = |word: &str| match args.ids {
            true => word.parse().ok().filter(|&id: &u32| id < size).ok_or_else(|| Unknown::id(number, word, size)),
            false => ids.get(word).copied().ok_or_else(|| Unknown::piece(number, word)),
        };
        let found = line.split(' ').filter(|word| !word.is_empty()).map(id).collect::<Result<Vec<u32>, _>>()?;
        Ok(one_line(&tokenizer.decode(&found)))
    })
}

/// What stands in the input and not in the vocabulary.
#[derive(Debug, thiserror::Error)]
#[error("{input}:{line}: {reason}")]
pub(crate) struct Unknown {
    input: String,
    line: u64,
    reason: String,
}

impl Unknown {
    fn id(line: u64, word: &str, size: u32) -> Self {
        Self {
            input: String::new(),
            line,
            reason: format!("`{word}` is not an id of the vocabulary, 0 to {}", size - 1),
        }
    }

    fn piece(line: u64, word: &str) -> Self {
        let reason = format!("`{word}` is not a piece of the vocabulary; was the text cut by another tokenizer?");
        Self { input: String::new(), line, reason }
    }
}

/// Writes `of` of every line, in the order of the lines.
fn each_line(args: &TokenizeArgs, of: impl Fn(u64, &str) -> Result<String, Unknown>) -> anyhow::Result<Done> {
    let name = args.input.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    spare(args.output.as_deref(), args.input.as_deref())?;
    let mut rounds = Rounds::open(args.input.as_deref(), ROUND)?;
    let mut to = output(args.output.as_deref())?;
    let mut number = 0;
    while let Some(lines) = rounds.next()? {
        let mut out = BufWriter::new(&mut to);
        for line in lines {
            number += 1;
            match of(number, &line) {
                Ok(text) => writeln!(out, "{text}").context("cannot write")?,
                Err(unknown) => {
                    // What came before it was done.
                    out.flush().context("cannot write")?;
                    return Err(Unknown { input: name, ..unknown }.into());
                }
            }
        }
        out.flush().context("cannot write")?;
    }
    Ok(Done::Whole)
}

fn tokenizer(args: &TokenizeArgs) -> anyhow::Result<Tokenizer> {
    match (&args.model, &args.tokenizer) {
        (Some(dir), None) => {
            let Tokenizers { src, tgt, .. } = Tokenizers::load(dir)?;
            Ok(match args.side {
                TextSide::Src => src,
                TextSide::Tgt => tgt,
            })
        }
        (None, Some(file)) => Ok(Tokenizer::read(file)?),
        _ => Err(Usage("give -m DIR or --tokenizer FILE".into()).into()),
    }
}

fn pieces(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    ids.iter().filter_map(|&id| tokenizer.piece(id)).collect::<Vec<_>>().join(" ")
}

fn numbers(_: &Tokenizer, ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// Pieces that hold what stands between pieces could not be told apart again. Ours write a space as `▁`.
fn refuse_spaces(tokenizer: &Tokenizer) -> Result<(), Usage> {
    let size = u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    let holds =
        (0..size).filter_map(|id| tokenizer.piece(id)).find(|piece| piece.contains([' ', '\n']) || piece.is_empty());
    match holds {
        Some(piece) => {
            Err(Usage(format!("the piece {piece:?} of this vocabulary holds a space or a line end; use --ids")))
        }
        None => Ok(()),
    }
}
